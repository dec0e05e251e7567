//! Protected resources (RFC 9728): who may use one, and what a challenge says of it.

use crate::support::issuer::ISSUER;
use crate::world::{Ask, DEMO, OTHER, compiled, config, extend, get, policy, token, with_issuer};
use scopegate::challenge::{self, Terms};
use scopegate::config::{Node, requirement};
use scopegate::decision::{Decision, Reason};
use serde_json::{Value, json};

pub const MCP: &str = "https://mcp.example.com/mcp";
const MCP_METADATA: &str = "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";
const FILES: &str = "https://files.example.com";
const FILES_METADATA: &str = "resource_metadata=\"https://files.example.com/.well-known/oauth-protected-resource\"";
const API: &str = "https://api.example.com";

/// Two issuers, of which one alone has the resources.
pub fn gate(members: Value) -> Value {
    let audiences = [MCP, FILES, API, "id"];
    let resource = |resource: &str| json!({ "resource": resource, "authorization_servers": ["demo"] });
    let mut config =
        with_issuer(json!({ "audiences": audiences }), json!({ "resources": [resource(MCP), resource(FILES)] }));
    let other = json!({ "issuer": "https://other.example.com/", "name": "other", "audiences": audiences, "jwks": { "inline": OTHER.jwks() } });
    config["issuers"].as_array_mut().unwrap().push(other);
    extend(&mut config, members);
    config
}

fn with_audience(audience: Value) -> Ask {
    get("/").bearer(token().claim("aud", audience).sign())
}

/// The challenges to a refusal, with its status.
fn challenges(ask: &Ask, config: &Value) -> (u16, Vec<String>) {
    let loaded = compiled(config);
    let Decision::Deny(refusal) = ask.decide(&loaded.policy) else { panic!("passes: {ask:?}") };
    let terms = Terms::of(&loaded.policy, &loaded.settings.realm);
    let reply = challenge::render(&refusal.denial, &refusal.trace, &terms, false);
    let headers = reply.headers.into_iter().filter(|(name, _)| *name == "www-authenticate");
    (reply.status, headers.map(|(_, value)| value).collect())
}

#[test]
fn a_token_must_be_for_the_resource_exactly() {
    let config = gate(json!({ "default": { "resource": MCP } }));
    for audience in [json!(MCP), json!([API, MCP])] {
        assert_eq!(with_audience(audience.clone()).refused(&config), None, "{audience}");
    }
    for audience in [
        json!(API),
        json!(FILES),
        json!([API, FILES]),
        json!("https://mcp.example.com/mcp/"),
        json!("https://mcp.example.com"),
        json!("HTTPS://mcp.example.com/mcp"),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(with_audience(audience.clone()).refused(&config), Some(Reason::WrongAudience), "{audience}");
    }
}

#[test]
fn its_audiences_stand_in_for_the_identifier() {
    let mut config = gate(json!({ "default": { "resource": MCP } }));
    config["resources"][0]["audiences"] = json!(["id", API]);
    assert_eq!(with_audience(json!("id")).refused(&config), None);
    assert_eq!(with_audience(json!(API)).refused(&config), None);
    assert_eq!(with_audience(json!(MCP)).refused(&config), Some(Reason::WrongAudience), "the identifier is not added");
    // Beside `audiences` of the requirement, both hold.
    config["default"]["audiences"] = json!([FILES, "id"]);
    assert_eq!(with_audience(json!("id")).refused(&config), None);
    for audience in [json!(API), json!(FILES), json!([FILES, API])] {
        assert_eq!(with_audience(audience.clone()).refused(&config), Some(Reason::WrongAudience), "{audience}");
    }
}

#[test]
fn a_token_of_an_issuer_that_the_resource_does_not_name_is_refused() {
    let other = || OTHER.token(crate::world::NOW).claim("iss", "https://other.example.com/").claim("aud", MCP);
    let ask = get("/").bearer(other().sign());
    assert_eq!(ask.refused(&gate(json!({}))), None);
    assert_eq!(ask.refused(&gate(json!({ "default": { "resource": MCP } }))), Some(Reason::UnknownIssuer));
    let mut both = gate(json!({ "default": { "resource": MCP } }));
    both["resources"][0]["authorization_servers"] = json!(["demo", "other"]);
    assert_eq!(ask.refused(&both), None);
    both["default"]["issuers"] = json!(["demo"]);
    assert_eq!(ask.refused(&both), Some(Reason::UnknownIssuer), "`issuers` narrows further");
    assert_eq!(with_audience(json!(MCP)).refused(&both), None);
}

