//! Events in a real Envoy of four workers: what an event revokes is refused on all of them within a second, and nothing else.

use crate::dynamic::World as Dynamic;
use crate::gate::configuration;
use crate::support::client::{Response, at_once, get_with, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::events::{PATH, events, logout, ordered, push, push_logout, revoked, unique};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// So many connections at once that each of four workers has some.
const CONNECTIONS: usize = 64;

/// An Envoy, and an upstream that notes what reaches it.
pub struct World {
    pub envoy: Envoy,
    pub issuer: Issuer,
    reached: Arc<Mutex<Vec<String>>>,
    _upstream: Server,
}

/// An upstream, and the methods and targets that reached it.
pub fn upstream() -> (Server, Arc<Mutex<Vec<String>>>) {
    let reached = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&reached);
    let upstream = Server::start(0, move |received| {
        log.lock().unwrap().push(format!("{} {}", received.method, received.target));
        Answer::status(200)
    });
    (upstream.unwrap(), reached)
}

impl World {
    /// Four workers of a process that nothing has been revoked in.
    pub fn start(members: Value) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let (upstream, reached) = upstream();
        let gate = gate(&issuer, members);
        let resources = resources(&[gate], &[cluster("upstream", upstream.address)]);
        let envoy = Envoy::try_start(&resources, 4).unwrap_or_else(|log| panic!("{log}"));
        Self { envoy, issuer, reached, _upstream: upstream }
    }

    pub fn push(&self, request: &[u8]) -> Response {
        send(self.envoy.address(), request)
    }

    /// The statuses of many requests with this token at once.
    fn statuses(&self, token: &str) -> Vec<u16> {
        at_once(&[self.envoy.address()], CONNECTIONS, token)
    }

    /// Whether all workers answer this.
    pub fn all_answer(&self, token: &str, status: u16) -> bool {
        self.statuses(token) == [status; CONNECTIONS]
    }

    /// No event went upstream.
    pub fn assert_none_upstream(&self) {
        let reached = self.reached.lock().unwrap();
        assert!(!reached.iter().any(|line| line.contains(PATH)), "{reached:?}");
    }
}

/// A gate that takes events of its issuer.
pub fn gate(issuer: &Issuer, members: Value) -> Gate {
    let mut all = json!({ "events": events() });
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let plugin = json!({ "allow_on_headers_stop_iteration": true });
    Gate { plugin, ..Gate::new(configuration(issuer, all)) }
}

/// The public keys of an operator, as `signed_by` has them.
fn of_operator(operator: &Issuer) -> Value {
    let mut all = events();
    all["operators"] = json!({ "ops": { "audience": "gate-1", "signed_by": operator.jwks() } });
    all
}

