//! A host that refuses the calls of the filter, each in turn: nothing passes that should not.

use crate::rewritten::{callbacks, host_functions};
use crate::stage::{published, revoked};
use crate::support::client::{head, send, try_send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::outage::Unreliable;
use crate::support::random::Random;
use crate::support::server::Server;
use crate::traffic::{Hostile, each_kind};
use scopegate::crypto::Algorithm;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// The surroundings of the gate: an issuer and a list that are fetched, and an upstream that answers what reached it.
struct World {
    issuer: Issuer,
    hostile: Vec<Hostile>,
    published: Unreliable,
    lists: Unreliable,
    upstream: Server,
}

impl World {
    fn new() -> Self {
        let (issuer, foreign) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::Es256, "foreign"));
        let mut hostile = each_kind(&issuer, &foreign, &mut Random::new(1));
        hostile.push(crate::traffic::hostile("revoked", &issuer.token(now()).claim("jti", "stolen").sign()));
        let published = Unreliable::start(published(&[&issuer]));
        let lists = Unreliable::start(revoked(&["stolen".to_owned()]));
        Self { issuer, hostile, published, lists, upstream: Server::echo(0).unwrap() }
    }

    /// Envoy with a gate that may use all of these but one; the log where it does not start.
    fn without(&self, name: &str) -> Result<Envoy, String> {
        let others = host_functions().into_iter().chain(callbacks()).filter(|other| other != name);
        self.restricted(&others.map(|other| (other, json!({}))).collect())
    }

    /// Envoy with a gate that may use these.
    fn restricted(&self, allowed: &Map<String, Value>) -> Result<Envoy, String> {
        let remote = |path: &str, cluster: &str| json!({ "uri": format!("http://{cluster}.example.com/{path}"), "cluster": cluster, "refresh": "1s", "timeout": "1s" });
        let mut list = remote("revoked", "lists");
        list["name"] = "main".into();
        let configuration = json!({
            "issuers": [{
                "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": remote("jwks.json", "issuer"), "max_lifetime": "1h",
            }],
            "revocation": { "lists": [list] },
            "rules": [
                { "match": { "path_separated_prefix": "/public" }, "public": true },
                { "match": { "path_separated_prefix": "/closed" }, "deny": true },
                { "match": { "path_separated_prefix": "/write" }, "scopes": ["orders:write"] },
            ],
            "default": { "scopes": ["orders:read"] },
            "forward": { "headers": { "x-auth-subject": "sub" } },
        });
        let plugin = json!({ "capability_restriction_config": { "allowed_capabilities": allowed } });
        // Who waits for keys that never come is not waited for.
        let quiet = json!({ "stream_idle_timeout": "0.2s" });
        let gate = Gate { plugin, connection_manager: quiet, ..Gate::new(configuration) };
        let clusters = [
            cluster("upstream", self.upstream.address),
            cluster("issuer", self.published.address),
            cluster("lists", self.lists.address),
        ];
        Envoy::try_start(&resources(&[gate], &clusters), 1)
    }

    /// What becomes of a good request, once keys and lists had the time to come.
    fn good(&self, envoy: &Envoy) -> String {
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            let token = format!("Bearer {}", self.issuer.token(now()).sign());
            let request = head("GET", "/orders/1", &[("authorization", &token), ("x-auth-subject", "admin")]);
            let Some(answer) = try_send(envoy.address(), &request) else { return "no answer".to_owned() };
            if answer.status == 200 {
                let echoed = answer.echoed();
                assert!(echoed.headers("authorization").is_empty(), "the token is stripped, or the request refused");
                assert_eq!(echoed.headers("x-auth-subject"), ["alice"]);
                return "200".to_owned();
            }
            if Instant::now() > deadline {
                return match answer.status {
                    // Who waits for keys that do not come is answered by the gate, or by Envoy when its time is over.
                    503 | 504 => "503 or 504".to_owned(),
                    status => status.to_string(),
                };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The fate of a request to a public route with an identity header.
    fn public(envoy: &Envoy) -> String {
        let Some(answer) = try_send(envoy.address(), &head("GET", "/public/1", &[("x-auth-subject", "admin")])) else {
            return "no answer".to_owned();
        };
        if answer.status == 200 {
            assert!(answer.echoed().headers("x-auth-subject").is_empty(), "forged");
        }
        answer.status.to_string()
    }
}

/// What the module calls alone that is called for responses: neither request here has a list in its response.
const OF_RESPONSES: [&str; 1] = ["proxy_set_buffer_bytes"];

#[test]
fn whatever_host_call_is_refused_no_hostile_request_passes() {
    needs_wasm!();
    let world = World::new();
    let mut table = String::new();
    for name in host_functions() {
        let outcome = match world.without(&name) {
            Err(log) => {
                assert!(log.contains("Unable to create Wasm plugin"), "{name}: {log}");
                "Envoy refuses the configuration".to_owned()
            }
            Ok(envoy) => {
                let good = world.good(&envoy);
                for request in &world.hostile {
                    let status = try_send(envoy.address(), &request.bytes).map_or(0, |answer| answer.status);
                    assert!(status == 0 || status >= 400, "without {name}: {}: {status}", request.what);
                }
                format!("good {good}, public {}", World::public(&envoy))
            }
        };
        if OF_RESPONSES.contains(&name.as_str()) {
            assert_eq!(outcome, "good 200, public 200", "{name}");
        } else {
            table += &format!("{name:<45} {outcome}\n");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_host_that_never_asks_the_filter_is_what_it_cannot_protect_against() {
    needs_wasm!();
    let world = World::new();
    let passes =
        |envoy: &Envoy, request: &Hostile| try_send(envoy.address(), &request.bytes).is_some_and(|a| a.status == 200);
    let mut open = Vec::new();
    for name in callbacks() {
        let Ok(envoy) = world.without(&name) else { continue };
        if world.hostile.iter().any(|request| passes(&envoy, request)) {
            open.push(name);
        }
    }
    assert_eq!(open, ["proxy_on_request_headers"], "SECURITY.md names it");
    let without = |name: &str| world.without(name).unwrap_or_else(|log| panic!("{log}"));
    let envoy = without("proxy_on_request_headers");
    assert_eq!(send(envoy.address(), &world.hostile[0].bytes).status, 200);
    // The other case that `scopegate check` names: identity headers stay in trailers.
    let forged = |envoy: &Envoy| {
        assert_eq!(world.good(envoy), "200");
        let token = format!("Bearer {}", world.issuer.token(now()).sign());
        let mut request = head("POST", "/", &[("authorization", &token), ("transfer-encoding", "chunked")]);
        request.extend(b"1\r\nx\r\n0\r\nx-auth-subject: admin\r\n\r\n");
        send(envoy.address(), &request).echoed().trailers("x-auth-subject").len()
    };
    assert_eq!(forged(&without("proxy_on_request_trailers")), 1);
    let envoy = world.restricted(&Map::new()).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!(forged(&envoy), 0, "an empty map restricts nothing");
    assert!(world.hostile.iter().all(|request| !passes(&envoy, request)));
}
