//! Opaque tokens: what their issuer says of them (RFC 7662) is judged as the claims of a JWT are.

use crate::credentials::hex_sha256;
use crate::support::issuer::{AUDIENCE, ISSUER};
use crate::support::shared::Shared;
use crate::world::{Ask, NOW, awaited, config, extend, get, policy, token, with_issuer};
use scopegate::audit::AuditRecord;
use scopegate::base::base64url;
use scopegate::base::members::Members;
use scopegate::base::time::UnixSeconds;
use scopegate::challenge::{self, Terms};
use scopegate::checks::fingerprint;
use scopegate::config::{Node, requirement};
use scopegate::decision::{Decision, Denial, Grant, Need, Reason};
use scopegate::engine::decide;
use scopegate::facts::{Awaited, Facts, Introspected, Introspections, NoMemory, Pool, VerifiedToken};
use scopegate::jose::Claims;
use scopegate::policy::{AuditSettings, IssuerId, Policy};
use scopegate::replay_store::SharedStore;
use scopegate::revocation::{Builder, Entry, Revocations};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

pub const OPAQUE: &str = "ory_at_3xAmPle.of-a_token";

/// What the issuers say of one token, and who was asked for which.
pub struct Said {
    of: IssuerId,
    what: Introspected,
    asked: RefCell<Vec<(IssuerId, Vec<u8>)>>,
}

impl Introspections for Said {
    fn recall(&self, issuer: IssuerId, token: &[u8], _now: UnixSeconds) -> Option<Introspected> {
        self.asked.borrow_mut().push((issuer, token.to_vec()));
        (issuer == self.of).then(|| self.what.clone())
    }
}

/// An answer about an active token that is good in every respect, with these members; `null` leaves one out.
pub fn active(members: Value) -> Said {
    let mut answer = json!({
        "active": true, "token_type": "Bearer", "sub": "alice", "aud": AUDIENCE, "scope": "orders:read", "iat": NOW - 10,
        "exp": NOW + 300, "client_id": "shop",
    });
    extend(&mut answer, members);
    let answer: serde_json::Map<String, Value> =
        answer.as_object().unwrap().clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
    let members = Members::parse(Value::Object(answer).to_string().into_bytes()).unwrap();
    let claims = Claims::from_members(members).unwrap_or_else(|_| panic!("no claims"));
    let token = VerifiedToken::introspected(IssuerId(0), claims, UnixSeconds(NOW), UnixSeconds(NOW + 30));
    said(IssuerId(0), Introspected::Active(Rc::new(token)))
}

fn said(of: IssuerId, what: Introspected) -> Said {
    Said { of, what, asked: RefCell::default() }
}

/// How an issuer is asked, with these members.
fn introspection(members: Value) -> Value {
    let mut terms = json!({
        "uri": "https://issuer.example.com/introspect", "cluster": "idp", "client_id": "gate",
        "secret": { "env": "KEY_20" },
    });
    extend(&mut terms, members);
    terms
}

/// A configuration whose issuer has opaque tokens, with further members of it.
pub fn opaque(members: Value, more: Value) -> Policy {
    policy(&with_issuer(json!({ "introspection": introspection(members) }), more))
}

fn judge(ask: &Ask, policy: &Policy, said: &Said) -> Decision {
    let keys = crate::world::configured_keys(policy);
    ask.judge(&keys, &NoMemory, |view, facts| decide(policy, view, &Facts { introspections: said, ..*facts }))
}

fn refused(ask: &Ask, policy: &Policy, said: &Said) -> Option<Reason> {
    match judge(ask, policy, said) {
        Decision::Allow(_) => None,
        Decision::Deny(refusal) => Some(refusal.denial.reason()),
        other => panic!("undecided: {other:?}"),
    }
}

/// Why a request with the token is refused, when this is what its issuer says.
fn refused_as(members: Value) -> Option<Reason> {
    refused(&get("/").bearer(OPAQUE), &opaque(json!({}), json!({})), &active(members))
}

