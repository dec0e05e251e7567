//! `scopegate migrate`: what old configurations become, and what is told of it.

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
pub fn rbac(members: &str) -> String {
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

/// A filter of policies: each a permission and a principal.
fn policies(action: &str, all: &[(&str, &str)]) -> String {
    let policy = |(index, (permission, principal)): (usize, &(&str, &str))| {
        format!("\n  p{index}: {{permissions: [{permission}], principals: [{principal}]}}")
    };
    let all: String = all.iter().enumerate().map(policy).collect();
    rbac(&format!("rules:\n  action: {action}\n  policies:{}", all.replace('\n', "\n  ")))
}

/// A condition on a claim of the provider `idp`.
fn claim(name: &str, value: &str) -> String {
    format!(
        "{{metadata: {{filter: envoy.filters.http.jwt_authn, path: [{{key: claims}}, {{key: {name}}}], value: {value}}}}}"
    )
}

const ANY: &str = "{any: true}";

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

#[test]
fn conditions_of_rbac_become_conditions_or_deny() {
    let idp = |more: Value| {
        let mut all = json!({"issuers": ["idp"]});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let equals = |value: &str| idp(json!({"claims": [{"claim": "role", "equals": value}]}));
    let denied = || json!({"deny": true});
    let text = |text: &str| format!("{{string_match: {{exact: {text}}}}}");
    for (principal, wanted) in [
        (ANY.to_owned(), idp(json!({"scopes": []}))),
        (claim("role", &text("admin")), equals("admin")),
        (
            claim("roles", "{list_match: {one_of: {string_match: {exact: admin}}}}"),
            idp(json!({"claims": [{"claim": "roles", "contains": "admin"}]})),
        ),
        (claim("vip", "{bool_match: true}"), idp(json!({"claims": [{"claim": "vip", "equals": true}]}))),
        (claim("level", "{double_match: {exact: 3}}"), idp(json!({"claims": [{"claim": "level", "equals": 3}]}))),
        (
            claim("role", "{or_match: {value_matchers: [{string_match: {exact: a}}, {string_match: {exact: b}}]}}"),
            idp(json!({"claims": [{"claim": "role", "one_of": ["a", "b"]}]})),
        ),
        (
            format!("{{or_ids: {{ids: [{}, {}]}}}}", claim("role", &text("a")), claim("role", &text("b"))),
            idp(json!({"claims": [{"claim": "role", "one_of": ["a", "b"]}]})),
        ),
        (
            format!("{{and_ids: {{ids: [{}, {}]}}}}", claim("role", &text("a")), claim("team", &text("b"))),
            idp(json!({"claims": [{"claim": "role", "equals": "a"}, {"claim": "team", "equals": "b"}]})),
        ),
        (
            "{metadata: {filter: envoy.filters.http.jwt_authn, path: [{key: claims}, {key: realm}, {key: role}], value: {string_match: {exact: a}}}}".into(),
            idp(json!({"claims": [{"claim": ["realm", "role"], "equals": "a"}]})),
        ),
        (
            "{metadata: {filter: envoy.filters.http.jwt_authn, path: [{key: claims}], value: {present_match: true}}}".into(),
            idp(json!({"scopes": []})),
        ),
        // Of no token that was judged on this path.
        (
            "{metadata: {filter: envoy.filters.http.jwt_authn, path: [{key: others}, {key: role}], value: {string_match: {exact: a}}}}".into(),
            denied(),
        ),
        ("{metadata: {filter: envoy.filters.http.jwt_authn, path: [{key: nobody}, {key: role}], value: {string_match: {exact: a}}}}".into(), denied()),
        (format!("{{or_ids: {{ids: [{}, {}]}}}}", claim("role", &text("a")), claim("team", &text("b"))), denied()),
        (format!("{{not_id: {}}}", claim("role", &text("a"))), denied()),
        (claim("role", "{string_match: {prefix: a}}"), denied()),
        (claim("role", "{string_match: {safe_regex: {regex: a}}}"), denied()),
        (claim("role", "{string_match: {exact: a, ignore_case: true}}"), denied()),
        (claim("role", "{present_match: true}"), denied()),
        (claim("scope", "{string_match: {contains: read}}"), denied()),
        ("{metadata: {filter: other, path: [{key: a}], value: {string_match: {exact: a}}}}".into(), denied()),
        ("{authenticated: {}}".into(), denied()),
        ("{direct_remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}".into(), denied()),
        ("{header: {name: x-a, string_match: {exact: a}}}".into(), denied()),
        ("{filter_state: {key: a, string_match: {exact: a}}}".into(), denied()),
        ("{}".into(), denied()),
        ("{any: false}".into(), denied()),
    ] {
        let filters = format!(
            "{}{}",
            jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"),
            policies("ALLOW", &[(ANY, &principal)])
        );
        let became = migrate(&envoy(&filters, EVERY));
        assert_eq!(beside(&became), wanted, "{principal}: {:?}", became.told);
        assert_good(&became);
    }
}

#[test]
fn permissions_of_rbac_become_rules() {
    let admin = claim("role", "{string_match: {exact: admin}}");
    let needs_admin = json!({"issuers": ["idp"], "claims": [{"claim": "role", "equals": "admin"}]});
    let token = json!({"issuers": ["idp"], "scopes": []});
    let rule = |matching: Value, requirement: &Value| {
        let mut rule = json!({"match": matching});
        rule.as_object_mut().unwrap().extend(requirement.as_object().unwrap().clone());
        rule
    };
    let denied = json!({"deny": true});
    for (action, all, wanted) in [
        // Whoever has a token, but below /admin only admins.
        (
            "ALLOW",
            vec![
                ("{url_path: {path: {prefix: /admin}}}", admin.as_str()),
                ("{not_rule: {url_path: {path: {prefix: /admin}}}}", ANY),
            ],
            vec![rule(json!({"prefix": "/admin"}), &needs_admin), rule(json!({"prefix": "/"}), &token)],
        ),
        // A policy for all makes another one of no account.
        (
            "ALLOW",
            vec![("{url_path: {path: {prefix: /admin}}}", admin.as_str()), (ANY, ANY)],
            vec![rule(json!({"prefix": "/"}), &token)],
        ),
        (
            "ALLOW",
            vec![("{header: {name: ':path', string_match: {prefix: /a}}}", ANY)],
            vec![rule(json!({"prefix": "/a"}), &token)],
        ),
        // The query is compared, too.
        (
            "ALLOW",
            vec![("{header: {name: ':path', string_match: {exact: /a}}}", ANY)],
            vec![rule(json!({"path": "/a"}), &denied)],
        ),
        (
            "ALLOW",
            vec![("{header: {name: ':authority', string_match: {exact: a.example.com}}}", ANY)],
            vec![rule(json!({"host": "a.example.com", "prefix": "/"}), &denied)],
        ),
        ("ALLOW", vec![], vec![]),
        (
            "DENY",
            vec![("{url_path: {path: {prefix: /admin}}}", ANY)],
            vec![rule(json!({"prefix": "/admin"}), &denied), rule(json!({"prefix": "/"}), &token)],
        ),
        (
            "DENY",
            vec![("{url_path: {path: {prefix: /admin}}}", admin.as_str())],
            vec![rule(json!({"prefix": "/admin"}), &denied), rule(json!({"prefix": "/"}), &token)],
        ),
        ("DENY", vec![("{url_path: {path: {suffix: .php}}}", ANY)], vec![]),
        (
            "DENY",
            vec![("{header: {name: ':method', string_match: {exact: DELETE}}}", ANY)],
            vec![rule(json!({"methods": ["DELETE"]}), &denied), rule(json!({"prefix": "/"}), &token)],
        ),
        (
            "ALLOW",
            vec![("{header: {name: ':method', string_match: {safe_regex: {regex: 'GET|HEAD'}}}}", ANY)],
            vec![rule(json!({"methods": ["GET", "HEAD"]}), &token)],
        ),
        (
            "ALLOW",
            vec![("{header: {name: ':method', string_match: {exact: GET}}}", ANY)],
            vec![rule(json!({"methods": ["HEAD"]}), &denied), rule(json!({"methods": ["GET"]}), &token)],
        ),
        ("LOG", vec![("{any: true}", admin.as_str())], vec![rule(json!({"prefix": "/"}), &token)]),
        (
            "ALLOW",
            vec![(
                "{and_rules: {rules: [{header: {name: ':method', string_match: {exact: POST}}}, {url_path: {path: {exact: /a}}}]}}",
                ANY,
            )],
            vec![rule(json!({"path": "/a", "methods": ["POST"]}), &token)],
        ),
        ("ALLOW", vec![("{destination_port: 80}", ANY)], vec![]),
        ("MAYBE", vec![(ANY, ANY)], vec![]),
    ] {
        // The rules are for a second route too, so nothing stands beside one.
        let filters = format!(
            "{}{}",
            jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"),
            policies(action, &all)
        );
        let before =
            "- name: lua\n  typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua}\n";
        let became = migrate(&envoy(&format!("{before}{filters}"), EVERY));
        let rules = became.plugin.get("rules").cloned().unwrap_or_else(|| json!([]));
        assert_eq!(rules, Value::Array(wanted), "{action} {all:?}: {:?}", became.told);
        assert_eq!(became.plugin["default"], denied);
    }
}
