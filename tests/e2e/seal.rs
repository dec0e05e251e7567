//! The seal: the gate publishes the names that it judges by, and the shipped rbac filter after it refuses what another
//! route would serve.

use crate::chain::{around, cors, filter, lua, seal};
use crate::gate::configuration;
use crate::support::client::{get, request};
use crate::support::envoy::{Envoy, Gate, cluster};
use crate::support::issuer::{Issuer, now};
use crate::support::native;
use crate::support::server::Server;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

/// A route of this name that tells the upstream so.
fn route(name: &str, matching: Value, metadata: Value) -> Value {
    json!({
        "name": name, "match": matching, "route": { "cluster": "upstream" },
        "request_headers_to_add": [{ "header": { "key": "x-route", "value": name } }],
        "metadata": { "filter_metadata": { "scopegate": metadata } },
    })
}

/// The name of a gate, what its configuration adds, its routes, and the filters before and after it.
type Sealed = (&'static str, Value, Value, Vec<Value>, Vec<Value>);

struct World {
    envoy: Envoy,
    issuer: Issuer,
    _upstream: Server,
}

impl World {
    /// Gates of these configurations, with the filters before and after each.
    fn start(gates: &[Sealed]) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let upstream = Server::echo(0).unwrap();
        let listener = |(name, members, routes, before, behind): &Sealed| {
            let gate = Gate { name, ..Gate::new(configuration(&issuer, members.clone())) }.routes(routes.clone());
            around(before, &gate, behind)
        };
        let listeners: Vec<Value> = gates.iter().map(listener).collect();
        let envoy =
            Envoy::shared(&json!({ "listeners": listeners, "clusters": [cluster("upstream", upstream.address)] }));
        Self { envoy, issuer, _upstream: upstream }
    }

    /// What a request with a token without scopes comes to: the route that served it, or how it was refused.
    fn ask(&self, gate: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let bearer = format!("Bearer {}", self.issuer.token(now()).scope("").sign());
        self.outcome(gate, path, &[headers, &[("authorization", &bearer)]].concat())
    }

    fn outcome(&self, gate: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let answer = get(self.envoy.listener(gate), path, headers);
        match (answer.status, answer.body.as_str()) {
            (200, _) => answer.echoed().headers("x-route").concat(),
            (403, "RBAC: access denied") => "sealed".to_owned(),
            (status, _) => status.to_string(),
        }
    }
}

/// `/admin` needs a scope, everything else any token.
fn routes() -> Value {
    json!([
        route("admin", json!({ "prefix": "/admin" }), json!({ "scopes": ["admin"] })),
        route("other", json!({ "prefix": "/" }), json!({})),
    ])
}

fn sealing(members: Value) -> Value {
    let mut all = json!({ "seal": true });
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    all
}

#[test]
fn a_sealed_gate_lets_through_what_it_lets_through_without_the_seal() {
    let open = json!([
        route("public", json!({ "prefix": "/public" }), json!({ "public": true })),
        route("optional", json!({ "prefix": "/optional" }), json!({ "allow_missing": true })),
        route("reported", json!({ "prefix": "/reported" }), json!({ "scopes": ["x"], "report_only": true })),
        route("admin", json!({ "prefix": "/admin" }), json!({ "scopes": ["admin"] })),
        route("other", json!({ "prefix": "/" }), json!({})),
    ]);
    let keep = json!({ "forward": { "token": "keep" } });
    let world = World::start(&[
        ("strip", sealing(json!({ "bypass_cors_preflight": true })), open.clone(), vec![cors()], vec![seal()]),
        ("keep", sealing(keep), open.clone(), vec![], vec![seal()]),
        ("top", sealing(json!({ "report_only": true })), open.clone(), vec![], vec![seal()]),
        ("preflight", sealing(json!({ "bypass_cors_preflight": true })), open, vec![], vec![seal()]),
    ]);
    for gate in ["strip", "keep", "top"] {
        assert_eq!(world.ask(gate, "/x", &[]), "other", "{gate}");
        assert_eq!(world.outcome(gate, "/public", &[]), "public", "{gate}");
        assert_eq!(world.outcome(gate, "/optional", &[("x-auth-subject", "forged")]), "optional", "{gate}");
        assert_eq!(world.ask(gate, "/reported", &[]), "reported", "{gate}");
        let admin = if gate == "top" { "admin" } else { "403" };
        assert_eq!(world.ask(gate, "/admin", &[]), admin, "{gate}");
    }
    let preflight = [("origin", "https://a.example.com"), ("access-control-request-method", "POST")];
    let answer = request(world.envoy.listener("preflight"), "OPTIONS", "/x", &preflight);
    assert_eq!(answer.echoed().headers("x-route"), ["other"]);
}

