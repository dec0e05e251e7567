//! Bodies that two parsers could read differently, or that should stop one, in a real Envoy: none is executed.

use crate::gate::configuration;
use crate::messages::{Upstream, gate, post, rpc, start};
use crate::support::client::send;
use crate::support::envoy::root;
use crate::support::hostile_bodies::{self, FORBIDDEN};
use crate::support::issuer::{Issuer, now};
use crate::support::node;
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// The status and the type of the answer to each body, over HTTP/2.
fn over_http2(address: SocketAddr, bearer: &str, bodies: &[Vec<u8>]) -> Vec<Value> {
    let mut client = Command::new(node::binary())
        .arg(root().join("tests/e2e/messages_http2.mjs"))
        .args([&format!("http://{address}"), bearer])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = bodies.iter().map(|body| base64url::encode(body) + "\n").collect();
    client.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn in_chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend(format!("{:x}\r\n", chunk.len()).bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

#[test]
fn no_hostile_message_is_executed_and_good_ones_go_on_as_they_came() {
    for holds in [false, true] {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let tools = json!({ "rules": [{ "tool": FORBIDDEN, "deny": true }] });
        let mcp = json!({ "tools": tools, "hold_headers": holds, "body_bytes": 4_194_304 });
        let rules = json!([{ "match": { "path": "/mcp" }, "scopes": ["orders:read"], "mcp": mcp }]);
        let (envoy, upstream) = start(gate(configuration(&issuer, json!({ "rules": rules })), holds), None);
        let bearer = format!("Bearer {}", issuer.token(now()).sign());
        let refused = hostile_bodies::refused();
        for (what, body) in &refused {
            // Small chunks end inside of escapes.
            let size = if body.len() < 1_000 { 3 } else { 4_099 };
            let whole = send(envoy.address(), &post(&bearer, &[], body));
            let chunks = post(&bearer, &[("transfer-encoding", "chunked")], &in_chunks(body, size));
            for told in [whole, send(envoy.address(), &chunks)] {
                assert_eq!(told.status, 400, "{what}, {holds}: {told:?}");
                assert!(rpc(&told)["error"]["code"].as_i64().is_some_and(|code| code < -32_599), "{what}: {told:?}");
            }
            assert_eq!(upstream.take(), [], "{what}, {holds}");
        }
        let bodies: Vec<Vec<u8>> = refused.iter().map(|(_, body)| body.clone()).collect();
        let told = over_http2(envoy.address(), &bearer, &bodies);
        assert_eq!(told.len(), bodies.len(), "{told:?}");
        for (told, (what, _)) in told.iter().zip(&refused) {
            assert_eq!(*told, json!({ "status": 400, "type": "application/json" }), "{what}, {holds}, HTTP/2");
        }
        assert_eq!(upstream.take(), [], "{holds}, HTTP/2");
        good_ones_go_on(&envoy.address(), &upstream, &bearer);
        // Far more than is taken, of which nothing comes.
        let announced = post(&bearer, &[("content-length", "1073741824")], b"");
        let told = send(
            envoy.address(),
            &String::from_utf8(announced).unwrap().replace("content-length: 0\r\n", "").into_bytes(),
        );
        assert_eq!((told.status, &rpc(&told)["error"]["code"]), (413, &json!(-32_600)), "{holds}");
    }
}

fn good_ones_go_on(address: &SocketAddr, upstream: &Upstream, bearer: &str) {
    for (what, body) in hostile_bodies::passed() {
        let told = send(*address, &post(bearer, &[], body.as_bytes()));
        assert_eq!(told.status, 200, "{what}: {told:?}");
        let received = upstream.take();
        assert!(matches!(&received[..], [(_, own)] if *own == body), "{what}");
    }
}
