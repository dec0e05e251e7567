//! Finds the gates in an operator's files: each Scopegate filter with its policy, its chain and its routes.

pub mod beside;
pub(in crate::cli) mod kubernetes;
mod nothing;
mod ours;
pub(in crate::cli) mod patches;

pub use nothing::nothing_found;
pub(in crate::cli) use ours::{is_native, our_plugin};

use super::source::{DocumentKind, Source, View, any_secret, plugin_values};
use crate::config::{self, ConfigError, Loaded, Position};
use crate::policy::{Policy, Requirement};
use beside::{Beside, Reader};
use std::path::{Path, PathBuf};

/// The type of Envoy's connection manager.
pub(in crate::cli) const CONNECTION_MANAGER: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
/// The type of Envoy's Wasm filter.
pub const WASM_FILTER: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
/// The type of Envoy's filter for dynamic modules.
pub const NATIVE_FILTER: &str = "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";
/// The type of an extension in a separate resource (ECDS).
const EXTENSION: &str = "envoy.config.core.v3.TypedExtensionConfig";
/// The types of routes at the leaves of a matcher tree.
const ROUTE: &str = "envoy.config.route.v3.Route";
const ROUTE_LIST: &str = "envoy.config.route.v3.RouteList";
/// The `root_id` of the module.
pub const ROOT_ID: &str = "scopegate";

/// A Scopegate filter, wherever it is configured.
#[derive(Debug)]
pub struct Gate<'s> {
    /// The file that configures it.
    pub file: &'s Path,
    /// Its plugin configuration, compiled, or everything that is wrong with it.
    pub policy: Result<Loaded, ConfigError>,
    /// The place of the plugin configuration.
    pub configuration: View<'s>,
    /// The configuration as an object, or as it is written if it cannot be read.
    pub values: View<'s>,
    /// The `PluginConfig` or `DynamicModuleFilter`, if the file is Envoy's.
    pub plugin: Option<View<'s>>,
    /// Whether it is the native module.
    pub is_native: bool,
    /// Its place in a filter chain, if the files contain it.
    pub envoy: Option<InEnvoy<'s>>,
}

/// A filter's place in Envoy.
#[derive(Debug)]
pub struct InEnvoy<'s> {
    /// The file of the connection manager.
    pub file: &'s Path,
    /// The connection manager.
    pub manager: View<'s>,
    /// All HTTP filters of the chain, in their order.
    pub filters: Vec<View<'s>>,
    /// Whether the gate is the native module.
    pub is_native: bool,
    /// Whether the chain is a separate one of requests to upgrade.
    pub of_upgrades: bool,
    /// The place of this filter among them.
    pub index: usize,
    /// The route configurations that it serves and the files contain, with their files.
    pub route_configs: Vec<(&'s Path, View<'s>)>,
    /// Their virtual hosts.
    pub virtual_hosts: Vec<VirtualHost<'s>>,
}

/// A virtual host.
#[derive(Debug)]
pub struct VirtualHost<'s> {
    /// Its file.
    pub file: &'s Path,
    /// The virtual host.
    pub view: View<'s>,
    /// Its name.
    pub name: String,
    /// Its domains.
    pub domains: Vec<String>,
    /// Its routes, in their order.
    pub routes: Vec<Route<'s>>,
    /// What the gate reads beside it.
    pub beside: Option<Beside<'s>>,
}

/// A route.
#[derive(Debug)]
pub struct Route<'s> {
    /// The route.
    pub view: View<'s>,
    /// Its name; empty if it has none.
    pub name: String,
    /// What the gate reads beside it.
    pub beside: Option<Beside<'s>>,
}

impl Gate<'_> {
    /// Whether this is its `PluginConfig` or `DynamicModuleFilter`.
    fn is_of(&self, source: &Source, plugin: &View<'_>) -> bool {
        self.file == source.file && self.plugin.as_ref().is_some_and(|own| std::ptr::eq(own.node, plugin.node))
    }

    /// Everything that is wrong with its configuration, a line each, with the place of each.
    #[must_use]
    pub fn refused(&self, error: &ConfigError) -> String {
        problems(self.file, &self.values, error)
    }
}

/// Everything that is wrong with a configuration, a line each.
#[must_use]
pub fn problems(file: &Path, values: &View<'_>, error: &ConfigError) -> String {
    let line = |problem: &config::Problem| {
        let path =
            [&values.path, &problem.path].into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>();
        let path = if path.is_empty() { String::new() } else { format!("{}: ", path.join(".")) };
        let place = place(file, problem.at.or(values.position()));
        format!("{place}: {path}{}; {}", problem.what, problem.remedy)
    };
    error.0.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl<'s> InEnvoy<'s> {
    /// The gates in the separate filter chains of upgrade requests.
    pub(in crate::cli) fn upgrade_gates(&self) -> Vec<View<'s>> {
        let upgrades = self.manager.list("upgrade_configs");
        upgrades.iter().flat_map(|upgrade| upgrade.list("filters")).filter(|filter| self.is_gate(filter)).collect()
    }

    /// Whether a filter is a gate, or names the same resource as this one.
    pub(in crate::cli) fn is_gate(&self, filter: &View<'_>) -> bool {
        let own = self.filters.get(self.index).and_then(View::name);
        our_plugin(filter).is_some() || filter.get("config_discovery").is_some() && filter.name() == own
    }
}

