//! The metadata of resources (RFC 9728), which the gate serves itself.

use crate::world::{Ask, compiled, config, extend, get, reported, token, with_issuer};
use scopegate::audit::{AuditRecord, Outcome};
use scopegate::challenge::{self, Reply};
use scopegate::decision::{Basis, Decision, Reason};
use scopegate::policy::AuditSettings;
use serde_json::{Value, json};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A gate with these resources of one issuer.
fn gate(resources: &[&str], members: Value) -> Value {
    let listed = |resource: &&str| json!({ "resource": resource, "authorization_servers": ["demo"] });
    let resources_of: Vec<Value> = resources.iter().map(listed).collect();
    let mut config = with_issuer(json!({ "audiences": resources }), json!({ "resources": resources_of }));
    extend(&mut config, members);
    config
}

fn mcp(members: Value) -> Value {
    gate(&["https://mcp.example.com/mcp"], members)
}

fn at(authority: &str, below: &str) -> Ask {
    get(&format!("{WELL_KNOWN}{below}")).header(":authority", authority)
}

fn decided(ask: &Ask, config: &Value) -> Decision {
    ask.decide_under(config)
}

/// What a request that is answered gets.
fn served(ask: &Ask, config: &Value) -> Reply {
    match decided(ask, config) {
        Decision::Serve(served) => challenge::metadata(&served, &compiled(config).policy),
        other => panic!("not served: {ask:?}: {other:?}"),
    }
}

/// The document that a request gets.
fn document(ask: &Ask, config: &Value) -> Value {
    let reply = served(ask, config);
    assert_eq!(reply.status, 200);
    serde_json::from_str(&reply.body).expect("JSON")
}

fn header<'r>(reply: &'r Reply, wanted: &str) -> Option<&'r str> {
    reply.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
}

#[test]
fn the_document_is_served_whatever_the_credential() {
    let config = mcp(json!({}));
    let wanted = json!({
        "resource": "https://mcp.example.com/mcp",
        "authorization_servers": ["https://issuer.example.com/"],
        "bearer_methods_supported": ["header"],
    });
    let ask = || at("mcp.example.com", "/mcp");
    for ask in [
        ask(),
        ask().method("HEAD"),
        ask().bearer("x"),
        ask().bearer(token().claim("exp", 1).sign()),
        ask().bearer(token().sign()),
        ask().header("authorization", "Basic x").header("authorization", "Bearer y"),
        at("mcp.example.com:443", "/mcp"),
        at("MCP.example.com", "/mcp"),
        at("mcp.example.com", "/mcp?x=1"),
    ] {
        assert_eq!(document(&ask, &config), wanted, "{ask:?}");
    }
    let reply = served(&ask(), &config);
    assert_eq!(header(&reply, "content-type"), Some("application/json"));
    assert_eq!(header(&reply, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&reply, "www-authenticate"), None);
}

