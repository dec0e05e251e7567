//! Resources of Istio and Envoy Gateway that look at headers which a written gate removes or sets: each is told as a loss.

use crate::migrate_kubernetes::{Made, migrate_text};

const API_KEYS: &str = "apiKeyAuth: {credentialRefs: [{name: keys}], extractFrom: [{headers: [x-api-key]}]}";
const JWT: &str = "jwt: {providers: [{name: b, issuer: https://b, audiences: [x], remoteJWKS: {uri: 'https://b/keys'}, claimToHeaders: [{header: x-user, claim: sub}]}]}";

/// A policy of Envoy Gateway, and something beside it.
fn gateway(members: &str, beside: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: p, namespace: prod}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: r}}]
  {members}
---
apiVersion: v1
kind: Secret
metadata: {{name: keys, namespace: prod}}
stringData: {{alice: abcdefghijklmnopqrstuvwxyz0123}}
---
{beside}"
    )
}

/// A `RequestAuthentication` of Istio whose two rules have these members, and something beside it.
fn istio([first, second]: [&str; 2], beside: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: ra, namespace: prod}}
spec:
  selector: {{matchLabels: {{istio: ingressgateway}}}}
  jwtRules:
  - {{issuer: https://a, audiences: [x], jwksUri: 'http://a.n.svc/keys'{first}}}
  - {{issuer: https://b, audiences: [x], jwksUri: 'http://b.n.svc/keys'{second}}}
---
{beside}"
    )
}

/// A resource beside the policies.
fn resource(version: &str, kind: &str, spec: &str) -> String {
    format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: o, namespace: prod}}\nspec: {{{spec}}}\n")
}

/// What is told as a loss of the resource beside the policies.
fn losses<'m>(made: &'m Made, kind: &str) -> Vec<&'m str> {
    let title = format!("{kind} prod/o: ");
    let of_it = made.findings.iter().filter(|[own, _, what]| own == "denied" && what.starts_with(&title));
    of_it.map(|[_, _, what]| what.as_str()).collect()
}

/// Tells whether exactly these words are told of a resource, and the exit status is that of a loss.
fn assert_told(text: &str, kind: &str, words: &[&str]) {
    let made = migrate_text(text);
    let losses = losses(&made, kind);
    let is_told = words.iter().all(|word| losses.iter().any(|loss| loss.contains(word)));
    assert!(is_told && losses.len() == words.len(), "{text}{words:?}: {:#?}", made.findings);
    assert!(words.is_empty() || made.run.status == 2, "{text}{words:?}: {:#?}", made.findings);
}

const EG: &str = "gateway.envoyproxy.io/v1alpha1";
const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";
const NETWORKING: &str = "networking.istio.io/v1";
const KEY: &str = "it looks at the header `x-api-key`, which the gate before it removes once it has judged";
const TOKEN: &str = "it looks at the header `authorization`, which the gate before it removes once it has judged";
const USER: &str = "it looks at the header `x-user`, which the gate before it removes from every request of a client";

