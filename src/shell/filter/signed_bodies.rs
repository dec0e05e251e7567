//! Bodies that are signed by a digest in a header, in the life of a request: the upstream never has all of another body, however
//! the host hands it over.

use super::Action;
use super::proxy::{Client, Proxy, ROOT, TIMEOUT};
use crate::crypto::{hmac, sha256};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

/// The header with the digest.
pub(super) const DIGEST: &str = "x-amz-content-sha256";
pub(super) const BODY: &[u8] = b"{\"qty\":2}";
/// The value of the environment variable `SECRET`.
const KEY: [u8; 43] = [b'A'; 43];
/// Shortly after the clock of the proxy begins: what was signed before is not remembered.
const DATE: &str = "20231115T000030Z";
const DAY: &str = "20231115";
const LIST: &str = "{\"iss\":\"https://idp.example.com/\",\"jti\":\"1\"}\n";

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A gate for requests that are signed under an access key, with these fields beside.
pub(super) fn members(more: &Value) -> Value {
    let aksk = json!({ "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"], "replay": "none" });
    let identity = json!({ "id": "batch", "secrets": [{ "key_id": "AKID", "env": "SECRET" }] });
    let mut members = json!({
        "credentials": [{ "name": "machines", "aksk": aksk, "identities": [identity] }],
        "default": { "credentials": "machines" },
        "route_metadata": "ignore",
        "forward": { "headers": { "x-machine": "sub" } },
    });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

/// Fields of a gate that only reports.
pub(super) fn reporting() -> Value {
    json!({ "default": { "credentials": "machines", "report_only": true } })
}

/// Fields of a gate whose requests wait for a list first.
pub(super) fn with_list() -> Value {
    json!({ "revocation": { "lists": [{ "uri": "https://lists.example.com/a", "cluster": "lists" }] } })
}

/// The list comes.
pub(super) fn answer_list(proxy: &Proxy) {
    let callouts = proxy.script().callouts.borrow().clone();
    for token in callouts.into_iter().filter(|(_, cluster)| cluster == "lists").map(|(token, _)| token) {
        proxy.answer_with(token, 200, LIST.to_owned());
    }
    (0..3).for_each(|_| proxy.tick(10));
}

/// A stream whose request signs `BODY`, with its digest in a header if `has_digest`.
pub(super) fn begin(proxy: &mut Proxy, has_digest: bool, length: Option<usize>) -> u32 {
    let digest = hex(&sha256(BODY));
    let stated = if has_digest { format!("{DIGEST}:{digest}\n") } else { String::new() };
    let names = if has_digest { format!("host;{DIGEST};x-amz-date") } else { "host;x-amz-date".to_owned() };
    let request = format!("POST\n/orders\n\nhost:api.example.com\n{stated}x-amz-date:{DATE}\n\n{names}\n{digest}");
    let scope = format!("{DAY}/eu-west-1/orders/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{DATE}\n{scope}\n{}", hex(&sha256(request.as_bytes())));
    let first = hmac(&[b"AWS4", &KEY[..]].concat(), DAY.as_bytes());
    let key = ["eu-west-1", "orders", "aws4_request"].iter().fold(first, |key, part| hmac(&key, part.as_bytes()));
    let signature = hex(&hmac(&key, text.as_bytes()));
    let line = format!("AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={signature}");
    let mut headers = vec![
        (":method", "POST".to_owned()),
        (":path", "/orders".to_owned()),
        (":authority", "api.example.com".to_owned()),
        ("x-amz-date", DATE.to_owned()),
        ("authorization", line),
    ];
    headers.extend(has_digest.then_some((DIGEST, digest)));
    headers.extend(length.map(|length| ("content-length", length.to_string())));
    let context = proxy.begin(Client::Own);
    proxy.change(context, |stream| {
        stream.headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        stream.trailers = vec![("x-sum".to_owned(), "1".to_owned())];
        // It may be answered after its headers have gone on.
        stream.is_listened_to = true;
    });
    context
}

/// How the end of a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    WithLast,
    ByItself,
    Trailers,
}

pub(super) const ENDS: [End; 3] = [End::WithLast, End::ByItself, End::Trailers];

/// Hands a body over in parts of this size. Returns whether its end went on.
pub(super) fn send(proxy: &Proxy, context: u32, body: &[u8], size: usize, end: End) -> bool {
    let count = body.len().div_ceil(size);
    let mut last = Action::Pause;
    for (at, part) in body.chunks(size).enumerate() {
        last = proxy.part(context, part, end == End::WithLast && at + 1 == count);
    }
    let last = match end {
        End::WithLast => last,
        End::ByItself => proxy.part(context, b"", true),
        End::Trailers => proxy.trailers(context),
    };
    last == Action::Continue
}

/// `BODY` with another byte.
pub(super) fn other_at(at: usize) -> Vec<u8> {
    let mut other = BODY.to_vec();
    other[at] ^= 1;
    other
}

