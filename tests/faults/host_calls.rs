//! A host that refuses the calls of the filter, each in turn: nothing passes that should not.

use crate::rewritten::{callbacks, host_functions};
use crate::support::client::{get_with, head, send, try_send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::random::Random;
use crate::support::server::Server;
use crate::traffic::each_kind;
use scopegate::crypto::Algorithm;
use serde_json::{Map, Value, json};

/// Envoy with a gate that may use all of these but one; the log where it does not start.
fn without(name: &str, issuer: &Issuer, upstream: &Server) -> Result<Envoy, String> {
    let others = host_functions().into_iter().chain(callbacks()).filter(|other| other != name);
    restricted(&others.map(|other| (other, json!({}))).collect(), issuer, upstream)
}

/// Envoy with a gate that may use these.
fn restricted(allowed: &Map<String, Value>, issuer: &Issuer, upstream: &Server) -> Result<Envoy, String> {
    let configuration = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() }, "max_lifetime": "1h" }],
        "rules": [
            { "match": { "path_separated_prefix": "/closed" }, "deny": true },
            { "match": { "path_separated_prefix": "/write" }, "scopes": ["orders:write"] },
        ],
        "default": { "scopes": ["orders:read"] },
        "forward": { "headers": { "x-auth-subject": "sub" } },
    });
    let plugin = json!({ "capability_restriction_config": { "allowed_capabilities": allowed } });
    let quiet = json!({ "stream_idle_timeout": "0.3s" });
    let gate = Gate { plugin, connection_manager: quiet, ..Gate::new(configuration) };
    Envoy::try_start(&resources(&[gate], &[cluster("upstream", upstream.address)]), 1)
}

/// What becomes of a good request.
fn good(envoy: &Envoy, issuer: &Issuer) -> String {
    let answer = get_with(envoy.address(), "/orders/1", &issuer.token(now()).sign());
    if answer.status == 200 {
        let echoed = answer.echoed();
        assert!(echoed.headers("authorization").is_empty(), "the token is stripped, or the request refused");
        assert_eq!(echoed.headers("x-auth-subject"), ["alice"]);
    }
    answer.status.to_string()
}

#[test]
fn whatever_host_call_is_refused_no_hostile_request_passes() {
    let (issuer, foreign) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::Es256, "foreign"));
    let upstream = Server::echo(0).unwrap();
    let hostile = each_kind(&issuer, &foreign, &mut Random::new(1));
    let mut table: Vec<(String, String)> = Vec::new();
    for name in host_functions() {
        let outcome = match without(&name, &issuer, &upstream) {
            Err(log) => {
                assert!(log.contains("Unable to create Wasm plugin"), "{name}: {log}");
                "Envoy refuses the configuration".to_owned()
            }
            Ok(envoy) => {
                for request in &hostile {
                    let status = try_send(envoy.address(), &request.bytes).map_or(0, |answer| answer.status);
                    assert!(status == 0 || status >= 400, "without {name}: {}: {status}", request.what);
                }
                good(&envoy, &issuer)
            }
        };
        table.push((name, outcome));
    }
    let of = |name: &str| table.iter().find(|(other, _)| other == name).map(|(_, outcome)| outcome.as_str());
    println!("{table:#?}");
    assert_eq!(of("proxy_get_current_time_nanoseconds"), Some("401"), "no clock: every token has expired");
    assert_eq!(of("proxy_get_header_map_pairs"), Some("500"), "no request to judge");
    assert_eq!(of("proxy_remove_header_map_value"), Some("500"), "the token cannot be stripped");
    assert_eq!(of("proxy_call_foreign_function"), Some("200"), "signatures are checked in the VM");
}

#[test]
fn a_host_that_never_asks_the_filter_is_what_it_cannot_protect_against() {
    let (issuer, foreign) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::Es256, "foreign"));
    let upstream = Server::echo(0).unwrap();
    let hostile = each_kind(&issuer, &foreign, &mut Random::new(1));
    let mut open = Vec::new();
    for name in callbacks() {
        let Ok(envoy) = without(&name, &issuer, &upstream) else { continue };
        if hostile.iter().any(|request| try_send(envoy.address(), &request.bytes).is_some_and(|a| a.status == 200)) {
            open.push(name);
        }
    }
    assert_eq!(open, ["proxy_on_request_headers"], "SECURITY.md names it");
    let envoy = without("proxy_on_request_headers", &issuer, &upstream).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!(send(envoy.address(), &hostile[0].bytes).status, 200);
    // The other one that `scopegate check` names: nobody takes identity headers out of trailers.
    let forged = |envoy: &Envoy| {
        let token = format!("Bearer {}", issuer.token(now()).sign());
        let mut request = head("POST", "/", &[("authorization", &token), ("transfer-encoding", "chunked")]);
        request.extend(b"1\r\nx\r\n0\r\nx-auth-subject: admin\r\n\r\n");
        send(envoy.address(), &request).echoed().trailers("x-auth-subject").len()
    };
    let envoy = without("proxy_on_request_trailers", &issuer, &upstream).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!(forged(&envoy), 1);
    let envoy = restricted(&Map::new(), &issuer, &upstream).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!((good(&envoy, &issuer).as_str(), forged(&envoy)), ("200", 0), "an empty map restricts nothing");
    assert!(hostile.iter().all(|request| try_send(envoy.address(), &request.bytes).is_none_or(|a| a.status != 200)));
}
