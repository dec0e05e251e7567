//! Routes (RDS) and the filter's configuration (ECDS) that change while requests run.

use crate::gate::configuration;
use crate::keys::{KeyServer, in_background, remote};
use crate::support::client::{self, connect, get, get_with, head};
use crate::support::envoy::{Envoy, Gate, cluster, listener};
use crate::support::issuer::{ISSUER, Issuer, now};
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::Server;
use crate::support::wait::eventually;
use crate::support::xds::{Folder, discovered, extension};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// An Envoy whose routes and filter come from files, with the servers that it needs.
pub struct World {
    pub envoy: Envoy,
    files: Folder,
    _upstream: Server,
}

impl World {
    fn start(configuration: &Value, routes: &Value, clusters: &[Value]) -> Self {
        Self::start_plugin(&Gate::new(configuration.clone()).plugin(), routes, clusters)
    }

    pub fn start_plugin(plugin: &Value, routes: &Value, clusters: &[Value]) -> Self {
        Self::start_chain(plugin, &[], routes, clusters)
    }

    /// With these filters after the gate.
    pub fn start_chain(plugin: &Value, behind: &[Value], routes: &Value, clusters: &[Value]) -> Self {
        let files = Folder::new();
        put_plugin(&files, plugin);
        put_routes(&files, routes);
        let upstream = Server::echo(0).unwrap();
        let mut clusters = clusters.to_vec();
        clusters.push(cluster("upstream", upstream.address));
        let manager = json!({
            "route_config": null, "rds": { "route_config_name": "main", "config_source": files.source("routes.json") },
            "stream_idle_timeout": "60s",
        });
        let filters = [&[discovered("scopegate", &files.source("scopegate.json"))], behind].concat();
        let gate = listener("gate", &filters, &json!([]), &json!({}), &manager);
        let resources = json!({ "listeners": [gate], "clusters": clusters });
        let envoy = Envoy::try_start(&resources, 2).unwrap_or_else(|log| panic!("{log}"));
        Self { envoy, files, _upstream: upstream }
    }

    pub fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    /// The value of a counter that is there from its first count on.
    pub fn counter(&self, name: &str) -> u64 {
        self.envoy.stat(&format!("wasmcustom.{name}")).unwrap_or(0)
    }

    /// Changes the filter's configuration, and waits until Envoy has taken or refused it.
    fn change_filter(&self, configuration: &Value) {
        self.change_plugin(&Gate::new(configuration.clone()).plugin());
    }

    /// Changes the whole `PluginConfig`, and waits until Envoy has taken or refused it.
    pub fn change_plugin(&self, plugin: &Value) {
        let done = || {
            self.envoy.total("extension_config_discovery.http_filter.scopegate.config_reload")
                + self.envoy.total("extension_config_discovery.http_filter.scopegate.update_rejected")
        };
        let before = done();
        self.put_plugin(plugin);
        eventually("Envoy reads the filter again", || done() > before);
    }

    /// Changes it, and does not wait.
    pub fn put_plugin(&self, plugin: &Value) {
        put_plugin(&self.files, plugin);
    }

    fn change_routes(&self, routes: &Value) {
        let done = || self.envoy.total("rds.main.config_reload") + self.envoy.total("rds.main.update_rejected");
        let before = done();
        put_routes(&self.files, routes);
        eventually("Envoy reads the routes again", || done() > before);
    }
}

fn put_plugin(files: &Folder, plugin: &Value) {
    files.put("scopegate.json", &[extension("scopegate", plugin)]);
}

fn put_routes(files: &Folder, routes: &Value) {
    files.put(
        "routes.json",
        &[json!({
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            "name": "main",
            "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": routes }],
        })],
    );
}

/// One route that needs `scope` and tells the upstream so.
fn route(scope: &str) -> Value {
    json!([{
        "match": { "prefix": "/" },
        "route": { "cluster": "upstream" },
        "request_headers_to_add": [{ "header": { "key": "x-route-scope", "value": scope } }],
        "metadata": { "filter_metadata": { "scopegate": { "scopes": [scope] } } },
    }])
}

fn plain_route() -> Value {
    json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }])
}

