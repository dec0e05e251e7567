//! Policies of Istio without `targetRefs`, which are not for waypoints, and workloads of which it is not plain whether they are
//! gateways.

use crate::migrate_kubernetes::{Made, migrate_text};
use serde_json::{Value, json};

const SERVICE: &str = "targetRefs: [{group: '', kind: Service, name: cart}]";
const ENTRY: &str = "targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: out}]";
const GATEWAY: &str = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}]";
const CLASS: &str = "targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}]";
const OF_GATEWAY: &str = "selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: gw}}";
const ALL: &str = "";
const ADMIN: &str = "[{when: [{key: 'request.auth.claims[role]', values: [admin]}]}]";
const TOKEN: &str = "[{from: [{source: {requestPrincipals: ['*']}}]}]";
const METRICS: &str = "[{to: [{operation: {paths: [/metrics]}}]}]";

fn authentication(name: &str, target: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: {name}, namespace: shop}}
spec:
  jwtRules: [{{issuer: {name}, audiences: [x], jwksUri: http://keys.n.svc/{name}}}]
  {target}
---
"
    )
}

fn policy(name: &str, target: &str, action: &str, rules: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  action: {action}
  rules: {rules}
  {target}
---
"
    )
}

fn gateway(class: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: shop}}
spec: {{gatewayClassName: {class}}}
"
    )
}

fn says(made: &Made, kind: &str, part: &str) -> bool {
    made.findings.iter().any(|[own, _, what]| own == kind && what.contains(part))
}

/// The configuration of the gate for this target.
fn gate<'m>(made: &'m Made, kind: &str) -> &'m Value {
    let of_kind = |document: &&Value| {
        document["kind"] == "WasmPlugin" && document["spec"].to_string().contains(&format!("\"kind\":\"{kind}\""))
    };
    &made.documents.iter().find(of_kind).unwrap()["spec"]["pluginConfig"]
}

#[test]
fn a_policy_without_target_references_adds_nothing_at_a_waypoint() {
    for (target, kind, more) in [
        (SERVICE, "Service", String::new()),
        (ENTRY, "ServiceEntry", String::new()),
        (CLASS, "GatewayClass", String::new()),
        (GATEWAY, "Gateway", gateway("istio-waypoint")),
    ] {
        for beside in [ALL, OF_GATEWAY, "selector: {matchLabels: {app: cart}}"] {
            let own = authentication("a", target) + &policy("own", target, "ALLOW", ADMIN);
            let more = || more.clone();
            let wider = own.clone() + &policy("wide", beside, "ALLOW", TOKEN) + &more();
            let open = own.clone() + &policy("wide", beside, "ALLOW", METRICS) + &more();
            let issuer = own.clone() + &authentication("b", beside) + &more();
            let narrower = own + &policy("wide", beside, "DENY", METRICS) + &more();
            for text in [wider, open, issuer, narrower] {
                let made = migrate_text(&text);
                let gate = gate(&made, kind);
                let wanted = json!({"claims": [{"claim": "role", "contains": "admin"}]});
                assert_eq!((&gate["default"], gate.get("rules")), (&wanted, None), "{text}: {:#?}", made.findings);
                assert_eq!(gate["issuers"].as_array().unwrap().len(), 1, "{text}");
            }
        }
    }
}

#[test]
fn at_a_gateway_that_may_be_a_waypoint_only_what_passes_in_both_cases_passes() {
    let admin = || json!({"claims": [{"claim": "role", "contains": "admin"}]});
    let unsure = "holds for Gateway gw of namespace shop if that is no waypoint, which these files do not say";
    let own = |rules: &str| {
        let policies = if rules.is_empty() { String::new() } else { policy("own", GATEWAY, "ALLOW", rules) };
        authentication("a", GATEWAY) + &policies
    };
    for beside in [ALL, OF_GATEWAY] {
        for (text, default, rule, kind, then) in [
            (
                own(ADMIN) + &policy("w", beside, "ALLOW", TOKEN),
                admin(),
                None,
                "denied",
                "what it alone allowed is refused there",
            ),
            (
                own(ADMIN) + &policy("w", beside, "DENY", METRICS),
                admin(),
                Some(json!({"deny": true})),
                "stricter",
                "is taken to hold",
            ),
            // A policy that allows, alone, allows less than none.
            (
                own("") + &policy("w", beside, "ALLOW", TOKEN),
                json!({"scopes": []}),
                None,
                "stricter",
                "is taken to hold",
            ),
            (
                own("") + &policy("w", beside, "ALLOW", TOKEN) + &policy("v", beside, "ALLOW", METRICS),
                json!({"scopes": []}),
                Some(json!({"allow_missing": true})),
                "stricter",
                "is taken to hold",
            ),
            (
                own(ADMIN) + &policy("v", beside, "DENY", METRICS) + &policy("w", beside, "ALLOW", METRICS),
                admin(),
                Some(json!({"deny": true})),
                "denied",
                "what it alone allowed is refused there",
            ),
            (
                own(TOKEN) + &authentication("b", beside),
                json!({"issuers": ["a"]}),
                None,
                "denied",
                "the tokens of its issuers are refused there",
            ),
        ] {
            let made = migrate_text(&text);
            let gate = gate(&made, "Gateway");
            assert_eq!(gate["default"], default, "{text}: {:#?}", made.findings);
            let own = gate.get("rules").map(|rules| {
                let mut rule = rules[0].clone();
                let matching = rule.as_object_mut().unwrap().remove("match");
                assert_eq!((matching, rules.as_array().unwrap().len()), (Some(json!({"path": "/metrics"})), 1));
                rule
            });
            assert_eq!(own, rule, "{text}");
            assert!(says(&made, kind, unsure) && says(&made, kind, then), "{text}: {:#?}", made.findings);
        }
    }
    // At an edge it holds.
    let made = migrate_text(&(own(ADMIN) + &policy("w", ALL, "ALLOW", TOKEN) + &gateway("istio")));
    assert_eq!(gate(&made, "Gateway")["default"], json!({"scopes": []}), "{:#?}", made.findings);
    assert!(!says(&made, "denied", unsure), "{:#?}", made.findings);
}

