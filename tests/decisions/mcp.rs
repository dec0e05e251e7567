//! MCP messages: in which order they are judged, what their headers have to say, and what a refused client is told. What the
//! rules ask of what they name is in `cases/mcp.yaml`.

use crate::audit::read_struct;
use crate::credentials::{ACME, accepting};
use crate::support::records::{misfits, schema};
use crate::world::{Ask, awaited, config, configured_keys, get, policy, reported, token};
use scopegate::audit::AuditRecord;
use scopegate::challenge::{self, Terms};
use scopegate::config::{Node, requirement};
use scopegate::decision::{Basis, Decision, MessageWanted, Need, Reason};
use scopegate::engine::decide;
use scopegate::facts::{Body, Facts, NoMemory};
use scopegate::policy::{AuditSettings, Policy};
use scopegate::request::RequestView;
use serde_json::{Value, json};

/// A configuration that judges the messages of every route.
pub(crate) fn judging(mcp: Value) -> Value {
    config(json!({ "default": { "scopes": ["orders:read"], "mcp": mcp } }))
}

pub(crate) fn post() -> Ask {
    get("/mcp").method("POST").header("content-type", "application/json").bearer(token().sign())
}

pub(crate) fn decide_on(ask: &Ask, policy: &Policy, body: Body<'_>) -> Decision {
    ask.judge(&configured_keys(policy), &NoMemory, |view, facts| {
        let view = RequestView { ends_with_headers: false, ..*view };
        decide(policy, &view, &Facts { body, ..*facts })
    })
}

/// The reason for which a message is refused; `None` when it is not.
fn refused(ask: &Ask, config: &Value, body: &str) -> Option<Reason> {
    match decide_on(ask, &policy(config), Body::Whole(body.as_bytes())) {
        Decision::Allow(_) => None,
        Decision::Deny(refusal) => Some(refusal.denial.reason()),
        other => panic!("neither passes nor is refused: {other:?}"),
    }
}

/// The answer to a refused message: its status, its challenge, its body.
fn answer(ask: &Ask, config: &Value, body: &str) -> (u16, Option<String>, Value) {
    let policy = policy(config);
    let Decision::Deny(refusal) = decide_on(ask, &policy, Body::Whole(body.as_bytes())) else {
        panic!("passes: {body}")
    };
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
    let header = |wanted: &str| reply.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    (reply.status, header("www-authenticate"), serde_json::from_str(&reply.body).unwrap())
}

fn call(tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } })
}

