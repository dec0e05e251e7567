//! Whom an event is about: RFC 9493, the Shared Signals Framework with CAEP and RISC, its drafts, and entries of operators.

use crate::event_world::{
    LOGOUT, SESSION_REVOKED, assert_told, events_of, logout, operation, push_logout, push_set, set, taking, user,
};
use crate::support::issuer::{ISSUER, Token};
use crate::world::{Ask, config, policy};
use scopegate::policy::Policy;
use serde_json::{Map, Value, json};

const ALICE: &str = "202: [sub alice issued_before +1 until +3600]";
const NOTHING: &str = "202: [], 1 in vain";
const CREDENTIAL_CHANGE: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";
const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";

fn taken() -> Policy {
    policy(&taking())
}

fn about(subject: Value) -> Ask {
    push_set(set().claim("sub_id", subject))
}

/// An event of this type, with a subject in the event, as drafts had it.
fn drafted(typ: &str, subject: Value) -> Ask {
    push_set(set().claim("sub_id", Value::Null).claim("events", json!({ typ: { "subject": subject } })))
}

fn with_events(events: Value) -> Token<'static> {
    set().claim("events", events)
}

#[test]
fn where_tokens_say_no_session_an_event_that_names_its_user_means_all_of_the_user() {
    let of_users = policy(&config(events_of(json!({ "revokes": "user" }))));
    let session = json!({ "format": "opaque", "id": "s-1" });
    let mail = json!({ "format": "email", "email": "alice@example.com" });
    let both = |user: Value| about(json!({ "format": "complex", "session": session, "user": user }));
    let by_claims = set().claim("sub_id", Value::Null).claim("sub", "alice").claim("sid", "s-1");
    let of_session = "202: [sid s-1 until +3600]";
    assert_told(
        [
            ("a logout token", push_logout(logout()), "200: [sub alice issued_before +1 until +3600]"),
            (
                "a logout token of a session alone",
                push_logout(logout().claim("sub", Value::Null)),
                "200: [sid s-1 until +3600]",
            ),
            ("a session and its user", both(user("alice")), ALICE),
            ("a session and a user whom no token names", both(mail), of_session),
            ("a session alone", about(json!({ "format": "complex", "session": session })), of_session),
            ("by claims", push_set(by_claims), ALICE),
        ],
        &of_users,
    );
    let by_claims = set().claim("sub_id", Value::Null).claim("sub", "alice").claim("sid", "s-1");
    assert_told([("elsewhere the session is meant", push_set(by_claims), of_session)], &taken());
}

