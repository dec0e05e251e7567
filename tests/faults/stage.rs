//! An Envoy with everything that can change or fail around it: an issuer whose keys change, a list of what is revoked,
//! a filter that is configured again, and an upstream that counts what reaches it.

use crate::support::envoy::{Envoy, Gate, cluster, listener, merge};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::support::native::Environment;
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use crate::support::xds::{Folder, discovered, extension};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The header by which the upstream knows what should not have reached it.
pub const HOSTILE: &str = "x-hostile";

/// What reached the upstream.
#[derive(Debug, Default)]
pub struct Reached {
    pub good: AtomicU64,
    pub hostile: AtomicU64,
}

pub struct Stage {
    pub envoy: Envoy,
    pub issuer: Unreliable,
    pub lists: Unreliable,
    pub statuses: Unreliable,
    pub introspection: Unreliable,
    pub reached: Arc<Reached>,
    plugin: Value,
    timeout: &'static str,
    more: Value,
    files: Folder,
    _upstream: Server,
}

impl Stage {
    /// With `workers` workers; `plugin` is merged into the `PluginConfig`.
    pub fn start(keys: &[&Issuer], workers: u32, plugin: Value) -> Self {
        Self::start_with(keys, workers, plugin, "500ms")
    }

    /// A stage with this timeout of a fetch.
    pub fn start_with(keys: &[&Issuer], workers: u32, plugin: Value, timeout: &'static str) -> Self {
        Self::start_asking(keys, workers, plugin, timeout, json!({}))
    }

    /// A stage whose configuration has more.
    pub fn start_asking(keys: &[&Issuer], workers: u32, plugin: Value, timeout: &'static str, more: Value) -> Self {
        let reached = Arc::new(Reached::default());
        let counts = Arc::clone(&reached);
        let upstream = Server::start(0, move |received| {
            let hostile = received.headers.iter().any(|(name, _)| name == HOSTILE);
            let counter = if hostile { &counts.hostile } else { &counts.good };
            counter.fetch_add(1, Ordering::Relaxed);
            Answer::status(200)
        })
        .unwrap();
        let issuer = Unreliable::start(published(keys));
        let lists = Unreliable::start(revoked(&[]));
        let [statuses, introspection] = [0; 2].map(|_| Unreliable::start(Conduct::answer("404 Not Found", "", b"")));
        let files = Folder::new();
        put(&files, &plugin, &demanding(0, timeout, &more));
        let filters = [discovered("scopegate", &files.source("scopegate.json"))];
        let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
        let quiet = json!({
            "access_log": null, "stream_idle_timeout": "10s", "request_headers_timeout": "8s",
            "upgrade_configs": [{ "upgrade_type": "websocket" }],
        });
        let resources = json!({
            "listeners": [
                listener("gate", &filters, &routes, &json!({}), &quiet),
                listener("bare", &[], &routes, &json!({}), &quiet),
            ],
            "clusters": [
                cluster("upstream", upstream.address), cluster("issuer", issuer.address), cluster("lists", lists.address),
                cluster("statuses", statuses.address), cluster("introspection", introspection.address),
            ],
        });
        // A native module reads the environment of Envoy, which has to be there before the filter comes.
        let variables = plugin.pointer("/vm_config/environment_variables/key_values").and_then(Value::as_object);
        let environment: Environment = variables
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let envoy = Envoy::try_start_in(&environment, &resources, workers).unwrap_or_else(|log| panic!("{log}"));
        Self {
            envoy,
            issuer,
            lists,
            statuses,
            introspection,
            reached,
            plugin,
            timeout,
            more,
            files,
            _upstream: upstream,
        }
    }

    /// Gives the filter another configuration with the same meaning. The caller has to wait for Envoy.
    pub fn configure(&self, number: u64) {
        put(&self.files, &self.plugin, &demanding(number, self.timeout, &self.more));
    }

    /// Hands the filter a configuration that it refuses, and waits until Envoy has counted that.
    pub fn misconfigure(&self, number: u64) {
        let before = self.configured().1;
        let mut wrong = demanding(number, self.timeout, &self.more);
        wrong["rule"] = json!([{ "match": { "path_prefix": "/" }, "public": true }]);
        put(&self.files, &self.plugin, &wrong);
        eventually("Envoy refuses what the filter refuses", || self.configured().1 > before);
    }

    /// How often the server of this cluster was asked, or could not be.
    pub fn asked(&self, server: &Unreliable, cluster: &str) -> u64 {
        server.count() as u64 + self.envoy.total(&format!("cluster.{cluster}.upstream_cx_connect_fail"))
    }

    /// How often Envoy has taken a configuration, and refused one.
    pub fn configured(&self) -> (u64, u64) {
        let total = |what: &str| self.envoy.total(&format!("extension_config_discovery.http_filter.scopegate.{what}"));
        (total("config_reload"), total("update_rejected"))
    }
}

fn put(files: &Folder, plugin: &Value, configuration: &Value) {
    let gate = Gate { plugin: plugin.clone(), ..Gate::new(configuration.clone()) };
    files.put("scopegate.json", &[extension("scopegate", &gate.plugin())]);
}

/// The configuration of the filter: its number is in the realm, and it asks for the same whatever the number.
fn demanding(number: u64, timeout: &str, more: &Value) -> Value {
    let mut configuration = json!({
        "issuers": [{
            "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "max_lifetime": "1h",
            "jwks": { "uri": "http://issuer.example.com/jwks.json", "cluster": "issuer", "refresh": "1s", "timeout": timeout },
        }],
        "revocation": { "lists": [{
            "name": "main", "uri": "http://lists.example.com/revoked", "cluster": "lists", "refresh": "1s", "timeout": timeout,
        }] },
        "rules": [
            { "match": { "path_separated_prefix": "/closed" }, "deny": true },
            { "match": { "path_separated_prefix": "/write" }, "scopes": ["orders:write"] },
        ],
        "default": { "scopes": ["orders:read"] },
        "forward": { "headers": { "x-auth-subject": "sub" } },
        "challenge": { "realm": format!("configuration {number}") },
        "limits": { "denial_logs_per_second": 0 },
    });
    merge(&mut configuration, more);
    let members = configuration.as_object_mut().unwrap();
    let (of_issuer, others) = (members.remove("issuer"), members.remove("other_issuers"));
    merge(&mut configuration["issuers"][0], &of_issuer.unwrap_or_else(|| json!({})));
    let all = configuration["issuers"].as_array_mut().unwrap();
    all.extend(others.iter().filter_map(Value::as_array).flatten().cloned());
    configuration
}

/// An answer with these keys.
pub fn published(keys: &[&Issuer]) -> Conduct {
    let keys: Vec<Value> = keys.iter().map(|issuer| issuer.key.to_public_jwk().into()).collect();
    Conduct::answer("200 OK", "", json!({ "keys": keys }).to_string().as_bytes())
}

/// An answer with a list of these `jti`.
pub fn revoked(ids: &[String]) -> Conduct {
    Conduct::answer("200 OK", "", list(ids).as_bytes())
}

/// A list of these `jti`.
pub fn list(ids: &[String]) -> String {
    let line = |id: &String| format!("{}\n", json!({ "iss": ISSUER, "jti": id }));
    let head = format!("{}\n", json!({ "entries_at_least": ids.len() }));
    head + &ids.iter().map(line).collect::<Vec<_>>().concat()
}
