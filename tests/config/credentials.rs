//! Sets of credentials, and requirements that name them.

use super::{problems, read, with};
use scopegate::policy::SetKind;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER: &str = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

/// One set in one header, with these members beside its name and place.
fn set(members: &str) -> String {
    with(&format!("credentials: [{{name: partners, api_key: {{header: x-api-key}}, {members}}}]"))
}

fn identity(members: &str) -> String {
    set(&format!("identities: [{{id: a, {members}}}]"))
}

fn secret(written: &str) -> String {
    identity(&format!("secrets: [{written}]"))
}

fn place(written: &str) -> String {
    with(&format!(
        "credentials: [{{name: p, api_key: {written}, identities: [{{id: a, secrets: [{{sha256: {HASH}}}]}}]}}]"
    ))
}

/// Sets `a` in x-a, `b` in authorization, `c` in x-a, `k` in authorization, and these further members.
fn sets(more: &str) -> String {
    let set = |name: &str, place: &str, digest: String| {
        format!("{{name: {name}, api_key: {place}, identities: [{{id: i, secrets: [{{sha256: {digest}}}]}}]}}")
    };
    let digest = |letter: &str| letter.repeat(64);
    with(&format!(
        "credentials: [{}, {}, {}, {}]\n{more}",
        set("a", "{header: x-a}", digest("a")),
        set("b", "{scheme: Bearer, prefix: sk-}", digest("b")),
        set("c", "{header: x-a}", digest("c")),
        set("k", "{scheme: ApiKey}", digest("d")),
    ))
}

fn asking(members: &str) -> String {
    sets(&format!("default: {{{members}}}"))
}

#[test]
fn what_is_wrong_with_a_set_is_said() {
    let with_place = |written: &str| place(written);
    snapshot!(problems(&[
        ("no sets", with("credentials: []")),
        ("a set without anything", with("credentials: [{}]")),
        ("a set of an unknown kind", with("credentials: [{name: a, key: {header: x}}]")),
        ("the name of tokens", sets("").replace("name: a,", "name: bearer,")),
        ("a name that no header can have", sets("").replace("name: a,", "name: 'a b',")),
        ("a name twice", sets("").replace("name: c,", "name: a,")),
        ("a set without identities", set("identities: []")),
        ("no place", with_place("{}")),
        ("no places", with_place("[]")),
        ("a place twice", with_place("[{header: x-a}, {header: X-A}]")),
        ("Bearer without a prefix", with_place("{scheme: Bearer}")),
        ("Bearer with the prefix of tokens", with_place("{scheme: bearer, prefix: eyJ}")),
        ("Bearer with a part of the prefix of tokens", with_place("{scheme: bearer, prefix: e}")),
        ("authorization without a scheme", with_place("{header: Authorization}")),
        ("a scheme of no letter", with_place("{header: x-a, scheme: ''}")),
        ("the scheme of others", with_place("{scheme: Basic}")),
        ("the scheme of proofs", with_place("{header: x-a, scheme: DPoP}")),
        ("a scheme that is none", with_place("{scheme: 'Api Key'}")),
        ("a prefix that is none", with_place("{header: x-a, prefix: 'a b'}")),
        ("a header that is none", with_place("{header: 'x a'}")),
        (
            "headers of others",
            with_place(
                "[{header: cookie}, {header: host}, {header: x-forwarded-for}, {header: dpop}, {header: client-cert}]"
            )
        ),
        ("an identity header", place("{header: x-a}") + "forward: {headers: {x_a: sub}}"),
    ]));
}

#[test]
fn what_is_wrong_with_an_identity_is_said() {
    let long = "a".repeat(129);
    snapshot!(problems(&[
        ("an identity without anything", set("identities: [{}]")),
        (
            "an id twice",
            set(&format!(
                "identities: [{{id: a, secrets: [{{sha256: {HASH}}}]}}, {{id: a, secrets: [{{sha256: {OTHER}}}]}}]"
            ))
        ),
        ("an id that cannot be shown", set(&format!("identities: [{{id: {long}, secrets: [{{sha256: {HASH}}}]}}]"))),
        ("a subject that cannot be shown", identity(&format!("secrets: [{{sha256: {HASH}}}], subject: \"a\\nb\""))),
        ("no secrets", identity("secrets: []")),
        ("a plain secret", secret("hunter2hunter2hunter2")),
        ("a plain secret in an object", secret("{plain: hunter2hunter2hunter2}")),
        ("a hash for passwords", secret("{bcrypt: $2y$10$abc}")),
        ("two secrets in one", secret(&format!("{{sha256: {HASH}, env: KEY_20}}"))),
        ("a digest that is none", secret("{sha256: 9f86}")),
        ("a digest with other characters", secret(&format!("{{sha256: g{}}}", &HASH[1..]))),
        ("a variable that is not set", secret("{env: NOT_SET}")),
        ("a key of 19 characters", secret("{env: KEY_19}")),
        ("a key with a space", secret("{env: KEY_SPACED}")),
        ("a secret twice", secret(&format!("{{sha256: {HASH}}}, {{sha256: {}}}", HASH.to_uppercase()))),
        ("a secret in two sets", sets("").replace(&"c".repeat(64), &"a".repeat(64))),
        ("a date that is text", secret(&format!("{{sha256: {HASH}, expires: '2027-01-01'}}"))),
        ("a fraction of a date", identity(&format!("secrets: [{{sha256: {HASH}}}], expires: 1.5"))),
        (
            "claims of other fields",
            identity(&format!("secrets: [{{sha256: {HASH}}}], claims: {{sub: a, scope: b, exp: 1, acr: x}}"))
        ),
        ("scopes in one text", identity(&format!("secrets: [{{sha256: {HASH}}}], scopes: [\"a b\"]"))),
    ]));
}