#[test]
fn what_another_route_would_serve_is_refused_by_the_seal_and_served_without_it() {
    let to_admin = || lua("h:headers():replace(':path', '/admin/x')");
    let by_metadata = json!([
        route(
            "admin",
            json!({ "prefix": "/", "dynamic_metadata": [{ "filter": "demo", "path": [{ "key": "m" }], "value": { "string_match": { "exact": "call" } } }] }),
            json!({ "scopes": ["admin"] }),
        ),
        route("other", json!({ "prefix": "/" }), json!({})),
    ]);
    let to_metadata = || {
        let rule = json!({ "header": "x-method", "on_header_present": { "metadata_namespace": "demo", "key": "m" } });
        filter("header_to_metadata.v3.Config", json!({ "request_rules": [rule] }))
    };
    let seals = json!({ "seal": true });
    let world = World::start(&[
        ("stale", json!({}), routes(), vec![cors(), to_admin()], vec![]),
        ("stale-sealed", seals.clone(), routes(), vec![cors(), to_admin()], vec![seal()]),
        ("second", json!({}), by_metadata.clone(), vec![cors(), to_metadata()], vec![]),
        ("second-sealed", seals.clone(), by_metadata, vec![cors(), to_metadata()], vec![seal()]),
        // After the gate, too, as long as the seal comes last.
        ("behind", json!({}), routes(), vec![cors()], vec![to_admin()]),
        ("behind-sealed", seals, routes(), vec![cors()], vec![to_admin(), seal()]),
    ]);
    let call = [("x-method", "call")];
    // The native module judges by the route that Envoy has now, and its edits choose no other: only what is behind it does.
    let native = [["403", "403"], ["other", "other"], ["admin", "sealed"]];
    let wanted = if native::is_tested() { native } else { [["admin", "sealed"]; 3] };
    for ((gate, headers), wanted) in [("stale", &[][..]), ("second", &call), ("behind", &[])].into_iter().zip(wanted) {
        let met = [gate, &format!("{gate}-sealed")].map(|gate| world.ask(gate, "/y", headers));
        assert_eq!(met, wanted, "{gate}: a token without scopes, and the route that needs one");
    }
    assert_eq!(world.ask("second-sealed", "/y", &[]), "other");
    world.envoy.wait_for_log("rbac_access_denied");
}

#[test]
fn a_route_of_the_same_name_in_another_virtual_host_is_another_route() {
    let host = |name: &str, metadata: Value| json!({ "name": name, "domains": [format!("{name}.example.com")], "routes": [route("same", json!({ "prefix": "/" }), metadata)] });
    let hosts = json!([host("open", json!({})), host("closed", json!({ "scopes": ["admin"] }))]);
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let gate = Gate {
        connection_manager: json!({ "route_config": { "virtual_hosts": hosts } }),
        ..Gate::new(configuration(&issuer, json!({ "seal": true })))
    };
    let to_closed = lua("if h:headers():get('x-go') then h:headers():replace(':authority', 'closed.example.com') end");
    let listener = around(&[cors(), to_closed], &gate, &[seal()]);
    let envoy = Envoy::shared(&json!({ "listeners": [listener], "clusters": [cluster("upstream", upstream.address)] }));
    let world = World { envoy, issuer, _upstream: upstream };
    let host = ("host", "open.example.com");
    assert_eq!(world.ask("gate", "/", &[host]), "same");
    // The native module judges by the other one.
    let wanted = if native::is_tested() { "403" } else { "sealed" };
    assert_eq!(world.ask("gate", "/", &[host, ("x-go", "1")]), wanted);
}

#[test]
fn the_seal_refuses_where_a_name_or_the_route_is_missing_and_where_its_condition_fails() {
    let seals = json!({ "seal": true });
    let nameless = json!([route("", json!({ "prefix": "/" }), json!({}))]);
    let some = json!([route("some", json!({ "prefix": "/some" }), json!({}))]);
    let broken = || {
        let text = seal().to_string();
        serde_json::from_str(&text.replace("{\"name\":\"xds\"}", "{\"name\":\"nothing\"}")).unwrap()
    };
    assert_ne!(broken(), seal());
    // Another writer's value under the gate's name, which is no text.
    let foreign = filter(
        "set_filter_state.v3.Config",
        json!({ "on_request_headers": [
        { "object_key": "wasm.scopegate.route_name", "factory_key": "envoy.string", "format_string": { "text_format_source": { "inline_string": "other" } } },
    ] }),
    );
    let world = World::start(&[
        ("unpublished", json!({}), routes(), vec![], vec![seal()]),
        ("nameless", seals.clone(), nameless, vec![], vec![seal()]),
        ("no-route", seals.clone(), some.clone(), vec![], vec![seal()]),
        ("no-route-then", seals.clone(), some, vec![], vec![lua("h:headers():replace(':path', '/gone')"), seal()]),
        ("broken", seals, routes(), vec![], vec![broken()]),
        ("half", json!({}), routes(), vec![], vec![foreign, seal()]),
    ]);
    for (gate, path) in [
        ("unpublished", "/y"),
        ("nameless", "/y"),
        ("no-route", "/y"),
        ("no-route-then", "/some"),
        ("broken", "/y"),
        ("half", "/y"),
    ] {
        assert_eq!(world.ask(gate, path, &[]), "sealed", "{gate}");
    }
    assert_eq!(world.ask("no-route", "/some", &[]), "some");
}
