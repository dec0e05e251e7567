//! What is wrong, odd or huge is refused or denied, and never ends in a panic.

use super::rbac::{ANY, policies};
use super::{EVERY, envoy, jwt, migrate, rbac_with};
use crate::world::{folder, run};
use serde_json::{Value, json};
use std::fs;

/// Migrates a text, and gives the exit status and what was said.
fn status(text: &str) -> (i32, String) {
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), text).unwrap();
    let said = run(&["migrate", "envoy.yaml"], &folder);
    assert!(!said.stderr.contains("panicked"), "{said:?}");
    (said.status, said.stderr)
}

#[test]
fn what_is_no_configuration_is_refused_with_its_reason() {
    for (text, words) in [
        ("", "is empty"),
        ("a: [", ""),
        ("a: 1", "no connection manager with `jwt_authn`"),
        ("static_resources: {listeners: 7}", "no connection manager"),
        (&envoy(&policies("ALLOW", &[(ANY, ANY)]), EVERY), "no connection manager"),
    ] {
        let (status, said) = status(text);
        assert!(status == 2 && said.contains(words), "{text}: {said}");
    }
}

#[test]
fn values_of_the_wrong_type_let_nothing_through() {
    let good = envoy(&jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"), EVERY);
    for (from, to) in [
        ("requires: {provider_name: idp}", "requires: 7"),
        ("requires: {provider_name: idp}", "requires: {provider_name: [idp]}"),
        ("requires: {provider_name: idp}", "requires: {requires_any: idp}"),
        ("requires: {provider_name: idp}", "requires: {requires_all: {requirements: {}}}"),
        ("match: {prefix: /}", "match: 7"),
        ("match: {prefix: /}", "match: {prefix: [/]}"),
        ("match: {prefix: /}", "match: {safe_regex: /}"),
        ("issuer: https://idp.example.com/", "issuer: [a]"),
        ("issuer: https://idp.example.com/", "issuer: !!binary aHR0cHM="),
        ("audiences: [https://api.example.com]", "audiences: {a: b}"),
        ("rules:", "filter_state_rules: {name: a}\n              rulez:"),
    ] {
        assert!(good.contains(from), "{from}");
        let became = migrate(&good.replacen(from, to, 1));
        let open = became.new.contains("public: true");
        assert!(!open, "{to}: {}", became.new);
    }
}

#[test]
fn deep_and_long_inputs_end() {
    let mut condition = ANY.to_owned();
    for _ in 0..40 {
        condition = format!("{{not_rule: {condition}}}");
    }
    let filters = format!(
        "{}{}",
        jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"),
        policies("ALLOW", &[(&condition, ANY)])
    );
    assert_eq!(status(&envoy(&filters, EVERY)).0, 0);
    let deep = format!("{}a{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(status(&deep).0, 2);
    let rules = |count: usize| -> String {
        let rule = |n| format!("{{match: {{path: /p{n}}}, requires: {{provider_name: idp}}}}");
        let all: Vec<String> = (0..count).map(rule).collect();
        format!("rules: [{}]", all.join(", "))
    };
    assert_eq!(status(&envoy(&jwt(&rules(1500)), EVERY)).0, 0);
    // More cannot be told apart in reasonable time: they are denied.
    assert_eq!(status(&envoy(&jwt(&rules(2500)), EVERY)).0, 2);
}

#[test]
fn policies_that_overlap_in_every_way_end() {
    let header =
        |n: usize| format!("{{header: {{name: ':path', string_match: {{prefix: /{}}}}}}}", "a".repeat(n % 40 + 1));
    let method = |n: usize| format!("{{header: {{name: ':method', string_match: {{exact: M{}}}}}}}", "X".repeat(n));
    let all: Vec<(String, String)> = (0..40).map(|n| (header(n), method(n))).collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let filters =
        format!("{}{}", jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"), policies("ALLOW", &all));
    status(&envoy(&filters, EVERY));
}

#[test]
fn files_are_not_written_over_unless_it_is_said() {
    let folder = folder();
    let text = envoy(&jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"), EVERY);
    fs::write(folder.join("envoy.yaml"), &text).unwrap();
    let first = run(&["migrate", "envoy.yaml", "--out", "new"], &folder);
    assert!(first.status == 0 && first.stdout.contains("written: new/envoy.yaml"), "{first:?}");
    let made = fs::read_to_string(folder.join("new/envoy.yaml")).unwrap();
    assert!(made.contains("root_id: scopegate"), "{made}");
    let again = run(&["migrate", "envoy.yaml", "--out", "new"], &folder);
    assert!(again.status == 2 && again.stderr.contains("exists"), "{again:?}");
    let over = run(&["migrate", "envoy.yaml", "--out", "new", "--force"], &folder);
    assert_eq!(over.status, 0, "{over:?}");
    let own = run(&["migrate", "envoy.yaml", "--out", "."], &folder);
    assert!(own.status == 2 && fs::read_to_string(folder.join("envoy.yaml")).unwrap() == text, "{own:?}");
}

#[test]
fn the_report_goes_to_standard_error_and_the_file_to_standard_output() {
    let folder = folder();
    let rules = "rules: [{match: {prefix: /a}, requires: {allow_missing_or_failed: {}}}]";
    fs::write(folder.join("envoy.json"), json_text(&envoy(&jwt(rules), EVERY))).unwrap();
    let said = run(&["migrate", "envoy.json"], &folder);
    assert_eq!(said.status, 2);
    let new: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(new["static_resources"]["listeners"].is_array(), "{new}");
    let order: Vec<usize> = ["Was it meant?", "Not carried over", "Stricter:", "not carried over"]
        .iter()
        .map(|words| said.stderr.find(words).unwrap_or_else(|| panic!("{words}: {said:?}")))
        .collect();
    assert!(order.is_sorted(), "{said:?}");
}

fn json_text(yaml: &str) -> String {
    scopegate::config::read_yaml(yaml).unwrap().value.to_json().to_string()
}

#[test]
fn a_rule_that_only_counts_is_named() {
    let shadow = rbac_with("shadow_rules: {policies: {p: {permissions: [{any: true}], principals: [{any: true}]}}}");
    let filters = format!("{}{shadow}", jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"));
    let became = migrate(&envoy(&filters, EVERY));
    assert!(became.run.status == 0 && became.tells("note", "refuses nothing and only counts"), "{:?}", became.told);
    assert_eq!(super::beside(&became), json!({"issuers": ["idp"], "scopes": []}));
}

#[test]
fn what_is_not_known_may_ask_for_more_and_is_denied() {
    let policy = policies("ALLOW", &[(ANY, ANY)]);
    let good =
        envoy(&format!("{}{policy}", jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]")), EVERY);
    assert_eq!(migrate(&good).run.status, 0);
    for (from, to) in [
        (
            "audiences: [https://api.example.com]",
            "audiences: [https://api.example.com]\n                  new_condition: {}",
        ),
        ("requires: {provider_name: idp}", "requires: {provider_name: idp}, new_condition: {}"),
        ("rules: [", "new_condition: {}\n              rules: ["),
        ("rules:\n", "new_condition: {}\n              rules:\n"),
        ("action: ALLOW", "action: ALLOW\n                new_condition: {}"),
        ("permissions: [", "new_condition: {}, permissions: ["),
    ] {
        assert!(good.contains(from), "{from}");
        let became = migrate(&good.replacen(from, to, 1));
        assert!(became.run.status == 2 && became.tells("denied", "may ask for more"), "{to}: {:?}", became.told);
        assert_eq!(super::beside(&became), json!({"deny": true}), "{to}");
    }
}

#[test]
fn a_member_that_is_null_is_not_set() {
    let rule = "rules: [{match: {prefix: /}, requires: {provider_name: idp}}]";
    let evil = super::rbac::claim("role", "{string_match: {exact: evil}}");
    let denies = policies("DENY", &[(ANY, &evil)]);
    let good = envoy(&format!("{}{denies}", jwt(rule)), EVERY);
    for (from, to) in [
        ("- name: envoy.filters.http.rbac\n", "- name: envoy.filters.http.rbac\n            config_discovery: null\n"),
        (
            "- name: envoy.filters.http.jwt_authn\n",
            "- name: envoy.filters.http.jwt_authn\n            configDiscovery: ~\n",
        ),
        ("action: DENY", "action: DENY\n                audit_logging_options: null"),
        ("stat_prefix: main\n", "stat_prefix: main\n          rds: null\n          scoped_routes: null\n"),
    ] {
        assert!(good.contains(from), "{from}");
        let became = migrate(&good.replacen(from, to, 1));
        assert!(became.tells("denied", "refuses requests whose claims meet a condition"), "{to}: {:?}", became.told);
        assert_eq!(super::beside(&became), json!({"deny": true}), "{to}");
    }
    // What is asked of nobody is asked of nobody still.
    let open = good.replacen(
        "rules:\n                action: DENY",
        "rules: null\n              shadow_rules:\n                action: DENY",
        1,
    );
    assert_eq!(super::beside(&migrate(&open)), json!({"issuers": ["idp"], "scopes": []}));
    // The routes are those that are fetched.
    let (before, rest) = good.split_once("          route_config:\n").unwrap();
    let clusters = rest.split_once("  clusters:\n").unwrap().1;
    let rds = "          route_config: null\n          rds: {route_config_name: main, config_source: {ads: {}}}\n";
    let became = migrate(&format!("{before}{rds}  clusters:\n{clusters}"));
    assert!(
        became.run.status == 2 && became.tells("denied", "serves routes that are not in these files"),
        "{:?}",
        became.told
    );
}
