//! The life of a request, from its headers to its end, with calls that the host refuses and moments at which it calls
//! back in.

use super::super::scripted::{HostStream, NO_CLUSTER};
use super::Action;
use super::proxy::{CLIENTS, Client, IDENTITY, Proxy, ROOT, Reports, TIMEOUT};
use serde_json::json;
use std::cell::Cell;
use std::rc::Rc;

/// Each client, and the answer to its request.
const REFUSED: [(Client, &str); 4] = [
    (Client::Forged, "scopegate_bad_signature"),
    (Client::Expired, "scopegate_expired"),
    (Client::NoToken, "scopegate_no_credential"),
    (Client::InQuery, "scopegate_token_in_query"),
];

#[test]
fn a_request_goes_on_or_is_answered_at_its_headers_where_the_keys_are_there() {
    let mut proxy = Proxy::with_keys();
    for client in [Client::Good, Client::Public] {
        let context = proxy.begin(client);
        assert_eq!(proxy.headers(context, false), Action::Continue, "{client:?}");
        assert_eq!([proxy.body(context), proxy.body(context), proxy.trailers(context)], [Action::Continue; 3]);
    }
    for (client, details) in REFUSED {
        let context = proxy.begin(client);
        assert_eq!(proxy.headers(context, false), Action::Pause, "{client:?}");
        assert_eq!([proxy.body(context), proxy.trailers(context)], [Action::Pause; 2]);
        assert_eq!(proxy.answers(context), [details]);
    }
}

#[test]
fn the_gauge_of_this_version_is_1_while_a_gate_is_in_use() {
    let proxy = Proxy::with_keys();
    let gauge = concat!("build_info.", env!("CARGO_PKG_VERSION"));
    assert_eq!(proxy.metric(gauge), 1);
    // Another gate of this version has ended.
    proxy.script().values.borrow_mut().insert(format!("scopegate.{gauge}"), 0);
    proxy.tick(500);
    assert_eq!(proxy.metric(gauge), 1);
    proxy.filter.on_delete(ROOT);
    assert_eq!(proxy.metric(gauge), 0);
}

#[test]
fn a_request_waits_for_keys_with_its_body_and_trailers_and_goes_on_when_they_come() {
    let mut proxy = Proxy::new();
    let context = proxy.begin(Client::Good);
    assert_eq!(proxy.headers(context, false), Action::Pause);
    assert_eq!([proxy.body(context), proxy.trailers(context)], [Action::Pause; 2]);
    proxy.tick(5);
    assert!(proxy.stream(context).is_undecided());
    proxy.answer_all(200);
    assert!(proxy.stream(context).upstream.is_some());
    assert_eq!(proxy.body(context), Action::Continue, "what comes after that goes on");
}

#[test]
fn a_request_that_waits_is_refused_when_the_keys_do_not_come() {
    let mut proxy = Proxy::new();
    proxy.tick(0);
    let (one, other) = (proxy.request(Client::Good), proxy.request(Client::Good));
    proxy.tick(TIMEOUT - 1);
    assert!(proxy.stream(one).is_undecided() && proxy.stream(other).is_undecided());
    proxy.tick(1);
    assert_eq!([proxy.answers(one), proxy.answers(other)], [["scopegate_keys_unavailable"]; 2]);
    proxy.answer_all(200);
    proxy.tick(1);
    assert_eq!(proxy.answers(one).len(), 1, "keys that come later change nothing");
}

#[test]
fn a_request_with_an_unknown_kid_waits_for_newer_keys_once() {
    let mut proxy = Proxy::with_keys();
    let context = proxy.request(Client::UnknownKid);
    assert!(proxy.stream(context).is_undecided());
    proxy.tick(5);
    assert_eq!(proxy.script().callouts.borrow().len(), 1);
    proxy.answer_all(200);
    proxy.tick(5);
    assert_eq!(proxy.answers(context), ["scopegate_unknown_key"]);
}

