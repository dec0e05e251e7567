//! A real OpenID provider, npm `oidc-provider`, issues the tokens, publishes the keys and rotates them.

use crate::support::client::{self, get, get_with, head};
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::node;
use crate::support::server::Server;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const RESOURCES: [(&str, &str); 3] =
    [("RS256", "https://rs.example.com"), ("ES256", "https://es.example.com"), ("EdDSA", "https://ed.example.com")];

/// Starts a program that prints its address and ends when its standard input is closed; its process, and the address.
pub fn announced(command: &mut Command) -> (Child, String) {
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("http"));
    std::thread::spawn(move || lines.for_each(drop));
    (process, address.unwrap_or_else(|| panic!("{command:?} did not start")))
}

/// The provider in a separate process, which ends when its standard input is closed.
pub struct Provider {
    process: Child,
    pub issuer: String,
    pub address: SocketAddr,
}

impl Provider {
    pub fn start() -> Self {
        Self::start_with(|command| command)
    }

    /// Over TLS, with this certificate and its key in PEM.
    pub fn start_secure(certificate: &str, key: &str) -> Self {
        Self::start_with(|command| command.env("TLS", json!({ "cert": certificate, "key": key }).to_string()))
    }

    /// Where users log in, with access tokens that are good for so many seconds.
    pub fn of_logins(lifetime: &str) -> Self {
        Self::start_with(|command| command.env("LOGIN", lifetime))
    }

    /// Where users of MCP clients log in.
    pub fn of_mcp_clients() -> Self {
        Self::start_with(|command| command.env("LOGIN", "300").env("SCOPES", "mcp:basic mcp:write"))
    }

    fn start_with(prepare: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let mut command = Command::new(node::binary());
        prepare(command.arg(root().join("tests/e2e/provider.mjs")).env("PACKAGES", node::packages()));
        let (process, issuer) = announced(&mut command);
        let address = issuer.split_once("://").unwrap().1.parse().unwrap();
        Self { process, issuer, address }
    }

    /// An access token by client credentials for a resource.
    pub fn token(&self, resource: &str, scope: &str) -> String {
        let form = format!("grant_type=client_credentials&scope={scope}&resource={resource}");
        let body: Value = serde_json::from_str(&self.form("/token", &form)).unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// What is answered to a form of the client.
    pub fn form(&self, target: &str, form: &str) -> String {
        // demo:demo-secret
        let lines = [
            ("authorization", "Basic ZGVtbzpkZW1vLXNlY3JldA=="),
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", &form.len().to_string()),
            ("connection", "close"),
        ];
        let mut request = head("POST", target, &lines);
        request.extend(form.as_bytes());
        let answer = client::send(self.address, &request);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    fn post(&self, target: &str) {
        let answer = client::send(self.address, &head("POST", target, &[("content-length", "0")]));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn start(provider: &Provider, refresh: &str) -> (Envoy, Server) {
    let upstream = Server::echo(0).unwrap();
    let audiences: Vec<&str> = RESOURCES.iter().map(|(_, resource)| *resource).collect();
    let configuration = json!({
        "issuers": [{
            "issuer": provider.issuer,
            "name": "provider",
            "audiences": audiences,
            "jwks": { "discovery": { "cluster": "provider" }, "refresh": refresh },
        }],
        "rules": [
            { "match": { "path_separated_prefix": "/orders", "methods": ["GET"] }, "scopes": ["orders:read"] },
            { "match": { "path_separated_prefix": "/orders" }, "scopes": ["orders:write"] },
        ],
        "forward": { "headers": { "x-auth-scope": "scope", "x-auth-client": "client_id" } },
    });
    let clusters = [cluster("upstream", upstream.address), cluster("provider", provider.address)];
    let envoy = Envoy::try_start(&resources(&[Gate::new(configuration)], &clusters), 2);
    (envoy.unwrap_or_else(|log| panic!("{log}")), upstream)
}

#[test]
fn tokens_of_a_real_provider_are_accepted_and_refused_as_they_should_be() {
    let provider = Provider::start();
    let (envoy, _upstream) = start(&provider, "10m");
    for (algorithm, resource) in RESOURCES {
        let token = provider.token(resource, "orders:read");
        let echoed = get_with(envoy.address(), "/orders/1", &token).echoed();
        assert_eq!(echoed.headers("x-auth-scope"), ["orders:read"], "{algorithm}");
        assert_eq!(echoed.headers("x-auth-client"), ["demo"], "{algorithm}");
        let authorization = format!("Bearer {token}");
        let lines = [("authorization", authorization.as_str()), ("content-length", "0")];
        let post = client::send(envoy.address(), &head("POST", "/orders/1", &lines));
        assert_eq!(post.status, 403, "{algorithm}: {post:?}");
        assert!(post.header("www-authenticate").unwrap().contains("insufficient_scope"), "{algorithm}");
        // One bit of the signature.
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let changed = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{signed}.{changed}{}", &signature[1..]);
        assert_eq!(get_with(envoy.address(), "/orders/1", &forged).status, 401, "{algorithm}");
    }
    let foreign = provider.token("https://other.example.com", "orders:read");
    assert_eq!(get_with(envoy.address(), "/orders/1", &foreign).status, 401, "another resource's token");
    assert_eq!(get(envoy.address(), "/orders/1", &[]).status, 401);
    assert_eq!(envoy.counter_of_at_least("scopegate.keys.in_use.provider", 3), 3);
}

#[test]
fn the_provider_rotates_its_keys_under_load_and_not_one_valid_request_is_refused() {
    let provider = Arc::new(Provider::start());
    let (envoy, _upstream) = start(&provider, "2s");
    let address = envoy.address();
    let old: Vec<String> = RESOURCES.iter().map(|(_, resource)| provider.token(resource, "orders:read")).collect();
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let workers: Vec<_> = RESOURCES
        .iter()
        .map(|(_, resource)| {
            let (provider, stop, sent) = (Arc::clone(&provider), Arc::clone(&stop), Arc::clone(&sent));
            std::thread::spawn(move || {
                let mut refused = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let token = provider.token(resource, "orders:read");
                    for _ in 0..5 {
                        let answer = get_with(address, "/orders/1", &token);
                        sent.fetch_add(1, Ordering::SeqCst);
                        if answer.status != 200 {
                            refused.push(answer);
                        }
                    }
                }
                refused
            })
        })
        .collect();
    let statuses = || -> Vec<u16> { old.iter().map(|token| get_with(address, "/orders/1", token).status).collect() };
    for _ in 0..20 {
        assert_eq!(statuses(), [200; 3], "remembered on both workers");
    }
    // Published and used at the same moment, before any refresh.
    provider.post("/test/publish");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(statuses(), [200; 3], "tokens of the keys before stay good while these are published");
    // Tokens that were signed before are gone from the load by now: the old keys are withdrawn.
    provider.post("/test/retire");
    let withdrawn = Instant::now();
    while statuses() != [401; 3] {
        assert!(withdrawn.elapsed() < Duration::from_secs(4), "refused within one refresh");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(1));
    for _ in 0..20 {
        assert_eq!(statuses(), [401; 3], "on both workers, though they were remembered");
    }
    stop.store(true, Ordering::SeqCst);
    let refused: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    assert!(refused.is_empty(), "{} refused of {}: {:?}", refused.len(), sent.load(Ordering::SeqCst), refused.first());
    assert!(sent.load(Ordering::SeqCst) > 100, "{sent:?} requests were no load");
}
