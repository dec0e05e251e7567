//! The resources for Envoy Gateway, handed to Envoy as Envoy Gateway hands them over: the configuration as JSON in a
//! `StringValue`, the module as remote code that Envoy Gateway serves, the filter off and switched on by route.

use crate::keys::KeyServer;
use crate::support::client::{Response, get, request};
use crate::support::envoy::{Envoy, cluster, listener, module, root};
use crate::support::issuer::{Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use crate::support::yaml;
use scopegate::crypto::{Algorithm, sha256};
use serde_json::{Value, json};

fn resource(file: &str, kind: &str) -> Value {
    let documents = yaml::documents(&root().join("envoy/gateway").join(file));
    documents.into_iter().find(|document| document["kind"] == kind).unwrap()
}

/// The filter that Envoy Gateway makes of a policy, under this name.
fn filter(policy: &Value, name: &str) -> Value {
    let wasm = &policy["spec"]["wasm"][0];
    let digest = sha256(&std::fs::read(module()).unwrap());
    let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    json!({
        "name": name,
        "disabled": true,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": wasm["name"],
                "root_id": wasm["rootID"],
                "fail_open": wasm["failOpen"],
                "configuration":
                    { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": wasm["config"].to_string() },
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "remote": {
                        "http_uri": { "uri": "https://envoy-gateway:18002/module.wasm", "cluster": "wasm_cluster", "timeout": "10s" },
                        "sha256": digest,
                    } },
                },
            },
        },
    })
}

