//! Lists of MCP servers in a real Envoy: what the client may not call is left out, however the server sends it.

use crate::gate::configuration;
use crate::messages::{gate, post, rpc};
use crate::support::client::{Response, head, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::issuer::{Issuer, now};
use crate::support::modules::{full_module, requests_module};
use crate::support::node;
use crate::support::only_wasm::needs_wasm;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What an upstream sends: bytes, and for how long it then waits.
type Script = Vec<(Vec<u8>, Duration)>;

/// An upstream that sends exactly these bytes, and keeps the heads that it gets.
struct Upstream {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (script, heads) = (Arc::new(Mutex::new(Script::new())), Arc::new(Mutex::new(Vec::new())));
        let (own_script, own_heads) = (Arc::clone(&script), Arc::clone(&heads));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, heads) = (Arc::clone(&own_script), Arc::clone(&own_heads));
                std::thread::spawn(move || serve(stream, &script, &heads));
            }
        });
        Self { address, script, heads }
    }

    fn says(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }
}

/// Reads one request, and sends the script. The connection ends with it.
fn serve(mut stream: TcpStream, script: &Mutex<Script>, heads: &Mutex<Vec<String>>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {
        let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
        length = line.strip_prefix("content-length: ").and_then(|text| text.trim().parse().ok()).unwrap_or(length);
    }
    let mut body = vec![0; length];
    if head.is_empty() || reader.read_exact(&mut body).is_err() {
        return;
    }
    heads.lock().unwrap().push(head);
    let parts = script.lock().unwrap().clone();
    for (bytes, pause) in parts {
        if stream.write_all(&bytes).is_err() {
            return;
        }
        std::thread::sleep(pause);
    }
}

/// A response with this type, in chunks of this size, each sent by itself where `pause` is not zero.
fn response(headers: &str, body: &[u8], size: usize, pause: Duration, trailers: &str) -> Script {
    let mut script = vec![(
        format!("HTTP/1.1 {headers}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes(),
        pause,
    )];
    for chunk in body.chunks(size) {
        script.push(([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat(), pause));
    }
    script.push((format!("0\r\n{trailers}\r\n").into_bytes(), Duration::ZERO));
    script
}

const NOW: Duration = Duration::ZERO;
const JSON: &str = "200 OK\r\ncontent-type: application/json";
const EVENTS: &str = "200 OK\r\ncontent-type: text/event-stream";

fn whole(headers: &str, body: &[u8]) -> Script {
    response(headers, body, body.len().max(1), NOW, "")
}

fn events(data: &str) -> Vec<u8> {
    format!(": hello\n\nevent: message\nid: 1\ndata: {data}\n\n").into_bytes()
}

fn start(holds: bool, upstream: &Upstream) -> (Envoy, Issuer) {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let mcp = json!({
        "lists": "granted", "hold_headers": holds,
        "tools": { "rules": [{ "tool": "delete_*", "scopes": ["mcp:write"] }, { "tool": "debug", "deny": true }] },
        "resources": { "rules": [{ "uri": "memo://open/*" }], "default": { "deny": true } },
    });
    let rules = json!([{ "match": { "path": "/mcp" }, "scopes": ["orders:read"], "mcp": mcp }]);
    let full = full_module();
    let mut gate: Gate = gate(configuration(&issuer, json!({ "rules": rules })), holds);
    gate.plugin["vm_config"] = json!({ "code": { "local": { "filename": full.to_string_lossy() } } });
    // A route of streams.
    gate.routes[0]["route"]["timeout"] = json!("0s");
    let mut upstreams = cluster("upstream", upstream.address);
    // Less than the lists that are held.
    upstreams["per_connection_buffer_limit_bytes"] = json!(32_768);
    (Envoy::shared(&resources(&[gate], &[upstreams])), issuer)
}

fn ask(method: &str) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "id": "mine", "method": method, "params": {} }).to_string().into_bytes()
}

fn list(envoy: &Envoy, bearer: &str) -> Response {
    send(envoy.address(), &post(bearer, &[("accept-encoding", "gzip, br")], &ask("tools/list")))
}

