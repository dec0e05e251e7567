//! Tokens that pass once in a whole fleet: two gates, and the service that both ask.

use super::super::pairs;
use super::super::scripted::NO_CLUSTER;
use super::proxy::{Client, Proxy, jwks};
use super::{Action, Filter};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FIRST: &str = r#"{"SET":[true,"OK"]}"#;
const AGAIN: &str = r#"{"SET":null}"#;
/// The timeout of the service, in milliseconds, and the time after it at which an answer is taken for lost.
const TIMEOUT: u64 = 200;
const LOST: u64 = TIMEOUT + 1000;

/// The root context of another worker.
const OTHER_ROOT: u32 = 2;

/// What is written for a gate with a service in this cluster, and more fields.
fn members(cluster: &str, more: &Value) -> Value {
    let jwks: Value = serde_json::from_str(&jwks()).unwrap();
    let issuer = json!({ "issuer": "https://idp.example.com/", "audiences": ["api"], "jwks": { "inline": jwks } });
    let service = json!({ "cluster": cluster, "form": "webdis", "secret": { "env": "SECRET" } });
    let mut members = json!({
        "issuers": [issuer],
        "default": { "single_use": true },
        "replay": { "service": service },
    });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

fn gate() -> Proxy {
    Proxy::configured(&members("redis", &json!({})))
}

/// The claims that have not been answered: the token of the callout, and the command.
fn asked(proxy: &Proxy) -> Vec<(u32, String)> {
    let callouts = proxy.script().callouts.borrow();
    let bodies = proxy.script().bodies.borrow();
    callouts.keys().map(|token| (*token, bodies[token].clone())).collect()
}

fn say(proxy: &Proxy, status: u16, body: &str) {
    let (token, _) = asked(proxy).first().expect("a claim under way").clone();
    proxy.answer_with(token, status, body.to_owned());
}

fn passed(proxy: &Proxy, context: u32) -> bool {
    proxy.stream(context).upstream.is_some()
}

#[test]
fn a_request_waits_for_the_service_and_passes_where_it_is_the_first() {
    let mut proxy = gate();
    let context = proxy.request(Client::Once(1));
    assert!(proxy.stream(context).is_undecided());
    let [(_, command)] = &asked(&proxy)[..] else { panic!("one callout") };
    let parts: Vec<&str> = command.split('/').collect();
    let [set, key, one, nx, ex, seconds] = parts[..] else { panic!("{command}") };
    assert_eq!([set, one, nx, ex], ["SET", "1", "NX", "EX"]);
    assert!(key.starts_with("scopegate:tokens:") && key.len() == 60, "{key}");
    assert_eq!(seconds, "3620", "an hour, the leeway, and how far clocks may differ");
    say(&proxy, 200, FIRST);
    assert!(passed(&proxy, context));
    assert_eq!((proxy.metric("replay.service.first"), proxy.metric("waiting")), (1, 0));
}

#[test]
fn a_request_whose_token_another_gate_has_let_pass_is_refused_as_replayed() {
    let mut proxy = gate();
    let context = proxy.request(Client::Once(1));
    say(&proxy, 200, AGAIN);
    assert_eq!(proxy.answers(context), ["scopegate_replayed"]);
    assert_eq!(proxy.metric("replay.service.again"), 1);
}

#[test]
fn what_this_process_has_seen_costs_no_callout() {
    let mut proxy = gate();
    let first = proxy.request(Client::Once(1));
    let meanwhile = proxy.request(Client::Once(1));
    assert_eq!(proxy.answers(meanwhile), ["scopegate_replayed"], "the first one is under way");
    say(&proxy, 200, FIRST);
    assert!(passed(&proxy, first));
    let later = proxy.request(Client::Once(1));
    assert_eq!(proxy.answers(later), ["scopegate_replayed"]);
    assert_eq!(proxy.script().bodies.borrow().len(), 1);
}

#[test]
fn any_other_answer_than_the_two_that_are_known_lets_nothing_pass() {
    let long = format!("{FIRST}{}", " ".repeat(300));
    for (status, body, kind) in [
        (200, r#"{"SET":[false,"ERR"]}"#, "invalid"),
        (200, r#"{"result":"OK"}"#, "invalid"),
        (200, "", "invalid"),
        (200, long.as_str(), "too_large"),
        (201, FIRST, "status"),
        (403, FIRST, "status"),
        (500, AGAIN, "status"),
        (503, FIRST, "unreachable"),
        (504, FIRST, "timeout"),
        (302, FIRST, "status"),
    ] {
        let mut proxy = gate();
        let context = proxy.request(Client::Once(1));
        say(&proxy, status, body);
        assert_eq!(proxy.answers(context), ["scopegate_replay_unavailable"], "{status} {body}");
        assert_eq!(proxy.metric(&format!("replay.service.{kind}")), 1, "{status} {body}");
        proxy.tick(0);
        assert_eq!((proxy.metric("denied.replay_unavailable"), proxy.metric("waiting")), (1, 0));
    }
}

#[test]
fn a_request_that_the_service_did_not_answer_has_used_nothing_up() {
    let mut proxy = gate();
    proxy.request(Client::Once(1));
    say(&proxy, 503, "");
    let again = proxy.request(Client::Once(1));
    assert!(proxy.stream(again).is_undecided(), "it asks again");
    say(&proxy, 200, FIRST);
    assert!(passed(&proxy, again));
    let later = proxy.request(Client::Once(1));
    assert_eq!(proxy.answers(later), ["scopegate_replayed"]);
}

#[test]
fn a_claim_that_reached_the_service_without_an_answer_is_used() {
    let mut proxy = gate();
    proxy.request(Client::Once(1));
    say(&proxy, 504, "");
    let again = proxy.request(Client::Once(1));
    say(&proxy, 200, AGAIN);
    assert_eq!(proxy.answers(again), ["scopegate_replayed"]);
}

#[test]
fn a_request_that_is_reset_while_it_waits_has_used_its_token() {
    let mut proxy = gate();
    let gone = proxy.request(Client::Once(1));
    proxy.end(gone);
    say(&proxy, 200, FIRST);
    assert!(proxy.stream(gone).is_undecided());
    let later = proxy.request(Client::Once(1));
    assert_eq!(proxy.answers(later), ["scopegate_replayed"]);
}

#[test]
fn a_claim_that_cannot_be_sent_is_refused_at_once() {
    let mut proxy = Proxy::configured(&members(NO_CLUSTER, &json!({})));
    let context = proxy.request(Client::Once(1));
    assert_eq!(proxy.answers(context), ["scopegate_replay_unavailable"]);
    assert_eq!((proxy.metric("replay.service.no_cluster"), proxy.metric("waiting")), (1, 0));
}

#[test]
fn a_claim_whose_answer_is_lost_does_not_hang() {
    let mut proxy = gate();
    let context = proxy.request(Client::Once(1));
    let (token, _) = asked(&proxy)[0].clone();
    proxy.tick(LOST - 1);
    assert!(proxy.stream(context).is_undecided());
    proxy.tick(1);
    assert_eq!(proxy.answers(context), ["scopegate_replay_unavailable"]);
    proxy.answer_with(token, 200, FIRST.to_owned());
    assert_eq!(proxy.answers(context).len(), 1, "an answer that comes later changes nothing");
    assert_eq!((proxy.metric("replay.service.timeout"), proxy.metric("waiting")), (1, 0));
}

#[test]
fn more_requests_than_may_wait_are_refused_and_have_used_nothing_up() {
    let mut proxy = Proxy::configured(&members("redis", &json!({ "limits": { "waiting_requests": 1 } })));
    let first = proxy.request(Client::Once(1));
    let second = proxy.request(Client::Once(2));
    assert_eq!(proxy.answers(second), ["scopegate_too_busy"]);
    assert_eq!(asked(&proxy).len(), 1);
    say(&proxy, 200, FIRST);
    assert!(passed(&proxy, first));
    let third = proxy.request(Client::Once(2));
    say(&proxy, 200, FIRST);
    assert!(passed(&proxy, third));
}

#[test]
fn report_only_waits_and_then_passes_whatever_the_service_says() {
    for (status, body, reason) in
        [(200, FIRST, None), (200, AGAIN, Some("replayed")), (503, "", Some("replay_unavailable"))]
    {
        let mut proxy = Proxy::reporting_with(
            super::proxy::Reports::Everything,
            &members("redis", &json!({ "report_only": true })),
        );
        let context = proxy.request(Client::Good);
        assert!(proxy.stream(context).is_undecided());
        say(&proxy, status, body);
        assert!(passed(&proxy, context), "{reason:?}");
        proxy.tick(0);
        let reported = reason.map_or(0, |reason| proxy.metric(&format!("would_deny.{reason}")));
        assert_eq!(reported, i64::from(reason.is_some()), "{reason:?}");
    }
}

/// A request that picks up the keys that another worker has fetched, and then has to ask the service.
#[test]
fn a_request_whose_keys_another_worker_has_fetched_asks_the_service() {
    let mut members = members("redis", &json!({ "shared_keys": "always" }));
    members.as_object_mut().unwrap().remove("issuers");
    let mut slow = Proxy::configured(&members);
    let other = Filter::new(slow.host.clone());
    other.on_context_create(OTHER_ROOT, 0);
    slow.host.enter(OTHER_ROOT);
    assert!(other.on_configure(OTHER_ROOT));
    other.on_tick(OTHER_ROOT);
    let token = *slow.script().callouts.borrow().keys().next().expect("a fetch of keys");
    slow.script().callouts.borrow_mut().clear();
    let keys = jwks();
    *slow.script().answer.borrow_mut() = (pairs::serialise(&[(":status", "200")]), keys.clone().into());
    other.on_http_call_response(OTHER_ROOT, token, 1, keys.len());
    slow.host.enter(super::proxy::ROOT);
    let context = slow.request(Client::Once(1));
    assert!(slow.stream(context).is_undecided(), "it waits for the service");
    say(&slow, 200, FIRST);
    assert!(passed(&slow, context));
}

#[test]
fn a_gate_without_a_service_asks_none() {
    let mut proxy = Proxy::configured(&members("redis", &json!({ "replay": {} })));
    let context = proxy.request(Client::Once(1));
    assert!(passed(&proxy, context) && proxy.script().bodies.borrow().is_empty());
}

/// What the service does with a command.
#[derive(Clone, Copy, Debug)]
enum Conduct {
    Answers,
    /// The command arrives, and its answer is lost.
    AnswerIsLost,
    /// The command does not arrive.
    Refuses,
    /// It says something that is no answer.
    Babbles,
}

/// Something that happens in a fleet of two gates.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A request with this token comes to this gate.
    Request(usize, u8),
    /// The service does this with one of the commands that came from this gate.
    Serve(usize, usize, Conduct),
    /// A stream of this gate ends.
    End(usize, usize),
    /// Time passes for both.
    Tick(u64),
    /// This gate's host refuses the call after so many others.
    Refuse(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let conduct = prop_oneof![
        4 => Just(Conduct::Answers),
        1 => Just(Conduct::AnswerIsLost),
        1 => Just(Conduct::Refuses),
        1 => Just(Conduct::Babbles),
    ];
    prop_oneof![
        6 => (0..2_usize, 0..2_u8).prop_map(|(gate, jti)| Step::Request(gate, jti)),
        6 => (0..2_usize, 0..4_usize, conduct).prop_map(|(gate, which, conduct)| Step::Serve(gate, which, conduct)),
        1 => (0..2_usize, 0..8_usize).prop_map(|(gate, which)| Step::End(gate, which)),
        1 => prop_oneof![Just(0), Just(50), Just(TIMEOUT), Just(LOST)].prop_map(Step::Tick),
        1 => (0..2_usize, 0..8_usize).prop_map(|(gate, after)| Step::Refuse(gate, after)),
    ]
}

/// Two gates, and a Redis between them that keeps all keys.
struct Fleet {
    gates: [Proxy; 2],
    keys: BTreeSet<String>,
    /// The streams: their gate, context and token.
    streams: Vec<(usize, u32, u8)>,
}

impl Fleet {
    fn serve(&mut self, gate: usize, which: usize, conduct: Conduct) {
        let Some((token, command)) = asked(&self.gates[gate]).get(which).cloned() else { return };
        let key = command.split('/').nth(1).unwrap().to_owned();
        let (status, body) = match conduct {
            Conduct::Answers => (200, if self.keys.insert(key) { FIRST } else { AGAIN }),
            Conduct::AnswerIsLost => {
                self.keys.insert(key);
                (504, "")
            }
            Conduct::Refuses => (503, ""),
            Conduct::Babbles => (200, r#"{"SET":true}"#),
        };
        self.gates[gate].answer_with(token, status, body.to_owned());
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Request(gate, jti) => {
                let context = self.gates[gate].request(Client::Once(jti));
                self.streams.push((gate, context, jti));
            }
            Step::Serve(gate, which, conduct) => self.serve(gate, which, conduct),
            Step::End(gate, which) => {
                let own = self.streams.iter().filter(|(of, ..)| *of == gate).nth(which);
                if let Some((_, context, _)) = own.filter(|(_, context, _)| !self.gates[gate].stream(*context).is_gone)
                {
                    self.gates[gate].end(*context);
                }
            }
            Step::Tick(milliseconds) => self.gates.iter().for_each(|gate| gate.tick(milliseconds)),
            Step::Refuse(gate, after) => {
                let script = self.gates[gate].script();
                let calls = script.calls.borrow().len();
                script.refused.set(Some(calls + after));
            }
        }
    }

    fn passed(&self, jti: u8) -> usize {
        let own = self.streams.iter().filter(|(.., of)| *of == jti);
        own.filter(|(gate, context, _)| passed(&self.gates[*gate], *context)).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn of_all_requests_with_one_token_at_most_one_passes_in_the_fleet_and_none_hangs(
        refuses: bool,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut fleet = Fleet { gates: [gate(), gate()], keys: BTreeSet::new(), streams: Vec::new() };
        for step in steps.into_iter().filter(|step| refuses || !matches!(step, Step::Refuse(..))) {
            fleet.step(step);
            prop_assert!([0, 1].iter().all(|jti| fleet.passed(*jti) <= 1), "{step:?}");
        }
        fleet.step(Step::Tick(LOST));
        if !refuses {
            for (gate, context, _) in &fleet.streams {
                let stream = fleet.gates[*gate].stream(*context);
                prop_assert!(stream.is_gone || !stream.is_undecided(), "{stream:?}");
            }
            prop_assert!(fleet.gates.iter().all(|gate| gate.metric("waiting") == 0));
        }
        // What has not been used passes now, and nothing else does.
        for jti in [0, 1] {
            let before = fleet.passed(jti);
            fleet.step(Step::Request(0, jti));
            fleet.serve(0, 0, Conduct::Answers);
            let after = fleet.passed(jti);
            prop_assert!(after <= 1 && after >= before);
        }
    }
}

/// Anyone can make opaque tokens up, and only a good one claims.
#[test]
fn requests_that_wait_for_introspection_take_no_place_of_claims() {
    let mut members = members("redis", &json!({ "limits": { "waiting_requests": 2 } }));
    members["issuers"][0]["introspection"] = json!({
        "uri": "https://idp.example.com/introspect", "cluster": "idp", "client_id": "gate", "secret": { "env": "SECRET" },
    });
    let mut proxy = Proxy::configured(&members);
    let flood = [1, 2, 3].map(|number| proxy.request(Client::Opaque(number)));
    assert!(flood.iter().all(|context| proxy.stream(*context).is_undecided()));
    let claims = [1, 2].map(|number| proxy.request(Client::Once(number)));
    assert!(claims.iter().all(|context| proxy.stream(*context).is_undecided()));
    let third = proxy.request(Client::Once(3));
    assert_eq!(proxy.answers(third), ["scopegate_too_busy"], "claims have the places of claims");
}

/// Such a message is judged when it is whole; its headers may be upstream by then.
#[test]
fn a_message_is_counted_for_the_fleet_once_it_may_pass() {
    let mcp = json!({ "tools": { "rules": [{ "tool": "debug", "deny": true }] } });
    for (tool, answer, answers) in
        [("read", FIRST, &[][..]), ("read", AGAIN, &["scopegate_replayed"]), ("debug", "", &["scopegate_denied"])]
    {
        let members =
            members("redis", &json!({ "default": { "single_use": true, "mcp": mcp }, "route_metadata": "ignore" }));
        let mut proxy = Proxy::configured(&members);
        let context = proxy.begin(Client::Once(1));
        let json = ("content-type".to_owned(), "application/json".to_owned());
        proxy.script().streams.borrow_mut().get_mut(&context).unwrap().headers.push(json);
        assert_eq!(proxy.headers(context, false), Action::Continue);
        assert!(asked(&proxy).is_empty(), "before the message is here");
        proxy.allow_answers_after_headers(context);
        let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
        assert_eq!(proxy.part(context, call.as_bytes(), true), Action::Pause, "{tool}");
        if answer.is_empty() {
            assert!(asked(&proxy).is_empty(), "a refused call uses nothing up");
        } else {
            say(&proxy, 200, answer);
        }
        assert_eq!(proxy.answers(context), answers, "{tool}");
        let resumed = proxy.script().calls.borrow().iter().filter(|call| call.contains("resume")).count();
        assert_eq!(resumed, usize::from(answers.is_empty()), "{tool} {answer}");
    }
}
