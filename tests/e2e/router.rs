//! `forward.by: router`: the gate edits nothing, and the router removes and sets headers once the route is final.

use crate::chain::{around, cors, filter};
use crate::gate::configuration;
use crate::shipped::with_ports;
use crate::support::client::{Echoed, get, get_with, head, send};
use crate::support::envoy::{Envoy, Gate, cluster, merge, root};
use crate::support::issuer::{Issuer, now};
use crate::support::native;
use crate::support::server::{Answer, Server};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

struct World {
    envoy: Envoy,
    issuer: Issuer,
    _servers: Vec<Server>,
}

impl World {
    /// The shipped file.
    fn shipped() -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let jwks = issuer.jwks();
        let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
        let upstream = Server::echo(0).unwrap();
        let text = std::fs::read_to_string(root().join("envoy/router.yaml")).unwrap();
        let envoy = Envoy::start_text(&with_ports(&text, &upstream, &keys), 2).unwrap_or_else(|log| panic!("{log}"));
        Self { envoy, issuer, _servers: vec![keys, upstream] }
    }

    /// A gate with these members, filters before it and routes, and a virtual host that removes and sets the headers.
    fn start(members: &Value, before: &[Value], routes: Value) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let upstream = Server::echo(0).unwrap();
        let mut own = configuration(&issuer, json!({}));
        merge(&mut own, &json!({ "forward": { "by": "router" } }));
        merge(&mut own, members);
        let gate = Gate { virtual_host: edits(), ..Gate::new(own).routes(routes) };
        let resources =
            json!({ "listeners": [around(before, &gate, &[])], "clusters": [cluster("upstream", upstream.address)] });
        Self { envoy: Envoy::shared(&resources), issuer, _servers: vec![upstream] }
    }

    fn bearer(&self, claims: &[(&str, Value)]) -> String {
        let token =
            claims.iter().fold(self.issuer.token(now()), |token, (name, value)| token.claim(name, value.clone()));
        format!("Bearer {}", token.sign())
    }
}

/// What the router does for two identity headers.
fn edits() -> Value {
    let set = |name: &str, key: &str| {
        json!({
            "header": { "key": name, "value": format!("%FILTER_STATE(wasm.scopegate.{key}:PLAIN)%") },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        })
    };
    json!({
        "request_headers_to_remove": ["authorization", "x-auth-subject", "x-auth-scope"],
        "request_headers_to_add": [set("x-auth-subject", "subject"), set("x-auth-scope", "scope")],
    })
}

fn everything(metadata: Value) -> Value {
    json!([{ "name": "all", "match": { "prefix": "/" }, "route": { "cluster": "upstream" },
             "metadata": { "filter_metadata": { "scopegate": metadata } } }])
}

const FORGED: [(&str, &str); 5] = [
    ("x-auth-subject", "admin"),
    ("x-auth-subject", "root"),
    ("x_auth_subject", "admin"),
    ("X-Auth-Scope", "all"),
    ("x-auth_scope", "all"),
];
const NAMES: [&str; 5] = ["x-auth-subject", "x_auth_subject", "x-auth-scope", "x-auth_scope", "x_auth_scope"];

fn assert_only(echoed: &Echoed, wanted: &[(&str, &str)], what: &str) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for name in NAMES.iter().chain(&["authorization"]) {
        seen.extend(echoed.headers(name).into_iter().map(|value| (*name, value)));
    }
    assert_eq!(seen, wanted, "{what}: {echoed:?}");
}

#[test]
fn the_shipped_file_sends_who_came_and_neither_the_token_nor_what_a_client_forged() {
    let world = World::shipped();
    let address = world.envoy.address();
    let bearer = world.bearer(&[("scope", "orders:read".into())]);
    for forged in [&[][..], &FORGED] {
        let credential = [("authorization", bearer.as_str())];
        let echoed = get(address, "/orders/1", &[forged, &credential].concat()).echoed();
        let wanted = [("x-auth-subject", "alice"), ("x-auth-scope", "orders:read")];
        assert_only(&echoed, &wanted, "a token");
        let without = world.bearer(&[("scope", Value::Null)]);
        let echoed = get(address, "/x", &[forged, &[("authorization", &without)]].concat()).echoed();
        assert_only(&echoed, &[("x-auth-subject", "alice")], "a token without scopes");
        let echoed = get(address, "/healthz", &[forged, &credential].concat()).echoed();
        assert_only(&echoed, &[], "a public route: the removals hold there too");
        assert_eq!(get(address, "/x", forged).status, 401);
    }
    assert_eq!(get_with(address, "/orders/1", &world.issuer.token(now()).scope("x").sign()).status, 403);
}