fn granted(ask: &Ask, policy: &Policy, said: &Said) -> Grant {
    match judge(ask, policy, said) {
        Decision::Allow(grant) => grant,
        other => panic!("not allowed: {other:?}"),
    }
}

#[test]
fn what_an_issuer_says_is_judged_as_the_claims_of_a_token() {
    assert_eq!(refused_as(json!({})), None);
    for (members, wanted) in [
        (json!({ "aud": "https://other.example.com" }), Reason::WrongAudience),
        (json!({ "aud": null }), Reason::WrongAudience),
        (json!({ "exp": NOW - 10 }), Reason::Expired),
        (json!({ "exp": null }), Reason::MissingClaim),
        (json!({ "nbf": NOW + 11 }), Reason::NotYetValid),
        (json!({ "iat": NOW + 11 }), Reason::IssuedInFuture),
        (json!({ "sub": null }), Reason::MissingClaim),
        (json!({ "iss": "https://other.example.com" }), Reason::UnknownIssuer),
        (json!({ "cnf": { "jkt": "a" } }), Reason::MalformedToken),
        (json!({ "cnf": { "kid": "a" } }), Reason::BoundToAnother),
        (json!({ "cnf": { "x5t#S256": base64url::encode(&[7; 32]) } }), Reason::CertificateMismatch),
        (json!({ "cnf": { "jkt": base64url::encode(&[7; 32]) } }), Reason::BoundToAnother),
    ] {
        let reason = refused_as(members.clone());
        // Without `dpop` no proof can be checked, and a token with `jkt` is refused one way or the other.
        assert!(
            reason == Some(wanted) || members["cnf"]["jkt"].is_string() && reason.is_some(),
            "{members}: {reason:?}"
        );
    }
    assert_eq!(refused_as(json!({ "iss": ISSUER })), None);
    assert_eq!(refused_as(json!({ "aud": ["x", AUDIENCE] })), None);
    assert_eq!(refused_as(json!({ "exp": NOW - 9 })), None, "the leeway is that of the issuer");
}

#[test]
fn a_token_is_an_access_token_by_its_token_type() {
    for name in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(refused_as(json!({ "token_type": name })), None, "{name}");
    }
    for name in [
        json!("refresh_token"),
        json!("access_token"),
        json!("N_A"),
        json!(""),
        json!(1),
        json!(["Bearer"]),
        Value::Null,
    ] {
        assert_eq!(refused_as(json!({ "token_type": name })), Some(Reason::WrongType), "{name}");
    }
    let ask = get("/").bearer(OPAQUE);
    let admits = |types: &[&str], members: Value| {
        refused(&ask, &opaque(json!({ "token_types": types }), json!({})), &active(members))
    };
    assert_eq!(admits(&["access_token"], json!({ "token_type": "access_token" })), None);
    assert_eq!(admits(&["access_token"], json!({ "token_type": "Access_Token" })), None);
    assert_eq!(admits(&["access_token"], json!({ "token_type": "Bearer" })), None, "beside what is always accepted");
    assert_eq!(admits(&["access_token"], json!({ "token_type": "refresh_token" })), Some(Reason::WrongType));
    assert_eq!(admits(&["access_token"], json!({ "token_type": null })), Some(Reason::WrongType));
    assert_eq!(admits(&["missing"], json!({ "token_type": null })), None);
    assert_eq!(admits(&["missing"], json!({ "token_type": 1 })), Some(Reason::WrongType));
    assert_eq!(admits(&["missing"], json!({ "token_type": null, "at_hash": "x" })), Some(Reason::WrongType));
}

#[test]
fn a_token_that_must_be_bound_to_a_key_names_the_key() {
    let unbound = || json!({ "token_type": "DPoP" });
    assert_eq!(refused_as(unbound()), Some(Reason::NotBound));
    let ignoring = policy(&with_issuer(
        json!({ "introspection": introspection(json!({})), "sender_constraint": "ignore" }),
        json!({}),
    ));
    assert_eq!(refused(&get("/").bearer(OPAQUE), &ignoring, &active(unbound())), None);
}

