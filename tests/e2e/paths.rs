//! Paths from a hostile client: whatever their spelling, what reaches an upstream has met the rule of its route; and
//! a rule matches what Envoy's own matcher of the same name matches.

use crate::support::client::KeptClient;
use crate::support::envoy::{Envoy, Gate, cluster, listener, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::server::{Answer, Server};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

#[test]
fn no_spelling_of_a_path_reaches_a_route_that_asks_for_more_by_a_rule() {
    let tried = attack(Source::Rules, &KINDS, |route, credential, target| {
        assert!(
            (route, credential) != ("public", "nothing") || every_reading_begins_with(target, "/public"),
            "an upstream could read {target} as something that is not public"
        );
    });
    assert!(tried > 300, "{tried} spellings");
}

#[test]
fn no_spelling_of_a_path_reaches_a_route_that_asks_for_more_by_its_metadata() {
    // The filter reads no path here; two matchers show it.
    let tried = attack(Source::Metadata, &KINDS[..2], |_, _, _| {});
    assert!(tried > 300, "{tried} spellings");
}

#[test]
fn a_rule_matches_what_envoys_matcher_of_the_same_name_matches() {
    let matchers = matchers();
    let host = |index: usize| format!("m{index}.example.com");
    let raw = json!({ "normalize_path": false, "merge_slashes": false });
    let answer = |text: &str| json!({ "status": 200, "body": { "inline_string": text } });
    let hosts: Vec<Value> = matchers
        .iter()
        .enumerate()
        .map(|(index, (in_envoy, _))| {
            json!({ "name": host(index), "domains": [host(index)], "routes": [
                { "match": in_envoy, "direct_response": answer("matched") },
                { "match": { "prefix": "/" }, "direct_response": answer("other") },
            ] })
        })
        .collect();
    let mut envoys = raw.clone();
    envoys["route_config"] = json!({ "virtual_hosts": hosts });
    let rules: Vec<Value> = matchers
        .iter()
        .enumerate()
        .map(|(index, (_, in_a_rule))| {
            let mut condition = in_a_rule.clone();
            condition["host"] = host(index).into();
            json!({ "match": condition, "public": true })
        })
        .collect();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "rules": rules,
        "default": { "deny": true },
    }))
    .routes(json!([{ "match": { "prefix": "/" }, "direct_response": answer("passed") }]));
    let gate = Gate { connection_manager: raw, ..gate };
    let envoy = Envoy::shared(&json!({
        "listeners": [gate.listener(), listener("envoy", &[], &json!([]), &json!({}), &envoys)],
        "clusters": [],
    }));
    let mut counts = [0; 2];
    let mut gates = KeptClient::new(envoy.listener("gate"));
    let mut envoys = KeptClient::new(envoy.listener("envoy"));
    let mut differences = Vec::new();
    for (index, (in_envoy, _)) in matchers.iter().enumerate() {
        for path in PATHS {
            let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", host(index));
            let wanted = envoys.send(head.as_bytes());
            let wanted = match (wanted.status, wanted.body.as_str()) {
                (200, "matched") => true,
                (200, "other") => false,
                other => panic!("{path}: {other:?}"),
            };
            counts[usize::from(wanted)] += 1;
            let status = gates.send(head.as_bytes()).status;
            // Bytes that Envoy's operators leave out: a template does not match there, and a rule does not guess.
            let left_out =
                in_envoy.get("path_match_policy").is_some() && path.contains(['|', '^', '`', '{', '"', '<', '[']);
            let refused = if left_out && status == 400 { 400 } else { 403 };
            if status != if wanted { 200 } else { refused } {
                differences.push(format!("{in_envoy} {path}: Envoy {wanted}, Scopegate {status}"));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(counts.iter().all(|&count| count > 100), "{counts:?}");
}

/// Conditions on a path: as Envoy writes them, and as a rule does.
fn matchers() -> Vec<(Value, Value)> {
    let template = |text: &str| {
        let in_envoy = json!({ "path_match_policy": { "name": "template", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            "path_template": text } } });
        (in_envoy, json!({ "template": text }))
    };
    let plain = |name: &str, text: &str, case_sensitive: bool| {
        let in_envoy = json!({ name: text, "case_sensitive": case_sensitive });
        (in_envoy, json!({ name: text, "ignore_case": !case_sensitive }))
    };
    let mut all: Vec<(Value, Value)> = TEMPLATES.iter().map(|text| template(text)).collect();
    for name in ["path", "prefix", "path_separated_prefix"] {
        for text in ["/a", "/a/b", "/A/b.json", "/a/b,c", "/caf%C3%A9"] {
            all.push(plain(name, text, true));
            all.push(plain(name, text, false));
        }
    }
    all.extend([
        plain("path", "/", true),
        plain("prefix", "/", true),
        plain("prefix", "/a/", true),
        plain("path", "/a/", true),
    ]);
    all
}

#[rustfmt::skip]
const TEMPLATES: &[&str] = &[
    "/", "/a", "/a/", "/a/b", "/a/*", "/a/*/c", "/a/*.json", "/a/*/", "/a/{id}", "/a/{id}/c", "/a/{id}.json", "/a/**", "/**", "/a/**/c",
    "/a/**/c/d", "/a/**.ts", "/a/**/", "/a/*/**", "/{x}/{y}", "/*", "/*/*", "/*/*/*", "/{x}/**", "/a.b/*", "/a-b_c~d/{id}", "/a:b/*",
    "/a,b/*", "/a@b/*", "/a$b/*", "/a+b/*", "/a!b/*", "/a&b/*", "/a'b/*", "/a(b)/*", "/a/**/c.json", "/caf%C3%A9/*", "/a/b/**",
];

#[rustfmt::skip]
const PATHS: &[&str] = &[
    "/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a/b/c/", "/a/b/c/d", "/a/c", "/a/c/d", "/ab", "/ab/c", "/b", "/A", "/A/b", "/A/B",
    "/a/B", "/A/b.json", "/a/B.JSON", "/a/b.json", "/a/.json", "/a/b.json/", "/a/b.json/c", "/a/x.ts", "/a/.ts", "/a/x/y.ts",
    "/a/x/.ts", "/a/ts", "/a/b/x/c", "/a/b/x/c/d", "/a/b/x/c.json", "/a/b+c", "/a/b,c",
    "/a/b,c/d", "/a/B,C", "/a/b@c", "/a/b:c", "/a/b!c", "/a/b$c", "/a/b&c", "/a/b'c", "/a/(b)", "/a/b~c", "/a/b-c_d", "/a/b%20c",
    "/a/%C3%A9", "/caf%C3%A9", "/caf%C3%A9/x", "/CAF%C3%A9/x", "/a/b|c", "/a/b^c", "/a/b`c", "/a/{b}", "/a/{id}", "/a/\"b\"", "/a/<b>",
    "/a/[b]", "/a?x", "/a?/b", "/a/?x", "/a/b?x=/c", "/a/b/c?x", "/a/b?c=d", "/a?", "/a/...", "/a/..b", "/a/b..", "/a.b/c", "/a-b_c~d/e",
    "/a:b/c", "/a,b/c", "/a@b/c", "/a$b/c", "/a+b/c", "/a!b/c", "/a&b/c", "/a'b/c", "/a(b)/c", "/axb/c", "/aab/c", "/x/y", "/x/y/z",
    "/x/y/z/w", "/a/c.json", "/a/x/c.json", "/a/xc.json", "/a/b=c", "/a/b=c/c", "/a/b*c", "/a/*", "/a/**",
];

/// Where the requirements are.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Rules,
    Metadata,
}