impl VirtualHost<'_> {
    /// The requirement beside it.
    #[must_use]
    pub fn requirement(&self, policy: &Policy) -> Option<Result<Requirement, ConfigError>> {
        self.beside.as_ref().map(|beside| beside.read(policy, &any_secret))
    }
}

impl Route<'_> {
    /// The requirement beside it.
    #[must_use]
    pub fn requirement(&self, policy: &Policy) -> Option<Result<Requirement, ConfigError>> {
        self.beside.as_ref().map(|beside| beside.read(policy, &any_secret))
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

/// Finds the gates in these sources. Routes, and the filter itself, may be in other files than the listener.
#[must_use]
pub fn find<'s>(sources: &'s [Source]) -> Vec<Gate<'s>> {
    let mut gates = Vec::new();
    for source in sources {
        for document in &source.documents {
            match document.kind {
                DocumentKind::Plugin => gates.push(gate(source, document.root(), None, false)),
                DocumentKind::Envoy => gates.extend(in_envoy(sources, source, &document.root())),
                DocumentKind::WasmPlugin | DocumentKind::TrafficExtension | DocumentKind::EnvoyExtensionPolicy => {
                    // Without a configuration the filter refuses to start.
                    let ours = kubernetes::plugins(document).into_iter();
                    let of = |ours: kubernetes::Resource<'s>| ours.configuration.unwrap_or(ours.plugin);
                    gates.extend(ours.map(|ours| {
                        let is_native = ours.is_native;
                        gate(source, of(ours), None, is_native)
                    }));
                }
                DocumentKind::EnvoyFilter | DocumentKind::EnvoyPatchPolicy => {
                    gates.extend(patches::patches(document).iter().flat_map(|patch| patched(sources, source, patch)));
                }
                DocumentKind::Unknown => {}
            }
        }
    }
    // A filter that no chain of these files uses is a gate by itself.
    for (source, extension) in extensions(sources) {
        let Some(plugin) = our_plugin(&extension) else { continue };
        if !gates.iter().any(|gate| gate.is_of(source, &plugin)) {
            gates.push(of_plugin(source, plugin));
        }
    }
    gates
}

fn gate<'s>(source: &'s Source, configuration: View<'s>, plugin: Option<View<'s>>, is_native: bool) -> Gate<'s> {
    let values = plugin_values(source, &configuration);
    let policy = values.as_ref().map_err(Clone::clone).and_then(|values| config::compile(values.node, &any_secret));
    let values = values.unwrap_or_else(|_| configuration.get("value").unwrap_or_else(|| configuration.clone()));
    Gate { file: &source.file, policy, configuration, values, plugin, is_native, envoy: None }
}

fn of_plugin<'s>(source: &'s Source, plugin: View<'s>) -> Gate<'s> {
    // Without a configuration the filter refuses to start, and the missing `Any` has no value.
    let is_native = is_native(&plugin);
    let configuration = plugin.get(if is_native { "filter_config" } else { "configuration" });
    gate(source, configuration.unwrap_or_else(|| plugin.clone()), Some(plugin), is_native)
}

/// The extensions in separate resources.
fn extensions(sources: &[Source]) -> Vec<(&Source, View<'_>)> {
    let mut found = Vec::new();
    for source in sources {
        for resource in source.documents.iter().flat_map(|document| resources(&document.root())) {
            if resource.type_name() == Some(EXTENSION) {
                found.push((source, resource));
            }
        }
    }
    found
}

/// The resource that a filter names (ECDS), and its source.
pub(in crate::cli) fn fetched<'s>(sources: &'s [Source], filter: &View<'_>) -> Option<(&'s Source, View<'s>)> {
    let name = filter.get("config_discovery").and_then(|_| filter.name())?;
    extensions(sources).into_iter().find(|(_, view)| view.name() == Some(name))
}

/// The resources of a document that Envoy fetches: those in its `resources`, or the document itself.
pub(in crate::cli) fn resources<'s>(root: &View<'s>) -> Vec<View<'s>> {
    let mut found = root.list("resources");
    if root.type_name().is_some() {
        found.push(root.clone());
    }
    found
}

/// The connection managers in a document, those with filters.
pub(in crate::cli) fn managers<'s>(root: &View<'s>) -> Vec<View<'s>> {
    let holders = root.holders("http_filters").into_iter();
    holders.filter(|view| view.type_name() == Some(CONNECTION_MANAGER)).collect()
}

/// The Scopegate filters in an Envoy document.
fn in_envoy<'s>(sources: &'s [Source], source: &'s Source, root: &View<'s>) -> Vec<Gate<'s>> {
    let chain = |manager: View<'s>| {
        let filters = manager.list("http_filters");
        in_chain(sources, source, &manager, &filters, false)
    };
    managers(root).into_iter().flat_map(chain).collect()
}