#[test]
fn what_limits_or_chooses_by_a_header_that_a_gate_of_envoy_gateway_changes_is_told_as_a_loss() {
    let limit = |name: &str| {
        format!(
            "rateLimit: {{type: Global, global: {{rules: [{{clientSelectors: [{{headers: [{{name: {name}, type: Distinct}}]}}]}}]}}}}"
        )
    };
    let route = |name: &str| format!("rules: [{{matches: [{{headers: [{{name: {name}, value: old}}]}}]}}]");
    let hash = "loadBalancer: {type: ConsistentHash, consistentHash: {type: Header, header: {name: x-api-key}}}";
    let edits = "parentRefs: [{name: g}], hostnames: [x-api-key.example], rules: [{filters: [{type: RequestHeaderModifier, \
                 requestHeaderModifier: {remove: [x-api-key], set: [{name: x-user, value: a}]}}, {type: CORS, cors: {allowHeaders: \
                 [authorization]}}], backendRefs: [{name: authorization, port: 80}]}]";
    let early = "headers: {earlyRequestHeaders: {remove: [x-user, x-api-key, authorization]}}";
    let by_header = "authorization: {defaultAction: Allow, rules: [{action: Deny, principal: {headers: [{name: X-Api-Key, values: [a]}]}}]}";
    let lua = "lua: [{type: Inline, inline: \"h:headers():get('x_user')\"}]";
    let wasm = |image: &str| {
        format!(
            "wasm: [{{name: w, code: {{type: Image, image: {{url: 'oci://r.example/{image}:1'}}}}, config: {{header: x-api-key}}}}]"
        )
    };
    let sanitized = API_KEYS.replace("]}]}", "]}], sanitize: true}");
    for (policy, version, kind, spec, told) in [
        (API_KEYS, EG, "BackendTrafficPolicy", limit("X-API-Key"), &[KEY][..]),
        (API_KEYS, EG, "BackendTrafficPolicy", limit("x-org"), &[]),
        (API_KEYS, EG, "BackendTrafficPolicy", hash.to_owned(), &[]),
        (&sanitized, EG, "BackendTrafficPolicy", limit("x-api-key"), &[]),
        (API_KEYS, GATEWAY_API, "HTTPRoute", route("x-api-key"), &[KEY]),
        (&sanitized, GATEWAY_API, "HTTPRoute", route("x-api-key"), &[KEY]),
        (API_KEYS, GATEWAY_API, "HTTPRoute", edits.to_owned(), &[]),
        (API_KEYS, EG, "ClientTrafficPolicy", early.to_owned(), &[]),
        (API_KEYS, EG, "SecurityPolicy", by_header.to_owned(), &[KEY]),
        (
            API_KEYS,
            EG,
            "EnvoyPatchPolicy",
            "jsonPatches: [{operation: {value: 'h:get(\"x-api-key\")'}}]".to_owned(),
            &[KEY],
        ),
        // A gate of an earlier run is no other reader.
        (API_KEYS, EG, "EnvoyExtensionPolicy", wasm("waf"), &[KEY]),
        (API_KEYS, EG, "EnvoyExtensionPolicy", wasm("scopegate"), &[]),
        // A limit for each user finds what it found; a route is chosen anew.
        (JWT, EG, "BackendTrafficPolicy", limit("x-user"), &[]),
        (JWT, EG, "BackendTrafficPolicy", limit("authorization"), &[TOKEN]),
        (JWT, GATEWAY_API, "GRPCRoute", route("X-User"), &[USER]),
        (JWT, GATEWAY_API, "HTTPRoute", edits.to_owned(), &[]),
        (JWT, EG, "EnvoyExtensionPolicy", lua.to_owned(), &[USER]),
    ] {
        assert_told(&gateway(policy, &resource(version, kind, &spec)), kind, told);
    }
}

#[test]
fn a_credential_that_is_injected_where_that_of_the_client_is_removed_is_told_as_a_loss() {
    const INJECTED: &str = "it puts a credential of its own into the header";
    let filter = |members: &str| format!("credentialInjection: {{{members}credential: {{valueRef: {{name: svc}}}}}}");
    let raw = "jsonPatches: [{operation: {value: {typed_config: {'@type': \
               type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector}}}}]";
    for (policy, kind, spec, told) in [
        (JWT, "HTTPRouteFilter", filter(""), &[INJECTED][..]),
        (JWT, "HTTPRouteFilter", filter("overwrite: false, "), &[INJECTED]),
        (JWT, "HTTPRouteFilter", filter("overwrite: true, "), &[]),
        (JWT, "HTTPRouteFilter", filter("header: x-service, "), &[]),
        (API_KEYS, "HTTPRouteFilter", filter("header: X-Api-Key, "), &[INJECTED]),
        (API_KEYS, "HTTPRouteFilter", filter(""), &[]),
        (JWT, "EnvoyPatchPolicy", raw.to_owned(), &[INJECTED]),
    ] {
        assert_told(&gateway(policy, &resource(EG, kind, &spec)), kind, told);
    }
}

