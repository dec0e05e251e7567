//! `scopegate migrate`: what old configurations become, and what is told of it.

mod credentials;
mod headers;
mod hostile;
mod rbac;
mod readers;
mod refusals;
mod routes;
mod shared;
mod told;

use crate::world::{Run, folder, run};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Envoy's file with these filters, and these routes.
pub fn envoy(filters: &str, routes: &str) -> String {
    let inner = |text: &str, indent: usize| text.trim().replace('\n', &format!("\n{}", " ".repeat(indent)));
    format!(
        "static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: 8080}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          normalize_path: true
          merge_slashes: true
          path_with_escaped_slashes_action: REJECT_REQUEST
          http_filters:
          {}
          - name: envoy.filters.http.router
            typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            name: main
            virtual_hosts:
            - name: api
              domains: ['*']
              routes:
              {}
  clusters:
  - {{name: idp, load_assignment: {{cluster_name: idp, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 443}}}}}}}}]}}]}}}}
  - {{name: up, load_assignment: {{cluster_name: up, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 80}}}}}}}}]}}]}}}}
",
        inner(filters, 10),
        inner(routes, 14)
    )
}

/// A `jwt_authn` filter with the providers `idp` and `other`, and these members of the filter.
pub fn jwt(members: &str) -> String {
    format!(
        "- name: envoy.filters.http.jwt_authn
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
    providers:
      idp:
        issuer: https://idp.example.com/
        audiences: [https://api.example.com]
        payload_in_metadata: claims
        from_headers: [{{name: Authorization, value_prefix: 'Bearer '}}]
        remote_jwks: {{http_uri: {{uri: 'https://idp.example.com/jwks.json', cluster: idp, timeout: 1s}}, cache_duration: 300s}}
      other:
        issuer: https://other.example.com/
        audiences: [other]
        payload_in_metadata: others
        from_headers: [{{name: Authorization, value_prefix: 'Bearer '}}]
        remote_jwks: {{http_uri: {{uri: 'https://other.example.com/jwks.json', cluster: idp, timeout: 1s}}}}
    {}
",
        members.trim().replace('\n', "\n    ")
    )
}

/// An `rbac` filter with these members.
pub fn rbac_with(members: &str) -> String {
    format!(
        "- name: envoy.filters.http.rbac
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
    {}
",
        members.trim().replace('\n', "\n    ")
    )
}

/// A route for everything.
pub const EVERY: &str = "- {name: all, match: {prefix: /}, route: {cluster: up}}";

/// What became of a text, as JSON.
pub struct Became {
    pub run: Run,
    pub told: Value,
    /// The configuration of the first gate.
    pub plugin: Value,
    pub new: String,
}

impl Became {
    /// The findings of a kind: path and what.
    pub fn findings(&self, kind: &str) -> Vec<String> {
        let all = self.told["findings"].as_array().unwrap();
        let of_kind = all.iter().filter(|finding| finding["kind"] == kind);
        of_kind.map(|own| format!("{}: {}", own["path"].as_str().unwrap(), own["what"].as_str().unwrap())).collect()
    }

    /// Whether a finding of this kind has these words.
    pub fn tells(&self, kind: &str, words: &str) -> bool {
        self.findings(kind).iter().any(|finding| finding.contains(words))
    }
}

/// Migrates a text, and checks what became of it.
pub fn migrate(text: &str) -> Became {
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), text).unwrap();
    migrate_in(&folder, &["envoy.yaml"])
}

/// Migrates files of a folder, and checks what became of them.
pub fn migrate_in(folder: &Path, files: &[&str]) -> Became {
    let run = run(&[&["migrate", "--format", "json"], files].concat(), folder);
    let told: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    let new = told["files"].as_array().unwrap().iter().map(|file| file["text"].as_str().unwrap()).collect::<String>();
    let plugin = told["plugins"].get(0).cloned().unwrap_or_default();
    Became { run, told, plugin, new }
}

