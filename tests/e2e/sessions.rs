//! Session ids of an MCP server in a real Envoy, with the module that is called for responses: only the identity that an id was
//! handed out to gets it to the server.

use crate::gate::configuration;
use crate::messages::{gate, post, rpc};
use crate::support::client::{Response, head, request, send};
use crate::support::envoy::{Envoy, Gate, cluster, merge, resources, root};
use crate::support::issuer::{Issuer, now};
use crate::support::modules::{full_module, requests_module};
use crate::support::node;
use crate::support::only_wasm::needs_wasm;
use crate::support::server::{Answer, Server};
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// What the server hands out.
const OF_SERVER: &str = "0f3e-server/id";
const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// The method of a request, and all session ids in its headers and trailers.
type Received = (String, Vec<String>);

/// A server that hands out a session id, and keeps what it receives: the method, and all session ids in headers and
/// trailers. In a request with `x-hands-out` it says what the response has in its place.
struct McpServer {
    server: Server,
    received: Arc<Mutex<Vec<Received>>>,
}

impl McpServer {
    fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let server = Server::start(0, move |request| {
            let is_session = |name: &str| name.replace('_', "-") == "mcp-session-id";
            let lines = request.headers.iter().chain(&request.trailers).filter(|(name, _)| is_session(name));
            let ids: Vec<String> = lines.map(|(_, id)| id.clone()).collect();
            kept.lock().unwrap().push((request.method.clone(), ids));
            let wanted = request.headers.iter().find(|(name, _)| name == "x-hands-out").map(|(_, what)| what.as_str());
            let ids = match wanted {
                Some("two") => vec![OF_SERVER.to_owned(), OF_SERVER.to_owned()],
                Some("text") => vec!["\u{e9}".to_owned()],
                Some("space") => vec!["a b".to_owned()],
                Some("long") => vec!["a".repeat(1025)],
                Some("longest") => vec!["a".repeat(1024)],
                Some("ended") => return Answer::status(404),
                _ => vec![OF_SERVER.to_owned()],
            };
            let mut answer = Answer::json(&json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
            answer.headers.extend(ids.into_iter().map(|id| ("Mcp-Session-Id".to_owned(), id)));
            answer
        });
        Self { server: server.unwrap(), received }
    }

    /// What has been received since the last look.
    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    fn got(&self, method: &str, ids: &[&str], what: &str) {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(self.take(), [(method.to_owned(), ids)], "{what}");
    }
}

fn session(keys: &[&str]) -> Value {
    json!({ "keys": keys.iter().map(|name| json!({ "env": name })).collect::<Vec<_>>() })
}

fn members(keys: &[&str], holds: bool) -> Value {
    let mcp = json!({ "session": session(keys), "hold_headers": holds });
    json!({ "default": { "scopes": ["orders:read"], "mcp": mcp } })
}

/// A gate in the module that is called for responses.
fn bound(issuer: &Issuer, members: Value, holds: bool) -> Gate {
    let secret = |byte| base64url::encode(&[byte; 32]);
    let keys = json!({ "OLD_KEY": secret(1), "NEW_KEY": secret(2) });
    let mut gate = gate(configuration(issuer, members), holds).module(&full_module());
    merge(&mut gate.plugin, &json!({ "vm_config": { "environment_variables": { "key_values": keys } } }));
    gate
}

/// An Envoy with these gates: all have one module, which it compiles once.
fn envoy(gates: &[Gate], upstream: &McpServer) -> Envoy {
    Envoy::start(&resources(gates, &[cluster("upstream", upstream.server.address)]))
}

/// A gate that holds headers, and one that does not.
fn both(issuer: &Issuer) -> [Gate; 2] {
    [false, true].map(|holds| bound(issuer, members(&["OLD_KEY"], holds), holds))
}

/// Their listeners.
const BOTH: [&str; 2] = ["gate", "held"];

/// Sends a message.
fn ping(address: SocketAddr, bearer: &str, more: &[(&str, &str)]) -> Response {
    send(address, &post(bearer, more, PING))
}

