//! Envoy's resources: gates, and the listeners and clusters around them.

use super::modules::module;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;

/// A gate to be put into Envoy: a listener with the filter and its routes.
#[derive(Clone)]
pub struct Gate {
    pub name: &'static str,
    /// The plugin configuration.
    pub configuration: Value,
    /// Whether it is handed over as JSON text, as Istio does, or as a Struct.
    pub as_json_text: bool,
    /// The routes of the virtual host.
    pub routes: Value,
    /// Merged into the connection manager.
    pub connection_manager: Value,
    /// Merged into the virtual host.
    pub virtual_host: Value,
    /// Merged into the Wasm plugin's configuration.
    pub plugin: Value,
}

impl Gate {
    /// A gate with one route to the upstream for everything.
    pub fn new(configuration: Value) -> Self {
        Self {
            name: "gate",
            configuration,
            as_json_text: false,
            routes: json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]),
            connection_manager: json!({}),
            virtual_host: json!({}),
            plugin: json!({}),
        }
    }

    /// This gate in another module than the one that is tested.
    pub fn module(mut self, module: &Path) -> Self {
        let code = json!({ "vm_config": { "code": { "local": { "filename": module.to_string_lossy() } } } });
        merge(&mut self.plugin, &code);
        self
    }

    pub fn routes(self, routes: Value) -> Self {
        Self { routes, ..self }
    }

    /// The `PluginConfig`.
    pub fn plugin(&self) -> Value {
        let mut plugin = json!({
            "name": "scopegate",
            "root_id": "scopegate",
            "failure_policy": "FAIL_RELOAD",
            "configuration": if self.as_json_text {
                json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": self.configuration.to_string() })
            } else {
                json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": self.configuration })
            },
            "vm_config": {
                "vm_id": format!("scopegate-{}", self.name),
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": module().to_string_lossy() } },
            },
        });
        merge(&mut plugin, &self.plugin);
        plugin
    }

    /// The listener, as Envoy is configured.
    pub fn listener(&self) -> Value {
        let filter = json!({
            "name": "scopegate",
            "typed_config":
                { "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": self.plugin() },
        });
        listener(self.name, &[filter], &self.routes, &self.virtual_host, &self.connection_manager)
    }
}

/// A listener with these filters before the router.
pub fn listener(
    name: &str,
    filters: &[Value],
    routes: &Value,
    virtual_host: &Value,
    connection_manager: &Value,
) -> Value {
    let mut host = json!({ "name": "all", "domains": ["*"], "routes": routes });
    merge(&mut host, virtual_host);
    let mut http_filters = filters.to_vec();
    http_filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    }));
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "normalize_path": true,
        "merge_slashes": true,
        "http_protocol_options": { "enable_trailers": true },
        "access_log": [{
            "name": "stdout",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                "log_format": { "text_format_source": { "inline_string":
                    "ACCESS %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %FILTER_STATE(wasm.scopegate:PLAIN)%\n" } },
            },
        }],
        "route_config": { "name": name, "virtual_hosts": [host] },
        "http_filters": http_filters,
    });
    merge(&mut manager, connection_manager);
    json!({
        "name": name,
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }] }],
    })
}

/// A cluster with one endpoint.
pub fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
        } },
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": {
            "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } } } }] }] },
    })
}

/// The static resources of these gates and clusters.
pub fn resources(gates: &[Gate], clusters: &[Value]) -> Value {
    json!({ "listeners": gates.iter().map(Gate::listener).collect::<Vec<_>>(), "clusters": clusters })
}

/// Puts the members of `from` into `into`; objects are merged, everything else is replaced.
pub fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
