//! Events that revoke.

use super::{KEY, around, problems, read};
use scopegate::policy::EventKeys;

/// A configuration with these members of `events`; its issuer is called `a`.
fn events(members: &str) -> String {
    named("", members)
}

fn named(of_tokens: &str, members: &str) -> String {
    around(&format!("  name: a\n  jwks: {{inline: {{keys: [{KEY}]}}}}\n{of_tokens}"), &format!("events: {{{members}}}"))
}

const PATH: &str = "path: /.well-known/events";

/// With this entry of the issuer.
fn of_issuer(entry: &str) -> String {
    events(&format!("{PATH}, issuers: {{a: {{audience: gate{entry}}}}}"))
}

/// With this entry of an operator.
fn of_operator(entry: &str) -> String {
    events(&format!("{PATH}, operators: {{ops: {{audience: gate{entry}}}}}"))
}

fn good_operator(name: &str) -> String {
    format!("'{name}': {{audience: gate, signed_by: {{keys: [{KEY}]}}}}")
}

#[test]
fn what_is_wrong_with_events_is_said() {
    snapshot!(problems(&[
        ("nothing", events("")),
        ("no senders", events(PATH)),
        ("no issuers among issuers", events(&format!("{PATH}, issuers: {{}}"))),
        ("no operators among operators", events(&format!("{PATH}, operators: {{}}"))),
        ("a list of issuers", events(&format!("{PATH}, issuers: [a]"))),
        ("an unknown field", events(&format!("{PATH}, issuers: {{a: {{audience: gate}}}}, subjects: all"))),
        ("an unknown field of an issuer", of_issuer(", exp: optional")),
        ("who is no issuer", events(&format!("{PATH}, issuers: {{b: {{audience: gate}}}}"))),
        ("an issuer by its address", events(&format!("{PATH}, issuers: {{'https://a/': {{audience: gate}}}}"))),
        ("an issuer without an audience", events(&format!("{PATH}, issuers: {{a: {{}}}}"))),
        ("an empty audience", events(&format!("{PATH}, issuers: {{a: {{audience: ''}}}}"))),
        ("no audiences", events(&format!("{PATH}, issuers: {{a: {{audience: []}}}}"))),
        ("an audience that is no text", events(&format!("{PATH}, issuers: {{a: {{audience: 7}}}}"))),
        ("no types", of_issuer(", token_types: []")),
        ("the type of access tokens", of_issuer(", token_types: [secevent+jwt, application/AT+JWT]")),
        ("a missing exp in words", of_issuer(", allow_missing_exp: logout")),
        ("a short time to keep", of_issuer(", keep: 59s")),
        ("half a second to keep", of_issuer(", keep: 60500ms")),
        ("a long time to keep", of_issuer(", keep: 8761h")),
        ("no issuer is asked, and nothing is pushed", events("issuers: {a: {audience: gate}}")),
        (
            "one is asked, another would push",
            events(&format!(
                "issuers: {{a: {{audience: gate, poll: {{uri: 'https://a/p', cluster: c}}}}}}, operators: {{{}}}",
                good_operator("ops")
            ))
        ),
        (
            "an operator with the address of an issuer",
            events(&format!(
                "{PATH}, issuers: {{a: {{audience: gate}}}}, operators: {{{}}}",
                good_operator("https://a/")
            ))
        ),
        ("a short body", events(&format!("{PATH}, max_bytes: 1023, issuers: {{a: {{audience: gate}}}}"))),
        ("a long body", events(&format!("{PATH}, max_bytes: 1048577, issuers: {{a: {{audience: gate}}}}"))),
    ]));
}

#[test]
fn a_path_that_could_be_read_in_two_ways_is_refused() {
    for path in [
        "/",
        "events",
        "",
        "/a/",
        "/a//b",
        "//a",
        "/a/./b",
        "/a/../b",
        "/..",
        "/a?b",
        "/a#b",
        "/a%2fb",
        "/a;b",
        "/a b",
        "/ä",
        "/a\\b",
        "/a,b",
        "/a:b",
        "/*",
        "/{a}",
        "https://a/b",
    ] {
        let error = read(&events(&format!("path: '{path}', issuers: {{a: {{audience: gate}}}}"))).unwrap_err();
        assert!(
            error.contains("events.path: is no path that can be read in one way only")
                || error.contains("events.path: is empty"),
            "{path}: {error}"
        );
    }
    for path in ["/a", "/.well-known/scopegate/events", "/A-b_c~d/1.2", "/...", "/.a"] {
        let loaded = read(&events(&format!("path: '{path}', issuers: {{a: {{audience: gate}}}}"))).unwrap();
        assert_eq!(loaded.policy.events.unwrap().path.as_deref(), Some(path));
    }
}

