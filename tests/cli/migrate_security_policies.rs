//! Small policies of Envoy Gateway, each with what it becomes, written by hand.

use crate::migrate_kubernetes::{Made, documents, migrate_text};

const JWT: &str = "jwt: {providers: [
    {name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}},
    {name: b, issuer: https://b, audiences: [x], remoteJWKS: {uri: 'https://b/keys'}}]}";

/// What becomes of a policy with these members.
fn made_of(members: &str) -> Made {
    migrate_text(&format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: p, namespace: n}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: g}}]
  {}",
        members.replace('\n', "\n  ")
    ))
}

#[test]
fn the_rule_that_is_first_decides_and_what_cannot_be_said_refuses() {
    let of = |name: &str, what: &str| format!("principal: {{jwt: {{provider: {name}, {what}}}}}");
    let (read, write, b) = (of("a", "scopes: [r]"), of("a", "scopes: [w]"), of("b", "scopes: [r]"));
    let banned = of("a", "claims: [{name: s, values: [x]}]");
    for (authorization, default, rules, status) in [
        ("{}".to_owned(), "{deny: true}", "[]", 0),
        ("{defaultAction: Allow}".to_owned(), "{scopes: []}", "[]", 0),
        (format!("{{rules: [{{action: Allow, {read}}}]}}"), "{issuers: [a], scopes: [r]}", "[]", 0),
        // One of two.
        (
            format!("{{rules: [{{action: Allow, {read}}}, {{action: Allow, {write}}}]}}"),
            "{issuers: [a], scopes: {any_of: [r, w]}}",
            "[]",
            0,
        ),
        (format!("{{rules: [{{action: Allow, {read}}}, {{action: Allow, {b}}}]}}"), "{scopes: [r]}", "[]", 0),
        (format!("{{rules: [{{action: Allow, {banned}}}, {{action: Allow, {b}}}]}}"), "{deny: true}", "[]", 2),
        // What comes before a Deny is allowed, and nothing after it.
        (
            format!("{{rules: [{{action: Allow, {read}}}, {{action: Deny, {banned}}}, {{action: Allow, {b}}}]}}"),
            "{issuers: [a], scopes: [r]}",
            "[]",
            2,
        ),
        (format!("{{defaultAction: Allow, rules: [{{action: Deny, {banned}}}]}}"), "{deny: true}", "[]", 2),
        (
            "{defaultAction: Allow, rules: [{action: Deny, operation: {methods: [DELETE]}}]}".to_owned(),
            "{deny: true}",
            "[{match: {methods: [CONNECT, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE]}, scopes: []}]",
            0,
        ),
        (
            "{defaultAction: Allow, rules: [{action: Deny, principal: {clientCIDRs: [10.0.0.0/8]}}]}".to_owned(),
            "{deny: true}",
            "[]",
            2,
        ),
        // An Allow that cannot be said allows nothing.
        ("{rules: [{action: Allow, principal: {clientCIDRs: [10.0.0.0/8]}}]}".to_owned(), "{deny: true}", "[]", 2),
        (
            "{rules: [{action: Allow, principal: {headers: [{name: x, values: [y]}]}}]}".to_owned(),
            "{deny: true}",
            "[]",
            2,
        ),
        (
            format!("{{rules: [{{action: Allow, {read}, operation: {{path: {{value: /a}}}}}}]}}"),
            "{deny: true}",
            "[]",
            2,
        ),
        (format!("{{rules: [{{action: Allow, {read}, cel: 'true'}}]}}"), "{deny: true}", "[]", 2),
        (format!("{{rules: [{{action: Allow, {}}}]}}", of("c", "scopes: [r]")), "{deny: true}", "[]", 2),
        (format!("{{rules: [{{action: Perhaps, {read}}}], defaultAction: Allow}}"), "{deny: true}", "[]", 2),
        (
            format!("{{rules: [{{action: Allow, {read}, operation: {{methods: [GET]}}}}]}}"),
            "{deny: true}",
            "[{match: {methods: [HEAD]}, deny: true}, {match: {methods: [GET]}, issuers: [a], scopes: [r]}]",
            0,
        ),
        // Claims.
        (
            format!(
                "{{rules: [{{action: Allow, {}}}]}}",
                of("a", "claims: [{name: a.b, values: [c, d]}, {name: e, valueType: StringArray, values: [f]}]")
            ),
            "{issuers: [a], claims: [{claim: [a, b], one_of: [c, d]}, {claim: e, contains: f}]}",
            "[]",
            0,
        ),
        (
            format!(
                "{{rules: [{{action: Allow, {}}}]}}",
                of("a", "claims: [{name: a, valueType: Regex, values: [c]}]")
            ),
            "{deny: true}",
            "[]",
            2,
        ),
        (
            format!("{{rules: [{{action: Allow, {}}}]}}", of("a", "claims: [{name: a, values: []}]")),
            "{deny: true}",
            "[]",
            2,
        ),
        (format!("{{rules: [{{action: Allow, {}}}]}}", of("a", "scopes: ['a b']")), "{deny: true}", "[]", 2),
    ] {
        let made = made_of(&format!("{JWT}\nauthorization: {authorization}"));
        let wanted = documents(&format!("{{d: {default}, r: {rules}}}")).remove(0);
        let rules = made.plugins[0].get("rules").cloned().unwrap_or_else(|| serde_json::json!([]));
        let own = (&made.plugins[0]["default"], &rules, made.run.status);
        assert_eq!(own, (&wanted["d"], &wanted["r"], status), "{authorization}");
    }
}