#[test]
fn what_an_event_revokes_is_refused_by_four_workers_within_a_second_and_all_else_passes() {
    let operator = Issuer::new(Algorithm::EdDsa, "ops-1");
    let world = World::start(json!({ "events": of_operator(&operator) }));
    let issuer = &world.issuer;
    let at = now();
    let token = |name: &str, value: &str| issuer.token(at - 10).claim(name, value);
    let session = |sid: &str| json!({ "format": "complex", "session": { "format": "opaque", "id": sid } });
    let user = |sub: &str| json!({ "format": "iss_sub", "iss": ISSUER, "sub": sub });
    // The event of a user was issued between the tokens that it revokes and those that it does not.
    let cases = [
        (
            "a session",
            token("sid", "s-1"),
            token("sid", "s-2"),
            push_logout(&logout(issuer).claim("sid", "s-1").sign()),
        ),
        (
            "a user",
            token("sub", "u-1"),
            issuer.token(at).claim("sub", "u-1"),
            push_logout(&logout(issuer).claim("sub", "u-1").claim("iat", at - 5).sign()),
        ),
        ("a session by CAEP", token("sid", "s-3"), token("sid", "s-4"), push(&revoked(issuer, session("s-3")).sign())),
        (
            "a user by CAEP",
            token("sub", "u-2"),
            issuer.token(at).claim("sub", "u-2"),
            push(&revoked(issuer, user("u-2")).claim("iat", at - 5).sign()),
        ),
        (
            "a token",
            token("jti", "t-1"),
            token("jti", "t-2"),
            push(&revoked(issuer, json!({ "format": "jwt_id", "iss": ISSUER, "jti": "t-1" })).sign()),
        ),
        (
            "an operator's entry",
            token("client_id", "app-1"),
            token("client_id", "app-2"),
            push(
                &ordered(&operator, "ops", &json!({ "iss": ISSUER, "client_id": "app-1", "issued_before": at })).sign(),
            ),
        ),
    ];
    let mut slowest = Duration::ZERO;
    for (what, bad, other, request) in cases {
        let (bad, other) = (bad.sign(), other.sign());
        eventually(what, || world.all_answer(&bad, 200) && world.all_answer(&other, 200));
        let answer = world.push(&request);
        let told = Instant::now();
        let wanted = if request.windows(13).any(|part| part == b"logout_token=") { 200 } else { 202 };
        assert_eq!((answer.status, answer.body.as_str()), (wanted, ""), "{what}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        while !world.all_answer(&bad, 401) {
            assert!(told.elapsed() < Duration::from_secs(1), "{what}: {:?}", world.statuses(&bad));
        }
        slowest = slowest.max(told.elapsed());
        assert!(world.all_answer(&other, 200), "{what}: {:?}", world.statuses(&other));
        let repeated = world.push(&request);
        assert_eq!(repeated.status, wanted, "{what}: it may come again");
    }
    println!("refused by four workers {slowest:?} after the answer at the latest");
    world.assert_none_upstream();
    world.envoy.wait_for_log("reason=revoked");
    assert_eq!(world.envoy.counter_of_at_least("scopegate.events_received", 12), 12);
    assert_eq!(world.envoy.counter_of_at_least("scopegate.events.repeated", 6), 6);
    eventually("the entries", || world.envoy.counter("scopegate.events.entries") == 6);
    let log = world.envoy.log();
    let line = log.lines().find(|line| line.starts_with(&format!("ACCESS POST {PATH} 200 "))).unwrap();
    assert!(
        line.contains(" scopegate_event ") && line.contains("\"decision\":\"receive\",\"issuer\":\"demo\""),
        "{line}"
    );
}

#[test]
fn what_is_wrong_with_an_event_is_said_and_revokes_nothing() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let other = Issuer::new(Algorithm::Es256, "a");
    let (upstream, reached) = upstream();
    let envoy = Envoy::shared(&resources(&[gate(&issuer, json!({}))], &[cluster("upstream", upstream.address)]));
    let good = issuer.token(now()).claim("sid", "s-1").sign();
    let told = |token: &dyn Fn() -> String, is_logout: bool| {
        let request = if is_logout { push_logout(&token()) } else { push(&token()) };
        let answer = send(envoy.address(), &request);
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let is_json = answer.header("content-type") == Some("application/json");
        (answer.status, is_json, text(if is_logout { "error" } else { "err" }))
    };
    let session = json!({ "format": "complex", "session": { "format": "opaque", "id": "s-1" } });
    let set = || revoked(&issuer, session.clone());
    let cases: [(&str, &dyn Fn() -> String, &str); 12] = [
        ("another key", &|| revoked(&other, session.clone()).sign(), "invalid_key"),
        ("an unknown key", &|| set().header("kid", "b").sign(), "invalid_key"),
        ("another algorithm", &|| set().header("alg", "ES384").sign(), "invalid_key"),
        ("another issuer", &|| set().claim("iss", "https://other.example.com/").sign(), "invalid_issuer"),
        ("another receiver", &|| set().claim("aud", AUDIENCE).sign(), "invalid_audience"),
        ("the type of access tokens", &|| set().header("typ", "at+jwt").sign(), "invalid_request"),
        ("no events", &|| set().claim("events", Value::Null).sign(), "invalid_request"),
        ("no jti", &|| set().claim("jti", Value::Null).sign(), "invalid_request"),
        ("the future", &|| set().claim("iat", now() + 3600).sign(), "invalid_request"),
        ("long ago", &|| set().claim("iat", now() - 3601).sign(), "invalid_request"),
        ("an access token", &|| good.clone(), "invalid_audience"),
        ("no token", &|| "a.b".to_owned(), "invalid_request"),
    ];
    for (what, token, err) in &cases {
        // An access token is refused by its type before its audience is read.
        let err = if *what == "an access token" { "invalid_request" } else { err };
        assert_eq!(told(token, false), (400, true, err.to_owned()), "{what}");
        assert_eq!(told(token, true), (400, true, "invalid_request".to_owned()), "{what}, as a logout token");
    }
    let no_logout = || set().sign();
    assert_eq!(told(&no_logout, true), (400, true, "invalid_request".to_owned()), "it has no logout event");
    let refused = u64::try_from(2 * cases.len() + 1).unwrap();
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.invalid_event", refused), refused);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(get_with(envoy.address(), "/", &good).status, 200, "nothing was revoked");
    assert_eq!(*reached.lock().unwrap(), ["GET /"]);
    let log = envoy.wait_for_log("invalid_event");
    assert!(!log.contains(good.split('.').nth(1).unwrap()), "no part of a token is in the log");
}

