//! What report-only tells beyond the first reason: what else a request fails, where that costs no signature and no wait.

use crate::audit::read_struct;
use crate::credentials::{ACME, DISABLED, accepting};
use crate::support::issuer::{AUDIENCE, ISSUER};
use crate::world::{Ask, NOW, OTHER, compiled, config, configured_keys, extend, get, policy, reported, token};
use proptest::prelude::*;
use proptest::sample::select;
use scopegate::audit::AuditRecord;
use scopegate::base::time::UnixSeconds;
use scopegate::config::{Node, requirement};
use scopegate::decision::{Decision, FurtherReasons, Reason};
use scopegate::facts::{Awaited, KeyRing};
use scopegate::policy::{AuditSettings, Policy};
use scopegate::revocation::Revocations;
use serde_json::{Value, json};

/// The first reason, then the certain ones, then those of an unverified token.
type Told = (Option<&'static str>, Vec<&'static str>, Vec<&'static str>);

fn names(reasons: &[Reason]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.name()).collect()
}

fn first(decision: &Decision) -> Option<Reason> {
    match decision {
        Decision::Allow(grant) => reported(grant),
        other => panic!("not passed: {other:?}"),
    }
}

fn told(ask: &Ask, members: Value) -> Told {
    let mut reporting = json!({ "report_only": true });
    extend(&mut reporting, members);
    let policy = policy(&config(reporting));
    let (decision, FurtherReasons { certain, unverified }) = ask.decide_further(&policy, &configured_keys(&policy));
    (first(&decision).map(Reason::name), names(&certain), names(&unverified))
}

#[test]
fn a_verified_token_has_certain_reasons_and_one_that_is_not_has_unverified_ones() {
    let asks = json!({ "default": { "scopes": ["x"], "claims": [{ "claim": "role", "equals": "admin" }] } });
    let good = get("/").bearer(token().sign());
    assert_eq!(told(&good, asks.clone()), (Some("insufficient_scope"), vec!["claim_mismatch"], vec![]));
    let all = vec!["expired", "insufficient_scope", "claim_mismatch"];
    let token = token().claim("aud", "https://else.example.com").claim("exp", NOW - 900);
    assert_eq!(told(&get("/").bearer(token.sign()), asks.clone()), (Some("wrong_audience"), vec![], all));
    let forged = get("/").bearer(OTHER.token(NOW).sign());
    let wanted = vec!["insufficient_scope", "claim_mismatch"];
    assert_eq!(told(&forged, asks), (Some("bad_signature"), vec![], wanted));
    assert_eq!(told(&good, json!({})), (None, vec![], vec![]));
}

#[test]
fn a_token_in_the_query_hides_nothing_that_comes_after_it() {
    let in_query = || get("/?access_token=x");
    let closed = json!({ "default": { "deny": true } });
    let expired = token().claim("exp", NOW - 900).sign();
    for (ask, members, certain, unverified) in [
        (in_query(), json!({}), vec!["no_credential"], vec![]),
        (in_query(), closed, vec!["denied"], vec![]),
        (in_query(), json!({ "default": { "public": true } }), vec![], vec![]),
        (in_query(), json!({ "default": { "allow_missing": true } }), vec![], vec![]),
        (in_query().bearer("a.b.c"), json!({}), vec!["malformed_token"], vec![]),
        (in_query().bearer("a").bearer("b"), json!({}), vec!["multiple_credentials"], vec![]),
        (in_query().bearer(expired), json!({}), vec![], vec!["expired"]),
        (
            get("/a//b?access_token=x"),
            json!({ "rules": [{ "match": { "path": "/" } }] }),
            vec!["ambiguous_path"],
            vec![],
        ),
    ] {
        let wanted = (Some("token_in_query"), certain, unverified);
        assert_eq!(told(&ask, members.clone()), wanted, "{ask:?} {members}");
    }
}