/// Who asks.
const CREDENTIALS: [&str; 3] = ["nothing", "a token for orders", "a token for nothing"];

/// Whether a route may serve a sender.
fn may_reach(route: &str, credential: &str) -> bool {
    match route {
        "public" => true,
        "orders" => credential == "a token for orders",
        // Everything else, CONNECT included, falls to the default: any valid token.
        "rest" | "connect" => credential != "nothing",
        // `admin` is denied to all.
        _ => false,
    }
}

/// Sends every spelling to listeners of these kinds, with every credential, and judges what upstreams received. After
/// each, the next request of an honest client is answered. Returns the number of spellings.
fn attack(source: Source, kinds: &[(&str, [&'static str; 2])], judge: impl Fn(&str, &str, &str)) -> usize {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let reached: Arc<Mutex<Vec<(&'static str, String)>>> = Arc::default();
    let servers = ["public", "orders", "admin", "rest", "connect"].map(|route| {
        let reached = Arc::clone(&reached);
        let server = Server::start(0, move |received| {
            reached.lock().unwrap().push((route, received.target.clone()));
            Answer::json(&json!({ "route": route }))
        });
        (route, server.unwrap())
    });
    let clusters: Vec<Value> = servers.iter().map(|(route, server)| cluster(route, server.address)).collect();
    let gates: Vec<Gate> = kinds
        .iter()
        .flat_map(|&(kind, names)| names.into_iter().zip([true, false]).map(move |(name, normal)| (kind, name, normal)))
        .map(|(kind, name, normal)| gate(&issuer, source, kind, name, normal))
        .collect();
    let mut envoy = Envoy::shared(&resources(&gates, &clusters));
    let token = |scope: &str| format!("authorization: Bearer {}\r\n", issuer.token(now()).scope(scope).sign());
    let headers = [String::new(), token("orders"), token("other")];
    let spellings = spellings();
    for gate in &gates {
        let address = envoy.listener(gate.name);
        let mut client = KeptClient::new(address);
        let mut served: Vec<&str> = Vec::new();
        for (header, credential) in headers.iter().zip(CREDENTIALS) {
            for spelling in &spellings {
                let request = [&spelling[..], b"\r\nhost: api.example.com\r\n", header.as_bytes(), b"\r\n"].concat();
                let shown = format!("{} with {credential} at {}", spelling.escape_ascii(), gate.name);
                let response = client.send(&request);
                for (route, target) in std::mem::take(&mut *reached.lock().unwrap()) {
                    assert!(may_reach(route, credential), "{shown} reached {route}: {response:?}");
                    judge(route, credential, &target);
                    served.push(route);
                }
                assert!(response.status < 500, "{shown}: {response:?}");
                if credential != "nothing" {
                    continue;
                }
                let next = client.send(b"GET /public/1 HTTP/1.1\r\nhost: a\r\n\r\n");
                assert_eq!(next.body, "{\"route\":\"public\"}", "the request after {shown}");
                reached.lock().unwrap().clear();
            }
        }
        // Spellings without tricks do arrive.
        for route in ["public", "orders", "rest", "connect"] {
            assert!(served.contains(&route), "nothing reached {route} at {}", gate.name);
        }
    }
    assert!(envoy.is_alive());
    spellings.len()
}

/// The matchers, each with the names of its two listeners: one that normalises paths, and one that does not.
const KINDS: [(&str, [&str; 2]); 5] = [
    ("prefix", ["prefix-normal", "prefix-raw"]),
    ("path_separated_prefix", ["separated-normal", "separated-raw"]),
    ("path", ["path-normal", "path-raw"]),
    ("template", ["template-normal", "template-raw"]),
    ("ignore_case", ["any-case-normal", "any-case-raw"]),
];

/// A listener whose routes and whose requirements use the same matcher.
fn gate(issuer: &Issuer, source: Source, kind: &str, name: &'static str, normal: bool) -> Gate {
    let mut routes =
        vec![json!({ "name": "connect", "match": { "connect_matcher": {} }, "route": { "cluster": "connect" } })];
    let mut rules = Vec::new();
    let asked = [
        ("public", json!({ "public": true })),
        ("orders", json!({ "scopes": ["orders"] })),
        ("admin", json!({ "deny": true })),
    ];
    for (route, requirement) in asked {
        let (in_envoy, in_a_rule) = matcher(kind, route);
        let mut entry = json!({ "name": route, "match": in_envoy, "route": { "cluster": route } });
        match source {
            Source::Rules => {
                let mut rule = requirement;
                rule["match"] = in_a_rule;
                rules.push(rule);
            }
            Source::Metadata => entry["metadata"] = json!({ "filter_metadata": { "scopegate": requirement } }),
        }
        routes.push(entry);
    }
    routes.push(json!({ "name": "rest", "match": { "prefix": "/" }, "route": { "cluster": "rest" } }));
    let gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "rules": rules,
        "limits": { "wasm_crypto_percent": 100 },
    }));
    Gate {
        name,
        connection_manager: json!({
            "normalize_path": normal,
            "merge_slashes": normal,
            "upgrade_configs": [{ "upgrade_type": "CONNECT" }],
        }),
        // One virtual machine for all of them.
        plugin: json!({ "vm_config": { "vm_id": "paths" } }),
        ..gate.routes(routes.into())
    }
}

