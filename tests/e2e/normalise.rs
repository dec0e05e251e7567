//! What the command says that Envoy does to paths, against what Envoy does.

use crate::support::client::KeptClient;
use crate::support::envoy::{Envoy, binary, cluster, listener};
use crate::support::server::{Answer, Server};
use scopegate::cli::normalise::{Arrival, PathSettings};
use scopegate::cli::source::View;
use scopegate::config::Node;
use serde_json::{Value, json};
use std::process::Command;

/// How many paths are tried beside those of the table.
const MADE: usize = 1500;

#[test]
fn paths_become_what_the_command_says() {
    let upstream = Server::start(0, |received| Answer::json(&json!({ "target": received.target }))).unwrap();
    let settings = settings();
    let listeners: Vec<Value> = settings
        .iter()
        .map(|(name, manager)| {
            let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
            listener(name, &[], &routes, &json!({}), manager)
        })
        .collect();
    let envoy = Envoy::shared(&json!({ "listeners": listeners, "clusters": [cluster("upstream", upstream.address)] }));
    let mut paths: Vec<String> = PATHS.iter().map(|path| (*path).to_owned()).chain(made()).collect();
    if keeps_parameters_of_dot_segments() {
        paths.retain(|path| !path.contains(".;"));
    }
    let mut differences = Vec::new();
    let mut counts = [0; 4];
    for (name, manager) in &settings {
        let node = Node::from(manager.clone());
        let said = PathSettings::of(&View::root(&node));
        let mut client = KeptClient::new(envoy.listener(name));
        for path in &paths {
            let response = client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
            let came = match response.status {
                200 => Arrival::Passed(response.echoed().0["target"].as_str().unwrap().to_owned()),
                307 => Arrival::Redirected(response.header("location").unwrap().to_owned()),
                400 => Arrival::Refused,
                other => panic!("{name} {path}: {other}"),
            };
            let kind = match &came {
                Arrival::Passed(target) if target == path => 0,
                Arrival::Passed(_) => 1,
                Arrival::Redirected(_) => 2,
                Arrival::Refused => 3,
            };
            counts[kind] += 1;
            let wanted = said.apply(path);
            if came != wanted {
                differences.push(format!("{name} {path}: Envoy {came:?}, the command {wanted:?}"));
            }
        }
    }
    let shown = differences.iter().take(30).collect::<Vec<_>>();
    assert!(differences.is_empty(), "{} of {counts:?}: {shown:#?}", differences.len());
    assert!(counts.iter().all(|&count| count > 100), "{counts:?}");
}

/// Whether this Envoy leaves `/..;/` as it is, which those before 1.39 do. Paths without it become the same in all.
fn keeps_parameters_of_dot_segments() -> bool {
    let output = Command::new(binary()).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    ["/1.36.", "/1.37.", "/1.38."].iter().any(|old| version.contains(old))
}

fn settings() -> Vec<(&'static str, Value)> {
    let of = |normalize: bool, merge: bool, action: &str| json!({ "normalize_path": normalize, "merge_slashes": merge, "path_with_escaped_slashes_action": action });
    vec![
        ("nothing", of(false, false, "KEEP_UNCHANGED")),
        ("normalize", of(true, false, "KEEP_UNCHANGED")),
        ("merge", of(false, true, "KEEP_UNCHANGED")),
        ("both", json!({ "normalize_path": true, "merge_slashes": true })),
        ("reject", of(true, true, "REJECT_REQUEST")),
        ("redirect", of(true, true, "UNESCAPE_AND_REDIRECT")),
        ("forward", of(true, true, "UNESCAPE_AND_FORWARD")),
        ("forward-raw", of(false, false, "UNESCAPE_AND_FORWARD")),
    ]
}

#[rustfmt::skip]
const PATHS: &[&str] = &[
    "/", "//", "/a", "/a/", "/a//b", "/a/./b", "/a/../b", "/a/..", "/a/.", "/..", "/../a", "/a/b/../../..", "/./", "/.a", "/..a", "/a.",
    "/a..", "/a/...", "/a/%2e/b", "/a/%2E%2e/b", "/a/.%2e/b", "/a/%2e./b", "/a/%2e", "/a/%2e%2e", "/a%2fb", "/a%2Fb/../c", "/a%5cb",
    "/a\\b", "/a\\..\\b", "/\\a", "/a/..\\b", "/a/..%2fb", "/a/..%5cb", "/a/..;/b", "/a/..;x=1/b", "/a/.;/b", "/a/.;x/b", "/a/..;", "/a/.;",
    "/a/b;x/../c", "/a;x/b", "/a/%2e%2e;/b", "/a/..%3b/b", "/a/..%3B", "/a/...;/b", "/a/..;\\b", "/a/..;x\\b", "/a/..;%2fb", "/a/..;.",
    "/%61", "/%41%7a%30%2d%5f%7e", "/%7E", "/%20", "/%25", "/%2561", "/%", "/%2", "/%zz", "/%6", "/%%36%31", "/%2%35", "/a%", "/%00", "/a%00b",
    "/%01", "/%7f", "/%80", "/%c3%a9", "/%ff", "/a|b", "/a^b", "/a`b", "/a{b}", "/a\"b", "/a<b>", "/a[b]", "/a=b", "/a@b:c", "/a*", "/a'b",
    "/a#b", "/a?b#c", "/a?", "/a?b", "/a?/../c", "/a/..?/b", "/a//?//", "/a?%2f%5c", "/a%2f?x", "/a%2F%2f//b", "/%2f", "/%5c%5c", "/a%2f..%2fb",
    "/a/%2e%2e%2fb", "/%252e%252e/a", "/a/%252e%252e/b", "/a/../%2e%2e/b", "//../a", "/a//../b", "/a/.//../b", "/a\\\\b", "/a/;/b", "/;", "/a/;x/../b",
];

/// Paths of the parts that normalisation looks at, always the same.
fn made() -> impl Iterator<Item = String> {
    const PARTS: [&str; 25] = [
        "/", "/", "/", "//", ".", "..", "%2e", "%2E%2e", "a", "b1", ";", ";x=1", "%3b", "\\", "%5C", "%2f", "%61",
        "%7E", "%25", "%", "%2", "?", "|", "~", "%20",
    ];
    let mut state = 1_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    (0..MADE).map(move |_| {
        let parts = 1 + next(8);
        std::iter::once("/").chain((0..parts).map(|_| PARTS[next(PARTS.len())])).collect()
    })
}