#[test]
fn an_issuer_that_is_not_known_asks_nothing_and_one_that_is_not_good_here_does() {
    let stranger = token().claim("iss", "https://else.example.com/").claim("exp", NOW - 900).header("alg", "none");
    let asks = json!({ "default": { "scopes": ["x"] } });
    assert_eq!(
        told(&get("/").bearer(stranger.sign()), asks),
        (Some("algorithm_not_allowed"), vec![], vec!["unknown_issuer"])
    );
    let mut two = config(json!({ "report_only": true, "default": { "issuers": ["other"] } }));
    let mut other = two["issuers"][0].clone();
    extend(&mut other, json!({ "issuer": "https://else.example.com/", "name": "other" }));
    two["issuers"].as_array_mut().unwrap().push(other);
    let policy = policy(&two);
    let ask = get("/").bearer(token().claim("exp", NOW - 900).sign());
    let (decision, further) = ask.decide_further(&policy, &configured_keys(&policy));
    assert_eq!((first(&decision), further.unverified), (Some(Reason::UnknownIssuer), vec![Reason::Expired]));
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap().to_json();
    assert!(record.contains("\"unverified_issuer\":\"demo\""), "{record}");
}

#[test]
fn what_is_missing_is_no_further_reason_and_hides_none() {
    let members = json!({ "report_only": true, "default": { "scopes": ["x"] } });
    let policy = policy(&config(members));
    let good = || get("/").bearer(token().sign());
    let lacks_lists =
        Ask { revocations: Some(Revocations::new(Vec::new(), false)), awaited_lists: Awaited::Yes, ..good() };
    let (decision, further) = lacks_lists.decide_further(&policy, &configured_keys(&policy));
    assert_eq!(first(&decision), Some(Reason::RevocationUnavailable));
    assert_eq!((names(&further.certain), further.unverified), (vec!["insufficient_scope"], vec![]));
    let lacks_keys = Ask { awaited: Awaited::InVain, revocations: lacks_lists.revocations, ..good() };
    let (decision, further) = lacks_keys.decide_further(&policy, &KeyRing::default());
    assert_eq!(first(&decision), Some(Reason::KeysUnavailable));
    assert_eq!((further.certain, names(&further.unverified)), (vec![], vec!["insufficient_scope"]));
}

#[test]
fn of_several_credentials_each_tells_what_it_fails_and_only_a_token_is_taken_at_its_word() {
    let expired = || get("/").bearer(token().claim("exp", NOW - 900).claim("role", "user").sign());
    let admin = json!([{ "claim": "role", "equals": "admin" }]);
    let told = |ask: Ask, rule: Value| {
        let mut config = accepting(rule, json!({ "scopes": ["x"], "claims": admin }));
        config["report_only"] = json!(true);
        let policy = policy(&config);
        let (decision, reasons) = ask.decide_further(&policy, &configured_keys(&policy));
        (first(&decision).map(Reason::name), names(&reasons.certain), names(&reasons.unverified))
    };
    let lacks = || vec!["insufficient_scope", "claim_mismatch"];
    let keys_first = || json!({ "all_of": ["partners", "bearer"] });
    for (key, rule, wanted) in [
        (DISABLED, keys_first(), (Some("revoked"), lacks(), vec!["expired"])),
        ("bad", keys_first(), (Some("unknown_identity"), vec![], vec!["expired"])),
        (ACME, keys_first(), (Some("expired"), lacks(), vec![])),
        (DISABLED, json!({ "all_of": ["bearer", "partners"] }), {
            (Some("revoked"), vec![], vec!["expired", "insufficient_scope", "claim_mismatch"])
        }),
    ] {
        assert_eq!(told(expired().header("x-api-key", key), rule.clone()), wanted, "{key} {rule}");
    }
}

