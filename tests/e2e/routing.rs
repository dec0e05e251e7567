//! The route that the command says Envoy's router chooses, against the one that it chooses: generated route tables, all in
//! one Envoy, and a request to each.

use crate::support::client::KeptClient;
use crate::support::envoy::{Envoy, listener, minor_version};
use crate::support::random::Random;
use crate::support::xds::Folder;
use scopegate::cli::gates::beside::Reader;
use scopegate::cli::gates::virtual_hosts;
use scopegate::cli::routing::{Candidate, Lines, Router};
use scopegate::cli::source::View;
use scopegate::config::Node;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

const TABLES: usize = 5000;

/// Whether this Envoy has matchers for cookies, and `vhost_header`.
static IS_NEW: LazyLock<bool> = LazyLock::new(|| minor_version() >= 40);

#[test]
fn the_command_chooses_the_route_that_envoy_serves() {
    let seed = Random::seed(14);
    let mut random = Random::new(seed);
    let managers = [
        json!({}),
        json!({ "strip_any_host_port": true }),
        json!({ "strip_trailing_host_dot": true }),
        json!({ "strip_any_host_port": true, "strip_trailing_host_dot": true }),
    ];
    let tables: Vec<Value> = (0..TABLES).map(|number| table(number, &mut random)).collect();
    let folder = Folder::new();
    let listeners: Vec<Value> = managers
        .iter()
        .enumerate()
        .map(|(index, manager)| {
            let name = format!("tables-{index}");
            let own = (0..TABLES).filter(|number| number % managers.len() == index);
            let resources: Vec<Value> = own.map(|number| scope(number, &tables[number])).collect();
            folder.put(&format!("{name}.json"), &resources);
            scoped(&name, &folder.source(&format!("{name}.json")), manager)
        })
        .collect();
    // One of its own: Envoy 1.36 asks for no scopes of a listener that comes later.
    let envoy = Envoy::start(&json!({ "listeners": listeners }));
    let mut clients: Vec<KeptClient> =
        (0..managers.len()).map(|index| KeptClient::new(envoy.listener(&format!("tables-{index}")))).collect();
    let mut disagreements = Vec::new();
    let mut counts = BTreeMap::<String, usize>::new();
    for (number, table) in tables.iter().enumerate() {
        let lines = request(number, table, &mut random);
        let index = number % managers.len();
        let response = clients[index].send(&bytes(&lines));
        let served = response.header("x-served").unwrap_or("none").to_owned();
        let is_answer = [404, 418].contains(&response.status) || response.header("grpc-status").is_some();
        assert!(is_answer, "table {number}: {response:?} to {lines:?}");
        let (manager, config) = (Node::from(managers[index].clone()), Node::from(table.clone()));
        let hosts = virtual_hosts(Path::new("table.json"), &View::root(&config), Reader::Wasm);
        let configs = [View::root(&config)];
        let router = Router::new(&View::root(&manager), &configs, &hosts).unwrap();
        let said = router.candidates(&Lines::new(&lines)).unwrap();
        let said = said.as_slice();
        let labels: Vec<String> = said.iter().map(label).collect();
        // Where it is in doubt, it is one of those that it names.
        if !labels.contains(&served) {
            disagreements.push(format!("{lines:?}\nserved {served}, said {labels:?}\n{table:#}"));
        }
        let mut count = |what: &str| *counts.entry(what.to_owned()).or_default() += 1;
        count(if said.len() == 1 { "decided" } else { "in doubt" });
        if said.len() == 1 {
            features(&said[0]).iter().for_each(|feature| count(feature));
        }
    }
    let shown: Vec<&String> = disagreements.iter().take(3).collect();
    assert!(disagreements.is_empty(), "seed {seed}: {} disagreements\n{}", disagreements.len(), join(&shown));
    let wanted =
        ["none", "prefix", "path", "path_separated_prefix", "path_match_policy", "headers", "query_parameters"];
    let rare = ["connect_matcher", "case_sensitive", "grpc", "runtime_fraction", "in doubt"];
    assert!(counts["decided"] > TABLES / 2, "{counts:?}");
    for (names, least) in [(&wanted[..], 50), (&rare[..], 15)] {
        for name in names {
            assert!(counts.get(*name).is_some_and(|&count| count >= least), "{name}: {counts:?}");
        }
    }
}

fn join(texts: &[&String]) -> String {
    texts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("\n")
}

/// What the answer of a route says in `x-served`.
fn label(candidate: &Candidate<'_, '_>) -> String {
    match (candidate.host, candidate.route) {
        (Some(host), Some(route)) => format!("{}.{}", host.name, route.name),
        _ => "none".to_owned(),
    }
}

