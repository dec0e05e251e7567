//! The plugins in resources of Istio and Envoy Gateway.

use super::super::source::{Document, DocumentKind, View};
use super::ours::Plugin;

/// A Scopegate plugin in a resource.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Resource<'s> {
    /// The part of the resource that describes the plugin.
    pub plugin: View<'s>,
    /// Its configuration, if it has one.
    pub configuration: Option<View<'s>>,
    /// Whether it is the native module.
    pub is_native: bool,
}

/// The Scopegate plugins in a resource; none in another document.
pub(in crate::cli) fn plugins<'s>(document: &'s Document) -> Vec<Resource<'s>> {
    let root = document.root();
    let name = root.at(&["metadata", "name"]).and_then(|view| view.text());
    let Some(spec) = root.get("spec") else { return Vec::new() };
    let text = |view: &View<'_>, path: &[&str]| view.at(path).and_then(|view| view.text().map(str::to_owned));
    match document.kind {
        DocumentKind::WasmPlugin | DocumentKind::TrafficExtension => {
            let plugin = if document.kind == DocumentKind::WasmPlugin { Some(spec) } else { spec.get("wasm") };
            let select = |plugin: &View<'_>| {
                let root_id = text(plugin, &["pluginName"]);
                let module = text(plugin, &["url"]);
                is_ours(Plugin { root_id: root_id.as_deref(), names: [name, None], module: module.as_deref() })
            };
            let ours = plugin.filter(select);
            let resource =
                |plugin: View<'s>| Resource { configuration: plugin.get("pluginConfig"), plugin, is_native: false };
            ours.map(resource).into_iter().collect()
        }
        DocumentKind::EnvoyExtensionPolicy => {
            let select = |plugin: &View<'_>| {
                let root_id = text(plugin, &["rootID"]);
                let module = text(plugin, &["code", "image", "url"]).or_else(|| text(plugin, &["code", "http", "url"]));
                let names = [plugin.name(), None];
                is_ours(Plugin { root_id: root_id.as_deref(), names, module: module.as_deref() })
            };
            let wasm = spec.list("wasm").into_iter().filter(select).map(|plugin| (plugin, false));
            let native = spec.list("dynamicModule").into_iter().filter(is_module).map(|plugin| (plugin, true));
            let resource = |(plugin, is_native): (View<'s>, bool)| Resource {
                configuration: plugin.get("config"),
                plugin,
                is_native,
            };
            wasm.chain(native).map(resource).collect()
        }
        DocumentKind::Plugin
        | DocumentKind::Envoy
        | DocumentKind::EnvoyFilter
        | DocumentKind::EnvoyPatchPolicy
        | DocumentKind::Unknown => Vec::new(),
    }
}

/// Whether an entry of `dynamicModule` in a policy, or of `dynamicModules` in an `EnvoyProxy`, is ours: by the name of the
/// module.
pub(in crate::cli) fn is_module(entry: &View<'_>) -> bool {
    Plugin { root_id: entry.name(), ..Plugin::default() }.is_ours()
}

/// Whether the image of this address is ours: by the last part of its name.
pub(in crate::cli) fn is_image(address: &str) -> bool {
    Plugin { module: Some(address), ..Plugin::default() }.is_ours()
}

/// Whether a plugin is ours. An unnamed one counts as ours, since it is a part of a resource.
fn is_ours(plugin: Plugin<'_>) -> bool {
    plugin.is_ours() || plugin.is_nameless()
}