/// A call as 2026-07-28 has it.
fn stateless(tool: &str) -> Value {
    let mut call = call(tool);
    call["params"]["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    call
}

fn mirrored(tool: &str) -> Ask {
    post().header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/call").header("mcp-name", tool)
}

const WRITE: &str = "delete_x";

fn rules() -> Value {
    json!({ "tools": { "rules": [{ "tool": "delete_*", "scopes": ["mcp:write"] }, { "tool": "debug", "deny": true }] } })
}

/// Each step takes away what the check before it refuses, and the next check refuses.
#[test]
fn the_checks_come_in_the_order_of_what_they_cost_and_tell() {
    let mut mcp = rules();
    mcp["hosts"] = json!(["mcp.example.com"]);
    mcp["body_bytes"] = json!(300);
    mcp["versions"] = json!(["2025-11-25", "2026-07-28"]);
    let config = judging(mcp);
    let mut ask =
        get("/mcp?access_token=a").method("PUT").header("origin", "https://evil.example").header("accept", "x");
    let mut body = format!("[{{{}", " ".repeat(300));
    let headers = |ask: &Ask, drop: &str, add: &[(&str, &str)]| {
        let mut ask = ask.clone();
        ask.headers.retain(|(name, _)| name != drop);
        add.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
    };
    let bearer = |scope: &str| format!("Bearer {}", token().claim("scope", scope).sign());
    let (poor, rich) = (bearer("x"), bearer("orders:read mcp:write"));
    let mut reasons = Vec::new();
    let mut look = |ask: &Ask, body: &str| reasons.push(refused(ask, &config, body).map(Reason::name));
    look(&ask, &body);
    ask.target = Some("/mcp".to_owned());
    look(&ask, &body);
    ask = headers(&ask, "origin", &[]);
    look(&ask, &body);
    ask = headers(&ask, "", &[(":authority", "mcp.example.com")]);
    look(&ask, &body);
    ask = ask.method("POST");
    look(&ask, &body);
    ask = headers(&ask, "", &[("authorization", &poor), ("content-type", "text/plain"), ("content-encoding", "br")]);
    look(&ask, &body);
    ask = headers(&ask, "authorization", &[("authorization", &rich)]);
    look(&ask, &body);
    ask = headers(&ask, "content-type", &[("content-type", "Application/JSON; charset=UTF-8")]);
    look(&ask, &body);
    ask = headers(&ask, "content-encoding", &[("content-encoding", "identity")]);
    look(&ask, &body);
    body = "[{".to_owned();
    look(&ask, &body);
    body = "[]".to_owned();
    look(&ask, &body);
    body = stateless("debug").to_string();
    ask = headers(&ask, "", &[("mcp-protocol-version", "2025-03-26"), ("mcp-name", "other")]);
    look(&ask, &body);
    ask = headers(&ask, "mcp-protocol-version", &[("mcp-protocol-version", "2026-07-28")]);
    look(&ask, &body);
    ask = headers(&ask, "mcp-name", &[("mcp-name", "debug"), ("mcp-method", "tools/call")]);
    look(&ask, &body);
    ask = headers(&ask, "mcp-name", &[("mcp-name", WRITE)]);
    look(&ask, &stateless(WRITE).to_string());
    assert_eq!(
        reasons.iter().map(|reason| reason.unwrap_or("")).collect::<Vec<_>>(),
        [
            "token_in_query",
            "foreign_origin",
            "misdirected_host",
            "method_not_allowed",
            "no_credential",
            "insufficient_scope",
            "unsupported_media_type",
            "unsupported_media_type",
            "body_too_large",
            "invalid_message",
            "invalid_message",
            "unsupported_version",
            "header_mismatch",
            "denied",
            "",
        ]
    );
}

#[test]
fn the_body_is_asked_for_once_the_sender_may_send_messages() {
    let mut mcp = rules();
    mcp["body_bytes"] = json!(1000);
    for holds in [false, true] {
        mcp["hold_headers"] = json!(holds);
        let policy = policy(&judging(mcp.clone()));
        let wanted = Need::Message(MessageWanted { max_bytes: 1000, holds_headers: holds });
        let decision = decide_on(&post(), &policy, Body::Awaited);
        assert_eq!(awaited(&decision), Some(&wanted));
        let Decision::Await(pending) = decision else { panic!("awaits nothing") };
        let grant = pending.grant.map(|grant| (grant.basis, grant.remove));
        let edits = (!holds).then(|| (Basis::Token, vec!["authorization".into()]));
        assert_eq!(grant, edits, "headers that go on first are edited first");
        for refused in [get("/mcp").method("POST"), post().header("content-length", "1001"), get("/mcp").method("PUT")]
        {
            assert!(matches!(decide_on(&refused, &policy, Body::Awaited), Decision::Deny(_)), "{refused:?}");
        }
        assert!(matches!(decide_on(&post(), &policy, Body::TooLarge), Decision::Deny(_)));
    }
}

/// Its server would say so, too.
#[test]
fn a_method_that_a_revision_has_replaced_is_unknown_even_without_a_uri() {
    for (method, reason) in [
        ("resources/subscribe", Reason::UnknownMethod),
        ("resources/unsubscribe", Reason::UnknownMethod),
        ("resources/read", Reason::InvalidMessage),
    ] {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": {} }).to_string();
        let ask = |version| post().header("mcp-protocol-version", version).header("mcp-method", method);
        assert_eq!(refused(&ask("2026-07-28"), &judging(rules()), &body), Some(reason), "{method}");
        assert_eq!(refused(&ask("2025-11-25"), &judging(rules()), &body), Some(Reason::InvalidMessage), "{method}");
        let (status, _, answer) = answer(&ask("2026-07-28"), &judging(rules()), &body);
        let wanted = if reason == Reason::UnknownMethod { (404, Some(-32601)) } else { (400, Some(-32602)) };
        assert_eq!((status, answer["error"]["code"].as_i64()), wanted);
    }
}

#[test]
fn what_the_headers_of_a_call_forbid_is_refused_before_its_body() {
    let policy = policy(&judging(rules()));
    let reason = |ask: &Ask| match decide_on(ask, &policy, Body::Awaited) {
        Decision::Deny(refusal) => Some(refusal.denial.reason()),
        _ => None,
    };
    assert_eq!(reason(&mirrored(WRITE)), Some(Reason::InsufficientScope));
    assert_eq!(reason(&mirrored("=?base64?ZGVidWc=?=")), Some(Reason::Denied));
    // A method that is unknown may be a mismatch.
    let misspelt = post().header("mcp-protocol-version", "2026-07-28").header("mcp-method", "TOOLS/CALL");
    assert_eq!(reason(&misspelt), None);
    let body = stateless(WRITE).to_string();
    assert_eq!(refused(&misspelt, &judging(rules()), &body), Some(Reason::HeaderMismatch));
    let body = body.replace("tools/call", "TOOLS/CALL");
    assert_eq!(refused(&misspelt, &judging(rules()), &body), Some(Reason::UnknownMethod));
    // What they allow is judged by the body, and so is everything of earlier revisions, whose servers do not read them.
    assert_eq!(reason(&mirrored("get_weather")), None);
    assert_eq!(
        reason(
            &post()
                .header("mcp-protocol-version", "2025-11-25")
                .header("mcp-method", "tools/call")
                .header("mcp-name", "debug")
        ),
        None
    );
    assert_eq!(
        refused(&mirrored("get_weather"), &judging(rules()), &stateless("debug").to_string()),
        Some(Reason::HeaderMismatch)
    );
}

#[test]
fn headers_say_once_what_the_body_says() {
    let config = judging(json!({}));
    let (old, new) = (call("é").to_string(), stateless("é").to_string());
    let notification =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } }).to_string();
    let encoded = "=?base64?w6k=?=";
    let version = |date: &str| post().header("mcp-protocol-version", date);
    let whole = || version("2026-07-28").header("mcp-method", "tools/call").header("mcp-name", encoded);
    for (ask, body) in [
        (post(), &old),
        (version("2025-06-18"), &old),
        (version("2025-11-25").header("mcp-method", " tools/call ").header("mcp-name", encoded), &old),
        (whole(), &new),
        (whole().header("mcp-param-city", "Rome"), &new),
        (version("2026-07-28"), &notification),
        (version("2026-07-28").header("mcp-method", "notifications/cancelled"), &notification),
    ] {
        assert_eq!(refused(&ask, &config, body), None, "{ask:?} {body}");
    }
    let without = |name: &str| {
        let mut ask = whole();
        ask.headers.retain(|(other, _)| other != name);
        ask
    };
    for (ask, body) in [
        (post(), &new),
        (version("2025-11-25"), &new),
        (without("mcp-method"), &new),
        (without("mcp-name"), &new),
        (without("mcp-name").header("mcp-name", "é"), &new),
        (without("mcp-name").header("mcp-name", "e"), &new),
        (whole().header("mcp-name", encoded), &new),
        (whole().header("mcp-method", "tools/call"), &new),
        (whole().header("mcp-protocol-version", "2026-07-28"), &new),
        (version("2025-06-18").header("mcp-method", "Tools/call"), &old),
        (post().header("mcp-method", "tools/list"), &old),
        (post().header("mcp-name", "x"), &notification),
        (version("2026-07-28").header("mcp-method", "tools/call"), &notification),
    ] {
        assert_eq!(refused(&ask, &config, body), Some(Reason::HeaderMismatch), "{ask:?} {body}");
    }
    assert_eq!(refused(&whole(), &config, &old), Some(Reason::InvalidMessage), "the body names no revision");
    for date in ["2024-11-05", "2026-07-29", "", "x".repeat(100).as_str()] {
        assert_eq!(refused(&version(date), &config, &old), Some(Reason::UnsupportedVersion), "{date}");
    }
    let response = json!({ "jsonrpc": "2.0", "id": 1, "result": {} }).to_string();
    assert_eq!(refused(&version("2026-07-28"), &config, &response), Some(Reason::InvalidMessage));
    assert_eq!(refused(&version("2025-11-25"), &config, &response), None);
}

