//! Policies that depend on the tokens of another one: of Istio by labels, of Envoy Gateway by a merge. Nothing passes since
//! the tokens that they look at are judged elsewhere now.

use crate::migrate_kubernetes::{documents, migrate_text};
use serde_json::Value;

/// A `RequestAuthentication` for one target, and a policy for another; those with `app: x` are no gateway.
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
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: x, namespace: foo}}
spec: {{template: {{metadata: {{labels: {{app: x}}}}}}}}
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
        (X, ("bar", V1.1), "DENY", BY_PORT.to_owned(), open, "[]".to_owned(), 0),
        (X, ("bar", V1.1), "AUDIT", EVIL.to_owned(), open, "[]".to_owned(), 0),
        // The root namespace of the mesh may be this one.
        (X, ("bar", V1.1), "DENY", EVIL.to_owned(), open, "[]".to_owned(), 2),
        (X, ("bar", "selector: {}"), "ALLOW", ANY.to_owned(), open, "[]".to_owned(), 2),
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

#[test]
fn a_policy_of_what_may_be_the_root_namespace_is_told_as_a_loss() {
    let x = "selector: {matchLabels: {app: x}}";
    let rules = "[{from: [{source: {requestPrincipals: ['*']}}]}]";
    let made = migrate_text(&istio(x, ("mesh-root", ""), "ALLOW", rules));
    let what = "AuthorizationPolicy mesh-root/p: it looks at tokens, and no RequestAuthentication is for all workloads of namespace \
                mesh-root if `istio-system` is the root namespace of the mesh. If another one may be, give its policies with \
                `namespace: istio-system`";
    assert!(made.findings.iter().any(|[kind, _, own]| kind == "denied" && own.contains(what)), "{:#?}", made.findings);
    let made = migrate_text(&istio(x, ("istio-system", ""), "ALLOW", rules));
    assert_eq!(made.plugins[0]["default"], serde_json::json!({"scopes": []}), "{:#?}", made.findings);
}

#[test]
fn what_else_reads_what_the_old_policies_knew_of_a_token_is_told_as_a_loss() {
    let lua = "configPatches: [{patch: {value: {inlineCode: 'm = h:streamInfo():dynamicMetadata():get(\"envoy.filters.http.jwt_authn\")'}}}]";
    let by_claim = |claim: &str| format!("http: [{{match: [{{headers: {{'{claim}': {{exact: guest}}}}}}]}}]");
    let rbac = "configPatches: [{patch: {value: {filter: istio_authn}}}]";
    let patch = "jsonPatches: [{operation: {value: {filter: envoy.filters.http.jwt_authn}}}]";
    let format =
        "accessLogging: [{filter: {expression: 'metadata.filter_metadata[\"envoy.filters.http.jwt_authn\"] != null'}}]";
    let old = istio("selector: {matchLabels: {app: x}}", ("foo", "selector: {matchLabels: {app: x}}"), "ALLOW", "[{}]");
    for (version, kind, spec, told) in [
        (
            "networking.istio.io/v1",
            "VirtualService",
            by_claim("@request.auth.claims.role"),
            Some(("denied", "@request.auth")),
        ),
        ("networking.istio.io/v1", "VirtualService", by_claim("x-role"), None),
        ("networking.istio.io/v1alpha3", "EnvoyFilter", lua.to_owned(), Some(("denied", "jwt_authn"))),
        ("networking.istio.io/v1alpha3", "EnvoyFilter", rbac.to_owned(), Some(("denied", "istio_authn"))),
        ("gateway.envoyproxy.io/v1alpha1", "EnvoyPatchPolicy", patch.to_owned(), Some(("denied", "jwt_authn"))),
        ("telemetry.istio.io/v1", "Telemetry", format.to_owned(), Some(("changed", "jwt_authn"))),
        ("v1", "ConfigMap", lua.to_owned(), None),
    ] {
        let text = format!(
            "{old}---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: o, namespace: foo}}\nspec:\n  {spec}\n"
        );
        let made = migrate_text(&text);
        let about: Vec<&[String; 3]> =
            made.findings.iter().filter(|[_, _, what]| what.contains(&format!("{kind} foo/o: "))).collect();
        let is_told = match told {
            Some((kind, word)) => {
                let what = format!("it reads `{word}`, which is there only as long as the old policies judge tokens");
                about.len() == 1 && about[0][0] == kind && about[0][2].contains(&what)
            }
            None => about.is_empty(),
        };
        assert!(is_told, "{text}: {:#?}", made.findings);
        assert_eq!(
            made.run.status == 2,
            told.is_some_and(|(kind, _)| kind == "denied"),
            "{text}: {:#?}",
            made.findings
        );
    }
}