#[test]
fn only_what_is_reported_has_further_reasons() {
    let expired = get("/").bearer(token().claim("exp", NOW - 900).sign());
    let asks = json!({ "scopes": ["x"] });
    let enforced = policy(&config(json!({ "default": asks })));
    let (decision, further) = expired.decide_further(&enforced, &configured_keys(&enforced));
    assert!(matches!(decision, Decision::Deny(_)));
    assert_eq!(further, FurtherReasons::default());
    // What metadata adds counts where the rule reports.
    let restricting =
        policy(&config(json!({ "route_metadata": "restrict", "default": { "report_only": true, "scopes": ["x"] } })));
    let added = requirement(
        &Node::from(json!({ "claims": [{ "claim": "scope", "equals": "orders:read" }] })),
        &restricting,
        &|_| None,
    );
    let ask = get("/").bearer(token().sign()).under(added.unwrap());
    let (decision, further) = ask.decide_further(&restricting, &configured_keys(&restricting));
    assert_eq!((first(&decision), further), (Some(Reason::InsufficientScope), FurtherReasons::default()));
}

#[test]
fn a_record_lists_the_further_reasons_in_every_form() {
    let members = json!({ "report_only": true, "default": { "scopes": ["x"], "max_token_age": "1s" } });
    let policy = policy(&config(members));
    let list = json!(["too_old", "insufficient_scope"]);
    let token = token().claim("exp", NOW - 900).claim("iat", NOW - 1000);
    for (ask, name, further) in [
        (get("/").bearer(token.sign()), "unverified_further_reasons", &list),
        (get("/?access_token=x"), "further_reasons", &json!(["no_credential"])),
    ] {
        let (decision, reasons) = ask.decide_further(&policy, &configured_keys(&policy));
        let record =
            AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap().with_further(reasons);
        let json: Value = serde_json::from_str(&record.to_json()).unwrap();
        assert_eq!(json[name], *further, "{json}");
        assert_eq!(read_struct(&record.to_struct()), json, "both forms say the same");
        let words: Vec<_> = further.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let line = format!("{} ", record.to_line());
        assert!(line.contains(&format!(" {name}={} ", words.join(","))), "{line}");
        assert_eq!(json.as_object().unwrap().keys().filter(|key| key.contains("further")).count(), 1, "{json}");
    }
}

