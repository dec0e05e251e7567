//! The examples of the guide for Envoy's other filters, each in a real Envoy: they decide by what the gate has verified, and
//! by nothing that a client writes. In front of the gate they do not.

use crate::chain::{around, errors};
use crate::gate::configuration;
use crate::support::client::get;
use crate::support::envoy::{Envoy, Gate, cluster, merge, root};
use crate::support::issuer::{Issuer, now};
use crate::support::node;
use crate::support::only_wasm::needs_wasm;
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use crate::support::yaml;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The blocks of the chapter of this kind, in their order.
fn blocks(kind: &str) -> Vec<Value> {
    let guide = fs::read_to_string(root().join("envoy/GUIDE.md")).unwrap();
    let section = guide.split("\n## Claims for other filters\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let fence = format!("```yaml {kind}\n");
    section.split(&fence).skip(1).map(|rest| yaml::parse(rest.split("```").next().unwrap())).collect()
}

/// The parts of a connection manager that the chapter shows.
struct Examples {
    by_header: Value,
    by_state: Value,
    asking: Value,
    counting: Value,
    as_metadata: Value,
    logging: Value,
}

impl Examples {
    fn read() -> Self {
        let all: [Value; 6] =
            blocks("manager").try_into().unwrap_or_else(|other| panic!("each is run here: {other:?}"));
        let [by_header, by_state, asking, counting, as_metadata, logging] = all;
        Self { by_header, by_state, asking, counting, as_metadata, logging }
    }
}

/// Where the filters of an example stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    After,
    Before,
}

struct World {
    envoy: Envoy,
    issuer: Issuer,
    resources: Value,
    _upstream: Server,
}

impl World {
    /// The gate of the chapter with an example, these members more in its configuration, and these clusters.
    fn start(example: &Value, place: Place, members: Value, clusters: &[Value]) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let [page] = &blocks("plugin")[..] else { panic!("one configuration") };
        let mut own = page.clone();
        own.as_object_mut().unwrap().remove("issuers");
        let rules = json!({ "rules": [{ "match": { "path": "/open" }, "public": true }] });
        [rules, members].iter().for_each(|more| merge(&mut own, more));
        let mut manager = example.clone();
        let filters = manager.as_object_mut().unwrap().remove("http_filters").unwrap_or(json!([]));
        let filters = filters.as_array().unwrap();
        let gate = Gate { connection_manager: manager, ..Gate::new(configuration(&issuer, own)) };
        let (before, behind) = if place == Place::Before { (&filters[..], &[][..]) } else { (&[][..], &filters[..]) };
        let upstream = Server::echo(0).unwrap();
        let clusters = [&[cluster("upstream", upstream.address)], clusters].concat();
        let resources = json!({ "listeners": [around(before, &gate, behind)], "clusters": clusters });
        Self { envoy: Envoy::shared(&resources), issuer, resources, _upstream: upstream }
    }

    fn after(example: &Value, clusters: &[Value]) -> Self {
        Self::start(example, Place::After, json!({}), clusters)
    }

    fn bearer(&self, subject: &str, tenant: impl Into<Value>) -> String {
        format!("Bearer {}", self.issuer.token(now()).claim("sub", subject).claim("tenant", tenant).sign())
    }

    /// The status for a token of this subject and tenant, beside these headers of the client.
    fn status(&self, subject: &str, tenant: impl Into<Value>, written: &[(&str, &str)]) -> u16 {
        let bearer = self.bearer(subject, tenant);
        get(self.envoy.address(), "/", &[&[("authorization", bearer.as_str())], written].concat()).status
    }

    fn open(&self, written: &[(&str, &str)]) -> u16 {
        get(self.envoy.address(), "/open", written).status
    }

    /// Whether `scopegate check` finds that a filter stands on the wrong side of the gate.
    fn reads_too_early(&self) -> bool {
        errors(&self.resources).contains(&"reads-before-gate")
    }
}

/// What a client may write to pass for a user of this tenant.
const FORGED: [(&str, &str); 3] = [("x-auth-tenant", "acme"), ("X-Auth-Tenant", "acme"), ("x_auth_tenant", "acme")];

