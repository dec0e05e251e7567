//! The manifests of envoy/kubernetes: their `ConfigMap`s, mounted as the kubelet mounts them, in an Envoy with the arguments of
//! their Deployment; and what the page says of changes, probes and the end of a pod.

use crate::support::client::{KeptClient, Response, connect, get, head, read_response, request, try_send};
use crate::support::config_map::{Files, Mounts};
use crate::support::envoy::{Envoy, module, root};
use crate::support::issuer::{AUDIENCE, Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::yaml;
use scopegate::crypto::Algorithm;
use serde_json::Value;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How often a question is put, so that every worker has answered it.
const TIMES: usize = 16;
const ROUTES: &str = "scopegate-routes";
const FILTER: &str = "scopegate-filter";

fn manifests(file: &str) -> Vec<Value> {
    yaml::documents(&root().join("envoy/kubernetes").join(file))
}

/// The pod of the Deployment.
fn pod() -> Value {
    manifests("deployment.yaml")[0]["spec"]["template"]["spec"].clone()
}

/// The files of a `ConfigMap` of configuration.yaml.
fn files(name: &str) -> Files {
    let all = manifests("configuration.yaml");
    let map = all.iter().find(|map| map["metadata"]["name"] == name).unwrap();
    map["data"].as_object().unwrap().iter().map(|(name, text)| (name.clone(), text.as_str().unwrap().into())).collect()
}

/// Where the pod mounts a `ConfigMap`.
fn mounted_at(map: &str) -> String {
    let pod = pod();
    let volume = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["configMap"]["name"] == map).unwrap();
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == volume["name"]).unwrap();
    assert!(mount["subPath"].is_null() && mount["readOnly"] == true, "{mount}");
    mount["mountPath"].as_str().unwrap().to_owned()
}

/// The arguments of the container: the bootstrap, the number of workers, and the others.
fn arguments() -> (String, u32, Vec<String>) {
    let pod = pod();
    let texts = pod["containers"][0]["args"].as_array().unwrap().iter();
    let mut texts = texts.map(|text| text.as_str().expect("a text: YAML takes 2 for a number").to_owned());
    let (mut bootstrap, mut workers, mut others) = (None, None, Vec::new());
    while let Some(argument) = texts.next() {
        match argument.as_str() {
            "-c" => bootstrap = texts.next(),
            "--concurrency" => workers = texts.next(),
            _ => others.push(argument),
        }
    }
    (bootstrap.unwrap(), workers.unwrap().parse().unwrap(), others)
}

/// A pod of the manifests: an Envoy, what it reads, and what it talks to.
pub struct Pod {
    pub envoy: Envoy,
    mounts: Mounts,
    issuer: Issuer,
    _servers: [Server; 2],
}

