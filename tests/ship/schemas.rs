//! The schemas of the configuration and of requirements against the reader: on thousands of configurations that are right, or
//! wrong in one place, both give the same verdict, as far as a schema can say it.

use crate::support::envoy::root;
use crate::validate;
use scopegate::base;
use scopegate::config::{self, ConfigError};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the reader refuses and a schema cannot: a part of the reader's words, and why.
const UNSAID: &[(&str, &str)] = &[
    ("is not the name of an issuer", "it refers to another part of the document"),
    ("has the same `issuer`", "it compares parts of the document"),
    ("has the same `name`", "it compares parts of the document"),
    ("revokes nothing: its `iss`", "it refers to another part of the document"),
    ("has no key for the algorithms", "it looks into a key set"),
    ("lists an HS algorithm without `secrets`", "it depends on the algorithms"),
    ("has `secrets` and lists no HS algorithm", "it depends on the algorithms"),
    ("stands beside `secrets`", "it depends on the algorithms"),
    ("names an environment variable", "it looks at the environment"),
    ("write a duration from", "a pattern cannot compare numbers"),
    ("needs an issuer that is an http or https address", "it compares parts of the document"),
    ("and the configuration has no `dpop`", "it compares parts of the document"),
    ("is the same address as one before it", "it compares addresses"),
    ("is not an http or https address without user information", "no pattern says it"),
    ("is checked by the host only", "it compares parts of the document"),
    ("differs from another header only in -, _ or case", "it compares names"),
    ("cannot be set from a claim", "the list is the reader's"),
    ("is not a header of an identity", "the list is the reader's"),
    ("is not a template", "no pattern says it"),
    ("is not a variable of the template", "it refers to another part of the document"),
    ("names a variable where there is no template", "it refers to another part of the document"),
    ("has no keys: no list could be used", "it looks into a key set"),
    ("write the JSON Web Key Set", "it looks into a key set"),
];

