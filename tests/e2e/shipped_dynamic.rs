//! The files of envoy/dynamic, which an operator copies and changes while Envoy runs.

use crate::shipped::with_ports;
use crate::support::client::{get, get_with, request};
use crate::support::envoy::{Envoy, root};
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use crate::support::xds::Folder;
use scopegate::crypto::Algorithm;
use std::time::Duration;

const FILTER: &str = "scopegate.yaml";
const ROUTES: &str = "routes.yaml";

/// How often a question is put, so that every worker has answered it.
const TIMES: usize = 16;

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join("envoy/dynamic").join(file)).unwrap()
}

/// An Envoy that runs copies of the shipped files.
struct World {
    envoy: Envoy,
    issuer: Issuer,
    files: Folder,
    upstream: Server,
    keys: Server,
}

impl World {
    fn start(options: &[&str]) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let jwks = issuer.jwks();
        let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
        let upstream = Server::echo(0).unwrap();
        let files = Folder::new();
        for file in [FILTER, ROUTES] {
            files.put_text(file, &with_ports(&text(file), &upstream, &keys));
        }
        let mut bootstrap = with_ports(&text("envoy.yaml"), &upstream, &keys);
        for file in [FILTER, ROUTES] {
            let path = format!("{{path: envoy/dynamic/{file}}}");
            assert!(bootstrap.contains(&path), "{path}");
            bootstrap = bootstrap.replace(&path, &format!("{{path: {}}}", files.path(file)));
        }
        let envoy = Envoy::launch(&bootstrap, 2, &[], options).unwrap_or_else(|log| panic!("{log}"));
        Self { envoy, issuer, files, upstream, keys }
    }

    /// Moves the shipped file with one edit into its place.
    fn change(&self, file: &str, from: &str, to: &str) {
        let shipped = text(file);
        assert!(shipped.contains(from), "{file}: {from}");
        self.files.put_text(file, &with_ports(&shipped.replacen(from, to, 1), &self.upstream, &self.keys));
    }

    fn status(&self, method: &str, target: &str, scope: &str) -> u16 {
        let bearer = format!("Bearer {}", self.issuer.token(now()).scope(scope).sign());
        request(self.envoy.address(), method, target, &[("authorization", &bearer)]).status
    }

    fn challenge(&self) -> String {
        get(self.envoy.address(), "/orders/1", &[]).header("www-authenticate").unwrap().to_owned()
    }

    /// That every worker does what the shipped files say.
    fn assert_as_shipped(&self, when: &str) {
        for _ in 0..TIMES {
            for (method, target, scope, status) in [
                ("GET", "/orders/1", "orders:read", 200),
                ("POST", "/orders/1", "orders:read", 403),
                ("POST", "/orders/1", "orders:write", 200),
                ("GET", "/reports", "reports:read", 200),
                ("POST", "/reports", "reports:read", 403),
                ("GET", "/internal/x", "admin", 403),
                ("GET", "/anything", "", 200),
            ] {
                assert_eq!(self.status(method, target, scope), status, "{when}: {method} {target} with {scope:?}");
            }
            assert_eq!(get(self.envoy.address(), "/healthz", &[]).status, 200, "{when}");
            // The filter would refuse it too, with a body.
            let slash = get(self.envoy.address(), "/a%2fb", &[]);
            assert_eq!((slash.status, slash.body.as_str()), (400, ""), "{when}: Envoy refuses escaped slashes");
            assert_eq!(self.challenge(), "Bearer realm=\"demo\", scope=\"orders:read\"", "{when}");
        }
    }
}

fn always(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || (0..TIMES).all(|_| holds()));
}

#[test]
fn a_file_that_is_moved_over_a_shipped_one_takes_effect() {
    let world = World::start(&["--reject-unknown-dynamic-fields"]);
    world.assert_as_shipped("at first");
    let echoed = get_with(world.envoy.address(), "/anything", &world.issuer.token(now()).sign()).echoed();
    assert_eq!((echoed.headers("x-auth-subject"), echoed.headers("authorization")), (vec!["alice"], vec![]));

    world.change(FILTER, "realm: demo", "realm: changed");
    always("the new filter", || world.challenge() == "Bearer realm=\"changed\", scope=\"orders:read\"");
    assert_eq!(world.status("GET", "/orders/1", "orders:read"), 200);
    world.change(ROUTES, "[orders:read]", "[orders:list]");
    always("the new routes", || world.challenge() == "Bearer realm=\"changed\", scope=\"orders:list\"");
    assert_eq!(world.status("GET", "/orders/1", "orders:read"), 403);
    assert_eq!(world.status("GET", "/orders/1", "orders:list"), 200);
    // A route that comes is served, and judged by what it says.
    world.change(
        ROUTES,
        "    - name: everything\n",
        "    - name: new\n      match: {path: /new}\n      route: {cluster: upstream}\n      \
         metadata: {filter_metadata: {scopegate: {deny: true}}}\n    - name: everything\n",
    );
    always("the new route", || world.status("GET", "/new", "admin") == 403);
    assert_eq!(world.status("GET", "/orders/1", "orders:read"), 200);
}

#[test]
fn a_file_that_is_refused_changes_nothing_and_is_counted_where_the_shipped_one_says() {
    let world = World::start(&["--reject-unknown-dynamic-fields"]);
    world.assert_as_shipped("at first");
    let head = text(FILTER);
    let refused = head.split('`').find(|word| word.ends_with("update_rejected")).unwrap();
    let failed = refused.replace("update_rejected", "update_failure");
    assert!(head.contains("`update_failure`") && head.contains("`config_reload`"));
    let stat = |name: &str| world.envoy.stat(name).unwrap_or_else(|| panic!("no counter {name}"));
    let count = |counter: &str, change: &dyn Fn()| {
        let before = stat(counter);
        change();
        eventually(counter, || stat(counter) == before + 1);
        // The workers hear of a change a moment after it is counted.
        std::thread::sleep(Duration::from_millis(300));
    };

    let reloads = refused.replace("update_rejected", "config_reload");
    let before = stat(&reloads);
    for (from, to) in [("audiences:", "audience:"), ("max_lifetime: 1h", "max_lifetime: 1"), ("rules:", "rule:")] {
        count(refused, &|| world.change(FILTER, from, to));
        world.envoy.wait_for_log("configuration refused");
        world.assert_as_shipped(to);
    }
    assert_eq!(stat(&reloads), before + 3, "why nobody should go by it");
    count(&failed, &|| world.files.put_text(FILTER, "{"));
    world.assert_as_shipped("what is not YAML");

    for (from, to) in [("domains: [\"*\"]", "domains: []"), ("metadata:", "metdata:"), ("virtual_hosts:", "hosts:")] {
        count("http.main.rds.main.update_rejected", &|| world.change(ROUTES, from, to));
        world.assert_as_shipped(to);
    }
    world.change(FILTER, "realm: demo", "realm: changed");
    always("a good filter is taken again", || world.challenge().starts_with("Bearer realm=\"changed\""));
    world.change(ROUTES, "[orders:read]", "[orders:list]");
    always("good routes are taken again", || world.challenge().ends_with("scope=\"orders:list\""));
}

#[test]
fn without_the_option_that_routes_yaml_names_a_misspelt_field_of_a_route_is_passed_over() {
    let world = World::start(&[]);
    assert!(text(ROUTES).contains("`--reject-unknown-dynamic-fields`"));
    world.assert_as_shipped("at first");
    world.change(ROUTES, "metadata:", "metdata:");
    always("the default holds for the route", || world.status("GET", "/orders/1", "orders:read") == 403);
}