/// The condition on a route's path: as Envoy writes it, and as a rule does.
fn matcher(kind: &str, route: &str) -> (Value, Value) {
    match kind {
        "path" => {
            let both = json!({ "path": format!("/{route}/1") });
            (both.clone(), both)
        }
        "template" => {
            let in_envoy = json!({ "path_match_policy": { "name": "template", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
                "path_template": format!("/{route}/**") } } });
            (in_envoy, json!({ "template": format!("/{route}/**") }))
        }
        "ignore_case" => {
            let path = format!("/{route}");
            (json!({ "prefix": path, "case_sensitive": false }), json!({ "prefix": path, "ignore_case": true }))
        }
        kind => {
            let both = json!({ kind: format!("/{route}") });
            (both.clone(), both)
        }
    }
}

/// Request lines, up to the header lines: hostile ones, and some that are honest.
fn spellings() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for (route, first_encoded, first_twice) in [("orders", "%6frders", "%256frders"), ("admin", "%61dmin", "%2561dmin")]
    {
        let upper = route.to_uppercase();
        for target in TARGETS {
            let target =
                target.replace("ROUTE", &upper).replace("%ENCODED", first_encoded).replace("%TWICE", first_twice);
            lines.push(format!("GET {} HTTP/1.1", target.replace("route", route)).into_bytes());
        }
        for bytes in NOT_ASCII {
            let at = bytes.iter().position(|&byte| byte == b'@').unwrap();
            lines.push([b"GET ", &bytes[..at], route.as_bytes(), &bytes[at + 1..], b" HTTP/1.1"].concat());
        }
        for (before, repeated, count, after) in [
            ("/public/", "a/", 2000, ""),
            ("/public/", "a/../", 2000, "../route/1"),
            ("/", "./", 2000, "route/1"),
            ("/", "%2e/", 2000, "route/1"),
            ("/", "/", 2000, "route/1"),
            ("/public/", "%25", 2000, "2e%2e/route/1"),
            ("/route/", "x", 8000, ""),
            ("/public", ";", 2000, "/../route/1"),
        ] {
            let target = format!("{before}{}{after}", repeated.repeat(count)).replace("route", route);
            lines.push(format!("GET {target} HTTP/1.1").into_bytes());
        }
        for line in LINES {
            lines.push(line.replace("route", route).into_bytes());
        }
    }
    lines.sort();
    lines.dedup();
    lines
}

