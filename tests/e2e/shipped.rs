//! The files that an operator copies, and the demo that runs them.

use crate::support::client::{get, get_with, send};
use crate::support::envoy::{Envoy, binary, module, root};
use crate::support::issuer::{Issuer, now};
use crate::support::native;
use crate::support::only_wasm::needs_wasm;
use crate::support::records::record_of;
use crate::support::server::{Answer, Server};
use crate::support::tools::tool;
use scopegate::crypto::Algorithm;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The text of a shipped file with free ports, and the module of this test.
pub fn with_ports(text: &str, upstream: &Server, issuer: &Server) -> String {
    text.replace("port_value: 10000}", "port_value: 0}")
        .replace("port_value: 9901}", "port_value: 0}")
        .replace("port_value: 10001}", &format!("port_value: {}}}", upstream.address.port()))
        .replace("127.0.0.1:10002", &format!("127.0.0.1:{}", issuer.address.port()))
        .replace("port_value: 10002}", &format!("port_value: {}}}", issuer.address.port()))
        .replace("target/scopegate.wasm", &module().to_string_lossy())
}

fn shipped(upstream: &Server, issuer: &Server) -> String {
    with_ports(&std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap(), upstream, issuer)
}

struct World {
    envoy: Envoy,
    issuer: Issuer,
    servers: (Server, Server),
}

fn start(edit: impl Fn(String) -> String) -> World {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let jwks = issuer.jwks();
    let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
    let upstream = Server::echo(0).unwrap();
    let envoy = Envoy::start_text(&edit(shipped(&upstream, &keys)), 2).unwrap_or_else(|log| panic!("{log}"));
    World { envoy, issuer, servers: (upstream, keys) }
}

/// A route in front of all others that a client chooses by a header.
fn with_header_route(text: &str, requirement: &str) -> String {
    let route = format!(
        "              - name: chosen\n                match: {{prefix: /, headers: [{{name: x-auth-subject, string_match: {{exact: admin}}}}]}}\n                \
         route: {{cluster: upstream}}\n                request_headers_to_add: [{{header: {{key: x-route, value: chosen}}}}]\n                \
         metadata: {{filter_metadata: {{scopegate: {requirement}}}}}\n              - name: orders\n"
    );
    let edited = text.replacen("              - name: orders\n", &route, 1);
    assert_ne!(edited, text);
    edited
}

#[test]
fn the_shipped_file_does_what_it_says() {
    let World { envoy, issuer, servers: _servers } = start(|text| text);
    let token = |scope: &str| issuer.token(now()).scope(scope).sign();
    let status = |target: &str, scope: &str| get_with(envoy.address(), target, &token(scope)).status;
    assert_eq!(status("/orders/1", "orders:read"), 200);
    assert_eq!(status("/orders/1", "orders:write"), 403);
    assert_eq!(status("/reports", "admin"), 200);
    assert_eq!(status("/reports", "orders:read"), 403);
    assert_eq!(status("/internal/x", "admin"), 403);
    assert_eq!(status("/anything", ""), 200);
    assert_eq!(get(envoy.address(), "/healthz", &[]).status, 200);
    assert_eq!(get(envoy.address(), "/healthz/", &[]).status, 401);
    assert_eq!(
        get_with(envoy.address(), "/x", &issuer.token(now()).claim("exp", now() + 4000).sign()).status,
        401,
        "at most an hour"
    );
    let preflight = [("origin", "https://app.example.com"), ("access-control-request-method", "POST")];
    let answer = crate::support::client::request(envoy.address(), "OPTIONS", "/orders/1", &preflight);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example.com")));
    let refused = get(envoy.address(), "/orders/1", &[("origin", "https://app.example.com")]);
    assert_eq!(
        (refused.status, refused.header("access-control-expose-headers")),
        (401, Some("WWW-Authenticate, DPoP-Nonce, Mcp-Session-Id"))
    );
    // The filter would refuse it too, with a body.
    let slash = get(envoy.address(), "/a%2fb", &[]);
    assert_eq!((slash.status, slash.body.as_str()), (400, ""), "Envoy refuses escaped slashes by itself");
    let log = envoy.wait_for_log("\"details\":\"scopegate_no_credential\"");
    let line = log.lines().find(|line| line.starts_with('{') && line.contains("scopegate_no_credential")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["client"], &line["host"], &line["route"]),
        (&"127.0.0.1".into(), &"api.example.com".into(), &"everything".into()),
        "{line}"
    );
    assert!(line["request_id"].as_str().is_some_and(|id| id.len() == 36), "{line}");
    let record =
        serde_json::json!({ "decision": "deny", "reason": "no_credential", "requirement": "rules[4]", "status": 401 });
    assert_eq!(record_of(&line["scopegate"]), record, "{line}");
}

#[test]
fn a_route_without_a_requirement_is_closed() {
    let forgotten = "              - name: forgotten\n                match: {path_separated_prefix: /forgotten}\n                route: {cluster: upstream}\n";
    let first = "              - name: orders\n";
    let World { envoy, issuer, servers: _servers } =
        start(|text| text.replacen(first, &format!("{forgotten}{first}"), 1));
    let token = issuer.token(now()).scope("admin orders:read orders:write").sign();
    assert_eq!(get_with(envoy.address(), "/forgotten", &token).status, 403);
    envoy.wait_for_log("\"details\":\"scopegate_denied\"");
    assert_eq!(get_with(envoy.address(), "/anything", &token).status, 200, "its route is in the rules");
}