#[test]
fn media_types_that_others_could_read_otherwise_are_refused() {
    let body = call("a").to_string();
    let with = |lines: &[&str]| {
        let ask = get("/mcp").method("POST").bearer(token().sign());
        lines.iter().fold(ask, |ask, line| ask.header("content-type", line))
    };
    for good in [
        "application/json",
        "APPLICATION/json",
        "application/json; charset=utf-8",
        "application/json ;charset=\"UTF-8\"",
        "application/json;x=y",
    ] {
        assert_eq!(refused(&with(&[good]), &judging(json!({})), &body), None, "{good}");
    }
    for bad in [
        &[][..],
        &["application/json", "application/json"],
        &["application/json, text/plain"],
        &["application/json;, text/plain"],
        &["application/json; x=y, text/plain"],
        &["application/json; charset=utf-16"],
        &["application/json; charset=utf-8; charset=utf-7"],
        &["application/jsonl"],
        &["application/problem+json"],
        &["text/json"],
        &["multipart/form-data"],
        &[""],
    ] {
        assert_eq!(refused(&with(bad), &judging(json!({})), &body), Some(Reason::UnsupportedMediaType), "{bad:?}");
    }
    for coding in ["gzip", "identity, gzip", "x"] {
        let ask = post().header("content-encoding", coding);
        assert_eq!(refused(&ask, &judging(json!({})), &body), Some(Reason::UnsupportedMediaType), "{coding}");
    }
}

