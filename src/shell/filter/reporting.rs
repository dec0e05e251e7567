//! The life of a request in report-only: it waits as any other, and always goes on.

use super::Action;
use super::proxy::{CLIENTS, Client, Proxy, REPORTS, Reports, TIMEOUT};

/// The decision in the record of a stream, and the reason if there is one.
fn recorded(proxy: &Proxy, context: u32) -> (String, Option<String>) {
    let record: serde_json::Value = serde_json::from_slice(&proxy.stream(context).record.expect("a record")).unwrap();
    (record["decision"].as_str().unwrap().to_owned(), record["reason"].as_str().map(str::to_owned))
}

fn would_deny(reason: &str) -> (String, Option<String>) {
    ("would_deny".to_owned(), Some(reason.to_owned()))
}

#[test]
fn it_waits_for_keys_with_its_body_and_trailers_and_is_judged_when_they_come() {
    for reports in REPORTS {
        let mut proxy = Proxy::reporting(reports);
        let (good, forged) = (proxy.begin(Client::Good), proxy.begin(Client::Forged));
        for context in [good, forged] {
            assert_eq!(proxy.headers(context, false), Action::Pause, "{reports:?}");
            assert_eq!([proxy.body(context), proxy.trailers(context)], [Action::Pause; 2]);
        }
        proxy.tick(5);
        assert!(proxy.stream(good).is_undecided() && proxy.stream(forged).is_undecided());
        proxy.answer_all(200);
        assert_eq!(recorded(&proxy, good), ("allow".to_owned(), None), "{reports:?}");
        assert_eq!(recorded(&proxy, forged), would_deny("bad_signature"));
        assert_eq!([proxy.body(good), proxy.body(forged)], [Action::Continue; 2]);
        proxy.tick(1);
        let counts = ["allowed", "would_deny.bad_signature", "would_deny.keys_unavailable", "waiting"];
        assert_eq!(counts.map(|name| proxy.metric(name)), [1, 1, 0, 0], "each is counted once");
    }
}

#[test]
fn its_record_lists_what_else_it_fails_also_when_it_has_waited() {
    for top in [true, false] {
        let claims = serde_json::json!([{ "claim": "role", "equals": "admin" }]);
        let asks = serde_json::json!({ "scopes": ["x"], "claims": claims, "report_only": !top });
        let members = serde_json::json!({ "report_only": top, "default": asks });
        let mut proxy = Proxy::reporting_with(Reports::Everything, &members);
        let contexts = [proxy.request(Client::Forged), proxy.request(Client::Good)];
        assert!(contexts.iter().all(|&context| proxy.stream(context).is_undecided()));
        proxy.tick(0);
        proxy.answer_all(200);
        proxy.tick(5);
        let [forged, good] = contexts.map(|context| {
            let record = proxy.stream(context).record.expect("a record");
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
            ["reason", "further_reasons", "unverified_further_reasons"].map(|name| record[name].clone())
        });
        let nothing = serde_json::Value::Null;
        let both = serde_json::json!(["insufficient_scope", "claim_mismatch"]);
        assert_eq!(forged, ["bad_signature".into(), nothing.clone(), both]);
        assert_eq!(good, ["insufficient_scope".into(), serde_json::json!(["claim_mismatch"]), nothing]);
    }
}

#[test]
fn it_goes_on_at_the_deadline_where_the_keys_do_not_come() {
    for reports in REPORTS {
        let mut proxy = Proxy::reporting(reports);
        proxy.tick(0);
        let context = proxy.request(Client::Good);
        proxy.tick(TIMEOUT - 1);
        assert!(proxy.stream(context).is_undecided());
        proxy.tick(1);
        assert!(proxy.stream(context).upstream.is_some(), "{reports:?}");
        assert_eq!(recorded(&proxy, context), would_deny("keys_unavailable"));
        proxy.answer_all(200);
        proxy.tick(1);
        assert_eq!(recorded(&proxy, context), would_deny("keys_unavailable"), "keys that come later change nothing");
        assert_eq!((proxy.metric("would_deny.keys_unavailable"), proxy.metric("allowed")), (1, 0));
    }
}

