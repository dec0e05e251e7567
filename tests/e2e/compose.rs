//! The Envoy of envoy/docker-compose.yaml, with the addresses of this machine: the gate, and what Prometheus reaches of the
//! admin interface.

use crate::prometheus::Prometheus;
use crate::support::client::{get, request};
use crate::support::envoy::{Envoy, module, root};
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use std::fs;
use std::net::{SocketAddr, TcpListener};

struct World {
    envoy: Envoy,
    issuer: Issuer,
    _servers: [Server; 2],
}

impl World {
    fn start() -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let jwks = issuer.jwks();
        let servers = [Server::echo(0).unwrap(), Server::start(0, move |_| Answer::json(&jwks)).unwrap()];
        let [upstream, keys] = servers.each_ref().map(|server| server.address.port());
        // The cluster of the admin interface has its port, so it cannot be chosen by Envoy.
        let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut text = fs::read_to_string(root().join("envoy/compose/envoy.yaml")).unwrap();
        for (from, to) in [
            ("address: 0.0.0.0, port_value: 10000}", "address: 127.0.0.1, port_value: 0}".to_owned()),
            ("address: 0.0.0.0, port_value: 9902}", "address: 127.0.0.1, port_value: 0}".to_owned()),
            ("port_value: 9901}", format!("port_value: {admin}}}")),
            ("address: upstream, port_value: 10001}", format!("address: 127.0.0.1, port_value: {upstream}}}")),
            ("address: issuer, port_value: 10002}", format!("address: 127.0.0.1, port_value: {keys}}}")),
            ("/etc/envoy/scopegate.wasm", module().to_string_lossy().into_owned()),
        ] {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, &to);
        }
        let envoy = Envoy::start_text(&text, 2).unwrap_or_else(|log| panic!("{log}"));
        Self { envoy, issuer, _servers: servers }
    }

    fn gate(&self) -> SocketAddr {
        self.envoy.listener("main")
    }

    fn metrics(&self) -> SocketAddr {
        self.envoy.listener("metrics")
    }

    /// A request that passes, and one without a token.
    fn load(&self) {
        let token = self.issuer.token(now()).claim("iss", "http://issuer:10002").scope("orders:read").sign();
        let bearer = format!("Bearer {token}");
        assert_eq!(get(self.gate(), "/orders/1", &[("authorization", &bearer)]).status, 200);
        assert_eq!(get(self.gate(), "/orders/1", &[]).status, 401);
    }
}

#[test]
fn prometheus_gets_the_metrics_with_their_labels() {
    let world = World::start();
    world.load();
    let scraped = || get(world.metrics(), "/stats/prometheus", &[]);
    let is_one = |body: &str, name: &str, labels: &[&str]| {
        let fits =
            |line: &&str| line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label));
        body.lines().find(fits).is_some_and(|line| line.ends_with("} 1"))
    };
    eventually("the counters", || {
        let body = scraped().body;
        let refused = ["issuer=\"none\"", "mode=\"enforce\"", "reason=\"no_credential\""];
        is_one(&body, "scopegate_refused", &refused)
            && is_one(&body, "scopegate_issuer_allowed", &["issuer=\"demo\""])
            && is_one(&body, "scopegate_keys_in_use", &["issuer=\"demo\""])
    });
    // Since version 3 Prometheus reads no answer that does not say what it is.
    assert!(scraped().header("content-type").is_some_and(|it| it.starts_with("text/plain")));
}

#[test]
fn nothing_else_of_the_admin_interface_is_reached_through_either_listener() {
    let world = World::start();
    for target in [
        "/",
        "/stats",
        "/stats/",
        "/stats/prometheus/",
        "/stats/prometheus?usedonly",
        "/stats/prometheus?",
        "/stats/prometheus/../../quitquitquit",
        "/stats/prometheus/..%2f..%2fquitquitquit",
        "//stats/prometheus",
        "/stats%2fprometheus",
        "/STATS/prometheus",
        "/stats/prometheus;/quitquitquit",
        "/quitquitquit",
        "/config_dump",
        "/clusters",
        "/certs",
        "/memory",
        "/logging?level=debug",
        "/healthcheck/fail",
        "/server_info",
        "/ready",
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(request(world.metrics(), method, target, &[]).status, 404, "{method} {target}");
        }
    }
    for method in ["POST", "PUT", "OPTIONS", "DELETE"] {
        assert_eq!(request(world.metrics(), method, "/stats/prometheus", &[]).status, 404, "{method}");
    }
    // Nor does a header choose another path.
    for header in ["x-envoy-original-path", "x-original-url", "x-rewrite-url"] {
        let answer = get(world.metrics(), "/stats/prometheus", &[(header, "/config_dump")]);
        assert!(answer.status == 200 && answer.body.contains("# TYPE scopegate_allowed counter"), "{header}");
    }
    for target in ["/stats/prometheus", "/quitquitquit", "/config_dump"] {
        let answer = get(world.gate(), target, &[("host", "admin")]);
        assert_eq!(answer.status, 401, "{target}: {}", answer.body);
    }
    assert!(get(world.envoy.admin(), "/ready", &[]).body.contains("LIVE"));
}

#[test]
#[ignore = "needs Prometheus: make evidence-services"]
fn the_shipped_configuration_of_prometheus_scrapes_it_and_has_the_alerts() {
    let world = World::start();
    let prometheus = Prometheus::start(world.metrics());
    world.load();
    eventually("the scrape", || prometheus.value("up{job=\"envoy\"}") == Some(1.0));
    eventually("the counter", || {
        prometheus
            .value("scopegate_refused{reason=\"no_credential\",mode=\"enforce\"}")
            .is_some_and(|count| count >= 1.0)
    });
    let rules = prometheus.ask("/api/v1/rules");
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    let written = fs::read_to_string(root().join("envoy/prometheus/alerts.yaml")).unwrap();
    assert_eq!(rules.len(), written.matches("- alert: ").count());
    assert!(rules.iter().all(|rule| rule["health"] != "err"), "{rules:?}");
}