impl Pod {
    /// With these edits of the bootstrap, of the routes and of the filter, and with an issuer that answers `is_up`.
    pub fn start(edits: [&dyn Fn(String) -> String; 3], is_up: &'static AtomicBool) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let jwks = issuer.jwks();
        let keys =
            Server::start(
                0,
                move |_| {
                    if is_up.load(Ordering::SeqCst) { Answer::json(&jwks) } else { Answer::status(503) }
                },
            );
        let (keys, upstream, mounts) = (keys.unwrap(), Server::echo(0).unwrap(), Mounts::new());
        for (map, edit) in [(ROUTES, edits[1]), (FILTER, edits[2])] {
            put(&mounts, map, edit);
        }
        let (path, workers, options) = arguments();
        let (folder, name) = path.rsplit_once('/').unwrap();
        assert_eq!(folder, mounted_at("scopegate-envoy"));
        let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = edits[0](files("scopegate-envoy")[name].clone());
        // The issuer of this test has no TLS.
        let (text, tls) = text.rsplit_once("    transport_socket:\n").unwrap();
        assert!(!tls.contains("\n  - name:"), "it is the end of the last cluster");
        let text = [
            ("orders.apps.svc.cluster.local, port_value: 8080", upstream.address.port()),
            ("idp.example.com, port_value: 443", keys.address.port()),
        ]
        .iter()
        .fold(text.replace("STRICT_DNS", "STATIC").replace("0.0.0.0", "127.0.0.1"), |text, (from, port)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, &format!("127.0.0.1, port_value: {port}"))
        });
        let text = ["10000", "9902", "9903"]
            .iter()
            .fold(text, |text, port| text.replace(&format!("port_value: {port}}}"), "port_value: 0}"));
        let text = text.replace("port_value: 9901}", &format!("port_value: {admin}}}"));
        let text = placed(&mounts, text);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let envoy = Envoy::launch(&text, workers, &[], &options).unwrap_or_else(|log| panic!("{log}"));
        Self { envoy, mounts, issuer, _servers: [upstream, keys] }
    }

    fn as_shipped() -> Self {
        static UP: AtomicBool = AtomicBool::new(true);
        Self::start([&|text| text, &|text| text, &|text| text], &UP)
    }

    pub fn gate(&self) -> SocketAddr {
        self.envoy.listener("main")
    }

    /// Changes the `ConfigMap`, and with it what is mounted.
    fn change(&self, map: &str, from: &str, to: &str) {
        put(&self.mounts, map, &|text| {
            assert!(text.contains(from), "{map}: {from}");
            text.replacen(from, to, 1)
        });
    }

    pub fn bearer(&self, scope: &str) -> String {
        let token = self.issuer.token(now()).claim("iss", "https://idp.example.com/").claim("aud", AUDIENCE);
        format!("Bearer {}", token.scope(scope).sign())
    }

    fn ask(&self, method: &str, target: &str, scope: &str) -> Response {
        request(self.gate(), method, target, &[("authorization", &self.bearer(scope))])
    }

    fn challenge(&self) -> String {
        get(self.gate(), "/orders/1", &[]).header("www-authenticate").unwrap().to_owned()
    }

    fn ready(&self) -> u16 {
        probe(&self.envoy, "readinessProbe")
    }

    fn stat(&self, name: &str) -> u64 {
        self.envoy.stat(name).unwrap_or_else(|| panic!("no counter {name}"))
    }

    fn assert_as_shipped(&self, when: &str) {
        for _ in 0..TIMES {
            for (method, target, scope, status) in [
                ("GET", "/orders/1", "orders:read", 200),
                ("POST", "/orders/1", "orders:read", 403),
                ("POST", "/orders/1", "orders:write", 200),
                ("GET", "/elsewhere", "orders:write", 403),
            ] {
                assert_eq!(self.ask(method, target, scope).status, status, "{when}: {method} {target} with {scope:?}");
            }
            assert_eq!(get(self.gate(), "/healthz", &[]).status, 200, "{when}");
            assert_eq!(self.challenge(), "Bearer realm=\"example\", scope=\"orders:read\"", "{when}");
        }
    }
}

/// Mounts a `ConfigMap` of the manifests, edited.
fn put(mounts: &Mounts, map: &str, edit: &dyn Fn(String) -> String) {
    let edited = files(map).into_iter().map(|(name, text)| (name, placed(mounts, edit(text))));
    mounts.mount(&mounted_at(map), &edited.collect());
}

/// A text with the paths of the container as those of this machine.
fn placed(mounts: &Mounts, text: String) -> String {
    let pod = pod();
    let mounted =
        pod["containers"][0]["volumeMounts"].as_array().unwrap().iter().find(|mount| mount["name"] == "module");
    let path = format!("{}/plugin.wasm", mounted.unwrap()["mountPath"].as_str().unwrap());
    let text = text.replace(&path, &module().to_string_lossy());
    [ROUTES, FILTER].iter().fold(text, |text, map| {
        let folder = mounted_at(map);
        text.replace(&folder, &mounts.path(&folder).to_string_lossy())
    })
}

/// What a probe of the container is answered.
fn probe(envoy: &Envoy, name: &str) -> u16 {
    let pod = pod();
    let container = &pod["containers"][0];
    let http = &container[name]["httpGet"];
    let port = container["ports"].as_array().unwrap().iter().find(|port| port["name"] == http["port"]).unwrap();
    let listener = [(10000, "main"), (9902, "metrics"), (9903, "ready")];
    let (_, listener) = listener.iter().find(|(number, _)| port["containerPort"] == *number).unwrap();
    get(envoy.listener(listener), http["path"].as_str().unwrap(), &[]).status
}