#[test]
fn a_stream_that_ends_while_it_waits_is_left_alone() {
    let mut proxy = Proxy::new();
    let (gone, stays) = (proxy.request(Client::Good), proxy.request(Client::Good));
    proxy.tick(5);
    proxy.end(gone);
    proxy.answer_all(200);
    assert!(proxy.stream(gone).is_undecided() && proxy.stream(stays).upstream.is_some());
}

#[test]
fn more_requests_than_may_wait_are_refused_and_their_token_is_named() {
    let mut proxy = Proxy::configured(&serde_json::json!({ "limits": { "waiting_requests": 1 } }));
    let (first, second) = (proxy.request(Client::Good), proxy.request(Client::Good));
    assert!(proxy.stream(first).is_undecided());
    assert_eq!(proxy.answers(second), ["scopegate_too_busy"]);
    let record = String::from_utf8(proxy.stream(second).record.unwrap()).unwrap();
    assert!(record.contains("unverified_fingerprint"), "{record}");
}

#[test]
fn a_stream_that_the_filter_does_not_know_is_refused() {
    let mut proxy = Proxy::with_keys();
    let context = proxy.begin(Client::Good);
    proxy.filter.on_delete(context);
    assert_eq!(proxy.headers(context, false), Action::Pause);
    assert_eq!(proxy.answers(context), ["scopegate_host_failure"]);
    assert_eq!(
        [proxy.filter.on_request_body(9999, 0, false), proxy.filter.on_request_trailers(9999)],
        [Action::Pause; 2]
    );
}

#[test]
fn a_filter_without_a_configuration_refuses() {
    let mut proxy = Proxy::with_keys();
    proxy.filter.on_delete(ROOT);
    let context = proxy.begin(Client::Good);
    assert_eq!(proxy.headers(context, true), Action::Pause);
    assert_eq!(proxy.answers(context), ["scopegate_host_failure"]);
}

/// Runs a request with a body and trailers, whose keys come while it waits, and returns its stream.
fn live(proxy: &mut Proxy, client: Client) -> u32 {
    let context = proxy.begin(client);
    proxy.headers(context, false);
    proxy.body(context);
    proxy.trailers(context);
    for status in [404, 200] {
        proxy.tick(5);
        proxy.answer_all(status);
    }
    proxy.tick(TIMEOUT);
    proxy.tick(TIMEOUT);
    proxy.body(context);
    context
}

#[test]
fn a_host_call_that_is_refused_anywhere_lets_nothing_pass_that_is_not_clean() {
    let all = [Reports::Nothing, Reports::Default, Reports::Everything];
    for (reports, has_keys) in all.into_iter().flat_map(|reports| [(reports, false), (reports, true)]) {
        for client in CLIENTS {
            let mut turn = 0;
            loop {
                let proxy = Proxy::reporting(reports);
                let mut proxy = if has_keys { proxy.fetched() } else { proxy };
                proxy.script().calls.borrow_mut().clear();
                proxy.script().refused.set(Some(turn));
                // Each step checks what must be true.
                let context = live(&mut proxy, client);
                let Some(call) = proxy.script().calls.borrow().get(turn).copied() else { break };
                let stream = proxy.stream(context);
                let may_hang = ["send_local_response", "resume_request", "set_effective_context"].contains(&call);
                let case = format!("{reports:?}, keys {has_keys}, {client:?}, {call} ({turn})");
                assert!(may_hang || !stream.is_undecided(), "{case}: {stream:?}");
                proxy.end(context);
                turn += 1;
            }
            assert!(turn > 2, "{reports:?}, keys {has_keys}, {client:?}: there were calls to refuse");
        }
    }
}