/// A configuration with every field, in every form.
fn whole() -> Value {
    let keys =
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] });
    json!({
        "issuers": [
            {
                "issuer": "https://a.example.com/", "name": "a", "audiences": ["x"],
                "audience_claims": ["aud", ["a", "b"]],
                "jwks": { "uri": "https://a.example.com/jwks?a=b", "cluster": "a", "refresh": "10m", "timeout": "250ms",
                    "max_stale": "24h", "unknown_kid_interval": "30s" },
                "algorithms": ["RS256", "EdDSA"], "token_types": ["at+jwt", "missing"], "id_tokens": false,
                "leeway": "10s", "max_lifetime": "1h", "required_claims": ["sub"], "scope_claims": ["scope"], "sender_constraint": "required",
                "status_list": {
                    "clusters": [{ "uri_prefix": "https://a.example.com/lists/", "cluster": "a" }], "refresh": "5m",
                    "timeout": "2s", "max_bytes": 1024, "max_stale": "1h", "when_stale": "deny", "max_lists": 4,
                },
            },
            {
                "issuer": "https://b.example.com/", "audiences": ["x"],
                "jwks": { "discovery": { "cluster": "b", "jwks_cluster": "c" }, "refresh": "1m" },
            },
            { "issuer": "c", "audiences": ["x"], "jwks": { "inline": keys } },
            { "issuer": "d", "audiences": ["x"], "jwks": { "inline": keys.to_string() } },
            { "issuer": "e", "audiences": ["x"], "algorithms": ["HS256"], "secrets": [{ "kid": "k", "env": "SECRET" }] },
        ],
        "credentials": [
            { "name": "partners", "api_key": [{ "header": "x-api-key" }, { "scheme": "ApiKey", "prefix": "ak-" }],
                "scopes": ["a"],
                "identities": { "uri": "https://i.example.com/partners", "cluster": "i", "signed_by": keys,
                    "refresh": "10s", "timeout": "2s", "max_bytes": 1024, "max_stale": "1h" } },
            { "name": "workloads", "mtls": {}, "identities": { "uri": "https://i.example.com/", "cluster": "i" } },
        ],
        "default": { "deny": true },
        "rules": [
            { "match": { "path": "/a", "ignore_case": true, "methods": ["GET"] }, "public": true, "jwt_allowed_in": ["request"] },
            {
                "match": { "prefix": "/b", "route": "r", "virtual_host": "v", "host": "*.example.com" },
                "scopes": ["s", { "any_of": ["t", { "all_of": ["u"] }] }],
                "claims": [{ "claim": "c", "equals": 1 }, { "claim": ["a", "b"], "contains": "x" },
                    { "claim": "d", "one_of": [true, "y"] },
                    { "claim": "e", "contains_any": ["x"] }, { "claim": "f", "has_member": "m" },
                    { "claim": "g", "has_any_member": ["m"] }, { "claim": "h", "equals_host": "*.example.com" }],
                "issuers": ["a"], "audiences": ["x"], "token_types": ["JWT"], "max_lifetime": "5m", "max_token_age": "5m",
                "single_use": true,
                "sender_constraint": "dpop", "acr_values": ["phr"], "max_auth_age": "5m",
                "methods": { "GET": { "scopes": ["r"] }, "PUT": { "deny": true } },
                "allow_missing": false, "report_only": false, "public": false, "deny": false,
            },
            { "match": { "path_separated_prefix": "/c" }, "scopes": { "any_of": ["x"] } },
            { "match": { "template": "/d/{x}/**" }, "claims": [{ "claim": "c", "equals_path": "x" }] },
        ],
        "route_metadata": "replace",
        "query_tokens": { "names": ["t"], "jwt_allowed_in": ["request"] },
        "forward": { "token": "strip", "remove": ["x-forwarded-user"], "headers": { "x-auth-subject": "sub", "x-roles": ["realm_access", "roles"] }, "by": "filter" },
        "seal": false,
        "dpop": {
            "origins": ["https://a.example.com", "http://b:8080/svc"], "algorithms": ["ES256"], "max_age": "60s",
            "max_ahead": "10s", "nonce": { "secret": { "env": "SECRET" }, "lifetime": "5m" },
        },
        "mtls": { "forwarded": {
            "header": "client-cert", "from": ["spiffe://example.com/front", "01".repeat(32), vec!["AB"; 32].join(":")],
        } },
        "challenge": { "realm": "api" },
        "bypass_cors_preflight": false,
        "paths": { "allow": ["encoded_slash", "semicolon"] },
        "report_only": false,
        "crypto": "auto",
        "cache": { "entries": 100, "bytes": 65536 },
        "revocation": {
            "entries": [
                { "iss": "c", "jti": "a", "until": 7, "reason": "lost" },
                { "fingerprint": "FvdA9cRn0Ls45XKidPuQiq" },
                { "iss": "c", "sub": "a", "issued_before": 5 },
                { "iss": "c", "sid": "a" },
                { "iss": "c", "client_id": "a", "issued_before": 5 },
                { "iss": "c", "kid": "a" },
            ],
            "lists": [{ "name": "l", "uri": "https://l.example.com/", "cluster": "l", "refresh": "10s", "timeout": "2s",
                "max_bytes": 1024, "max_stale": "1h", "when_stale": "deny", "signed_by": keys }],
        },
        "replay": { "entries": 1000 },
        "shared_keys": "auto",
        "limits": { "token_bytes": 8192, "jwks_bytes": 1024, "jwks_keys": 1, "waiting_requests": 0,
            "denial_logs_per_second": 0, "wasm_crypto_percent": 100 },
        "audit": { "subject": "plain", "filter_state": "all", "record": "object" },
    })
}

