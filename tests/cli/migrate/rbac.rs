//! Policies of `rbac`: their permissions, their principals, and CEL.

use super::{EVERY, assert_good, beside, envoy, jwt, migrate, rbac_with};
use serde_json::{Value, json};

/// A filter of policies: each a permission and a principal.
pub fn policies(action: &str, all: &[(&str, &str)]) -> String {
    let policy = |(index, (permission, principal)): (usize, &(&str, &str))| {
        format!("\n  p{index}: {{permissions: [{permission}], principals: [{principal}]}}")
    };
    let all: String = all.iter().enumerate().map(policy).collect();
    rbac_with(&format!("rules:\n  action: {action}\n  policies:{}", all.replace('\n', "\n  ")))
}

/// A condition on a claim of the provider `idp`.
pub fn claim(name: &str, value: &str) -> String {
    format!(
        "{{metadata: {{filter: envoy.filters.http.jwt_authn, path: [{{key: claims}}, {{key: {name}}}], value: {value}}}}}"
    )
}

pub const ANY: &str = "{any: true}";

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

/// A call in the syntax tree of CEL.
fn call(function: &str, args: &[&str]) -> String {
    format!("{{call_expr: {{function: '{function}', args: [{}]}}}}", args.join(", "))
}

fn select(path: &[&str]) -> String {
    let start = format!("{{ident_expr: {{name: {}}}}}", path[0]);
    path[1..].iter().fold(start, |of, field| format!("{{select_expr: {{operand: {of}, field: {field}}}}}"))
}

fn constant(text: &str) -> String {
    format!("{{const_expr: {{string_value: {text}}}}}")
}