#[test]
fn what_looks_at_a_header_that_a_gate_of_istio_changes_is_told_as_a_loss() {
    const FILTER: &str = "networking.istio.io/v1alpha3";
    const CODE: &str = "extensions.istio.io/v1alpha1";
    const SECURITY: &str = "security.istio.io/v1";
    const KEPT: [&str; 2] = [", forwardOriginalToken: true", ""];
    const TAKEN: [&str; 2] = ["", ""];
    const MADE: &str = ", outputClaimToHeaders: [{header: x-user, claim: sub}]";
    const OF_ONE: [&str; 2] = [MADE, ""];
    const PAYLOAD: [&str; 2] = [", outputPayloadToHeader: x-pl", ""];
    const HERE: &str = "workloadSelector: {labels: {istio: ingressgateway}}, ";
    const MAY: &str = "it runs code that is not in these files, and may look at the header `";
    let routed = |name: &str| format!("http: [{{match: [{{headers: {{{name}: {{exact: mallory}}}}}}]}}]");
    let without = "http: [{match: [{withoutHeaders: {x-user: {}}}]}]";
    let edits = "hosts: [authorization], http: [{match: [{uri: {prefix: /authorization}}], headers: {request: {remove: [x-user, \
                 authorization]}}, corsPolicy: {allowHeaders: [x-user, authorization]}, route: [{destination: {host: authorization}}]}]";
    let lua =
        |name: &str| format!("configPatches: [{{patch: {{value: {{inlineCode: 'h:headers():get(\"{name}\")'}}}}}}]");
    let removal = "configPatches: [{patch: {value: {mutations: [{remove: x-user}]}}}]";
    let wasm = "configPatches: [{patch: {value: {typed_config: {'@type': \
                type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm}}}}]";
    let plugin =
        |phase: &str| format!("selector: {{matchLabels: {{istio: ingressgateway}}}}, url: oci://x/waf, phase: {phase}");
    let by_header = |action: &str, name: &str| {
        format!("action: {action}, rules: [{{when: [{{key: 'request.headers[{name}]', values: [a]}}]}}]")
    };
    let elsewhere = |spec: &str| spec.replace("istio: ingressgateway", "istio: other");
    for (rules, version, kind, spec, told) in [
        ([MADE, MADE], NETWORKING, "VirtualService", routed("x-user"), &[USER][..]),
        ([MADE, MADE], NETWORKING, "VirtualService", without.to_owned(), &[USER]),
        (TAKEN, NETWORKING, "VirtualService", routed("authorization"), &[TOKEN]),
        ([MADE, MADE], NETWORKING, "VirtualService", edits.to_owned(), &[]),
        (KEPT, FILTER, "EnvoyFilter", lua("Authorization"), &[TOKEN]),
        (KEPT, FILTER, "EnvoyFilter", HERE.to_owned() + &lua("authorization"), &[TOKEN]),
        (KEPT, FILTER, "EnvoyFilter", elsewhere(&(HERE.to_owned() + &lua("authorization"))), &[]),
        (KEPT, FILTER, "EnvoyFilter", wasm.to_owned(), &[MAY]),
        // The old policies removed these tokens, too.
        (TAKEN, FILTER, "EnvoyFilter", lua("authorization"), &[]),
        (TAKEN, FILTER, "EnvoyFilter", wasm.to_owned(), &[]),
        ([MADE, MADE], FILTER, "EnvoyFilter", removal.to_owned(), &[]),
        ([MADE, MADE], FILTER, "EnvoyFilter", lua("x-user"), &[USER]),
        (PAYLOAD, CODE, "WasmPlugin", plugin("AUTHZ"), &["may look at the header `x-pl`"]),
        (OF_ONE, CODE, "WasmPlugin", plugin("STATS"), &["may look at the header `x-user`"]),
        (OF_ONE, CODE, "WasmPlugin", elsewhere(&plugin("STATS")), &[]),
        (OF_ONE, CODE, "WasmPlugin", plugin("AUTHN").replace("waf", "scopegate:1"), &[]),
        ([MADE, MADE], CODE, "WasmPlugin", plugin("AUTHZ"), &[]),
        (TAKEN, CODE, "WasmPlugin", plugin("AUTHN"), &["may look at the header `authorization`"]),
        (KEPT, CODE, "TrafficExtension", "wasm: {url: oci://x/waf}".to_owned(), &[MAY]),
        // Policies without tokens stay.
        (KEPT, SECURITY, "AuthorizationPolicy", by_header("CUSTOM", "authorization"), &[]),
        ([MADE, MADE], SECURITY, "AuthorizationPolicy", by_header("CUSTOM", "x-user"), &[USER]),
    ] {
        assert_told(&istio(rules, &resource(version, kind, &spec)), kind, told);
    }
    // At a sidecar no route is chosen.
    let sidecar = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: prod}\nspec: {template: {metadata: {labels: {app: x}}}}\n";
    let text = istio([MADE, MADE], &resource(NETWORKING, "VirtualService", &routed("x-user")));
    assert_told(&(text.replace("istio: ingressgateway", "app: x") + sidecar), "VirtualService", &[]);
    // One for workloads that may be the same ones by other labels is judged behind the gate.
    let of_version = |name: &str| "selector: {matchLabels: {version: v1}}, ".to_owned() + &by_header("DENY", name);
    for (rules, name, told) in [
        (KEPT, "authorization", &[TOKEN][..]),
        (TAKEN, "authorization", &[]),
        (OF_ONE, "x-user", &[USER]),
        ([MADE, MADE], "x-user", &[]),
    ] {
        let text = istio(rules, &resource(SECURITY, "AuthorizationPolicy", &of_version(name)));
        assert_told(&text, "AuthorizationPolicy", told);
    }
}
