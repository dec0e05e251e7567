//! What it costs that a stolen token is useless: proofs, client certificates, single use, also in a fleet, step-up and status
//! lists, each in the worker's time for a request, above that of the same request without it.

mod front;
mod prepared;

use super::cases::{Case, Cases};
use super::contenders::{Behind, Contender, contender};
use super::load::{self, Load, Run};
use super::machine::Cores;
use super::measure::{in_turn, median};
use super::report::round;
use super::settings::Settings;
use super::start_with;
use super::support::envoy::{Envoy, cluster, merge};
use super::support::redis::{self, Redis, Webdis};
use super::support::server::{Answer, Server};
use super::support::wait::eventually;
use front::Front;
use prepared::Prepared;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The name of this part.
pub const NAME: &str = "stolen";
/// The most that a request with a proof may cost above a hit, by what a new token costs above one.
const PROOF_LIMIT: f64 = 1.6;
/// Answers of one run that may be others: of requests that were sent once more while the load ended.
const STRAY: u64 = 64;
/// The tokens and proofs that are signed for each second of a run.
const A_SECOND: u64 = 7_000;

/// The kind that is claimed in the service of a fleet.
const FLEET: &str = "in-fleet";

/// What is sent to a gate, and what the gate asks for.
struct Kind {
    name: &'static str,
    what: &'static str,
    /// By what it is measured: the name of another kind.
    above: &'static str,
    /// The requests, where they are the same in each round.
    sent: fn(&Prepared<'_>) -> Vec<Vec<u8>>,
    /// What the rule asks for besides its scope.
    rule: fn() -> Value,
    /// Whether each token or proof is good once, or is to be new: each round has requests of its own, sent once.
    is_fresh: bool,
    is_over_tls: bool,
}

const PLAIN: Kind = Kind {
    name: "hit",
    what: "one ES256 token over and over",
    above: "hit",
    sent: |prepared| prepared.hit(),
    rule: || json!({}),
    is_fresh: false,
    is_over_tls: false,
};

const KINDS: [Kind; 11] = [
    PLAIN,
    Kind {
        name: "step-up",
        what: "the same, `acr_values` and `max_auth_age`",
        sent: |prepared| prepared.stepped_up(),
        rule: || json!({ "acr_values": ["phr"], "max_auth_age": "24h" }),
        ..PLAIN
    },
    Kind {
        name: "status-list",
        what: "the same, a status in a list",
        sent: |prepared| prepared.with_status(),
        ..PLAIN
    },
    Kind {
        name: "new",
        what: "every ES256 token new, as `miss-es256`",
        sent: |prepared| prepared.fresh(),
        is_fresh: true,
        ..PLAIN
    },
    Kind {
        name: "single-use",
        what: "the same, `single_use`",
        above: "new",
        sent: |prepared| prepared.fresh(),
        rule: || json!({ "single_use": true }),
        is_fresh: true,
        ..PLAIN
    },
    Kind {
        name: FLEET,
        what: "the same, claimed in Redis through Webdis",
        above: "single-use",
        sent: |prepared| prepared.fresh(),
        rule: || json!({ "single_use": true }),
        is_fresh: true,
        ..PLAIN
    },
    Kind {
        name: "dpop-es256",
        what: "one ES256 token, every ES256 proof new",
        sent: |prepared| prepared.proven(Algorithm::Es256),
        is_fresh: true,
        ..PLAIN
    },
    Kind {
        name: "dpop-eddsa",
        what: "one ES256 token, every EdDSA proof new",
        sent: |prepared| prepared.proven(Algorithm::EdDsa),
        is_fresh: true,
        ..PLAIN
    },
    Kind { name: "tls", what: "a hit over TLS with a client certificate", above: "tls", is_over_tls: true, ..PLAIN },
    Kind {
        name: "mtls",
        what: "the same, the token is bound to the certificate",
        above: "tls",
        sent: |prepared| prepared.certified(),
        is_over_tls: true,
        ..PLAIN
    },
    Kind {
        name: "unused",
        what: "a hit where all of it is configured, and none is asked for",
        sent: |prepared| prepared.hit(),
        ..PLAIN
    },
];

/// Measures all kinds, prints their figures, and returns them.
pub fn measure(cores: &Cores, cases: &Cases, settings: &Settings) -> Value {
    let case = cases.make("miss-es256").expect("a case");
    let front = Front::new();
    let prepared = Prepared::new(&case, &front, A_SECOND * settings.seconds);
    let list = prepared.status_list();
    let lists = Server::start(0, move |_| {
        let headers = vec![("content-type".to_owned(), "application/statuslist+jwt".to_owned())];
        Answer { status: 200, headers, body: list.clone().into_bytes() }
    })
    .unwrap();
    // Beside the load: what they take is not the worker's time.
    let service = redis::are_there().then(|| {
        let redis = Redis::pinned(&cores.for_load());
        (Webdis::pinned(&cores.for_load(), redis.address()), redis)
    });
    let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| service.is_some() || kind.name != FLEET).collect();
    let listeners: Vec<Value> = kinds.iter().map(|kind| listener(&case, kind, &front)).collect();
    let mut clusters = vec![cluster("lists", lists.address)];
    clusters.extend(service.iter().map(|(webdis, _)| cluster("webdis", webdis.address)));
    let envoy = start_with(cores, &listeners, &clusters);
    let before_tls = front.start(cores, &KINDS, &envoy);
    let stage = Stage { cores, envoy: &envoy, front: &before_tls, prepared: &prepared, seconds: settings.seconds };
    eventually("the status list", || {
        let requests = prepared.with_status();
        super::support::client::send(envoy.listener(&gate_name("status-list")), &requests[0]).status == 200
    });
    // Once without counting: caches fill, code is loaded.
    for kind in &kinds {
        stage.run(kind, 1);
    }
    let mut runs = vec![Vec::new(); kinds.len()];
    for number in 0..settings.rounds {
        let forwards = in_turn(number)[0] == 0;
        for place in 0..kinds.len() {
            let index = if forwards { place } else { kinds.len() - 1 - place };
            runs[index].push(stage.run(kinds[index], settings.seconds));
        }
    }
    if service.is_none() {
        println!("{NAME}: {FLEET} needs redis-server and webdis, and is left out");
    }
    report(&kinds, &runs)
}