#[test]
fn a_gateway_in_a_namespace_with_one_gate_for_all_is_told_as_a_loss() {
    let made = migrate_text(&(authentication("a", ALL) + &policy("p", ALL, "ALLOW", TOKEN)));
    let what = "all workloads of namespace shop: taken for sidecars (`match: [{mode: SERVER}]`). A gateway among them has no gate by this";
    assert!(made.run.status == 2 && says(&made, "denied", what), "{:#?}", made.findings);
}

#[test]
fn workloads_that_may_be_a_gateway_are_told_as_a_loss_unless_the_files_say_what_they_are() {
    let by = |namespace: &str, labels: &str| {
        let target = format!("selector: {{matchLabels: {labels}}}");
        let text = authentication("a", &target) + &policy("p", &target, "ALLOW", TOKEN);
        let claim = "{issuer: a, outputClaimToHeaders: [{header: x-user, claim: sub}]";
        text.replace("{issuer: a", claim).replace("namespace: shop", &format!("namespace: {namespace}"))
    };
    let of_istio = |selector: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: g, namespace: edge}}\nspec: {{selector: {selector}}}\n---\n"
        )
    };
    let pods = |namespace: &str, metadata: &str, container: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d, namespace: {namespace}}}\nspec: {{template: {{metadata: \
             {{{metadata}}}, spec: {{containers: [{container}]}}}}}}\n---\n"
        )
    };
    let of_app = |container: &str| pods("shop", "labels: {app: edge, v: a}", container);
    let app = "{image: registry.example.com/edge}";
    let injected = "annotations: {inject.istio.io/templates: gateway}, labels: {app: edge}";
    for (text, is_server, kind) in [
        (by("shop", "{app: edge}"), true, Some("denied")),
        (by("shop", "{app: edge}") + &of_istio("{istio: ingressgateway}"), true, Some("denied")),
        (by("shop", "{app: edge}") + &pods("other", "labels: {app: edge}", app), true, Some("denied")),
        (by("shop", "{app: edge}") + &pods("shop", "labels: {app: other}", app), true, Some("denied")),
        (by("istio-system", "{app: edge}") + &of_app(app), true, Some("denied")),
        // One of each.
        (by("shop", "{app: edge}") + &of_app(app) + &of_istio("{app: edge}"), true, Some("denied")),
        (by("shop", "{app: edge}") + &of_app(app), true, Some("note")),
        (by("shop", "{app: edge}") + &of_istio("{app: edge}"), false, None),
        (by("shop", "{app: edge, v: a}") + &of_istio("{app: edge}"), false, None),
        (by("shop", "{app: edge}") + &of_app("{image: auto}"), false, None),
        (by("shop", "{app: edge}") + &of_app("{args: [proxy, router]}"), false, None),
        (by("shop", "{app: edge}") + &pods("shop", injected, ""), false, None),
        (by("shop", "{istio: ingressgateway}"), false, None),
    ] {
        let made = migrate_text(&text);
        let plugin = made.documents.iter().find(|document| document["kind"] == "WasmPlugin").unwrap();
        let wanted = is_server.then(|| json!([{"mode": "SERVER"}]));
        assert_eq!(plugin["spec"].get("match"), wanted.as_ref(), "{text}");
        // A gateway chooses its routes before the gate.
        assert_eq!(made.documents.iter().any(|document| document["kind"] == "EnvoyFilter"), !is_server, "{text}");
        let own = made.findings.iter().find(|[_, _, what]| what.contains("taken for sidecars"));
        assert_eq!(own.map(|[kind, _, _]| kind.as_str()), kind, "{text}: {:#?}", made.findings);
        assert_eq!(made.run.status == 2, kind == Some("denied"), "{text}: {:#?}", made.findings);
    }
}