#[rustfmt::skip]
const TARGETS: &[&str] = &[
    "/public/1", "/route/1", "/rest", "/route", "/route/", "/route/1/", "//route/1", "///route/1", "/route//1", "//public/../route/1",
    "/./route/1", "/.//route/1", "/%2e/route/1", "/%2E/route/1", "/../route/1", "/%2e%2e/route/1", "/..;/route/1", "/.../route/1",
    "/....//route/1", "/public/../route/1", "/public/..//route/1", "/public/./../route/1", "/public/../../../route/1",
    "/public/1/../../route/1", "/public/%2e%2e/route/1", "/public/%2E%2E/route/1", "/public/.%2e/route/1", "/public/%2e./route/1",
    "/public/..%2froute/1", "/public/..%2Froute%2F1", "/public%2f..%2froute/1", "/public%2f../route/1", "/public/%2e%2e%2froute/1",
    "/public/..%5croute/1", "/public/..%5Croute%5C1", "/public/..\\route/1", "/public\\..\\route\\1", "/\\route/1", "\\route\\1",
    "/route\\1", "/route%5c1", "/route%2f1", "/%2froute/1", "/%2Froute%2F1", "/route;x=1/1", "/route;/1", "/;/route/1", "/;x=1/route/1",
    "/public;/../route/1", "/public/..;/route/1", "/public/..;x=y/route/1", "/public/;/../route/1", "/public/.;/../route/1",
    "/public/1;/../../route/1", "/ROUTE/1", "/ROUTE", "/route./1", "/route%2e/1", "/route/.", "/route/..", "/route/1/..", "/route/1/.",
    "/route/../public/1", "/route/%2e%2e/public/1", "/route/..;/public/1", "/route/../route/1", "/public/../route/../public/1",
    "/route%00/1", "/%00/route/1", "/route/1%00", "/public%00/../route/1", "/public/..%00/route/1", "/%ENCODED/1", "/%ENCODED",
    "/%TWICE/1", "/%70ublic/../route/1", "/public/%252e%252e/route/1", "/public/%252e%252e%252froute/1", "/public/..%252froute/1",
    "/public/..%255croute/1", "/public/%25252e%25252e/route/1", "/public/%c0%ae%c0%ae/route/1", "/public/%c0%ae%c0%ae%c0%afroute/1",
    "/public/%e0%80%ae%e0%80%ae/route/1", "/public/%f0%80%80%ae%f0%80%80%ae/route/1", "/public/..%c1%9croute/1", "/%c0%afroute/1",
    "/public/%u002e%u002e/route/1", "/public/%%32%65%%32%65/route/1", "/public/%2/route/1", "/public/%/../route/1", "/route%20/1",
    "/route%09/1", "/route%0a/1", "/%20/route/1", "/route+/1", "/route /1", "/route\t/1", "/route\u{b}/1", "/route\u{7f}/1",
    "/route\u{1}/1", "/public?/../route/1", "/public/1?/../../route/1", "/public/1?x=/route/1", "/route/1?/public/1", "/route/1?/../public",
    "/route?/1", "/?/route/1", "?/route/1", "?", "/public/1#/../../route/1", "/route/1#/public/1", "#/route/1", "/public%23/../route/1",
    "/public/%3f/../../route/1", "/public%3f/../route/1", "/route%3f/public/1", "/route/1%3f", "http://api.example.com/route/1",
    "http://api.example.com/public/../route/1", "http://api.example.com//route/1", "http://api.example.com/%2e/route/1",
    "HTTP://api.example.com/route/1", "https://api.example.com/route/1", "ftp://api.example.com/route/1", "http://api.example.com",
    "http://api.example.com?/route/1", "http://api.example.com\\route\\1", "http://public/route/1", "http:///route/1", "http:/route/1",
    "http://user@api.example.com/route/1", "http://api.example.com:80/public/..;/route/1", "//api.example.com/route/1", "route/1",
    "public/../route/1", "./route/1", "../route/1", "*", "/*", "/*/route/1", "api.example.com:443", "/~/route/1", "/route~/1", "/-route/1",
    "/route-old/1", "/routes", "/route/{id}", "/public/route/1", "/rest/../route/1", "/route/1/../../rest",
    "/route/*", "/route/**", "/route/a=b", "/route/a|b", "/route/\"x\"", "/route/{x}", "/public/..%3b/route/1", "/public/..%253b/route/1",
    "/public/..%20/route/1", "/public/.%09./route/1",
];

