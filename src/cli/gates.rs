//! The gates in what an operator hands over: each Scopegate filter with its policy, its chain and its routes.

use super::source::{Kind, Source, View, plugin_configuration, requirement};
use crate::config::{ConfigError, Loaded, Position};
use crate::policy::{Policy, Requirement};
use std::path::{Path, PathBuf};

/// The type of Envoy's connection manager.
const CONNECTION_MANAGER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
/// The type of Envoy's Wasm filter.
pub const WASM_FILTER: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
/// The `root_id` of the module.
pub const ROOT_ID: &str = "scopegate";

/// A Scopegate filter, wherever it is configured.
#[derive(Debug)]
pub struct Gate<'s> {
    /// The file that configures it.
    pub file: &'s Path,
    /// Its plugin configuration, compiled, or everything that is wrong with it.
    pub policy: Result<Loaded, ConfigError>,
    /// Where the plugin configuration stands.
    pub configuration: View<'s>,
    /// Its place in Envoy, when the file is Envoy's.
    pub envoy: Option<InEnvoy<'s>>,
}

/// A filter's place in Envoy.
#[derive(Debug)]
pub struct InEnvoy<'s> {
    /// The whole document.
    pub document: View<'s>,
    /// The `PluginConfig`.
    pub plugin: View<'s>,
    /// The connection manager.
    pub manager: View<'s>,
    /// All HTTP filters, in their order.
    pub filters: Vec<View<'s>>,
    /// The place of this filter among them.
    pub index: usize,
    /// The virtual hosts that it serves, as far as the files hold them.
    pub virtual_hosts: Vec<VirtualHost<'s>>,
}

/// A virtual host.
#[derive(Debug)]
pub struct VirtualHost<'s> {
    /// The file that it stands in.
    pub file: &'s Path,
    /// The virtual host.
    pub view: View<'s>,
    /// Its name.
    pub name: String,
    /// Its domains.
    pub domains: Vec<String>,
    /// Its routes, in their order.
    pub routes: Vec<Route<'s>>,
}

/// A route.
#[derive(Debug)]
pub struct Route<'s> {
    /// The route.
    pub view: View<'s>,
    /// Its name; empty when it has none.
    pub name: String,
}

impl VirtualHost<'_> {
    /// The requirement in its metadata.
    #[must_use]
    pub fn requirement(&self, policy: &Policy) -> Option<Result<Requirement, ConfigError>> {
        requirement(&self.view, policy)
    }
}

impl Route<'_> {
    /// The requirement in its metadata.
    #[must_use]
    pub fn requirement(&self, policy: &Policy) -> Option<Result<Requirement, ConfigError>> {
        requirement(&self.view, policy)
    }

    /// What it matches, in a few words, such as `path_separated_prefix /orders`.
    #[must_use]
    pub fn matcher(&self) -> String {
        let Some(matching) = self.view.get("match") else { return String::new() };
        for name in ["path", "prefix", "path_separated_prefix"] {
            if let Some(text) = matching.get(name).and_then(|view| view.text()) {
                return format!("{name} {text}");
            }
        }
        if let Some(regex) = matching.at(&["safe_regex", "regex"]).and_then(|view| view.text()) {
            return format!("safe_regex {regex}");
        }
        let template = matching.at(&["path_match_policy", "typed_config", "path_template"]);
        match template.and_then(|view| view.text()) {
            Some(text) => format!("template {text}"),
            None if matching.get("connect_matcher").is_some() => "connect_matcher".to_owned(),
            None => "another matcher".to_owned(),
        }
    }
}

/// Finds the gates in these sources. Routes may stand in other files than the filter.
#[must_use]
pub fn find(sources: &[Source]) -> Vec<Gate<'_>> {
    let mut gates = Vec::new();
    for source in sources {
        for document in &source.documents {
            let root = View::root(document);
            let file = source.file.as_path();
            match Kind::of(document) {
                Kind::Plugin => {
                    gates.push(Gate { file, policy: plugin_configuration(&root), configuration: root, envoy: None });
                }
                Kind::WasmPlugin => {
                    gates.extend(root.at(&["spec", "pluginConfig"]).map(|view| plain(file, view)));
                }
                Kind::EnvoyExtensionPolicy => {
                    let wasms = root.at(&["spec", "wasm"]).map(|view| view.items()).unwrap_or_default();
                    gates.extend(wasms.iter().filter_map(|wasm| wasm.get("config")).map(|view| plain(file, view)));
                }
                Kind::Envoy => gates.extend(in_envoy(sources, file, &root)),
                Kind::Unknown => {}
            }
        }
    }
    gates
}

