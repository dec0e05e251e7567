//! `envoy/mcp.yaml`, with real clients and a real server of MCP: `mcp` of Python, and npm `oidc-provider` as the issuer.

use crate::provider::{Provider, announced};
use crate::support::envoy::{Envoy, module, root};
use crate::support::modules::full_module;
use crate::support::wait::eventually;
use crate::support::{node, python};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// A program that ends when its standard input is closed.
pub struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn script(name: &str) -> Command {
    let mut command = Command::new(python::binary());
    command.arg(root().join("tests/e2e").join(name));
    command
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// How a gate is set up.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// Whether it holds headers.
    holds: bool,
    /// Whether it binds sessions, in the module that can.
    binds: bool,
    /// Whether it leaves out of lists what a client may not call, in that module too.
    filters: bool,
}

/// `envoy/mcp.yaml` at this address, for tokens of this issuer.
fn start(at: u16, server: SocketAddr, issuer: &str, Form { holds, binds, filters }: Form) -> Envoy {
    let mut text = std::fs::read_to_string(root().join("envoy/mcp.yaml")).unwrap();
    let (before, key) = ("                        ", "A".repeat(43));
    let session = if binds { format!("session: {{keys: [{{env: KEY}}]}}\n{before}") } else { String::new() };
    let lists = if filters { format!("lists: granted\n{before}") } else { String::new() };
    let module = if binds || filters { full_module() } else { module() };
    let issuers = issuer.rsplit_once(':').unwrap().1;
    for (from, to) in [
        ("port_value: 9901}", "port_value: 0}".to_owned()),
        ("port_value: 10000}", format!("port_value: {at}}}")),
        ("port_value: 10001}", format!("port_value: {}}}", server.port())),
        ("port_value: 10002}", format!("port_value: {issuers}}}")),
        ("http://127.0.0.1:10000/mcp", format!("http://127.0.0.1:{at}/mcp")),
        ("http://127.0.0.1:10002", issuer.to_owned()),
        ("hold_headers: true", format!("{session}{lists}hold_headers: {holds}")),
        (
            "vm_id: scopegate\n",
            format!("vm_id: scopegate\n                  environment_variables: {{key_values: {{KEY: {key}}}}}\n"),
        ),
        (
            "status: \"%RESPONSE_CODE%\"",
            "status: \"%RESPONSE_CODE%\"\n                  session: \"%RESP(MCP-SESSION-ID)%\"".to_owned(),
        ),
        ("allow_on_headers_stop_iteration: true", format!("allow_on_headers_stop_iteration: {holds}")),
        ("target/scopegate.wasm", module.to_string_lossy().into_owned()),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    Envoy::start_text(&text, 1).unwrap_or_else(|log| panic!("{log}"))
}

/// The server in a separate process.
pub fn server() -> (Program, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let (process, _) = announced(script("mcp_server.py").arg(address.port().to_string()));
    let server = Program(process);
    eventually("the server listens", || TcpStream::connect(address).is_ok());
    (server, address)
}

/// Has clients, each with how it calls a refusal, go through a gate that holds headers and through one that does not.
fn each_steps_up(clients: &[(&str, &str)], binds: bool, client: impl Fn() -> Command) {
    let provider = Provider::of_mcp_clients();
    for holds in [true, false] {
        let (_server, address) = server();
        let at = free_port();
        let envoy = start(at, address, &provider.issuer, Form { holds, binds, filters: false });
        for (mode, refused) in clients {
            let url = format!("http://127.0.0.1:{at}/mcp");
            let output = client().args([&url, *mode]).stderr(Stdio::inherit()).output().unwrap();
            let told: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{mode}: {output:?}\n{}", envoy.log()));
            assert_eq!(told["scopes"], json!(["mcp:basic", "mcp:basic mcp:write"]), "{holds} {mode}: {told}");
            let calls = told["calls"].as_array().unwrap();
            assert_eq!(calls[0], json!(["get_weather", "sunny in Rome"]), "{mode}: {told}");
            assert_eq!(calls[1][1], *refused, "the session lives on after it: {mode}: {told}");
            assert_eq!(calls[2], json!(["delete_user", "deleted bob"]), "{mode}: {told}");
            assert_eq!(calls[3], json!(["get_weather", "sunny in Oslo"]), "{mode}: {told}");
            if *mode == "sdk" {
                let again = "Server returned 403 after trying upscoping";
                assert!(told["again"].as_str().is_some_and(|text| text.contains(again)), "{told}");
            }
        }
        let each = [
            "scopegate_no_credential",
            "scopegate_insufficient_scope",
            "scopegate_metadata",
            "\"name\":\"debug_heap\"",
        ];
        if binds {
            eventually("bound ids", || envoy.log().matches(".sg1.").count() >= clients.len());
            assert!(!envoy.log().contains("scopegate_foreign_session"), "{}", envoy.log());
        }
        for text in each {
            eventually(text, || envoy.log().matches(text).count() >= clients.len());
        }
    }
}

#[test]
#[ignore = "needs PyPI mcp: make evidence-services"]
fn a_client_finds_the_issuer_from_the_401_alone_calls_a_tool_and_steps_up_for_another() {
    // "auto" is 2026-07-28 with this server, and "legacy" the revision before it.
    each_steps_up(&[("auto", "MCPError"), ("legacy", "MCPError")], false, || script("mcp_client.py"));
}

/// The token with which they step up is another one of the same user and client.
#[test]
#[ignore = "needs PyPI mcp: make evidence-services"]
fn clients_keep_their_session_through_a_step_up_where_it_is_bound_to_them() {
    each_steps_up(&[("legacy", "MCPError")], true, || script("mcp_client.py"));
    each_steps_up(&[("sdk", "StreamableHTTPError"), ("legacy", "SdkHttpError")], true, on_node);
}

#[test]
#[ignore = "needs PyPI mcp, for the server: make evidence-services"]
fn clients_on_npm_do_so_too() {
    // "sdk" is version 1 of the client, which knows no revision after 2025-11-25.
    let clients = [("sdk", "StreamableHTTPError"), ("auto", "SdkHttpError"), ("legacy", "SdkHttpError")];
    each_steps_up(&clients, false, on_node);
}

fn on_node() -> Command {
    let mut client = Command::new(node::binary());
    client.arg(root().join("tests/e2e/mcp_client.mjs")).env("PACKAGES", node::packages());
    client
}

#[test]
#[ignore = "needs PyPI mcp: make evidence-services"]
fn a_client_sees_the_tools_that_it_may_call_under_both_revisions() {
    let provider = Provider::of_mcp_clients();
    for holds in [true, false] {
        let (_server, address) = server();
        let at = free_port();
        let envoy = start(at, address, &provider.issuer, Form { holds, binds: false, filters: true });
        for mode in ["auto", "legacy"] {
            let url = format!("http://127.0.0.1:{at}/mcp");
            let output = script("mcp_client.py").args([&url, mode]).stderr(Stdio::inherit()).output().unwrap();
            let told: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{mode}: {output:?}\n{}", envoy.log()));
            let tools: Vec<&str> = told["tools"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert!(tools.contains(&"get_weather") && tools.contains(&"mirrored"), "{mode}: {told}");
            assert!(!tools.contains(&"delete_user") && !tools.contains(&"debug_heap"), "{mode}: {told}");
            // It knows the tool all the same, and steps up for it.
            assert_eq!(told["calls"][2], json!(["delete_user", "deleted bob"]), "{mode}: {told}");
        }
        assert!(!envoy.log().contains("unusable_list"), "{}", envoy.log());
    }
}
