//! Routes that several connection managers serve, and requirements of Scopegate that were there before.

use super::rbac::{ANY, policies};
use super::{Became, EVERY, assert_good, envoy, jwt, migrate, migrate_in, rbac_with};
use crate::world::{folder, run};
use serde_json::{Value, json};
use std::fs;

const TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.";
/// Told of what routes say of a filter that is gone.
const STAYS: &str = "is for filters that are gone here, and stays";
const RULE: &str = "rules: [{match: {path: /open}}, {match: {prefix: /}, requires: {provider_name: idp}}]
requirement_map: {special: {provider_name: other}}";
const GATE: &str = "- name: scopegate
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
    config:
      root_id: scopegate
      configuration:
        '@type': type.googleapis.com/google.protobuf.Struct
        value:
          issuers: [{issuer: 'https://idp.example.com/', audiences: [a], jwks: {uri: 'https://idp.example.com/jwks.json', cluster: idp}}]
          default: {scopes: []}
";

/// A file with these filters, and members of its connection manager, that fetches its routes.
fn listener(filters: &str, members: &str) -> String {
    let whole = envoy(filters, EVERY);
    let (before, rest) = whole.split_once("          route_config:\n").unwrap();
    let (_, clusters) = rest.split_once("  clusters:\n").unwrap();
    let rds = "          rds: {route_config_name: main, config_source: {path_config_source: {path: routes.yaml}}}\n";
    format!("{before}{rds}{members}  clusters:\n{clusters}")
}

/// A route for `/admin`, with this entry for a filter, and one for everything.
fn routes(filter: &str, entry: &str) -> String {
    let own = format!("typed_per_filter_config: {{{filter}: {entry}}}");
    format!(
        "resources:
- '@type': type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: main
  virtual_hosts:
  - name: api
    domains: ['*']
    routes:
    - {{match: {{prefix: /admin}}, route: {{cluster: up}}, {own}}}
    - {{match: {{prefix: /}}, route: {{cluster: up}}}}
"
    )
}

/// What becomes of two files with filters, and of the routes that both serve.
fn shared(first: &str, second: &str, routes: &str) -> Became {
    let folder = folder();
    for (file, text) in [("a.yaml", first), ("b.yaml", second), ("routes.yaml", routes)] {
        fs::write(folder.join(file), text).unwrap();
    }
    migrate_in(&folder, &["a.yaml", "b.yaml", "routes.yaml"])
}

/// The new text of a file, if it is another one.
fn text<'b>(became: &'b Became, file: &str) -> Option<&'b str> {
    let found = became.told["files"].as_array().unwrap().iter().find(|own| own["file"] == file);
    found.map(|own| own["text"].as_str().unwrap())
}

fn deny_all() -> String {
    format!(
        "{{'@type': {TYPE}rbac.v3.RBACPerRoute, rbac: {{rules: {{action: DENY, policies: {{all: {{permissions: [{ANY}], principals: [{ANY}]}}}}}}}}}}"
    )
}

fn requirement() -> String {
    format!("{{'@type': {TYPE}jwt_authn.v3.PerRouteConfig, requirement_name: special}}")
}

/// Members of a connection manager with these filters for upgrades.
fn upgrades(filters: &str) -> String {
    let filters = filters.trim_end().replace('\n', "\n            ");
    format!(
        "          upgrade_configs:\n          - upgrade_type: websocket\n            filters:\n            {filters}\n"
    )
}

