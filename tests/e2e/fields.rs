//! The table of Envoy's fields that `scopegate check` reads, against Envoy itself.

use crate::support::envoy::{binary, minor_version, root};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::process::Command;

const TABLE: &str = include_str!("../../src/cli/check/envoy_fields.txt");
const PREFIX: &str = "type.googleapis.com/";
const LISTENER: &str = "envoy.config.listener.v3.Listener";
const MANAGER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
const NATIVE: &str = "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";
const SCOPED: &str = "envoy.config.route.v3.ScopedRouteConfiguration";

/// The fields of each message, with what they hold: a message, `[a list]` or `{a map}` of them, or nothing.
fn table() -> BTreeMap<&'static str, Vec<(&'static str, &'static str)>> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let field = |word: &'static str| word.split_once(':').unwrap_or((word, ""));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, fields)| (name, fields.split_whitespace().map(field).collect()))
        .collect()
}

/// The way to a message: the root that leads to it, and the fields with what they hold.
type Way = (&'static str, Vec<(&'static str, &'static str)>);

fn ways() -> BTreeMap<&'static str, Way> {
    let table = table();
    let short = |name: &'static str| name.split_once(".v3.").map_or(name, |(_, name)| name);
    let mut full: BTreeMap<&str, &str> = table.keys().map(|name| (short(name), *name)).collect();
    full.extend(table.keys().map(|name| (*name, *name)));
    let mut ways: BTreeMap<&str, Way> = BTreeMap::new();
    let mut next: VecDeque<&str> = [LISTENER, MANAGER, WASM, NATIVE].into();
    next.iter().for_each(|name| drop(ways.insert(name, (name, Vec::new()))));
    while let Some(name) = next.pop_front() {
        let (start, way) = ways[name].clone();
        for &(field, holds) in table[name].iter().filter(|(_, holds)| !holds.is_empty()) {
            let held = full[holds.trim_matches(|character| "[]{}".contains(character))];
            if !ways.contains_key(held) {
                ways.insert(held, (start, way.iter().copied().chain([(field, holds)]).collect()));
                next.push_back(held);
            }
        }
    }
    ways
}

/// A listener with this message in its place.
fn listener((start, way): &Way, message: Value) -> Value {
    let inner = way.iter().rev().fold(message, |value, (field, holds)| match holds.chars().next() {
        Some('[') => json!({ *field: [value] }),
        Some('{') => json!({ *field: { "a": value } }),
        _ => json!({ *field: value }),
    });
    let typed = |name: &str, mut value: Value| {
        value["@type"] = format!("{PREFIX}{name}").into();
        json!([{ "name": "a", "typed_config": value }])
    };
    let manager = match *start {
        LISTENER => return inner,
        WASM | NATIVE => json!({ "http_filters": typed(start, inner) }),
        _ => inner,
    };
    json!({ "filter_chains": [{ "filters": typed(MANAGER, manager) }] })
}

/// What Envoy says of these listeners.
fn said(name: &str, listeners: &[Value]) -> String {
    let directory = root().join(format!("target/e2e/fields-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join(format!("{name}.json"));
    fs::write(&file, json!({ "static_resources": { "listeners": listeners } }).to_string()).unwrap();
    let output = Command::new(binary()).args(["--mode", "validate", "-c"]).arg(&file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A null sets no field, and Envoy looks for the field all the same.
#[test]
fn envoy_knows_every_field_of_the_table() {
    if minor_version() < 40 {
        return;
    }
    let (table, ways) = (table(), ways());
    let unreached: Vec<&&str> = table.keys().filter(|name| !ways.contains_key(*name)).collect();
    let in_any = [
        "envoy.config.route.v3.FilterConfig",
        "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute",
    ];
    assert_eq!(unreached, in_any.each_ref(), "they are in an Any");
    let all_null =
        |name: &str| table[name].iter().map(|(field, _)| ((*field).to_owned(), Value::Null)).collect::<Map<_, _>>();
    let listeners: Vec<Value> = ways.iter().map(|(name, way)| listener(way, all_null(name).into())).collect();
    let said = said("all", &listeners);
    assert!(said.contains("Proto constraint validation failed") && !said.contains("no such field"), "{said}");
    assert!(ways.contains_key(SCOPED), "routes by scope too");
}

#[test]
fn envoy_refuses_what_is_not_in_the_table() {
    let ways = ways();
    for name in
        ["Route", "VirtualHost", "RouteConfiguration", "RouteAction", "RouteMatch", "WeightedCluster.ClusterWeight"]
    {
        let way = &ways[format!("envoy.config.route.v3.{name}").as_str()];
        for field in ["metdata", "scopegate", "<<"] {
            let said = said("one", &[listener(way, json!({ field: null }))]);
            assert!(said.contains(&format!("no such field: '{field}'")), "{name}: {said}");
        }
    }
}