#[test]
fn every_form_of_a_subject_means_what_tokens_tell_of_it_and_no_more() {
    let session = json!({ "format": "opaque", "id": "s-1" });
    let device = json!({ "format": "opaque", "id": "d-1" });
    let mail = json!({ "format": "email", "email": "alice@example.com" });
    assert_told(
        [
            ("a user", about(user("alice")), ALICE),
            (
                "a token",
                about(json!({ "format": "jwt_id", "iss": ISSUER, "jti": "t-1" })),
                "202: [jti t-1 until +3600]",
            ),
            ("a mail address", about(mail.clone()), NOTHING),
            ("a telephone number", about(json!({ "format": "phone_number", "phone_number": "+1" })), NOTHING),
            ("an account", about(json!({ "format": "account", "uri": "acct:alice@example.com" })), NOTHING),
            ("an address", about(json!({ "format": "uri", "uri": ISSUER })), NOTHING),
            ("a decentralized identifier", about(json!({ "format": "did", "url": "did:example:1" })), NOTHING),
            (
                "an assertion",
                about(json!({ "format": "saml_assertion_id", "issuer": ISSUER, "assertion_id": "x" })),
                NOTHING,
            ),
            ("addresses", about(json!({ "format": "ip-addresses", "ip-addresses": ["192.0.2.1"] })), NOTHING),
            ("an unknown form", about(json!({ "format": "x", "iss": ISSUER, "sub": "alice" })), NOTHING),
            ("a form that is no text", about(json!({ "format": 7, "iss": ISSUER, "sub": "alice" })), NOTHING),
            ("nothing", about(json!({})), NOTHING),
            ("a user without a name", about(json!({ "format": "iss_sub", "iss": ISSUER })), NOTHING),
            ("a user with an empty name", about(user("")), NOTHING),
            ("a user whose name is a number", about(json!({ "format": "iss_sub", "iss": ISSUER, "sub": 7 })), NOTHING),
            ("a user of no issuer", about(json!({ "format": "iss_sub", "sub": "alice" })), NOTHING),
            ("the session of an event about sessions", about(session.clone()), "202: [sid s-1 until +3600]"),
            (
                "the session of a user",
                about(json!({ "format": "complex", "session": session, "user": user("alice") })),
                "202: [sid s-1 until +3600]",
            ),
            (
                "a session alone",
                about(json!({ "format": "complex", "session": session })),
                "202: [sid s-1 until +3600]",
            ),
            ("any session of a user", about(json!({ "format": "complex", "user": user("alice") })), ALICE),
            (
                "a user on a device, which no token tells",
                about(json!({ "format": "complex", "user": user("alice"), "device": device })),
                ALICE,
            ),
            (
                "a user of a tenant",
                about(json!({ "format": "complex", "user": user("alice"), "tenant": device })),
                ALICE,
            ),
            (
                "a session in another form, of a user",
                about(json!({ "format": "complex", "session": mail, "user": user("alice") })),
                ALICE,
            ),
            ("any user of a device", about(json!({ "format": "complex", "device": device })), NOTHING),
            ("a user by mail", about(json!({ "format": "complex", "user": mail, "device": device })), NOTHING),
            (
                "a user by several names",
                about(
                    json!({ "format": "complex", "user": { "format": "aliases", "identifiers": [mail, user("alice")] } }),
                ),
                ALICE,
            ),
            (
                "several names",
                about(json!({ "format": "aliases", "identifiers": [mail, user("alice"), user("alice")] })),
                ALICE,
            ),
            (
                "names of two",
                about(json!({ "format": "aliases", "identifiers": [user("a"), user("b")] })),
                "202: [sub a issued_before +1 until +3600; sub b issued_before +1 until +3600]",
            ),
            ("no names", about(json!({ "format": "aliases", "identifiers": [] })), NOTHING),
            ("names that are no list", about(json!({ "format": "aliases", "identifiers": user("alice") })), NOTHING),
            (
                "names in names, which may not be",
                about(
                    json!({ "format": "aliases", "identifiers": [{ "format": "aliases", "identifiers": [user("alice")] }] }),
                ),
                NOTHING,
            ),
            (
                "several in several, which may not be",
                about(json!({ "format": "complex", "user": { "format": "complex", "user": user("alice") } })),
                NOTHING,
            ),
            ("text", about(json!("alice")), "400 invalid_request: its subject is no object"),
            ("a list", about(json!([user("alice")])), "400 invalid_request: its subject is no object"),
        ],
        &taken(),
    );
}

#[test]
fn an_issuer_speaks_of_its_own_tokens_only() {
    let of_other = json!({ "format": "iss_sub", "iss": "https://other.example.com/", "sub": "alice" });
    let token = json!({ "format": "jwt_id", "iss": "https://other.example.com/", "jti": "t" });
    let case = |typ: &str| json!({ "format": "iss_sub", "iss": typ, "sub": "alice" });
    assert_told(
        [
            ("a user of another", about(of_other.clone()), NOTHING),
            ("a token of another", about(token), NOTHING),
            ("among names", about(json!({ "format": "aliases", "identifiers": [of_other, user("alice")] })), ALICE),
            ("in a subject of several members", about(json!({ "format": "complex", "user": of_other })), NOTHING),
            ("in other letters", about(case("https://ISSUER.example.com/")), NOTHING),
            ("without the slash", about(case("https://issuer.example.com")), NOTHING),
            ("by the entry's name", about(case("demo")), NOTHING),
            ("in a draft", drafted(DISABLED, of_other), NOTHING),
            (
                "an operator's event",
                push_set(with_events(json!({ "urn:scopegate:event-type:revocation": { "iss": ISSUER, "kid": "a" } }))),
                NOTHING,
            ),
        ],
        &taken(),
    );
}