pub(super) fn proxy(more: &Value) -> Proxy {
    Proxy::configured(&members(more))
}

#[test]
fn the_body_that_was_signed_goes_on_as_it_comes() {
    let (mut proxy, mut count) = (proxy(&json!({})), 0);
    for length in [None, Some(BODY.len())] {
        for (size, end) in (1..=BODY.len()).flat_map(|size| [(size, End::WithLast), (size, End::ByItself)]) {
            let context = begin(&mut proxy, true, length);
            assert_eq!(proxy.headers(context, false), Action::Continue, "{:?}", proxy.answers(context));
            assert_eq!(proxy.part(context, &BODY[..1], false), Action::Continue, "nothing is held");
            assert!(send(&proxy, context, &BODY[1..], size, end), "{length:?} {size} {end:?}");
            assert_eq!(proxy.stream(context).gone, BODY);
            count += 1;
        }
    }
    proxy.tick(1000);
    assert_eq!([proxy.metric("allowed"), proxy.metric("denied.digest_mismatch")], [count, 0]);
}

/// With a length its last byte stays here; without one its end does.
#[test]
fn of_another_body_the_upstream_never_has_all() {
    let (mut proxy, mut mismatches) = (proxy(&json!({})), 0);
    for (at, length) in [0, 4, 8].into_iter().flat_map(|at| [(at, None), (at, Some(BODY.len()))]) {
        for (size, end) in [1, 2, 4, 8, 9].into_iter().flat_map(|size| ENDS.map(|end| (size, end))) {
            let context = begin(&mut proxy, true, length);
            assert_eq!(proxy.headers(context, false), Action::Continue);
            let case = format!("byte {at}, parts of {size}, {end:?}, {length:?}");
            assert!(!send(&proxy, context, &other_at(at), size, end), "{case}");
            let gone = proxy.stream(context).gone.len();
            assert!(gone < BODY.len() || length.is_none() && end != End::WithLast, "{case}: {gone}");
            let has_unsigned_trailers = length.is_none() && end == End::Trailers;
            let reason = if has_unsigned_trailers { "scopegate_body_unsigned" } else { "scopegate_digest_mismatch" };
            assert_eq!(proxy.answers(context), [reason], "{case}");
            let after = [proxy.part(context, b"x", false), proxy.part(context, b"", true), proxy.trailers(context)];
            assert_eq!(after, [Action::Pause; 3], "{case}");
            mismatches += i64::from(!has_unsigned_trailers);
        }
    }
    proxy.tick(1000);
    assert_eq!(proxy.metric("denied.digest_mismatch"), mismatches);
}

#[test]
fn trailers_and_bytes_beyond_the_length_are_refused_after_the_right_body_too() {
    for (length, beyond, reason) in [
        (None, false, "scopegate_body_unsigned"),
        (Some(BODY.len()), false, "scopegate_body_unsigned"),
        (Some(BODY.len()), true, "scopegate_digest_mismatch"),
    ] {
        let mut proxy = proxy(&json!({}));
        let context = begin(&mut proxy, true, length);
        proxy.headers(context, false);
        assert_eq!(proxy.part(context, BODY, false), Action::Continue);
        let last = if beyond { proxy.part(context, b"x", false) } else { proxy.trailers(context) };
        assert_eq!(last, Action::Pause, "{length:?}");
        assert_eq!(proxy.answers(context), [reason]);
        assert_eq!(proxy.stream(context).gone, BODY);
    }
}

#[test]
fn a_request_that_says_that_its_body_is_empty_and_signs_another_never_goes_on() {
    let mut proxy = proxy(&json!({}));
    let context = begin(&mut proxy, true, Some(0));
    assert_eq!(proxy.headers(context, false), Action::Pause, "an upstream would take the headers for all of it");
    assert_eq!(proxy.answers(context), ["scopegate_digest_mismatch"]);
    assert_eq!(proxy.stream(context).upstream, None);
}

#[test]
fn a_length_that_is_no_number_is_refused() {
    for lines in [&["+9"][..], &["9", "9"], &[""], &["9x"]] {
        let mut proxy = proxy(&json!({}));
        let context = begin(&mut proxy, true, None);
        let lines = lines.iter().map(|value| ("content-length".to_owned(), (*value).to_owned()));
        proxy.change(context, |stream| stream.headers.extend(lines));
        assert_eq!(proxy.headers(context, false), Action::Pause);
        assert_eq!(proxy.answers(context), ["scopegate_host_failure"]);
    }
}

