//! MCP messages in a real Envoy: a refused call is executed nowhere, whichever way it comes.

use crate::gate::configuration;
use crate::keys::{KeyServer, remote};
use crate::support::client::{Response, connect, head, read_response, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Server};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::{BufReader, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where messages are judged, with or without their headers held.
fn rules(holds: bool) -> Value {
    json!([{
        "match": { "path": "/mcp" }, "scopes": ["orders:read"],
        "mcp": {
            "tools": { "rules": [{ "tool": "delete_*", "scopes": ["mcp:write"] }, { "tool": "debug", "deny": true }] },
            "hold_headers": holds, "body_bytes": 2000, "origins": ["https://app.example.com"],
        },
    }])
}

/// A way to send a body.
type Way<'a> = &'a dyn Fn(&str) -> Response;

/// An upstream that keeps what it receives, whole requests alone.
pub(crate) struct Upstream {
    server: Server,
    received: Arc<Mutex<Vec<(String, String)>>>,
}

impl Upstream {
    fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let server = Server::start(0, move |request| {
            let subject = request.headers.iter().find(|(name, _)| name == "x-auth-subject");
            let has_token = request.headers.iter().any(|(name, _)| name == "authorization");
            let line = format!("{} {} {has_token}", request.method, subject.map_or("", |(_, value)| value));
            kept.lock().unwrap().push((line, String::from_utf8_lossy(&request.body).into_owned()));
            Answer::json(&json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))
        });
        Self { server: server.unwrap(), received }
    }

    /// What has been received since the last look.
    pub(crate) fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

pub(crate) fn gate(configuration: Value, holds: bool) -> Gate {
    let mut gate = Gate::new(configuration);
    gate.name = if holds { "held" } else { "gate" };
    gate.plugin = json!({ "allow_on_headers_stop_iteration": holds });
    gate
}

/// An Envoy in front of an upstream; with a key server if keys have to be fetched.
pub(crate) fn start(gate: Gate, keys: Option<&KeyServer>) -> (Envoy, Upstream) {
    let upstream = Upstream::start();
    let mut clusters = vec![cluster("upstream", upstream.server.address)];
    clusters.extend(keys.map(|keys| cluster("issuer", keys.server.address)));
    (Envoy::shared(&resources(&[gate], &clusters)), upstream)
}

fn call(tool: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": tool, "arguments": {} } })
        .to_string()
}

pub(crate) fn post(bearer: &str, more: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let mut headers = vec![("authorization", bearer), ("content-type", "application/json")];
    headers.extend(more);
    if !more.iter().any(|(name, _)| *name == "transfer-encoding") {
        headers.push(("content-length", &length));
    }
    [&head("POST", "/mcp", &headers), body].concat()
}

/// Sends a request in pieces, with a pause after each.
fn in_pieces(address: SocketAddr, request: &[u8], size: usize, pause: Duration) -> Response {
    let mut stream = connect(address);
    stream.set_nodelay(true).unwrap();
    for piece in request.chunks(size) {
        if stream.write_all(piece).is_err() {
            break;
        }
        std::thread::sleep(pause);
    }
    read_response(&mut BufReader::new(stream), false).expect("an answer")
}

/// A body in chunks, with trailers.
fn chunked(body: &str, size: usize, trailers: &str) -> Vec<u8> {
    let chunks = body
        .as_bytes()
        .chunks(size)
        .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    [chunks.collect::<Vec<_>>().concat(), format!("0\r\n{trailers}\r\n").into_bytes()].concat()
}

pub(crate) fn rpc(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
    serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("{response:?}"))
}

#[test]
fn a_call_passes_with_its_body_and_identity_and_a_refused_one_is_executed_nowhere() {
    for holds in [false, true] {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let (envoy, upstream) = start(gate(configuration(&issuer, json!({ "rules": rules(holds) })), holds), None);
        let bearer = format!("Bearer {}", issuer.token(now()).sign());
        let ways: [(&str, Way<'_>); 4] = [
            ("at once", &|body| send(envoy.address(), &post(&bearer, &[], body.as_bytes()))),
            ("in chunks with trailers", &|body| {
                let more = [("transfer-encoding", "chunked"), ("trailer", "x-sum")];
                send(envoy.address(), &post(&bearer, &more, &chunked(body, 5, "x-sum: 1\r\n")))
            }),
            ("byte by byte", &|body| {
                let request = post(&bearer, &[], body.as_bytes());
                in_pieces(envoy.address(), &request, 1, Duration::from_micros(200))
            }),
            ("head first", &|body| {
                let request = post(&bearer, &[("expect", "100-continue")], body.as_bytes());
                let end = request.len() - body.len();
                let mut stream = connect(envoy.address());
                stream.write_all(&request[..end]).unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                assert_eq!(read_response(&mut reader, true).unwrap().status, 100);
                stream.write_all(&request[end..]).unwrap();
                read_response(&mut reader, false).unwrap()
            }),
        ];
        for (way, ask) in ways {
            let told = ask(&call("get_weather"));
            assert_eq!(told.status, 200, "{way}, {holds}: {told:?}");
            assert_eq!(upstream.take(), [("POST alice false".to_owned(), call("get_weather"))], "{way}, {holds}");
            let refused = ask(&call("delete_user"));
            assert_eq!(refused.status, 403, "{way}, {holds}: {refused:?}");
            let error = rpc(&refused);
            assert_eq!((&error["id"], &error["error"]["code"]), (&json!(7), &json!(403)), "{way}: {error}");
            let wanted = json!({ "error": "insufficient_scope", "scope": "orders:read mcp:write" });
            assert_eq!(error["error"]["data"], wanted, "{way}: {error}");
            let challenge = refused.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer ") && challenge.contains("scope=\"orders:read mcp:write\""));
            assert_eq!(ask(&call("debug")).status, 403, "{way}, {holds}");
            assert_eq!(upstream.take(), [], "{way}, {holds}");
        }
        envoy.wait_for_log("\"mcp\":{\"method\":\"tools/call\",\"name\":\"delete_user\"}");
        envoy.wait_for_log("\"mcp\":{\"method\":\"tools/call\",\"name\":\"get_weather\"}");
    }
}

