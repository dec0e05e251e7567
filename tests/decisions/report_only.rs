//! Report-only without keys. The tables stand in `cases/report_only.yaml`.

use crate::world::{get, reported, token, with_issuer};
use scopegate::decision::{Decision, Reason};
use scopegate::facts::KeyRing;
use scopegate::policy::IssuerId;
use serde_json::json;
use std::rc::Rc;

#[test]
fn nothing_waits_for_keys_in_report_only() {
    let remote = json!({ "jwks": { "uri": "https://idp.example.com/jwks", "cluster": "idp" } });
    for members in [json!({ "report_only": true }), json!({ "default": { "report_only": true } })] {
        let policy = crate::world::policy(&with_issuer(remote.clone(), members.clone()));
        match get("/").bearer(token().sign()).decide_with(&policy, &KeyRing::default()) {
            Decision::Allow(grant) => assert_eq!(reported(&grant), Some(Reason::KeysUnavailable), "{members}"),
            other => panic!("{members}: {other:?}"),
        }
        // Keys that are there and lack this one are not unavailable.
        let mut ring = KeyRing::default();
        ring.set(IssuerId(0), Some(Rc::default()));
        match get("/").bearer(token().sign()).decide_with(&policy, &ring) {
            Decision::Allow(grant) => assert_eq!(reported(&grant), Some(Reason::UnknownKey), "{members}"),
            other => panic!("{members}: {other:?}"),
        }
    }
}