#[test]
fn a_policy_that_cannot_be_carried_over_lets_nobody_in() {
    for (members, default, status) in [
        (
            "jwt: {optional: true, providers: [{name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}}]}",
            Some("{allow_missing: true}"),
            0,
        ),
        (
            "jwt: {providers: [{name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}, requireExpiry: x}]}",
            Some("{deny: true}"),
            2,
        ),
        (
            "jwt: {strict: true, providers: [{name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}}]}",
            Some("{deny: true}"),
            2,
        ),
        (
            "jwt: {providers: [{name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}, extractFrom: {cookies: [t]}}]}",
            Some("{deny: true}"),
            2,
        ),
        (
            "mergeType: StrategicMerge\njwt: {providers: [{name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}}]}",
            Some("{deny: true}"),
            2,
        ),
        // Nobody is known, so no gate can be written.
        ("jwt: {providers: [{name: a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}}]}", None, 2),
        (
            "jwt: {providers: [{name: a, issuer: https://a, localJWKS: {valueRef: {kind: ConfigMap, name: keys}}}]}",
            None,
            2,
        ),
        ("jwt: {providers: [{name: a, issuer: https://a, localJWKS: {inline: 'no keys'}}]}", None, 2),
        ("jwt: {}", None, 2),
        ("apiKeyAuth: {credentialRefs: [{name: k}], extractFrom: [{headers: [x-key]}]}", None, 2),
        ("basicAuth: {users: {name: u}}", None, 2),
        // The one is good, and the other is missing.
        (
            "basicAuth: {users: {name: u}}\njwt: {providers: [{name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}}]}",
            Some("{deny: true}"),
            2,
        ),
    ] {
        let made = made_of(members);
        assert_eq!(made.run.status, status, "{members}: {:#?}", made.findings);
        let own = made.plugins.first().map(|plugin| &plugin["default"]);
        let wanted = default.map(|default| documents(default).remove(0));
        assert_eq!(own, wanted.as_ref(), "{members}");
    }
}

