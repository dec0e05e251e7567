//! Tokens that many clients show, over all workers.

use crate::gate::configuration;
use crate::support::client::{Response, get};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Instant;

/// A gate that believes the proxy before it who its client is.
fn gate(issuer: &Issuer, members: Value) -> Gate {
    Gate {
        connection_manager: json!({ "use_remote_address": true, "xff_num_trusted_hops": 1 }),
        ..Gate::new(configuration(issuer, members))
    }
}

/// A request of the client with this address and this program.
fn show(envoy: SocketAddr, token: &str, client: &str, agent: &str) -> Response {
    let bearer = format!("Bearer {token}");
    get(envoy, "/", &[("authorization", &bearer), ("x-forwarded-for", client), ("user-agent", agent)])
}

fn start(gate: Gate, workers: u32) -> (Envoy, Server) {
    let upstream = Server::echo(0).unwrap();
    let envoy = Envoy::try_start(&resources(&[gate], &[cluster("upstream", upstream.address)]), workers).unwrap();
    (envoy, upstream)
}

#[test]
fn what_too_many_clients_show_passes_for_none_of_them_on_any_worker() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let reuse = json!({ "reuse": { "max_clients": 2, "action": "deny", "exempt": ["203.0.113.0/24"] } });
    let (envoy, _upstream) = start(gate(&issuer, reuse), 4);
    let token = |jti: &str| issuer.token(now()).claim("jti", jti).sign();
    let status = |jti: &str, client: &str| show(envoy.address(), &token(jti), client, "app/1").status;
    // Each request is a connection of its own, so all workers see some.
    for _ in 0..20 {
        for client in ["192.0.2.1", "192.0.2.200", "198.51.100.1", "203.0.113.7", "203.0.113.9"] {
            assert_eq!(status("stolen", client), 200, "{client}");
        }
    }
    assert_eq!(envoy.counter("scopegate.reuse.events"), 0);
    assert_eq!(status("stolen", "2001:db8::1"), 401);
    eventually("all workers know", || {
        (0..20).all(|_| ["192.0.2.1", "198.51.100.1"].iter().all(|client| status("stolen", client) == 401))
    });
    assert_eq!(status("stolen", "203.0.113.7"), 200, "it is exempt");
    assert_eq!(status("another", "192.0.2.1"), 200);
    assert_eq!(envoy.counter_of_at_least("scopegate.reuse.events", 1), 1);
    assert_eq!(envoy.counter("scopegate.reuse.uncounted"), 0);
    let answer = show(envoy.address(), &token("stolen"), "192.0.2.1", "app/1");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\"") && !challenge.contains("client"), "{challenge}");
    envoy.wait_for_log("reason=reused issuer=demo");
}

#[test]
fn a_challenge_meets_the_client_that_came_late_and_report_meets_no_one() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let rules = json!([{ "match": { "path": "/" }, "reuse": { "max_clients": 1, "action": "challenge" }, "acr_values": ["phr"] }]);
    let (envoy, _upstream) = start(gate(&issuer, json!({ "rules": rules, "reuse": { "max_clients": 1 } })), 2);
    let token = issuer.token(now()).claim("acr", "phr").sign();
    let status = |agent: &str| show(envoy.address(), &token, "192.0.2.1", agent).status;
    for _ in 0..10 {
        assert_eq!([status("app/1"), status("thief/1")], [200, 401]);
    }
    let challenge = show(envoy.address(), &token, "192.0.2.1", "thief/1");
    assert!(challenge.header("www-authenticate").unwrap().contains("acr_values=\"phr\""), "{challenge:?}");
    let bearer = format!("Bearer {token}");
    let reported = |agent: &str| {
        get(envoy.address(), "/reported", &[("authorization", bearer.as_str()), ("user-agent", agent)]).status
    };
    assert_eq!(["a", "b", "c"].map(reported), [200; 3]);
    assert_eq!(envoy.counter_of_at_least("scopegate.reuse.events", 3), 3, "thief/1, and b and c on the other route");
    envoy.wait_for_log(
        "decision=allow event=token_reuse clients=3 window=600 action=report issuer=demo subject=\"alice\"",
    );
}

#[test]
fn a_token_that_too_many_clients_show_is_revoked_on_all_workers_and_stays_so() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let reuse = json!({ "reuse": { "window": "1m", "max_clients": 2, "action": "revoke" } });
    let rules = json!([{ "match": { "path": "/elsewhere" }, "reuse": { "max_clients": 31, "action": "report" } }]);
    let mut members = reuse;
    members["rules"] = rules;
    let (envoy, _upstream) = start(gate(&issuer, members), 2);
    let token = |jti: &str| issuer.token(now()).claim("jti", jti).sign();
    let (stolen, other) = (token("stolen"), token("other"));
    let status = |token: &str, client: &str| show(envoy.address(), token, client, "app/1").status;
    let elsewhere = || {
        let bearer = format!("Bearer {stolen}");
        get(envoy.address(), "/elsewhere", &[("authorization", &bearer), ("x-forwarded-for", "192.0.2.1")]).status
    };
    // Each request is a connection of its own, so both workers see some.
    for _ in 0..10 {
        assert_eq!(["192.0.2.1", "198.51.100.1"].map(|client| status(&stolen, client)), [200; 2]);
        assert_eq!(elsewhere(), 200);
    }
    let began = Instant::now();
    assert_eq!(status(&stolen, "203.0.113.1"), 401);
    envoy.wait_for_log("decision=deny reason=reused event=token_reuse clients=3 window=60 action=revoke issuer=demo");
    eventually("both workers refuse it, also where it is not counted", || (0..20).all(|_| elsewhere() == 401));
    println!("{:?} until 20 requests in a row were refused elsewhere", began.elapsed());
    envoy.wait_for_log("reason=revoked issuer=demo");
    for _ in 0..20 {
        assert_eq!((status(&stolen, "192.0.2.1"), elsewhere()), (401, 401));
        assert_eq!(status(&other, "192.0.2.1"), 200, "another token of the same user");
    }
    assert_eq!(envoy.counter_of_at_least("scopegate.reuse.revoked", 1), 1);
    assert_eq!(envoy.counter("scopegate.reuse.not_revoked"), 0);
    eventually("the gauge", || envoy.stat("wasmcustom.scopegate.events.entries") == Some(1));
    assert!(envoy.counter_of_at_least("scopegate.denied.revoked", 41) > 40);
}