#[test]
fn rbac_decides_by_a_claim_in_a_header_after_the_gate_and_by_what_a_client_writes_before_it() {
    let example = Examples::read().by_header;
    let world = World::after(&example, &[]);
    for written in [&[][..], &FORGED] {
        assert_eq!(world.status("alice", "acme", written), 200);
        assert_eq!(world.status("bob", "other", written), 403);
        assert_eq!(world.status("bob", Value::Null, written), 403);
        assert_eq!(world.open(written), 403, "a public route has no identity");
    }
    assert!(!world.reads_too_early());
    let world = World::start(&example, Place::Before, json!({}), &[]);
    assert_eq!(world.status("bob", "other", &[]), 403);
    assert_eq!(world.status("bob", "other", &FORGED[..1]), 200, "the way round");
    assert_eq!(world.status("alice", "acme", &[]), 403, "and who has the claim is refused");
    assert!(world.reads_too_early());
}

#[test]
fn rbac_decides_by_filter_state_which_no_client_can_write_and_which_is_not_there_before_the_gate() {
    let example = Examples::read().by_state;
    let by_router = || json!({ "forward": { "by": "router" } });
    let world = World::start(&example, Place::After, by_router(), &[]);
    for written in [&[][..], &FORGED, &[("wasm.scopegate.tenant", "acme")]] {
        assert_eq!(world.status("alice", "acme", written), 200);
        assert_eq!(world.status("bob", "other", written), 403);
        assert_eq!(world.status("bob", Value::Null, written), 403);
        assert_eq!(world.open(written), 403);
    }
    assert!(!world.reads_too_early());
    let world = World::start(&example, Place::Before, by_router(), &[]);
    assert_eq!(world.status("alice", "acme", &[]), 403);
    assert!(world.reads_too_early());
    // A filter that refuses what it finds lets pass what has no claim.
    let mut denies = example.clone();
    denies["http_filters"][0]["typed_config"]["rules"]["action"] = "DENY".into();
    let world = World::start(&denies, Place::After, by_router(), &[]);
    assert_eq!(
        [world.status("alice", "acme", &[]), world.status("bob", Value::Null, &[]), world.open(&[])],
        [403, 200, 200]
    );
}

#[test]
fn ext_authz_is_told_the_claims_that_it_is_allowed_and_never_the_token() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let service = Server::start(0, move |received| {
        log.lock().unwrap().push(received.headers.clone());
        let is_alice = |(name, value): &(String, String)| name == "x-auth-subject" && value == "alice";
        Answer::status(if received.headers.iter().any(is_alice) { 200 } else { 403 })
    })
    .unwrap();
    let world = World::after(&Examples::read().asking, &[cluster("entitlements", service.address)]);
    let written = [("x-auth-subject", "alice"), ("x_auth_subject", "alice"), ("x-auth-tenant", "acme")];
    assert_eq!(world.status("alice", "other", &written), 200);
    assert_eq!(world.status("bob", "other", &written), 403);
    let told = || heard.lock().unwrap().clone();
    let count = told().len();
    assert_eq!(get(world.envoy.address(), "/", &written).status, 401, "what the gate refuses");
    assert_eq!(told().len(), count, "it is not asked about");
    let of = |headers: &[(String, String)], name: &str| -> Vec<String> {
        headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
    };
    for (headers, subject) in told().iter().zip(["alice", "bob"]) {
        let [subjects, tenants, tokens] =
            ["x-auth-subject", "x-auth-tenant", "authorization"].map(|name| of(headers, name));
        assert_eq!((subjects, tenants), (vec![subject.to_owned()], vec!["other".to_owned()]));
        assert!(tokens.is_empty(), "{headers:?}");
    }
    assert!(!world.reads_too_early());
    let before =
        World::start(&Examples::read().asking, Place::Before, json!({}), &[cluster("entitlements", service.address)]);
    assert_eq!(before.status("bob", "other", &written[..1]), 200, "the way round");
    assert!(before.reads_too_early());
}