/// Waits for two minutes at most: on a busy machine it takes a while to compile the module.
fn patiently(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn always(what: &str, mut holds: impl FnMut() -> bool) {
    patiently(what, || (0..TIMES).all(|_| holds()));
}

#[test]
fn the_config_maps_do_what_they_say_and_a_change_of_one_takes_effect_in_the_running_pod() {
    let pod = Pod::as_shipped();
    pod.assert_as_shipped("at first");
    let echoed = pod.ask("GET", "/orders/1", "orders:read").echoed();
    assert_eq!((echoed.headers("x-auth-subject"), echoed.headers("authorization")), (vec!["alice"], vec![]));
    assert_eq!(["startupProbe", "readinessProbe", "livenessProbe"].map(|name| probe(&pod.envoy, name)), [200; 3]);

    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    // A request that both the old and the new configuration allow.
    let good = head("GET", "/orders/1", &[("authorization", &pod.bearer("orders:read orders:list"))]);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = KeptClient::new(pod.gate());
                while !done.load(Ordering::SeqCst) && started.elapsed() < Duration::from_mins(4) {
                    let answer = client.send(&good);
                    assert_eq!(answer.status, 200, "after {} requests: {answer:?}", asked.load(Ordering::SeqCst));
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        pod.change(ROUTES, "[orders:read]", "[orders:list]");
        always("the new requirement", || pod.challenge() == "Bearer realm=\"example\", scope=\"orders:list\"");
        assert_eq!(pod.ask("GET", "/orders/1", "orders:read").status, 403);
        assert_eq!(pod.ask("GET", "/orders/1", "orders:list").status, 200);
        pod.change(FILTER, "realm: example", "realm: changed");
        always("the new filter", || pod.challenge() == "Bearer realm=\"changed\", scope=\"orders:list\"");
        assert_eq!((pod.ready(), pod.ask("GET", "/orders/1", "orders:list").status), (200, 200));
        done.store(true, Ordering::SeqCst);
    });
    assert!(asked.load(Ordering::SeqCst) > 20, "{asked:?}");
}

#[test]
fn a_config_map_that_is_refused_changes_nothing_and_is_counted_where_the_page_says() {
    let pod = Pod::as_shipped();
    pod.assert_as_shipped("at first");
    let page = std::fs::read_to_string(root().join("envoy/kubernetes/README.md")).unwrap();
    let refused = "extension_config_discovery.http_filter.scopegate.update_rejected";
    let (failed, routes) = (refused.replace("update_rejected", "update_failure"), "http.main.rds.main.update_rejected");
    for counter in [refused, failed.as_str(), routes] {
        assert!(page.contains(&format!("`{counter}`")), "the page names {counter}");
    }
    for (counter, map, from, to) in [
        (refused, FILTER, "audiences:", "audience:"),
        (refused, FILTER, "max_lifetime: 1h", "max_lifetime: 1"),
        (failed.as_str(), FILTER, "resources:", "[resources:"),
        (routes, ROUTES, "metadata:", "metdata:"),
        (routes, ROUTES, "domains: [\"*\"]", "domains: []"),
    ] {
        let before = pod.stat(counter);
        pod.change(map, from, to);
        patiently(counter, || pod.stat(counter) > before);
        // The workers hear of a change a moment after it is counted.
        std::thread::sleep(Duration::from_millis(300));
        pod.assert_as_shipped(to);
        assert_eq!(pod.ready(), 200, "{to}");
    }
    pod.change(FILTER, "realm: example", "realm: changed");
    always("a good filter is taken again", || pod.challenge().starts_with("Bearer realm=\"changed\""));
    pod.change(ROUTES, "[orders:read]", "[orders:list]");
    always("good routes are taken again", || pod.challenge().ends_with("scope=\"orders:list\""));
}

#[test]
fn without_watched_directory_a_changed_config_map_changes_nothing() {
    static UP: AtomicBool = AtomicBool::new(true);
    let unwatched = |text: String| {
        let kept: Vec<&str> = text.lines().filter(|line| !line.contains("watched_directory")).collect();
        assert_eq!(text.lines().count() - kept.len(), 2, "why both lines are marked `keep`");
        kept.join("\n")
    };
    let pod = Pod::start([&unwatched, &|text| text, &|text| text], &UP);
    pod.assert_as_shipped("at first");
    pod.change(ROUTES, "[orders:read]", "[orders:list]");
    pod.change(FILTER, "realm: example", "realm: changed");
    std::thread::sleep(Duration::from_secs(2));
    pod.assert_as_shipped("after both changes");
}

#[test]
fn a_pod_that_starts_with_a_configuration_that_is_refused_is_not_ready_until_it_is_mended() {
    static UP: AtomicBool = AtomicBool::new(true);
    let broken = |text: String| text.replace("audiences:", "audience:");
    let pod = Pod::start([&|text| text, &|text| text, &broken], &UP);
    pod.envoy.wait_for_log("configuration refused");
    for _ in 0..TIMES {
        assert_eq!(
            (probe(&pod.envoy, "startupProbe"), pod.ready()),
            (500, 500),
            "the rollout stops, the old pods go on"
        );
        assert_eq!(get(pod.gate(), "/healthz", &[]).status, 500, "and nothing passes, not even what is public");
    }
    assert_eq!(probe(&pod.envoy, "livenessProbe"), 200, "no restart would help");
    pod.change(FILTER, "audiences:", "audiences:");
    always("ready", || probe(&pod.envoy, "startupProbe") == 200 && pod.ready() == 200);
    pod.assert_as_shipped("mended");
}

