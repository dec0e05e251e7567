//! Tokens in other places than `authorization`, in a real Envoy: a header of an issuer's own, and the subprotocols of a
//! WebSocket, with npm `ws`, over HTTP/2, and in a browser.

use crate::gate::{configuration, start};
use crate::support::client::get;
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::node;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

const PARTNER: &str = "https://partner.example.com/";

/// A WebSocket server, which ends when its standard input is closed.
struct Sockets {
    process: Child,
    address: SocketAddr,
}

impl Sockets {
    fn start() -> Self {
        let mut process = websocket(&["serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find_map(|line| line.strip_prefix("http://").map(str::to_owned)).unwrap();
        Self { process, address: line.parse().unwrap() }
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn websocket(arguments: &[&str]) -> Command {
    let mut command = Command::new(node::binary());
    command.arg(root().join("tests/e2e/websocket.mjs")).args(arguments).env("PACKAGES", node::packages());
    command
}

/// What a client says.
fn said(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// A gate that reads tokens among subprotocols, before a server of sockets.
fn of_sockets(issuer: &Issuer, sockets: &Sockets) -> Envoy {
    let mut configuration = configuration(issuer, json!({}));
    configuration["issuers"][0]["websocket_protocol"] = json!(true);
    let mut gate = Gate::new(configuration);
    gate.connection_manager = json!({
        "upgrade_configs": [{ "upgrade_type": "websocket" }], "http2_protocol_options": { "allow_connect": true },
    });
    Envoy::shared(&resources(&[gate], &[cluster("upstream", sockets.address)]))
}

#[test]
fn a_token_in_the_header_of_its_issuer_passes_and_reaches_no_upstream() {
    let (own, partner) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::Es256, "a"));
    let issuers = json!([
        { "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": own.jwks() } },
        { "issuer": PARTNER, "audiences": [AUDIENCE], "jwks": { "inline": partner.jwks() },
          "token_header": { "name": "x-partner-token", "prefix": "Token " } }]);
    let (envoy, _upstream) = start(Gate::new(configuration(&own, json!({ "issuers": issuers }))));
    let of_partner = format!("Token {}", partner.token(now()).claim("iss", PARTNER).claim("sub", "bob").sign());
    let bearer = format!("Bearer {}", own.token(now()).sign());
    let ask = |headers: &[(&str, &str)]| get(envoy.address(), "/", headers);
    let echoed = ask(&[("x-partner-token", &of_partner), ("x_partner_token", "stray")]).echoed();
    assert_eq!(echoed.headers("x-auth-subject"), ["bob"]);
    assert!(!echoed.0.to_string().contains("partner"), "{echoed:?}");
    let echoed = ask(&[("authorization", &bearer)]).echoed();
    assert_eq!(echoed.headers("x-auth-subject"), ["alice"]);
    for (headers, status) in [
        (&[("x-partner-token", of_partner.as_str()), ("authorization", &bearer)][..], 400),
        (&[("x-partner-token", &of_partner), ("x-partner-token", &of_partner)], 400),
        (&[("x-partner-token", &bearer)], 400),
        (&[("authorization", &of_partner.replace("Token", "Bearer"))], 401),
        (&[], 401),
    ] {
        assert_eq!(ask(headers).status, status, "{headers:?}");
    }
    let log = envoy.wait_for_log("scopegate_unknown_issuer");
    assert!(log.contains("scopegate_multiple_credentials") && log.contains("scopegate_malformed_header"), "{log}");
}

#[test]
fn a_websocket_opens_with_the_token_among_its_subprotocols_and_its_server_does_not_see_it() {
    let (issuer, sockets) = (Issuer::new(Algorithm::Es256, "a"), Sockets::start());
    let envoy = of_sockets(&issuer, &sockets);
    let url = format!("ws://{}/feed", envoy.address());
    let token = issuer.token(now()).sign();
    for client in ["http1", "http2"] {
        let ask = |protocols: &[&str]| said(websocket(&[client, &url]).args(protocols));
        let told = ask(&["bearer", &token]);
        assert_eq!(told["selected"], "bearer", "{client}: {told}");
        assert_eq!(told["headers"]["sec-websocket-protocol"], "bearer", "{client}: {told}");
        assert_eq!(told["headers"]["x-auth-subject"], "alice", "{client}: {told}");
        assert_eq!(ask(&["chat", "bearer", &token, "v2"])["headers"]["sec-websocket-protocol"], "chat, bearer, v2");
        let expired = issuer.token(0).sign();
        for (protocols, status) in [
            (&["chat"][..], 401),
            (&["bearer", &expired], 401),
            (&["bearer"], 400),
            (&["bearer", &token, "bearer", "x"], 400),
        ] {
            let told = if client == "http1" && protocols.len() == 4 { continue } else { ask(protocols) };
            assert_eq!(told["status"], status, "{client}: {protocols:?}");
        }
    }
    // Nothing upgrades here, so the header is no place of a token.
    let offered = format!("bearer, {token}");
    assert_eq!(get(envoy.address(), "/", &[("sec-websocket-protocol", &offered)]).status, 401);
}

#[test]
#[ignore = "needs Chromium: make evidence-services"]
fn a_page_in_a_browser_opens_a_websocket_with_its_token() {
    let (issuer, sockets) = (Issuer::new(Algorithm::Es256, "a"), Sockets::start());
    let envoy = of_sockets(&issuer, &sockets);
    let url = format!("ws://{}/feed", envoy.address());
    let page = |protocols: &[&str]| {
        let mut command = Command::new(node::binary());
        command.arg(root().join("tests/e2e/browser_websocket.mjs")).arg(&url).args(protocols);
        said(command.env("CHROMIUM", "chromium-headless-shell"))
    };
    let told = page(&["bearer", &issuer.token(now()).sign()]);
    assert_eq!((&told["selected"], &told["headers"]["x-auth-subject"]), (&json!("bearer"), &json!("alice")), "{told}");
    assert_eq!(told["headers"]["sec-websocket-protocol"], "bearer", "{told}");
    assert_eq!(page(&["bearer", &issuer.token(0).sign()])["failed"], true);
}
