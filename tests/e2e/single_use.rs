//! Tokens that pass once, over all workers and through new configurations.

use crate::dynamic::World;
use crate::gate::{configuration, start};
use crate::support::client::{at_once, get_with};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

fn once(issuer: &Issuer, members: Value) -> Value {
    let mut configuration = configuration(issuer, json!({ "default": { "single_use": true } }));
    configuration.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    configuration
}

#[test]
fn of_forty_requests_at_once_over_four_workers_exactly_one_passes() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let gate = Gate::new(once(&issuer, json!({})));
    let envoy = Envoy::try_start(&resources(&[gate], &[cluster("upstream", upstream.address)]), 4).unwrap();
    for round in 0..5 {
        let token = issuer.token(now()).claim("jti", round.to_string()).sign();
        let statuses = at_once(&[envoy.address()], 40, &token);
        let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(200), count(401)), (1, 39), "round {round}: {statuses:?}");
    }
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.replayed", 5 * 39), 5 * 39);
    assert_eq!(envoy.counter_of_at_least("scopegate.allowed", 5), 5);
    let refused = ["full", "share", "contended", "clock", "unreadable"];
    assert_eq!(refused.map(|cause| envoy.counter(&format!("scopegate.replay.refused.{cause}"))), [0; 5]);
}

#[test]
fn a_used_token_is_refused_as_invalid_and_the_record_names_it() {
    let issuer = Issuer::new(Algorithm::EdDsa, "a");
    let (envoy, _upstream) =
        start(Gate::new(once(&issuer, json!({ "default": { "single_use": true, "scopes": ["orders:read"] } }))));
    let token = issuer.token(now()).sign();
    let lacking = issuer.token(now()).claim("jti", "1");
    assert_eq!(get_with(envoy.address(), "/", &lacking.clone().scope("x").sign()).status, 403, "it uses nothing up");
    assert_eq!(get_with(envoy.address(), "/", &lacking.sign()).status, 200);
    assert_eq!(get_with(envoy.address(), "/", &token).status, 200);
    let again = get_with(envoy.address(), "/", &token);
    assert_eq!(again.status, 401);
    assert!(again.header("www-authenticate").unwrap().contains("error=\"invalid_token\""), "{again:?}");
    let log =
        envoy.wait_for_log("401 scopegate_replayed {\"decision\":\"deny\",\"reason\":\"replayed\",\"issuer\":\"demo\"");
    assert!(log.contains("reason=replayed issuer=demo subject=\"alice\" fingerprint="), "{log}");
}

#[test]
fn a_new_configuration_forgets_nothing() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let plugin = |members: Value| Gate::new(once(&issuer, members)).plugin();
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let world = World::start_plugin(&plugin(json!({})), &routes, &[]);
    let token = |jti: usize| issuer.token(now()).claim("jti", jti.to_string()).sign();
    let status = |jti: usize| get_with(world.address(), "/", &token(jti)).status;
    assert_eq!([status(0), status(0)], [200, 401]);
    // Each worker takes over a configuration by itself: what the first token gets says that all of them have.
    let change = |members: Value, first: u16| {
        world.change_plugin(&plugin(members));
        eventually("all workers have it", || (0..12).all(|_| status(0) == first));
    };
    for members in [json!({ "replay": { "entries": 1000 } }), json!({ "replay": { "entries": 4_000_000 } })] {
        change(members.clone(), 401);
        assert_eq!([status(1), status(0)], [if members["replay"]["entries"] == 1000 { 200 } else { 401 }, 401]);
    }
    // One that asks nobody for single use, under which nothing is used up, and then again one that does.
    change(json!({ "default": { "scopes": [] } }), 200);
    assert_eq!([status(1), status(2), status(2)], [200; 3]);
    change(json!({ "rules": [{ "match": { "path": "/x" }, "deny": true }] }), 401);
    assert_eq!([status(0), status(1), status(2), status(2)], [401, 401, 200, 401]);
}

#[test]
fn it_holds_for_route_metadata_and_without_a_vm_id_which_the_log_warns_of() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let routes = json!([
        {
            "match": { "prefix": "/once" }, "route": { "cluster": "upstream" },
            "metadata": { "filter_metadata": { "scopegate": { "single_use": true } } },
        },
        { "match": { "prefix": "/" }, "route": { "cluster": "upstream" } },
    ]);
    let gate = |members: Value| Gate {
        plugin: json!({ "vm_config": { "vm_id": "" } }),
        ..Gate::new(configuration(&issuer, members)).routes(routes.clone())
    };
    let token = || issuer.token(now()).claim("jti", "1").sign();
    // Not one that other tests share: it gives each a vm_id.
    let upstream = Server::echo(0).unwrap();
    let alone = |gate: Gate| Envoy::start(&resources(&[gate], &[cluster("upstream", upstream.address)]));
    let envoy = alone(gate(json!({ "replay": {} })));
    let statuses = ["/", "/once", "/", "/once"].map(|path| get_with(envoy.address(), path, &token()).status);
    assert_eq!(statuses, [200, 200, 200, 401]);
    envoy.wait_for_log(
        "scopegate: replay: without a vm_id every plugin that has none can write over what has been used",
    );
    let envoy = alone(gate(json!({})));
    assert_eq!(get_with(envoy.address(), "/once", &token()).status, 500, "without a store");
    envoy.wait_for_log("write replay: {} at the top of the configuration");
}