#[test]
fn what_a_method_is_refused_holds_for_it_in_every_letter_case() {
    let jwt = |scope: &str| format!("principal: {{jwt: {{provider: a, scopes: [{scope}]}}}}");
    let for_method = |action: &str, method: &str| format!("{{action: {action}, operation: {{methods: [{method}]}}}}");
    let (read, write) = (format!("{{action: Allow, {}}}", jwt("r")), jwt("w"));
    let deny = for_method("Deny", "DELETE");
    let denied_by_address =
        "{action: Deny, principal: {clientCIDRs: [10.0.0.0/8]}, operation: {methods: [DELETE]}}".to_owned();
    let write = |methods: &str| format!("{{action: Allow, {write}, operation: {{methods: [{methods}]}}}}");
    let rest = "[CONNECT, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE]";
    for (rules, by_default, default, wanted, passes_where) in [
        // A method that is none of HTTP's may be `delete`.
        (
            vec![deny.clone()],
            "Allow",
            "{deny: true}",
            format!("[{{match: {{methods: {rest}}}, scopes: []}}]"),
            "DELETE",
        ),
        (
            vec![deny.clone(), read.clone()],
            "Deny",
            "{deny: true}",
            format!("[{{match: {{methods: {rest}}}, issuers: [a], scopes: [r]}}]"),
            "DELETE",
        ),
        (
            vec![denied_by_address, read.clone()],
            "Deny",
            "{deny: true}",
            format!("[{{match: {{methods: {rest}}}, issuers: [a], scopes: [r]}}]"),
            "DELETE",
        ),
        (
            vec![for_method("Deny", "PROPFIND")],
            "Allow",
            "{deny: true}",
            "[{match: {methods: [CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE]}, scopes: []}]"
                .to_owned(),
            "PROPFIND",
        ),
        // What is asked of a named method is no more than what is asked of others.
        (
            vec![write("POST")],
            "Deny",
            "{deny: true}",
            "[{match: {methods: [POST]}, issuers: [a], scopes: [w]}]".to_owned(),
            "",
        ),
        (
            vec![read.clone(), write("POST")],
            "Deny",
            "{issuers: [a], scopes: [r]}",
            "[{match: {methods: [POST]}, issuers: [a], scopes: {any_of: [r, w]}}]".to_owned(),
            "",
        ),
        (vec![read, deny], "Deny", "{issuers: [a], scopes: [r]}", "[]".to_owned(), ""),
    ] {
        let authorization = format!("authorization: {{defaultAction: {by_default}, rules: [{}]}}", rules.join(", "));
        let made = made_of(&format!("{JWT}\n{authorization}"));
        let by_hand = documents(&format!("{{d: {default}, r: {wanted}}}")).remove(0);
        let own = made.plugins[0].get("rules").cloned().unwrap_or_else(|| serde_json::json!([]));
        assert_eq!((&made.plugins[0]["default"], &own), (&by_hand["d"], &by_hand["r"]), "{authorization}");
        let told: Vec<&str> = made
            .findings
            .iter()
            .filter(|[kind, path, what]| {
                kind == "stricter" && path == "spec.authorization" && what.contains("is another method now")
            })
            .map(|[_, _, what]| what.as_str())
            .collect();
        let [told] = told[..] else { panic!("{authorization}: {:#?}", made.findings) };
        let part = format!("such as PROPFIND, passes only where {passes_where} would");
        assert_eq!(told.contains(&part), !passes_where.is_empty(), "{authorization}: {told}");
    }
}