fn report(kinds: &[&Kind], runs: &[Vec<Run>]) -> Value {
    let of = |name: &str| &runs[kinds.iter().position(|kind| kind.name == name).expect("a kind")];
    println!("\n{NAME}: the worker's time for a request in us, and what of it is above that of the other");
    let mut figures: Vec<Value> = Vec::new();
    for (kind, own) in kinds.iter().zip(runs) {
        let time = median(own.iter().map(|run| run.worker_us));
        let pairs = || own.iter().zip(of(kind.above));
        let above = median(pairs().map(|(own, other)| own.worker_us - other.worker_us));
        let ratio = median(pairs().map(|(own, other)| own.worker_us / other.worker_us));
        println!("{time:>9.1} {above:>9.1} {ratio:>6.2}  {:<11} above {}: {}", kind.name, kind.above, kind.what);
        figures.push(json!({
            "kind": kind.name, "above": kind.above, "worker_us": round(time, 1), "above_us": round(above, 1),
            "ratio": round(ratio, 3),
        }));
    }
    let rounds = of("hit").iter().zip(of("new")).zip(of("dpop-es256"));
    let proof =
        median(rounds.map(|((hit, new), proof)| (proof.worker_us - hit.worker_us) / (new.worker_us - hit.worker_us)));
    let verdict = if proof <= PROOF_LIMIT { "ok" } else { "MISS" };
    println!(
        "{proof:>26.2}  what an ES256 proof costs, by what a new ES256 token costs; the limit is {PROOF_LIMIT}: {verdict}"
    );
    json!({ "kinds": figures, "proof_by_new_token": round(proof, 3) })
}

fn gate_name(kind: &str) -> String {
    Contender::Scopegate.listener(&format!("{NAME}.{kind}"))
}

/// What the requests are sent through.
struct Stage<'s> {
    cores: &'s Cores,
    envoy: &'s Envoy,
    front: &'s Envoy,
    prepared: &'s Prepared<'s>,
    seconds: u64,
}

impl Stage<'_> {
    /// One run, in which practically all requests pass.
    fn run(&self, kind: &Kind, seconds: u64) -> Run {
        let requests: PathBuf = load::write_requests(&format!("{NAME}-{}", kind.name), &(kind.sent)(self.prepared));
        let listener = gate_name(kind.name);
        let refused = || -> u64 {
            let counted = |class| self.envoy.stat(&format!("http.{listener}.downstream_rq_{class}xx"));
            [4, 5].into_iter().filter_map(counted).sum()
        };
        let before = refused();
        let address = if kind.is_over_tls { self.front.listener(kind.name) } else { self.envoy.listener(&listener) };
        let measured = self.envoy.process_id();
        let seconds = seconds.min(self.seconds);
        let load = Load { measured, address, requests: &requests, seconds, is_once: kind.is_fresh };
        let run = load.run(self.cores);
        let refused = refused() - before;
        assert!(refused <= STRAY, "{}: {refused} of {} were refused", kind.name, run.answered);
        run
    }
}

/// The listener of a kind.
fn listener(case: &Case, kind: &Kind, front: &Front) -> Value {
    // A listener has a name that lasts as long as the program.
    let mut own = Case { name: format!("{NAME}.{}", kind.name).leak(), cache_entries: 1_000, ..case.clone() };
    merge(&mut own.scopegate["rules"][0], &(kind.rule)());
    if kind.name != PLAIN.name && kind.name != "new" {
        merge(
            &mut own.scopegate,
            &json!({
                "dpop": { "origins": [prepared::ORIGIN], "max_age": "5m" },
                "replay": { "entries": 2_000_000 },
            }),
        );
    }
    let mut listener = contender(Contender::Scopegate, &own, Behind::DirectResponse);
    if ["status-list", "unused"].contains(&kind.name) {
        let issuer = &mut configuration(&mut listener)["issuers"][0];
        issuer["status_list"] = json!({ "clusters": [{ "uri_prefix": prepared::LISTS, "cluster": "lists" }] });
    }
    if kind.name == FLEET {
        let secret = json!({ "env": "REPLAY_SECRET" });
        configuration(&mut listener)["replay"]["service"] =
            json!({ "cluster": "webdis", "form": "webdis", "secret": secret, "timeout": "2s" });
        let known = json!({ "key_values": { "REPLAY_SECRET": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" } });
        plugin(&mut listener)["vm_config"]["environment_variables"] = known;
    }
    if kind.is_over_tls { front.over_tls(listener) } else { listener }
}

/// The plugin in a listener.
fn plugin(listener: &mut Value) -> &mut Value {
    let filter = &mut listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"][0];
    &mut filter["typed_config"]["config"]
}

/// The plugin configuration in a listener.
fn configuration(listener: &mut Value) -> &mut Value {
    &mut plugin(listener)["configuration"]["value"]
}