#[test]
fn it_goes_on_at_once_where_no_fetch_will_come_in_time_or_there_is_no_room() {
    for reports in REPORTS {
        let mut proxy = Proxy::reporting(reports);
        // With each failure the next fetch comes later.
        for _ in 0..8 {
            proxy.tick(60_000);
            proxy.answer_all(503);
        }
        let context = proxy.request(Client::Good);
        assert!(proxy.stream(context).upstream.is_some(), "{reports:?}: {:?}", proxy.stream(context));
        assert_eq!(recorded(&proxy, context), would_deny("keys_unavailable"));

        let mut members = reports.members();
        members["limits"] = serde_json::json!({ "waiting_requests": 1 });
        let mut proxy = Proxy::reporting_with(reports, &members);
        let (first, second) = (proxy.request(Client::Good), proxy.begin(Client::Good));
        assert!(proxy.stream(first).is_undecided());
        assert_eq!(proxy.headers(second, false), Action::Continue);
        assert_eq!([proxy.body(second), proxy.trailers(second)], [Action::Continue; 2]);
        assert_eq!(recorded(&proxy, second), would_deny("too_busy"), "{reports:?}");
    }
}

#[test]
fn an_unknown_kid_is_awaited_once() {
    for reports in REPORTS {
        let mut proxy = Proxy::reporting(reports).fetched();
        let context = proxy.request(Client::UnknownKid);
        assert!(proxy.stream(context).is_undecided(), "{reports:?}");
        proxy.tick(5);
        assert_eq!(proxy.script().callouts.borrow().len(), 1);
        proxy.answer_all(200);
        proxy.tick(5);
        assert!(proxy.script().callouts.borrow().is_empty(), "and not fetched again");
        assert_eq!(recorded(&proxy, context), would_deny("unknown_key"));
    }
}

#[test]
fn a_stream_that_ends_while_it_waits_is_left_alone_and_not_counted() {
    let mut proxy = Proxy::reporting(Reports::Everything);
    let (gone, stays) = (proxy.request(Client::Good), proxy.request(Client::Good));
    proxy.tick(5);
    proxy.end(gone);
    proxy.tick(TIMEOUT);
    assert!(proxy.stream(gone).is_undecided() && proxy.stream(stays).upstream.is_some());
    assert_eq!((proxy.metric("would_deny.keys_unavailable"), proxy.metric("waiting")), (1, 0));
}

#[test]
fn what_a_requirement_does_not_report_is_refused_and_waits_for_nothing() {
    let mut proxy = Proxy::reporting(Reports::Default);
    let context = proxy.request(Client::InQuery);
    assert_eq!(proxy.answers(context), ["scopegate_token_in_query"]);
    let mut proxy = Proxy::reporting(Reports::Everything);
    let context = proxy.request(Client::InQuery);
    assert_eq!(recorded(&proxy, context), would_deny("token_in_query"));
}

/// No request may pass with an identity that a client made up, even in report-only.
#[test]
fn a_request_that_the_host_does_not_hand_over_or_edit_is_refused_all_the_same() {
    for client in CLIENTS.into_iter().filter(|client| *client != Client::UnknownKid) {
        for refused in ["header_map", "remove_header"] {
            let mut proxy = Proxy::reporting(Reports::Everything).fetched();
            let before = proxy.begin(client);
            proxy.script().calls.borrow_mut().clear();
            proxy.headers(before, true);
            let place = proxy.script().calls.borrow().iter().position(|call| *call == refused);
            let context = proxy.begin(client);
            proxy.script().calls.borrow_mut().clear();
            proxy.script().refused.set(place);
            assert_eq!(proxy.headers(context, true), Action::Pause, "{client:?} {refused}");
            assert_eq!(proxy.answers(context), ["scopegate_host_failure"], "{client:?} {refused}");
        }
    }
}

#[test]
fn a_request_whose_edits_the_host_refuses_at_the_end_of_its_wait_is_refused_too() {
    let wait = |refused: Option<usize>| {
        let mut proxy = Proxy::reporting(Reports::Everything);
        proxy.tick(0);
        let context = proxy.request(Client::Good);
        proxy.script().calls.borrow_mut().clear();
        proxy.script().refused.set(refused);
        proxy.tick(TIMEOUT);
        let edit = proxy.script().calls.borrow().iter().position(|call| *call == "remove_header");
        (edit, proxy.stream(context))
    };
    let (edit, passed) = wait(None);
    assert!(edit.is_some() && passed.upstream.is_some(), "{passed:?}");
    let (_, refused) = wait(edit);
    assert_eq!(refused.answers, [(500, "scopegate_host_failure".to_owned())]);
}
