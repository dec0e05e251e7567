//! The route of a request, as `explain` and `test` choose it; `tests/e2e/routing.rs` holds the choice against Envoy.

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::world::{Run, folder, run};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs::write;
use std::path::PathBuf;

/// A folder with an Envoy file that has these virtual hosts, and these settings of its connection manager.
struct Files(PathBuf);

impl Files {
    fn new(hosts: &Value, settings: &Value) -> Self {
        let files = Self(folder());
        files.write("envoy.json", &bootstrap(&[manager(hosts, settings)]));
        files
    }

    fn write(&self, name: &str, value: &Value) {
        write(self.0.join(name), value.to_string()).unwrap();
    }

    fn explain(&self, request: &str, more: &[&str]) -> Run {
        run(&[&["explain", "envoy.json", "--request", request], more].concat(), &self.0)
    }

    fn json(&self, request: &str, more: &[&str]) -> Value {
        serde_json::from_str(&self.explain(request, &[more, &["--json"]].concat()).stdout).unwrap()
    }

    /// The route, and why the request is refused or what is said in place of that.
    fn told(&self, request: &str, more: &[&str]) -> (Value, Value) {
        let mut told = self.json(request, more);
        let reason = told["reason"].take();
        (told["route"].take(), if reason.is_null() { told["decision"].take() } else { reason })
    }

    fn test(&self, request: &str, expect: &str) -> Run {
        let cases = format!("config: envoy.json\ncases:\n- {{name: a, request: {request}, expect: {expect}}}\n");
        write(self.0.join("cases.yaml"), cases).unwrap();
        run(&["test", "cases.yaml"], &self.0)
    }
}

fn manager(hosts: &Value, settings: &Value) -> Value {
    let keys = Issuer::new(Algorithm::Es256, "a").jwks();
    let policy = json!({ "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": keys } }] });
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "route_config": { "virtual_hosts": hosts },
        "http_filters": [{ "name": "scopegate", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": { "root_id": "scopegate", "configuration": {
                "@type": "type.googleapis.com/google.protobuf.Struct", "value": policy } } } }],
    });
    for (name, value) in settings.as_object().unwrap() {
        manager[name] = value.clone();
        manager.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    manager
}

fn bootstrap(managers: &[Value]) -> Value {
    let listeners: Vec<Value> = managers
        .iter()
        .map(|manager| json!({ "filter_chains": [{ "filters": [{ "typed_config": manager }] }] }))
        .collect();
    json!({ "static_resources": { "listeners": listeners } })
}

/// A route with metadata, where it has some.
fn route(name: &str, matching: Value, metadata: Value) -> Value {
    let mut route = json!({ "name": name, "match": matching, "route": { "cluster": "c" } });
    if !metadata.is_null() {
        route["metadata"] = json!({ "filter_metadata": { "scopegate": metadata } });
    }
    route
}

fn open() -> Value {
    json!({ "public": true })
}

fn hosts(routes: &[Value]) -> Value {
    json!([{ "name": "api", "domains": ["*"], "routes": routes }])
}

#[test]
fn host_method_headers_and_query_choose_the_route() {
    let exact = |name: &str, text: &str| json!({ "name": name, "string_match": { "exact": text } });
    let routes = [
        route("reads", json!({ "prefix": "/", "headers": [exact(":method", "GET"), exact("x-plan", "gold")] }), open()),
        route("asks", json!({ "path": "/a", "query_parameters": [exact("q", "1")] }), json!({ "deny": true })),
        route("rest", json!({ "prefix": "/" }), Value::Null),
    ];
    let other = json!({ "name": "other", "domains": ["*.example.com"], "routes": [route("other", json!({ "prefix": "/" }), open())] });
    let files = Files::new(&json!([{ "name": "api", "domains": ["*"], "routes": routes }, other]), &json!({}));
    let gold = ["--header", "x-plan: gold"];
    for (request, more, route, outcome) in [
        ("GET /a", &[][..], "rest", "no_credential"),
        ("GET /a?q=1", &[], "asks", "denied"),
        ("GET /a?q=1", &gold, "reads", "allow"),
        ("POST /a?q=1", &gold, "asks", "denied"),
        ("POST /a", &["--header", "host: A.example.com"], "other", "allow"),
        ("POST /a", &["--header", "host: a.example.com:80"], "rest", "no_credential"),
    ] {
        let more = if more.iter().any(|line| line.starts_with("host")) {
            more.to_vec()
        } else {
            [&["--header", "host: a"], more].concat()
        };
        let more = more.as_slice();
        assert_eq!(files.told(request, more), (json!(route), json!(outcome)), "{request} {more:?}");
    }
    let text = files.explain("GET /a?q=1", &["--header", "host: a"]).stdout;
    assert!(text.contains("route     asks of virtual host api (path /a)"), "{text}");
}