/// The host resets the stream then, since the answer is on its way.
#[test]
fn a_body_that_shows_to_be_another_after_the_answer_is_refused_and_recorded() {
    let mut proxy = proxy(&json!({}));
    let context = begin(&mut proxy, true, Some(BODY.len()));
    proxy.headers(context, false);
    assert_eq!(proxy.respond(context, &[(":status", "200")]), Action::Continue);
    assert!(!send(&proxy, context, &other_at(8), 4, End::WithLast));
    assert_eq!(proxy.stream(context).answers, [(401, "scopegate_digest_mismatch".to_owned())]);
    let record = String::from_utf8(proxy.stream(context).record.unwrap()).unwrap();
    for part in ["\"reason\":\"digest_mismatch\"", "\"decision\":\"deny\"", "machines", "batch"] {
        assert!(record.contains(part), "{part}: {record}");
    }
}

#[test]
fn another_body_goes_on_where_it_is_only_reported_and_is_reported_once() {
    let lengths = [None, Some(BODY.len())];
    for (length, end) in lengths.into_iter().flat_map(|length| ENDS.map(|end| (length, end))) {
        let mut proxy = proxy(&reporting());
        let context = begin(&mut proxy, true, length);
        assert_eq!(proxy.headers(context, false), Action::Continue);
        let other = other_at(0);
        assert!(send(&proxy, context, &other, 2, end), "{length:?} {end:?}");
        assert_eq!((proxy.stream(context).gone, proxy.answers(context)), (other, vec![]));
        proxy.tick(1000);
        let counts = ["digest_mismatch", "body_unsigned"].map(|it| proxy.metric(&format!("would_deny.{it}")));
        let is_of_trailers = length.is_none() && end == End::Trailers;
        assert_eq!(counts, if is_of_trailers { [0, 1] } else { [1, 0] }, "{length:?} {end:?}");
        let record = String::from_utf8(proxy.stream(context).record.unwrap()).unwrap();
        assert!(record.contains("\"decision\":\"would_deny\"") && !record.contains("further"), "{record}");
    }
}

#[test]
fn a_host_call_that_is_refused_lets_no_other_body_pass() {
    let length = Some(BODY.len());
    for (more, early, length) in [
        (json!({}), 0, length),
        (json!({}), 0, None),
        (reporting(), 0, length),
        (with_list(), 0, length),
        (with_list(), 2, length),
        (with_list(), 9, length),
    ] {
        let mut turn = 0;
        loop {
            let reports = more == reporting();
            let mut proxy = proxy(&more);
            let context = begin(&mut proxy, true, length);
            proxy.script().calls.borrow_mut().clear();
            proxy.script().refused.set(Some(turn));
            proxy.headers(context, false);
            let body = other_at(8);
            let (first, rest) = body.split_at(early);
            if early > 0 {
                proxy.part(context, first, rest.is_empty());
            }
            if more == with_list() {
                proxy.tick(5);
                answer_list(&proxy);
                proxy.tick(TIMEOUT);
            }
            let ended = if rest.is_empty() { false } else { send(&proxy, context, rest, 4, End::WithLast) };
            let Some(call) = proxy.script().calls.borrow().get(turn).copied() else { break };
            let stream = proxy.stream(context);
            let case = format!("{more} {early} {length:?} {call} ({turn}): {stream:?}");
            assert!(reports || !ended && stream.gone.len() < BODY.len(), "{case}");
            let is_unread = call == "buffer" && stream.upstream.is_some();
            assert!(
                !(reports && is_unread) || stream.answers == [(500, "scopegate_host_failure".to_owned())],
                "{case}"
            );
            proxy.end(context);
            turn += 1;
        }
        assert!(turn > 3, "{more}: there were calls to refuse");
    }
}

/// What the host does during a call: it hands over more, or ends the stream.
#[test]
fn the_host_may_come_back_in_while_a_body_is_refused_or_begins_to_go_on() {
    for (ends, waits) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut proxy = proxy(&if waits { with_list() } else { json!({}) });
        let context = begin(&mut proxy, true, Some(BODY.len()));
        let (filter, came) = (Rc::clone(&proxy.filter), Rc::new(RefCell::new(Vec::new())));
        let noted = Rc::clone(&came);
        *proxy.script().comes_back.borrow_mut() = Some(Rc::new(move |context| {
            noted.borrow_mut().push(filter.on_request_body(context, 0, false));
            filter.on_tick(ROOT);
            if ends {
                filter.on_delete(context);
            }
        }));
        proxy.headers(context, false);
        if waits {
            proxy.tick(5);
            answer_list(&proxy);
        }
        assert!(proxy.stream(context).upstream.is_some());
        let resumed = if waits { &[Action::Continue][..] } else { &[] };
        assert_eq!(*came.borrow(), resumed);
        if waits && ends {
            assert_eq!(proxy.part(context, BODY, true), Action::Pause, "a stream that has ended");
            continue;
        }
        assert!(!send(&proxy, context, &other_at(8), 4, End::WithLast));
        assert_eq!(proxy.answers(context), ["scopegate_digest_mismatch"]);
        assert_eq!(*came.borrow(), [resumed, &[Action::Pause]].concat(), "nothing goes on during the answer");
        assert_eq!(proxy.part(context, b"", true), Action::Pause);
    }
}