fn plain<'s>(file: &'s Path, configuration: View<'s>) -> Gate<'s> {
    Gate { file, policy: plugin_configuration(&configuration), configuration, envoy: None }
}

/// The Scopegate filters in an Envoy document.
fn in_envoy<'s>(sources: &'s [Source], file: &'s Path, root: &View<'s>) -> Vec<Gate<'s>> {
    let mut managers = Vec::new();
    root.visit(&mut |view| {
        if view.type_name() == Some(CONNECTION_MANAGER) {
            managers.push(view.clone());
        }
    });
    let mut gates = Vec::new();
    for manager in managers {
        let filters = manager.list("http_filters");
        for (index, filter) in filters.iter().enumerate() {
            let Some(plugin) = our_plugin(filter) else { continue };
            let configuration = plugin.get("configuration").unwrap_or_else(|| plugin.clone());
            gates.push(Gate {
                file,
                policy: plugin_configuration(&configuration),
                configuration,
                envoy: Some(InEnvoy {
                    document: root.clone(),
                    plugin,
                    filters: filters.clone(),
                    index,
                    virtual_hosts: virtual_hosts(sources, file, &manager),
                    manager: manager.clone(),
                }),
            });
        }
    }
    gates
}

/// The `PluginConfig` of an HTTP filter, when it is ours; also behind an `ExtensionWithMatcher`.
fn our_plugin<'s>(filter: &View<'s>) -> Option<View<'s>> {
    let mut found = None;
    filter.visit(&mut |view| {
        if found.is_none() && view.type_name() == Some(WASM_FILTER) {
            found = view.get("config");
        }
    });
    let plugin = found?;
    let is_ours = |view: Option<View<'_>>| view.and_then(|view| view.text()).is_some_and(|text| text.contains(ROOT_ID));
    let code = plugin.at(&["vm_config", "code", "local", "filename"]);
    (is_ours(plugin.get("root_id")) || is_ours(plugin.get("name")) || is_ours(filter.get("name")) || is_ours(code))
        .then_some(plugin)
}

/// The virtual hosts of a connection manager: its own, or those of the route configuration that it names, wherever
/// that stands.
fn virtual_hosts<'s>(sources: &'s [Source], file: &'s Path, manager: &View<'s>) -> Vec<VirtualHost<'s>> {
    let read = |file: &'s Path, config: &View<'s>| -> Vec<VirtualHost<'s>> {
        config.list("virtual_hosts").into_iter().map(|view| virtual_host(file, view)).collect()
    };
    if let Some(config) = manager.get("route_config") {
        return read(file, &config);
    }
    let named = manager.at(&["rds", "route_config_name"]).and_then(|view| view.text());
    let mut found = Vec::new();
    for source in sources {
        for document in &source.documents {
            View::root(document).visit(&mut |view| {
                let is_named = named.is_none() || view.get("name").and_then(|name| name.text()) == named;
                if view.get("virtual_hosts").is_some() && is_named {
                    found.extend(read(source.file.as_path(), view));
                }
            });
        }
    }
    found
}

fn virtual_host<'s>(file: &'s Path, view: View<'s>) -> VirtualHost<'s> {
    let text = |view: Option<View<'s>>| view.and_then(|view| view.text()).unwrap_or_default().to_owned();
    let routes = view.list("routes").into_iter().map(|view| Route { name: text(view.get("name")), view }).collect();
    let domains = view.list("domains").iter().filter_map(View::text).map(str::to_owned).collect();
    VirtualHost { file, name: text(view.get("name")), domains, routes, view }
}

/// A place in a file, as messages name it: `file:line:column`.
#[must_use]
pub fn place(file: &Path, at: Option<Position>) -> String {
    let file: PathBuf = file.to_owned();
    match at {
        Some(at) => format!("{}:{at}", file.display()),
        None => file.display().to_string(),
    }
}
