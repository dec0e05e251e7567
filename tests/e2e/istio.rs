//! The resources for Istio, handed to Envoy as Istio hands them over: the plugin configuration as JSON in a
//! `StringValue`, through ECDS, without a `vm_id`, and the cluster by Istio's name for it.
//!
//! What becomes of a resource is that of pilot/pkg/model/extensions.go and
//! pilot/pkg/networking/core/extension/extensionfilter.go. On its way to Envoy the module's address becomes a file.

use crate::keys::KeyServer;
use crate::support::client::{Response, get, get_with, request};
use crate::support::envoy::{Envoy, cluster, listener, merge, module, root};
use crate::support::issuer::{AUDIENCE, Issuer, Token, now};
use crate::support::server::Server;
use crate::support::xds::{Folder, extension};
use crate::support::yaml;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

fn resources(file: &str) -> Vec<Value> {
    yaml::documents(&root().join("envoy/istio").join(file))
}

/// The Wasm part of a `WasmPlugin` or a `TrafficExtension`.
fn wasm(resource: &Value) -> &Value {
    if resource["kind"] == "TrafficExtension" { &resource["spec"]["wasm"] } else { &resource["spec"] }
}

/// What Istio makes of it: the name of the filter, and its `PluginConfig`.
fn handed_over(resource: &Value) -> (String, Value) {
    let metadata = &resource["metadata"];
    let name = format!("{}.{}", metadata["namespace"].as_str().unwrap(), metadata["name"].as_str().unwrap());
    let wasm = wasm(resource);
    let policy = match wasm["failStrategy"].as_str() {
        Some("FAIL_RELOAD") => "FAIL_RELOAD",
        Some("FAIL_OPEN") => "FAIL_OPEN",
        _ => "FAIL_CLOSED",
    };
    let plugin = json!({
        "name": name,
        "root_id": wasm["pluginName"],
        "configuration":
            { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": wasm["pluginConfig"].to_string() },
        "failure_policy": policy,
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": module().to_string_lossy() } },
            "environment_variables": { "key_values": {
                "ISTIO_META_WASM_IMAGE_PULL_POLICY": wasm["imagePullPolicy"],
                "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": "1",
            } },
        },
    });
    (name, plugin)
}

struct World {
    envoy: Envoy,
    issuer: Issuer,
    _servers: (KeyServer, Server, Folder),
}

impl World {
    fn start(resource: &Value, routes: &Value, connection_manager: &Value) -> Self {
        Self::before(&[], resource, routes, connection_manager)
    }

    /// With these filters after ours.
    fn before(behind: &[Value], resource: &Value, routes: &Value, connection_manager: &Value) -> Self {
        let (name, plugin) = handed_over(resource);
        let files = Folder::new();
        files.put("ecds.json", &[extension(&name, &plugin)]);
        let filter = json!({
            "name": name,
            "config_discovery": {
                "config_source": files.source("ecds.json"),
                "type_urls": [
                    "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
                ],
            },
        });
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let keys = KeyServer::start(KeyServer::keys(&issuer));
        let upstream = Server::echo(0).unwrap();
        let issuers = cluster("outbound|443||idp.example.com", keys.server.address);
        let filters = [&[filter], behind].concat();
        let gate = listener("gate", &filters, routes, &json!({}), connection_manager);
        let resources = json!({ "listeners": [gate], "clusters": [issuers, cluster("upstream", upstream.address)] });
        let envoy = Envoy::try_start(&resources, 2).unwrap_or_else(|log| panic!("{log}"));
        Self { envoy, issuer, _servers: (keys, upstream, files) }
    }

    fn token(&self, scope: &str) -> Token<'_> {
        self.issuer.token(now()).claim("iss", "https://idp.example.com/").claim("aud", AUDIENCE).scope(scope)
    }

    fn ask(&self, method: &str, target: &str, scope: &str) -> Response {
        let bearer = format!("Bearer {}", self.token(scope).sign());
        request(self.envoy.address(), method, target, &[("authorization", &bearer)])
    }
}

/// The routes of a gateway, as Istio names them, with the patches of the `EnvoyFilter` merged in.
fn gateway_routes() -> Value {
    let mut routes = json!([
        { "name": "orders", "match": { "path_separated_prefix": "/orders" }, "route": { "cluster": "upstream" } },
        { "name": "everything", "match": { "prefix": "/" }, "route": { "cluster": "upstream" } },
    ]);
    let patch = &resources("route-metadata.yaml")[0]["spec"]["configPatches"][0];
    assert_eq!((&patch["applyTo"], &patch["patch"]["operation"]), (&"HTTP_ROUTE".into(), &"MERGE".into()));
    let name = &patch["match"]["routeConfiguration"]["vhost"]["route"]["name"];
    let route = routes.as_array_mut().unwrap().iter_mut().find(|route| route["name"] == *name).unwrap();
    merge(route, &patch["patch"]["value"]);
    routes
}

/// What the second `EnvoyFilter` merges into the connection manager.
fn connection_manager() -> Value {
    let patch = &resources("route-metadata.yaml")[1]["spec"]["configPatches"][0];
    assert_eq!((&patch["applyTo"], &patch["patch"]["operation"]), (&"NETWORK_FILTER".into(), &"MERGE".into()));
    patch["patch"]["value"]["typed_config"].clone()
}

