//! From when on the stream of a request is closed.

use crate::credentials::{ACME, accepting, key};
use crate::world::{NOW, config, get, policy, token, with_issuer};
use scopegate::base::time::UnixSeconds;
use scopegate::config::{Node, requirement};
use scopegate::decision::Decision;
use serde_json::{Value, json};

/// How far clocks may differ, in seconds.
const LEEWAY: i64 = 10;

fn short() -> String {
    token().claim("exp", NOW + 60).sign()
}

fn close_at(config: &Value) -> Option<i64> {
    get("/").bearer(short()).granted(config).open.and_then(|open| open.close_at).map(|UnixSeconds(at)| at)
}

#[test]
fn a_stream_is_closed_from_the_moment_when_its_token_would_be_refused() {
    let asked = json!({ "default": { "close_streams": "expiry" } });
    assert_eq!(close_at(&config(asked.clone())), Some(NOW + 60 + LEEWAY));
    assert_eq!(close_at(&with_issuer(json!({ "leeway": "0s" }), asked)), Some(NOW + 60));
}

#[test]
fn a_stream_is_closed_only_where_a_requirement_asks_for_it_and_refuses() {
    for members in [
        json!({}),
        json!({ "default": { "close_streams": "never" } }),
        json!({ "default": { "public": true } }),
        json!({ "report_only": true, "default": { "close_streams": "expiry" } }),
        json!({ "default": { "close_streams": "expiry", "report_only": true } }),
        json!({ "default": { "close_streams": "expiry", "methods": { "GET": { "close_streams": "never" } } } }),
        json!({ "default": { "methods": { "POST": { "close_streams": "expiry" } } } }),
        json!({ "default": { "close_streams": "expiry" }, "rules": [{ "match": { "path": "/" } }] }),
    ] {
        assert_eq!(close_at(&config(members.clone())), None, "{members}");
    }
    let missing = config(json!({ "default": { "close_streams": "expiry", "allow_missing": true } }));
    assert_eq!(get("/").granted(&missing).open, None, "there is no credential");
    for members in [
        json!({ "default": { "close_streams": "expiry", "methods": { "GET": {} } } }),
        json!({ "default": { "methods": { "GET": { "close_streams": "expiry" } } } }),
        json!({ "rules": [{ "match": { "path": "/" }, "close_streams": "expiry" }] }),
    ] {
        assert_eq!(close_at(&config(members.clone())), Some(NOW + 60 + LEEWAY), "{members}");
    }
}

#[test]
fn of_several_credentials_the_first_that_ends_counts_and_one_without_an_end_is_never_over() {
    let closing = json!({ "close_streams": "expiry" });
    let both = accepting(json!({ "all_of": ["partners", "bearer"] }), closing.clone());
    let granted = key(ACME).bearer(short()).granted(&both);
    assert_eq!(granted.open.unwrap().close_at, Some(UnixSeconds(NOW + 60 + LEEWAY)));
    let alone = accepting(json!("partners"), closing);
    assert_eq!(key(ACME).granted(&alone).open, None);
}

#[test]
fn where_metadata_restricts_one_of_the_two_is_enough_that_is_not_only_reported() {
    for (default, metadata, closes) in [
        (json!({ "close_streams": "expiry" }), json!({}), true),
        (json!({}), json!({ "close_streams": "expiry" }), true),
        (json!({ "report_only": true }), json!({ "close_streams": "expiry" }), true),
        (json!({ "close_streams": "expiry", "report_only": true }), json!({}), false),
        (json!({}), json!({ "close_streams": "never" }), false),
    ] {
        let policy = policy(&config(json!({ "route_metadata": "restrict", "default": default.clone() })));
        let added = requirement(&Node::from(metadata.clone()), &policy, &|_| None).unwrap();
        let Decision::Allow(grant) = get("/").bearer(short()).under(added).decide(&policy) else {
            panic!("{metadata}")
        };
        assert_eq!(grant.open.is_some(), closes, "{default} {metadata}");
    }
}