/// What the matcher of a route that was chosen has in it.
fn features(candidate: &Candidate<'_, '_>) -> Vec<String> {
    let Some(route) = candidate.route else { return vec!["none".to_owned()] };
    let matching = route.view.get("match").unwrap();
    matching.members().iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// A listener whose table is chosen by `x-table`.
fn scoped(name: &str, source: &Value, settings: &Value) -> Value {
    let mut settings = settings.clone();
    settings["upgrade_configs"] = json!([{ "upgrade_type": "CONNECT" }]);
    for normalisation in ["normalize_path", "merge_slashes"] {
        settings[normalisation] = false.into();
    }
    settings["scoped_routes"] = json!({
        "name": "tables",
        "scope_key_builder": { "fragments": [{ "header_value_extractor": { "name": "x-table", "index": 0 } }] },
        "scoped_rds": { "scoped_rds_config_source": source },
    });
    let mut listener = listener(name, &[], &json!([]), &json!({}), &settings);
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager.as_object_mut().unwrap().remove("route_config");
    manager.as_object_mut().unwrap().remove("access_log");
    listener
}

fn scope(number: usize, table: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
        "name": format!("scope-{number}"),
        "route_configuration": table,
        "key": { "fragments": [{ "string_key": number.to_string() }] },
    })
}

const DOMAINS: &[&str] = &[
    "*",
    "*",
    "a.com",
    "b.a.com",
    "B.a.com",
    "*.a.com",
    "*a.com",
    "*-x.a.com",
    "b.*",
    "b.a.*",
    "a.com:8080",
    "*.com:8080",
    "*.",
    "[::1]",
    "*]",
];
const HOSTS: &[&str] = &[
    "a.com",
    "b.a.com",
    "B.A.com",
    "c.b.a.com",
    "b-x.a.com",
    "a.com:8080",
    "b.a.com:8080",
    "b.org",
    "b.a.org",
    "a.com.",
    "b.a.com.:8080",
    "[::1]:80",
    "[::1]",
    "z",
    "b.",
    "a.com:x",
];
const PATHS: &[&str] =
    &["/", "/a", "/a/b", "/A", "/ab", "/a/", "/a/b/c", "/A/B", "/a;v=1", "/a/b;v=1/c", "/a.json", "/b"];
const QUERIES: &[&str] = &["", "", "?q=1", "?q", "?q=abc&q=1", "?p=1&q=ABC", "?=1", "?q=1;p=2", "?&&q=%31", "?Q=1"];
const VALUES: &[&str] = &["", "1", "5", "12", "-3", "+5", "abc", "ABC", "xabcx", "application/grpc", "GET", "a.com"];
const TEMPLATES: &[&str] = &["/a/*", "/a/{x}", "/**", "/{x}", "/a/**", "/a/{x}/c", "/{x}.json", "/a/**.c"];

fn table(number: usize, random: &mut Random) -> Value {
    let mut taken = BTreeSet::new();
    let mut hosts = Vec::new();
    for host in 0..=random.below(4) {
        let domains: Vec<&str> = (0..=random.below(3))
            .map(|_| random.of(DOMAINS))
            .filter(|domain| taken.insert(domain.to_ascii_lowercase()))
            .collect();
        if !domains.is_empty() {
            let routes: Vec<Value> = (0..=random.below(8)).map(|route| self::route(host, route, random)).collect();
            hosts.push(json!({ "name": format!("h{host}"), "domains": domains, "routes": routes }));
        }
    }
    let mut table = json!({ "name": format!("table-{number}"), "virtual_hosts": hosts });
    for name in ["ignore_port_in_host_matching", "ignore_path_parameters_in_path_matching"] {
        if random.chance(4) {
            table[name] = true.into();
        }
    }
    if *IS_NEW && random.chance(12) {
        table["vhost_header"] = "x-a".into();
    }
    table
}

fn route(host: usize, route: usize, random: &mut Random) -> Value {
    let path: &str = random.of(PATHS);
    let mut matching = match random.below(14) {
        0..5 => json!({ "prefix": random.of(&["", "/", "/", path]) }),
        5..7 => json!({ "path": path }),
        7..10 if path != "/" && !path.ends_with('/') => json!({ "path_separated_prefix": path }),
        10 | 11 => json!({ "path_match_policy": { "name": "template", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            "path_template": random.of(TEMPLATES) } } }),
        12 => json!({ "connect_matcher": {} }),
        _ => json!({ "safe_regex": { "regex": random.of(&["/a.*", "/.*", "/b"]) } }),
    };
    if random.chance(4) && matching.get("path_match_policy").is_none() {
        matching["case_sensitive"] = random.chance(4).into();
    }
    if random.chance(3) {
        matching["headers"] = (0..=random.below(2)).map(|_| header(random)).collect();
    }
    if random.chance(4) {
        matching["query_parameters"] = json!([parameter(random)]);
    }
    if *IS_NEW && random.chance(6) {
        matching["cookies"] = json!([cookie(random)]);
    }
    if random.chance(10) {
        matching["grpc"] = json!({});
    }
    if random.chance(10) {
        let numerator = random.of(&[0, 50, 100, 100, 200]);
        matching["runtime_fraction"] = json!({ "default_value": { "numerator": numerator, "denominator": "HUNDRED" } });
        if random.chance(3) {
            matching["runtime_fraction"]["runtime_key"] = "key".into();
        }
    }
    if random.chance(40) {
        matching["tls_context"] = json!({ "presented": random.chance(2) });
    }
    if random.chance(40) {
        matching["dynamic_metadata"] = json!([{ "filter": "a", "path": [{ "key": "b" }], "value": { "present_match": true }, "invert": random.chance(2) }]);
    }
    let served = json!({ "header": { "key": "x-served", "value": format!("h{host}.r{route}") } });
    json!({
        "name": format!("r{route}"),
        "match": matching,
        "direct_response": { "status": 418 },
        "response_headers_to_add": [served],
    })
}