#[test]
fn a_refusal_is_an_error_of_json_rpc_with_the_id_of_the_message() {
    let config = judging(rules());
    let (status, challenge, error) = answer(&post(), &config, &call(WRITE).to_string());
    assert_eq!(status, 403);
    assert!(challenge.unwrap().starts_with("Bearer realm=\"api\", error=\"insufficient_scope\""));
    let data = json!({ "error": "insufficient_scope", "scope": "orders:read mcp:write" });
    assert_eq!((&error["id"], &error["error"]["code"], &error["error"]["data"]), (&json!(1), &json!(403), &data));
    for (id, told) in [("\"a\\u00e9\"", json!("aé")), ("-12345678901234567890123", Value::Null)] {
        let body = call("debug").to_string().replace("\"id\":1", &format!("\"id\":{id}"));
        let policy = policy(&config);
        let Decision::Deny(refusal) = decide_on(&post(), &policy, Body::Whole(body.as_bytes())) else { panic!() };
        let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
        assert!(reply.body.contains(&format!("\"id\":{id},")), "as it came: {}", reply.body);
        let read: Value = serde_json::from_str(&reply.body).unwrap();
        assert!(told.is_null() || read["id"] == told);
    }
    let bad = post().header("authorization", "x");
    let (status, _, error) = answer(&bad, &config, &call("a").to_string());
    assert_eq!((status, error["error"]["code"].as_i64()), (400, Some(400)));
    let expired =
        get("/mcp").method("POST").header("content-type", "application/json").bearer(token().claim("exp", 1).sign());
    let (status, challenge, error) = answer(&expired, &config, "");
    assert_eq!((status, error["error"]["code"].as_i64(), &error["id"]), (401, Some(401), &Value::Null));
    assert_eq!(error["error"]["data"]["error"], "invalid_token");
    assert!(challenge.unwrap().contains("error=\"invalid_token\""));
    for (ask, body, status, code) in [
        (post(), "{".to_owned(), 400, -32700),
        (post(), "{}".to_owned(), 400, -32600),
        (post(), json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call" }).to_string(), 400, -32602),
        (post().header("mcp-name", "b"), call("a").to_string(), 400, -32020),
        (post(), json!({ "jsonrpc": "2.0", "id": 1, "method": "no/such" }).to_string(), 400, -32601),
        (post().header("content-encoding", "gzip"), call("a").to_string(), 415, -32600),
        (post(), format!("{}{}", call("a"), " ".repeat(300_000)), 413, -32600),
    ] {
        let (came, challenge, error) = answer(&ask, &config, &body);
        assert_eq!((came, challenge, error["error"]["code"].as_i64()), (status, None, Some(code)), "{error}");
    }
    let of_new = post().header("mcp-protocol-version", "2026-07-28").header("mcp-method", "no/such");
    let mut unknown = stateless("a");
    unknown["method"] = json!("no/such");
    assert_eq!(answer(&of_new, &config, &unknown.to_string()).0, 404);
    let (_, _, error) = answer(&post().header("mcp-protocol-version", "2030-01-01"), &config, &call("a").to_string());
    let data =
        json!({ "supported": ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"], "requested": "2030-01-01" });
    assert_eq!((&error["error"]["code"], &error["error"]["data"]), (&json!(-32022), &data));
}

#[test]
fn a_record_has_the_method_and_the_name_of_the_message_in_every_form() {
    let policy = policy(&judging(rules()));
    for (tool, name, shown) in [
        ("debug", "debug", "name:\"debug\""),
        ("read", "read", "name:\"read\""),
        ("a\u{e9}\" b", "a%C3%A9%22 b", "name:\"a%C3%A9%22 b\""),
    ] {
        let decision = decide_on(&post(), &policy, Body::Whole(call(tool).to_string().as_bytes()));
        let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"POST").unwrap();
        let json: Value = serde_json::from_str(&record.to_json()).unwrap();
        assert_eq!(json["mcp"], json!({ "method": "tools/call", "name": name }), "{json}");
        assert_eq!(read_struct(&record.to_struct()), json, "both forms say the same");
        assert!(record.to_line().contains(&format!("mcp=method:\"tools/call\",{shown}")), "{}", record.to_line());
        assert_eq!(misfits("record", &json, &schema()), Vec::<String>::new());
    }
    let long = call(&"x".repeat(1000)).to_string();
    let decision = decide_on(&post(), &policy, Body::Whole(long.as_bytes()));
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"POST").unwrap();
    assert!(record.to_json().len() < 600, "{}", record.to_json());
}

#[test]
fn what_metadata_adds_is_asked_too() {
    let config = config(json!({
        "route_metadata": "restrict",
        "default": { "mcp": { "tools": { "rules": [{ "tool": "a", "scopes": ["base"] }] }, "body_bytes": 500, "hold_headers": true } },
    }));
    let policy = policy(&config);
    let added =
        json!({ "mcp": { "tools": { "rules": [{ "tool": ["a", "b"], "scopes": ["added"] }] }, "body_bytes": 400 } });
    let ask = post().under(requirement(&Node::from(added), &policy, &|_| None).unwrap());
    let scopes = |tool: &str| match decide_on(&ask, &policy, Body::Whole(call(tool).to_string().as_bytes())) {
        Decision::Deny(refusal) => challenge::render(&refusal.denial, &refusal.trace, &Terms::default(), false).body,
        _ => String::new(),
    };
    assert!(scopes("a").contains("\"scope\":\"base added\""), "{}", scopes("a"));
    assert!(scopes("b").contains("\"scope\":\"added\""), "{}", scopes("b"));
    assert_eq!(scopes("c"), "");
    let wanted = Need::Message(MessageWanted { max_bytes: 400, holds_headers: true });
    assert_eq!(awaited(&decide_on(&ask, &policy, Body::Awaited)), Some(&wanted));
}

#[test]
fn a_call_that_is_only_reported_passes_and_says_what_it_would_have_been_refused_for() {
    for members in [
        json!({ "report_only": true, "default": { "mcp": rules() } }),
        json!({ "default": { "report_only": true, "mcp": rules() } }),
    ] {
        let policy = policy(&config(members));
        assert!(matches!(decide_on(&post(), &policy, Body::Awaited), Decision::Await(_)));
        let body = call("debug").to_string();
        let Decision::Allow(grant) = decide_on(&post(), &policy, Body::Whole(body.as_bytes())) else { panic!() };
        assert_eq!(reported(&grant), Some(Reason::Denied));
    }
}

/// What an item asks, it asks of the credential that the route chose: it does not make two of them good together.
#[test]
fn an_item_does_not_let_two_credentials_come_where_one_is_asked_for() {
    let rule = json!({ "any_of": ["bearer", "partners"] });
    let item = json!({ "tools": { "rules": [{ "tool": WRITE, "scopes": ["orders:read"] }] } });
    let config = accepting(rule, json!({ "mcp": item }));
    let two = mirrored(WRITE).header("x-api-key", ACME);
    assert_eq!(refused(&mirrored(WRITE), &config, &stateless(WRITE).to_string()), None);
    assert_eq!(refused(&two, &config, &stateless("x").to_string()), Some(Reason::MultipleCredentials));
    assert_eq!(refused(&two, &config, &stateless(WRITE).to_string()), Some(Reason::MultipleCredentials));
}
