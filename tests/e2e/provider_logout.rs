//! A real OpenID provider, npm `oidc-provider`, tells a gate that a user has logged out.

use crate::events::upstream;
use crate::provider::Provider;
use crate::support::client::{at_once, request};
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::events::{LOGOUT, PATH};
use crate::support::node;
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::base::base64url;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Clients of the provider: the gate hears of the first two.
const CLIENTS: [&str; 3] = ["web-session", "web-user", "other-session"];

/// A user with a browser.
struct User {
    process: Child,
    asks: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl User {
    /// Logs in for each client; and the access tokens.
    fn log_in(provider: &Provider, clients: &[&str]) -> (Self, Vec<String>) {
        let mut command = Command::new(node::binary());
        command.arg(root().join("tests/e2e/provider_logout.mjs")).arg(&provider.issuer).args(clients);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (asks, told) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut user = Self { process, asks, told };
        let tokens = user.tokens(clients);
        (user, tokens)
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
    }

    fn tokens(&mut self, clients: &[&str]) -> Vec<String> {
        let read = self.read();
        clients.iter().map(|client| read[client].as_str().unwrap().to_owned()).collect()
    }

    /// A new session.
    fn log_in_again(&mut self, clients: &[&str]) -> Vec<String> {
        self.asks.write_all(b"login\n").unwrap();
        self.tokens(clients)
    }

    /// When it returns, the provider has told all clients.
    fn log_out(&mut self) {
        self.asks.write_all(b"logout\n").unwrap();
        self.read();
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The header and the claims of a token.
fn read(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| base64url::decode(part.as_bytes()).unwrap());
    [(); 2].map(|()| serde_json::from_slice(&parts.next().unwrap()).unwrap())
}

#[test]
fn a_user_who_logs_out_at_a_real_provider_is_refused_within_a_second() {
    let provider = Provider::of_logins("300");
    let (upstream, reached) = upstream();
    let configuration = json!({
        "issuers": [{
            "issuer": provider.issuer, "name": "provider", "audiences": ["https://rs.example.com"],
            "jwks": { "discovery": { "cluster": "provider" } },
        }],
        "events": { "path": PATH, "issuers": { "provider": { "audience": [CLIENTS[0], CLIENTS[1]], "keep": "5m" } } },
    });
    let plugin = json!({ "allow_on_headers_stop_iteration": true });
    let gate = Gate { plugin, ..Gate::new(configuration) };
    let clusters = [cluster("upstream", upstream.address), cluster("provider", provider.address)];
    let envoy = Envoy::try_start(&resources(&[gate], &clusters), 4).unwrap_or_else(|log| panic!("{log}"));
    let gate = format!("http://{}{PATH}", envoy.address());
    // The other client is told at another address, where what the provider sends can be seen.
    let sent = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&sent);
    let other = Server::start(0, move |received| {
        log.lock().unwrap().push(received.clone());
        Answer::status(200)
    });
    let other = format!("http://{}/", other.as_ref().unwrap().address);
    let told = [&gate, &gate, &other];
    let query: Vec<String> = CLIENTS.iter().zip(told).map(|(client, uri)| format!("{client}={uri}")).collect();
    let registered = request(provider.address, "POST", &format!("/test/logout?{}", query.join("&")), &[]);
    assert_eq!(registered.status, 200);

    let all_answer = |token: &str, status: u16| at_once(&[envoy.address()], 48, token) == [status; 48];
    let (mut user, tokens) = User::log_in(&provider, &CLIENTS);
    // A session of the same user in another browser.
    let (_second, others) = User::log_in(&provider, &CLIENTS[..1]);
    assert_eq!(read(&tokens[0])[0]["typ"], "at+jwt");
    assert!(read(&tokens[0])[1]["sid"].is_string() && read(&tokens[1])[1]["sid"].is_null());
    eventually("keys", || tokens.iter().chain(&others).all(|token| all_answer(token, 200)));
    user.log_out();
    let began = Instant::now();
    while !(all_answer(&tokens[0], 401) && all_answer(&tokens[1], 401)) {
        assert!(began.elapsed() < Duration::from_secs(1), "the provider has told the gate\n{}", envoy.log());
    }
    println!("four workers refuse both tokens {:?} after the provider's logout", began.elapsed());
    // The second client does not hear of sessions, so all tokens of the user are revoked that were issued before.
    eventually("by subject", || all_answer(&others[0], 401));
    let log = envoy.log();
    let events = log.lines().filter(|line| line.starts_with(&format!("ACCESS POST {PATH} 200 scopegate_event ")));
    assert_eq!(events.count(), 2, "{log}");
    // What it sends.
    let received = sent.lock().unwrap().pop().unwrap();
    let lines: Vec<&str> =
        received.headers.iter().filter(|(name, _)| name == "content-type").map(|(_, v)| &**v).collect();
    assert_eq!(lines, ["application/x-www-form-urlencoded"]);
    let body = String::from_utf8(received.body).unwrap();
    let [header, claims] = read(body.strip_prefix("logout_token=").unwrap());
    println!("{header} {claims}");
    assert_eq!(header["typ"], "logout+jwt");
    assert_eq!((&claims["aud"], &claims["events"]), (&json!(CLIENTS[2]), &json!({ LOGOUT: {} })));
    assert!(
        ["iss", "sub", "sid", "jti"].iter().all(|name| claims[name].is_string()) && claims["iat"].is_i64(),
        "{claims}"
    );
    // A new login, a second later, is another session and has later tokens.
    std::thread::sleep(Duration::from_secs(1));
    let again = user.log_in_again(&CLIENTS);
    assert!(again[..2].iter().all(|token| all_answer(token, 200)), "{}", envoy.log());
    assert!(all_answer(&tokens[0], 401));
    let reached = reached.lock().unwrap();
    assert!(!reached.iter().any(|line| line.contains(PATH)), "{reached:?}");
}