#[test]
fn what_is_wrong_with_credentials_of_a_requirement_is_said() {
    snapshot!(problems(&[
        ("a bare list", asking("credentials: [bearer, a]")),
        ("an unknown name", asking("credentials: d")),
        ("a flag", asking("credentials: true")),
        ("no alternatives", asking("credentials: {any_of: []}")),
        ("both words", asking("credentials: {any_of: [a], all_of: [b]}")),
        ("an any_of in an any_of", asking("credentials: {any_of: [{any_of: [a, b]}]}")),
        ("an any_of in an all_of", asking("credentials: {all_of: [a, {any_of: [b]}]}")),
        ("a name twice in an all_of", asking("credentials: {all_of: [a, a]}")),
        ("an alternative twice", asking("credentials: {any_of: [{all_of: [a, b]}, {all_of: [b, a]}]}")),
        ("sets that cannot be told apart", asking("credentials: {any_of: [a, c]}")),
        ("two credentials in one header", asking("credentials: {all_of: [bearer, b]}")),
        ("two sets in one header", asking("credentials: {all_of: [b, k]}")),
        (
            "fields of tokens without a token",
            asking(
                "credentials: a, issuers: ['https://a/'], audiences: [b], token_types: [JWT], max_lifetime: 1h, max_token_age: 1h"
            )
        ),
        (
            "what only tokens can meet",
            asking(
                "credentials: {any_of: [a, bearer]}, single_use: true, sender_constraint: mtls, acr_values: [x], max_auth_age: 5m"
            )
        ),
        (
            "a constraint on senders around it",
            asking(
                "sender_constraint: mtls, methods: {GET: {credentials: a}, PUT: {credentials: {all_of: [a, bearer]}}}"
            )
        ),
        ("a reuse that revokes a key", asking("credentials: a, reuse: {action: revoke}")),
        ("a reuse that revokes, or a key", asking("credentials: {any_of: [a, bearer]}, reuse: {action: revoke}")),
        ("a reuse around it that revokes", asking("reuse: {action: revoke}, methods: {GET: {credentials: a}}")),
        ("beside public", asking("credentials: a, public: true")),
        ("in a method", asking("methods: {GET: {credentials: d}}")),
        ("an unknown set in an entry", sets("revocation: {entries: [{credential: d, id: i}]}")),
        ("an unknown id in an entry", sets("revocation: {entries: [{credential: a, id: j}]}")),
        ("an entry without a set", sets("revocation: {entries: [{id: i}]}")),
    ]));
}

#[test]
fn a_configuration_without_issuers_says_what_each_route_asks() {
    let sets = "credentials: [{name: a, api_key: {header: x-a}, identities: [{id: i, secrets: [{env: KEY_20}]}]}]\n";
    for (members, wanted) in [
        ("default: {credentials: a}", None),
        ("default: {deny: true}\nrules: [{match: {path: /}, credentials: a}]", None),
        ("", Some("`default` is missing")),
        ("default: {}", Some("asks for a token, as every requirement without `credentials`")),
        ("default: {credentials: bearer}", Some("names the tokens of all issuers, and there are none")),
        ("default: {credentials: a}\nrules: [{match: {path: /}, scopes: [x]}]", Some("rules[0]: asks for a token")),
        ("default: {credentials: a, methods: {PUT: {}}}", Some("default.methods.PUT: asks for a token")),
    ] {
        let told = read(&format!("{sets}{members}\n")).err();
        match (&told, wanted) {
            (None, None) => {}
            (Some(told), Some(wanted)) => assert!(told.contains(wanted), "{members}: {told}"),
            _ => panic!("{members}: {told:?}"),
        }
    }
    assert!(read("default: {deny: true}\n").is_err(), "without sets there are issuers");
}

#[test]
fn what_is_good_is_accepted() {
    for members in [
        "credentials: {any_of: [bearer, a, {all_of: [b, c]}, {all_of: [k, c]}]}".replace("c]", "a]"),
        "credentials: {any_of: [{all_of: [a, bearer]}, bearer]}, single_use: true, acr_values: [x]".to_owned(),
        "credentials: {any_of: [a, bearer]}, max_token_age: 5m".to_owned(),
        "credentials: {all_of: [a]}".to_owned(),
    ] {
        assert_eq!(read(&asking(&members)).err(), None, "{members}");
    }
}

#[test]
fn ten_thousand_keys_are_read() {
    let identities: Vec<String> = (0..10_000)
        .map(|number| format!("{{id: i{number}, secrets: [{{sha256: \"{number:064x}\"}}], scopes: [a]}}"))
        .collect();
    let loaded = read(&set(&format!("identities: [{}]", identities.join(", ")))).unwrap();
    let mut digest = [0; 32];
    digest[30..].copy_from_slice(&9_999_u16.to_be_bytes());
    let set = &loaded.policy.credentials[0];
    let SetKind::ApiKeys(keys) = &set.kind else { panic!("keys") };
    assert_eq!(keys.find(&digest).map(|secret| set.identities[secret.identity].id.as_str()), Some("i9999"));
}
