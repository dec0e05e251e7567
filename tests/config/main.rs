//! Configuration: what is refused, with which words, and that the three forms mean the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "a test fails by a panic, reads a clock, and is a table"
)]

/// Compares with the snapshot of the test, which `INSTA_UPDATE=always` writes anew.
macro_rules! snapshot {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($text) })
    };
}

mod credentials;
mod csrf;
mod events;
mod everything;
mod identities;
mod introspection;
mod mcp;
mod open_streams;
mod passwords;
mod released;
mod replay;
mod request_parts;
mod resources;
mod revocation;
mod router;
mod senders;
mod signatures;
mod status_list;
mod token_places;

use everything::everything;
use prost::Message as _;
use scopegate::config::{Loaded, Node, compile, load, metadata_requirement, read_yaml};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const KEY: &str = "{kty: EC, crv: P-256, kid: a, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}";
/// A whole configuration around one issuer; `members` are further members of the configuration.
fn around(issuer: &str, members: &str) -> String {
    format!("issuers:\n- issuer: https://a/\n  audiences: [b]\n{issuer}\n{members}\n")
}

fn with(members: &str) -> String {
    around(&format!("  jwks: {{inline: {{keys: [{KEY}]}}}}"), members)
}

fn issuer(members: &str) -> String {
    let jwks =
        if members.contains("jwks") { String::new() } else { format!("  jwks: {{inline: {{keys: [{KEY}]}}}}\n") };
    around(&format!("{jwks}  {members}"), "")
}

