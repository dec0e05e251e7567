//! Envoy's filters as the table of `scopegate check` has them: which ask for the route, and which clear the route
//! cache. Each stands alone before the gate; what `check` says of the chain is compared with what Envoy does.

use crate::chain::{around, errors, filter, lua};
use crate::support::client::{head, send};
use crate::support::envoy::{Envoy, Gate, cluster, minor_version};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::server::{Answer, Server};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

/// What a request without scopes met at a gate that edits nothing.
#[derive(Debug, PartialEq)]
enum Met {
    /// The route that it was judged by served it.
    Judged,
    /// The gate saw the route that would serve it.
    Refused,
    /// Another route served it than it was judged by.
    Other,
}

struct World {
    issuer: Issuer,
    upstream: Server,
    authority: Server,
}

impl World {
    fn new() -> Self {
        // What an authority answers: a header that chooses the route.
        let answer = Answer { headers: vec![("x-go".to_owned(), "admin".to_owned())], ..Answer::status(200) };
        let authority = Server::start(0, move |_| answer.clone()).unwrap();
        Self { issuer: Issuer::new(Algorithm::Es256, "a"), upstream: Server::echo(0).unwrap(), authority }
    }

    fn clusters(&self) -> Value {
        json!([cluster("upstream", self.upstream.address), cluster("authority", self.authority.address)])
    }

    fn gate(&self, name: String) -> Gate {
        let configuration = json!({
            "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": self.issuer.jwks() } }],
            "forward": { "token": "keep" },
        });
        // One virtual machine for all of them.
        let plugin = json!({ "vm_config": { "vm_id": "filters" } });
        Gate { name: name.leak(), plugin, ..Gate::new(configuration) }.routes(routes())
    }

    /// Given each gate, with these filters before it, and says what `check` finds in it.
    fn probe(&self, chains: &[(&str, Vec<Value>)], with_body: bool) -> Vec<(Met, bool)> {
        let listener = |(name, before): &(&str, Vec<Value>)| around(before, &self.gate((*name).to_owned()), &[]);
        let listeners: Vec<Value> = chains.iter().map(listener).collect();
        let envoy = Envoy::shared(&json!({ "listeners": listeners, "clusters": self.clusters() }));
        let token = self.issuer.token(now()).scope("").claim("go", "admin").sign();
        let headers = [
            ("authorization", &*format!("Bearer {token}")),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("x-method", "call"),
        ];
        let probe = |(listener, (name, _)): (&Value, &(&str, Vec<Value>))| {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"call","m":"call","params":{}}"#;
            let length = ("content-length", &*body.len().to_string());
            let request = [head("POST", "/y", &[&headers[..], &[length]].concat()), body.as_bytes().to_vec()].concat();
            let request = if with_body { request } else { head("GET", "/y", &headers) };
            let answer = send(envoy.listener(name), &request);
            let met = match answer.status {
                403 => Met::Refused,
                _ if answer.echoed().headers("x-route") == ["other"] => Met::Judged,
                _ => Met::Other,
            };
            let found = errors(&json!({ "listeners": [listener], "clusters": self.clusters() }));
            (met, found.contains(&"route-stale"))
        };
        listeners.iter().zip(chains).map(probe).collect()
    }
}

/// One route for everything, and before it one that needs a scope for each way to be chosen.
fn routes() -> Value {
    let exact = |text: &str| json!({ "string_match": { "exact": text } });
    let admin = |matching: Value| json!({ "match": matching, "route": { "cluster": "upstream" }, "metadata": { "filter_metadata": { "scopegate": { "scopes": ["admin"] } } } });
    let header = |name: &str, value: &str| json!([{ "name": name, "string_match": { "exact": value } }]);
    let method = |namespace: &str, key: &str, value: &str| json!([{ "filter": namespace, "path": [{ "key": key }], "value": exact(value) }]);
    json!([
        admin(json!({ "prefix": "/admin" })),
        admin(json!({ "prefix": "/", "headers": header("x-go", "admin") })),
        admin(json!({ "prefix": "/", "headers": header("x-envoy-ip-tags", "near") })),
        admin(json!({ "prefix": "/", "dynamic_metadata": method("demo", "m", "call") })),
        admin(json!({ "prefix": "/", "dynamic_metadata": method("envoy.filters.http.mcp", "method", "call") })),
        admin(json!({ "prefix": "/", "dynamic_metadata": method("mcp_proxy", "method", "call") })),
        admin(json!({ "prefix": "/", "filter_state": [{ "key": "demo", "string_match": { "exact": "call" } }] })),
        { "match": { "prefix": "/" }, "route": { "cluster": "upstream" }, "request_headers_to_add": [{ "header": { "key": "x-route", "value": "other" } }] },
    ])
}