/// Targets with bytes beyond ASCII; the route's name replaces the `@`.
#[rustfmt::skip]
const NOT_ASCII: &[&[u8]] = &[
    b"/public/\xff/../@/1", b"/@\xc3\xa9/1", b"/\xe2\x88\x95@/1", b"/public/\xef\xbc\x8e\xef\xbc\x8e/@/1", b"/public/\xc0\xae\xc0\xae/@/1",
    b"/public/..\xc0\xaf@/1", b"/@\xff/1", b"/\x80@/1", b"/public\xe2\x80\xa5/@/1", b"/@/1\x00",
];

/// Whole request lines.
#[rustfmt::skip]
const LINES: &[&str] = &[
    "CONNECT api.example.com:443 HTTP/1.1", "CONNECT /route/1 HTTP/1.1", "CONNECT route HTTP/1.1", "CONNECT * HTTP/1.1",
    "OPTIONS * HTTP/1.1", "OPTIONS /route/1 HTTP/1.1", "OPTIONS /public/../route/1 HTTP/1.1", "HEAD * HTTP/1.1", "get /route/1 HTTP/1.1",
    "POST /route/1 HTTP/1.1", "TRACE /route/1 HTTP/1.1", "X /route/1 HTTP/1.1", "GET /route/1 HTTP/1.0", "GET  /route/1 HTTP/1.1",
    "GET /public/1 HTTP/1.1 /route/1 HTTP/1.1", "GET HTTP/1.1", "GET /route/1", "PRI * HTTP/2.0",
    "GET /route/1 HTTP/1.1\r\nx-original-url: /public/1", "GET /route/1 HTTP/1.1\r\nx-rewrite-url: /public/1",
    "GET /route/1 HTTP/1.1\r\nx-envoy-original-path: /public/1", "GET /route/1 HTTP/1.1\r\nx-forwarded-prefix: /public",
    "GET /route/1 HTTP/1.1\r\nx-http-method-override: OPTIONS", "GET /route/1 HTTP/1.1\r\n:path: /public/1",
    "GET /public/1 HTTP/1.1\r\nx-original-url: /route/1", "GET /route/1 HTTP/1.1\r\nx-scopegate: public",
    "GET /route/1 HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket", "GET /route/1 HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c",
];

/// Whether a path begins with `prefix` in every reading that an upstream may have of it: decoded up to three times, `\`
/// for `/`, without what follows `;`, dot segments resolved, in any letter case.
fn every_reading_begins_with(target: &str, prefix: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let mut readings = vec![path.as_bytes().to_vec()];
    for _ in 0..3 {
        readings.push(scopegate::base::text::percent_decode(readings.last().unwrap()));
    }
    readings.iter().all(|reading| {
        let text = String::from_utf8_lossy(reading).replace('\\', "/").to_lowercase();
        let mut segments: Vec<&str> = Vec::new();
        for segment in text.split('/').filter_map(|segment| segment.split([';', '\0']).next()) {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                name => segments.push(name),
            }
        }
        format!("/{}", segments.join("/")).starts_with(prefix)
    })
}