#[test]
fn it_is_bound_to_a_certificate_as_a_jwt_is() {
    let bound = || active(json!({ "cnf": { "x5t#S256": base64url::encode(&[7; 32]) } }));
    let policy = opaque(json!({}), json!({ "default": { "sender_constraint": "mtls" } }));
    let ask = get("/").bearer(OPAQUE);
    assert_eq!(refused(&ask.clone().certificate([7; 32]), &policy, &bound()), None);
    assert_eq!(refused(&ask.clone().certificate([8; 32]), &policy, &bound()), Some(Reason::CertificateMismatch));
    assert_eq!(refused(&ask.certificate([7; 32]), &policy, &active(json!({}))), Some(Reason::NotBound));
}

#[test]
fn the_requirement_holds_as_for_a_jwt() {
    let ask = get("/").bearer(OPAQUE);
    let under = |default: Value, members: Value| {
        refused(&ask, &opaque(json!({}), json!({ "default": default })), &active(members))
    };
    assert_eq!(under(json!({ "scopes": ["orders:read"] }), json!({})), None);
    assert_eq!(under(json!({ "scopes": ["orders:read"] }), json!({ "scope": ["x", "orders:read"] })), None);
    for (default, members, wanted) in [
        (json!({ "scopes": ["orders:write"] }), json!({}), Reason::InsufficientScope),
        (json!({ "claims": [{ "claim": "client_id", "equals": "other" }] }), json!({}), Reason::ClaimMismatch),
        (json!({ "audiences": ["https://other.example.com"] }), json!({}), Reason::WrongAudience),
        (json!({ "max_token_age": "5s" }), json!({ "iat": NOW - 16 }), Reason::TooOld),
        (json!({ "max_token_age": "5s" }), json!({ "iat": null }), Reason::TooOld),
        (json!({ "max_lifetime": "309s" }), json!({}), Reason::LifetimeTooLong),
        (json!({ "acr_values": ["phr"] }), json!({ "acr": "pwd" }), Reason::StepUpNeeded),
        (json!({ "sender_constraint": "required" }), json!({}), Reason::NotBound),
        // What a JWT has in its header, an opaque token has not.
        (json!({ "token_types": ["at+jwt"] }), json!({}), Reason::WrongType),
    ] {
        assert_eq!(under(default.clone(), members), Some(wanted), "{default}");
    }
    assert_eq!(under(json!({ "token_types": ["at+jwt", "missing"] }), json!({})), None);
    assert_eq!(
        refused(&ask, &opaque(json!({}), json!({ "default": { "deny": true } })), &active(json!({}))),
        Some(Reason::Denied)
    );
}

#[test]
fn what_is_not_known_is_asked_once_and_then_refused() {
    let (policy, unknown) = (opaque(json!({}), json!({})), said(IssuerId(9), Introspected::Inactive));
    let ask = get("/").bearer(OPAQUE);
    let decision = judge(&ask, &policy, &unknown);
    let Some(Need::Introspection(inquiry)) = awaited(&decision) else { panic!("{decision:?}") };
    assert_eq!((inquiry.issuer, &*inquiry.token), (IssuerId(0), OPAQUE.as_bytes()));
    assert!(!format!("{decision:?}").contains("ory_at"), "a need shows no token");
    for awaited in [Awaited::Yes, Awaited::InVain] {
        let ask = Ask { awaited, ..ask.clone() };
        assert_eq!(refused(&ask, &policy, &unknown), Some(Reason::IntrospectionUnavailable));
    }
}