fn percent(numerator: u32) -> Value {
    json!({ "default_value": { "numerator": numerator, "denominator": "HUNDRED" } })
}

fn http_service() -> Value {
    json!({
        "server_uri": { "uri": "http://127.0.0.1", "cluster": "authority", "timeout": "5s" },
        "authorization_response": { "allowed_upstream_headers": { "patterns": [{ "exact": "x-go" }] } },
    })
}

fn set_go() -> Value {
    json!({ "append": { "header": { "key": "x-go", "value": "admin" }, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" } })
}

/// Since 1.37 it clears where it is told to.
fn state(clear: bool) -> Value {
    let entry = json!({ "object_key": "demo", "factory_key": "envoy.string", "format_string": { "text_format_source": { "inline_string": "call" } } });
    let mut state = json!({ "on_request_headers": [entry] });
    if clear {
        state["clear_route_cache"] = true.into();
    }
    state
}

fn to_metadata() -> Value {
    json!({ "request_rules": [{ "header": "x-method", "on_header_present": { "metadata_namespace": "demo", "key": "m" } }] })
}

fn from_json() -> Value {
    let value = json!({ "metadata_namespace": "demo", "key": "m" });
    json!({ "request_rules": { "rules": [{ "selectors": [{ "key": "m" }], "on_present": value }] } })
}

fn tags() -> Value {
    json!({ "request_type": "BOTH", "ip_tags": [{ "ip_tag_name": "near", "ip_list": [{ "address_prefix": "127.0.0.0", "prefix_len": 8 }] }] })
}

#[test]
fn a_filter_asks_for_the_route_where_the_table_says_so() {
    needs_wasm!();
    let enabled = percent(0);
    let mut filters = vec![
        ("cors", filter("cors.v3.Cors", json!({}))),
        ("csrf", filter("csrf.v3.CsrfPolicy", json!({ "filter_enabled": enabled }))),
        ("fault", filter("fault.v3.HTTPFault", json!({}))),
        ("rbac", filter("rbac.v3.RBAC", json!({}))),
        ("buffer", filter("buffer.v3.Buffer", json!({ "max_request_bytes": 1024 }))),
        ("local_ratelimit", filter("local_ratelimit.v3.LocalRateLimit", json!({ "stat_prefix": "l" }))),
        ("jwt_authn", filter("jwt_authn.v3.JwtAuthentication", json!({}))),
        (
            "ext_authz",
            filter("ext_authz.v3.ExtAuthz", json!({ "http_service": http_service(), "filter_enabled": enabled })),
        ),
        ("header_mutation", filter("header_mutation.v3.HeaderMutation", json!({ "mutations": {} }))),
        ("header_to_metadata", filter("header_to_metadata.v3.Config", json!({ "request_rules": [] }))),
        ("set_filter_state", filter("set_filter_state.v3.Config", json!({ "on_request_headers": [] }))),
        ("set_metadata", filter("set_metadata.v3.Config", json!({}))),
        (
            "health_check",
            filter(
                "health_check.v3.HealthCheck",
                json!({ "pass_through_mode": false, "headers": [{ "name": ":path", "string_match": { "exact": "/health" } }] }),
            ),
        ),
        ("grpc_stats", filter("grpc_stats.v3.FilterConfig", json!({}))),
    ];
    if minor_version() >= 40 {
        filters.push(("transform", filter("transform.v3.TransformConfig", json!({}))));
    }
    let to_admin = || lua("h:headers():replace(':path', '/admin/x')");
    let mut chains: Vec<(&str, Vec<Value>)> = vec![("nothing", vec![to_admin()])];
    chains.extend(filters.iter().map(|(name, filter)| (*name, vec![to_admin(), filter.clone()])));
    let met = World::new().probe(&chains, false);
    let mut differences = Vec::new();
    for ((name, _), (met, stale)) in chains.iter().zip(&met) {
        // `check` does not know the version: it counts a filter as asking where all versions do.
        let asks_now = *name == "set_metadata" && minor_version() >= 37;
        let wanted = if *stale && !asks_now { Met::Other } else { Met::Refused };
        if *met != wanted {
            differences
                .push(format!("{name}: {met:?}, and check finds {}", if *stale { "a stale route" } else { "nothing" }));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    let asking = met.iter().filter(|(met, _)| *met == Met::Refused).count();
    assert!(asking >= 10 && met[0].0 == Met::Other, "{met:?}");
}

#[test]
fn a_filter_clears_the_route_cache_where_the_table_says_so() {
    needs_wasm!();
    let world = World::new();
    let provider = |clear: bool| {
        json!({ "providers": { "p": {
            "issuer": ISSUER, "forward": true, "local_jwks": { "inline_string": world.issuer.jwks().to_string() },
            "claim_to_headers": [{ "header_name": "x-go", "claim_name": "go" }], "clear_route_cache": clear,
        } }, "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "p" } }] })
    };
    let authz = |clear: bool| json!({ "http_service": http_service(), "clear_route_cache": clear });
    let quiet_lua = || {
        let source = "function envoy_on_request(h) h:headers():replace('x-go', 'admin') end";
        filter("lua.v3.Lua", json!({ "default_source_code": { "inline_string": source }, "clear_route_cache": false }))
    };
    let mut chains = vec![
        ("lua", vec![lua("h:headers():replace('x-go', 'admin')")]),
        ("lua-quiet", vec![quiet_lua()]),
        ("ext_authz", vec![filter("ext_authz.v3.ExtAuthz", authz(true))]),
        ("ext_authz-quiet", vec![filter("ext_authz.v3.ExtAuthz", authz(false))]),
        ("jwt_authn", vec![filter("jwt_authn.v3.JwtAuthentication", provider(true))]),
        ("jwt_authn-quiet", vec![filter("jwt_authn.v3.JwtAuthentication", provider(false))]),
        ("set_filter_state-quiet", vec![filter("set_filter_state.v3.Config", state(false))]),
        (
            "header_mutation",
            vec![filter(
                "header_mutation.v3.HeaderMutation",
                json!({ "mutations": { "request_mutations": [set_go()] } }),
            )],
        ),
        ("header_to_metadata", vec![filter("header_to_metadata.v3.Config", to_metadata())]),
        (
            "set_metadata",
            vec![filter(
                "set_metadata.v3.Config",
                json!({ "metadata": [{ "metadata_namespace": "demo", "value": { "m": "call" } }] }),
            )],
        ),
        ("json_to_metadata", vec![filter("json_to_metadata.v3.JsonToMetadata", from_json())]),
        ("ip_tagging", vec![filter("ip_tagging.v3.IPTagging", tags())]),
    ];
    if minor_version() >= 37 {
        chains.push(("set_filter_state", vec![filter("set_filter_state.v3.Config", state(true))]));
    }
    if minor_version() >= 40 {
        let transform = |clear: bool| json!({ "request_transformation": { "headers_mutations": [set_go()] }, "clear_route_cache": clear });
        chains.push(("transform", vec![filter("transform.v3.TransformConfig", transform(true))]));
        chains.push(("mcp", vec![filter("mcp.v3.Mcp", json!({ "clear_route_cache": true }))]));
        chains.push(("transform-quiet", vec![filter("transform.v3.TransformConfig", transform(false))]));
    }
    let met = world.probe(&chains, true);
    let mut differences = Vec::new();
    for ((name, _), (met, stale)) in chains.iter().zip(&met) {
        let wanted = if *stale { Met::Other } else { Met::Judged };
        if *met != wanted {
            differences
                .push(format!("{name}: {met:?}, and check finds {}", if *stale { "a stale route" } else { "nothing" }));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    for wanted in [Met::Other, Met::Judged] {
        assert!(met.iter().filter(|(met, _)| *met == wanted).count() >= 5, "{met:?}");
    }
}