fn environment(name: &str) -> Option<String> {
    match name {
        "SPACED" => Some(" a b:c/&% ".to_owned()),
        "EMPTY" => Some(" ".to_owned()),
        "LINES" => Some("a\nb".to_owned()),
        "UMLAUT" => Some("ü".to_owned()),
        "KEY_20" => Some("0123456789abcdefghij".to_owned()),
        "KEY_19" => Some("0123456789abcdefghi".to_owned()),
        "KEY_SPACED" => Some("0123456789 abcdefghij".to_owned()),
        "NONCES" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned()),
        "OTHER_NONCES" => Some("EAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned()),
        "SIGNING" => Some("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
        "SHORT" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg".to_owned()),
        "PADDED" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Loaded, String> {
    let node = read_yaml(text).map_err(|error| error.to_string())?;
    compile(&node, &environment).map_err(|error| error.to_string())
}

fn problems(cases: &[(&str, String)]) -> String {
    let mut out = String::new();
    for (name, text) in cases {
        let Err(error) = read(text) else { panic!("{name} is accepted:\n{text}") };
        writeln!(out, "# {name}\n{error}\n").unwrap();
    }
    out
}

#[test]
fn what_is_wrong_with_issuers_is_said() {
    snapshot!(problems(&[
        ("nothing", "{}".into()),
        ("no object", "[]".into()),
        ("no issuer", "issuers: []".into()),
        ("an issuer without anything", "issuers: [{}]".into()),
        ("a misspelt field", issuer("audience_claim: [aud]")),
        ("null", issuer("name: ~")),
        ("the same issuer twice", "issuers:\n- {issuer: https://a/, audiences: [b], jwks: {uri: https://a/k, cluster: a}}\n- {issuer: https://a/, audiences: [b], jwks: {uri: https://a/k, cluster: a}}\n".into()),
        ("the same name twice", "issuers:\n- {issuer: https://a/, name: x, audiences: [b], jwks: {uri: https://a/k, cluster: a}}\n- {issuer: https://b/, name: x, audiences: [b], jwks: {uri: https://a/k, cluster: a}}\n".into()),
        ("empty audiences", "issuers: [{issuer: https://a/, audiences: [], jwks: {uri: https://a/k, cluster: a}}]".into()),
        ("an audience that is a number", "issuers: [{issuer: https://a/, audiences: [1], jwks: {uri: https://a/k, cluster: a}}]".into()),
        ("an empty audience", "issuers: [{issuer: https://a/, audiences: [''], jwks: {uri: https://a/k, cluster: a}}]".into()),
        ("a key twice", around(&format!("  name: a\n  name: b\n  jwks: {{inline: {{keys: [{KEY}]}}}}"), "")),
        ("no signature", issuer("algorithms: [none]")),
        ("an unknown algorithm", issuer("algorithms: [RS265]")),
        ("an algorithm that only the host checks", around(&format!("  algorithms: [ES512]\n  jwks: {{inline: {{keys: [{KEY}]}}}}"), "crypto: wasm")),
        ("no algorithms", issuer("algorithms: []")),
        ("HMAC without secrets", issuer("algorithms: [HS256]")),
        ("secrets without HMAC", issuer("secrets: [{env: SHORT}]")),
        ("a secret that is not set", around("  algorithms: [HS256]\n  secrets: [{env: NOT_SET}]", "")),
        ("a secret that is too short", around("  algorithms: [HS256]\n  secrets: [{env: SHORT}]", "")),
        ("a secret with padding", around("  algorithms: [HS256]\n  secrets: [{env: PADDED}]", "")),
        ("a secret in the open", around("  algorithms: [HS256]\n  secrets: [{kid: a, value: AAAA}]", "")),
        ("too much leeway", issuer("leeway: 6m")),
        ("a number for a duration", issuer("leeway: 10")),
        ("a fraction of a second", issuer("leeway: 500ms")),
        ("a duration without unit", issuer("max_lifetime: '60'")),
        ("types that are no list", issuer("token_types: at+jwt")),
        ("a claim that is a number", issuer("required_claims: [1]")),
        ("an empty claim path", issuer("scope_claims: [[]]")),
        ("id_tokens in quotes", issuer("id_tokens: 'true'")),
    ]));
}

#[test]
fn what_is_wrong_with_keys_is_said() {
    snapshot!(problems(&[
        ("no keys", around("", "")),
        ("empty jwks", issuer("jwks: {}")),
        ("both sources", issuer(&format!("jwks: {{inline: {{keys: [{KEY}]}}, uri: https://a/k, cluster: a}}"))),
        ("discovery and a uri", issuer("jwks: {discovery: {cluster: a}, uri: https://a/k, cluster: a}")),
        ("discovery and a cluster beside it", issuer("jwks: {discovery: {cluster: a}, cluster: a}")),
        ("discovery without a cluster", issuer("jwks: {discovery: {jwks_cluster: a}}")),
        ("discovery that is a flag", issuer("jwks: {discovery: true}")),
        (
            "discovery of an issuer that is no address",
            "issuers: [{issuer: legacy, audiences: [a], jwks: {discovery: {cluster: a}}}]".into()
        ),
        (
            "discovery of an issuer with a query",
            "issuers: [{issuer: 'https://a/?t=1', audiences: [a], jwks: {discovery: {cluster: a}}}]".into()
        ),
        (
            "discovery beside secrets",
            issuer("algorithms: [HS256]\n  secrets: [{env: GOOD}]\n  jwks: {discovery: {cluster: a}}")
        ),
        ("refresh beside inline", issuer(&format!("jwks: {{inline: {{keys: [{KEY}]}}, refresh: 1m}}"))),
        ("no cluster", issuer("jwks: {uri: https://a/k}")),
        ("a uri without scheme", issuer("jwks: {uri: a/k, cluster: a}")),
        ("a uri with a password", issuer("jwks: {uri: 'https://u:p@a/k', cluster: a}")),
        ("a uri with a fragment", issuer("jwks: {uri: 'https://a/k#x', cluster: a}")),
        ("a uri of another scheme", issuer("jwks: {uri: 'file:///etc/passwd', cluster: a}")),
        (
            "a period out of range",
            issuer("jwks: {uri: https://a/k, cluster: a, refresh: 0s, timeout: 10ms, max_stale: 1000h}")
        ),
        ("no key set", issuer("jwks: {inline: {}}")),
        ("text that is no key set", issuer("jwks: {inline: 'x'}")),
        ("a list", issuer("jwks: {inline: []}")),
        ("nothing usable", issuer("jwks: {inline: {keys: [{kty: oct, k: AAAA}]}}")),
        ("nothing for the algorithms", issuer(&format!("algorithms: [RS256]\n  jwks: {{inline: {{keys: [{KEY}]}}}}"))),
        (
            "an interval beside inline",
            issuer(&format!("jwks: {{inline: {{keys: [{KEY}]}}, unknown_kid_interval: 30s}}"))
        ),
        ("an interval out of range", issuer("jwks: {uri: https://a/k, cluster: a, unknown_kid_interval: 2h}")),
    ]));
}

#[test]
fn what_is_wrong_with_rules_is_said() {
    snapshot!(problems(&[
        ("a rule without match", with("rules: [{public: true}]")),
        ("an empty match", with("rules: [{match: {}, public: true}]")),
        ("two paths", with("rules: [{match: {path: /a, prefix: /b}}]")),
        ("a misspelt match", with("rules: [{match: {pathprefix: /a}}]")),
        ("a path without slash", with("rules: [{match: {path: a}}]")),
        ("a path with a query", with("rules: [{match: {path: '/a?b'}}]")),
        (
            "an ambiguous path",
            with("rules: [{match: {prefix: /a/../b}}, {match: {prefix: //}}, {match: {path: '/a%2Fb'}}]")
        ),
        ("a path that is not normalised", with("rules: [{match: {path: '/%61'}}]")),
        ("an escape in lower case", with("paths: {allow: [encoded_slash]}\nrules: [{match: {path: '/a%2fb'}}]")),
        ("a separated prefix with a slash", with("rules: [{match: {path_separated_prefix: /a/}}]")),
        (
            "a bad template",
            with("rules: [{match: {template: '/{a=*}'}}, {match: {template: '/**/*'}}, {match: {template: '/{a'}}]")
        ),
        (
            "a template that no request matches",
            with(
                "rules: [{match: {template: '/%61dmin/{x}'}}, {match: {template: '/a%2fb/*'}}, {match: {template: '/a/../b'}}]"
            )
        ),
        (
            "ignore_case without a path",
            with("rules: [{match: {route: a, ignore_case: true}}, {match: {template: /a, ignore_case: true}}]")
        ),
        ("a regular expression", with("rules: [{match: {regex: /a}}]")),
        ("a host with a port", with("rules: [{match: {host: 'a:80'}}, {match: {host: '*'}}, {match: {host: '*.'}}]")),
        ("a method in lower case", with("rules: [{match: {methods: [get]}}]")),
        ("no methods", with("rules: [{match: {methods: []}}]")),
        ("public beside scopes", with("default: {public: true, scopes: [a]}")),
        ("public and deny", with("default: {public: true, deny: true}")),
        ("deny beside report_only", with("default: {deny: true, report_only: true}")),
        ("a scope that is text", with("default: {scopes: a}")),
        ("scopes in one text", with("default: {scopes: ['a b']}")),
        ("empty alternatives", with("default: {scopes: {any_of: []}}")),
        ("empty all_of", with("default: {scopes: {all_of: []}}")),
        ("both", with("default: {scopes: {any_of: [a], all_of: [b]}}")),
        ("an unknown issuer", with("default: {issuers: [nobody]}")),
        ("a claim without condition", with("default: {claims: [{claim: a}]}")),
        (
            "a claim that contains several",
            with("default: {claims: [{claim: a, contains: [1, 2]}, {claim: b, contains_any: 1}]}")
        ),
        (
            "a claim with a member that is none",
            with("default: {claims: [{claim: a, has_member: [b]}, {claim: b, has_any_member: []}]}")
        ),
        ("a path through a list where none is read", issuer("required_claims: [[a, '[]', b]]")),
        ("a claim with two", with("default: {claims: [{claim: a, equals: 1, contains: 2}]}")),
        ("a claim that equals a list", with("default: {claims: [{claim: a, equals: [1]}, {claim: a, equals: ~}]}")),
        ("methods in methods", with("default: {methods: {GET: {methods: {POST: {}}}}}")),
        ("a method that is none", with("default: {methods: {'G T': {}}}")),
        ("an age of nothing", with("default: {max_token_age: 0s}")),
        (
            "everything wrong at once",
            with(
                "default: {scopes: 1, claims: 1, issuers: 1, audiences: 1, token_types: 1, max_lifetime: 1, max_token_age: 1, single_use: 1, methods: 1, allow_missing: 1, report_only: 1, jwt_allowed_in: 1}"
            )
        ),
    ]));
}

#[test]
fn what_is_wrong_with_the_rest_is_said() {
    snapshot!(problems(&[
        ("an unknown field", with("issuer: x")),
        ("an unknown word", with("route_metadata: merge")),
        ("a word that YAML takes for a boolean", with("route_metadata: off")),
        ("report_only as text", with("report_only: 'on'")),
        (
            "a forwarded header that is reserved",
            with(
                "forward: {headers: {Host: sub, Authorization: sub, x-forwarded-for: sub, X_Envoy_Foo: sub, ':path': sub, 'a b': sub, '': sub}}"
            )
        ),
        ("headers that are one header", with("forward: {headers: {x-user: sub, X_User: sub}}")),
        (
            "a header that is not removed",
            with(
                "forward: {headers: {x-user: sub}, remove: [X_User, authorization, x-forwarded-for, x-envoy-peer, ':path', 'a b', 1]}"
            ),
        ),
        ("a header of nothing", with("forward: {headers: {x-user: 1}}")),
        ("a token that is dropped", with("forward: {token: drop}")),
        ("somebody else who edits", with("forward: {by: envoy}")),
        ("headers of one key, for a router", with("forward: {by: router, headers: {x-user: sub, x-auth-user: sub}}")),
        (
            "report_only beside a router that edits",
            with(
                "forward: {by: router}\nreport_only: true\ndefault: {methods: {GET: {report_only: true}, PUT: {report_only: false}}}\nrules:\n- {match: {path: /a}, public: true}\n- {match: {path: /b}, report_only: true}"
            )
        ),
        ("a seal as text", with("seal: 'true'")),
        ("a realm that breaks out", with("challenge: {realm: 'a\"b'}")),
        ("a form that is not admitted", with("paths: {allow: [backslash]}")),
        (
            "limits out of range",
            with(
                "limits: {token_bytes: 1, jwks_bytes: 0, jwks_keys: 0, waiting_requests: -1, denial_logs_per_second: 1001, wasm_crypto_percent: 0}"
            )
        ),
        ("a limit that is no whole number", with("limits: {token_bytes: 1e4, jwks_keys: '5'}")),
        ("crypto", with("crypto: cpu")),
        ("a cache", with("cache: {entries: -1, bytes: 1000, size: 3}")),
        ("a cache that is off", with("cache: false")),
        (
            "audit",
            with(
                "audit: {subject: md5, filter_state: true, record: json, fields: [decision, fingerprnt, token], log: true, log_sample: 0}"
            )
        ),
        ("a name that always carries a token", with("query_tokens: {jwt_allowed_in: [access_token], names: [1]}")),
        ("not YAML", "issuers: [".into()),
    ]));
}

#[test]
fn all_problems_are_told_and_not_only_the_first() {
    let error = read("issuers: [{issuer: 1, audiences: 2, leeway: 3}]\nrules: 4\nforward: 5\n").unwrap_err();
    assert_eq!(error.lines().count(), 6, "{error}");
}

#[test]
fn warnings_name_the_keys_that_are_left_out() {
    let text = around(&format!("  jwks: {{inline: {{keys: [{{kty: oct, k: AAAA}}, {KEY}]}}}}"), "");
    let loaded = read(&text).unwrap();
    assert_eq!(
        loaded.warnings,
        ["issuers[0].jwks.inline.keys[0] is left out: a symmetric key: a published secret is no secret"]
    );
}

#[test]
fn struct_json_and_yaml_mean_the_same() {
    let node = read_yaml(&everything()).unwrap();
    let from_yaml = format!("{:?}", compile(&node, &environment).unwrap().policy);
    let json = node.value.to_json();
    let from_json = format!("{:?}", load(json.to_string().as_bytes(), &environment).unwrap().policy);
    let from_struct = format!("{:?}", load(&to_struct(&json).encode_to_vec(), &environment).unwrap().policy);
    assert_eq!(from_yaml, from_json);
    assert_eq!(from_yaml, from_struct);
}

#[test]
fn every_field_is_in_the_configuration_with_every_field() {
    let text = everything();
    for shape in scopegate::config::fields::ALL {
        for field in shape.fields.iter().filter(|field| !matches!(**field, "secrets" | "env" | "kid")) {
            assert!(text.contains(&format!("{field}:")), "{} of {}", field, shape.name);
        }
    }
}

#[test]
fn bytes_that_are_no_configuration_are_refused() {
    for bytes in [
        &b""[..],
        b" ",
        b"[]",
        b"null",
        b"{",
        b"\x0a\xff",
        b"\xff\xff",
        b"{\"issuers\":[],\"issuers\":[]}",
        b"\n{\"issuers\":1}",
    ] {
        assert!(load(bytes, &environment).is_err(), "{bytes:?}");
    }
}

#[test]
fn metadata_is_read_from_its_message() {
    let policy = read(&with("")).unwrap().policy;
    let metadata = |namespace: &str, json: serde_json::Value| {
        let entry = Entries { filter_metadata: BTreeMap::from([(namespace.to_owned(), to_struct(&json))]) };
        metadata_requirement(&entry.encode_to_vec(), &policy, &|_| None)
    };
    assert!(metadata("scopegate", serde_json::json!({ "scopes": ["a"] })).unwrap().is_some());
    assert!(metadata("other", serde_json::json!({ "scopes": 1 })).unwrap().is_none());
    assert!(metadata("scopegate", serde_json::json!({ "scopes": 1 })).is_err());
    assert!(metadata_requirement(b"", &policy, &|_| None).unwrap().is_none());
    assert!(metadata_requirement(b"\xff\xff", &policy, &|_| None).is_err());
}

/// `envoy.config.core.v3.Metadata`
#[derive(Clone, PartialEq, prost::Message)]
struct Entries {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, prost_types::Struct>,
}

fn to_struct(json: &serde_json::Value) -> prost_types::Struct {
    let members = json.as_object().unwrap().iter();
    prost_types::Struct { fields: members.map(|(name, value)| (name.clone(), to_value(value))).collect() }
}

fn to_value(json: &serde_json::Value) -> prost_types::Value {
    use prost_types::value::Kind;
    use serde_json::Value;
    let kind = match json {
        Value::Null => Kind::NullValue(0),
        Value::Bool(flag) => Kind::BoolValue(*flag),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => Kind::ListValue(prost_types::ListValue { values: items.iter().map(to_value).collect() }),
        Value::Object(_) => Kind::StructValue(to_struct(json)),
    };
    prost_types::Value { kind: Some(kind) }
}

#[test]
fn a_tree_knows_its_json() {
    let json = serde_json::json!({ "a": [1, "b", true, null, 0.5] });
    assert_eq!(Node::from(json.clone()).value.to_json(), json);
}