fn begin(address: SocketAddr, bearer: &str) -> String {
    let told = ping(address, bearer, &[]);
    assert_eq!(told.status, 200, "{told:?}");
    told.header("mcp-session-id").expect("an id").to_owned()
}

/// Texts that are no id of the identity that got `own`, and was not given `other`.
fn foreign(own: &str, other: &str) -> Vec<String> {
    let tag = |id: &str| id[id.len() - 22..].to_owned();
    vec![
        other.to_owned(),
        OF_SERVER.to_owned(),
        own.replace(&tag(own), &tag(other)),
        own[..own.len() - 1].to_owned(),
        own[1..].to_owned(),
        format!("{own}A"),
        format!("A{own}"),
        own.replace(OF_SERVER, "other"),
        "x".repeat(5000),
    ]
}

#[test]
fn an_id_is_good_for_the_identity_that_it_was_handed_out_to_at_every_envoy_with_the_key() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = McpServer::start();
    let started = [envoy(&both(&issuer), &upstream), envoy(&both(&issuer), &upstream)];
    for listener in BOTH {
        let envoys = started.each_ref().map(|envoy| envoy.listener(listener));
        let of = |sub: &str| format!("Bearer {}", issuer.token(now()).claim("sub", sub).sign());
        let (alice, bob) = (of("alice"), of("bob"));
        let refreshed = issuer.token(now() - 60).claim("jti", "2").scope("orders:read more").sign();
        let refreshed = format!("Bearer {refreshed}");
        let (id, of_bob) = (begin(envoys[0], &alice), begin(envoys[0], &bob));
        assert!(id.starts_with(OF_SERVER) && id != OF_SERVER && id != of_bob, "{id} {of_bob}");
        assert_eq!(upstream.take().len(), 2);
        for address in envoys {
            for bearer in [&alice, &refreshed] {
                let told = ping(address, bearer, &[("mcp-session-id", &id)]);
                assert_eq!((told.status, told.header("mcp-session-id")), (200, Some(&*id)), "{told:?}");
                upstream.got("POST", &[OF_SERVER], "the server sees its own id");
                for method in ["GET", "DELETE"] {
                    let headers = [("authorization", bearer.as_str()), ("Mcp-Session-Id", &id)];
                    assert_eq!(request(address, method, "/mcp", &headers).status, 200);
                    upstream.got(method, &[OF_SERVER], method);
                }
            }
            for text in foreign(&id, &of_bob) {
                let told = ping(address, &alice, &[("mcp-session-id", &text)]);
                let error = rpc(&told);
                assert_eq!((told.status, &error["error"]["code"]), (404, &json!(-32600)), "{text}: {told:?}");
                let headers = [("authorization", alice.as_str()), ("mcp-session-id", &text)];
                for method in ["GET", "DELETE"] {
                    assert_eq!(request(address, method, "/mcp", &headers).status, 404, "{method} {text}");
                }
            }
            let twice = ping(address, &alice, &[("mcp-session-id", &id), ("mcp-session-id", &id)]);
            assert_eq!(twice.status, 404, "{twice:?}");
            assert_eq!(upstream.take(), [], "a refused request reaches no server, not even by its headers");
        }
        started[0].wait_for_log("scopegate_foreign_session");
        assert!(started[0].counter_of_at_least("scopegate.denied.foreign_session", 28) >= 28);
        let stateless = [("mcp-protocol-version", "2026-07-28"), ("mcp-session-id", OF_SERVER)];
        let headers = [&[("authorization", alice.as_str())][..], &stateless].concat();
        assert_eq!(request(envoys[0], "GET", "/mcp", &headers).status, 200);
        upstream.got("GET", &[], "2026-07-28 has no sessions");
    }
}

