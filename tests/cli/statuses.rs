//! What the command says of status lists, which it cannot look at.

use crate::check::check;
use crate::judgements::{finds, strict};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::world::{folder, run};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs;

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;
const HONOURED: &str = "status_list: {clusters: [{uri_prefix: 'https://s.example.com/l/', cluster: a}]}";

/// A plugin configuration with these members in its issuer and beside it.
fn plugin(issuer: &str, members: &str) -> String {
    format!(
        "issuers:\n- issuer: https://a.example.com/\n  audiences: [b]\n  jwks: {{uri: 'https://a.example.com/k', cluster: a}}\n  \
         {issuer}\n{members}\n"
    )
}

#[test]
fn a_status_that_a_configuration_asks_for_and_does_not_honour_is_a_warning() {
    for (issuer, members) in [
        ("required_claims: [sub, status]", ""),
        ("required_claims: [[status, status_list]]", ""),
        ("name: a", "default: {claims: [{claim: [status, status_list, uri], equals: x}]}"),
        (
            "name: a",
            "rules: [{match: {path: /a}, methods: {GET: {claims: [{claim: status, has_member: status_list}]}}}]",
        ),
    ] {
        finds(&[("status-not-honoured", plugin(issuer, members), plugin(&format!("{issuer}\n  {HONOURED}"), members))]);
        let strict = strict(&plugin(issuer, members));
        assert!(strict.status == 1 && strict.stdout.contains("passes whatever its status list says"), "{strict:?}");
    }
    let silent =
        check(&plugin("required_claims: [sub, [a, status]]", "default: {claims: [{claim: statuses, equals: x}]}"));
    assert!(!silent.stdout.contains("status-not-honoured"), "{silent:?}");
}

#[test]
fn the_clusters_of_status_lists_are_looked_for() {
    let shipped = fs::read_to_string("envoy/issuer-tls.yaml").unwrap();
    let with_lists = |cluster: &str| {
        let lists = format!(
            "audiences: [https://api.example.com]\n                      \
             status_list: {{clusters: [{{uri_prefix: \"https://s.example.com/\", cluster: {cluster}}}]}}"
        );
        assert!(shipped.contains("audiences: [https://api.example.com]"));
        shipped.replacen("audiences: [https://api.example.com]", &lists, 1)
    };
    let good = check(&with_lists("idp"));
    assert!(good.status == 0 && !good.stdout.contains("status-lists-in-plain-text"), "{good:?}");
    let missing = check(&with_lists("nowhere"));
    assert!(missing.status == 1 && missing.stdout.contains("the cluster nowhere"), "{missing:?}");
    let text = with_lists("idp");
    let plain = check(&text[..text.find("    transport_socket:").unwrap()]).stdout;
    assert!(plain.contains("warning[status-lists-in-plain-text]") && plain.contains("fetches status lists"), "{plain}");
}

#[test]
fn a_status_is_shown_and_said_not_to_be_known() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let folder = folder();
    let config = json!({ "issuers": [{
        "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() },
        "status_list": { "clusters": [{ "uri_prefix": "https://s.example.com/l/", "cluster": "a" }] },
    }] });
    fs::write(folder.join("scopegate.json"), config.to_string()).unwrap();
    let with = |status: Value| {
        fs::write(folder.join("token.txt"), issuer.token(NOW).claim("status", status).sign()).unwrap();
        let inspected = run(&["token", "inspect", "@token.txt", "--at", AT], &folder);
        let explain = ["explain", "scopegate.json", "--request", "GET /", "--token", "@token.txt", "--at", AT];
        (inspected, run(&explain, &folder))
    };
    let (inspected, explained) = with(json!({ "status_list": { "idx": 12, "uri": "https://s.example.com/l/7" } }));
    assert!(inspected.stdout.contains("entry 12 of the status list https://s.example.com/l/7"), "{inspected:?}");
    assert!(inspected.stdout.contains("not known here"), "{inspected:?}");
    assert!(explained.status == 0, "{explained:?}");
    assert!(explained.stdout.contains("the status lists of demo cannot be looked at here"), "{explained:?}");
    let (_, explained) = with(json!({ "status_list": { "idx": 12, "uri": "https://evil.example.com/7" } }));
    assert!(explained.status == 1 && explained.stdout.contains("revocation_unavailable"), "{explained:?}");
    let (inspected, explained) = with(json!({ "status_list": { "idx": -1, "uri": "https://s.example.com/l/7" } }));
    assert!(inspected.stdout.contains("`status.status_list.idx` is not a non-negative integer"), "{inspected:?}");
    assert!(explained.status == 1 && explained.stdout.contains("malformed_token"), "{explained:?}");
}

#[test]
fn the_cases_of_a_policy_say_that_a_status_is_not_known() {
    let folder = folder();
    let cases = json!({
        "inline": { "issuers": [{
            "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "uri": "https://a.example.com/k", "cluster": "a" },
            "status_list": { "clusters": [{ "uri_prefix": "https://s.example.com/l/", "cluster": "a" }] },
        }] },
        "cases": [{
            "name": "a", "request": "GET /", "expect": { "status": 200 },
            "token": { "sub": "a", "status": { "status_list": { "idx": 1, "uri": "https://s.example.com/l/7" } } },
        }],
    });
    fs::write(folder.join("cases.yaml"), cases.to_string()).unwrap();
    let told = run(&["test", "cases.yaml"], &folder);
    assert!(told.stdout.contains("the status lists of demo cannot be looked at here"), "{told:?}");
    assert_eq!(told.status, 0, "{told:?}");
}