#[test]
fn what_is_not_active_is_refused_and_has_no_fingerprint() {
    let policy = opaque(json!({}), json!({}));
    let Decision::Deny(refusal) = judge(&get("/").bearer(OPAQUE), &policy, &said(IssuerId(0), Introspected::Inactive))
    else {
        panic!("it passes")
    };
    assert_eq!((&refusal.denial, &refusal.token), (&Denial::Inactive, &None));
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of_realm("api"), false);
    assert_eq!((reply.status, reply.details.as_str()), (401, "scopegate_inactive"));
    assert!(reply.headers.iter().any(|(name, value)| *name == "www-authenticate" && value.contains("invalid_token")));
    let decision = Decision::Deny(refusal);
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap().to_json();
    assert!(record.contains("\"unverified_issuer\":\"demo\"") && !record.contains("fingerprint"), "{record}");
    let unavailable = challenge::render(&Denial::IntrospectionUnavailable, decision.trace(), &Terms::default(), false);
    assert_eq!(unavailable.status, 503);
    assert!(unavailable.headers.iter().any(|(name, _)| *name == "retry-after"));
}

#[test]
fn an_active_token_is_named_by_the_digest_of_all_of_it() {
    let grant = granted(&get("/").bearer(OPAQUE), &opaque(json!({}), json!({})), &active(json!({})));
    let token = grant.token.unwrap();
    assert_eq!(token.fingerprint.unwrap().as_str(), fingerprint(OPAQUE.as_bytes()));
    assert_eq!(token.verified.unwrap().subject.unwrap().as_str(), "alice");
}

#[test]
fn a_jwt_is_never_asked_about_and_an_opaque_token_never_taken_apart() {
    let (policy, said) = (opaque(json!({}), json!({})), active(json!({})));
    assert_eq!(refused(&get("/").bearer(token().sign()), &policy, &said), None);
    for jwt in ["a.b.c", "..", "eyJhbGciOiJub25lIn0.e30."] {
        assert!(refused(&get("/").bearer(jwt), &policy, &said).is_some(), "{jwt}");
    }
    assert!(said.asked.borrow().is_empty());
    // Where no issuer is asked, a token that is no JWT is malformed.
    let only_jwt = crate::world::policy(&config(json!({})));
    assert_eq!(refused(&get("/").bearer(OPAQUE), &only_jwt, &said), Some(Reason::MalformedToken));
    assert!(said.asked.borrow().is_empty());
}

#[test]
fn three_parts_of_base64url_are_the_shape_of_a_jwt_and_nothing_else_is() {
    let policy = several(&[None], json!({}));
    for token in ["eyJ.eyJ.c2ln", "a.b.c", "a-_.0.Z", "a.b.", ".."] {
        assert_eq!(asked(&policy, token), None, "{token}");
    }
    for token in ["a", "ory_at_x.y", "a.b", "a.b.c.d", "a.b.c.d.e", "a.b.c=", "a+b.c.d", "a/b", "~", "."] {
        assert_eq!(asked(&policy, token), Some(IssuerId(0)), "{token}");
    }
}