#[test]
fn a_challenge_of_401_or_403_names_the_metadata() {
    let config = gate(json!({ "default": {
        "resource": MCP, "scopes": ["mcp:basic"], "claims": [{ "claim": "role", "equals": "admin" }], "max_auth_age": "5m"
    } }));
    let good = || token().claim("aud", MCP).claim("auth_time", crate::world::NOW);
    let basic = || good().claim("scope", "mcp:basic");
    for (ask, status, beginning) in [
        (get("/"), 401, "Bearer realm=\"api\", scope=\"mcp:basic\", "),
        (get("/").bearer("x"), 401, "Bearer realm=\"api\", error=\"invalid_token\", "),
        (with_audience(json!(API)), 401, "Bearer realm=\"api\", error=\"invalid_token\", "),
        (
            get("/").bearer(basic().claim("auth_time", Value::Null).sign()),
            401,
            "Bearer realm=\"api\", error=\"insufficient_user_authentication\", ",
        ),
        (
            get("/").bearer(good().claim("scope", "x").sign()),
            403,
            "Bearer realm=\"api\", error=\"insufficient_scope\", ",
        ),
        (get("/").bearer(basic().sign()), 403, "Bearer realm=\"api\", "),
    ] {
        let (told_status, told) = challenges(&ask, &config);
        assert_eq!((told_status, told.len()), (status, 1), "{ask:?} {told:?}");
        assert!(told[0].starts_with(beginning) && told[0].ends_with(&format!(", {MCP_METADATA}")), "{told:?}");
        assert_eq!(told, challenges(&ask, &config).1, "clients that compare challenges see the same text");
    }
    let admin = basic().claim("role", "admin").sign();
    assert_eq!(get("/").bearer(&admin).refused(&config), None);
    for (ask, status) in [
        (get("/").header("authorization", "Bearer a b"), 400),
        (get("/?access_token=x"), 400),
        (get("/").bearer(&admin).header("authorization", format!("Bearer {admin}")), 400),
    ] {
        let (told_status, told) = challenges(&ask, &config);
        assert_eq!(told_status, status);
        assert!(!told.concat().contains("resource_metadata"), "{told:?}");
    }
}

#[test]
fn a_requirement_without_a_resource_names_none() {
    let config = gate(json!({ "default": { "resource": MCP, "methods": { "PUT": {} } }, "rules": [
        { "match": { "prefix": "/api" } },
        { "match": { "prefix": "/closed" }, "deny": true },
        { "match": { "prefix": "/files" }, "resource": FILES },
    ] }));
    assert_eq!(challenges(&get("/api"), &config).1, ["Bearer realm=\"api\""]);
    assert_eq!(challenges(&get("/").method("PUT"), &config).1, ["Bearer realm=\"api\""], "as nothing is inherited");
    assert_eq!(challenges(&get("/closed"), &config), (403, vec![]));
    assert_eq!(challenges(&get("/files"), &config).1, [format!("Bearer realm=\"api\", {FILES_METADATA}")]);
    assert_eq!(challenges(&get("/"), &config).1, [format!("Bearer realm=\"api\", {MCP_METADATA}")]);
}

#[test]
fn the_challenges_of_tokens_come_first_and_those_of_keys_name_no_metadata() {
    let digest = "01".repeat(32);
    let keys = json!({ "name": "keys", "api_key": { "header": "x-key" }, "identities": [{ "id": "a", "secrets": [{ "sha256": digest }] }] });
    let members = json!({
        "credentials": [keys],
        "dpop": { "origins": [API] },
        "default": { "resource": MCP, "credentials": { "any_of": ["keys", "bearer"] } },
    });
    let (status, told) = challenges(&get("/"), &gate(members.clone()));
    let algorithms = told[1].split("algs=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("algorithms");
    assert_eq!(status, 401);
    assert_eq!(
        told,
        [
            format!("Bearer realm=\"api\", {MCP_METADATA}"),
            format!("DPoP realm=\"api\", algs=\"{algorithms}\", {MCP_METADATA}"),
            "ApiKey realm=\"api\", header=\"x-key\"".to_owned(),
        ]
    );
    let mut without = members;
    without["default"].as_object_mut().unwrap().remove("resource");
    let (_, told) = challenges(&get("/"), &gate(without));
    assert!(told[0].starts_with("ApiKey ") && told[1].starts_with("Bearer "), "the order of the requirement: {told:?}");
}

#[test]
fn route_metadata_names_a_resource_and_under_restrict_both_hold() {
    let of = |mode: &str, asked: Value| {
        let config = gate(json!({ "route_metadata": mode, "default": { "resource": MCP }, "rules": [
            { "match": { "prefix": "/any" } }
        ] }));
        let added = requirement(&Node::from(asked), &policy(&config), &|_| None).expect("a requirement");
        (config, added)
    };
    let files = json!({ "resource": FILES });
    let (config, added) = of("replace", files.clone());
    assert_eq!(with_audience(json!(FILES)).under(added.clone()).refused(&config), None);
    assert_eq!(challenges(&get("/").under(added), &config).1, [format!("Bearer realm=\"api\", {FILES_METADATA}")]);
    let (config, added) = of("restrict", files);
    for (audience, refused) in [
        (json!(FILES), Some(Reason::WrongAudience)),
        (json!(MCP), Some(Reason::WrongAudience)),
        (json!([MCP, FILES]), None),
    ] {
        assert_eq!(with_audience(audience.clone()).under(added.clone()).refused(&config), refused, "{audience}");
    }
    let base = format!("Bearer realm=\"api\", {MCP_METADATA}");
    assert_eq!(challenges(&get("/").under(added.clone()), &config).1, [base], "that of the rule");
    let only = format!("Bearer realm=\"api\", {FILES_METADATA}");
    assert_eq!(challenges(&get("/any").under(added), &config).1, [only], "that of metadata, if the rule has none");
    let unknown =
        requirement(&Node::from(json!({ "resource": "https://x" })), &policy(&config), &|_| None).expect_err("unknown");
    assert!(unknown.to_string().contains("resource: is not a resource of the configuration"), "{unknown}");
}

#[test]
fn one_issuer_may_stand_for_itself() {
    let mut unnamed = config(json!({ "resources": [{ "resource": API, "authorization_servers": [ISSUER] }] }));
    unnamed["issuers"][0].as_object_mut().unwrap().remove("name");
    assert_eq!(get("/").bearer(DEMO.token(crate::world::NOW).sign()).refused(&unnamed), None);
}