/// The word of Envoy's for an action of Envoy Gateway's: `DropHeader` is `DROP_HEADER`.
fn action(word: &Value) -> String {
    let mut name = String::new();
    for letter in word.as_str().unwrap().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Switches a filter on.
fn on(filter: &str) -> Value {
    json!({ filter: { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {} } })
}

#[test]
fn a_gateway_and_one_of_its_routes_do_what_their_policies_say() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::start(KeyServer::keys(&issuer));
    let upstream = Server::echo(0).unwrap();
    let bytes = std::fs::read(module()).unwrap();
    let served = Server::start(0, move |_| Answer { status: 200, headers: Vec::new(), body: bytes.clone() }).unwrap();
    let (whole, one) = ("envoy.filters.http.wasm/whole", "envoy.filters.http.wasm/one");
    let filters = [
        filter(&resource("gateway.yaml", "EnvoyExtensionPolicy"), whole),
        filter(&resource("route.yaml", "EnvoyExtensionPolicy"), one),
    ];
    let matches = &resource("route.yaml", "HTTPRoute")["spec"]["rules"][0]["matches"];
    let [prefix, metadata] = [0, 1].map(|index| &matches[index]["path"]["value"]);
    let routes = json!([
        { "match": { "path_separated_prefix": prefix }, "route": { "cluster": "upstream" }, "typed_per_filter_config": on(one) },
        { "match": { "path": metadata }, "route": { "cluster": "upstream" }, "typed_per_filter_config": on(one) },
        { "match": { "prefix": "/" }, "route": { "cluster": "upstream" }, "typed_per_filter_config": on(whole) },
    ]);
    // What the resources say of headers and paths: ClientTrafficPolicy.
    let traffic = &resource("issuer.yaml", "ClientTrafficPolicy")["spec"];
    let headers = &traffic["headers"];
    let removed = headers["earlyRequestHeaders"]["remove"].as_array().unwrap().iter();
    let manager = json!({
        "path_with_escaped_slashes_action": action(&traffic["path"]["escapedSlashesAction"]),
        "common_http_protocol_options": { "headers_with_underscores_action": action(&headers["withUnderscoresAction"]) },
        "early_header_mutation_extensions": [{
            "name": "early",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                "mutations": removed.map(|name| json!({ "remove": name })).collect::<Vec<_>>(),
            },
        }],
    });
    // The issuer's cluster is that of the bootstrap, but for its address and TLS.
    let patch = &resource("issuer.yaml", "EnvoyProxy")["spec"]["bootstrap"]["jsonPatches"][0];
    assert_eq!((&patch["op"], &patch["path"]), (&"add".into(), &"/static_resources/clusters/-".into()));
    let issuers = cluster(patch["value"]["name"].as_str().unwrap(), keys.server.address);
    let clusters = [issuers, cluster("upstream", upstream.address), cluster("wasm_cluster", served.address)];
    let gate = listener("gate", &filters, &routes, &json!({}), &manager);
    let envoy = Envoy::try_start(&json!({ "listeners": [gate], "clusters": clusters }), 2)
        .unwrap_or_else(|log| panic!("{log}"));

    let ask = |method: &str, target: &str, audience: &str, scope: &str, issued: i64| -> Response {
        let token = issuer.token(issued).claim("iss", "https://idp.example.com/").claim("aud", audience).scope(scope);
        let bearer = format!("Bearer {}", token.claim("exp", issued + 600).sign());
        request(envoy.address(), method, target, &[("authorization", &bearer)])
    };
    let api = "https://api.example.com";
    eventually("the module was fetched", || get(envoy.address(), "/healthz", &[]).status == 200);
    let echoed = ask("GET", "/orders/1", api, "orders:read", now()).echoed();
    assert_eq!((echoed.headers("x-auth-subject"), echoed.headers("authorization")), (vec!["alice"], vec![]));
    assert_eq!(ask("POST", "/orders/1", api, "orders:read", now()).status, 403);
    assert_eq!(ask("POST", "/orders/1", api, "orders:write", now()).status, 200);
    let challenge = "Bearer realm=\"example\", scope=\"orders:read\"";
    assert_eq!(get(envoy.address(), "/orders/1", &[]).header("www-authenticate"), Some(challenge));
    assert_eq!(ask("GET", "/other", api, "orders:write", now()).status, 403, "forgotten, so closed");
    assert_eq!(get(envoy.address(), "/healthz?id_token=x", &[]).status, 400);

    let payments = "https://payments.example.com";
    let refused = get(envoy.address(), "/payments/1", &[]);
    let challenge = "Bearer realm=\"payments\", scope=\"payments:write\", \
                     resource_metadata=\"https://payments.example.com/.well-known/oauth-protected-resource\"";
    assert_eq!(refused.header("www-authenticate"), Some(challenge));
    let told = get(envoy.address(), metadata.as_str().unwrap(), &[("host", "payments.example.com")]);
    assert_eq!(told.status, 200);
    let told: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!((&told["resource"], &told["scopes_supported"]), (&json!(payments), &json!(["payments:write"])));
    assert_eq!(ask("GET", "/payments/1", payments, "payments:write", now()).status, 200);
    assert_eq!(ask("GET", "/payments/1", payments, "orders:write", now()).status, 403);
    assert_eq!(
        ask("GET", "/payments/1", payments, "payments:write", now() - 400).status,
        401,
        "older than five minutes"
    );
    assert_eq!(
        ask("GET", "/payments/1", api, "payments:write", now()).status,
        401,
        "for the gateway, not for this route"
    );
    assert_eq!(ask("GET", "/orders/1", payments, "orders:read", now()).status, 401);
    // The filter takes out what looks like an identity header by itself; a header that does not shows what Envoy does.
    let sent = [("x-auth-subject", "admin"), ("x_auth_subject", "admin"), ("x_other", "a")];
    let echoed = get(envoy.address(), "/healthz", &sent).echoed();
    for (name, _) in sent {
        assert!(echoed.headers(name).is_empty(), "{name}: {echoed:?}");
    }
    // On a route of the rules the filter would refuse the path too, with its own body.
    let answer = ask("GET", "/other%2fb", api, "", now());
    assert_eq!((answer.status, answer.body.as_str()), (400, ""), "Envoy refuses escaped slashes by itself");
}

#[test]
fn the_issuers_cluster_of_the_bootstrap_is_one_that_envoy_takes() {
    let patch = &resource("issuer.yaml", "EnvoyProxy")["spec"]["bootstrap"]["jsonPatches"][0];
    let envoy = Envoy::start(&json!({ "listeners": [], "clusters": [patch["value"]] }));
    assert!(!envoy.log().contains("error initializing"));
}