#[test]
fn a_filter_that_stays_keeps_what_routes_say_of_it() {
    let (jwts, allow) = (jwt(RULE), policies("ALLOW", &[(ANY, ANY)]));
    let both = format!("{jwts}{allow}");
    let within = format!(
        "- name: wrapped
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher
    extension_config:
      name: envoy.filters.http.rbac
      typed_config: {{'@type': {TYPE}rbac.v3.RBAC}}
"
    );
    let cors = format!("- name: cors\n  typed_config: {{'@type': {TYPE}cors.v3.Cors}}\n");
    for (filters, filter, entry, is_kept) in [
        (&jwts, "envoy.filters.http.jwt_authn", requirement(), true),
        (&allow, "envoy.filters.http.rbac", deny_all(), true),
        (&within, "envoy.filters.http.rbac", deny_all(), true),
        (&allow, "envoy.filters.http.jwt_authn", requirement(), false),
        (&cors, "envoy.filters.http.rbac", deny_all(), false),
    ] {
        let own = format!("typed_per_filter_config: {{{filter}: {entry}}}, match");
        let text = envoy(&both, &EVERY.replacen("match", &own, 1));
        let became = migrate(&text.replacen(
            "          route_config:\n",
            &format!("{}          route_config:\n", upgrades(filters)),
            1,
        ));
        assert_eq!(became.new.contains(&format!("{filter}:")), is_kept, "{filters}{filter}{}", became.new);
        assert_eq!(became.tells("note", "chains for upgrades"), *filters != cors, "{}", became.told);
        assert!(!became.tells("note", STAYS), "{}", became.told);
    }
}

#[test]
fn routes_that_are_fetched_keep_what_they_say_of_a_filter() {
    let (jwts, allow) = (jwt(RULE), policies("ALLOW", &[(ANY, ANY)]));
    let both = format!("{jwts}{allow}");
    let broken = both.replace("issuer: https", "issuer_: https");
    for (filter, entry) in [("envoy.filters.http.rbac", deny_all()), ("envoy.filters.http.jwt_authn", requirement())] {
        let own = routes(filter, &entry);
        // A listener that is not in these files may fetch them, whatever those do that are.
        for second in [&allow, &jwts, &broken] {
            let became = shared(&listener(&both, ""), &listener(second, &upgrades(&jwts)), &own);
            let new = text(&became, "routes.yaml").unwrap();
            assert!(new.contains(&format!("{filter}:")), "{second}{new}");
            assert!(text(&became, "a.yaml").unwrap().contains("root_id: scopegate"), "{}", became.told);
        }
        let folder = folder();
        for (file, text) in [("a.yaml", listener(&both, "")), ("routes.yaml", own)] {
            fs::write(folder.join(file), text).unwrap();
        }
        let became = migrate_in(&folder, &["a.yaml", "routes.yaml"]);
        let new = text(&became, "routes.yaml").unwrap();
        assert!(new.contains(&format!("{filter}:")) && became.tells("note", STAYS), "{}", became.told);
        fs::write(folder.join("a.yaml"), text(&became, "a.yaml").unwrap()).unwrap();
        fs::write(folder.join("routes.yaml"), new).unwrap();
        let checked = run(&["check", "a.yaml", "routes.yaml"], &folder);
        assert_eq!(checked.status, 0, "{checked:?}");
    }
    let plain = routes("other", "{}");
    assert!(!shared(&listener(&both, ""), &listener(&allow, ""), &plain).tells("note", STAYS));
}

#[test]
fn routes_that_another_gate_serves_get_nothing_beside_them() {
    let upgrades = upgrades(GATE);
    let fetched = "- name: elsewhere
  config_discovery: {config_source: {ads: {}}, type_urls: [type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm]}
";
    let plain = routes("envoy.filters.http.jwt_authn", &requirement());
    for other in [
        listener(GATE, ""),
        listener(fetched, ""),
        listener(
            "- name: envoy.filters.http.cors\n  typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}\n",
            &upgrades,
        ),
    ] {
        let became = shared(&listener(&jwt(RULE), ""), &other, &plain);
        assert!(!became.new.contains("filter_metadata"), "{}", became.new);
        let rules = became.plugin["rules"].as_array().unwrap();
        assert!(rules.contains(&json!({"match": {"path": "/open"}, "public": true})), "{rules:?}");
        assert_eq!((became.run.status, text(&became, "b.yaml")), (0, None), "{}", became.told);
    }
}

