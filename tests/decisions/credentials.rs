//! API keys: whose they are, when they are good, where they may be, and what is left of them.

use crate::world::{Ask, NOW, config, extend, get, policy, reported, token};
use scopegate::audit::AuditRecord;
use scopegate::challenge::{self, Terms};
use scopegate::crypto::sha256;
use scopegate::decision::{Basis, Decision, Reason};
use scopegate::policy::AuditSettings;
use serde_json::{Value, json};

/// A good key of the identity `acme-1`, whose subject is `acme`.
pub const ACME: &str = "acme-0123456789abcdef";
/// Another good key of it.
const ACME_NEXT: &str = "0123456789abcdefghij";
/// Its key until an instant before [`NOW`].
const ACME_OLD: &str = "acme-old-0123456789ab";
/// The key of an identity that is disabled.
pub const DISABLED: &str = "gone-0123456789abcdef";
/// The key of an identity whose time is over.
const LATE: &str = "late-0123456789abcdef";
/// A key with the prefix `sk-`, of another set.
pub const OPENAI: &str = "sk-0123456789abcdefgh";
/// A key of a third set.
pub const MESH: &str = "mesh-0123456789abcdef";

/// The SHA-256 of a key, as a configuration has it.
pub fn hex_sha256(key: impl AsRef<[u8]>) -> String {
    sha256(key.as_ref()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The sets of most tests.
pub fn sets() -> Value {
    json!([
        { "name": "partners", "api_key": { "header": "X-Api-Key" }, "scopes": ["orders:list"], "identities": [
            { "id": "acme-1", "subject": "acme", "scopes": ["orders:read"], "claims": { "tenant": "acme", "plan": ["gold"] },
              "secrets": [{ "sha256": hex_sha256(ACME) }, { "env": "KEY_20" },
                          { "sha256": hex_sha256(ACME_OLD), "expires": NOW }] },
            { "id": "gone", "secrets": [{ "sha256": hex_sha256(DISABLED) }], "disabled": true, "scopes": ["orders:read"] },
            { "id": "late", "secrets": [{ "sha256": hex_sha256(LATE) }], "expires": NOW },
            { "id": "plain", "secrets": [{ "sha256": hex_sha256("plain-0123456789abcde"), "expires": NOW + 1 }] },
        ] },
        { "name": "openai", "api_key": [{ "scheme": "Bearer", "prefix": "sk-" }, { "header": "x-openai-key" }],
          "identities": [{ "id": "bot", "secrets": [{ "sha256": hex_sha256(OPENAI) }] }] },
        { "name": "mesh", "api_key": { "header": "x-mesh" },
          "identities": [{ "id": "gateway", "secrets": [{ "sha256": hex_sha256(MESH) }] }] },
    ])
}

/// A configuration with the sets, and these members.
pub fn gate(members: Value) -> Value {
    let mut all = json!({ "credentials": sets() });
    extend(&mut all, members);
    config(all)
}

/// A configuration whose default accepts these credentials, and asks this beside it.
pub fn accepting(credentials: Value, more: Value) -> Value {
    let mut default = json!({ "credentials": credentials });
    extend(&mut default, more);
    gate(json!({ "default": default }))
}

pub fn key(text: impl AsRef<[u8]>) -> Ask {
    get("/").header("x-api-key", text)
}

fn record(ask: &Ask, config: &Value) -> (Value, String) {
    let (decision, policy) = (ask.decide_under(config), policy(config));
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    (serde_json::from_str(&record.to_json()).unwrap(), record.to_line())
}

pub fn challenges(ask: &Ask, config: &Value) -> (u16, Vec<String>, String) {
    let policy = policy(config);
    let Decision::Deny(refusal) = ask.decide_under(config) else { panic!("it passes: {ask:?}") };
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
    let lines = reply.headers.into_iter().filter(|(name, _)| *name == "www-authenticate").map(|(_, value)| value);
    (reply.status, lines.collect(), reply.body)
}

#[test]
fn a_key_passes_with_what_its_identity_is_granted() {
    let partners = |more: Value| accepting(json!("partners"), more);
    let good = [ACME, ACME_NEXT, "plain-0123456789abcde"];
    for key_text in good {
        assert_eq!(key(key_text).refused(&partners(json!({}))), None, "{key_text}");
    }
    for (asks, wanted) in [
        (json!({ "scopes": ["orders:read"] }), None),
        (json!({ "scopes": ["orders:list"] }), Some(Reason::InsufficientScope)),
        (json!({ "claims": [{ "claim": "tenant", "equals": "acme" }, { "claim": "plan", "contains": "gold" }] }), None),
        (json!({ "claims": [{ "claim": "sub", "equals": "acme" }] }), None),
        (json!({ "claims": [{ "claim": "tenant", "equals": "other" }] }), Some(Reason::ClaimMismatch)),
        (json!({ "claims": [{ "claim": "sub", "equals": "acme-1" }] }), Some(Reason::ClaimMismatch)),
    ] {
        assert_eq!(key(ACME).refused(&partners(asks.clone())), wanted, "{asks}");
    }
    let of_the_set = partners(json!({ "scopes": ["orders:list"] }));
    assert_eq!(key("plain-0123456789abcde").refused(&of_the_set), None, "an identity that names no scopes");
}

#[test]
fn a_key_that_is_not_good_now_is_refused_and_the_log_alone_says_why() {
    let config = accepting(json!({ "any_of": ["bearer", "partners"] }), json!({ "scopes": ["orders:read"] }));
    let told = |text: &[u8]| {
        let (ask, mut answer) = (key(text), challenges(&key(text), &config));
        answer.1.sort();
        (ask.refused(&config).unwrap(), answer)
    };
    let (reason, wanted) = told(b"nobody-0123456789abcdef");
    assert_eq!(reason, Reason::UnknownIdentity);
    assert_eq!(wanted.0, 401);
    for (text, reason) in [
        (ACME_OLD.as_bytes(), Reason::CredentialExpired),
        (LATE.as_bytes(), Reason::CredentialExpired),
        (DISABLED.as_bytes(), Reason::Revoked),
        (hex_sha256(ACME).as_bytes(), Reason::UnknownIdentity),
        (ACME.to_uppercase().as_bytes(), Reason::UnknownIdentity),
        (b"", Reason::MalformedCredential),
        (b"acme-0123456789abcdef\0", Reason::MalformedCredential),
        (b"acme-0123 456789abcdef", Reason::MalformedCredential),
        (b"acme-0123\t456789abcdef", Reason::MalformedCredential),
        (b"acme-\xc3\xa9", Reason::MalformedCredential),
        ("a".repeat(8193).as_bytes(), Reason::MalformedCredential),
        ("a".repeat(8192).as_bytes(), Reason::UnknownIdentity),
    ] {
        assert_eq!(told(text), (reason, wanted.clone()), "{}", String::from_utf8_lossy(text));
    }
    assert_eq!(key(format!(" {ACME}\t")).refused(&config), None, "white space around a field value is not part of it");
    let just_before = Ask { now: NOW - 1, ..key(LATE) };
    assert_eq!(just_before.refused(&accepting(json!("partners"), json!({}))), None);
    let (_, line) = record(&key(DISABLED), &config);
    assert!(line.contains("reason=revoked subject=\"gone\"") && line.contains("(by `disabled`)"), "{line}");
    let (unknown, line) = record(&key("nobody-0123456789abcdef"), &config);
    assert_eq!((&unknown["credential"], &unknown["credential_set"]), (&json!("api_key"), &json!("partners")));
    assert_eq!((unknown.get("identity"), unknown.get("unverified_fingerprint")), (None, None), "{line}");
}

#[test]
fn adding_sets_opens_nothing() {
    for config in [gate(json!({})), gate(json!({ "default": { "credentials": "bearer" } }))] {
        assert_eq!(key(ACME).refused(&config), Some(Reason::NoCredential));
        assert_eq!(get("/").bearer(token().sign()).refused(&config), None);
        assert_eq!(key("bad").bearer(token().sign()).refused(&config), None, "no place of a set is read");
        assert_eq!(get("/").bearer(OPENAI).refused(&config), Some(Reason::MalformedToken));
    }
}

#[test]
fn one_place_holds_one_key_and_two_places_of_a_set_the_same() {
    let openai = accepting(json!("openai"), json!({}));
    let there = |ask: Ask| ask.header("x-openai-key", OPENAI);
    for (ask, wanted) in [
        (get("/").bearer(OPENAI), None),
        (there(get("/")), None),
        (there(get("/").bearer(OPENAI)), None),
        (there(get("/").bearer("sk-another")), Some(Reason::MultipleCredentials)),
        (get("/").bearer(OPENAI).header("x-openai-key", ""), Some(Reason::MultipleCredentials)),
        (there(there(get("/"))), Some(Reason::MultipleCredentials)),
        (get("/").bearer(OPENAI).bearer(OPENAI), Some(Reason::MultipleCredentials)),
        (get("/").header("authorization", format!("Bearer {OPENAI}, Bearer x")), Some(Reason::MultipleCredentials)),
        (get("/").header("authorization", format!("bearer  {OPENAI}")), None),
        (get("/").header("authorization", format!("Basic {OPENAI}")), Some(Reason::NoCredential)),
        (get("/").header("authorization", OPENAI), Some(Reason::NoCredential)),
        (get("/").bearer(token().sign()), Some(Reason::NoCredential)),
        (there(get("/").bearer(token().sign())), None),
    ] {
        assert_eq!(ask.refused(&openai), wanted, "{ask:?}");
    }
    assert_eq!(
        key(ACME).header("x-api-key", ACME).refused(&accepting(json!("partners"), json!({}))),
        Some(Reason::MultipleCredentials)
    );
    let beside_tokens = accepting(json!({ "any_of": ["openai", "bearer"] }), json!({}));
    assert_eq!(get("/").bearer(OPENAI).refused(&beside_tokens), None);
    assert_eq!(get("/").bearer("sk-bad").refused(&beside_tokens), Some(Reason::UnknownIdentity), "never a token");
    assert_eq!(get("/").bearer(token().sign()).refused(&beside_tokens), None);
    assert_eq!(get("/").header("authorization", "").refused(&beside_tokens), Some(Reason::MalformedHeader));
}

#[test]
fn a_header_of_several_sets_tells_them_by_what_their_keys_begin_with() {
    let set = |name: &str, prefix: &str| {
        json!({ "name": name, "api_key": { "header": "x-key", "prefix": prefix },
                "identities": [{ "id": name, "secrets": [{ "sha256": hex_sha256(format!("{prefix}0123456789abcdef")) }] }] })
    };
    let config = |credentials: Value, more: Value| {
        let mut default = json!({ "credentials": credentials });
        extend(&mut default, more);
        config(json!({ "credentials": [set("a", "ak-"), set("b", "bk-")], "default": default }))
    };
    let with_key = |text: &str| get("/").header("x-key", text);
    let either = config(json!({ "any_of": ["a", "b"] }), json!({}));
    assert_eq!(with_key("ak-0123456789abcdef").refused(&either), None);
    assert_eq!(with_key("bk-0123456789abcdef").refused(&either), None);
    assert_eq!(with_key("bk-bad").refused(&either), Some(Reason::UnknownIdentity));
    assert_eq!(with_key("ck-0123456789abcdef").refused(&either), Some(Reason::MalformedCredential));
    let alone = config(json!("a"), json!({ "allow_missing": true }));
    assert_eq!(with_key("ck-0123456789abcdef").refused(&alone), Some(Reason::MalformedCredential), "never no one");
    assert_eq!(
        with_key("bk-bad").granted(&alone).basis,
        Basis::Missing,
        "what is of a set that is not asked for, is not read"
    );
}

#[test]
fn every_place_of_a_credential_is_removed_from_what_passes() {
    let removed = |ask: &Ask, config: &Value| {
        let mut names: Vec<String> = ask.granted(config).remove.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };
    let partners = |more: Value| {
        let mut config = accepting(json!("partners"), json!({}));
        extend(&mut config, more);
        config
    };
    let strays = |ask: Ask| ask.header("x-mesh", "stray").header("X_Api_Key", "stray").bearer("forged");
    let all = ["X_Api_Key", "authorization", "x-api-key", "x-mesh"];
    assert_eq!(removed(&strays(key(ACME)), &partners(json!({}))), all);
    assert_eq!(
        removed(&strays(key(ACME)), &partners(json!({ "forward": { "token": "keep" } }))),
        ["X_Api_Key", "authorization", "x-mesh"]
    );
    // Of a set with several places, the one with another's credential does not stay.
    let keep = |rule: Value| {
        let mut config = accepting(rule, json!({}));
        extend(&mut config, json!({ "forward": { "token": "keep" } }));
        config
    };
    let there = get("/").header("x-openai-key", OPENAI).bearer(token().sign());
    assert_eq!(removed(&there, &keep(json!("openai"))), ["authorization"]);
    assert_eq!(removed(&key(ACME).bearer(token().sign()), &keep(json!("bearer"))), ["x-api-key"]);
    assert_eq!(removed(&key(ACME).bearer(token().sign()), &keep(json!({ "all_of": ["partners", "bearer"] }))), [""; 0]);
    assert_eq!(removed(&key(ACME).bearer(token().sign()), &gate(json!({}))), ["authorization", "x-api-key"]);
    let missing = accepting(json!("mesh"), json!({ "allow_missing": true }));
    assert_eq!(removed(&key(ACME).bearer("forged"), &missing), ["authorization", "x-api-key"]);
    for untouched in [
        gate(json!({ "default": { "public": true } })),
        partners(json!({ "report_only": true })),
        partners(json!({ "forward": { "by": "router" } })),
    ] {
        assert_eq!(removed(&strays(key(ACME)), &untouched), [""; 0], "{untouched}");
    }
    let reported_only = accepting(json!("partners"), json!({ "report_only": true }));
    let grant = strays(key("bad")).granted(&reported_only);
    assert_eq!((reported(&grant), grant.remove.len()), (Some(Reason::UnknownIdentity), 0));
}

#[test]
fn a_request_with_a_key_is_no_preflight() {
    let config = gate(json!({ "bypass_cors_preflight": true, "default": { "credentials": "partners" } }));
    let preflight = || {
        let ask = get("/").method("OPTIONS").header("origin", "https://a.example.com");
        ask.header("access-control-request-method", "GET")
    };
    assert_eq!(preflight().granted(&config).basis, Basis::Preflight);
    assert_eq!(preflight().header("x-api-key", "bad").refused(&config), Some(Reason::UnknownIdentity));
    assert_eq!(preflight().header("x_api_key", "bad").refused(&config), Some(Reason::NoCredential));
}

#[test]
fn a_record_names_set_and_identity_and_nothing_of_the_key() {
    let config = accepting(json!("partners"), json!({ "scopes": ["orders:read"] }));
    let (json, line) = record(&key(ACME), &config);
    let wanted = json!({ "decision": "allow", "subject": "acme", "requirement": "default", "credential": "api_key",
                         "credential_set": "partners", "identity": "acme-1" });
    assert_eq!(json, wanted);
    assert_eq!(
        line,
        "decision=allow subject=\"acme\" requirement=\"default\" credential=api_key credential_set=partners identity=\"acme-1\""
    );
}

#[test]
fn a_revoked_identity_is_refused_and_no_entry_of_tokens_means_one() {
    let config = |entry: Value| {
        let mut config = accepting(json!({ "any_of": ["partners", "bearer"] }), json!({}));
        extend(&mut config, json!({ "revocation": { "entries": [entry] } }));
        config
    };
    let by_id = |id: &str| config(json!({ "credential": "partners", "id": id }));
    assert_eq!(key(ACME).refused(&by_id("acme-1")), Some(Reason::Revoked));
    assert_eq!(key(ACME).refused(&by_id("plain")), None);
    assert_eq!(get("/").bearer(token().claim("id", "acme-1").sign()).refused(&by_id("acme-1")), None);
}

#[test]
fn keys_in_a_query_are_refused_on_every_route_where_there_are_sets() {
    let config = gate(json!({ "rules": [{ "match": { "prefix": "/open" }, "public": true }] }));
    for name in ["api_key", "apikey", "api-key", "x-api-key", "x-mesh", "API_KEY", "api%5Fkey"] {
        assert_eq!(get(&format!("/open?{name}=x")).refused(&config), Some(Reason::TokenInQuery), "{name}");
    }
    let without = crate::world::config(json!({ "default": { "public": true } }));
    assert_eq!(get("/open?api_key=x").refused(&without), None);
}

#[test]
fn further_reasons_of_a_key_are_those_of_its_identity() {
    let config = accepting(
        json!("partners"),
        json!({ "report_only": true, "scopes": ["orders:admin"], "claims": [{ "claim": "tenant", "equals": "acme" }] }),
    );
    let policy = policy(&config);
    let told = |text: &str| {
        let (decision, further) = key(text).decide_further(&policy, &crate::world::configured_keys(&policy));
        let Decision::Allow(grant) = decision else { panic!("reported") };
        (reported(&grant), further.certain, further.unverified)
    };
    assert_eq!(told(ACME), (Some(Reason::InsufficientScope), vec![], vec![]));
    assert_eq!(
        told(LATE),
        (Some(Reason::CredentialExpired), vec![Reason::InsufficientScope, Reason::ClaimMismatch], vec![])
    );
    assert_eq!(told("bad"), (Some(Reason::UnknownIdentity), vec![], vec![]));
}