#[test]
fn a_request_whose_headers_the_host_does_not_hand_over_or_edit_is_refused_for_that_reason() {
    for refused in ["header_map", "remove_header", "set_header"] {
        let mut proxy = Proxy::with_keys();
        let clean = proxy.begin(Client::Good);
        proxy.script().calls.borrow_mut().clear();
        proxy.headers(clean, true);
        let place = proxy.script().calls.borrow().iter().position(|call| *call == refused);
        let context = proxy.begin(Client::Good);
        proxy.script().calls.borrow_mut().clear();
        proxy.script().refused.set(place);
        assert_eq!(proxy.headers(context, true), Action::Pause, "{refused}");
        assert_eq!(proxy.answers(context), ["scopegate_host_failure"], "{refused}");
        proxy.tick(1);
        assert_eq!(proxy.metric("denied.host_failure"), 1);
    }
}

#[test]
fn a_cluster_without_a_host_is_told_from_one_that_does_not_exist() {
    let of = |cluster: &str| {
        let jwks = json!({ "uri": "https://idp.example.com/jwks", "cluster": cluster, "timeout": "2s" });
        let issuer = json!({ "issuer": "https://idp.example.com/", "audiences": ["api"], "jwks": jwks });
        Proxy::configured(&json!({ "issuers": [issuer] }))
    };
    let counts =
        |proxy: &Proxy| ["no_cluster", "unreachable"].map(|name| proxy.metric(&format!("keys.fetches.{name}")));
    let missing = of(NO_CLUSTER);
    missing.tick(0);
    assert_eq!(counts(&missing), [1, 0]);
    let known = of("idp");
    known.script().calls.borrow_mut().clear();
    known.tick(0);
    let sent = known.script().calls.borrow().iter().position(|call| *call == "http_call");
    let empty = of("idp");
    empty.script().calls.borrow_mut().clear();
    empty.script().refused.set(sent);
    empty.tick(0);
    assert_eq!(counts(&empty), [0, 1]);
}

#[test]
fn a_request_whose_trailers_cannot_be_cleaned_does_not_go_on() {
    for refused in ["header_map", "remove_header"] {
        let mut proxy = Proxy::with_keys();
        let context = proxy.begin(Client::Good);
        assert_eq!(proxy.headers(context, false), Action::Continue);
        proxy.script().calls.borrow_mut().clear();
        proxy.script().refused.set(Some(usize::from(refused == "remove_header")));
        assert_eq!(proxy.trailers(context), Action::Pause, "{refused}");
        assert!(proxy.stream(context).trailers.iter().any(|(name, _)| name == IDENTITY));
    }
}

/// What the host does during a call: it hands over a part of the body, or ends the stream.
#[test]
fn the_host_may_come_back_in_while_a_request_goes_on_or_is_answered() {
    for ends in [false, true] {
        let mut proxy = Proxy::new();
        let (filter, came) = (Rc::clone(&proxy.filter), Rc::new(Cell::new(0)));
        let counted = Rc::clone(&came);
        *proxy.script().comes_back.borrow_mut() = Some(Rc::new(move |context| {
            counted.set(counted.get() + 1);
            filter.on_request_body(context, 0, false);
            filter.on_request_trailers(context);
            filter.on_tick(ROOT);
            if ends {
                filter.on_delete(context);
            }
        }));
        let contexts: Vec<u32> = CLIENTS.into_iter().map(|client| proxy.begin(client)).collect();
        contexts
            .iter()
            .for_each(|context| assert!(proxy.headers(*context, false) != Action::Continue || *context == contexts[6]));
        for status in [503, 200, 200] {
            proxy.tick(1100);
            proxy.answer_all(status);
        }
        proxy.tick(TIMEOUT);
        assert_eq!(came.get(), CLIENTS.len() - 1, "each but the public one, whose headers went on by themselves");
        assert!(contexts.iter().all(|context| !proxy.stream(*context).is_undecided()));
    }
}