#[test]
fn simple_cel_conditions_are_carried_over_and_others_are_denied() {
    let method = || select(&["request", "method"]);
    let of_claim = |name: &str| {
        let metadata = select(&["metadata", "filter_metadata"]);
        let jwt = call("_[_]", &[&metadata, &constant("envoy.filters.http.jwt_authn")]);
        call("_[_]", &[&call("_[_]", &[&jwt, &constant("claims")]), &constant(name)])
    };
    let is_post = call("_==_", &[&method(), &constant("POST")]);
    let is_admin = call("_==_", &[&of_claim("role"), &constant("admin")]);
    let admin = json!({"issuers": ["idp"], "claims": [{"claim": "role", "equals": "admin"}]});
    let token = json!({"issuers": ["idp"], "scopes": []});
    let post = |requirement: &Value| {
        let mut rule = json!({"match": {"methods": ["POST"]}});
        rule.as_object_mut().unwrap().extend(requirement.as_object().unwrap().clone());
        json!([rule])
    };
    let none = Value::Null;
    for (condition, rules, at_route) in [
        (is_post.clone(), post(&token), none.clone()),
        (is_admin.clone(), none.clone(), admin.clone()),
        (call("_&&_", &[&is_post, &is_admin]), post(&admin), none.clone()),
        (
            call("@in", &[&constant("admin"), &of_claim("roles")]),
            none.clone(),
            json!({"issuers": ["idp"], "claims": [{"claim": "roles", "contains": "admin"}]}),
        ),
        (
            call(
                "@in",
                &[&of_claim("role"), &format!("{{list_expr: {{elements: [{}, {}]}}}}", constant("a"), constant("b"))],
            ),
            none.clone(),
            json!({"issuers": ["idp"], "claims": [{"claim": "role", "one_of": ["a", "b"]}]}),
        ),
        (call("!_", &[&is_admin]), none.clone(), json!({"deny": true})),
        (call("_!=_", &[&of_claim("role"), &constant("a")]), none.clone(), json!({"deny": true})),
        (call("_==_", &[&select(&["request", "host"]), &constant("a")]), none.clone(), json!({"deny": true})),
        (call("matches", &[&method(), &constant("a")]), none.clone(), json!({"deny": true})),
        ("{const_expr: {bool_value: true}}".to_owned(), none.clone(), token.clone()),
        ("{}".to_owned(), none.clone(), json!({"deny": true})),
    ] {
        let rules_of = format!(
            "rules:\n  policies:\n    p: {{permissions: [{ANY}], principals: [{ANY}], condition: {condition}}}"
        );
        let filters =
            format!("{}{}", jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"), rbac_with(&rules_of));
        let became = migrate(&envoy(&filters, EVERY));
        let told = became.plugin.get("rules").cloned().unwrap_or_default();
        assert_eq!((told, beside(&became)), (rules, at_route), "{condition}: {:?}", became.findings("denied"));
        assert_good(&became);
    }
}

#[test]
fn the_opposite_of_what_reads_nothing_is_nothing() {
    // A claim that no provider writes, and the path of CONNECT, are errors to CEL: nothing matches, and no opposite either.
    let of_claim = |key: &str, name: &str| {
        let metadata = select(&["metadata", "filter_metadata"]);
        let jwt = call("_[_]", &[&metadata, &constant("envoy.filters.http.jwt_authn")]);
        call("_[_]", &[&call("_[_]", &[&jwt, &constant(key)]), &constant(name)])
    };
    let guest = constant("guest");
    for condition in [
        call("_!=_", &[&of_claim("typo", "role"), &guest]),
        call("!_", &[&call("_==_", &[&of_claim("typo", "role"), &guest])]),
        call("!_", &[&call("@in", &[&guest, &of_claim("typo", "groups")])]),
        call("!_", &[&call("!_", &[&call("_!=_", &[&of_claim("others", "role"), &guest])])]),
        call(
            "!_",
            &[&call(
                "_||_",
                &[
                    &call("_==_", &[&of_claim("typo", "role"), &guest]),
                    &call("_==_", &[&select(&["request", "method"]), &constant("PUT")]),
                ],
            )],
        ),
    ] {
        let rules = format!(
            "rules:\n  policies:\n    p: {{permissions: [{ANY}], principals: [{ANY}], condition: {condition}}}"
        );
        let filters =
            format!("{}{}", jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"), rbac_with(&rules));
        let became = migrate(&envoy(&filters, EVERY));
        assert!(
            became.tells("denied", "asks that a claim is not what it says"),
            "{condition}: {:?}",
            became.findings("denied")
        );
        assert_eq!((became.run.status, beside(&became)), (2, json!({"deny": true})), "{condition}");
    }
}

#[test]
fn a_path_that_a_request_does_not_have_is_not_another_path() {
    let starts = format!(
        "{{call_expr: {{function: startsWith, target: {}, args: [{}]}}}}",
        select(&["request", "path"]),
        constant("/admin")
    );
    let not_admin = call("!_", &[&starts]);
    let inverted = "{header: {name: ':path', string_match: {prefix: /admin}, invert_match: true}}";
    let of_cel = format!("{{permissions: [{ANY}], principals: [{ANY}], condition: {not_admin}}}");
    let of_header = format!("{{permissions: [{inverted}], principals: [{ANY}]}}");
    for policy in [of_cel, of_header] {
        let rules = format!("rules: {{policies: {{p: {policy}}}}}");
        let filters =
            format!("{}{}", jwt("rules: [{match: {prefix: /x}, requires: {provider_name: idp}}]"), rbac_with(&rules));
        let own = format!(
            "envoy.filters.http.rbac: {{'@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute, rbac: {{{rules}}}}}"
        );
        let connect = format!(
            "- {{name: tunnel, match: {{connect_matcher: {{}}}}, route: {{cluster: up}}, typed_per_filter_config: {{{own}}}}}"
        );
        let became = migrate(&envoy(&filters, &format!("{connect}\n{EVERY}")));
        let rules = became.plugin["rules"].as_array().unwrap();
        assert!(rules.iter().any(|rule| rule.get("public").is_some()), "{policy}: {:?}", became.told);
        for rule in rules.iter().filter(|rule| rule.get("deny").is_none()) {
            let has_path =
                ["path", "prefix", "path_separated_prefix"].iter().any(|kind| rule["match"].get(kind).is_some());
            assert!(has_path, "{policy}: {rule} opens CONNECT");
        }
        assert_good(&became);
    }
}

#[test]
fn of_two_policies_with_one_name_the_last_counts() {
    let of = |path: &str| format!("{{permissions: [{{url_path: {{path: {{prefix: {path}}}}}}}], principals: [{ANY}]}}");
    let rules = format!("rules: {{policies: {{p: {}, p: {}}}}}", of("/"), of("/x"));
    let filters =
        format!("{}{}", jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]"), rbac_with(&rules));
    let became = migrate(&envoy(&filters, EVERY));
    let wanted = json!([{"match": {"prefix": "/x"}, "issuers": ["idp"], "scopes": []}]);
    assert_eq!(became.plugin["rules"], wanted, "{:?}", became.told);
}

#[test]
fn only_a_text_becomes_a_list_of_words() {
    let listed =
        "payload_in_metadata: claims\n        normalize_payload_in_metadata: {space_delimited_claims: [banned]}";
    let tokens = jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]");
    let tokens = tokens.replacen("payload_in_metadata: claims", listed, 1);
    let attribute = select(&["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "claims", "banned"]);
    let cel = |constant: &str| call("_==_", &[&attribute, &format!("{{const_expr: {{{constant}}}}}")]);
    let by_value = |value: &str| policies("DENY", &[(ANY, &claim("banned", value))]);
    let by_cel = |constant: &str| {
        policies("DENY", &[(ANY, ANY)]).replace("principals", &format!("condition: {}, principals", cel(constant)))
    };
    let words = "compares a claim of `space_delimited_claims` with something else than a text";
    for (denies, is_unclear) in [
        (by_value("{bool_match: true}"), true),
        (by_value("{double_match: {exact: 3}}"), true),
        (by_value("{or_match: {value_matchers: [{bool_match: true}, {string_match: {exact: x}}]}}"), true),
        (by_cel("bool_value: true"), true),
        // A list is no text.
        (by_value("{string_match: {exact: x}}"), false),
        (by_cel("string_value: x"), false),
    ] {
        let became = migrate(&envoy(&format!("{tokens}{denies}"), EVERY));
        assert_eq!(beside(&became).get("deny").is_some(), is_unclear, "{denies}: {:#}", became.told);
        assert_eq!(became.tells("denied", words), is_unclear, "{denies}: {:#}", became.told);
        assert_eq!(became.run.status, if is_unclear { 2 } else { 0 }, "{denies}: {:#}", became.told);
        assert_good(&became);
    }
}
