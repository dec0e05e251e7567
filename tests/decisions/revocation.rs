//! Revoked tokens: which entry means which token.

use crate::support::issuer::{ISSUER, Issuer, sign_texts};
use crate::world::{Ask, DEMO, NOW, awaited, config, get, policy, token};
use scopegate::audit::AuditRecord;
use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::checks::fingerprint;
use scopegate::crypto::Algorithm;
use scopegate::decision::{Decision, Denial, Need, Reason};
use scopegate::facts::Awaited;
use scopegate::policy::AuditSettings;
use scopegate::revocation::{Builder, Entry, Revocations};
use serde_json::{Value, json};
use std::rc::Rc;

/// A configuration with these entries.
fn revoked(entries: Value) -> Value {
    config(json!({ "revocation": { "entries": entries } }))
}

fn ask(token: impl AsRef<str>, entries: Value) -> Option<Reason> {
    get("/").bearer(token).refused(&revoked(entries))
}

/// A token with every claim that an entry can name.
fn named() -> crate::support::issuer::Token<'static> {
    token().claim("jti", "id-1").claim("sid", "session-1").claim("client_id", "client-1")
}

#[test]
fn each_kind_of_entry_means_its_token_and_no_other() {
    let signed = named().sign();
    let digest = fingerprint(signed.rsplit_once('.').unwrap().0.as_bytes());
    for (entry, other) in [
        (json!({ "iss": ISSUER, "jti": "id-1" }), json!({ "iss": ISSUER, "jti": "id-2" })),
        (json!({ "fingerprint": digest }), json!({ "fingerprint": fingerprint(b"another") })),
        (
            json!({ "iss": ISSUER, "sub": "alice", "issued_before": NOW + 1 }),
            json!({ "iss": ISSUER, "sub": "bob", "issued_before": NOW + 1 }),
        ),
        (json!({ "iss": ISSUER, "sid": "session-1" }), json!({ "iss": ISSUER, "sid": "session-2" })),
        (
            json!({ "iss": ISSUER, "client_id": "client-1", "issued_before": NOW + 1 }),
            json!({ "iss": ISSUER, "client_id": "client-2", "issued_before": NOW + 1 }),
        ),
        (json!({ "iss": ISSUER, "kid": "a" }), json!({ "iss": ISSUER, "kid": "b" })),
    ] {
        assert_eq!(ask(&signed, json!([entry])), Some(Reason::Revoked), "{entry}");
        assert_eq!(ask(&signed, json!([other])), None, "{other}");
        assert_eq!(ask(&signed, json!([other, entry])), Some(Reason::Revoked), "among others");
    }
    // What one kind names is nothing to another.
    for entry in [
        json!({ "iss": ISSUER, "jti": "alice" }),
        json!({ "iss": ISSUER, "sid": "id-1" }),
        json!({ "iss": ISSUER, "kid": "client-1" }),
    ] {
        assert_eq!(ask(&signed, json!([entry])), None, "{entry}");
    }
}

#[test]
fn a_token_that_has_no_such_claim_is_not_meant() {
    let plain = token().sign();
    for entry in [
        json!({ "iss": ISSUER, "jti": "id-1" }),
        json!({ "iss": ISSUER, "sid": "session-1" }),
        json!({ "iss": ISSUER, "client_id": "client-1", "issued_before": NOW + 1 }),
    ] {
        assert_eq!(ask(&plain, json!([entry])), None, "{entry}");
    }
    let numbers = token().claim("sid", 1).claim("client_id", 1).sign();
    assert_eq!(ask(&numbers, json!([{ "iss": ISSUER, "sid": "1" }])), None, "type and value are compared");
}

#[test]
fn entries_by_subject_and_client_mean_tokens_that_were_issued_before() {
    let at = |entry: &Value, issued_at: Value| ask(named().claim("iat", issued_at).sign(), json!([entry]));
    for entry in [
        json!({ "iss": ISSUER, "sub": "alice", "issued_before": NOW - 60 }),
        json!({ "iss": ISSUER, "client_id": "client-1", "issued_before": NOW - 60 }),
    ] {
        assert_eq!(at(&entry, json!(NOW - 61)), Some(Reason::Revoked), "{entry}");
        assert_eq!(at(&entry, json!(NOW as f64 - 60.5)), Some(Reason::Revoked), "{entry}");
        assert_eq!(at(&entry, json!(NOW - 60)), None, "{entry}");
        assert_eq!(at(&entry, json!(NOW)), None, "{entry}");
        assert_eq!(at(&entry, Value::Null), Some(Reason::Revoked), "a token that does not say when is older: {entry}");
    }
}