#[test]
fn subjects_as_drafts_wrote_them_are_read() {
    let old = |typ: &str| json!({ "subject_type": typ, "iss": ISSUER, "sub": "alice", "jti": "t-1", "email": "a@b" });
    let session = json!({ "format": "opaque", "id": "s-1" });
    assert_told(
        [
            ("with hyphens", drafted(DISABLED, old("iss-sub")), ALICE),
            ("with underscores", drafted(DISABLED, old("iss_sub")), ALICE),
            ("by the claims of an ID token", drafted(DISABLED, old("id-token-claims")), ALICE),
            ("a token", drafted(DISABLED, old("jwt-id")), "202: [jti t-1 until +3600]"),
            ("by mail", drafted(DISABLED, old("email")), NOTHING),
            (
                "of several members without a form",
                drafted(SESSION_REVOKED, json!({ "user": user("alice"), "device": old("email") })),
                ALICE,
            ),
            (
                "with a session",
                drafted(SESSION_REVOKED, json!({ "user": user("alice"), "session": session })),
                "202: [sid s-1 until +3600]",
            ),
            (
                "of a session in the form of drafts",
                drafted(SESSION_REVOKED, json!({ "session": { "subject_type": "opaque", "id": "s-1" } })),
                "202: [sid s-1 until +3600]",
            ),
            ("text", drafted(DISABLED, json!("alice")), "400 invalid_request: its subject is no object"),
            ("of an event that revokes nothing, whatever it is", drafted("urn:x", json!("alice")), NOTHING),
            ("by claims of the token alone", push_set(set().claim("sub_id", Value::Null).claim("sub", "alice")), ALICE),
            (
                "by a session among them",
                push_set(set().claim("sub_id", Value::Null).claim("sub", "alice").claim("sid", "s-1")),
                "202: [sid s-1 until +3600]",
            ),
            ("by nothing", push_set(set().claim("sub_id", Value::Null)), NOTHING),
            ("that of the token counts", push_set(with_events(json!({ DISABLED: { "subject": user("bob") } }))), ALICE),
        ],
        &taken(),
    );
}

#[test]
fn what_each_type_of_event_revokes() {
    let caep = "https://schemas.openid.net/secevent/caep/event-type/";
    let risc = "https://schemas.openid.net/secevent/risc/event-type/";
    for (prefix, name, revokes) in [
        (caep, "session-revoked", true),
        (caep, "credential-change", true),
        (caep, "token-claims-change", false),
        (caep, "assurance-level-change", false),
        (caep, "device-compliance-change", false),
        (caep, "session-established", false),
        (caep, "session-presented", false),
        (caep, "risk-level-change", false),
        (risc, "account-disabled", true),
        (risc, "account-purged", true),
        (risc, "account-credential-change-required", true),
        (risc, "credential-compromise", true),
        (risc, "sessions-revoked", true),
        (risc, "account-enabled", false),
        (risc, "identifier-changed", false),
        (risc, "identifier-recycled", false),
        (risc, "opt-out-effective", false),
        (risc, "recovery-activated", false),
        ("https://schemas.openid.net/secevent/oauth/event-type/", "tokens-revoked", true),
        ("https://schemas.openid.net/secevent/oauth/event-type/", "token-revoked", false),
        ("https://schemas.openid.net/secevent/ssf/event-type/", "verification", false),
        ("https://schemas.openid.net/secevent/ssf/event-type/", "stream-updated", false),
        ("urn:ietf:params:scim:event:", "prov:deactivate:full", false),
        ("", "", false),
        (risc, "ACCOUNT-DISABLED", false),
    ] {
        let wanted = if revokes { ALICE } else { NOTHING };
        let ask = push_set(with_events(json!({ format!("{prefix}{name}"): {} })));
        assert_told([("by its type", ask, wanted)], &taken());
    }
    let change = |change: &str| push_set(with_events(json!({ CREDENTIAL_CHANGE: { "change_type": change } })));
    assert_told(
        [
            ("a credential that is new", change("create"), NOTHING),
            ("one that is gone", change("revoke"), ALICE),
            ("one that is another", change("update"), ALICE),
            ("a word that is not known", change("x"), ALICE),
            (
                "what is new, of another type",
                push_set(with_events(json!({ DISABLED: { "change_type": "create" } }))),
                ALICE,
            ),
            (
                "several of one user",
                push_set(with_events(json!({ DISABLED: {}, CREDENTIAL_CHANGE: {}, "urn:x": {} }))),
                "202: [sub alice issued_before +1 until +3600], 1 in vain",
            ),
            (
                "an opaque subject that is no session",
                push_set(
                    with_events(json!({ DISABLED: {} })).claim("sub_id", json!({ "format": "opaque", "id": "s" })),
                ),
                NOTHING,
            ),
        ],
        &taken(),
    );
}