#[test]
fn what_was_revoked_stays_so_under_a_new_configuration_of_the_same_plugin() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let plugin = |realm: &str| gate(&issuer, json!({ "challenge": { "realm": realm } })).plugin();
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let world = Dynamic::start_plugin(&plugin("0"), &routes, &[]);
    let [bad, good] = ["s-1", "s-2"].map(|sid| issuer.token(now()).claim("sid", sid).sign());
    assert_eq!(send(world.address(), &push_logout(&logout(&issuer).claim("sid", "s-1").sign())).status, 200);
    eventually("both workers refuse it", || at_once(&[world.address()], 32, &bad) == [401; 32]);
    for round in 1..=5 {
        world.change_plugin(&plugin(&round.to_string()));
        // From its first request on, whichever worker that comes to.
        assert_eq!(at_once(&[world.address()], 32, &bad), [401; 32], "configuration {round}");
        assert_eq!(at_once(&[world.address()], 32, &good), [200; 32], "configuration {round}");
    }
}

#[test]
fn a_store_without_room_says_so_forgets_nothing_and_takes_more_once_entries_are_over() {
    let operator = Issuer::new(Algorithm::EdDsa, "ops-1");
    let limits = json!({ "event_entries": 1000, "events_per_second": 10_000 });
    let world = World::start(json!({ "events": of_operator(&operator), "limits": limits }));
    let until = now() + 30;
    let entry = |jti: &str| json!({ "iss": ISSUER, "jti": jti, "until": until });
    let order = |jti: &str| world.push(&push(&ordered(&operator, "ops", &entry(jti)).sign()));
    let (mut taken, mut refused) = (Vec::new(), None);
    while refused.is_none() {
        assert!(taken.len() < 20_000, "it is never full");
        let jti = unique("t");
        let answer = order(&jti);
        match answer.status {
            202 => taken.push(jti),
            status => {
                assert_eq!((status, answer.header("retry-after").is_some()), (503, true), "{answer:?}");
                refused = Some(jti);
            }
        }
    }
    let refused = refused.unwrap();
    println!("full after {} entries, where there has to be room for about 1000", taken.len());
    assert!(taken.len() >= 1000, "{}", taken.len());
    assert_eq!(world.envoy.counter_of_at_least("scopegate.denied.events_full", 1), 1);
    let status = |jti: &str| get_with(world.envoy.address(), "/", &world.issuer.token(now()).claim("jti", jti).sign());
    std::thread::sleep(Duration::from_secs(1));
    assert!(taken.iter().all(|jti| status(jti).status == 401), "all that was taken is refused");
    assert_eq!(order(&taken[0]).status, 202, "what is known needs no room");
    assert_eq!(status(&refused).status, 200);
    assert!(now() < until, "the machine is too slow for this test");
    std::thread::sleep(Duration::from_secs(u64::try_from(until - now()).unwrap() + 1));
    let late = json!({ "iss": ISSUER, "jti": refused });
    assert_eq!(world.push(&push(&ordered(&operator, "ops", &late).sign())).status, 202, "there is room again");
    eventually("it is refused", || world.all_answer(&world.issuer.token(now()).claim("jti", &*refused).sign(), 401));
    assert_eq!(status(&taken[0]).status, 200, "it is over");
    world.assert_none_upstream();
}
