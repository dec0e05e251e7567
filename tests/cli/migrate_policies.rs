//! Small policies of Istio, each with the rules that it becomes, written by hand.

use crate::migrate_kubernetes::{documents, migrate_text};
use serde_json::{Value, json};

/// An issuer of a workload, and what its policies say.
fn with(policies: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: a, namespace: n}}
spec:
  selector: {{matchLabels: {{istio: ingressgateway}}}}
  jwtRules:
  - {{issuer: https://a, audiences: [x], jwksUri: http://a.n.svc/keys}}
  - {{issuer: https://b, audiences: [x], jwksUri: http://b.n.svc/keys}}
{policies}"
    )
}

/// A policy with these rules.
fn policy(action: &str, rules: &str) -> String {
    format!(
        "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: n}}\nspec:\n  selector: \
         {{matchLabels: {{istio: ingressgateway}}}}\n  action: {action}\n  rules: {rules}\n"
    )
}

/// `default` and `rules` that come of it, and the exit status.
fn made_of(policies: &str) -> (Value, Value, i32) {
    let made = migrate_text(&with(policies));
    let plugin = &made.plugins[0];
    (plugin["default"].clone(), plugin.get("rules").cloned().unwrap_or_else(|| json!([])), made.run.status)
}

const ANY: &str = "[{from: [{source: {requestPrincipals: ['*']}}]}]";

#[test]
fn each_part_of_a_policy_becomes_its_requirement() {
    for (allowed, default, rules, status) in [
        // No policy, an empty one, one that allows all.
        ("", "{allow_missing: true}", "[]", 0),
        ("[]", "{deny: true}", "[]", 0),
        ("[{}]", "{allow_missing: true}", "[]", 0),
        (ANY, "{scopes: []}", "[]", 0),
        // Request principals.
        ("[{from: [{source: {requestPrincipals: ['https://a/*']}}]}]", "{issuers: [https://a]}", "[]", 0),
        ("[{from: [{source: {requestPrincipals: ['https://a/*', 'https://b/*']}}]}]", "{scopes: []}", "[]", 0),
        ("[{from: [{source: {requestPrincipals: ['https://*']}}]}]", "{scopes: []}", "[]", 0),
        (
            "[{from: [{source: {requestPrincipals: ['https://a/u', 'https://a/v']}}]}]",
            "{issuers: [https://a], claims: [{claim: sub, one_of: [u, v]}]}",
            "[]",
            0,
        ),
        ("[{from: [{source: {requestPrincipals: ['*/u']}}]}]", "{claims: [{claim: sub, equals: u}]}", "[]", 0),
        ("[{from: [{source: {requestPrincipals: ['https://c/*']}}]}]", "{deny: true}", "[]", 0),
        ("[{from: [{source: {requestPrincipals: ['https://a/u*']}}]}]", "{deny: true}", "[]", 2),
        ("[{from: [{source: {requestPrincipals: ['*u']}}]}]", "{deny: true}", "[]", 2),
        ("[{from: [{source: {notRequestPrincipals: ['*']}}]}]", "{deny: true}", "[]", 2),
        ("[{from: [{source: {notRequestPrincipals: ['https://c/u*x*']}}]}]", "{allow_missing: true}", "[]", 0),
        // Alternatives that differ in one thing, and in two.
        (
            "[{from: [{source: {requestPrincipals: ['https://a/u']}}, {source: {requestPrincipals: ['https://b/v']}}]}]",
            "{deny: true}",
            "[]",
            2,
        ),
        // Sources beside tokens.
        ("[{from: [{source: {principals: ['*']}}]}]", "{deny: true}", "[]", 2),
        ("[{from: [{source: {requestPrincipals: ['*'], notNamespaces: [x]}}]}]", "{deny: true}", "[]", 2),
        (
            "[{from: [{source: {requestPrincipals: ['*']}}, {source: {remoteIpBlocks: [10.0.0.0/8]}}]}]",
            "{scopes: []}",
            "[]",
            2,
        ),
        // Conditions.
        ("[{when: [{key: 'request.auth.claims[iss]', values: [https://b]}]}]", "{issuers: [https://b]}", "[]", 0),
        ("[{when: [{key: 'request.auth.claims[sub]', values: ['*']}]}]", "{scopes: []}", "[]", 0),
        ("[{when: [{key: 'request.auth.principal', values: ['*']}]}]", "{scopes: []}", "[]", 0),
        ("[{when: [{key: request.auth.audiences, values: [u, z]}]}]", "{audiences: [u, z]}", "[]", 0),
        ("[{when: [{key: request.auth.presenter, values: [app]}]}]", "{claims: [{claim: azp, equals: app}]}", "[]", 0),
        (
            "[{when: [{key: 'request.auth.claims[realm_access][roles]', values: [r]}]}]",
            "{claims: [{claim: [realm_access, roles], contains: r}]}",
            "[]",
            0,
        ),
        (
            "[{when: [{key: 'request.auth.claims[scope]', values: [r]}, {key: 'request.auth.claims[scope]', values: [s, t]}]}]",
            "{scopes: {all_of: [r, {any_of: [s, t]}]}}",
            "[]",
            0,
        ),
        ("[{when: [{key: 'request.auth.claims[x]', values: ['a*']}]}]", "{deny: true}", "[]", 2),
        ("[{when: [{key: 'request.auth.claims[x]', notValues: [a]}]}]", "{deny: true}", "[]", 2),
        ("[{when: [{key: 'request.auth.claims[x', values: [a]}]}]", "{deny: true}", "[]", 2),
        ("[{when: [{key: source.ip, values: [10.0.0.1]}]}]", "{deny: true}", "[]", 2),
        ("[{when: [{key: 'request.auth.claims[x]'}]}]", "{deny: true}", "[]", 2),
        // Operations. GET covers HEAD in Scopegate.
        (
            "[{to: [{operation: {methods: [GET]}}]}]",
            "{deny: true}",
            "[{match: {methods: [HEAD]}, deny: true}, {match: {methods: [GET]}, allow_missing: true}]",
            0,
        ),
        (
            "[{to: [{operation: {methods: [GET, HEAD]}}]}]",
            "{deny: true}",
            "[{match: {methods: [GET, HEAD]}, allow_missing: true}]",
            0,
        ),
        ("[{to: [{operation: {methods: [get]}}]}]", "{deny: true}", "[]", 2),
        (
            "[{to: [{operation: {notMethods: [POST]}}]}]",
            "{allow_missing: true}",
            "[{match: {methods: [POST]}, deny: true}]",
            0,
        ),
        (
            "[{to: [{operation: {paths: ['/a*'], notPaths: ['/ab']}}]}]",
            "{deny: true}",
            "[{match: {path: /ab}, deny: true}, {match: {prefix: /a}, allow_missing: true}]",
            0,
        ),
        (
            "[{to: [{operation: {paths: ['/a/{*}/b']}}]}]",
            "{deny: true}",
            "[{match: {template: /a/*/b}, allow_missing: true}]",
            0,
        ),
        (
            "[{to: [{operation: {paths: ['*.css']}}]}]",
            "{deny: true}",
            "[{match: {template: /**.css}, allow_missing: true}]",
            0,
        ),
        ("[{to: [{operation: {paths: ['*a/b']}}]}]", "{deny: true}", "[]", 2),
        ("[{to: [{operation: {paths: ['/a//b']}}]}]", "{deny: true}", "[]", 2),
        (
            "[{to: [{operation: {paths: ['/a', '/x;y']}}]}]",
            "{deny: true}",
            "[{match: {path: /a}, allow_missing: true}]",
            2,
        ),
        ("[{to: [{operation: {paths: ['*'], notPaths: ['*a/b']}}]}]", "{deny: true}", "[]", 2),
        (
            "[{to: [{operation: {hosts: ['*.example.com']}}]}]",
            "{deny: true}",
            "[{match: {host: '*.example.com'}, allow_missing: true}]",
            0,
        ),
        ("[{to: [{operation: {hosts: ['example.*']}}]}]", "{deny: true}", "[]", 2),
        ("[{to: [{operation: {notPorts: ['80']}}]}]", "{deny: true}", "[]", 2),
    ] {
        let policies = if allowed.is_empty() { String::new() } else { policy("ALLOW", allowed) };
        let (own_default, own_rules, own_status) = made_of(&policies);
        let wanted = documents(&format!("{{d: {default}, r: {rules}}}")).remove(0);
        assert_eq!((&own_default, &own_rules, own_status), (&wanted["d"], &wanted["r"], status), "{allowed}");
    }
}

#[test]
fn what_a_policy_refuses_is_refused_as_narrowly_as_it_can_be_said() {
    for (refused, default, rules, status) in [
        ("[]", "{scopes: []}", "[]", 0),
        ("[{}]", "{deny: true}", "[]", 0),
        (
            "[{to: [{operation: {paths: ['/a*'], notPaths: [/ab]}}]}]",
            "{scopes: []}",
            "[{match: {path: /ab}, scopes: []}, {match: {prefix: /a}, deny: true}]",
            0,
        ),
        (
            "[{to: [{operation: {paths: ['/a*'], methods: [GET]}}]}]",
            "{scopes: []}",
            "[{match: {prefix: /a, methods: [HEAD]}, scopes: []}, {match: {prefix: /a, methods: [GET]}, deny: true}]",
            0,
        ),
        (
            "[{from: [{source: {notRequestPrincipals: ['https://a/*']}}], to: [{operation: {paths: [/a]}}]}]",
            "{scopes: []}",
            "[{match: {path: /a}, issuers: [https://a]}]",
            0,
        ),
        (
            "[{to: [{operation: {paths: [/a]}}], when: [{key: 'request.auth.claims[x]', notValues: [v, w]}]}]",
            "{scopes: []}",
            "[{match: {path: /a}, claims: [{claim: x, one_of: [v, w]}]}]",
            0,
        ),
        // Issuers that are not there.
        ("[{from: [{source: {requestPrincipals: ['https://c/*']}}]}]", "{scopes: []}", "[]", 0),
        // Wider than it was, never narrower.
        (
            "[{from: [{source: {requestPrincipals: ['https://a/u']}}], to: [{operation: {paths: [/a]}}]}]",
            "{scopes: []}",
            "[{match: {path: /a}, deny: true}]",
            2,
        ),
        (
            "[{from: [{source: {namespaces: [x]}}], to: [{operation: {paths: [/a]}}]}]",
            "{scopes: []}",
            "[{match: {path: /a}, deny: true}]",
            2,
        ),
        ("[{from: [{source: {namespaces: [x]}}]}]", "{deny: true}", "[]", 2),
        ("[{to: [{operation: {paths: [/a], ports: ['80']}}]}]", "{scopes: []}", "[{match: {path: /a}, deny: true}]", 2),
        (
            "[{to: [{operation: {paths: ['*a/b'], methods: [POST]}}]}]",
            "{scopes: []}",
            "[{match: {methods: [POST]}, deny: true}]",
            2,
        ),
        (
            "[{to: [{operation: {paths: ['/a*'], notPaths: ['*a/b']}}]}]",
            "{scopes: []}",
            "[{match: {prefix: /a}, deny: true}]",
            2,
        ),
        // A condition that can be said beside one that cannot: who meets it passes.
        (
            "[{from: [{source: {notRequestPrincipals: ['https://a/*'], namespaces: [x]}}]}]",
            "{issuers: [https://a]}",
            "[]",
            0,
        ),
        // A template that reaches into a prefix, and a prefix that reaches into a template.
        (
            "[{from: [{source: {notRequestPrincipals: ['https://a/*']}}], to: [{operation: {paths: ['/a/{*}/b', '/a/c*']}}]}, {to: [{operation: {paths: ['/a/c*']}}]}]",
            "{scopes: []}",
            "[{match: {template: /a/*/b}, deny: true}, {match: {prefix: /a/c}, deny: true}]",
            2,
        ),
        (
            "[{to: [{operation: {paths: ['/a/{*}/b']}}]}]",
            "{scopes: []}",
            "[{match: {template: /a/*/b}, deny: true}]",
            0,
        ),
    ] {
        let (own_default, own_rules, own_status) = made_of(&(policy("ALLOW", ANY) + &policy("DENY", refused)));
        let wanted = documents(&format!("{{d: {default}, r: {rules}}}")).remove(0);
        assert_eq!((&own_default, &own_rules, own_status), (&wanted["d"], &wanted["r"], status), "{refused}");
    }
}

#[test]
fn policies_of_other_actions_and_in_wrong_forms_open_nothing() {
    for (policies, default, status) in [
        (policy("AUDIT", "[{}]") + &policy("ALLOW", ANY), "{scopes: []}", 0),
        (policy("CUSTOM", "[{to: [{operation: {paths: [/a]}}]}]") + &policy("ALLOW", ANY), "{scopes: []}", 0),
        (
            policy("CUSTOM", "[{from: [{source: {requestPrincipals: ['*']}}]}]") + &policy("ALLOW", ANY),
            "{deny: true}",
            2,
        ),
        (policy("PERMIT", "[{}]"), "{deny: true}", 2),
        (policy("ALLOW", "everything"), "{deny: true}", 2),
        (policy("ALLOW", "[null]"), "{deny: true}", 2),
        (policy("ALLOW", "[{from: everyone}]"), "{deny: true}", 2),
        (policy("ALLOW", "[{to: [{operation: {}}]}]"), "{deny: true}", 2),
        (policy("ALLOW", "[{to: [{operation: {paths: {a: b}}}]}]"), "{deny: true}", 2),
        (policy("ALLOW", "[{unless: x}]"), "{deny: true}", 2),
        (policy("DENY", "5"), "{deny: true}", 2),
        (policy("DENY", "[[]]"), "{deny: true}", 2),
        (policy("DENY", "[{to: [5]}]"), "{deny: true}", 2),
        (policy("ALLOW", "[{to: [{operation: {paths: [5]}}]}]"), "{deny: true}", 2),
    ] {
        let (own, _, own_status) = made_of(&policies);
        assert_eq!((&own, own_status), (&documents(default)[0], status), "{policies}");
    }
}

#[test]
fn what_is_refused_within_what_is_allowed_is_refused_still() {
    let of = |paths: &str| format!("[{{to: [{{operation: {{paths: [{paths}]}}}}]}}]");
    for (allowed, refused, allow, deny) in [
        ("'/a/{**}'", "'/a/{*}'", "template: /a/**", "template: /a/*"),
        ("'/{**}'", "'/{*}'", "template: /**", "template: /*"),
        ("'/{**}'", "'/{*}/b'", "template: /**", "template: /*/b"),
        ("'/{**}'", "'/a/{**}'", "template: /**", "template: /a/**"),
        ("'/a/{**}'", "'/a/{*}/{**}'", "template: /a/**", "template: /a/*/**"),
        ("'/{**}'", "'*.css'", "template: /**", "template: /**.css"),
        ("'/a/*'", "'/a/{*}'", "prefix: /a/", "template: /a/*"),
        ("'/a/{*}'", "'/a/b'", "template: /a/*", "path: /a/b"),
    ] {
        let (default, rules, status) = made_of(&(policy("ALLOW", &of(allowed)) + &policy("DENY", &of(refused))));
        let wanted = format!(
            "{{d: {{deny: true}}, r: [{{match: {{{deny}}}, deny: true}}, {{match: {{{allow}}}, allow_missing: true}}]}}"
        );
        let wanted = documents(&wanted).remove(0);
        assert_eq!((&default, &rules, status), (&wanted["d"], &wanted["r"], 0), "{allowed} but for {refused}");
    }
}

#[test]
fn items_of_a_list_of_one_kind_need_not_repeat_it() {
    let listed = |version: &str, kind: &str, item: &str| {
        format!(
            "---\n{{apiVersion: {version}, kind: {kind}List, items: [{{metadata: {{name: p, namespace: shop}}, spec: {item}}}]}}\n"
        )
    };
    let istio = "security.istio.io/v1";
    let gateway = "selector: {matchLabels: {istio: ingressgateway}}";
    let authentications = listed(
        istio,
        "RequestAuthentication",
        &format!("{{{gateway}, jwtRules: [{{issuer: https://a, audiences: [x], jwksUri: http://a.n.svc/keys}}]}}"),
    );
    let policies = listed(istio, "AuthorizationPolicy", &format!("{{{gateway}, rules: {ANY}}}"));
    let made = migrate_text(&(authentications + &policies));
    assert_eq!((&made.plugins[0]["default"], made.run.status), (&json!({"scopes": []}), 0), "{:#?}", made.findings);
    let of_gateway = "{targetRefs: [{kind: Gateway, name: g}], jwt: {providers: [{name: a, issuer: https://a, audiences: [x], \
                      remoteJWKS: {uri: 'https://a/keys'}}]}}";
    let made = migrate_text(&listed("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy", of_gateway));
    assert_eq!((&made.plugins[0]["default"], made.run.status), (&json!({"scopes": []}), 0), "{:#?}", made.findings);
}

#[test]
fn a_policy_of_an_unknown_version_is_not_passed_over_in_silence() {
    for version in ["apiVersion: security.istio.example/v1\n", "apiVersion: v1\n", ""] {
        let unknown = policy("ALLOW", ANY).replace("apiVersion: security.istio.io/v1\n", version);
        let made = migrate_text(&with(&unknown));
        let is_told = |[kind, _, what]: &[String; 3]| {
            kind == "denied"
                && what.contains(
                    "AuthorizationPolicy default/p: it is not read: its `apiVersion` is not of security.istio.io",
                )
        };
        assert!(made.run.status == 2 && made.findings.iter().any(is_told), "{version}: {:#?}", made.findings);
    }
}

#[test]
fn a_policy_only_reports_where_istio_reads_its_annotation_as_true() {
    for (value, is_dry) in [
        ("'true'", true),
        ("'True'", true),
        ("'TRUE'", true),
        ("'t'", true),
        ("'T'", true),
        ("'1'", true),
        ("'yes'", false),
        ("'Y'", false),
        ("'on'", false),
        ("'tRUE'", false),
        ("' true'", false),
        ("'false'", false),
        ("''", false),
    ] {
        let name = format!("name: p, annotations: {{istio.io/dry-run: {value}}}");
        let (default, _, status) = made_of(&policy("ALLOW", ANY).replace("name: p", &name));
        let wanted = if is_dry { json!({"allow_missing": true}) } else { json!({"scopes": []}) };
        assert_eq!((default, status), (wanted, 0), "{value}");
    }
}

#[test]
fn a_claim_that_istio_splits_at_spaces_equals_no_value_with_a_space() {
    let text = |rules: &str| {
        with("").replace("jwksUri: http://a.n.svc/keys", "jwksUri: http://a.n.svc/keys, spaceDelimitedClaims: [perms]")
            + rules
    };
    let when = |claim: &str, values: &str| format!("[{{when: [{{key: 'request.auth.claims{claim}', {values}}}]}}]");
    for (claim, action, values, default, status) in [
        ("[permission]", "ALLOW", "values: ['read write']", "{deny: true}", 2),
        ("[perms]", "ALLOW", "values: ['read write']", "{deny: true}", 2),
        ("[perms]", "ALLOW", "values: ['']", "{deny: true}", 2),
        ("[perms]", "ALLOW", "values: ['read write', read]", "{claims: [{claim: perms, equals: read}]}", 2),
        ("[permission]", "ALLOW", "values: [read]", "{claims: [{claim: permission, equals: read}]}", 0),
        ("[permission]", "DENY", "notValues: ['read write']", "{deny: true}", 2),
        ("[perms]", "DENY", "notValues: ['read write']", "{deny: true}", 2),
        ("[perms]", "DENY", "values: ['read write']", "{deny: true}", 2),
        // These are not split.
        ("[title]", "ALLOW", "values: ['read write']", "{claims: [{claim: title, equals: read write}]}", 0),
        ("[a][perms]", "ALLOW", "values: ['r w']", "{claims: [{claim: [a, perms], equals: r w}]}", 0),
    ] {
        let rules = when(claim, values);
        let made = migrate_text(&text(&policy(action, &rules)));
        let wanted = documents(default).remove(0);
        let own = (&made.plugins[0]["default"], made.run.status);
        assert_eq!(own, (&wanted, status), "{action} {rules}: {:#?}", made.findings);
        let says = |part: &str| made.findings.iter().any(|[kind, _, what]| kind == "denied" && what.contains(part));
        assert_eq!(
            says("that no requirement says: who has it is refused"),
            status == 2,
            "{rules}: {:#?}",
            made.findings
        );
    }
}

#[test]
fn a_list_of_hosts_tells_which_other_forms_of_a_host_are_the_same_now() {
    let port = "the port in the host of a request does not count now, nor does a dot at its end, and counted before";
    let dot = "a dot at the end of a host does not count now, and counted before";
    for (action, operation, told) in [
        ("ALLOW", "hosts: [a.com]", Some(port)),
        ("ALLOW", "hosts: [a.com, 'a.com:*']", Some(dot)),
        ("ALLOW", "hosts: ['*.a.com']", Some(port)),
        ("ALLOW", "hosts: ['*.a.com', '*.a.com:*']", Some(dot)),
        ("DENY", "notHosts: [a.com, 'a.com:*']", Some(dot)),
        ("ALLOW", "hosts: ['*']", None),
        ("ALLOW", "paths: [/a]", None),
    ] {
        let rules = format!("[{{to: [{{operation: {{{operation}}}}}]}}]");
        let made = migrate_text(&with(&policy(action, &rules)));
        let own: Vec<&str> = made
            .findings
            .iter()
            .filter(|[kind, _, what]| kind == "changed" && what.contains("counted before"))
            .map(|[_, _, what]| what.as_str())
            .collect();
        let is_told = told.map_or(own.is_empty(), |told| own.len() == 1 && own[0].ends_with(told));
        assert!(is_told, "{operation}: {:#?}", made.findings);
    }
    let help = crate::world::run(&["migrate", "--help"], &crate::world::folder()).stdout;
    assert!(help.contains("in Istio a host with another port or a dot at its end"), "{help}");
}

#[test]
fn a_policy_that_stays_is_told_on_which_side_of_the_gate_it_is_asked() {
    let rules = "[{to: [{operation: {paths: [/a]}}]}]";
    let beside = |action: &str| policy(action, rules).replace("istio: ingressgateway", "version: v1");
    for (policies, told) in [
        (policy("CUSTOM", rules), "Istio asks it before the gate"),
        (beside("CUSTOM"), "Istio asks it before the gate"),
        (beside("DENY"), "Istio asks it after the gate"),
    ] {
        let made = migrate_text(&with(&policies));
        let told = made.findings.iter().find(|[kind, _, what]| kind == "note" && what.contains(told));
        assert!(told.is_some(), "{policies}: {:#?}", made.findings);
    }
}