#[test]
fn one_token_revokes_so_much_and_no_more() {
    let names = |count: usize| json!({ "format": "aliases", "identifiers": (0..count).map(|number| user(&number.to_string())).collect::<Vec<_>>() });
    let too_many = "400 invalid_request: it revokes more than 32 of sessions, users and tokens";
    let entries = |ask: Ask| match ask.decide(&taken()) {
        scopegate::decision::Decision::Receive(event) => event.entries.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(entries(about(names(32))), 32);
    assert_eq!(
        entries(about(json!({ "format": "aliases", "identifiers": vec![user("alice"); 1000] }))),
        1,
        "of one user"
    );
    // Two types of event about the same mean the same.
    let both = || with_events(json!({ DISABLED: {}, CREDENTIAL_CHANGE: {} }));
    assert_eq!(entries(push_set(both().claim("sub_id", names(32)))), 32);
    let mut of_each = Map::new();
    for (place, typ) in [DISABLED, CREDENTIAL_CHANGE].into_iter().enumerate() {
        let identifiers: Vec<_> = (0..17).map(|number| user(&format!("{place}-{number}"))).collect();
        of_each.insert(typ.to_owned(), json!({ "subject": { "format": "aliases", "identifiers": identifiers } }));
    }
    assert_told(
        [
            ("one more", about(names(33)), too_many),
            ("a thousand", about(names(1000)), too_many),
            (
                "more in two events together",
                push_set(with_events(Value::Object(of_each)).claim("sub_id", Value::Null)),
                too_many,
            ),
        ],
        &taken(),
    );
}

#[test]
fn an_operator_revokes_what_a_list_can_and_nothing_that_would_be_in_vain() {
    let bad = "400 invalid_request: its entry is none of a revocation list";
    let idle = "400 invalid_request: its entry revokes nothing: no issuer has its `iss`, or no set its `credential`";
    let entry = |entry: Value| push_set(operation(entry));
    assert_told(
        [
            ("a token", entry(json!({ "iss": ISSUER, "jti": "t" })), "202: [jti t until +86400]"),
            (
                "a user",
                entry(json!({ "iss": ISSUER, "sub": "alice", "issued_before": 1_800_000_007 })),
                "202: [sub alice issued_before +7 until +86400]",
            ),
            (
                "a client until then",
                entry(
                    json!({ "iss": ISSUER, "client_id": "c", "issued_before": 1_800_000_000, "until": 1_800_000_009 }),
                ),
                "202: [client_id c issued_before +0 until +9]",
            ),
            ("a key", entry(json!({ "iss": ISSUER, "kid": "a" })), "202: [kid a until +86400]"),
            (
                "a fingerprint",
                entry(json!({ "fingerprint": "FvdA9cRn0Ls45XKidPuQiq", "reason": "lost" })),
                "202: [fingerprint FvdA9cRn0Ls45XKidPuQiq until +86400]",
            ),
            ("of no issuer", entry(json!({ "iss": "https://issuer.example.com", "jti": "t" })), idle),
            ("of the operator itself", entry(json!({ "iss": "ops", "jti": "t" })), idle),
            ("of no set", entry(json!({ "credential": "partners", "id": "acme" })), idle),
            ("nothing", entry(json!({})), bad),
            ("a user since ever", entry(json!({ "iss": ISSUER, "sub": "alice" })), bad),
            ("what is not known", entry(json!({ "iss": ISSUER, "jti": "t", "x": 1 })), bad),
            ("two at once", entry(json!({ "iss": ISSUER, "jti": "t", "sid": "s" })), bad),
            (
                "what an issuer would say",
                push_set(
                    operation(json!({})).claim("events", json!({ SESSION_REVOKED: {} })).claim("sub_id", user("alice")),
                ),
                NOTHING,
            ),
            (
                "a logout",
                push_set(operation(json!({})).claim("events", json!({ LOGOUT: {} })).claim("sid", "s")),
                NOTHING,
            ),
            (
                "a logout in a form",
                push_logout(
                    operation(json!({}))
                        .claim("events", json!({ LOGOUT: {} }))
                        .claim("sid", "s")
                        .header("typ", "logout+jwt"),
                ),
                "400 invalid_request: its `typ` is none of an event of this issuer",
            ),
            (
                "of the type of logout tokens",
                push_set(operation(json!({ "iss": ISSUER, "jti": "t" })).header("typ", "logout+jwt")),
                "400 invalid_request: its `typ` is none of an event of this issuer",
            ),
        ],
        &taken(),
    );
}

#[test]
fn a_logout_token_ends_the_session_that_it_names_whatever_its_subject() {
    let claim = |name: &str, value: Value| push_logout(logout().claim(name, value));
    assert_told(
        [
            ("beside the subject of a draft", claim("sub_id", user("bob")), "200: [sid s-1 until +3600]"),
            ("of another user", claim("sub", json!("bob")), "200: [sid s-1 until +3600]"),
        ],
        &taken(),
    );
}
