//! The metrics in a real Prometheus that scrapes a real Envoy, with the `stats_tags` of envoy/envoy.yaml: names, types and
//! labels are those of the table in envoy/ON-CALL.md.

use crate::shipped::with_ports;
use crate::support::client::{get, get_with};
use crate::support::envoy::{Envoy, root};
use crate::support::guarded::Guarded;
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// A Prometheus with the shipped configuration that scrapes one Envoy each second, in a folder of its own.
pub(crate) struct Prometheus {
    address: SocketAddr,
    folder: PathBuf,
    process: Option<Guarded>,
}

impl Prometheus {
    pub(crate) fn start(envoy: SocketAddr) -> Self {
        let folder = root().join(format!("target/e2e/prometheus-{}", envoy.port()));
        fs::create_dir_all(&folder).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let shipped = root().join("envoy/prometheus");
        let mut scrape = fs::read_to_string(shipped.join("prometheus.yaml")).unwrap();
        let alerts = shipped.join("alerts.yaml").to_string_lossy().into_owned();
        for (from, to) in
            [("envoy:9902", envoy.to_string().as_str()), ("_interval: 5s", "_interval: 1s"), ("alerts.yaml", &alerts)]
        {
            assert!(scrape.contains(from), "{from}");
            scrape = scrape.replace(from, to);
        }
        fs::write(folder.join("prometheus.yml"), scrape).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let at = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let arguments = [
            format!("--config.file={}", at("prometheus.yml")),
            format!("--storage.tsdb.path={}", at("data")),
            format!("--web.listen-address={address}"),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = Guarded::start(Path::new("prometheus"), &arguments, log.try_clone().unwrap().into(), log);
        Self { address, folder, process: Some(process) }
    }

    /// The `data` of an answer of its API; null while there is none.
    pub(crate) fn ask(&self, path: &str) -> Value {
        let head = crate::support::client::head("GET", path, &[]);
        let answer = crate::support::client::try_send(self.address, &head);
        let read = |body: &str| serde_json::from_str::<Value>(body).ok();
        answer.and_then(|answer| read(&answer.body)).map_or(Value::Null, |mut answer| answer["data"].take())
    }

    /// All series of Scopegate's own metrics: the name, and the labels that are not Prometheus' own.
    fn series(&self) -> Vec<(String, BTreeMap<String, String>)> {
        let found = self.ask("/api/v1/series?match[]=%7B__name__%3D~%22scopegate_.*%22%7D");
        let mut all: Vec<BTreeMap<String, String>> = serde_json::from_value(found).unwrap_or_default();
        all.iter_mut()
            .map(|labels| {
                let name = labels.remove("__name__").unwrap();
                let own = |label: &String| !["job", "instance", "le"].contains(&label.as_str());
                (name, labels.iter().filter(|(label, _)| own(label)).map(|(l, v)| (l.clone(), v.clone())).collect())
            })
            .collect()
    }

    /// The value of an expression.
    pub(crate) fn value(&self, query: &str) -> Option<f64> {
        let encoded = scopegate::base::text::form_encode(query.as_bytes());
        let found = self.ask(&format!("/api/v1/query?query={encoded}"));
        found["result"][0]["value"][1].as_str().and_then(|value| value.parse().ok())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.process.take());
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The table of metrics: by the name in Prometheus the kind, and the labels.
fn table() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let page = fs::read_to_string(root().join("envoy/ON-CALL.md")).unwrap();
    let rows = page.split("### Metrics").nth(1).unwrap().split("\n### ").next().unwrap().lines();
    let mut found = BTreeMap::new();
    for row in rows.filter_map(|row| row.strip_prefix("| `scopegate.")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        for name in cells[0].split(", ").map(|name| name.trim_matches('`').trim_start_matches("scopegate.")) {
            let (fixed, labels) = name.split_once(".<").map_or((name, ""), |(fixed, labels)| (fixed, labels));
            let labels = labels.split(".<").map(|label| label.trim_end_matches('>').to_owned());
            let labels = labels.filter(|label| !label.is_empty()).collect();
            found.insert(format!("scopegate_{}", fixed.replace('.', "_")), (cells[1].to_owned(), labels));
        }
    }
    found
}

/// The shipped file, with everything that has metrics of its own: a revocation list, fetched identities, status lists,
/// introspection, the service of a fleet and an issuer that is asked for events; counts of clients; and a rule that only reports.
fn with_everything(text: &str) -> String {
    let rules = "                    rules:\n";
    assert!(text.contains(rules));
    let more = "                    reuse: {max_clients: 1}
                    replay: {service: {cluster: issuer, form: webdis, secret: {env: REPLAY_SECRET}}}
                    revocation: {lists: [{name: main, uri: 'http://127.0.0.1:10002/list', cluster: issuer, when_stale: allow}]}
                    events: {issuers: {demo: {audience: gate, poll: {uri: 'http://127.0.0.1:10002/poll', cluster: issuer}}}}
                    credentials:
                    - {name: partners, api_key: {header: x-api-key}, identities: {uri: 'http://127.0.0.1:10002/identities', cluster: issuer}}
";
    let reporting = "                    - match: {path: /reported, methods: [GET]}
                      report_only: true
                      scopes: [x]
                    - match: {path: /by-method}
                      methods: {POST: {deny: true}}
                      scopes: []
";
    let of_issuer = "max_lifetime: 1h
                      status_list: {clusters: [{uri_prefix: 'http://127.0.0.1:10002/', cluster: issuer}]}
                      introspection: {uri: 'http://127.0.0.1:10002/introspect', cluster: issuer, client_id: gate, secret: {env: GATE_SECRET}}";
    let secrets = format!("{{REPLAY_SECRET: {}, GATE_SECRET: secret}}", base64url::encode(&[7; 32]));
    let environment = format!("vm_id: scopegate\n                  environment_variables: {{key_values: {secrets}}}");
    text.replacen(rules, &format!("{more}{rules}{reporting}"), 1)
        .replace("max_lifetime: 1h", of_issuer)
        .replace("vm_id: scopegate", &environment)
}

/// The shipped Envoy with everything that has metrics, and what it needs.
pub(crate) struct World {
    pub(crate) envoy: Envoy,
    issuer: Issuer,
    keys: Server,
    _upstream: Server,
}

pub(crate) fn start() -> World {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let jwks = issuer.jwks();
    let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
    let upstream = Server::echo(0).unwrap();
    let file = fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    let envoy = Envoy::start_text(&with_ports(&with_everything(&file), &upstream, &keys), 2);
    let envoy = envoy.unwrap_or_else(|log| panic!("{log}"));
    World { envoy, issuer, keys, _upstream: upstream }
}

/// Three requests of each kind.
pub(crate) fn load(world: &World) {
    let (address, issuer) = (world.envoy.address(), &world.issuer);
    let good = issuer.token(now()).scope("orders:read").sign();
    let expired = issuer.token(now()).claim("exp", now() - 900).sign();
    for _ in 0..3 {
        assert_eq!(get_with(address, "/reported", &good).status, 200);
        assert_eq!(get_with(address, "/anything", &expired).status, 401);
        assert_eq!(get(address, "/anything", &[]).status, 401);
        assert_eq!(get_with(address, "/by-method", &good).status, 200);
    }
}

#[test]
#[ignore = "needs Prometheus: make evidence-services"]
fn prometheus_sees_each_metric_by_the_name_the_type_and_the_labels_of_the_table() {
    let world = start();
    let prometheus = Prometheus::start(world.envoy.admin());
    load(&world);
    let counted = |query: &str| prometheus.value(query) == Some(3.0);
    for query in [
        "scopegate_refused{mode=\"enforce\",issuer=\"demo\",reason=\"expired\"}",
        "scopegate_refused{mode=\"enforce\",issuer=\"none\",reason=\"no_credential\"}",
        "scopegate_refused{mode=\"report_only\",issuer=\"demo\",reason=\"insufficient_scope\"}",
        "scopegate_requirement{outcome=\"would_deny\",requirement=\"rules_0_\"}",
        "scopegate_requirement{outcome=\"allow\",requirement=\"rules_1_\"}",
        "scopegate_denied{reason=\"no_credential\"}",
        "scopegate_would_deny{reason=\"insufficient_scope\"}",
        "scopegate_issuer_denied{issuer=\"demo\"}",
    ] {
        eventually(query, || counted(query));
    }
    eventually("the histogram", || prometheus.value("scopegate_verify_us_count").is_some_and(|count| count >= 1.0));
    // A token that names a status list waits for it, in vain: its server has keys alone.
    let list = json!({ "status_list": { "idx": 0, "uri": format!("http://{}/list", world.keys.address) } });
    let waits = world.issuer.token(now()).claim("status", list).scope("orders:read").sign();
    assert_eq!(get_with(world.envoy.address(), "/anything", &waits).status, 503);
    eventually("the wait", || prometheus.value("scopegate_wait_ms_count").is_some_and(|count| count >= 1.0));
    let table = table();
    assert!(table.len() > 30, "{table:?}");
    let kinds = prometheus.ask("/api/v1/metadata");
    let mut seen = BTreeSet::new();
    for (name, labels) in prometheus.series() {
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let family = of_histogram.filter(|stem| table.contains_key(*stem)).unwrap_or(&name);
        let (kind, wanted) = table.get(family).unwrap_or_else(|| panic!("the table has no {name}: {labels:?}"));
        assert_eq!(kinds[family][0]["type"], kind.as_str(), "{family}");
        assert_eq!(&labels.keys().cloned().collect::<BTreeSet<_>>(), wanted, "{name}");
        seen.insert(family.to_owned());
    }
    let missing: Vec<&String> = table.keys().filter(|name| !seen.contains(*name)).collect();
    assert_eq!(missing, Vec::<&String>::new());
}