#[test]
fn a_gateway_does_what_its_resources_say() {
    for file in ["gateway.wasmplugin.yaml", "gateway.trafficextension.yaml"] {
        let world = World::start(&resources(file)[0], &gateway_routes(), &connection_manager());
        let refused = get(world.envoy.address(), "/orders/1", &[]);
        assert_eq!(
            (refused.status, refused.header("www-authenticate")),
            (401, Some("Bearer realm=\"example\", scope=\"orders:read\"")),
            "{file}: what the route needs came by the EnvoyFilter"
        );
        let echoed = world.ask("GET", "/orders/1", "orders:read").echoed();
        assert_eq!(
            (echoed.headers("x-auth-subject"), echoed.headers("x-auth-scope")),
            (vec!["alice"], vec!["orders:read"])
        );
        assert!(echoed.headers("authorization").is_empty(), "{file}");
        assert_eq!(world.ask("POST", "/orders/1", "orders:read").status, 403, "{file}");
        assert_eq!(world.ask("POST", "/orders/1", "orders:write").status, 200, "{file}");
        assert_eq!(world.ask("GET", "/reports", "orders:read").status, 403, "{file}: by a rule");
        assert_eq!(world.ask("GET", "/reports", "admin").status, 200, "{file}");
        let closed = world.ask("GET", "/anything", "admin");
        assert_eq!((closed.status, closed.header("www-authenticate")), (403, None), "{file}: forgotten, so closed");
        assert_eq!(get(world.envoy.address(), "/healthz", &[]).status, 200, "{file}");
        assert_eq!(get(world.envoy.address(), "/healthz?access_token=x", &[]).status, 400, "{file}");
        let foreign = world.token("").claim("aud", "https://other.example.com").sign();
        assert_eq!(get_with(world.envoy.address(), "/reports", &foreign).status, 401, "{file}");
        let forged = [("x-auth-subject", "admin"), ("x_auth_subject", "admin")];
        let echoed = get(world.envoy.address(), "/healthz", &forged).echoed();
        assert!(echoed.headers("x-auth-subject").is_empty() && echoed.headers("x_auth_subject").is_empty(), "{file}");
        assert!(!world.envoy.log().contains("panicked"), "{file}");
    }
}

#[test]
fn a_sidecar_does_what_its_resources_say() {
    // A sidecar has one route for what comes in.
    let routes = json!([{ "name": "default", "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    for file in ["sidecar.wasmplugin.yaml", "sidecar.trafficextension.yaml"] {
        let world = World::start(&resources(file)[0], &routes, &json!({}));
        assert_eq!(world.ask("GET", "/orders/1", "orders:read").echoed().headers("x-auth-scope"), ["orders:read"]);
        assert_eq!(world.ask("PUT", "/orders/1", "orders:read").status, 403, "{file}");
        assert_eq!(world.ask("PUT", "/orders/1", "orders:write").status, 200, "{file}");
        let refused = get(world.envoy.address(), "/orders", &[]);
        let challenge = "Bearer realm=\"orders\", scope=\"orders:read\"";
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(challenge)), "{file}");
        let closed = world.ask("GET", "/metrics", "orders:write");
        assert_eq!((closed.status, closed.header("www-authenticate")), (403, None), "{file}: no rule, so closed");
    }
}

/// What Istio makes of a `RequestAuthentication` of the same issuer, with a token required, after our filter.
fn request_authentication(keys: &str) -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "idp": {
                "issuer": "https://idp.example.com/",
                "forward": true,
                "remote_jwks": { "http_uri": { "uri": keys, "cluster": "outbound|443||idp.example.com", "timeout": "1s" } },
            } },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "idp" } }],
        },
    })
}

#[test]
fn a_request_authentication_behind_the_filter_sees_a_token_only_where_it_is_kept() {
    let behind = [request_authentication("http://idp.example.com/jwks.json")];
    for (token, status) in [("strip", 401), ("keep", 200)] {
        let mut resource = resources("gateway.wasmplugin.yaml")[0].clone();
        resource["spec"]["pluginConfig"]["forward"]["token"] = token.into();
        let world = World::before(&behind, &resource, &gateway_routes(), &connection_manager());
        let answer = world.ask("GET", "/orders/1", "orders:read");
        assert_eq!(
            (answer.status, answer.body.contains("Jwt is missing")),
            (status, status == 401),
            "{token}: {answer:?}"
        );
        if token == "keep" {
            assert_eq!(answer.echoed().headers("x-auth-subject"), ["alice"]);
        }
    }
}

#[test]
fn a_plugin_configuration_that_is_refused_lets_nothing_pass() {
    let mut resource = resources("gateway.wasmplugin.yaml")[0].clone();
    resource["spec"]["pluginConfig"]["issuers"][0]["audience"] = "https://api.example.com".into();
    let (name, plugin) = handed_over(&resource);
    let files = Folder::new();
    files.put("ecds.json", &[extension(&name, &plugin)]);
    let filter = json!({ "name": name, "config_discovery": {
        "config_source": files.source("ecds.json"),
        "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
    } });
    let upstream = Server::echo(0).unwrap();
    let gate = listener("gate", &[filter], &gateway_routes(), &json!({}), &json!({}));
    let issuers = cluster("outbound|443||idp.example.com", upstream.address);
    let envoy =
        Envoy::start(&json!({ "listeners": [gate], "clusters": [issuers, cluster("upstream", upstream.address)] }));
    envoy.wait_for_log("configuration refused: issuers[0].audience: is not a field; did you mean `audiences`?");
    let answer = crate::support::client::try_send(envoy.address(), b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(answer.as_ref().is_none_or(|answer| answer.status == 500), "{answer:?}");
}