#[test]
fn what_is_wrong_with_an_operator_is_said() {
    let secret = "{kty: oct, kid: s, alg: HS256, k: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8}";
    snapshot!(problems(&[
        ("no keys at all", of_operator("")),
        ("no audience", events(&format!("{PATH}, operators: {{ops: {{signed_by: {{keys: [{KEY}]}}}}}}"))),
        ("no keys in the set", of_operator(", signed_by: {keys: []}")),
        ("no set", of_operator(", signed_by: ops.json")),
        ("a list for a set", of_operator(&format!(", signed_by: [{KEY}]"))),
        ("a secret alone", of_operator(&format!(", signed_by: {{keys: [{secret}]}}"))),
        ("types of its own", of_operator(&format!(", token_types: [JWT], signed_by: {{keys: [{KEY}]}}"))),
        (
            "to be asked",
            of_operator(&format!(", poll: {{uri: 'https://a/p', cluster: c}}, signed_by: {{keys: [{KEY}]}}"))
        ),
    ]));
    let loaded = read(&of_operator(&format!(", signed_by: {{keys: [{KEY}, {secret}]}}"))).unwrap();
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(
        loaded.warnings[0].starts_with("events.operators.ops.signed_by.keys[1] is left out: "),
        "{:?}",
        loaded.warnings
    );
    let events = loaded.policy.events.unwrap();
    let EventKeys::Operator(keys) = &events.sources[0].keys else { panic!("an operator") };
    assert_eq!(keys.keys().len(), 1);
}

#[test]
fn what_is_wrong_with_asking_is_said() {
    let poll = |members: &str| of_issuer(&format!(", poll: {{{members}}}"));
    snapshot!(problems(&[
        ("without an address", poll("cluster: c")),
        ("without a cluster", poll("uri: 'https://a/p'")),
        ("an address that is none", poll("uri: /p, cluster: c")),
        ("with a fragment", poll("uri: 'https://a/p#x', cluster: c")),
        ("too often", poll("uri: 'https://a/p', cluster: c, interval: 499ms")),
        ("too seldom", poll("uri: 'https://a/p', cluster: c, interval: 61m")),
        ("a long wait", poll("uri: 'https://a/p', cluster: c, timeout: 61s")),
        ("a secret in the open", poll("uri: 'https://a/p', cluster: c, authorization: 'Bearer x'")),
        ("a secret that is not there", poll("uri: 'https://a/p', cluster: c, authorization: {env: NOT_THERE}")),
    ]));
}

#[test]
fn a_type_is_of_events_or_of_access_tokens() {
    let both = |access: &str, event: &str| {
        let of_tokens = format!("  token_types: [{access}]");
        read(&named(&of_tokens, &format!("{PATH}, issuers: {{a: {{audience: gate, token_types: [{event}]}}}}")))
    };
    for (access, event) in [
        ("at+jwt, logout+jwt", "LOGOUT+jwt"),
        ("application/x+jwt", "secevent+jwt, x+jwt"),
        ("secevent+jwt", "secevent+jwt"),
    ] {
        let error = both(access, event).unwrap_err();
        assert!(error.contains("which is a type of this issuer's access tokens too"), "{access}, {event}: {error}");
    }
    // Of these a token with `events` is no access token.
    both("at+jwt, JWT, missing", "JWT, missing").unwrap();
}

#[test]
fn what_is_left_out_is_as_documented() {
    let loaded = read(&of_issuer("")).unwrap();
    assert_eq!(loaded.warnings, [""; 0]);
    let events = loaded.policy.events.unwrap();
    let source = &events.sources[0];
    assert_eq!((events.max_bytes, source.keep.0, source.allow_missing_exp), (65_536, 86_400, false));
    assert_eq!(
        (&source.name[..], &source.issuer[..], &source.audiences[..]),
        ("a", "https://a/", &["gate".to_owned()][..])
    );
    assert!(["secevent+jwt", "logout+jwt"].iter().all(|typ| source.types.accept(Some(typ))));
    assert!(!source.types.accept(None) && !source.types.accept(Some("JWT")));
}