#[test]
fn other_methods_are_answered_too() {
    let config = mcp(json!({ "bypass_cors_preflight": true, "rules": [{ "match": { "prefix": "/" }, "deny": true }] }));
    let reply = served(&at("mcp.example.com", "/mcp").method("OPTIONS"), &config);
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    assert_eq!(
        reply.headers,
        [
            ("access-control-allow-origin", "*".to_owned()),
            ("access-control-allow-methods", "GET".to_owned()),
            ("access-control-allow-headers", "mcp-protocol-version".to_owned()),
        ]
    );
    for method in ["POST", "PUT", "DELETE", "get", "PROPFIND"] {
        let reply = served(&at("mcp.example.com", "/mcp").method(method), &config);
        assert_eq!((reply.status, header(&reply, "allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
        assert_eq!(reply.body, "");
    }
}

#[test]
fn it_says_what_the_policy_makes_true_and_nothing_empty() {
    let dpop = json!({ "origins": ["https://mcp.example.com"], "algorithms": ["ES256", "EdDSA"] });
    let ask = || at("mcp.example.com", "/mcp");
    let bound = |constraint: &str| {
        let mut config = mcp(json!({ "dpop": dpop }));
        config["issuers"][0]["sender_constraint"] = json!(constraint);
        document(&ask(), &config)
    };
    let members = |document: &Value| document.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let always = ["authorization_servers", "bearer_methods_supported", "resource"];
    assert_eq!(members(&document(&ask(), &mcp(json!({})))), always);
    assert_eq!(bound("if_bound")["dpop_signing_alg_values_supported"], json!(["ES256", "EdDSA"]));
    assert_eq!(members(&bound("if_bound")).len(), 4);
    assert_eq!(bound("dpop")["dpop_bound_access_tokens_required"], json!(true));
    assert_eq!(members(&bound("dpop")).len(), 5);
    assert_eq!(bound("mtls")["tls_client_certificate_bound_access_tokens"], json!(true));
    assert_eq!(members(&bound("mtls")).len(), 5);
    let mut config = mcp(json!({}));
    config["resources"][0]["scopes_supported"] = json!(["mcp:basic", "b"]);
    assert_eq!(document(&ask(), &config)["scopes_supported"], json!(["mcp:basic", "b"]));
    // A token in a header of its own is not where RFC 6750 has it.
    config["issuers"][0]["token_header"] = json!({ "name": "x-token" });
    let told = document(&ask(), &config);
    assert_eq!(members(&told), ["authorization_servers", "resource", "scopes_supported"], "{told}");
}

#[test]
fn the_host_that_is_asked_chooses_among_resources_and_changes_nothing_in_a_document() {
    let config =
        gate(&["https://a.example.com/mcp", "https://b.example.com:8443/mcp", "https://b.example.com"], json!({}));
    for (authority, below, resource) in [
        ("a.example.com", "/mcp", "https://a.example.com/mcp"),
        ("b.example.com:8443", "/mcp", "https://b.example.com:8443/mcp"),
        ("b.example.com", "", "https://b.example.com"),
    ] {
        let ask = at(authority, below)
            .header("host", "evil.com")
            .header("x-forwarded-host", "evil.com")
            .header("x-forwarded-proto", "http")
            .header("forwarded", "host=evil.com;proto=http");
        let told = document(&ask, &config);
        assert_eq!(told["resource"], resource);
        assert!(!told.to_string().contains("evil"), "{told}");
    }
    for (authority, below) in [
        ("b.example.com", "/mcp"),
        ("a.example.com:8443", "/mcp"),
        ("a.example.com:80", "/mcp"),
        ("a.example.com", ""),
        ("a.example.com", "/"),
        ("a.example.com", "/mcp/"),
        ("a.example.com", "/mcp/x"),
        ("a.example.com", "/MCP"),
        ("a.example.com", "/%6dcp"),
        ("a.example.com", "//mcp"),
        ("a.example.com.", "/mcp"),
        ("a.example.com.evil.com", "/mcp"),
        ("u@a.example.com", "/mcp"),
        ("evil.com", "/mcp"),
        ("", "/mcp"),
    ] {
        assert_eq!(at(authority, below).refused(&config), Some(Reason::NoMetadata), "{authority} {below}");
    }
}

#[test]
fn clients_leave_out_the_slash_at_the_end() {
    let config = gate(&["https://a/mcp/", "https://b/"], json!({}));
    for (authority, below, resource) in
        [("a", "/mcp/", "https://a/mcp/"), ("a", "/mcp", "https://a/mcp/"), ("b", "", "https://b/")]
    {
        assert_eq!(document(&at(authority, below), &config)["resource"], resource);
    }
    assert_eq!(at("b", "/").refused(&config), Some(Reason::NoMetadata));
}

#[test]
fn where_there_is_no_metadata_a_client_is_told_so_without_a_challenge() {
    let config = mcp(json!({}));
    for ask in [
        at("mcp.example.com", ""),
        at("mcp.example.com", "/"),
        at("mcp.example.com", "/other"),
        at("mcp.example.com", "").method("POST"),
        at("mcp.example.com", "").bearer("x"),
        at("mcp.example.com", "").bearer(token().claim("aud", "https://mcp.example.com/mcp").sign()),
    ] {
        let Decision::Deny(refusal) = decided(&ask, &config) else { panic!("{ask:?}") };
        let terms = challenge::Terms::of(&compiled(&config).policy, "api");
        let reply = challenge::render(&refusal.denial, &refusal.trace, &terms, false);
        assert_eq!((refusal.denial.reason(), reply.status), (Reason::NoMetadata, 404), "{ask:?}");
        assert_eq!(header(&reply, "www-authenticate"), None, "{ask:?}");
    }
    for target in ["/.well-known/oauth-protected-resource-x", "/.well-known/oauth-authorization-server", "/x"] {
        let ask = get(target).header(":authority", "mcp.example.com");
        assert_eq!(ask.refused(&config), Some(Reason::NoCredential), "{target}");
    }
    let denied = mcp(json!({ "default": { "deny": true } }));
    assert_eq!(at("mcp.example.com", "").refused(&denied), Some(Reason::NoMetadata));
}

#[test]
fn a_public_route_there_is_public() {
    let config = mcp(json!({ "rules": [{ "match": { "prefix": "/.well-known" }, "public": true }] }));
    let ask = at("mcp.example.com", "/other");
    assert!(matches!(decided(&ask, &config), Decision::Allow(grant) if grant.basis == Basis::Public));
    assert_eq!(document(&at("mcp.example.com", "/mcp"), &config)["resource"], "https://mcp.example.com/mcp");
    let ambiguous = at("mcp.example.com", "/../../x");
    assert_eq!(ambiguous.refused(&config), Some(Reason::AmbiguousPath), "as everywhere");
}

#[test]
fn without_resources_the_addresses_are_as_any_other() {
    assert_eq!(at("api.example.com", "").refused(&config(json!({}))), Some(Reason::NoCredential));
    let good = at("api.example.com", "/x").bearer(token().sign());
    assert_eq!(good.refused(&config(json!({}))), None);
}

#[test]
fn a_token_in_the_query_is_refused_there_too() {
    let config = mcp(json!({}));
    for below in ["/mcp?access_token=x", "?access_token=x", "/other?bearer_token=x"] {
        assert_eq!(at("mcp.example.com", below).refused(&config), Some(Reason::TokenInQuery), "{below}");
    }
    let jwt = format!("/mcp?x={}", token().sign());
    assert_eq!(at("mcp.example.com", &jwt).refused(&config), Some(Reason::TokenInQuery));
}

#[test]
fn report_only_serves_the_document_and_reports_where_there_is_none() {
    let config = mcp(json!({ "report_only": true }));
    assert_eq!(document(&at("mcp.example.com", "/mcp"), &config)["resource"], "https://mcp.example.com/mcp");
    assert_eq!(reported(&at("mcp.example.com", "").granted(&config)), Some(Reason::NoMetadata));
    let of_one = mcp(json!({ "default": { "report_only": true } }));
    assert_eq!(at("mcp.example.com", "").refused(&of_one), Some(Reason::NoMetadata), "no requirement decides this");
}

#[test]
fn what_is_served_is_counted_and_recorded_as_such() {
    let config = mcp(json!({}));
    let decision = decided(&at("mcp.example.com", "/mcp").bearer("x"), &config);
    assert_eq!(Outcome::of(&decision), Some(Outcome::Served));
    let policy = compiled(&config).policy;
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").expect("a record");
    assert_eq!(record.to_json(), "{\"decision\":\"serve\"}");
    assert_eq!(Outcome::Served.counter(), "scopegate.metadata_served");
}