#[test]
fn no_request_is_decided_under_half_a_configuration_or_half_a_route_and_none_is_dropped() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    // The realm and the header that says who came belong together, whatever the route asks.
    let filter = |name: &str| {
        configuration(
            &issuer,
            json!({ "challenge": { "realm": name }, "forward": { "headers": { format!("x-{name}"): "sub" } } }),
        )
    };
    let world = World::start(&filter("one"), &route("a"), &[]);
    let tokens = ["a", "b"].map(|scope| (scope, issuer.token(now()).scope(scope).sign()));
    let (stop, counts) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 4]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    for (has, token) in &tokens {
                        let answer = get_with(world.address(), "/", token);
                        // Answered at all, by this filter or by the upstream, is not dropped.
                        assert!([200, 403].contains(&answer.status), "{answer:?}");
                        if answer.status == 200 {
                            let echoed = answer.echoed();
                            assert_eq!(echoed.headers("x-route-scope"), [*has], "judged by the route that serves it");
                            let seen = ["x-one", "x-two"].map(|name| echoed.headers(name).len());
                            assert!(seen == [1, 0] || seen == [0, 1], "{echoed:?}");
                            assert!(echoed.headers("authorization").is_empty());
                            counts[seen[1]].fetch_add(1, Ordering::SeqCst);
                        } else {
                            let challenge = answer.header("www-authenticate").unwrap().to_owned();
                            let other = if *has == "a" { "b" } else { "a" };
                            assert!(challenge.ends_with(&format!("scope=\"{other}\"")), "{challenge}");
                            let realm = usize::from(challenge.starts_with("Bearer realm=\"two\""));
                            assert!(realm == 1 || challenge.starts_with("Bearer realm=\"one\""), "{challenge}");
                            counts[2 + realm].fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
        for round in 0..12 {
            world.change_filter(&filter(["two", "one"][round % 2]));
            // It would mark what it lets through, and ask in another realm.
            let mut refused = filter("three");
            refused["issuers"][0]["audience"] = "misspelt".into();
            world.change_filter(&refused);
            world.change_routes(&route(["b", "a"][round % 2]));
            std::thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::SeqCst);
    });
    for (what, count) in ["allowed by one", "allowed by two", "refused by one", "refused by two"].iter().zip(&counts) {
        assert!(count.load(Ordering::SeqCst) > 10, "{what}: {counts:?}");
    }
    let rejected = |what: &str| world.envoy.total(&format!("{what}.update_rejected"));
    assert_eq!((rejected("extension_config_discovery.http_filter.scopegate"), rejected("rds.main")), (12, 0));
}

#[test]
fn a_parked_request_is_decided_by_the_configuration_that_parked_it() {
    // Another configuration in the same VM, and one in another VM: another module or another `vm_id`.
    for vm_id in ["scopegate-gate", "another"] {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let keys = KeyServer::held(KeyServer::keys(&issuer));
        let clusters = [cluster("issuer", keys.server.address)];
        let parking = remote(json!({ "timeout": "30s" }), json!({ "forward": { "headers": { "x-parked": "sub" } } }));
        let world = World::start(&parking, &plain_route(), &clusters);
        let bearer = |token: &str| head("GET", "/", &[("authorization", &format!("Bearer {token}"))]);
        let token = issuer.token(now()).sign();
        let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, "A".repeat(86));
        let waiting: Vec<_> = (0..8)
            .map(|number| in_background(world.address(), bearer(if number < 4 { &token } else { &forged })))
            .collect();
        eventually("the keys are asked for", || keys.requests.load(Ordering::SeqCst) > 0);
        std::thread::sleep(Duration::from_millis(200));
        let parked = || waiting.iter().all(|waiting| !waiting.is_finished());
        assert!(parked());

        let mut closed = Gate::new(configuration(&issuer, json!({ "default": { "deny": true } })));
        closed.plugin = json!({ "vm_config": { "vm_id": vm_id } });
        world.change_plugin(&closed.plugin());
        eventually("the new configuration holds", || get_with(world.address(), "/", &token).status == 403);
        assert!(parked(), "the new configuration has nothing to say about them");
        keys.release();
        for (number, waiting) in waiting.into_iter().enumerate() {
            let answer = waiting.join().unwrap();
            if number < 4 {
                assert_eq!(answer.echoed().headers("x-parked"), ["alice"]);
            } else {
                assert_eq!(answer.status, 401, "{answer:?}");
            }
        }
        assert_eq!(get_with(world.address(), "/", &token).status, 403);
    }
}