#[test]
fn a_client_may_be_named_by_azp_where_there_is_no_client_id() {
    let entry = json!([{ "iss": ISSUER, "client_id": "client-1", "issued_before": NOW + 1 }]);
    assert_eq!(ask(token().claim("azp", "client-1").sign(), entry.clone()), Some(Reason::Revoked));
    assert_eq!(ask(token().claim("azp", "client-1").claim("client_id", "client-2").sign(), entry), None);
}

#[test]
fn a_key_is_revoked_also_for_tokens_that_do_not_name_it() {
    let nameless = token().header("kid", Value::Null);
    assert_eq!(ask(nameless.clone().sign(), json!([])), None);
    assert_eq!(ask(nameless.sign(), json!([{ "iss": ISSUER, "kid": "a" }])), Some(Reason::Revoked));
    assert_eq!(ask(token().sign(), json!([{ "iss": ISSUER, "kid": "a" }])), Some(Reason::Revoked));
}

#[test]
fn no_other_spelling_of_a_revoked_token_passes() {
    let signed = named().sign();
    let (input, _) = signed.rsplit_once('.').unwrap();
    let by_fingerprint = json!([{ "fingerprint": fingerprint(input.as_bytes()) }]);
    let by_id = json!([{ "iss": ISSUER, "jti": "id-1" }]);
    // From (r, s) a holder of the token can make (r, -s), which is as good.
    let signature = base64url::decode(signed.rsplit_once('.').unwrap().1.as_bytes()).unwrap();
    let (r, s) = p256::ecdsa::Signature::from_slice(&signature).unwrap().split_scalars();
    let turned = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    let again = format!("{input}.{}", base64url::encode(&turned.to_bytes()));
    assert_ne!(signed, again);
    assert_eq!(ask(&again, json!([])), None, "it is a good token");
    for token in [&signed, &again] {
        for entries in [&by_fingerprint, &by_id] {
            assert_eq!(ask(token, entries.clone()), Some(Reason::Revoked));
        }
    }
    // The same claims in other words: only their issuer could sign those, and then the identifier still tells.
    let claims = named().claims;
    let spelled = Value::Object(claims).to_string().replace("id-1", "\\u0069d-1");
    let header = json!({ "alg": "ES256", "kid": "a", "typ": "at+jwt" }).to_string();
    assert_eq!(ask(sign_texts(&DEMO.key, &header, &spelled), by_id.clone()), Some(Reason::Revoked));
    // What is no spelling of it is malformed before it is looked up.
    for token in [format!("{signed}="), format!("{signed}."), format!(".{signed}")] {
        assert_eq!(ask(token, by_id.clone()), Some(Reason::MalformedToken));
    }
}

#[test]
fn what_one_issuer_revokes_is_nothing_to_another() {
    let second = "https://second.example.com/";
    let other = Issuer::new(Algorithm::Es256, "a");
    let mut config = revoked(json!([{ "iss": second, "jti": "id-1" }, { "iss": second, "kid": "a" }]));
    config["issuers"].as_array_mut().unwrap().push(json!({
        "issuer": second, "audiences": [crate::support::issuer::AUDIENCE], "jwks": { "inline": other.jwks() },
    }));
    assert_eq!(get("/").bearer(named().sign()).refused(&config), None);
    let theirs = other.token(NOW).claim("iss", second).claim("jti", "id-1").sign();
    assert_eq!(get("/").bearer(theirs).refused(&config), Some(Reason::Revoked));
}

#[test]
fn an_entry_that_is_over_is_left_out() {
    let signed = named().sign();
    let entry = |until: i64| json!([{ "iss": ISSUER, "jti": "id-1", "until": until, "reason": "stolen" }]);
    assert_eq!(ask(&signed, entry(NOW + 1)), Some(Reason::Revoked));
    assert_eq!(ask(&signed, entry(NOW)), None);
}

#[test]
fn only_a_verified_token_is_looked_up() {
    let by_id = json!([{ "iss": ISSUER, "jti": "id-1" }]);
    for (token, wanted) in [
        (named().claim("exp", NOW - 60).sign(), Reason::Expired),
        (named().claim("aud", "x").sign(), Reason::WrongAudience),
        (Issuer::new(Algorithm::Es256, "a").token(NOW).claim("jti", "id-1").sign(), Reason::BadSignature),
    ] {
        assert_eq!(ask(token, by_id.clone()), Some(wanted));
    }
    // And before what it grants: its missing scope is not told.
    let config = config(json!({ "revocation": { "entries": by_id }, "default": { "scopes": ["x"] } }));
    assert_eq!(get("/").bearer(named().sign()).refused(&config), Some(Reason::Revoked));
    assert_eq!(get("/").bearer(token().sign()).refused(&config), Some(Reason::InsufficientScope));
}

