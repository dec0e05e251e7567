//! Bodies that have to be read before their request is judged, and the requests that hold their headers for them.

use super::Action;
use super::proxy::{Client, Proxy, TIMEOUT};
use super::signed_bodies::{BODY, ENDS, End, answer_list, begin, proxy, reporting, send, with_list};
use serde_json::{Value, json};

/// How long a body may take to begin, in milliseconds.
const BODY_TIMEOUT: u64 = 10_000;

fn limited(limits: &Value) -> Value {
    json!({ "limits": limits })
}

/// A request whose body is signed, and its digest is in no header.
fn held(proxy: &mut Proxy) -> u32 {
    let context = begin(proxy, false, None);
    assert_eq!(proxy.headers(context, false), Action::Pause);
    assert!(proxy.stream(context).is_undecided(), "{:?}", proxy.answers(context));
    context
}

#[test]
fn nothing_of_a_request_goes_on_before_its_body_is_the_one_that_was_signed() {
    let mut proxy = proxy(&json!({}));
    for (size, end) in [1, 4, 9].into_iter().flat_map(|size| ENDS.map(|end| (size, end))) {
        for at in [None, Some(0), Some(8)] {
            let context = held(&mut proxy);
            let mut body = BODY.to_vec();
            at.into_iter().for_each(|at: usize| body[at] ^= 1);
            let ended = send(&proxy, context, &body, size, end);
            let stream = proxy.stream(context);
            let reason = match (at, end) {
                (_, End::Trailers) => "scopegate_body_unsigned",
                (Some(_), _) => "scopegate_bad_signature",
                (None, _) => "",
            };
            let case = format!("parts of {size}, {end:?}, {at:?}: {stream:?}");
            assert_eq!(ended, reason.is_empty(), "{case}");
            assert!(reason.is_empty() || stream.upstream.is_none() && stream.gone.is_empty(), "{case}");
            assert!(!reason.is_empty() || stream.gone == BODY, "{case}");
            let answers: Vec<&str> = Some(reason).into_iter().filter(|reason| !reason.is_empty()).collect();
            assert_eq!(proxy.answers(context), answers, "{case}");
        }
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_as_soon_as_that_shows() {
    let short = limited(&json!({ "signed_body_bytes": 1024 }));
    let mut proxy = proxy(&short);
    let said = begin(&mut proxy, false, Some(1025));
    assert_eq!(proxy.headers(said, false), Action::Pause);
    assert_eq!(proxy.answers(said), ["scopegate_body_too_large"]);
    let context = held(&mut proxy);
    assert_eq!(proxy.part(context, &[b'x'; 1024], false), Action::Pause);
    assert!(proxy.answers(context).is_empty());
    assert_eq!(proxy.part(context, b"x", false), Action::Pause);
    assert_eq!(proxy.stream(context).answers, [(413, "scopegate_body_too_large".to_owned())]);
}

/// Without `allow_on_headers_stop_iteration` the host hands over nothing.
#[test]
fn a_request_whose_body_does_not_come_is_refused_in_time() {
    for (more, passes) in [(json!({}), false), (reporting(), true)] {
        let mut proxy = proxy(&more);
        let (waiting, other) = (held(&mut proxy), held(&mut proxy));
        proxy.tick(BODY_TIMEOUT - 1);
        assert!(proxy.stream(waiting).is_undecided());
        let later = held(&mut proxy);
        assert_eq!(proxy.part(other, &BODY[..1], false), Action::Pause);
        proxy.tick(1);
        let stream = proxy.stream(waiting);
        assert_eq!(stream.upstream.is_some(), passes);
        let refused = (503, "scopegate_body_unreadable".to_owned());
        assert_eq!(stream.answers, if passes { vec![] } else { vec![refused] });
        proxy.tick(BODY_TIMEOUT - 2);
        assert!(proxy.stream(later).is_undecided() && proxy.stream(other).is_undecided(), "each has its own time");
        assert_eq!(proxy.part(other, &BODY[1..], true), Action::Continue, "it has begun to come");
        proxy.tick(1);
        assert!(!proxy.stream(later).is_undecided());
        proxy.tick(1000);
        let metric = if passes { "would_deny.body_unreadable" } else { "denied.body_unreadable" };
        assert_eq!(proxy.metric(metric), 2);
        let action = if passes { Action::Continue } else { Action::Pause };
        assert_eq!(proxy.part(later, BODY, true), action, "what comes after that");
    }
}

#[test]
fn a_message_that_does_not_come_is_refused_in_time() {
    let mcp = json!({ "default": { "mcp": { "hold_headers": true } }, "route_metadata": "ignore" });
    let mut proxy = Proxy::configured(&mcp).fetched();
    let context = proxy.begin(Client::Good);
    let json = ("content-type".to_owned(), "application/json".to_owned());
    proxy.change(context, |stream| stream.headers.push(json));
    assert_eq!(proxy.headers(context, false), Action::Pause);
    proxy.tick(BODY_TIMEOUT);
    assert_eq!(proxy.answers(context), ["scopegate_body_unreadable"]);
}

#[test]
fn the_timer_is_as_fast_as_the_timeout_needs() {
    for (timeout, period) in [("100ms", 50), ("10s", 500)] {
        let mut proxy = proxy(&limited(&json!({ "body_timeout": timeout }))).fetched();
        proxy.tick(1000);
        assert_eq!(proxy.script().tick_ms.get(), 500);
        held(&mut proxy);
        assert_eq!(proxy.script().tick_ms.get(), period, "{timeout}");
        proxy.tick(BODY_TIMEOUT - 500);
        proxy.tick(1);
        assert_eq!(proxy.script().tick_ms.get(), if period == 500 { 50 } else { 500 }, "{timeout}: it is due, or over");
    }
}

#[test]
fn only_so_many_are_held_at_once() {
    let mut proxy = proxy(&limited(&json!({ "waiting_requests": 2 })));
    let (first, second) = (held(&mut proxy), held(&mut proxy));
    let busy = begin(&mut proxy, false, None);
    assert_eq!(proxy.headers(busy, false), Action::Pause);
    assert_eq!(proxy.answers(busy), ["scopegate_too_busy"]);
    proxy.end(first);
    let third = held(&mut proxy);
    proxy.part(second, &BODY[..1], false);
    held(&mut proxy);
    let busy = begin(&mut proxy, false, None);
    proxy.headers(busy, false);
    assert_eq!(proxy.answers(busy), ["scopegate_too_busy"]);
    assert!(send(&proxy, third, BODY, 4, End::WithLast));
}

#[test]
fn a_host_call_that_is_refused_lets_no_request_pass_whose_body_is_another() {
    for (more, early) in [(json!({}), 0), (with_list(), 0), (with_list(), 2), (with_list(), 9)] {
        let mut turn = 0;
        loop {
            let mut proxy = proxy(&more);
            let context = begin(&mut proxy, false, None);
            proxy.script().calls.borrow_mut().clear();
            proxy.script().refused.set(Some(turn));
            proxy.headers(context, false);
            let mut body = BODY.to_vec();
            body[8] ^= 1;
            let (first, rest) = body.split_at(early);
            if early > 0 {
                proxy.part(context, first, rest.is_empty());
            }
            if more == with_list() {
                proxy.tick(5);
                answer_list(&proxy);
                proxy.tick(TIMEOUT);
            }
            let ended = !rest.is_empty() && send(&proxy, context, rest, 4, End::WithLast);
            proxy.tick(BODY_TIMEOUT);
            let Some(call) = proxy.script().calls.borrow().get(turn).copied() else { break };
            let stream = proxy.stream(context);
            assert!(!ended && stream.upstream.is_none(), "{more} {early} {call} ({turn}): {stream:?}");
            proxy.end(context);
            turn += 1;
        }
        assert!(turn > 3, "{more}: there were calls to refuse");
    }
}
