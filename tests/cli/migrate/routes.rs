//! Requirements of routes: beside them where they are their own, in rules where they are not.

use super::rbac::{ANY, claim, policies};
use super::{assert_good, envoy, jwt, migrate, migrate_in};
use crate::world::folder;
use serde_json::{Value, json};
use std::fs;

const RULES: &str = "rules:
- {match: {path: /healthz}}
- {match: {prefix: /orders}, requires: {provider_name: idp}}
- {match: {prefix: /}, requires: {provider_name: other}}
requirement_map:
  special: {provider_and_audiences: {provider_name: idp, audiences: [special]}}";
const PER_ROUTE: &str = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig";
const NAME: &str = "envoy.filters.http.jwt_authn";

/// A route with this path, and this entry for `jwt_authn`.
fn route(name: &str, prefix: &str, entry: &str) -> String {
    let own = if entry.is_empty() {
        String::new()
    } else {
        format!(", typed_per_filter_config: {{{NAME}: {{'@type': {PER_ROUTE}, {entry}}}}}")
    };
    format!("- {{name: {name}, match: {{prefix: {prefix}}}, route: {{cluster: up}}{own}}}\n")
}

/// The routes of the first virtual host, each with what stands beside it.
fn beside(new: &str) -> Vec<(String, Value)> {
    let node = scopegate::config::read_yaml(new).unwrap().value.to_json();
    let manager = &node["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array().unwrap().clone();
    let of = |route: &Value| {
        let name = route["name"].as_str().unwrap_or_default().to_owned();
        (name, route["metadata"]["filter_metadata"]["scopegate"].clone())
    };
    routes.iter().map(of).collect()
}

#[test]
fn a_requirement_stands_beside_its_route_or_in_rules() {
    let routes = [
        route("health", "/healthz", ""),
        route("orders", "/orders/", ""),
        route("shut", "/off", "disabled: true"),
        route("special", "/special", "requirement_name: special"),
        route("unknown", "/unknown", "requirement_name: nobody"),
        route("all", "/", ""),
    ]
    .concat();
    let became = migrate(&envoy(&jwt(RULES), &routes));
    let special = json!({"issuers": ["idp"], "audiences": ["special"], "scopes": []});
    let idp = json!({"issuers": ["idp"], "audiences": ["https://api.example.com"], "scopes": []});
    let other = json!({"issuers": ["other"], "scopes": []});
    let wanted = [
        // `/healthz` is open, and `/healthz/more` is not.
        ("health", Value::Null),
        ("orders", idp.clone()),
        ("shut", json!({"public": true})),
        ("special", special),
        ("unknown", json!({"deny": true})),
        ("all", Value::Null),
    ];
    assert_eq!(beside(&became.new), wanted.map(|(name, node)| (name.to_owned(), node)), "{}", became.new);
    let rule = |path: &str, text: &str, node: &Value| {
        let mut rule = json!({"match": {path: text}});
        rule.as_object_mut().unwrap().extend(node.as_object().unwrap().clone());
        rule
    };
    assert_eq!(
        became.plugin["rules"],
        json!([
            rule("path", "/healthz", &json!({"public": true})),
            rule("prefix", "/orders", &idp),
            rule("prefix", "/", &other)
        ])
    );
    assert_eq!(became.run.status, 2);
    assert!(became.tells("let_through", "the route `shut` needs no token"), "{:?}", became.told);
    assert!(became.tells("denied", "not in `requirement_map`"), "{:?}", became.told);
    assert_good(&became);
}

#[test]
fn a_route_that_differs_by_path_has_rules_of_its_own() {
    let policy = policies(
        "ALLOW",
        &[
            ("{url_path: {path: {prefix: /orders/admin}}}", &claim("role", "{string_match: {exact: a}}")),
            ("{header: {name: ':method', string_match: {exact: GET}}}", ANY),
        ],
    );
    let own = format!(
        "{}\n{}",
        "- name: orders\n  match: {prefix: /orders}\n  route: {cluster: up}\n  typed_per_filter_config:\n    envoy.filters.http.rbac:\n      '@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute\n      rbac: {rules: {policies: {p: {permissions: [{url_path: {path: {exact: /orders/a}}}], principals: [{any: true}]}}}}",
        route("all", "/", "")
    );
    let became = migrate(&envoy(&format!("{}{policy}", jwt(RULES)), &own));
    assert_eq!(
        became.plugin["rules"][0]["match"],
        json!({"path": "/orders/a", "route": "orders"}),
        "{}",
        became.plugin
    );
    assert_eq!(became.plugin["rules"][1], json!({"match": {"route": "orders"}, "deny": true}));
    assert_good(&became);
}

#[test]
fn the_most_specific_configuration_counts() {
    let routes = route("a", "/a", "") + &route("b", "/b", "disabled: true");
    let text = envoy(&jwt(RULES), &routes).replace(
        "              domains: ['*']\n",
        &format!("              domains: ['*']\n              typed_per_filter_config: {{{NAME}: {{'@type': {PER_ROUTE}, requirement_name: special}}}}\n"),
    );
    let became = migrate(&text);
    let beside = beside(&became.new);
    assert_eq!(beside[0].1["audiences"], json!(["special"]), "{}", became.new);
    assert_eq!(beside[1].1, json!({"public": true}));
    assert_good(&became);
}

#[test]
fn filters_are_off_and_on_by_route() {
    let off = "{'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}";
    let on = "{'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, config: {}}";
    let route = |name: &str, entry: &str| {
        format!(
            "- {{name: {name}, match: {{prefix: /{name}}}, route: {{cluster: up}}, typed_per_filter_config: {{{NAME}: {entry}}}}}\n"
        )
    };
    let became = migrate(&envoy(&jwt(RULES), &(route("a", off) + &route("b", on))));
    let all = beside(&became.new);
    assert_eq!((&all[0].1, &all[1].1), (&json!({"public": true}), &json!({"issuers": ["other"], "scopes": []})));
    let disabled = jwt(RULES).replacen("  typed_config:", "  disabled: true\n  typed_config:", 1);
    let became = migrate(&envoy(&disabled, &(route("b", on) + &super::EVERY.replace("name: all", "name: rest"))));
    let all = beside(&became.new);
    assert_eq!(
        (&all[0].1, &all[1].1),
        (&json!({"issuers": ["other"], "scopes": []}), &json!({"public": true})),
        "{}",
        became.new
    );
}

#[test]
fn a_route_whose_clusters_ask_for_different_things_is_denied_and_told() {
    let clusters = format!(
        "- name: split
  match: {{prefix: /orders}}
  route:
    weighted_clusters:
      clusters:
      - {{name: up, weight: 1, typed_per_filter_config: {{{NAME}: {{'@type': {PER_ROUTE}, disabled: true}}}}}}
      - {{name: up, weight: 1}}"
    );
    let became = migrate(&envoy(&jwt(RULES), &clusters));
    assert_eq!(beside(&became.new)[0].1, json!({"deny": true}), "{:?}", became.told);
    assert_eq!(became.run.status, 2);
    let told = became.told["findings"].as_array().unwrap();
    let is_told = |finding: &Value| {
        finding["kind"] == "denied"
            && finding["what"].as_str().unwrap().contains("clusters with different requirements")
    };
    assert!(told.iter().any(is_told), "{told:?}");
}

#[test]
fn routes_in_another_file_get_their_requirements_there() {
    let whole = envoy(&jwt(RULES), &(route("orders", "/orders", "") + &route("shut", "/off", "disabled: true")));
    let (before, rest) = whole.split_once("          route_config:\n").unwrap();
    let (routes, clusters) = rest.split_once("  clusters:\n").unwrap();
    let rds = "          rds: {route_config_name: main, config_source: {path_config_source: {path: routes.yaml}}}\n";
    let listener = format!("{before}{rds}  clusters:\n{clusters}");
    let inner = routes.lines().map(|line| line.get(10..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), &listener).unwrap();
    let resource =
        format!("resources:\n- '@type': type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n{inner}");
    fs::write(folder.join("routes.yaml"), resource).unwrap();
    let became = migrate_in(&folder, &["envoy.yaml", "routes.yaml"]);
    assert_eq!((became.run.status, became.told["files"].as_array().unwrap().len()), (0, 2), "{:?}", became.told);
    assert!(became.told["files"][1]["text"].as_str().unwrap().contains("public: true"), "{}", became.new);
    assert!(became.tells("note", "is for filters that are gone here, and stays"), "{}", became.told);
    // Without them routes might ask for more.
    let alone = migrate_in(&folder, &["envoy.yaml"]);
    assert_eq!(alone.run.status, 2);
    assert_eq!(
        (alone.plugin.get("rules"), &alone.plugin["default"]),
        (None, &json!({"deny": true})),
        "{}",
        alone.plugin
    );
    assert!(alone.tells("denied", "serves routes that are not in these files"), "{:?}", alone.told);
}

#[test]
fn a_filter_between_that_may_change_the_request_makes_its_conditions_unclear() {
    let lua = "- name: lua\n  typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua}\n";
    let by_path = policies("ALLOW", &[("{url_path: {path: {prefix: /a}}}", ANY)]);
    let by_claim = policies("ALLOW", &[(ANY, &claim("role", "{string_match: {exact: a}}"))]);
    let rule = "rules: [{match: {prefix: /}, requires: {provider_name: idp}}]";
    for (policy, status) in [(by_path, 2), (by_claim, 0)] {
        let became = migrate(&envoy(&format!("{}{lua}{policy}", jwt(rule)), &route("all", "/", "")));
        assert_eq!(became.run.status, status, "{:?}", became.told);
        assert_eq!(beside(&became.new)[0].1 == json!({"deny": true}), status == 2, "{}", became.new);
    }
    // The route by which a filter is configured may be another one by the time it is judged.
    let became = migrate(&envoy(
        &format!("{lua}{}", jwt(rule)),
        &(route("shut", "/off", "disabled: true") + &route("all", "/", "")),
    ));
    let rules = became.plugin.get("rules").cloned().unwrap_or_default();
    let denies = rules.as_array().is_none_or(|rules| rules.iter().all(|rule| rule["deny"] == true));
    assert!(became.run.status == 2 && denies, "{}", became.plugin);
}

#[test]
fn claims_of_a_token_that_was_not_judged_let_nobody_through() {
    let policy = policies("ALLOW", &[(ANY, &claim("role", "{string_match: {exact: a}}"))]);
    let rule = "rules: [{match: {prefix: /a}, requires: {provider_name: idp}}]";
    let routes = route("a", "/a", "") + &route("b", "/b", "");
    let became = migrate(&envoy(&format!("{}{policy}", jwt(rule)), &routes));
    assert_eq!(beside(&became.new)[1].1, json!({"deny": true}));
    // Before the token was judged there are no claims.
    let became = migrate(&envoy(&format!("{policy}{}", jwt(rule)), &routes));
    assert_eq!(beside(&became.new)[0].1, json!({"deny": true}));
}

#[test]
fn routes_that_two_chains_serve_get_nothing_beside_them_and_lose_nothing() {
    let own = route("off", "/off", "disabled: true").replace("name: off", "name: shut") + &route("all", "/", "");
    let whole = envoy(&jwt(RULES), &own);
    let (before, rest) = whole.split_once("          route_config:\n").unwrap();
    let (routes, clusters) = rest.split_once("  clusters:\n").unwrap();
    let rds = "          rds: {route_config_name: main, config_source: {path_config_source: {path: routes.yaml}}}\n";
    let listener = format!("{before}{rds}  clusters:\n{clusters}");
    let inner = routes.lines().map(|line| line.get(10..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let folder = folder();
    fs::write(folder.join("a.yaml"), &listener).unwrap();
    let resource =
        format!("resources:\n- '@type': type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n{inner}\n");
    fs::write(folder.join("routes.yaml"), resource).unwrap();
    // Of the second chain's providers none can be used, so it stays.
    for (second, is_denied) in [(listener.clone(), false), (listener.replace("issuer: https", "issuer_: https"), true)]
    {
        fs::write(folder.join("b.yaml"), second).unwrap();
        let became = migrate_in(&folder, &["a.yaml", "b.yaml", "routes.yaml"]);
        assert!(!became.new.contains("filter_metadata"), "{}", became.new);
        assert_eq!(became.plugin["rules"][0], json!({"match": {"route": "shut"}, "public": true}), "{}", became.plugin);
        let files = became.told["files"].as_array().unwrap();
        let routes = files.iter().find(|file| file["file"] == "routes.yaml");
        assert!(routes.is_none(), "{}", became.told);
        assert_eq!(became.run.status == 2, is_denied, "{}", became.told);
    }
}

#[test]
fn a_route_for_connect_takes_upgrades_that_are_no_connect() {
    // `connect_matcher` of a rule takes the method CONNECT alone. That of a route takes a GET that asks for CONNECT-UDP, too.
    let rules = "rules: [{match: {connect_matcher: {}}}, {match: {prefix: /}, requires: {provider_name: idp}}]";
    let connect = "- {name: tunnel, match: {connect_matcher: {}}, route: {cluster: up}}\n";
    let became = migrate(&envoy(&jwt(rules), &format!("{connect}{}", route("all", "/", ""))));
    let all = beside(&became.new);
    assert_eq!(all[0], ("tunnel".to_owned(), Value::Null), "{}", became.new);
    assert_eq!(
        became.plugin["rules"],
        json!([
            {"match": {"methods": ["CONNECT"]}, "public": true},
            {"match": {"prefix": "/"}, "issuers": ["idp"], "scopes": []},
        ])
    );
    assert_good(&became);
    // By route, too: what the rules of a route ask of a GET is asked of it.
    let connects = policies("ALLOW", &[("{header: {name: ':method', string_match: {exact: CONNECT}}}", ANY)]);
    let every = "rules: [{match: {connect_matcher: {}}}]";
    let became = migrate(&envoy(&format!("{}{connects}", jwt(every)), connect));
    assert_eq!(beside(&became.new)[0].1, Value::Null, "{}", became.new);
    assert_eq!(became.plugin["rules"], json!([{"match": {"methods": ["CONNECT"]}, "public": true}]));
}

#[test]
fn a_regular_expression_with_alternatives_is_not_bounded_by_one_of_them() {
    for regex in ["/a[](]|/b", r"/a\Q(\E.*|/b", "/a[^](]|/b", "/a[[:alpha:](]|/b"] {
        let denies = policies(
            "DENY",
            &[(format!("{{url_path: {{path: {{safe_regex: {{regex: '{regex}'}}}}}}}}").as_str(), ANY)],
        );
        let rule = "rules: [{match: {prefix: /}, requires: {provider_name: idp}}]";
        let became = migrate(&envoy(&format!("{}{denies}", jwt(rule)), &route("all", "/", "")));
        assert_eq!((beside(&became.new)[0].1.clone(), became.run.status), (json!({"deny": true}), 2), "{regex}");
        // Nor is a route.
        let by_path = "rules: [{match: {prefix: /a}}, {match: {prefix: /}, requires: {provider_name: idp}}]";
        let own = format!("- {{name: odd, match: {{safe_regex: {{regex: '{regex}'}}}}, route: {{cluster: up}}}}\n");
        let became = migrate(&envoy(&jwt(by_path), &own));
        assert_eq!(beside(&became.new)[0].1, Value::Null, "{regex}: {}", became.new);
        assert_eq!(became.plugin["rules"][1]["issuers"], json!(["idp"]), "{regex}: {}", became.plugin);
    }
}

#[test]
fn a_route_that_is_chosen_again_before_a_filter_that_it_configures_is_denied() {
    let clearing = jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]")
        .replace("issuer: ", "clear_route_cache: true\n        issuer: ");
    let plain = clearing.replace("clear_route_cache: true\n        ", "");
    let keys = super::credentials::keys(&format!(
        "credentials: [{{key: {}, client: acme}}]\nkey_sources: [{{header: x-api-key}}]",
        super::credentials::KEY
    ));
    let second = plain.replace("name: envoy.filters.http.jwt_authn", "name: second");
    let rbac = policies("ALLOW", &[(ANY, ANY)]);
    let http = "type.googleapis.com/envoy.extensions.filters.http";
    for (after, name, own) in [
        (&keys, "keys", format!("'@type': {http}.api_key_auth.v3.ApiKeyAuthPerRoute, allowed_clients: [acme]")),
        (&second, "second", format!("'@type': {PER_ROUTE}, disabled: true")),
        (&rbac, "envoy.filters.http.rbac", format!("'@type': {http}.rbac.v3.RBACPerRoute")),
    ] {
        let own = format!("typed_per_filter_config: {{{name}: {{{own}}}}}");
        let routes = format!(
            "- {{name: a, match: {{prefix: /a}}, route: {{cluster: up}}, {own}}}\n- {{name: all, match: {{prefix: /}}, route: {{cluster: up}}}}"
        );
        let words = format!("chooses the route again before `{name}`");
        let became = migrate(&envoy(&format!("{clearing}{after}"), &routes));
        assert!(became.run.status == 2 && became.tells("denied", &words), "{name}: {:?}", became.told);
        assert!(!became.new.contains("public: true"), "{name}: {}", became.new);
        // Where it comes first, it is configured by the first route.
        let became = migrate(&envoy(&format!("{after}{clearing}"), &routes));
        assert!(!became.tells("denied", "chooses the route again"), "{name}: {:?}", became.told);
    }
}