#[test]
fn what_is_no_message_is_executed_nowhere_and_says_why() {
    for holds in [false, true] {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let (envoy, upstream) = start(gate(configuration(&issuer, json!({ "rules": rules(holds) })), holds), None);
        let bearer = format!("Bearer {}", issuer.token(now()).sign());
        let long = format!("{}{}", call("a"), " ".repeat(2000));
        let nested = "[".repeat(500);
        let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"debug"}}"#;
        let cased = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"debug"}}"#;
        let batch = format!("[{}]", call("a"));
        let mirrored = [("mcp-name", "b"), ("mcp-protocol-version", "2025-11-25")];
        let good = call("a");
        for (body, more, status, code) in [
            ("", &[][..], 400, -32700),
            ("{", &[], 400, -32700),
            (&nested, &[], 400, -32700),
            (twice, &[], 400, -32700),
            (cased, &[], 400, -32600),
            (&batch, &[], 400, -32600),
            (&long, &[], 413, -32600),
            (&good, &mirrored, 400, -32020),
            (&good, &[("mcp-protocol-version", "2024-11-05")], 400, -32022),
            (&good, &[("content-encoding", "gzip")], 415, -32600),
            (&good, &[("origin", "https://evil.example.com")], 403, 403),
        ] {
            let told = send(envoy.address(), &post(&bearer, more, body.as_bytes()));
            let error = rpc(&told);
            assert_eq!((told.status, &error["error"]["code"]), (status, &json!(code)), "{body} {more:?}: {told:?}");
            let more: Vec<_> = more.iter().copied().chain([("transfer-encoding", "chunked")]).collect();
            let told = send(envoy.address(), &post(&bearer, &more, &chunked(body, 300, "")));
            assert_eq!(
                (told.status, &rpc(&told)["error"]["code"]),
                (status, &json!(code)),
                "in chunks: {body}: {told:?}"
            );
        }
        for method in ["GET", "DELETE"] {
            let request = |headers: &[(&str, &str)]| {
                let mut all = vec![("authorization", bearer.as_str())];
                all.extend(headers);
                head(method, "/mcp", &all)
            };
            assert_eq!(send(envoy.address(), &request(&[])).status, 200);
            assert_eq!(upstream.take(), [(format!("{method} alice false"), String::new())]);
            let length = good.len().to_string();
            let with_body = [request(&[("content-length", &length)]), good.clone().into_bytes()].concat();
            assert_eq!(send(envoy.address(), &with_body).status, 400, "{method}");
        }
        assert_eq!(upstream.take(), []);
    }
}

#[test]
fn a_message_that_waits_for_keys_is_judged_when_both_are_there() {
    for (holds, in_parts) in [(false, false), (false, true), (true, false), (true, true)] {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let keys = KeyServer::held(KeyServer::keys(&issuer));
        let members = json!({ "rules": rules(holds), "forward": { "headers": { "x-auth-subject": "sub" } } });
        let (envoy, upstream) = start(gate(remote(json!({}), members), holds), Some(&keys));
        let bearer = format!("Bearer {}", issuer.token(now()).sign());
        let address = envoy.address();
        let ask = |tool: &str| {
            let (request, body) = (post(&bearer, &[], call(tool).as_bytes()), call(tool).len());
            std::thread::spawn(move || {
                let mut stream = connect(address);
                // The head, then half of the body, or all of it, before the keys come; the rest after them.
                let early = request.len() - if in_parts { body / 2 } else { 0 };
                stream.write_all(&request[..early]).unwrap();
                std::thread::sleep(Duration::from_millis(900));
                stream.write_all(&request[early..]).unwrap();
                read_response(&mut BufReader::new(stream), false).expect("an answer")
            })
        };
        let asked = ["get_weather", "delete_user"].map(&ask);
        std::thread::sleep(Duration::from_millis(400));
        keys.release();
        let told = asked.map(|thread| thread.join().unwrap());
        assert_eq!(told.each_ref().map(|told| told.status), [200, 403], "{holds} {in_parts}: {told:?}");
        assert_eq!(upstream.take(), [("POST alice false".to_owned(), call("get_weather"))], "{holds} {in_parts}");
    }
}