#[test]
fn a_gate_that_is_fetched_is_there_already() {
    let fetched = "- name: gate\n  config_discovery: {config_source: {ads: {}}}\n";
    let gate = GATE.trim_start_matches("- ").replacen("name: scopegate", "name: gate", 1);
    let resource = format!(
        "resources:\n- '@type': type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  {}\n",
        gate.trim_end()
    );
    let folder = folder();
    fs::write(folder.join("a.yaml"), envoy(&format!("{fetched}{}", jwt(RULE)), EVERY)).unwrap();
    fs::write(folder.join("b.yaml"), envoy(&jwt(RULE), EVERY)).unwrap();
    fs::write(folder.join("gate.yaml"), resource).unwrap();
    let became = migrate_in(&folder, &["a.yaml", "b.yaml", "gate.yaml"]);
    assert_eq!(
        (became.told["plugins"].as_array().unwrap().len(), text(&became, "a.yaml")),
        (1, None),
        "{}",
        became.told
    );
    assert!(became.tells("note", "is there already"), "{}", became.told);
}

#[test]
fn what_a_new_gate_would_read_of_another_one_leaves_its_chain_as_it_is() {
    let public = "metadata: {filter_metadata: {scopegate: {public: true}}}";
    let disabled = "typed_per_filter_config: {scopegate: {'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}";
    let lua = "- name: lua\n  typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua}\n";
    let good = envoy(&jwt(RULE), EVERY);
    let before = envoy(&format!("{lua}{}", jwt(RULE)), EVERY);
    for text in [&good, &before] {
        for (from, to) in [
            ("{name: all,", format!("{{name: all, {public},")),
            ("{name: all,", format!("{{name: all, {disabled},")),
            ("domains: ['*']\n", format!("domains: ['*']\n              {public}\n")),
            ("domains: ['*']\n", format!("domains: ['*']\n              {disabled}\n")),
            ("            virtual_hosts:\n", format!("            {disabled}\n            virtual_hosts:\n")),
        ] {
            assert!(text.contains(from), "{from}");
            let became = migrate(&text.replacen(from, &to, 1));
            assert_eq!((became.run.status, became.new.as_str(), &became.plugin), (2, "", &Value::Null), "{to}");
            assert!(became.tells("denied", "its chain is left as it is"), "{to}: {}", became.told);
        }
    }
    assert_good(&migrate(&good));
    // The requirement is that of a gate that serves the route too.
    let entry = requirement();
    let own = routes("envoy.filters.http.jwt_authn", &entry).replace(
        "route: {cluster: up}, typed",
        "metadata: {filter_metadata: {scopegate: {claims: [{claim: role, equals: admin}]}}}, route: {cluster: up}, typed",
    );
    assert!(own.contains("role"), "{own}");
    let became = shared(&listener(&jwt(RULE), ""), &listener(GATE, ""), &own);
    assert_eq!((became.run.status, became.new.as_str()), (2, ""), "{}", became.told);
}

#[test]
fn a_route_without_a_name_gets_one_that_no_other_has() {
    let entry = requirement();
    let unnamed = |more: &str| {
        routes("envoy.filters.http.jwt_authn", &entry)
            .replace("- {match: {prefix: /}", &format!("- {{{more}match: {{prefix: /}}"))
    };
    let (jwts, two) =
        (listener(&jwt(RULE), ""), listener(&format!("{}{}", jwt(RULE), rbac_with("rules_stat_prefix: a")), ""));
    for (more, wanted) in
        [("", "migrated-0"), ("name: migrated-0, ", "migrated-1"), ("name: x-migrated-0, ", "migrated-1")]
    {
        let became = shared(&jwts, &two, &unnamed(more));
        assert!(text(&became, "routes.yaml").unwrap().contains(&format!("name: {wanted}\n")), "{more}: {}", became.new);
        for plugin in became.told["plugins"].as_array().unwrap() {
            assert_eq!(plugin["rules"][0]["match"]["route"], wanted, "{more}: {plugin}");
            assert_eq!(plugin["rules"][0]["issuers"], json!(["other"]), "{more}: {plugin}");
        }
    }
}
