//! Report-only: what would be refused goes on, and is counted.

use crate::world::{config, get, reported, token, with_issuer};
use scopegate::decision::{Basis, Decision, Reason};
use scopegate::facts::KeyRing;
use serde_json::json;

#[test]
fn the_whole_policy_can_report_only_and_then_covers_every_refusal() {
    let config = config(json!({
        "report_only": true,
        "rules": [{ "match": { "path": "/deny" }, "deny": true }],
        "forward": { "headers": { "x-auth-subject": "sub" } },
    }));
    for (ask, reason) in [
        (get("/"), Reason::NoCredential),
        (get("/?access_token=x"), Reason::TokenInQuery),
        (get("/a/../b"), Reason::AmbiguousPath),
        (get("/deny"), Reason::Denied),
        (get("/").metadata(json!("x")), Reason::PolicyUnreadable),
        (get("/").bearer("x"), Reason::MalformedToken),
        (get("/").bearer(token().claim("exp", 1).sign()), Reason::Expired),
    ] {
        let grant = ask.header("x-auth-subject", "forged").granted(&config);
        assert_eq!(reported(&grant), Some(reason));
        assert_eq!(grant.remove, ["x-auth-subject"], "nothing else is touched");
        assert!(grant.set.is_empty());
    }
    let grant = get("/").bearer(token().sign()).granted(&config);
    assert_eq!(grant.basis, Basis::Token);
    assert_eq!(
        grant.set,
        [("x-auth-subject".to_owned(), "alice".to_owned())],
        "claims become headers of what is allowed"
    );
    assert!(grant.remove.is_empty(), "and the token stays");
}

#[test]
fn nothing_waits_for_keys_in_report_only() {
    let remote = json!({ "jwks": { "uri": "https://idp.example.com/jwks", "cluster": "idp" } });
    for members in [json!({ "report_only": true }), json!({ "default": { "report_only": true } })] {
        let policy = crate::world::policy(&with_issuer(remote.clone(), members.clone()));
        match get("/").bearer(token().sign()).decide_with(&policy, &KeyRing::default()) {
            Decision::Allow(grant) => assert_eq!(reported(&grant), Some(Reason::KeysUnavailable), "{members}"),
            other => panic!("{members}: {other:?}"),
        }
    }
}

#[test]
fn a_requirement_that_reports_only_covers_what_it_decides_and_no_more() {
    let config = config(
        json!({ "default": { "report_only": true, "scopes": ["a"] }, "rules": [{ "match": { "path": "/x" }, "deny": true }] }),
    );
    assert_eq!(reported(&get("/").granted(&config)), Some(Reason::NoCredential));
    assert_eq!(reported(&get("/").bearer(token().sign()).granted(&config)), Some(Reason::InsufficientScope));
    assert_eq!(get("/?jwt=x").refused(&config), Some(Reason::TokenInQuery));
    assert_eq!(get("/a/../b").refused(&config), Some(Reason::AmbiguousPath));
    assert_eq!(get("/x").refused(&config), Some(Reason::Denied));
    let allowed = get("/").bearer(token().scope("a").sign()).granted(&config);
    assert_eq!(allowed.remove, ["authorization"], "what is allowed is treated as ever");
}

#[test]
fn what_metadata_adds_to_a_rule_that_reports_only_is_enforced() {
    let config = config(json!({ "route_metadata": "restrict", "default": { "report_only": true, "scopes": ["a"] } }));
    let ask = |scope: &str| get("/").metadata(json!({ "scopes": ["b"] })).bearer(token().scope(scope).sign());
    assert_eq!(reported(&ask("b").granted(&config)), Some(Reason::InsufficientScope));
    assert_eq!(ask("a").refused(&config), Some(Reason::InsufficientScope));
    assert_eq!(reported(&ask("a b").granted(&config)), None);
    let denied = get("/").metadata(json!({ "deny": true })).bearer(token().sign());
    assert_eq!(denied.refused(&config), Some(Reason::Denied));
}
