//! The metadata of resources (RFC 9728): what clients of a real Envoy get, and what a real client makes of it.

use crate::gate::{configuration, start};
use crate::support::client::{Response, request};
use crate::support::envoy::{Envoy, Gate, root};
use crate::support::issuer::{ISSUER, Issuer, now};
use crate::support::node;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::process::{Command, Stdio};

const MCP: &str = "https://mcp.example.com/mcp";
const AT: &str = "/.well-known/oauth-protected-resource/mcp";

fn gate(issuer: &Issuer, members: Value) -> Gate {
    let mut configuration = configuration(
        issuer,
        json!({
            "resources": [{ "resource": MCP, "authorization_servers": ["demo"], "scopes_supported": ["mcp:basic"] }],
            "default": { "resource": MCP, "scopes": ["mcp:basic"] },
        }),
    );
    configuration["issuers"][0]["audiences"] = json!([MCP]);
    configuration.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Gate::new(configuration)
}

fn ask(envoy: &Envoy, method: &str, target: &str, headers: &[(&str, &str)]) -> Response {
    let mut all = vec![("host", "mcp.example.com")];
    all.extend(headers);
    request(envoy.address(), method, target, &all)
}

fn document() -> Value {
    json!({
        "resource": MCP, "authorization_servers": [ISSUER], "scopes_supported": ["mcp:basic"],
        "bearer_methods_supported": ["header"],
    })
}

#[test]
fn the_document_is_served_without_a_token_and_with_a_bad_one() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, json!({})));
    let forged = [("x-forwarded-host", "evil.com"), ("forwarded", "host=evil.com"), ("x-forwarded-proto", "http")];
    for headers in [&[][..], &[("authorization", "Bearer x")], &[("authorization", "Basic x")], &forged] {
        let answer = ask(&envoy, "GET", AT, headers);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("www-authenticate"), None);
        assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), document());
    }
    let head = ask(&envoy, "HEAD", AT, &[]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-type"), Some("application/json"));
    let preflight = [
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "mcp-protocol-version"),
    ];
    let options = ask(&envoy, "OPTIONS", AT, &preflight);
    assert_eq!((options.status, options.body.as_str()), (204, ""), "{options:?}");
    assert_eq!(options.header("access-control-allow-origin"), Some("*"));
    assert_eq!(options.header("access-control-allow-methods"), Some("GET"));
    assert_eq!(options.header("access-control-allow-headers"), Some("mcp-protocol-version"));
    let post = ask(&envoy, "POST", AT, &[("content-length", "0")]);
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    assert_eq!(ask(&envoy, "GET", &format!("{AT}?access_token=x"), &[]).status, 400);
    assert_eq!(envoy.counter_of_at_least("scopegate.metadata_served", 7), 7);
    assert_eq!(envoy.counter("scopegate.allowed"), 0);
}

#[test]
fn elsewhere_there_is_nothing_and_no_challenge() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, json!({})));
    let good = format!("Bearer {}", issuer.token(now()).claim("aud", MCP).claim("scope", "mcp:basic").sign());
    for (target, headers) in [
        ("/.well-known/oauth-protected-resource", vec![]),
        ("/.well-known/oauth-protected-resource", vec![("authorization", good.as_str())]),
        ("/.well-known/oauth-protected-resource/", vec![]),
        ("/.well-known/oauth-protected-resource/other", vec![]),
        (AT, vec![("host", "evil.com")]),
    ] {
        // The last `host` counts.
        let host = headers.iter().find(|(name, _)| *name == "host").map_or("mcp.example.com", |(_, value)| *value);
        let mut all = vec![("host", host)];
        all.extend(headers.iter().filter(|(name, _)| *name != "host"));
        let answer = request(envoy.address(), "GET", target, &all);
        assert_eq!(answer.status, 404, "{target} {answer:?}");
        assert_eq!(answer.header("www-authenticate"), None, "{target}");
        assert!(answer.body.contains("\"status\":404"), "by the gate, not by Envoy: {answer:?}");
    }
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.no_metadata", 5), 5);
    let challenged = ask(&envoy, "GET", "/mcp", &[]);
    let metadata = "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";
    assert_eq!(
        challenged.header("www-authenticate"),
        Some(format!("Bearer realm=\"api\", scope=\"mcp:basic\", {metadata}").as_str())
    );
    assert_eq!(ask(&envoy, "GET", "/mcp", &[("authorization", &good)]).status, 200);
}

#[test]
fn over_http2_the_authority_chooses() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, json!({})));
    for (method, host, target, status) in [
        ("GET", "mcp.example.com", AT, "200"),
        ("OPTIONS", "mcp.example.com", AT, "204"),
        ("PUT", "mcp.example.com", AT, "405"),
        ("GET", "evil.com", AT, "404"),
        ("GET", "mcp.example.com", "/.well-known/oauth-protected-resource", "404"),
    ] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--http2-prior-knowledge", "--noproxy", "*", "--max-time", "20", "--request", method]);
        curl.args(["--header", &format!("host: {host}"), "--write-out", "\n%{http_code} %{http_version}"]);
        let output = curl.arg(format!("http://{}{target}", envoy.address())).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, told) = text.rsplit_once('\n').unwrap();
        assert_eq!(told, format!("{status} 2"), "{method} {host} {target}: {text}");
        if status == "200" {
            assert_eq!(serde_json::from_str::<Value>(body).unwrap(), document());
        }
    }
}

#[test]
fn no_route_is_needed_for_it() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let only = json!([{ "match": { "path": "/mcp" }, "route": { "cluster": "upstream" } }]);
    let (envoy, _upstream) = start(gate(&issuer, json!({ "report_only": true })).routes(only));
    let answer = ask(&envoy, "GET", AT, &[]);
    assert_eq!(answer.status, 200, "in report-only too: {answer:?}");
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), document());
}

#[test]
fn a_real_client_finds_the_issuer() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, json!({})));
    let world = json!({ "gate": envoy.address().port(), "resource": MCP });
    let mut command = Command::new(node::binary());
    command
        .arg(root().join("tests/e2e/metadata.mjs"))
        .env("PACKAGES", node::packages())
        .env("WORLD", world.to_string());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let learned: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(learned["metadata"], document());
    assert_eq!(learned["challenge"]["scheme"], "bearer");
    assert_eq!(learned["challenge"]["error"], "invalid_token");
    assert_eq!(learned["asked"], json!([learned["challenge"]["resource_metadata"]]), "both lead to one address");
}