#[test]
fn a_client_cannot_choose_the_route_that_it_is_judged_by() {
    // Envoy matches routes again when the filter removes the forged header. The shipped file removes it before the
    // first match, so that both matches see the same request.
    let forged = [("x-auth-subject", "admin")];
    let World { envoy, servers, .. } = start(|text| with_header_route(&text, "{public: true}"));
    assert_eq!(get(envoy.address(), "/orders/1", &forged).status, 401, "judged as the route that would serve it");
    drop((envoy, servers));
    let without = |text: String| {
        let (start, end) = (
            text.find("          # keep: routes are matched").unwrap(),
            text.find("          stream_idle_timeout").unwrap(),
        );
        format!("{}{}", &text[..start], &text[end..])
    };
    let World { envoy, servers: _servers, .. } = start(|text| without(with_header_route(&text, "{public: true}")));
    let echoed = get(envoy.address(), "/orders/1", &forged).echoed();
    // Natively by the same: the one that the client has chosen.
    let chosen: &[&str] = if native::is_tested() { &["chosen"] } else { &[] };
    assert_eq!(
        echoed.headers("x-route"),
        chosen,
        "judged by one route and served by another: why the shipped file has these lines"
    );
}

#[test]
fn a_route_that_looks_at_an_identity_header_is_served_without_being_judged() {
    // The other direction: the filter sets the header after it has judged, and Envoy matches again. Nothing in a
    // filter can prevent it, so no route may look at such a header; the guide says so. Natively it does not match again.
    let World { envoy, issuer, servers: _servers } = start(|text| with_header_route(&text, "{deny: true}"));
    let token = issuer.token(now()).claim("sub", "admin").sign();
    let echoed = get_with(envoy.address(), "/anything", &token).echoed();
    let chosen: &[&str] = if native::is_tested() { &[] } else { &["chosen"] };
    assert_eq!(echoed.headers("x-route"), chosen);
}

/// The demo, stopped by its process id however the test ends.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_line_that_make_run_prints_does_what_it_promises() {
    needs_wasm!();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = || {
        let mut command = tool("demo");
        command.args(["--envoy", &binary().to_string_lossy(), "--port", &port.to_string()]);
        Demo(command.current_dir(root()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };
    let mut first = start();
    let lines = guide(&mut first);
    let tries: Vec<(&str, &str)> = lines
        .windows(2)
        .filter(|pair| pair[0].starts_with("# ") && pair[1].starts_with("curl "))
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    assert_eq!(tries.len(), 7, "{lines:#?}\n{}", stderr(&mut first));
    for (promise, line) in tries {
        let output = Command::new("sh").args(["-c", line]).output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let status: String = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(promise.contains(&format!(": {status}")), "{promise}\n{line}\n{answer}");
        for code in ["invalid_token", "insufficient_scope", "invalid_request"] {
            assert_eq!(promise.contains(code), answer.contains(&format!("error=\"{code}\"")), "{promise}\n{answer}");
        }
        if promise.contains("x-auth-subject") {
            let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
            let text = body["headers"].to_string();
            assert!(
                text.contains(r#"["x-auth-subject","alice"]"#) && text.contains(r#"["x-auth-scope","orders:read"]"#),
                "{text}"
            );
            assert!(!text.contains("authorization"), "{text}");
        }
        if promise.starts_with("# no token") {
            assert!(answer.contains("scope=\"orders:read\""), "{answer}");
        }
        if promise.contains("orders:write") {
            assert!(answer.contains("scope=\"orders:write\""), "{answer}");
        }
    }
    let copy = std::fs::read_to_string(root().join("target/demo/envoy.yaml")).unwrap();
    let shipped = std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    let differences: Vec<(&str, &str)> = copy.lines().zip(shipped.lines()).filter(|(a, b)| a != b).collect();
    assert_eq!(copy.lines().count(), shipped.lines().count());
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].0, differences[0].1.replace("10000", &port.to_string()), "the port alone");

    let mut second = start();
    assert!(!second.0.wait().unwrap().success(), "a port in use is an error");
    let error = stderr(&mut second);
    assert!(error.contains(&format!("127.0.0.1:{port} is needed for the gate")) && error.contains("PORT="), "{error}");

    drop(first);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
        assert!(std::time::Instant::now() < deadline, "Envoy outlives the demo");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let mut third = start();
    let again = !guide(&mut third).is_empty();
    assert!(again, "it runs again: {}", stderr(&mut third));
    assert_eq!(send(([127, 0, 0, 1], port).into(), b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").status, 200);
}

/// What the demo prints up to its last line. What comes after, the access log, is read and thrown away: without a reader
/// Envoy would die of writing it.
fn guide(demo: &mut Demo) -> Vec<String> {
    let mut output = BufReader::new(demo.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let lines = output.by_ref().take_while(|line| !line.starts_with("Ctrl-C")).collect();
    std::thread::spawn(move || output.for_each(drop));
    lines
}

fn stderr(demo: &mut Demo) -> String {
    use std::io::Read as _;
    let _ = demo.0.kill();
    let mut text = String::new();
    demo.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn envoys_validation_takes_the_shipped_file_and_refuses_one_with_a_mistake() {
    let shipped = std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    let shipped = shipped.replace("target/scopegate.wasm", &module().to_string_lossy());
    let mistaken = shipped.replace("audiences: [https://api.example.com]", "audience: [https://api.example.com]");
    assert_ne!(shipped, mistaken);
    for (text, code, words) in [
        (shipped, Some(0), "OK"),
        (mistaken, Some(1), "configuration refused: issuers[0].audience: is not a field; did you mean `audiences`?"),
    ] {
        let (text, environment) = native::rewritten_bootstrap(&text);
        let mut command = Command::new(binary());
        let output = command.envs(environment).args(["--mode", "validate", "--config-yaml", &text]).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(output.status.code() == code && told.contains(words), "{:?}: {told}", output.status);
    }
}