#[test]
fn no_session_id_reaches_the_server_by_another_way() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = McpServer::start();
    let envoy = envoy(&both(&issuer), &upstream);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    for address in BOTH.map(|name| envoy.listener(name)) {
        let told = ping(address, &bearer, &[("mcp_session_id", OF_SERVER), ("Mcp-Session_Id", OF_SERVER)]);
        assert_eq!(told.status, 200);
        upstream.got("POST", &[], "in another spelling");
        let chunks = format!(
            "{:x}\r\n{}\r\n0\r\nmcp-session-id: a\r\nx-sum: 1\r\n\r\n",
            PING.len(),
            String::from_utf8_lossy(PING)
        );
        let more = [("transfer-encoding", "chunked"), ("trailer", "mcp-session-id, x-sum")];
        assert_eq!(send(address, &post(&bearer, &more, chunks.as_bytes())).status, 200);
        upstream.got("POST", &[], "among the trailers");
    }
}

#[test]
fn what_a_server_cannot_mean_is_refused_and_the_end_of_a_session_passes() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = McpServer::start();
    let envoy = envoy(&both(&issuer), &upstream);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    for address in BOTH.map(|name| envoy.listener(name)) {
        for what in ["two", "text", "space", "long"] {
            let told = ping(address, &bearer, &[("x-hands-out", what)]);
            let error = rpc(&told);
            assert_eq!((told.status, told.header("mcp-session-id")), (502, None), "{what}: {told:?}");
            assert_eq!((&error["id"], &error["error"]["code"]), (&json!(1), &json!(502)), "{what}: {error}");
            let headers = [("authorization", bearer.as_str()), ("x-hands-out", what)];
            assert_eq!(request(address, "GET", "/mcp", &headers).status, 502, "{what}");
        }
        let log =
            envoy.wait_for_log("502 scopegate_unusable_session {\"decision\":\"deny\",\"reason\":\"unusable_session\"");
        assert!(log.contains("two lines of Mcp-Session-Id"), "{log}");
        assert!(envoy.counter_of_at_least("scopegate.denied.unusable_session", 8) >= 8);
        let longest = ping(address, &bearer, &[("x-hands-out", "longest")]);
        let id = longest.header("mcp-session-id").unwrap();
        assert_eq!(ping(address, &bearer, &[("mcp-session-id", id)]).status, 200);
        upstream.take();
        let id = begin(address, &bearer);
        let ended = ping(address, &bearer, &[("mcp-session-id", &id), ("x-hands-out", "ended")]);
        assert_eq!((ended.status, ended.body.as_str()), (404, ""), "as the server answers it: {ended:?}");
    }
}

#[test]
fn sessions_outlive_a_change_of_keys() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = McpServer::start();
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    let keys: [(&str, &[&str]); 3] = [("old", &["OLD_KEY"]), ("both", &["NEW_KEY", "OLD_KEY"]), ("new", &["NEW_KEY"])];
    let gates = keys.map(|(name, keys)| Gate { name, ..bound(&issuer, members(keys, false), false) });
    let envoy = envoy(&gates, &upstream);
    let [old, both, new] = keys.map(|(name, _)| envoy.listener(name));
    let before = begin(old, &bearer);
    let after = begin(both, &bearer);
    let status = |address, id: &str| ping(address, &bearer, &[("mcp-session-id", id)]).status;
    assert_eq!([old, both, new].map(|address| status(address, &before)), [200, 200, 404]);
    assert_eq!([old, both, new].map(|address| status(address, &after)), [404, 200, 200], "the first key signs");
}

#[test]
fn what_is_only_reported_reaches_the_server_with_its_own_id() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = McpServer::start();
    let mut reporting = members(&["OLD_KEY"], false);
    reporting["report_only"] = json!(true);
    let envoy = envoy(&[bound(&issuer, reporting, false)], &upstream);
    let of = |sub: &str| format!("Bearer {}", issuer.token(now()).claim("sub", sub).sign());
    let id = begin(envoy.address(), &of("alice"));
    upstream.take();
    for sub in ["alice", "bob"] {
        assert_eq!(ping(envoy.address(), &of(sub), &[("mcp-session-id", &id)]).status, 200);
        upstream.got("POST", &[OF_SERVER], sub);
    }
    assert_eq!(envoy.counter_of_at_least("scopegate.would_deny.foreign_session", 1), 1);
}

