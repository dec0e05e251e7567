//! The cases with a tool call to an MCP server: its body is read, and a rule for its tool asks for a scope. Natively
//! `jwt_authn`, `envoy.filters.http.mcp` and `rbac` do that together.

use super::cases::{Case, bearers};
use super::contenders::{native_rule, native_scope};
use super::load;
use serde_json::{Map, Value, json};

const PATH: &str = "/mcp";
/// What the route asks for, whatever is called.
const ROUTE_SCOPE: &str = "mcp:basic";
/// What else both allow, in bytes.
const LARGEST_BODY: u32 = 1_048_576;
/// The version that is named: one whose headers do not repeat what the body says, which the native filter does not compare.
const VERSION: &str = "2025-11-25";

/// The message of a case.
#[derive(Clone, Debug)]
pub struct Posted {
    pub body: String,
    /// What is sent besides.
    pub headers: Vec<(&'static str, String)>,
}

impl Posted {
    /// The bytes of a request with it, and with this `authorization`.
    pub fn request(&self, path: &str, credential: Option<&str>) -> Vec<u8> {
        let length = self.body.len().to_string();
        let mut lines: Vec<(&str, &str)> = vec![("content-type", "application/json"), ("content-length", &length)];
        lines.extend(credential.map(|credential| ("authorization", credential)));
        lines.extend(self.headers.iter().map(|(name, value)| (*name, value.as_str())));
        // One that a client of both revisions writes.
        let accepted = "application/json, text/event-stream";
        let mut request = load::request_of("POST", path, accepted, &lines);
        request.extend(self.body.as_bytes());
        request
    }
}

/// A call of this tool of so many bytes: rows of a table, as a client writes them.
pub fn call(tool: &str, bytes: usize) -> Posted {
    let begin =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"rows":["#);
    let row = |number: usize| {
        format!(
            r#"{{"id":{number},"city":"city {number}","tags":["a","bc"],"note":"the quick brown fox jumps","ok":true}},"#
        )
    };
    let (mut body, end) = (begin, |filler: &str| format!(r#""{filler}"]}}}}}}"#));
    for number in 0.. {
        let row = row(number);
        if body.len() + row.len() + end("").len() > bytes {
            break;
        }
        body += &row;
    }
    let missing = bytes.saturating_sub(body.len() + end("").len());
    body += &end(&"x".repeat(missing));
    Posted { body, headers: vec![("mcp-protocol-version", VERSION.to_owned())] }
}

/// A call under the revision whose headers say what the body says.
pub fn stateless_call(tool: &str, bytes: usize) -> Posted {
    const NAMED: &str = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    let posted = call(tool, bytes - NAMED.len() + "}}".len());
    let body = posted.body.strip_suffix("}}").unwrap().to_owned() + NAMED;
    let header = |name, value: &str| (name, value.to_owned());
    let headers = vec![
        header("mcp-protocol-version", "2026-07-28"),
        header("mcp-method", "tools/call"),
        header("mcp-name", tool),
    ];
    Posted { body, headers }
}

/// The name of a tool, and the scope that its rule asks for.
pub fn tool(number: usize) -> (String, String) {
    (format!("tool_{number:05}"), format!("tool-{number:05}:call"))
}

/// The rules of a policy with so many tools, each of which asks for a scope of its own. Other tools are denied.
pub fn rules(count: usize, hold_headers: bool) -> Value {
    let rule = |number| {
        let (tool, scope) = tool(number);
        json!({ "tool": tool, "scopes": [scope] })
    };
    let rules: Vec<Value> = (0..count).map(rule).collect();
    json!([{
        "match": { "path": PATH }, "scopes": [ROUTE_SCOPE],
        "mcp": {
            "tools": { "default": { "deny": true }, "rules": rules },
            "hold_headers": hold_headers, "body_bytes": LARGEST_BODY,
        },
    }])
}

/// A call of the last of `count` tools.
pub fn case(base: Case, what: &'static str, count: usize, bytes: usize, target: Option<f64>) -> Case {
    let (name, own) = tool(count - 1);
    let scope = format!("{ROUTE_SCOPE} {own}");
    let mut scopegate = base.scopegate.clone();
    scopegate["rules"] = rules(count, true);
    let policies: Map<String, Value> = (0..count).map(|number| (tool(number).1, native_policy(number))).collect();
    let refused = |what, body: String, status| (what, Posted { body, ..call(&name, bytes) }, status);
    let good = call(&name, bytes);
    let twice = good.body.replacen(r#""arguments""#, &format!(r#""name":"{name}","arguments""#), 1);
    Case {
        what,
        target,
        is_paced: false,
        scopegate,
        plugin: json!({ "allow_on_headers_stop_iteration": true }),
        native_rules: vec![native_rule(PATH)],
        native_between: vec![mcp()],
        native_policies: Value::Object(policies),
        path: PATH.to_owned(),
        credentials: bearers(&[base.mint.token().scope(&scope).sign()]),
        scope,
        refused_messages: vec![
            refused("a tool whose scope the token has not", call(&tool(0).0, bytes).body, 403),
            refused("a tool without a rule", call("another", bytes).body, 403),
            refused("a name given twice", twice, 400),
            refused("what is no JSON", good.body.replacen(':', ";", 1), 400),
        ],
        posted: Some(good),
        ..base
    }
}

/// Envoy's own reader of messages, which refuses what two parsers read differently as far as it can.
fn mcp() -> Value {
    json!({
        "name": "envoy.filters.http.mcp",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.mcp.v3.Mcp",
            "traffic_mode": "REJECT_NO_MCP",
            "reject_duplicate_keys": true,
            "max_request_body_size": LARGEST_BODY,
        },
    })
}

/// An `rbac` policy: this tool, with its scope and that of the route.
fn native_policy(number: usize) -> Value {
    let (name, scope) = tool(number);
    let says = |path: &[&str], exact: &str| {
        let path: Vec<Value> = path.iter().map(|key| json!({ "key": key })).collect();
        json!({ "sourced_metadata": { "metadata_matcher": {
            "filter": "envoy.filters.http.mcp", "path": path, "value": { "string_match": { "exact": exact } },
        } } })
    };
    json!({
        "permissions": [{ "and_rules": { "rules": [
            { "url_path": { "path": { "exact": PATH } } },
            says(&["method"], "tools/call"),
            says(&["params", "name"], &name),
        ] } }],
        "principals": [{ "and_ids": { "ids": [native_scope(ROUTE_SCOPE), native_scope(&scope)] } }],
    })
}