/// An issuer that reads loosely could take one for the JWT, which may be revoked by its fingerprint or its key.
#[test]
fn a_jwt_with_more_behind_it_is_asked_of_no_issuer() {
    let (policy, said) = (opaque(json!({}), json!({})), active(json!({})));
    let jwt = token().sign();
    assert_eq!(refused(&get("/").bearer(&jwt), &policy, &said), None);
    for more in ["=", "==", "~", "+", "/", ".", ".x", ".x.y", ".=", "...="] {
        let reason = refused(&get("/").bearer(format!("{jwt}{more}")), &policy, &said);
        assert_eq!(reason, Some(Reason::MalformedToken), "{more}");
    }
    assert!(said.asked.borrow().is_empty());
    let begins = |header: &str| format!("{}.a~.b", base64url::encode(header.as_bytes()));
    for (header, wanted) in [
        (r#"{"alg":"ES256"}"#, None),
        (r#"{ "alg":1}"#, None),
        (r#"{"alg":"dir","enc":"A128GCM"}"#, Some(IssuerId(0))),
        (r#"{"sub":"alice"}"#, Some(IssuerId(0))),
        ("{", Some(IssuerId(0))),
    ] {
        assert_eq!(asked(&policy, &begins(header)), wanted, "{header}");
    }
}

#[test]
fn an_issuer_is_asked_about_tokens_in_its_own_place_alone() {
    let issuer = |place: Value| {
        let mut members = json!({ "introspection": introspection(json!({})) });
        extend(&mut members, place);
        policy(&with_issuer(members, json!({})))
    };
    let in_header = || get("/").header("x-token", format!("Token {OPAQUE}"));
    let elsewhere = issuer(json!({ "token_header": { "name": "x-token", "prefix": "Token " } }));
    let said = active(json!({}));
    assert_eq!(refused(&in_header(), &elsewhere, &said), None);
    // Scopegate does not read `authorization` there.
    assert_eq!(refused(&get("/").bearer(OPAQUE), &elsewhere, &said), Some(Reason::NoCredential));
    assert_eq!(refused(&in_header(), &issuer(json!({})), &said), Some(Reason::NoCredential));
    let mut both = with_issuer(json!({ "introspection": introspection(json!({})) }), json!({}));
    both["issuers"].as_array_mut().unwrap().push(json!({
        "issuer": "https://partner.example.com/", "audiences": [AUDIENCE], "jwks": { "inline": crate::world::OTHER.jwks() },
        "token_header": { "name": "x-token", "prefix": "Token " },
    }));
    let both = policy(&both);
    assert_eq!(refused(&get("/").bearer(OPAQUE), &both, &said), None);
    said.asked.borrow_mut().clear();
    assert_eq!(refused(&in_header(), &both, &said), Some(Reason::MalformedToken), "it is in the place of the other");
    assert!(said.asked.borrow().is_empty());
}

#[test]
fn what_is_not_of_the_grammar_or_too_long_is_asked_of_no_issuer() {
    let (policy, said) = (opaque(json!({}), json!({})), active(json!({})));
    for (token, wanted) in [
        ("a b".to_owned(), Reason::MalformedHeader),
        ("a=b".to_owned(), Reason::MalformedHeader),
        ("x".repeat(8193), Reason::TokenTooLarge),
    ] {
        assert_eq!(refused(&get("/").bearer(&token), &policy, &said), Some(wanted));
    }
    assert!(said.asked.borrow().is_empty());
}

#[test]
fn an_answer_that_is_remembered_is_still_looked_up_in_revocation_lists() {
    let (policy, said) = (opaque(json!({}), json!({})), active(json!({ "jti": "id-1" })));
    let under = |entry: Entry| {
        let mut builder = Builder::new(UnixSeconds(NOW));
        builder.add(&entry);
        let revocations = Some(Revocations::new(vec![Rc::new(builder.finish())], true));
        refused(&Ask { revocations, ..get("/").bearer(OPAQUE) }, &policy, &said)
    };
    assert_eq!(refused(&get("/").bearer(OPAQUE), &policy, &said), None, "it has been let pass");
    let of_all_of_it = Entry::fingerprint(fingerprint(OPAQUE.as_bytes())).unwrap();
    assert_eq!(under(of_all_of_it), Some(Reason::Revoked));
    let of_the_first_part = Entry::fingerprint(fingerprint(OPAQUE.rsplit_once('.').unwrap().0.as_bytes())).unwrap();
    assert_eq!(under(of_the_first_part), None);
    assert_eq!(under(Entry::token(ISSUER.to_owned(), "id-1".to_owned())), Some(Reason::Revoked));
    assert_eq!(under(Entry::token(ISSUER.to_owned(), "id-2".to_owned())), None);
}

#[test]
fn an_opaque_token_passes_once_where_that_is_asked() {
    let policy = opaque(json!({}), json!({ "default": { "single_use": true } }));
    let store = SharedStore::open(Box::new(Shared::default()), &[Pool::Tokens], 100_000, UnixSeconds(NOW)).unwrap();
    let keys = crate::world::configured_keys(&policy);
    let send = |token: &str, said: &Said| {
        let judged = get("/").bearer(token).judge(&keys, &NoMemory, |view, facts| {
            decide(&policy, view, &Facts { introspections: said, replay: &store, ..*facts })
        });
        match judged {
            Decision::Allow(_) => None,
            Decision::Deny(refusal) => Some(refusal.denial.reason()),
            other => panic!("undecided: {other:?}"),
        }
    };
    let said = active(json!({}));
    assert_eq!([send(OPAQUE, &said), send(OPAQUE, &said)], [None, Some(Reason::Replayed)]);
    // The answer of another token, which has a fingerprint of its own.
    assert_eq!(send("another", &active(json!({}))), None);
}

/// A configuration of several issuers that are asked, by their prefixes, with these members.
fn several(prefixes: &[Option<&str>], members: Value) -> Policy {
    let issuers: Vec<Value> = prefixes
        .iter()
        .enumerate()
        .map(|(index, prefix)| {
            let prefix = prefix.map_or(json!({}), |prefix| json!({ "prefix": prefix }));
            json!({
                "issuer": format!("https://issuer-{index}.example.com/"), "name": format!("i{index}"), "audiences": [AUDIENCE],
                "introspection": introspection(prefix),
            })
        })
        .collect();
    let mut config = json!({ "issuers": issuers });
    extend(&mut config, members);
    policy(&config)
}

/// Who is asked about a token.
fn asked(policy: &Policy, token: &str) -> Option<IssuerId> {
    let nobody = said(IssuerId(9), Introspected::Inactive);
    match judge(&get("/").bearer(token), policy, &nobody) {
        Decision::Await(pending) => match pending.need {
            Need::Introspection(inquiry) => Some(inquiry.issuer),
            other => panic!("{other:?}"),
        },
        Decision::Deny(refusal) => {
            assert!(nobody.asked.borrow().is_empty());
            assert!(matches!(refusal.denial.reason(), Reason::MalformedToken), "{:?}", refusal.denial);
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_longest_prefix_chooses_the_issuer_and_no_other_sees_the_token() {
    let policy = several(&[Some("ory_"), None, Some("ory_at_")], json!({}));
    for (token, wanted) in [("ory_at_x", 2), ("ory_rt_x", 0), ("ory", 1), ("x", 1), ("ORY_AT_x", 1)] {
        assert_eq!(asked(&policy, token), Some(IssuerId(wanted)), "{token}");
    }
    // The one whose token it is, is not good here: the others do not get it.
    let narrowed = several(&[Some("ory_"), None, Some("ory_at_")], json!({ "default": { "issuers": ["i0", "i1"] } }));
    assert_eq!(asked(&narrowed, "ory_at_x"), None);
    assert_eq!(asked(&narrowed, "ory_rt_x"), Some(IssuerId(0)));
    let prefixed = several(&[Some("ory_")], json!({}));
    assert_eq!(asked(&prefixed, "x"), None);
    // Of two without a prefix, a requirement accepts one.
    let rules = json!({ "default": { "issuers": ["i0"] }, "rules": [{ "match": { "path": "/" }, "issuers": ["i1"] }] });
    assert_eq!(asked(&several(&[None, None], rules), "x"), Some(IssuerId(1)));
}

#[test]
fn a_value_with_the_prefix_of_a_key_set_is_asked_of_no_issuer() {
    let sets = json!([{
        "name": "keys", "api_key": { "header": "x-api-key", "prefix": "sk-" },
        "identities": [{ "id": "a", "secrets": [{ "sha256": hex_sha256("sk-a") }] }],
    }]);
    let policy = several(&[None], json!({ "credentials": sets }));
    assert_eq!(asked(&policy, "sk-0123456789"), None);
    assert_eq!(asked(&policy, "sk_0123456789"), Some(IssuerId(0)));
}

#[test]
fn metadata_is_told_which_issuers_it_cannot_tell_apart() {
    let policy = several(&[None, None], json!({ "default": { "issuers": ["i0"] } }));
    let read = |value: Value| requirement(&Node::from(value), &policy, &|_| None).map_err(|error| error.to_string());
    let error = read(json!({ "scopes": ["a"] })).unwrap_err();
    assert!(error.contains("accepts opaque tokens of two issuers") && error.contains("i0 and i1"), "{error}");
    assert!(read(json!({ "issuers": ["i1"] })).is_ok());
}