fn tools(names: &[&str]) -> String {
    let tools: Vec<Value> =
        names.iter().map(|name| json!({ "name": name, "inputSchema": { "type": "object" } })).collect();
    json!({ "jsonrpc": "2.0", "id": "mine", "result": { "tools": tools } }).to_string()
}

const ALL: [&str; 4] = ["get_weather", "delete_user", "debug", "zoé"];
const SHOWN: [&str; 2] = ["get_weather", "zoé"];

#[test]
fn a_list_shows_what_its_reader_may_call_however_it_comes() {
    for holds in [false, true] {
        let upstream = Upstream::start();
        let (envoy, issuer) = start(holds, &upstream);
        let bearer = |scope: &str| format!("Bearer {}", issuer.token(now()).scope(scope).sign());
        let (poor, rich) = (bearer("orders:read"), bearer("orders:read mcp:write"));
        let body = tools(&ALL);
        let length = format!("{JSON}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let ways: Vec<(&str, Script)> = vec![
            ("with its length", vec![(format!("HTTP/1.1 {length}").into_bytes(), NOW)]),
            ("in one chunk", whole(JSON, body.as_bytes())),
            ("byte by byte", response(JSON, body.as_bytes(), 1, NOW, "")),
            ("in parts with pauses", response(JSON, body.as_bytes(), 60, Duration::from_millis(3), "")),
            ("with trailers", response(JSON, body.as_bytes(), 50, Duration::from_millis(1), "x-sum: 1\r\n")),
        ];
        for (way, script) in ways {
            upstream.says(script);
            for (bearer, shown) in [(&poor, &SHOWN[..]), (&rich, &["get_weather", "delete_user", "zoé"][..])] {
                let told = list(&envoy, bearer);
                assert_eq!((told.status, told.body.as_str()), (200, tools(shown).as_str()), "{way}, {holds}");
                assert_eq!(told.header("content-length"), None);
            }
        }
        let stream = [events(&body), b": bye\r\n\r\n".to_vec()].concat();
        let shown = [events(&tools(&SHOWN)), b": bye\r\n\r\n".to_vec()].concat();
        for (size, pause) in [(stream.len(), NOW), (1, NOW), (17, Duration::from_millis(2))] {
            upstream.says(response(EVENTS, &stream, size, pause, ""));
            assert_eq!(list(&envoy, &poor).body.as_bytes(), shown, "parts of {size}, {holds}");
            let opened = send(envoy.address(), &head("GET", "/mcp", &[("authorization", &poor)]));
            assert_eq!(opened.body.as_bytes(), shown, "a GET stream, in parts of {size}");
        }
        let heads = upstream.heads.lock().unwrap();
        assert!(heads.iter().all(|head| !head.contains("accept-encoding")), "{heads:?}");
        assert!(!envoy.log().contains("unusable_list"), "{}", envoy.log());
    }
}

#[test]
fn resources_and_pages_under_the_stateless_revision_are_filtered_and_private() {
    let upstream = Upstream::start();
    let (envoy, issuer) = start(true, &upstream);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    let page = |items: &str, ttl: &str, scope: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"resources":[{items}],"nextCursor":"n","ttlMs":{ttl},"cacheScope":{scope}}}}}"#
        )
    };
    let (open, closed) = (r#"{"uri":"memo://open/a","name":"a"}"#, r#"{"uri":"memo://closed","name":"b"}"#);
    let other = r#"{"uri":"MEMO://open/a","name":"c"}"#;
    for (sent, shown) in [
        (page(&[open, closed, other].join(" , "), "5000", "\"public\""), page(open, "0", "\"private\"")),
        (page(open, "5000", "\"public\""), page(open, "5000", "\"private\"")),
        (page(closed, "5000", "\"private\""), page("", "0", "\"private\"")),
    ] {
        upstream.says(whole(JSON, sent.as_bytes()));
        let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/list", "params": { "_meta": meta } });
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "resources/list")];
        let told = send(envoy.address(), &post(&bearer, &headers, body.to_string().as_bytes()));
        assert_eq!(told.body, shown);
    }
}