#[test]
fn a_scope_that_is_compared_as_text_is_met_by_no_token() {
    let of = |name: &str, claims: &str| format!("principal: {{jwt: {{provider: {name}, claims: [{claims}]}}}}");
    let text = "{name: scope, values: [read]}";
    let (never, also) = (of("a", text), of("a", &format!("{{name: s, values: [x]}}, {text}")));
    let (list, below) =
        (of("a", "{name: scope, valueType: StringArray, values: [read]}"), of("a", "{name: scope.x, values: [read]}"));
    let (allowed, refused) = ("this rule has never allowed anything", "this rule has never refused anything");
    for (authorization, default, told) in [
        (format!("{{rules: [{{action: Allow, {never}}}]}}"), "{deny: true}", Some(("note", allowed))),
        (format!("{{rules: [{{action: Allow, {also}}}]}}"), "{deny: true}", Some(("note", allowed))),
        (
            format!("{{rules: [{{action: Allow, {never}}}, {{action: Allow, {list}}}]}}"),
            "{issuers: [a], scopes: [read]}",
            Some(("note", allowed)),
        ),
        (
            format!("{{defaultAction: Allow, rules: [{{action: Deny, {never}}}]}}"),
            "{scopes: []}",
            Some(("let_through", refused)),
        ),
        (format!("{{rules: [{{action: Allow, {list}}}]}}"), "{issuers: [a], scopes: [read]}", None),
        (
            format!("{{rules: [{{action: Allow, {below}}}]}}"),
            "{issuers: [a], claims: [{claim: [scope, x], equals: read}]}",
            None,
        ),
    ] {
        let made = made_of(&format!("{JWT}\nauthorization: {authorization}"));
        assert_eq!(made.plugins[0]["default"], documents(default).remove(0), "{authorization}");
        assert_eq!(made.run.status, 0, "{authorization}: {:#?}", made.findings);
        let own = made.findings.iter().find(|[_, _, what]| what.contains("which is never equal to a text"));
        let is_told = match (told, own) {
            (Some((kind, part)), Some([own, path, what])) => {
                own == kind && path == "spec.authorization.rules[0].principal.jwt" && what.contains(part)
            }
            (told, own) => told.is_none() && own.is_none(),
        };
        assert!(is_told, "{authorization}: {:#?}", made.findings);
    }
}

#[test]
fn scopes_are_in_the_claim_that_every_version_of_envoy_gateway_reads() {
    let of = |principal: &str| {
        format!("authorization: {{rules: [{{action: Allow, principal: {{jwt: {{provider: a, {principal}}}}}}}]}}")
    };
    let list = "claims: [{name: scope, valueType: StringArray, values: [read]}]";
    for (principal, has_scopes, is_told, restore) in [
        ("scopes: [read]".to_owned(), true, true, true),
        // The claim by its name was never another one, so nothing restores both.
        (format!("scopes: [write], {list}"), true, true, false),
        (list.to_owned(), true, false, false),
        ("claims: [{name: s, values: [x]}]".to_owned(), false, false, false),
    ] {
        let made = made_of(&format!("{JWT}\n{}", of(&principal)));
        let wanted = if has_scopes { serde_json::json!(["scope"]) } else { serde_json::Value::Null };
        for issuer in made.plugins[0]["issuers"].as_array().unwrap() {
            assert_eq!(issuer["scope_claims"], wanted, "{principal}");
        }
        let own =
            made.findings.iter().find(|[kind, _, what]| kind == "stricter" && what.contains("scopes in `scp` too"));
        assert_eq!(own.is_some(), is_told, "{principal}: {:#?}", made.findings);
        let restores = made.run.stdout.contains("scope_claims: [scope, scp] of the issuer");
        assert_eq!(restores, restore, "{principal}: {}", made.run.stdout);
    }
}

#[test]
fn a_key_that_ends_in_a_line_break_was_never_accepted_and_is_left_out() {
    let of = |member: &str| {
        migrate_text(&format!(
            "apiVersion: v1
kind: Secret
metadata: {{name: k, namespace: n}}
{member}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: p, namespace: n}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: g}}]
  apiKeyAuth: {{credentialRefs: [{{name: k}}], extractFrom: [{{headers: [x-key]}}]}}"
        ))
    };
    for member in [
        "stringData: {alice: \"abcdefghijklmnopqrstuvwxyz0123\\n\", bob: abcdefghijklmnopqrstuvwxyz0124}",
        // `echo KEY | base64`, which is a frequent mistake.
        "data: {alice: YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzCg==, bob: YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTI0}",
    ] {
        let made = of(member);
        let identities = made.plugins[0]["credentials"][0]["identities"].as_array().unwrap();
        let names: Vec<&str> = identities.iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!((names, made.run.status), (vec!["bob"], 2), "{member}");
        let part = "the key of alice ends in a line break, which no request can send";
        let is_told = made.findings.iter().any(|[kind, _, what]| kind == "left_out" && what.contains(part));
        assert!(is_told, "{member}: {:#?}", made.findings);
    }
}