#[test]
fn a_rate_limit_counts_by_a_claim_and_no_client_counts_as_another() {
    let world = World::after(&Examples::read().counting, &[]);
    let taken = |tenant: &str, written: &[(&str, &str)]| {
        (0..4).map(|_| world.status("alice", tenant, written)).collect::<Vec<_>>()
    };
    assert_eq!(taken("acme", &[("x-auth-tenant", "other")]), [200, 200, 200, 429]);
    assert_eq!(taken("acme", &[("x-auth-tenant", "a-new-one")])[0], 429);
    assert_eq!(taken("other", &[]), [200, 200, 200, 429], "which has all of its own");
    assert!(!world.reads_too_early());
    let before = World::start(&Examples::read().counting, Place::Before, json!({}), &[]);
    assert!(before.reads_too_early());
}

/// The service of `claims.mjs`, ended with the test.
struct Service {
    process: Child,
    address: SocketAddr,
    asked: Receiver<String>,
}

impl Service {
    fn start(word: &str) -> Self {
        let mut command = Command::new(node::binary());
        command.arg(root().join("tests/e2e/claims.mjs")).arg(word);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.next().unwrap().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        let (send, asked) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(send.send(line))));
        Self { process, address, asked }
    }

    fn next(&self) -> String {
        self.asked.recv_timeout(Duration::from_secs(10)).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_filter_after_the_gate_makes_metadata_of_a_header_for_those_that_read_only_that() {
    let service = Service::start("tenant-acme");
    let mut entitlements = cluster("entitlements", service.address);
    let http2 = json!({ "explicit_http_config": { "http2_protocol_options": {} } });
    entitlements["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["explicit_http_config"] =
        http2["explicit_http_config"].clone();
    let world = World::after(&Examples::read().as_metadata, &[entitlements]);
    assert_eq!(world.status("alice", "tenant-acme", &[]), 200);
    let asked = service.next();
    let told = |wanted: &str| asked.split(' ').any(|word| word.contains(wanted));
    assert!(told("claims") && told("tenant-acme"), "{asked}");
    for written in [&[][..], &[("x-auth-tenant", "tenant-acme")]] {
        assert_eq!(world.status("bob", "other", written), 403);
        let asked = service.next();
        assert!(!asked.contains("tenant-acme"), "{asked}");
    }
    assert!(!world.reads_too_early());
}

#[test]
fn an_access_log_prints_claims_that_were_verified_and_nothing_that_a_client_wrote() {
    needs_wasm!();
    let example = Examples::read().logging;
    // With the header left in, a refused request has it as the client wrote it.
    let mut open = example.clone();
    open.as_object_mut().unwrap().retain(|name, _| name == "access_log");
    for (example, forged) in [(&example, Value::Null), (&open, json!("root"))] {
        let world = World::start(example, Place::After, json!({ "audit": { "record": "object" } }), &[]);
        let written = [("x-auth-subject", "root"), ("x-auth-tenant", "root"), ("x_auth_tenant", "root")];
        let ask = |path: &str, claims: &[(&str, Value)]| {
            let token =
                claims.iter().fold(world.issuer.token(now()), |token, (name, value)| token.claim(name, value.clone()));
            let bearer = format!("Bearer {}", token.sign());
            let credential = [("authorization", bearer.as_str())];
            let credential = if claims.is_empty() { &[][..] } else { &credential };
            get(world.envoy.address(), path, &[credential, &written].concat()).status
        };
        let of_acme = ("tenant", json!("acme"));
        let asked = [
            ask("/passes", std::slice::from_ref(&of_acme)),
            ask("/expired", &[of_acme, ("exp", json!(now() - 900))]),
            ask("/without", &[]),
            ask("/open", &[]),
        ];
        assert_eq!(asked, [200, 401, 401, 200]);
        let lines = || -> Vec<Value> {
            let log = world.envoy.log();
            let objects = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            objects.filter(|line| line["path"].is_string()).collect()
        };
        eventually("the access log", || lines().len() == 4);
        for line in lines() {
            let (decision, subject, tenant) = match line["path"].as_str().unwrap() {
                "/passes" => ("allow", json!("alice"), json!("acme")),
                "/open" => ("allow", Value::Null, Value::Null),
                _ => ("deny", Value::Null, forged.clone()),
            };
            let told = (&line["scopegate"]["decision"], &line["subject"], &line["tenant"]);
            assert_eq!(told, (&json!(decision), &subject, &tenant), "{line}");
        }
    }
}