/// What other requests are answered goes on in the callback in which it came.
#[test]
fn what_is_no_list_is_not_delayed_and_stays_as_it_is() {
    let upstream = Upstream::start();
    let (envoy, issuer) = start(false, &upstream);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    let call =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "get_weather" } }).to_string();
    let body = tools(&ALL);
    upstream.says(whole(&format!("{JSON}\r\ncontent-encoding: gzip"), body.as_bytes()));
    assert_eq!(send(envoy.address(), &post(&bearer, &[], call.as_bytes())).body, body);
    // Three events, a second apart.
    let event = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
    upstream.says(response(EVENTS, event.repeat(3).as_bytes(), event.len(), Duration::from_millis(400), ""));
    let mut stream = crate::support::client::connect(envoy.address());
    stream.write_all(&head("GET", "/mcp", &[("authorization", &bearer)])).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut line, mut came) = (String::new(), Vec::new());
    while came.len() < 3 && reader.read_line(&mut line).unwrap() > 0 {
        if line.starts_with("data: ") {
            came.push(Instant::now());
        }
        line.clear();
    }
    let gaps: Vec<Duration> = came.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() == 2 && gaps.iter().all(|gap| *gap > Duration::from_millis(200)), "one by one: {gaps:?}");
}

/// Sent by an upstream that is wrong, or hostile. Nothing that may not be called gets through, and no VM is lost.
#[test]
fn what_cannot_be_read_in_one_way_becomes_an_error() {
    let all = tools(&ALL);
    let many: Vec<Value> =
        (0..10_000).map(|number| json!({ "name": format!("delete_{number}"), "n": number })).collect();
    let many = json!({ "jsonrpc": "2.0", "id": "mine", "result": { "tools": many } }).to_string();
    for holds in [false, true] {
        let upstream = Upstream::start();
        let (envoy, issuer) = start(holds, &upstream);
        let bearer = format!("Bearer {}", issuer.token(now()).sign());
        let error_of = |told: &Response| -> Value {
            let text = told.body.split("data: ").last().unwrap().trim();
            serde_json::from_str(text).unwrap_or_else(|_| panic!("{told:?}"))
        };
        let bodies: Vec<(&str, String)> = vec![
            ("a batch", format!("[{all}]")),
            ("no name", all.replace("\"name\":\"debug\"", "\"title\":\"debug\"")),
            ("a name twice", all.replace("\"name\":\"debug\"", "\"name\":\"a\",\"name\":\"debug\"")),
            ("another case", all.replace("\"name\":\"debug\"", "\"name\":\"a\",\"Name\":\"debug\"")),
            ("a result twice", all.replace("\"result\"", "\"result\":{},\"result\"")),
            ("two lists", all.replace("\"tools\":[", "\"tools\":[],\"tools\":[")),
            ("no list", all.replace("\"tools\":[", "\"tools\":{\"a\":[").replace("]}", "]}}")),
            ("a byte order mark", format!("\u{feff}{all}")),
            ("two answers", format!("{all}{all}")),
            ("10^5 arrays", format!("{{\"result\":{}", "[".repeat(100_000))),
            ("2 MiB", all.replace("\"object\"", &format!("\"{}\"", "x".repeat(2_097_152)))),
            ("cut off", all.strip_suffix('}').unwrap().to_owned()),
        ];
        for (what, body) in &bodies {
            let data = body.replace('\n', "");
            for script in [whole(JSON, body.as_bytes()), response(EVENTS, &events(&data), 9_000, NOW, "")] {
                upstream.says(script);
                let told = list(&envoy, &bearer);
                assert!(!told.body.contains("debug"), "{what}, {holds}: {told:?}");
                let error = error_of(&told);
                assert_eq!(
                    (told.status, &error["error"]["code"], &error["id"]),
                    (200, &json!(-32603), &json!("mine")),
                    "{what}"
                );
            }
        }
        for (what, stream) in [
            ("a lone CR", format!("data: {all}\r\rdata: {{}}\n\n")),
            ("a lone CR in white space", format!("data: {{\r\"method\":\"a\"}}\n\ndata:\r{all}\n\n")),
            ("a byte order mark", format!("\u{feff}data: {all}\n\n")),
            ("another case", format!("Data: {all}\n\n")),
            ("no end", format!("data: {all}\n")),
            ("an event of 2 MiB", format!("data: {}{all}\n\n", " ".repeat(2_097_152))),
        ] {
            upstream.says(response(EVENTS, stream.as_bytes(), 30_000, NOW, ""));
            let told = list(&envoy, &bearer);
            assert!(!told.body.contains("debug"), "{what}, {holds}: {told:?}");
            assert_eq!(error_of(&told)["error"]["code"], -32603, "{what}: {told:?}");
        }
        for headers in [
            "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip",
            "200 OK\r\ncontent-type: text/plain",
            "200 OK",
            "404 Not Found\r\ncontent-type: text/html;application/json",
            "200 OK\r\ncontent-type: application/json; charset=utf-16",
        ] {
            upstream.says(whole(headers, all.as_bytes()));
            let told = list(&envoy, &bearer);
            assert!(!told.body.contains("debug"), "{headers}, {holds}: {told:?}");
            assert_eq!((told.status, &rpc(&told)["error"]["code"]), (502, &json!(-32603)), "{headers}: {told:?}");
        }
        // It announces less than it sends, and more.
        for length in [10, all.len() + 10] {
            let head = format!("HTTP/1.1 {JSON}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{all}");
            upstream.says(vec![(head.into_bytes(), NOW)]);
            let told = crate::support::client::try_send(envoy.address(), &post(&bearer, &[], &ask("tools/list")));
            assert!(told.is_none_or(|told| !told.body.contains("debug")));
        }
        upstream.says(response(JSON, many.as_bytes(), 8_192, NOW, ""));
        assert_eq!(list(&envoy, &bearer).body, tools(&[]), "10^4 tools, {holds}");
        upstream.says(whole(JSON, all.as_bytes()));
        assert_eq!(list(&envoy, &bearer).body, tools(&SHOWN), "the VM lives");
        eventually("refused lists are counted", || envoy.log().contains("unusable_list"));
        assert!(envoy.counter_of_at_least("scopegate.denied.unusable_list", 30) >= 30);
        assert!(!envoy.log().contains("panicked"), "{}", envoy.log());
    }
}