/// The places of all values, as JSON pointers; a key set is one value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    if at.ends_with("/inline") || at.ends_with("/signed_by") {
        return;
    }
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| places(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// `whole`, and it with one thing changed in each of its places.
fn changed(whole: &Value) -> Vec<Value> {
    let values = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(1_000_000_000_000_i64),
        json!(""),
        json!("zz"),
        json!("a b"),
        json!("é"),
        json!("5s"),
        json!("/x"),
        json!([]),
        json!(["zz"]),
        json!([[]]),
        json!({}),
        json!({ "zz": 1 }),
    ];
    let mut places_of = Vec::new();
    places(whole, "", &mut places_of);
    let mut all = vec![whole.clone()];
    for place in &places_of {
        let mut add = |change: &dyn Fn(&mut Value)| {
            let mut other = whole.clone();
            change(&mut other);
            all.push(other);
        };
        for value in &values {
            add(&|other| *other.pointer_mut(place).unwrap() = value.clone());
        }
        if let Some(Value::Object(members)) = whole.pointer(place) {
            for name in members.keys() {
                add(&|other| drop(other.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(name)));
            }
            let fields =
                ["zz", "deny", "public", "methods", "scopes", "cluster", "path", "equals", "inline", "GET", "jti"];
            for name in fields {
                for value in [json!(true), json!("/zz"), json!({ "scopes": [] })] {
                    add(&|other| other.pointer_mut(place).unwrap()[name] = value.clone());
                }
            }
        }
    }
    all
}

/// Fails where the schema and the reader give other verdicts than [`UNSAID`] allows. Returns how many both take and refuse.
fn compare(schema: &str, documents: &[Value], read: impl Fn(&Value) -> Result<(), ConfigError>) -> [usize; 2] {
    let lines = documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let output = validate(&["lines", root().join(schema).to_str().unwrap()], lines.as_bytes());
    let verdicts = String::from_utf8(output.stdout).unwrap();
    assert_eq!(verdicts.lines().count(), documents.len());
    let (mut both, mut differences) = ([0; 2], BTreeMap::new());
    for (document, verdict) in documents.iter().zip(verdicts.lines()) {
        match (verdict == "true", read(document)) {
            (true, Ok(())) => both[0] += 1,
            (false, Err(_)) => both[1] += 1,
            (false, Ok(())) => drop(differences.insert("the reader takes it".to_owned(), document.to_string())),
            (true, Err(error)) => {
                let said = error.to_string();
                if !UNSAID.iter().any(|(words, _)| said.contains(words)) {
                    differences.insert(said, document.to_string());
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}: {differences:#?}", differences.len());
    both
}

fn environment(name: &str) -> Option<String> {
    (name == "SECRET").then(|| "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned())
}

#[test]
fn the_schema_of_the_configuration_takes_what_the_reader_takes() {
    let read = |document: &Value| config::load(document.to_string().as_bytes(), &environment).map(drop);
    assert_eq!(read(&whole()), Ok(()));
    let [taken, refused] = compare("envoy/scopegate.schema.json", &changed(&whole()), read);
    assert!(taken > 200 && refused > 2000, "{taken} {refused}");
}

#[test]
fn the_schema_of_a_requirement_takes_what_the_reader_takes() {
    let policy = config::load(whole().to_string().as_bytes(), &environment).unwrap().policy;
    let read = |document: &Value| {
        let node = config::Node::from(base::json::parse(document.to_string().as_bytes()).unwrap());
        config::requirement(&node, &policy, &environment).map(drop)
    };
    let mut requirements = Vec::new();
    for rule in whole()["rules"].as_array().unwrap() {
        let mut requirement = rule.clone();
        requirement.as_object_mut().unwrap().remove("match");
        // Outside a rule there is no template, so its variables cannot be named.
        let is_good = !requirement.to_string().contains("equals_path");
        assert_eq!(read(&requirement).is_ok(), is_good, "{requirement}");
        requirements.extend(changed(&requirement));
    }
    let [taken, refused] = compare("envoy/requirement.schema.json", &requirements, read);
    assert!(taken > 50 && refused > 500, "{taken} {refused}");
}