/// What a file became passes `scopegate check` without errors.
fn assert_good(became: &Became) {
    let folder = folder();
    fs::write(folder.join("new.yaml"), &became.new).unwrap();
    let checked = run(&["check", "new.yaml"], &folder);
    assert_eq!(checked.status, 0, "{checked:?}\n{}", became.new);
    assert!(!became.new.contains("jwt_authn") && !became.new.contains("filters.http.rbac"), "{}", became.new);
}

#[test]
fn a_provider_becomes_an_issuer_and_a_rule_stands_beside_its_route() {
    let became = migrate(&envoy(&jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"), EVERY));
    assert_eq!(became.run.status, 0, "{:?}", became.told);
    assert_good(&became);
    assert_eq!(
        became.plugin["issuers"][0],
        json!({
            "issuer": "https://idp.example.com/",
            "name": "idp",
            "audiences": ["https://api.example.com"],
            "jwks": {"uri": "https://idp.example.com/jwks.json", "cluster": "idp", "refresh": "5m", "timeout": "1s"},
        })
    );
    assert_eq!(became.plugin["default"], json!({"deny": true}));
    assert!(became.plugin.get("rules").is_none(), "{}", became.plugin);
    assert!(became.new.contains("scopegate:\n"), "{}", became.new);
    for words in ["`typ`", "without `sub`", "without `exp`", "clocks", "(`cnf`)", "without their scheme"] {
        assert!(became.tells("stricter", words), "{words}: {:?}", became.told);
    }
}

/// The requirement beside the only route.
fn beside(became: &Became) -> Value {
    let node = scopegate::config::read_yaml(&became.new).unwrap().value.to_json();
    let manager = &node["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    manager["route_config"]["virtual_hosts"][0]["routes"][0]["metadata"]["filter_metadata"]["scopegate"].clone()
}

const IDP: &str = "{provider_name: idp}";

#[test]
fn requirements_of_jwt_authn_become_requirements() {
    let denied = json!({"deny": true});
    for (requires, wanted, status) in [
        (IDP, json!({"issuers": ["idp"], "scopes": []}), 0),
        ("{requires_any: {requirements: [{provider_name: idp}, {provider_name: other}]}}", json!({"scopes": []}), 0),
        (
            "{requires_any: {requirements: [{provider_name: idp}, {allow_missing: {}}]}}",
            json!({"issuers": ["idp"], "scopes": [], "allow_missing": true}),
            0,
        ),
        ("{allow_missing: {}}", json!({"scopes": [], "allow_missing": true}), 0),
        ("{requires_all: {requirements: [{provider_name: idp}]}}", json!({"issuers": ["idp"], "scopes": []}), 0),
        ("{requires_all: {requirements: [{provider_name: idp}, {provider_name: other}]}}", denied.clone(), 2),
        ("{requires_any: {requirements: [{provider_name: idp}, {allow_missing_or_failed: {}}]}}", denied.clone(), 2),
        ("{allow_missing_or_failed: {}}", denied.clone(), 2),
        ("{extract_only_without_validation: {}}", denied.clone(), 2),
        ("{provider_name: nobody}", denied.clone(), 2),
        ("{something_new: {}}", denied.clone(), 2),
        ("{}", json!({"public": true}), 0),
        (
            "{provider_and_audiences: {provider_name: idp, audiences: [special]}}",
            json!({"issuers": ["idp"], "scopes": []}),
            0,
        ),
    ] {
        let became = migrate(&envoy(&jwt(&format!("rules: [{{match: {{prefix: /}}, requires: {requires}}}]")), EVERY));
        assert_eq!((beside(&became), became.run.status), (wanted, status), "{requires}: {:?}", became.told);
        assert_good(&became);
        assert_eq!(became.findings("denied").is_empty(), status == 0, "{requires}: {:?}", became.told);
    }
}

#[test]
fn audiences_in_place_of_those_of_the_provider_narrow_the_requirement() {
    let rules = "rules:
- {match: {prefix: /a}, requires: {provider_and_audiences: {provider_name: idp, audiences: [special]}}}
- {match: {prefix: /}, requires: {provider_name: idp}}";
    let became = migrate(&envoy(&jwt(rules), EVERY));
    assert_good(&became);
    assert_eq!(became.plugin["issuers"][0]["audiences"], json!(["https://api.example.com", "special"]));
    assert_eq!(
        became.plugin["rules"],
        json!([
            {"match": {"prefix": "/a"}, "issuers": ["idp"], "audiences": ["special"], "scopes": []},
            {"match": {"prefix": "/"}, "issuers": ["idp"], "audiences": ["https://api.example.com"], "scopes": []},
        ])
    );
}

#[test]
fn the_first_rule_that_matches_decides_as_before() {
    let token = json!({"issuers": ["idp"], "scopes": []});
    for (rules, wanted) in [
        ("{match: {path: /a}}", json!([{"match": {"path": "/a"}, "public": true}])),
        (
            "{match: {path_separated_prefix: /a}, requires: {provider_name: idp}}",
            json!([with("path_separated_prefix", "/a", &token)]),
        ),
        (
            "{match: {safe_regex: {regex: '/a/.*'}}, requires: {provider_name: idp}}",
            json!([with("prefix", "/a/", &token)]),
        ),
        (
            "{match: {safe_regex: {regex: '/a/[0-9]+'}}, requires: {provider_name: idp}}",
            json!([{"match": {"prefix": "/a/"}, "deny": true}]),
        ),
        (
            "{match: {prefix: /a, query_parameters: [{name: q, present_match: true}]}}",
            json!([{"match": {"prefix": "/a"}, "deny": true}]),
        ),
        (
            "{match: {prefix: /a, headers: [{name: x-a, present_match: true}]}}",
            json!([{"match": {"prefix": "/a"}, "deny": true}]),
        ),
        (
            "{match: {prefix: /a, headers: [{name: ':method', string_match: {exact: POST}}]}}",
            json!([{"match": {"prefix": "/a", "methods": ["POST"]}, "public": true}]),
        ),
        ("{match: {prefix: '/a//b'}}", json!([{"match": {"prefix": "/a/"}, "deny": true}])),
        (
            "{match: {prefix: /A, case_sensitive: false}}",
            json!([{"match": {"prefix": "/A", "ignore_case": true}, "public": true}]),
        ),
        ("{match: {connect_matcher: {}}}", json!([{"match": {"methods": ["CONNECT"]}, "public": true}])),
        ("{match: {prefix: /a, grpc: {}}}", json!([{"match": {"prefix": "/a"}, "deny": true}])),
    ] {
        let last = "{match: {prefix: /}, requires: {provider_name: other}}";
        let became = migrate(&envoy(&jwt(&format!("rules: [{rules}, {{match: {{path: /z}}}}, {last}]")), EVERY));
        let mut all = wanted.as_array().unwrap().clone();
        all.push(json!({"match": {"path": "/z"}, "public": true}));
        all.push(with("prefix", "/", &json!({"issuers": ["other"], "scopes": []})));
        assert_eq!(became.plugin["rules"], Value::Array(all), "{rules}");
        assert_good(&became);
        assert_eq!(became.run.status == 0, became.findings("denied").is_empty(), "{rules}");
        assert_eq!(became.run.status == 2, wanted[0].get("deny").is_some(), "{rules}");
    }
}

/// A rule with this path and requirement.
fn with(kind: &str, path: &str, requirement: &Value) -> Value {
    let mut rule = json!({"match": {kind: path}});
    rule.as_object_mut().unwrap().extend(requirement.as_object().unwrap().clone());
    rule
}

#[test]
fn what_no_rule_matches_is_let_through_as_before_and_told() {
    let became = migrate(&envoy(&jwt("rules: [{match: {prefix: /a}, requires: {provider_name: idp}}]"), EVERY));
    assert_eq!(became.plugin["rules"][1], json!({"match": {"prefix": "/"}, "public": true}));
    assert!(became.tells("let_through", "none of its rules matches"), "{:?}", became.told);
    assert!(
        became.tells("let_through", "the route `all` needs no token, for some of its requests"),
        "{:?}",
        became.told
    );
    assert_good(&became);
}