/// A `StringMatcher` whose text is one of the values, in part.
fn string(random: &mut Random) -> Value {
    let value: &str = random.of(&VALUES[1..]);
    let text = &value[..=random.below(value.len())];
    let mut matcher = match random.below(9) {
        0..4 => json!({ "exact": value }),
        4 | 5 => json!({ "prefix": text }),
        6 => json!({ "suffix": &value[random.below(value.len())..] }),
        7 => json!({ "contains": text }),
        _ => json!({ "safe_regex": { "regex": ".*" } }),
    };
    if random.chance(3) && matcher.get("safe_regex").is_none() {
        matcher["ignore_case"] = true.into();
    }
    matcher
}

fn header(random: &mut Random) -> Value {
    if random.chance(3) {
        let method: &str = random.of(&["GET", "GET", "POST"]);
        return json!({ "name": ":method", "string_match": { "exact": method } });
    }
    let mut matcher = match random.below(6) {
        0..3 => json!({ "string_match": string(random) }),
        3 => json!({ "present_match": random.chance(2) }),
        4 => json!({ "range_match": { "start": random.of(&[-5, 0, 5]), "end": random.of(&[6, 12, 13]) } }),
        _ => json!({}),
    };
    if random.chance(3) {
        matcher["invert_match"] = true.into();
    }
    if random.chance(4) {
        matcher["treat_missing_header_as_empty"] = true.into();
    }
    let name = ["x-a", "x-a", "X-B", "x-b", "host", ":authority", ":path", "content-type", "cookie", "x-request-id"];
    matcher["name"] = random.of(&name).into();
    matcher
}

fn parameter(random: &mut Random) -> Value {
    let mut matcher = match random.below(3) {
        0 => json!({ "string_match": string(random) }),
        1 => json!({ "present_match": !random.chance(3) }),
        _ => json!({}),
    };
    matcher["name"] = random.of(&["q", "q", "p", "Q"]).into();
    matcher
}

fn cookie(random: &mut Random) -> Value {
    let name: &str = random.of(&["c", "d"]);
    json!({ "name": name, "string_match": string(random), "invert_match": random.chance(4) })
}

/// The lines of a request to a table, pseudo-headers first.
fn request(number: usize, table: &Value, random: &mut Random) -> Vec<(String, String)> {
    let host: &str = random.of(HOSTS);
    let is_connect = random.chance(10);
    let method = if is_connect { "CONNECT" } else { random.of(&["GET", "GET", "GET", "POST", "OPTIONS"]) };
    let mut lines = vec![(":method".to_owned(), method.to_owned())];
    let mut add = |name: &str, value: &str| lines.push((name.to_owned(), value.to_owned()));
    if is_connect {
        add(":authority", random.of(&["a.com:8080", "b.a.com:8080"]));
    } else {
        add(":authority", host);
        let path = asked(table, random).unwrap_or_else(|| random.of(PATHS).to_owned());
        add(":path", &format!("{path}{}", random.of(QUERIES)));
    }
    add("x-table", &number.to_string());
    for name in ["x-a", "x-a", "x-b", "content-type"] {
        if random.chance(2) {
            let value =
                if name == "content-type" && random.chance(2) { "application/grpc+x" } else { random.of(VALUES) };
            add(name, value);
        }
    }
    if random.chance(2) {
        add("cookie", random.of(&["c=1", "c=abc; d=5", "d=\"12\"; c", " c = 1", "c=;d=ABC", "c=1; c=5"]));
        if random.chance(4) {
            add("cookie", "d=5");
        }
    }
    lines
}

/// A path that one of the routes asks for, in part.
fn asked(table: &Value, random: &mut Random) -> Option<String> {
    let hosts = table["virtual_hosts"].as_array().unwrap();
    let routes = hosts[random.below(hosts.len())]["routes"].as_array().unwrap();
    let matching = &routes[random.below(routes.len())]["match"];
    let path = ["path", "prefix", "path_separated_prefix"].iter().find_map(|name| matching[*name].as_str())?;
    let path = format!("{path}{}", random.of(&["", "", "/b", "x"]));
    path.starts_with('/').then_some(path)
}

fn bytes(lines: &[(String, String)]) -> Vec<u8> {
    let value = |wanted: &str| lines.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
    let (method, host) = (value(":method"), value(":authority"));
    let target = if method == "CONNECT" { host } else { value(":path") };
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in lines.iter().filter(|(name, _)| !name.starts_with(':')) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        text.push_str("content-length: 0\r\n");
    }
    format!("{text}\r\n").into_bytes()
}