#[test]
fn without_any_help_before_the_first_match_the_gate_still_removes_what_a_client_forged() {
    let rules = json!({ "rules": [
        { "match": { "path": "/public" }, "public": true },
        { "match": { "path": "/optional" }, "allow_missing": true },
    ] });
    let world = World::start(&rules, &[], everything(json!({ "scopes": [] })));
    let address = world.envoy.address();
    let bearer = world.bearer(&[("scope", Value::Null)]);
    let asked = [&FORGED[..], &[("authorization", &bearer)]].concat();
    assert_only(&get(address, "/x", &asked).echoed(), &[("x-auth-subject", "alice")], "a token without scopes");
    let public = World::start(
        &rules,
        &[],
        json!([{ "name": "all", "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]),
    );
    let address = public.envoy.address();
    assert_only(&get(address, "/public", &asked).echoed(), &[], "a public route");
    assert_only(&get(address, "/optional", &FORGED).echoed(), &[], "no token");
    let trailers = b"POST /public HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-auth-subject: admin\r\nx_auth_scope: all\r\nx-checksum: 1\r\n\r\n";
    let echoed = send(address, trailers).echoed();
    assert_eq!(echoed.trailers("x-checksum"), ["1"]);
    assert!(echoed.trailers("x-auth-subject").is_empty() && echoed.trailers("x_auth_scope").is_empty(), "{echoed:?}");
}

#[test]
fn values_reach_the_upstream_as_the_filter_would_have_set_them() {
    let world = World::start(&json!({}), &[], everything(json!({})));
    for subject in ["alice", "José, 2nd", "a \"b\" c", "%REQ(:PATH)%", "100%", "-", "{\"a\":1}", "a\\b", "a:b|c"] {
        let bearer = world.bearer(&[("sub", subject.into())]);
        let echoed = get(world.envoy.address(), "/", &[("authorization", &bearer)]).echoed();
        assert_eq!(echoed.headers("x-auth-subject"), [subject]);
    }
    for subject in [json!("a\r\nx-admin: 1"), json!("a\nb"), json!(" a"), json!({}), json!(["a,b"])] {
        let bearer = world.bearer(&[("sub", "alice".into()), ("scope", "x".into())]);
        let other = world.bearer(&[("sub", subject.clone())]);
        assert_eq!(get(world.envoy.address(), "/", &[("authorization", &bearer)]).status, 200);
        let answer = get(world.envoy.address(), "/", &[("authorization", &other), ("x-auth-subject", "admin")]);
        // A `sub` that is no text is refused; one that no header can carry leaves the header out.
        if answer.status == 200 {
            let echoed = answer.echoed();
            assert!(
                echoed.headers("x-auth-subject").is_empty() && echoed.headers("x-admin").is_empty(),
                "{subject} {echoed:?}"
            );
        }
    }
}

#[test]
fn envoy_matches_once_so_that_what_other_filters_set_does_not_choose_the_route() {
    let exact = |text: &str| json!({ "string_match": { "exact": text } });
    let route = |name: &str, matching: Value, metadata: Value| {
        json!({
            "name": name, "match": matching, "route": { "cluster": "upstream" },
            "request_headers_to_add": [{ "header": { "key": "x-route", "value": name } }],
            "metadata": { "filter_metadata": { "scopegate": metadata } },
        })
    };
    let by_metadata = json!([{ "filter": "demo", "path": [{ "key": "m" }], "value": exact("call") }]);
    let by_credential = json!([{ "name": "authorization", "present_match": true, "invert_match": true }]);
    let routes = json!([
        route("metadata", json!({ "prefix": "/", "dynamic_metadata": by_metadata }), json!({ "scopes": ["admin"] })),
        route("anonymous", json!({ "prefix": "/", "headers": by_credential }), json!({ "public": true })),
        route("rest", json!({ "prefix": "/" }), json!({})),
    ]);
    let rule = json!({ "header": "x-method", "on_header_present": { "metadata_namespace": "demo", "key": "m" } });
    let before = [cors(), filter("header_to_metadata.v3.Config", json!({ "request_rules": [rule] }))];
    let served = |members: &Value| {
        let world = World::start(members, &before, routes.clone());
        let bearer = world.bearer(&[("scope", Value::Null)]);
        let headers =
            [[("x-method", "call"), ("authorization", &bearer)], [("x-method", "none"), ("authorization", &bearer)]];
        headers.map(|headers| get(world.envoy.address(), "/", &headers).echoed().headers("x-route").concat())
    };
    assert_eq!(served(&json!({})), ["rest", "rest"]);
    // The difference: an edit of the gate's, and both routes are chosen anew. Natively an edit chooses none.
    let anew = if native::is_tested() { ["rest", "rest"] } else { ["metadata", "anonymous"] };
    assert_eq!(served(&json!({ "forward": { "by": "filter" } })), anew);
}

#[test]
fn a_route_that_only_reports_is_refused_since_the_router_would_edit_its_requests_too() {
    let world = World::start(&json!({}), &[], everything(json!({ "methods": { "GET": { "report_only": true } } })));
    let answer = send(world.envoy.address(), &head("GET", "/", &[("authorization", &world.bearer(&[]))]));
    assert_eq!(answer.status, 500, "{answer:?}");
    world.envoy.wait_for_log("methods.GET.report_only: cannot stand beside `forward.by: router`");
    world.envoy.wait_for_log("scopegate_policy_unreadable");
}