#[test]
fn over_http2_it_is_the_same() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = McpServer::start();
    let envoy = envoy(&both(&issuer), &upstream);
    for address in BOTH.map(|name| envoy.listener(name)) {
        let of = |sub: &str| format!("Bearer {}", issuer.token(now()).claim("sub", sub).sign());
        let ask = |method: &str, bearer: &str, more: Value| {
            let mut headers = json!({ "authorization": bearer, "content-type": "application/json" });
            merge(&mut headers, &more);
            let body = if method == "POST" { String::from_utf8_lossy(PING).into_owned() } else { String::new() };
            json!({ "method": method, "headers": headers, "body": body })
        };
        let alice = of("alice");
        let told = over_http2(address, &[ask("POST", &alice, json!({})), ask("POST", &of("bob"), json!({}))]);
        let [id, of_bob] = [0, 1].map(|index: usize| told[index]["session"].as_str().unwrap().to_owned());
        upstream.take();
        let good: Vec<Value> =
            ["POST", "GET", "DELETE"].map(|method| ask(method, &alice, json!({ "mcp-session-id": id }))).into();
        for told in over_http2(address, &good) {
            assert_eq!(told, json!({ "status": 200, "session": id }));
        }
        assert!(upstream.take().iter().all(|(_, ids)| *ids == [OF_SERVER]));
        let of_others = foreign(&id, &of_bob);
        let bad: Vec<Value> =
            of_others.iter().map(|text| ask("POST", &alice, json!({ "mcp-session-id": text }))).collect();
        for told in over_http2(address, &bad) {
            assert_eq!(told, json!({ "status": 404, "session": null }));
        }
        assert_eq!(upstream.take(), []);
        let unusable: Vec<Value> =
            ["two", "text", "long"].map(|what| ask("POST", &alice, json!({ "x-hands-out": what }))).into();
        for told in over_http2(address, &unusable) {
            assert_eq!(told, json!({ "status": 502, "session": null }));
        }
    }
}

fn over_http2(address: SocketAddr, requests: &[Value]) -> Vec<Value> {
    let mut client = Command::new(node::binary())
        .arg(root().join("tests/e2e/sessions_http2.mjs"))
        .arg(format!("http://{address}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = requests.iter().map(|request| request.to_string() + "\n").collect();
    client.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    let told: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), requests.len());
    told
}

#[test]
fn a_module_that_is_not_called_for_responses_refuses_and_names_the_other() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = McpServer::start();
    let clusters = [cluster("upstream", upstream.server.address)];
    let own = json!({ "rules": [{ "match": { "path": "/mcp" }, "methods": { "POST": { "mcp": { "session": session(&["OLD_KEY"]) } } } }] });
    let refused = bound(&issuer, own, false).module(&requests_module());
    let log = Envoy::try_start(&resources(&[refused], &clusters), 1).err().expect("it does not start");
    let wanted = "configuration refused: rules[0].methods.POST.mcp.session: needs a module that is called for responses; load scopegate-full.wasm";
    assert!(log.contains(wanted), "{log}");
    let route = json!([{
        "name": "mcp", "match": { "path": "/mcp" }, "route": { "cluster": "upstream" },
        "metadata": { "filter_metadata": { "scopegate": { "mcp": { "session": session(&["OLD_KEY"]) } } } },
    }]);
    let by_metadata = bound(&issuer, json!({}), false).routes(route);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    let lean = Gate { name: "lean", ..by_metadata.clone().module(&requests_module()) };
    let envoy = envoy(&[by_metadata, lean], &upstream);
    assert_ne!(begin(envoy.listener("gate"), &bearer), OF_SERVER, "the key is read where the metadata is");
    upstream.take();
    let told = send(envoy.listener("lean"), &head("GET", "/mcp", &[("authorization", &bearer)]));
    assert_eq!(told.status, 500, "{told:?}");
    envoy.wait_for_log("route_metadata of mcp cannot be read, its requests are refused: mcp.session: needs a module that is called for responses; load scopegate-full.wasm");
    envoy.wait_for_log("scopegate_policy_unreadable");
    assert_eq!(upstream.take(), []);
}