#[test]
fn a_pod_that_starts_with_routes_that_are_refused_does_not_get_ready_until_they_are_mended() {
    static UP: AtomicBool = AtomicBool::new(true);
    let broken = |text: String| text.replace("metadata:", "metdata:");
    let pod = Pod::start([&|text| text, &broken, &|text| text], &UP);
    for _ in 0..TIMES {
        // Kubernetes asks for readiness only once a pod has started.
        assert_eq!(probe(&pod.envoy, "startupProbe"), 403, "by default, which denies");
        assert_eq!(pod.ask("GET", "/orders/1", "orders:read").status, 403);
    }
    pod.change(ROUTES, "metadata:", "metadata:");
    always("started", || probe(&pod.envoy, "startupProbe") == 200);
    pod.assert_as_shipped("mended");
}

#[test]
fn a_pod_is_ready_without_keys_and_a_request_waits_for_them() {
    static UP: AtomicBool = AtomicBool::new(false);
    let pod = Pod::start([&|text| text, &|text| text, &|text| text], &UP);
    assert_eq!(pod.ready(), 200, "an issuer that is down takes no public route along");
    assert_eq!(get(pod.gate(), "/healthz", &[]).status, 200);
    let refused = pod.ask("GET", "/orders/1", "orders:read");
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true), "{refused:?}");
    UP.store(true, Ordering::SeqCst);
    always("keys", || pod.ask("GET", "/orders/1", "orders:read").status == 200);
}

#[test]
fn what_the_pod_shows_beside_the_gate_is_the_metrics_and_whether_it_is_alive() {
    let pod = Pod::as_shipped();
    let metrics = pod.envoy.listener("metrics");
    assert!(get(metrics, "/stats/prometheus", &[]).body.contains("envoy_cluster_"));
    for (method, target) in [
        ("POST", "/quitquitquit"),
        ("POST", "/ready"),
        ("GET", "/"),
        ("GET", "/config_dump"),
        ("GET", "/stats/prometheus/../../config_dump"),
        ("GET", "/ready?x"),
        ("GET", "/stats/prometheus?text_readouts"),
    ] {
        assert_eq!(request(metrics, method, target, &[]).status, 404, "{method} {target}");
    }
    for target in ["/", "/ready/x", "/healthz", "/orders/1"] {
        assert_ne!(get(pod.envoy.listener("ready"), target, &[]).status, 200, "{target}");
    }
    assert_ne!(get(pod.gate(), "/ready", &[]).status, 200, "readiness is not for clients");
}

#[test]
fn a_pod_that_ends_answers_what_comes_and_sends_clients_elsewhere() {
    let pod = Pod::as_shipped();
    let good = head("GET", "/orders/1", &[("authorization", &pod.bearer("orders:read"))]);
    let mut kept = BufReader::new(connect(pod.gate()));
    let mut ask = || {
        kept.get_mut().write_all(&good).unwrap();
        read_response(&mut kept, false).unwrap()
    };
    let before = ask();
    assert_eq!((before.status, before.header("connection")), (200, None));

    // The command of the manifest, up to its sleep, with the port that the admin interface has here.
    let manifest = self::pod();
    let command: Vec<&str> = manifest["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let [bash, option, script] = command[..] else { panic!("{command:?}") };
    let (script, sleep) = script.split_once("; sleep ").unwrap();
    let (_, _, options) = arguments();
    let drained = options.iter().position(|option| option == "--drain-time-s").map(|at| options[at + 1].as_str());
    assert_eq!(drained, Some(sleep), "listeners are closed when the sleep ends, not before");
    let grace = manifest["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > sleep.parse().unwrap(), "Kubernetes counts the sleep too");
    assert!(script.contains("/127.0.0.1/9901"), "{script}");
    let script = script.replace("/9901", &format!("/{}", pod.envoy.admin().port()));
    let started = Instant::now();
    let output = Command::new(bash).args([option, &script]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.starts_with("HTTP/1.1 200"), "{output:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "it does not wait for the end");

    let after = ask();
    assert_eq!((after.status, after.header("connection")), (200, Some("close")), "{after:?}");
    for _ in 0..TIMES {
        let answer = try_send(pod.gate(), &good).expect("new connections are served too");
        assert_eq!(answer.status, 200);
        std::thread::sleep(Duration::from_millis(100));
    }
}
