//! A configuration means the same as JSON and as a Struct, and none lets a token pass that has not been verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::config::{self, Loaded};
use scopegate::decision::{Basis, Decision};
use scopegate::policy::Policy;
use scopegate_fuzz::message::to_struct;
use scopegate_fuzz::{Nobody, Options, Request, environment, keys};

const REQUEST: &[u8] = b"GET\n/orders/1\nauthorization|Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLmNvbS8iLCJhdWQiOiJodHRwczovL2FwaS5leGFtcGxlLmNvbSIsInN1YiI6ImFsaWNlIiwiZXhwIjoxODAwMDAwMTAwfQ.Z29vZA";

/// The whole configuration.
fn shown(loaded: &Loaded) -> String {
    let Policy {
        uses,
        issuers,
        token_places,
        resources,
        credentials,
        rules,
        default,
        route_metadata,
        query,
        forward,
        seal,
        dpop,
        forwarded_certificate,
        bypass_cors_preflight,
        paths,
        reuse,
        events,
        report_only,
        token_bytes,
        signed_body_bytes,
    } = &loaded.policy;
    // Without the index of the rules, which is in no order.
    let rules = rules.as_slice();
    let judged = (uses, issuers, token_places, credentials, rules, default, route_metadata, query, paths, token_bytes);
    let bodies = (signed_body_bytes, events);
    let done =
        (reuse, resources, forward, seal, dpop, forwarded_certificate, bypass_cors_preflight, report_only, bodies, &loaded.settings);
    format!("{judged:?} {done:?} {:?}", loaded.warnings)
}

fuzz_target!(|text: &[u8]| {
    let loaded = config::load(text, &environment);
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(text)
        && scopegate::base::json::check(text)
        && let Some(bytes) = to_struct(&value)
        && !bytes.is_empty()
    {
        match (&loaded, config::load(&bytes, &environment)) {
            (Ok(json), Ok(message)) => assert_eq!(shown(json), shown(&message)),
            (Err(json), Err(message)) => assert_eq!(json.to_string(), message.to_string()),
            (json, message) => panic!("JSON gives {json:?}, and a Struct {message:?}"),
        }
    }
    if let Ok(loaded) = loaded {
        let ring = keys(&loaded.policy);
        let decision = Request::read(REQUEST).decide(&loaded.policy, &Nobody, &Options::new(&ring));
        assert!(!matches!(decision, Decision::Allow(grant) if grant.basis == Basis::Token));
    }
});