#[test]
fn a_request_that_names_no_host_is_for_one_of_the_virtual_hosts() {
    let host = |name: &str, metadata: Value| {
        let routes = [route("all", json!({ "prefix": "/" }), metadata)];
        json!({ "name": name, "domains": [format!("{name}.example.com")], "routes": routes })
    };
    let files = Files::new(&json!([host("a", open())]), &json!({}));
    assert_eq!(files.told("GET /", &[]), (json!("all"), json!("allow")));
    let files = Files::new(&json!([host("a", open()), host("b", Value::Null)]), &json!({}));
    let told = files.explain("GET /", &[]);
    let why = "undecided: whether route all of virtual host a (prefix /) serves it depends on the host, which the request does not";
    assert!(told.status == 1 && told.stdout.contains(why), "{told:?}");
    for (name, outcome) in [("a", "allow"), ("b", "no_credential")] {
        let host = format!("host: {name}.example.com");
        assert_eq!(files.told("GET /", &["--header", &host]), (json!("all"), json!(outcome)));
    }
    let told = files.json("GET /", &["--header", "host: c.example.com"]);
    assert_eq!((&told["reason"], &told["virtual_host"]), (&json!("no_credential"), &Value::Null));
    assert_eq!(files.test("GET /", "{status: 200}").status, 1);
    assert_eq!(files.test("{path: /, headers: {host: a.example.com}}", "{status: 200}").status, 0);
}

#[test]
fn what_the_files_do_not_decide_is_undecided_where_it_makes_a_difference() {
    let regex = json!({ "safe_regex": { "regex": "/open/.*" } });
    let routes = [
        route("get", json!({ "path": "/a" }), Value::Null),
        route("open", regex.clone(), open()),
        route("rest", json!({ "prefix": "/" }), Value::Null),
    ];
    let files = Files::new(&hosts(&routes), &json!({}));
    assert_eq!(files.told("GET /a", &[]), (json!("get"), json!("no_credential")), "it is before the one in doubt");
    let explained = files.explain("GET /b", &[]);
    let why = "undecided: whether route open of virtual host api (safe_regex /open/.*) serves it depends on safe_regex; \
               name the route that Envoy chooses with --route";
    assert!(explained.status == 1 && explained.stdout.contains(why), "{explained:?}");
    let told = files.json("GET /b", &[]);
    assert_eq!(told["decision"], "undecided");
    assert!(told["why"].as_str().unwrap().contains("safe_regex"), "{told}");
    assert_eq!(files.told("GET /b", &["--route", "open"]), (json!("open"), json!("allow")));
    // A case fails, whatever it expects.
    for expect in ["{status: 200}", "{status: 401}"] {
        let tested = files.test("GET /b", expect);
        assert!(tested.status == 1 && tested.stdout.contains("undecided: whether route open"), "{tested:?}");
    }
    let tested = files.test("{path: /b, route: open}", "{status: 200}");
    assert_eq!(tested.status, 0, "{tested:?}");
    // Two routes that ask the same leave nothing in doubt, and neither does metadata that is not read.
    let same = [route("a", regex, Value::Null), route("b", json!({ "prefix": "/" }), Value::Null)];
    let files = Files::new(&hosts(&same), &json!({}));
    assert_eq!(files.json("GET /b", &[])["reason"], "no_credential");
}

