//! What is said of a `status_list` that is wrong, and what holds where it is silent.

use crate::{issuer, problems, read};
use scopegate::policy::WhenStale;

const CLUSTERS: &str = "clusters: [{uri_prefix: 'https://a/s/', cluster: a}]";

#[test]
fn what_is_wrong_with_a_status_list_is_said() {
    let status = |members: &str| issuer(&format!("status_list: {{{members}}}"));
    let with = |members: &str| status(&format!("{CLUSTERS}, {members}"));
    let prefix = |prefix: &str| status(&format!("clusters: [{{uri_prefix: '{prefix}', cluster: a}}]"));
    snapshot!(problems(&[
        ("no object", issuer("status_list: true")),
        ("no clusters", status("refresh: 1m")),
        ("an empty list of clusters", status("clusters: []")),
        ("clusters that are no list", status("clusters: {uri_prefix: 'https://a/', cluster: a}")),
        ("a cluster of nothing", status("clusters: [{}]")),
        ("a misspelt field of a cluster", status("clusters: [{prefix: 'https://a/', cluster: a}]")),
        ("a prefix that ends within a segment", prefix("https://a/s")),
        ("a prefix that ends within a host", prefix("https://a")),
        ("a prefix with a query", prefix("https://a/s/?x=/")),
        ("a prefix that is no address", prefix("/s/")),
        ("a prefix with a dot segment", prefix("https://a/x/../s/")),
        ("a prefix with an encoded dot segment", prefix("https://a/%2e%2e/s/")),
        ("a prefix with user information", prefix("https://u@a/s/")),
        ("a misspelt field", with("ttl: 5m")),
        (
            "numbers out of range",
            with("refresh: 0s, timeout: 10ms, max_bytes: 4194305, max_stale: 1000h, max_lists: 257")
        ),
        ("an unknown word", with("when_stale: pass")),
        ("a boolean for a word", with("when_stale: off")),
        (
            "an issuer that signs with secrets",
            issuer(&format!("algorithms: [HS256]\n  secrets: [{{env: GOOD}}]\n  status_list: {{{CLUSTERS}}}"))
        ),
        (
            "an issuer that signs with ES512",
            issuer(&format!(
                "algorithms: [ES512]\n  jwks: {{uri: https://a/k, cluster: a}}\n  status_list: {{{CLUSTERS}}}"
            ))
        ),
    ]));
}

#[test]
fn a_status_list_is_fetched_every_five_minutes_and_insisted_on_unless_it_says_otherwise() {
    let issuer = read(&issuer(&format!("status_list: {{{CLUSTERS}}}"))).unwrap().policy.issuers.remove(0);
    let status = issuer.status_list.unwrap();
    assert_eq!((status.refresh.0, status.timeout_ms, status.max_stale.0), (300, 2000, 3600));
    assert_eq!((status.when_stale, status.terms.max_bytes, status.max_lists), (WhenStale::Deny, 1 << 20, 32));
    assert_eq!((status.clusters[0].uri_prefix.as_str(), status.clusters[0].cluster.as_str()), ("https://a/s/", "a"));
    assert_eq!(status.terms.issuer, "https://a/");
}
