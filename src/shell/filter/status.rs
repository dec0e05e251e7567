//! Requests whose token names a status list.

use super::proxy::{Client, Proxy, TIMEOUT};
use serde_json::json;

/// A filter whose issuer keeps the status of its tokens.
fn proxy() -> Proxy {
    Proxy::configured(&json!({ "issuers": [{
        "issuer": "https://idp.example.com/", "audiences": ["api"],
        "jwks": { "uri": "https://idp.example.com/jwks", "cluster": "idp", "timeout": "2s" },
        "status_list": {
            "clusters": [{ "uri_prefix": "https://status.example.com/lists/", "cluster": "status" }], "timeout": "2s",
        },
    }] }))
}

fn ticks(proxy: &Proxy) {
    (0..5).for_each(|_| proxy.tick(10));
}

#[test]
fn a_request_waits_for_the_list_that_its_token_names_and_is_decided_by_it() {
    for (status, answers) in [(0, vec![]), (1, vec!["scopegate_revoked"]), (2, vec!["scopegate_revoked"])] {
        let mut proxy = proxy().fetched();
        assert_eq!(proxy.answer_with_status(status), 0, "nothing is asked for before a token names it");
        let (one, other) = (proxy.request(Client::WithStatus), proxy.request(Client::WithStatus));
        assert_eq!(proxy.metric("waiting"), 2);
        proxy.tick(5);
        assert!(proxy.stream(one).is_undecided());
        assert_eq!(proxy.answer_with_status(status), 1, "one fetch for both");
        ticks(&proxy);
        assert_eq!([proxy.answers(one), proxy.answers(other)], [answers.clone(), answers.clone()]);
        assert_eq!(proxy.stream(one).upstream.is_some(), status == 0);
        let later = proxy.request(Client::WithStatus);
        assert_eq!(proxy.answers(later), answers, "at once");
        assert_eq!(proxy.stream(later).upstream.is_some(), status == 0);
        assert_eq!((proxy.metric("status_list.held"), proxy.metric("status_list.fetches.updated")), (1, 1));
    }
}

#[test]
fn a_request_is_refused_when_the_list_does_not_come_and_others_are_not() {
    let mut proxy = proxy().fetched();
    let waiting = proxy.request(Client::WithStatus);
    proxy.tick(TIMEOUT - 1);
    assert!(proxy.stream(waiting).is_undecided());
    let good = proxy.request(Client::Good);
    assert!(proxy.stream(good).upstream.is_some());
    proxy.tick(1);
    assert_eq!(proxy.answers(waiting), ["scopegate_revocation_unavailable"]);
    assert_eq!((proxy.metric("status_list.held"), proxy.metric("status_list.stale")), (1, 1));
    proxy.answer_with_status(0);
    ticks(&proxy);
    assert_eq!(proxy.answers(waiting).len(), 1, "a list that comes later changes nothing");
    let later = proxy.request(Client::WithStatus);
    assert!(proxy.stream(later).upstream.is_some());
    assert_eq!(proxy.metric("status_list.stale"), 0);
}

#[test]
fn the_gauges_of_an_issuer_have_the_size_and_the_age_of_its_lists_until_the_gate_ends() {
    let mut proxy = proxy().fetched();
    let seen = |proxy: &Proxy| {
        ["entries", "age_seconds"].map(|name| proxy.metric(&format!("status_list.{name}.https___idp_example_com_")))
    };
    let _ = proxy.request(Client::WithStatus);
    proxy.tick(5);
    assert_eq!(seen(&proxy), [0, 0], "it is not there yet");
    proxy.answer_with_status(0);
    ticks(&proxy);
    proxy.tick(70_000);
    assert_eq!(seen(&proxy), [8, 70]);
    proxy.filter.on_delete(super::proxy::ROOT);
    assert_eq!(seen(&proxy), [0, 0]);
}

#[test]
fn the_list_is_asked_for_once_the_keys_are_there_and_the_token_is_verified() {
    let mut proxy = proxy();
    let context = proxy.request(Client::WithStatus);
    proxy.tick(5);
    assert_eq!(proxy.answer_with_status(0), 0);
    proxy.answer_all(200);
    assert!(proxy.stream(context).is_undecided(), "it waits again, for the list now");
    proxy.tick(5);
    assert_eq!(proxy.answer_with_status(0), 1);
    ticks(&proxy);
    assert!(proxy.stream(context).upstream.is_some());
}