#[test]
fn each_matcher_that_depends_on_more_than_the_request_is_undecided() {
    for (name, value) in [
        ("runtime_fraction", json!({ "default_value": { "numerator": 50 } })),
        ("runtime_fraction", json!({ "default_value": { "numerator": 100 }, "runtime_key": "key" })),
        ("dynamic_metadata", json!([{ "filter": "a", "path": [{ "key": "b" }], "value": { "present_match": true } }])),
        ("filter_state", json!([{ "key": "a" }])),
        ("tls_context", json!({ "presented": true })),
        ("headers", json!([{ "name": "x-forwarded-proto", "string_match": { "exact": "https" } }])),
        ("headers", json!([{ "name": "x", "string_match": { "safe_regex": { "regex": "a" } } }])),
        ("headers", json!([{ "name": "x-early", "present_match": true }])),
        ("headers", json!([{ "name": "x-twice", "string_match": { "exact": "a" } }])),
        ("new_matcher", json!({})),
    ] {
        let mut matching = json!({ "prefix": "/" });
        matching[name] = value;
        let routes = [route("doubt", matching.clone(), open()), route("rest", json!({ "prefix": "/" }), Value::Null)];
        let early = json!([{ "typed_config": { "mutations": [{ "remove": "x-early" }] } }]);
        let files = Files::new(&hosts(&routes), &json!({ "early_header_mutation_extensions": early }));
        let told = files.json("GET /", &["--header", "x: b", "--header", "x-twice: a", "--header", "x-twice: b"]);
        assert_eq!(told["decision"], "undecided", "{matching}: {told:#}");
        // Where another part of the matcher says no, nothing is in doubt.
        let mut other = matching.clone();
        other["prefix"] = "/other".into();
        let routes = [route("doubt", other, open()), route("rest", json!({ "prefix": "/" }), Value::Null)];
        let files = Files::new(&hosts(&routes), &json!({}));
        assert_eq!(files.told("GET /", &[]), (json!("rest"), json!("no_credential")), "{matching}");
    }
}

#[test]
fn routes_that_are_not_there_are_not_guessed() {
    let routes = hosts(&[route("rest", json!({ "prefix": "/" }), Value::Null)]);
    for (settings, wanted) in [
        (
            json!({ "route_config": null, "rds": { "route_config_name": "main" } }),
            "the routes (main) are not in these files",
        ),
        (json!({ "scoped_routes": { "name": "a" } }), "chooses among scoped routes"),
    ] {
        let files = Files::new(&routes, &settings);
        let told = files.explain("GET /", &[]);
        assert!(told.status == 1 && told.stdout.contains("undecided: ") && told.stdout.contains(wanted), "{told:?}");
        let tested = files.test("GET /", "{status: 401}");
        assert!(tested.status == 1 && tested.stdout.contains(wanted), "{tested:?}");
    }
    let tree = json!([{ "name": "tree", "domains": ["*"], "matcher": { "matcher_tree": {} } }]);
    let told = Files::new(&tree, &json!({})).explain("GET /", &[]);
    assert!(told.status == 1 && told.stdout.contains("virtual host tree has a matcher tree"), "{told:?}");
}

#[test]
fn a_request_without_a_route_is_judged_and_then_answered_with_404() {
    let mut hosts = hosts(&[route("a", json!({ "path": "/a" }), json!({ "deny": true }))]);
    hosts[0]["metadata"] = json!({ "filter_metadata": { "scopegate": { "public": true } } });
    let files = Files::new(&hosts, &json!({}));
    let told = files.json("GET /b", &[]);
    assert_eq!(
        (&told["decision"], &told["route"], &told["virtual_host"]),
        (&json!("allow"), &Value::Null, &json!("api"))
    );
    assert_eq!(told["notes"], json!(["no route matches: Envoy answers 404 to what passes the gate"]));
    assert_eq!(files.test("GET /b", "{status: 404}").status, 0);
    let tested = files.test("GET /b", "{status: 200}");
    assert!(tested.status == 1 && tested.stdout.contains("expected 200, got 404 (no route matches)"), "{tested:?}");
}

#[test]
fn several_gates_have_to_be_told_apart() {
    let gate = |name: &str| manager(&hosts(&[route(name, json!({ "prefix": "/" }), open())]), &json!({}));
    let files = Files(folder());
    files.write("envoy.json", &bootstrap(&[gate("one"), gate("two")]));
    let told = files.explain("GET /", &[]);
    assert!(told.status == 2 && told.stderr.contains("there are 2 Scopegate filters, and which of them"), "{told:?}");
    assert_eq!(files.told("GET /", &["--route", "two"]), (json!("two"), json!("allow")));
}
