//! `envoy/mcp.yaml`, with real clients and a real server of MCP: `mcp` of Python, and npm `oidc-provider` as the issuer.

use crate::provider::announced;
use crate::support::envoy::{Envoy, module, root};
use crate::support::wait::eventually;
use crate::support::{node, python};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// A program that ends when its standard input is closed.
struct Program(Child);

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

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `envoy/mcp.yaml` at this address, for tokens of this issuer.
fn start(at: u16, server: SocketAddr, issuer: &str, holds: bool) -> Envoy {
    let mut text = std::fs::read_to_string(root().join("envoy/mcp.yaml")).unwrap();
    let issuers = issuer.rsplit_once(':').unwrap().1;
    for (from, to) in [
        ("port_value: 9901}", "port_value: 0}".to_owned()),
        ("port_value: 10000}", format!("port_value: {at}}}")),
        ("port_value: 10001}", format!("port_value: {}}}", server.port())),
        ("port_value: 10002}", format!("port_value: {issuers}}}")),
        ("http://127.0.0.1:10000/mcp", format!("http://127.0.0.1:{at}/mcp")),
        ("http://127.0.0.1:10002", issuer.to_owned()),
        ("hold_headers: true", format!("hold_headers: {holds}")),
        ("allow_on_headers_stop_iteration: true", format!("allow_on_headers_stop_iteration: {holds}")),
        ("target/scopegate.wasm", module().to_string_lossy().into_owned()),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    Envoy::start_text(&text, 1).unwrap_or_else(|log| panic!("{log}"))
}

#[test]
#[ignore = "needs PyPI mcp: make evidence-services"]
fn a_client_finds_the_issuer_from_the_401_alone_calls_a_tool_and_steps_up_for_another() {
    let mut provider = Command::new(node::binary());
    provider.arg(root().join("tests/e2e/mcp_provider.mjs")).env("PACKAGES", node::packages());
    let (process, issuer) = announced(&mut provider);
    let _provider = Program(process);
    // "auto" is 2026-07-28 with this server, and "legacy" the revision before it.
    for (holds, mode) in [(true, "auto"), (true, "legacy"), (false, "auto"), (false, "legacy")] {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (process, _) = announced(script("mcp_server.py").arg(address.port().to_string()));
        let _server = Program(process);
        eventually("the server listens", || TcpStream::connect(address).is_ok());
        let at = free_port();
        let envoy = start(at, address, &issuer, holds);
        let output = script("mcp_client.py")
            .args([&format!("http://127.0.0.1:{at}/mcp"), mode])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let told: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}\n{}", envoy.log()));
        assert_eq!(told["scopes"], json!(["mcp:basic", "mcp:basic mcp:write"]), "{holds} {mode}: {told}");
        let calls = told["calls"].as_array().unwrap();
        assert_eq!(calls[0], json!(["get_weather", "sunny in Rome"]), "{told}");
        assert_eq!(calls[1][1], "MCPError", "the session lives on after it: {told}");
        assert_eq!(calls[2], json!(["delete_user", "deleted bob"]), "{told}");
        assert_eq!(calls[3], json!(["get_weather", "sunny in Oslo"]), "{told}");
        let log = envoy.wait_for_log("scopegate_insufficient_scope");
        assert!(log.contains("scopegate_no_credential") && log.contains("scopegate_metadata"), "{log}");
        assert!(log.contains("\"name\":\"debug_heap\""), "{log}");
    }
}