/// What is wrong with a request, each in one way or not at all.
#[derive(Clone, Debug)]
struct Faults(Vec<(&'static str, Fault)>);

#[derive(Clone, Debug)]
enum Fault {
    Header(&'static str, Value),
    Claim(&'static str, Value),
    Issuer,
    Revoked,
    StepUp,
    Scope,
    Condition,
    Query,
    Signature,
}

fn faults() -> impl Strategy<Value = Faults> {
    let slots: Vec<Vec<(&'static str, Fault)>> = vec![
        vec![("token_in_query", Fault::Query)],
        vec![
            ("algorithm_not_allowed", Fault::Header("alg", json!("none"))),
            ("algorithm_not_allowed", Fault::Header("alg", json!("HS256"))),
        ],
        vec![("unknown_issuer", Fault::Issuer)],
        vec![("wrong_type", Fault::Header("typ", json!("JWT")))],
        vec![
            ("wrong_audience", Fault::Claim("aud", json!("https://evil.example.com"))),
            ("wrong_audience", Fault::Claim("aud", Value::Null)),
        ],
        vec![
            ("expired", Fault::Claim("exp", json!(NOW - 900))),
            ("missing_claim", Fault::Claim("exp", Value::Null)),
            ("lifetime_too_long", Fault::Claim("exp", json!(NOW + 90_000))),
        ],
        vec![("not_yet_valid", Fault::Claim("nbf", json!(NOW + 900)))],
        vec![
            ("issued_in_future", Fault::Claim("iat", json!(NOW + 200))),
            ("too_old", Fault::Claim("iat", json!(NOW - 700))),
        ],
        vec![("missing_claim", Fault::Claim("sub", Value::Null))],
        vec![("bad_signature", Fault::Signature)],
        vec![("revoked", Fault::Revoked)],
        vec![("step_up_needed", Fault::StepUp), ("step_up_needed", Fault::Claim("auth_time", json!(NOW - 9000)))],
        vec![("insufficient_scope", Fault::Scope)],
        vec![("claim_mismatch", Fault::Condition)],
    ];
    let chosen: Vec<_> = slots
        .into_iter()
        .map(|slot| {
            let slot: Vec<_> = slot.into_iter().map(Some).chain([None]).collect();
            select(slot)
        })
        .collect();
    chosen.prop_map(|faults| Faults(faults.into_iter().flatten().collect()))
}

impl Faults {
    /// A request with these faults, and the policy that it has them under.
    fn made(&self) -> (Ask, Policy) {
        let has = |wanted: &str| self.0.iter().any(|(name, _)| *name == wanted);
        let mut token = if has("bad_signature") { OTHER.token(NOW) } else { token() };
        token = token.claim("jti", if has("revoked") { "revoked" } else { "good" });
        let is_weak = self.0.iter().any(|(_, fault)| matches!(fault, Fault::StepUp));
        token = token.claim("acr", if is_weak { "pwd" } else { "phr" }).claim("auth_time", NOW - 60);
        token = token.scope(if has("insufficient_scope") { "a" } else { "a b" });
        token = token.claim("role", if has("claim_mismatch") { "user" } else { "admin" });
        for (_, fault) in &self.0 {
            token = match fault.clone() {
                Fault::Header(name, value) => token.header(name, value),
                Fault::Claim(name, value) => token.claim(name, value),
                _ => token,
            };
        }
        let mut whole = config(json!({
            "report_only": true,
            "revocation": { "entries": [{ "iss": ISSUER, "jti": "revoked" }] },
            "default": {
                "issuers": [if has("unknown_issuer") { "other" } else { "demo" }],
                "audiences": [AUDIENCE],
                "scopes": ["a", "b"],
                "claims": [{ "claim": "role", "equals": "admin" }],
                "max_lifetime": "1h",
                "max_token_age": "5m",
                "acr_values": ["phr"],
                "max_auth_age": "1h",
            },
        }));
        let mut other = whole["issuers"][0].clone();
        extend(&mut other, json!({ "issuer": "https://else.example.com/", "name": "other" }));
        whole["issuers"].as_array_mut().unwrap().push(other);
        let target = if has("token_in_query") { "/?access_token=x" } else { "/" };
        let loaded = compiled(&whole);
        let revocations = Some(loaded.settings.revocation.without_lists(UnixSeconds(NOW)));
        (Ask { revocations, ..get(target).bearer(token.sign()) }, loaded.policy)
    }

    fn without(&self, reason: &str) -> Self {
        Self(self.0.iter().filter(|(name, _)| *name != reason).cloned().collect())
    }
}

proptest! {
    #[test]
    fn a_request_with_its_first_failure_mended_meets_the_first_of_the_further_ones(faults in faults()) {
        let (mut faults, mut expected) = (faults, None);
        loop {
            let (ask, policy) = faults.made();
            let (decision, further) = ask.decide_further(&policy, &configured_keys(&policy));
            let of_token = [further.certain.clone(), further.unverified.clone()].concat();
            let Some(first) = first(&decision) else {
                prop_assert!(faults.0.is_empty(), "{faults:?}");
                prop_assert!(of_token.is_empty() && expected.is_none_or(|expected: Vec<_>| expected.is_empty()));
                break;
            };
            // A signature is not checked for the list, so it alone may come up in between.
            let told = if first == Reason::BadSignature { of_token.clone() } else { [&[first], &of_token[..]].concat() };
            prop_assert!(expected.is_none_or(|expected| expected == told), "{faults:?}: {told:?}");
            let is_verified = matches!(first, Reason::Revoked | Reason::StepUpNeeded | Reason::InsufficientScope | Reason::ClaimMismatch);
            let wrong_place = if is_verified { further.unverified } else { further.certain };
            prop_assert!(wrong_place.is_empty(), "{faults:?}: {wrong_place:?}");
            expected = Some(of_token);
            faults = faults.without(first.name());
        }
    }
}