#[test]
fn no_request_counts_as_waiting_under_a_configuration_that_is_gone() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::held(KeyServer::keys(&issuer));
    let parking = remote(json!({ "timeout": "30s" }), json!({}));
    let world = World::start(&parking, &plain_route(), &[cluster("issuer", keys.server.address)]);
    let token = issuer.token(now()).sign();
    let waiting = [0; 4].map(|_| {
        let mut connection = connect(world.address());
        connection.write_all(&head("GET", "/", &[("authorization", &format!("Bearer {token}"))])).unwrap();
        connection
    });
    eventually("they wait", || world.envoy.counter("scopegate.waiting") == 4);
    world.change_filter(&configuration(&issuer, json!({ "default": { "deny": true } })));
    eventually("the new configuration holds", || get_with(world.address(), "/", &token).status == 403);
    drop(waiting);
    eventually("they are gone", || world.envoy.counter("scopegate.waiting") == 0);
}

#[test]
fn a_new_configuration_knows_from_its_first_request_on_what_is_revoked() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let lists = Unreliable::start(Conduct::answer(
        "200 OK",
        "",
        format!("{}\n", json!({ "iss": ISSUER, "jti": "stolen" })).as_bytes(),
    ));
    let filter = |name: &str| {
        let list = json!({ "name": "main", "uri": "http://lists.example.com/revoked", "cluster": "lists" });
        configuration(&issuer, json!({ "challenge": { "realm": name }, "revocation": { "lists": [list] } }))
    };
    let world = World::start(&filter("0"), &plain_route(), &[cluster("lists", lists.address)]);
    let token = |id: &str| issuer.token(now()).claim("jti", id).sign();
    let (good, stolen) = (token("good"), token("stolen"));
    eventually("the first list", || get_with(world.address(), "/", &good).status == 200);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let statuses = [&good, &stolen].map(|token| get_with(world.address(), "/", token).status);
                    assert_eq!(statuses, [200, 401], "neither passed nor 503 for want of the list");
                }
            });
        }
        for round in 1..=10 {
            world.change_filter(&filter(&round.to_string()));
            std::thread::sleep(Duration::from_millis(150));
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_configuration_that_is_refused_leaves_the_old_one_in_force() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let good = configuration(&issuer, json!({ "default": { "scopes": ["orders:read"] } }));
    let world = World::start(&good, &plain_route(), &[]);
    let token = issuer.token(now()).sign();
    assert_eq!(get_with(world.address(), "/", &token).status, 200);
    for wrong in [json!({ "issuers": [] }), configuration(&issuer, json!({ "rule": [] })), json!({})] {
        world.change_filter(&wrong);
        world.envoy.wait_for_log("configuration refused");
        assert_eq!(get_with(world.address(), "/", &token).status, 200);
        assert_eq!(
            get(world.address(), "/", &[]).header("www-authenticate"),
            Some("Bearer realm=\"api\", scope=\"orders:read\"")
        );
    }
    // A file that is not even YAML.
    world.files.put_text("scopegate.json", "{");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(get_with(world.address(), "/", &token).status, 200);
    world.change_filter(&configuration(&issuer, json!({ "default": { "scopes": ["orders:write"] } })));
    eventually("a good one is taken again", || get_with(world.address(), "/", &token).status == 403);
}

#[test]
fn nothing_passes_before_the_first_configuration_was_accepted() {
    let files = Folder::new();
    files.put("scopegate.json", &[extension("scopegate", &Gate::new(json!({ "issuers": [] })).plugin())]);
    let upstream = Server::echo(0).unwrap();
    let filters = [discovered("scopegate", &files.source("scopegate.json"))];
    let gate = listener("gate", &filters, &plain_route(), &json!({}), &json!({}));
    let envoy = Envoy::start(&json!({ "listeners": [gate], "clusters": [cluster("upstream", upstream.address)] }));
    let answer = client::try_send(envoy.address(), &head("GET", "/", &[]));
    assert!(answer.as_ref().is_none_or(|answer| answer.status == 500), "{answer:?}");
}