#[test]
fn a_configuration_that_goes_leaves_its_counts_and_its_lease() {
    let mut proxy = Proxy::with_keys();
    proxy.request(Client::Good);
    proxy.request(Client::NoToken);
    proxy.filter.on_delete(ROOT);
    assert_eq!((proxy.metric("allowed"), proxy.metric("denied.no_credential"), proxy.metric("waiting")), (1, 1, 0));
}

#[test]
fn the_header_of_a_forwarded_certificate_goes_on_from_no_peer_that_the_host_does_not_name() {
    const HEADER: &str = "client-cert";
    let digest = "01".repeat(32);
    let mtls = json!({ "forwarded": { "header": HEADER, "from": ["spiffe://example.com/front", digest] } });
    // Nothing is refused, then each question about the peer.
    let mut refused = vec![None];
    while let Some(place) = refused.pop() {
        let mut proxy = Proxy::configured(&json!({ "mtls": mtls, "route_metadata": "ignore" }));
        let context = proxy.begin(Client::Public);
        let lines = [(HEADER.to_owned(), ":AAEC:".to_owned()), ("client_cert".to_owned(), ":AAEC:".to_owned())];
        let extend = |stream: &mut HostStream| {
            stream.headers.extend(lines.clone());
            stream.trailers = lines.to_vec();
        };
        extend(proxy.script().streams.borrow_mut().get_mut(&context).unwrap());
        proxy.script().calls.borrow_mut().clear();
        proxy.script().refused.set(place);
        assert_eq!(proxy.headers(context, false), Action::Continue);
        let upstream = proxy.stream(context).upstream.unwrap();
        assert!(upstream.iter().all(|(name, _)| !name.starts_with("client")), "{place:?}: {upstream:?}");
        if place.is_none() {
            let calls = proxy.script().calls.borrow();
            refused.extend(calls.iter().enumerate().filter(|(_, call)| **call == "property").map(|(at, _)| Some(at)));
            assert_eq!(refused.len(), 2, "who the peer is, in two ways: {calls:?}");
        }
        proxy.script().refused.set(None);
        assert_eq!(proxy.trailers(context), Action::Continue);
        assert_eq!(proxy.stream(context).trailers, [], "no client's trailers have one");
    }
}

#[test]
fn a_credential_among_trailers_goes_on_only_where_everything_is_reported() {
    let line = |name: &str| (name.to_owned(), "Bearer forged".to_owned());
    let digest = "01".repeat(32);
    let sets = json!([{ "name": "partners", "api_key": { "header": "x-api-key" },
                        "identities": [{ "id": "acme", "secrets": [{ "sha256": digest }] }] }]);
    let either = json!({ "credentials": { "any_of": ["bearer", "partners"] } });
    let with_keys = json!({ "credentials": sets, "default": either, "route_metadata": "ignore" });
    let cookie = json!({ "name": "__Host-token", "origins": ["https://a.example.com"] });
    let of_cookies = json!({ "credentials": [{ "name": "web", "cookie": cookie }], "route_metadata": "ignore" });
    let mut reported = with_keys.clone();
    reported["report_only"] = json!(true);
    for (members, wanted) in [
        (json!({ "route_metadata": "ignore" }), vec![line("cookie"), line("x-api-key"), line("x_api_key")]),
        (with_keys, vec![line("cookie")]),
        (of_cookies, vec![line("x-api-key"), line("x_api_key")]),
        (reported, vec![line("authorization"), line("cookie"), line("x-api-key"), line("x_api_key")]),
    ] {
        let mut proxy = Proxy::configured(&members);
        let context = proxy.begin(Client::Public);
        let sent = vec![line("authorization"), line("cookie"), line("x-api-key"), line("x_api_key")];
        proxy.script().streams.borrow_mut().get_mut(&context).unwrap().trailers = sent;
        assert_eq!(proxy.headers(context, false), Action::Continue);
        assert_eq!(proxy.trailers(context), Action::Continue);
        assert_eq!(proxy.stream(context).trailers, wanted, "{members}");
    }
}