#[test]
fn the_record_of_a_refusal_tells_the_kind_of_entry_and_the_token() {
    let config = revoked(json!([{ "iss": ISSUER, "sid": "session-1" }]));
    let (policy, decision) = (policy(&config), get("/").bearer(named().sign()).decide_under(&config));
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    let line = record.to_line();
    assert!(line.starts_with("decision=deny reason=revoked issuer=demo subject=\"alice\" fingerprint="), "{line}");
    assert!(line.ends_with("(by sid)"), "{line}");
}

/// Decides under lists that are not the configuration's.
fn under(revocations: Revocations, token: String) -> Decision {
    // No list comes any more.
    let awaited_lists = Awaited::Yes;
    let ask = Ask { revocations: Some(revocations), awaited_lists, ..get("/").bearer(token) };
    ask.decide(&policy(&config(json!({}))))
}

fn denial(decision: Decision) -> Option<Denial> {
    match decision {
        Decision::Allow(_) => None,
        Decision::Deny(refusal) => Some(refusal.denial),
        other => panic!("undecided: {other:?}"),
    }
}

#[test]
fn while_a_list_is_missing_what_is_known_to_be_revoked_is_refused_as_such_and_the_rest_is_unavailable() {
    let list = || {
        let mut builder = Builder::new(UnixSeconds(NOW));
        builder.add(&Entry::token(ISSUER.into(), "id-1".into()));
        Rc::new(builder.finish())
    };
    let other = || named().claim("jti", "id-2").sign();
    assert_eq!(denial(under(Revocations::new(vec![list()], true), named().sign())), Some(Denial::Revoked("jti")));
    assert_eq!(denial(under(Revocations::new(vec![list()], true), other())), None);
    assert_eq!(denial(under(Revocations::new(vec![list()], false), named().sign())), Some(Denial::Revoked("jti")));
    assert_eq!(denial(under(Revocations::new(vec![list()], false), other())), Some(Denial::RevocationUnavailable));
    assert_eq!(denial(under(Revocations::new(vec![], false), other())), Some(Denial::RevocationUnavailable));
    let second = Revocations::new(vec![Rc::new(Builder::new(UnixSeconds(NOW)).finish()), list()], true);
    assert_eq!(denial(under(second, named().sign())), Some(Denial::Revoked("jti")), "in the second list");
}

#[test]
fn a_public_route_needs_no_list() {
    let policy = policy(&config(json!({ "default": { "public": true } })));
    let ask = Ask { revocations: Some(Revocations::new(vec![], false)), ..get("/").bearer(named().sign()) };
    assert!(matches!(ask.decide(&policy), Decision::Allow(_)));
}

#[test]
fn report_only_lets_a_revoked_token_through_and_counts_it() {
    let config = config(json!({
        "revocation": { "entries": [{ "iss": ISSUER, "jti": "id-1" }] }, "default": { "report_only": true },
    }));
    let grant = get("/").bearer(named().sign()).granted(&config);
    assert_eq!(crate::world::reported(&grant), Some(Reason::Revoked));
}

#[test]
fn only_a_verified_token_waits_for_a_list_and_only_once() {
    let missing = || Some(Revocations::new(Vec::new(), false));
    let decide = |ask: Ask| ask.decide(&policy(&config(json!({}))));
    let good = Ask { revocations: missing(), ..get("/").bearer(token().sign()) };
    assert_eq!(awaited(&decide(good.clone())), Some(&Need::Revocations));
    for awaited_lists in [Awaited::Yes, Awaited::InVain] {
        let again = Ask { awaited_lists, ..good.clone() };
        assert!(
            matches!(decide(again), Decision::Deny(refusal) if refusal.denial == Denial::RevocationUnavailable),
            "{awaited_lists:?}"
        );
    }
    let forged = Issuer::new(Algorithm::Es256, "a").token(NOW).sign();
    for (case, bad, reason) in [
        ("forged", forged, Reason::BadSignature),
        ("expired", token().claim("exp", 1).sign(), Reason::Expired),
        ("foreign", token().claim("aud", "x").sign(), Reason::WrongAudience),
    ] {
        let decision = decide(Ask { revocations: missing(), ..get("/").bearer(bad) });
        assert!(
            matches!(&decision, Decision::Deny(refusal) if refusal.denial.reason() == reason),
            "{case}: {decision:?}"
        );
    }
    let none = decide(Ask { revocations: missing(), ..get("/") });
    assert!(matches!(none, Decision::Deny(refusal) if refusal.denial.reason() == Reason::NoCredential));
    // What is known to be revoked need not wait for more.
    let mut builder = Builder::new(UnixSeconds(NOW));
    builder.add(&Entry::token(ISSUER.into(), "id-1".into()));
    let known = Some(Revocations::new(vec![Rc::new(builder.finish())], false));
    let decision = decide(Ask { revocations: known, ..get("/").bearer(named().sign()) });
    assert!(matches!(decision, Decision::Deny(refusal) if refusal.denial.reason() == Reason::Revoked));
}