#[test]
fn a_list_is_filtered_over_http2_too() {
    let upstream = Upstream::start();
    let (envoy, issuer) = start(true, &upstream);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    for (headers, body, shown) in [
        (JSON, tools(&ALL).into_bytes(), tools(&SHOWN).into_bytes()),
        (EVENTS, events(&tools(&ALL)), events(&tools(&SHOWN))),
    ] {
        upstream.says(response(headers, &body, 40, Duration::from_millis(1), ""));
        let output = Command::new(node::binary())
            .arg(root().join("tests/e2e/lists_http2.mjs"))
            .args([&format!("http://{}", envoy.address()), &bearer, &String::from_utf8(ask("tools/list")).unwrap()])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&shown), "{output:?}");
    }
}

#[test]
fn the_module_without_callbacks_of_responses_refuses_the_setting() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let rules = json!([{ "match": { "path": "/mcp" }, "mcp": { "lists": "granted" } }]);
    let mut gate = gate(configuration(&issuer, json!({ "rules": rules })), false);
    let without = requests_module();
    gate.plugin["vm_config"] = json!({ "code": { "local": { "filename": without.to_string_lossy() } } });
    let upstream = Upstream::start();
    let refused = Envoy::try_start(&resources(&[gate], &[cluster("upstream", upstream.address)]), 1);
    assert!(refused.is_err_and(|log| log.contains("mcp.lists: ") && log.contains("scopegate-full.wasm")));
}