/// The Scopegate filters in the separate chains that the connection manager of a gate has for requests to upgrade. Envoy
/// makes each filter there anew, with its own configuration.
pub(in crate::cli) fn of_upgrades<'s>(sources: &'s [Source], envoy: &InEnvoy<'s>) -> Vec<Gate<'s>> {
    let Some(source) = sources.iter().find(|source| source.file == envoy.file) else { return Vec::new() };
    let upgrades = envoy.manager.list("upgrade_configs").into_iter();
    upgrades.flat_map(|own| in_chain(sources, source, &envoy.manager, &own.list("filters"), true)).collect()
}

/// The Scopegate filters in a chain of a connection manager.
fn in_chain<'s>(
    sources: &'s [Source],
    source: &'s Source,
    manager: &View<'s>,
    filters: &[View<'s>],
    of_upgrades: bool,
) -> Vec<Gate<'s>> {
    let mut gates = Vec::new();
    for (index, filter) in filters.iter().enumerate() {
        let Some((holder, plugin)) = configured(sources, source, filter) else { continue };
        let route_configs = route_configs(sources, &source.file, manager);
        let is_native = is_native(&plugin);
        let name = filter.name().unwrap_or_default();
        let reader = if is_native { Reader::Native(sources, name) } else { Reader::Wasm };
        let hosts = route_configs.iter().flat_map(|(file, config)| virtual_hosts(file, config, reader));
        let envoy = InEnvoy {
            file: &source.file,
            is_native,
            filters: filters.to_vec(),
            of_upgrades,
            index,
            virtual_hosts: hosts.collect(),
            route_configs,
            manager: manager.clone(),
        };
        gates.push(Gate { envoy: Some(envoy), ..of_plugin(holder, plugin) });
    }
    gates
}

/// The gates that a patch adds: in the chain of a connection manager, or as a single filter.
fn patched<'s>(sources: &'s [Source], source: &'s Source, patch: &patches::Patch<'s>) -> Vec<Gate<'s>> {
    let Some(value) = &patch.value else { return Vec::new() };
    let mut gates = in_envoy(sources, source, value);
    for view in std::iter::once(value.clone()).chain(value.items()) {
        let alone = our_plugin(&view).filter(|plugin| !gates.iter().any(|gate| gate.is_of(source, plugin)));
        gates.extend(alone.map(|plugin| of_plugin(source, plugin)));
    }
    gates
}

/// The plugin of an HTTP filter, if it is ours, and its source: that of the filter, or that of the resource
/// that the filter names (ECDS).
pub(in crate::cli) fn configured<'s>(
    sources: &'s [Source],
    source: &'s Source,
    filter: &View<'s>,
) -> Option<(&'s Source, View<'s>)> {
    let own = || our_plugin(filter).map(|plugin| (source, plugin));
    if filter.get("config_discovery").is_none() {
        return own();
    }
    match fetched(sources, filter) {
        Some((holder, extension)) => our_plugin(&extension).map(|plugin| (holder, plugin)),
        // These files contain only the default until the resource comes.
        None => own(),
    }
}

/// The route configurations of a connection manager: its own, or those that it names, in any file.
pub(in crate::cli) fn route_configs<'s>(
    sources: &'s [Source],
    file: &'s Path,
    manager: &View<'s>,
) -> Vec<(&'s Path, View<'s>)> {
    if let Some(config) = manager.get("route_config") {
        return vec![(file, config)];
    }
    let named = manager.at(&["rds", "route_config_name"]).and_then(|view| view.text());
    let mut found = Vec::new();
    for source in sources {
        for document in &source.documents {
            let configs = document.root().holders("virtual_hosts").into_iter();
            let named = configs.filter(|view| named.is_none() || view.name() == named);
            found.extend(named.map(|view| (source.file.as_path(), view)));
        }
    }
    found
}

/// The virtual hosts of a route configuration in a file.
#[must_use]
pub fn virtual_hosts<'s>(file: &'s Path, config: &View<'s>, reader: Reader<'s, '_>) -> Vec<VirtualHost<'s>> {
    config.list("virtual_hosts").into_iter().map(|view| virtual_host(file, config, view, reader)).collect()
}

fn virtual_host<'s>(file: &'s Path, config: &View<'s>, view: View<'s>, reader: Reader<'s, '_>) -> VirtualHost<'s> {
    let text = |view: Option<View<'s>>| view.and_then(|view| view.text()).unwrap_or_default().to_owned();
    let mut routes = view.list("routes");
    // The routes of a matcher tree are its leaves.
    if let Some(matcher) = view.get("matcher") {
        matcher.visit(&mut |view| match view.type_name() {
            Some(ROUTE) => routes.push(view.clone()),
            Some(ROUTE_LIST) => routes.extend(view.list("routes")),
            _ => {}
        });
    }
    let beside = reader.of_host(file, config, &view);
    let route = |view: View<'s>| Route {
        name: text(view.get("name")),
        beside: reader.of_route(file, &view, beside.as_ref()),
        view,
    };
    let routes = routes.into_iter().map(route).collect();
    let domains = view.list("domains").iter().filter_map(View::text).map(str::to_owned).collect();
    VirtualHost { file, name: text(view.get("name")), domains, routes, beside, view }
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
