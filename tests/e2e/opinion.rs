//! A second opinion on tokens that are bound to a key: a thousand generated requests, good ones and such as have one or two
//! changes, to the gate and to `validateJwtAccessToken` of npm `oauth4webapi`. What one accepts and the other does not is
//! on the list of `differences`, and everything on the list happens. And what both make of a request alike is not right for
//! that: each change says whether the gate may still let it pass.

mod changes;
mod differences;
mod proofs;
mod sendings;
mod tokens;

use crate::support::client::KeptClient;
use crate::support::envoy::{Envoy, Gate, cluster, merge, root};
use crate::support::issuer::{AUDIENCE, ISSUER, now};
use crate::support::node;
use crate::support::random::{Random, from_environment};
use crate::support::server::Server;
use changes::{Base, Change, Keys, ORIGIN, Sent, made};
use differences::{DIFFERENCES, Difference, How};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

/// How often each change is tried by itself.
const ALONE: usize = 3;

/// The other judge, in a process of its own.
struct Other {
    process: Child,
    asked: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(keys: &Value) -> Self {
        let world = json!({ "issuer": ISSUER, "keys": keys, "audience": AUDIENCE });
        let mut command = Command::new(node::binary());
        command.arg(root().join("tests/e2e/opinion.mjs")).env("PACKAGES", node::packages());
        command.env("WORLD", world.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { asked: process.stdin.take(), answers, process }
    }

    /// Why it refuses the request, if it does.
    fn ask(&mut self, sent: &Sent) -> Option<String> {
        let url = format!("{ORIGIN}{}", sent.target);
        let request = json!({ "method": sent.method, "url": url, "headers": sent.lines });
        writeln!(self.asked.as_ref().unwrap(), "{request}").unwrap();
        let answer = self.answers.next().expect("an answer").unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.asked.take());
        let _ = self.process.wait();
    }
}

fn start(keys: &Keys) -> (Envoy, Server) {
    let upstream = Server::echo(0).unwrap();
    // As the other judges: its clock tolerance, its required claims, and how recent a proof has to be.
    let gate = Gate::new(json!({
        "issuers": [{
            "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": keys.issuer.jwks() }, "leeway": "30s",
            "required_claims": ["sub", "iat", "jti", "client_id"],
        }],
        "dpop": { "origins": [ORIGIN], "max_age": "5m", "max_ahead": "5m" },
        "limits": { "wasm_crypto_percent": 100, "denial_logs_per_second": 0 },
    }));
    let mut listener = gate.listener();
    let details = json!({ "access_log": null, "local_reply_config": { "mappers": [{
        "filter": { "status_code_filter": { "comparison": {
            "op": "GE", "value": { "default_value": 400, "runtime_key": "none" } } } },
        "headers_to_add": [{ "header": { "key": "x-details", "value": "%RESPONSE_CODE_DETAILS%" } }],
    }] } });
    merge(&mut listener["filter_chains"][0]["filters"][0]["typed_config"], &details);
    let envoy = Envoy::start(&json!({ "listeners": [listener], "clusters": [cluster("upstream", upstream.address)] }));
    // A proof of the second in which the store began could have been used before it.
    thread::sleep(Duration::from_secs(2));
    (envoy, upstream)
}

/// What to change: nothing, then each change by itself, then two of different parts, in the order in which they come about.
fn plan(index: usize, all: &[Change], random: &mut Random) -> Vec<Change> {
    let Some(index) = index.checked_sub(ALONE * 4) else { return Vec::new() };
    if let Some(change) = all.get(index / ALONE) {
        return vec![*change];
    }
    // A third leaves the request good.
    let wanted = !random.chance(3);
    let of = |random: &mut Random| loop {
        let place = random.below(all.len());
        if wanted || all[place].may_pass {
            break place;
        }
    };
    let (first, second) = (of(random), of(random));
    let pair = [all[first.min(second)], all[first.max(second)]];
    if pair[0].goes_with(pair[1]) { pair.into() } else { vec![pair[0]] }
}

/// Whether the list has this difference for one of these changes.
fn covers(entry: &Difference, changes: &[Change], how: How) -> bool {
    entry.how == how && changes.iter().any(|change| change.name == entry.sent)
}

#[test]
fn another_judge_of_proofs_differs_where_the_list_says_so_and_nowhere_else() {
    let seed = Random::seed(20_261_129);
    let cases = usize::try_from(from_environment("SCOPEGATE_CASES", 1000)).unwrap();
    let mut random = Random::new(seed);
    let keys = Keys::new();
    let (envoy, _upstream) = start(&keys);
    let mut gate = KeptClient::new(envoy.address());
    let mut other = Other::start(&keys.issuer.jwks());
    let all = Change::all();
    let (mut alike, mut let_through) = (0, 0);
    let mut happened: BTreeSet<(&str, How)> = BTreeSet::new();
    let (mut wrong, mut unlisted) = (Vec::new(), Vec::new());
    for index in 0..cases {
        let changes = plan(index, &all, &mut random);
        let base = Base::new(&keys, now(), &mut random);
        let sent = made(&changes, &base);
        if sent.is_used_before {
            assert_eq!(gate.send(&sent.bytes()).status, 200, "the first time");
        }
        let answer = gate.send(&sent.bytes());
        let theirs = other.ask(&sent);
        let passes = answer.status == 200;
        let_through += usize::from(passes);
        let ours = answer.header("x-details").unwrap_or("passes");
        let shown = || {
            let names: Vec<_> = changes.iter().map(|change| change.name).collect();
            format!("{names:?}: {ours}; the other: {}", theirs.as_deref().unwrap_or("passes"))
        };
        assert!(!ours.ends_with("too_busy"), "nothing was compared");
        let may_pass = changes.iter().all(|change| change.may_pass);
        if passes && !may_pass {
            wrong.push(shown());
        }
        let how = match (passes, theirs.is_none()) {
            (true, false) => How::Passes,
            (false, true) => How::Refuses,
            _ => {
                alike += 1;
                continue;
            }
        };
        if !DIFFERENCES.iter().any(|entry| covers(entry, &changes, how)) {
            unlisted.push(shown());
        }
        if let [change] = changes[..] {
            happened.insert((change.name, how));
        }
    }
    for (what, mut lines) in [("must not pass", wrong), ("not on the list", unlisted)] {
        lines.sort();
        lines.dedup();
        assert!(lines.is_empty(), "{what} (SCOPEGATE_SEED={seed}):\n{}", lines.join("\n"));
    }
    let gone: Vec<_> = DIFFERENCES.iter().filter(|entry| !happened.contains(&(entry.sent, entry.how))).collect();
    assert!(gone.is_empty(), "on the list, but they agree (SCOPEGATE_SEED={seed}): {gone:#?}");
    assert!(let_through * 8 > cases, "of {cases} requests only {let_through} pass at all");
    println!(
        "{cases} requests with {} kinds of changes: {alike} alike, {} as listed in {} classes; the gate passes {let_through}",
        all.len(),
        cases - alike,
        DIFFERENCES.len()
    );
}
