//! Policies that depend on the tokens of another one: of Istio by labels, of Envoy Gateway by a merge. Nothing passes since
//! the tokens that they look at are judged elsewhere now.

use crate::migrate_kubernetes::{documents, migrate_text};
use serde_json::Value;

/// A `RequestAuthentication` for one target, and a policy for another.
fn istio(authentication: &str, (namespace, target): (&str, &str), action: &str, rules: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: ra, namespace: foo}}
spec:
  {authentication}
  jwtRules: [{{issuer: https://i.example, audiences: [x], jwksUri: http://a.n.svc/keys}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: p, namespace: {namespace}}}
spec:
  {target}
  action: {action}
  rules: {rules}
"
    )
}

#[test]
fn a_policy_by_other_labels_that_looks_at_tokens_opens_nothing() {
    const X: &str = "selector: {matchLabels: {app: x}}";
    const V1: (&str, &str) = ("foo", "selector: {matchLabels: {version: v1}}");
    const GATEWAY: &str = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}]";
    const CLASS: (&str, &str) =
        ("istio-system", "targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio}]");
    const SERVICE: (&str, &str) = ("foo", "targetRefs: [{group: '', kind: Service, name: s}]");
    const EVIL: &str = "[{from: [{source: {requestPrincipals: ['https://i.example/evil']}}]}]";
    const NOT_EVIL: &str = "[{from: [{source: {notRequestPrincipals: ['https://i.example/evil']}}]}]";
    const ANY: &str = "[{from: [{source: {requestPrincipals: ['*']}}]}]";
    const BY_PORT: &str = "[{to: [{operation: {ports: ['80']}}]}]";
    let of_path = |key: &str| {
        format!(
            "[{{to: [{{operation: {{paths: [/a]}}}}], when: [{{key: 'request.auth.claims[role]', {key}: [banned]}}]}}]"
        )
    };
    let open = "{allow_missing: true}";
    let a = |requirement: &str| format!("[{{match: {{path: /a}}, {requirement}}}]");
    for (authentication, beside, action, rules, default, wanted, status) in [
        (X, V1, "DENY", EVIL.to_owned(), "{deny: true}", "[]".to_owned(), 2),
        (GATEWAY, CLASS, "DENY", EVIL.to_owned(), "{deny: true}", "[]".to_owned(), 2),
        (GATEWAY, SERVICE, "DENY", EVIL.to_owned(), "{deny: true}", "[]".to_owned(), 2),
        (X, V1, "DENY", of_path("values"), open, a("deny: true"), 2),
        (X, V1, "ALLOW", NOT_EVIL.to_owned(), "{deny: true}", "[]".to_owned(), 2),
        (X, V1, "ALLOW", of_path("notValues"), open, a("deny: true"), 2),
        (X, V1, "CUSTOM", of_path("values"), open, a("deny: true"), 2),
        // Without a token Istio allows nothing by these, or refuses all.
        (X, V1, "ALLOW", ANY.to_owned(), open, "[]".to_owned(), 2),
        (X, V1, "DENY", of_path("notValues"), open, "[]".to_owned(), 2),
        // These look at no token, decide nothing, or are for workloads that the other cannot be.
        (X, V1, "DENY", BY_PORT.to_owned(), open, "[]".to_owned(), 0),
        (X, V1, "AUDIT", EVIL.to_owned(), open, "[]".to_owned(), 0),
        (X, ("foo", "selector: {matchLabels: {app: z}}"), "DENY", EVIL.to_owned(), open, "[]".to_owned(), 0),
        (X, ("bar", V1.1), "DENY", EVIL.to_owned(), open, "[]".to_owned(), 0),
    ] {
        let text = istio(authentication, beside, action, &rules);
        let made = migrate_text(&text);
        let wanted = documents(&format!("{{d: {default}, r: {wanted}}}")).remove(0);
        let own = made.plugins[0].get("rules").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        assert_eq!((&made.plugins[0]["default"], &own), (&wanted["d"], &wanted["r"]), "{text}");
        // A gate for the mesh may leave gateways without one, which is told too.
        assert_eq!(made.run.status, status, "{text}: {:#?}", made.findings);
        let says = |part: &str| made.findings.iter().any(|[_, _, what]| what.contains(part));
        assert_eq!(says("may be"), status == 2, "{text}: {:#?}", made.findings);
    }
}

#[test]
fn a_policy_that_is_merged_with_that_of_its_gateway_opens_nothing() {
    let gateway = "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: gw, namespace: foo}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw}]
  jwt: {providers: [{name: p, issuer: https://i.example, audiences: [x], remoteJWKS: {uri: 'https://i.example/keys'}}]}
---
";
    let route = |members: &str| {
        format!(
            "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: route, namespace: foo}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: r}}]
{members}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r, namespace: foo}}
spec: {{parentRefs: [{{name: gw}}]}}
"
        )
    };
    let banned = "  authorization:
    defaultAction: Allow
    rules: [{action: Deny, principal: {jwt: {provider: p, claims: [{name: role, values: [banned]}]}}}]";
    let by_address = "  authorization:
    defaultAction: Allow
    rules: [{action: Deny, principal: {clientCIDRs: [10.0.0.0/8]}}]";
    let merged = "  mergeType: StrategicMerge\n";
    for (members, is_closed) in [
        (format!("{merged}{banned}"), true),
        (banned.to_owned(), true),
        (format!("{merged}{by_address}"), false),
        (format!("{merged}  cors: {{allowOrigins: ['*']}}"), false),
    ] {
        let made = migrate_text(&format!("{gateway}{}", route(&members)));
        let says = |part: &str| made.findings.iter().any(|[_, _, what]| what.contains(part));
        assert!(!says("the route was open") && !says("is open, and no gate"), "{members}: {:#?}", made.findings);
        assert_eq!(made.run.status, if is_closed { 2 } else { 0 }, "{members}: {:#?}", made.findings);
        assert_eq!(made.plugins.len(), if is_closed { 2 } else { 1 }, "{members}");
        if is_closed {
            let of_route = made.documents.iter().find(|document| document["metadata"]["name"] == "scopegate-route");
            assert_eq!(of_route.unwrap()["spec"]["targetRefs"][0]["name"], "r");
            assert_eq!(made.plugins[1]["default"], serde_json::json!({"deny": true}), "{members}");
        }
        // Alone nothing is known of who may come: the policy stays.
        let alone = migrate_text(&route(&members));
        let is_kept = alone.findings.iter().any(|[kind, _, what]| kind == "denied" && what.contains("keep the policy"));
        assert_eq!((alone.plugins.len(), is_kept), (0, is_closed), "{members}: {:#?}", alone.findings);
    }
}
