//! Tells Scopegate from other plugins: by root id, by module, by name; and from other dynamic modules, by module alone.

use super::super::source::View;
use super::{NATIVE_FILTER, ROOT_ID, WASM_FILTER};

/// What is known of a Wasm plugin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plugin<'n> {
    /// The root id; Istio calls it `pluginName`.
    pub root_id: Option<&'n str>,
    /// The names of the plugin, of its filter, of its resource.
    pub names: [Option<&'n str>; 2],
    /// The path or address of the module or its image.
    pub module: Option<&'n str>,
}

impl Plugin<'_> {
    /// Whether it is Scopegate. A name that only contains ours counts unless the root id or the module says otherwise.
    pub(super) fn is_ours(&self) -> bool {
        let mut names = self.names.into_iter().flatten().filter(|text| !text.is_empty());
        let root_id = self.root_id.filter(|text| !text.is_empty());
        let file = self.module.map(file_of).filter(|text| !text.is_empty());
        root_id.is_some_and(is_named)
            || file.is_some_and(is_named)
            || names.clone().any(|name| name == ROOT_ID)
            || root_id.is_none() && file.is_none() && names.any(is_named)
    }

    /// Whether it has no name at all.
    pub(super) fn is_nameless(&self) -> bool {
        [self.root_id, self.module].into_iter().chain(self.names).flatten().all(str::is_empty)
    }
}

/// Whether a name contains ours.
fn is_named(name: &str) -> bool {
    name.to_ascii_lowercase().contains(ROOT_ID)
}

/// The last part of a path or of the address of an image, without its query, digest and tag.
fn file_of(module: &str) -> &str {
    let path = module.split(['?', '#', '@']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

/// The `PluginConfig` of an HTTP filter, or the `DynamicModuleFilter`, if it is ours; also inside an
/// `ExtensionWithMatcher`.
pub(in crate::cli) fn our_plugin<'s>(filter: &View<'s>) -> Option<View<'s>> {
    let mut found = None;
    filter.visit(&mut |view| {
        if found.is_some() {
            return;
        }
        found = match view.type_name() {
            Some(WASM_FILTER) => view.get("config").filter(|plugin| is_ours(plugin, filter.name())),
            Some(NATIVE_FILTER) => Some(view.clone()).filter(is_native_module),
            _ => None,
        };
    });
    found
}

/// Whether what was found is the native module.
pub(in crate::cli) fn is_native(plugin: &View<'_>) -> bool {
    plugin.type_name() == Some(NATIVE_FILTER)
}

/// Whether a message of the dynamic module filter loads our module. The names of filters say nothing: one module may have
/// many, and it runs all of them.
pub(super) fn is_native_module(message: &View<'_>) -> bool {
    let text = |path: &[&str]| message.at(&["dynamic_module_config"]).and_then(|own| own.at(path)?.text());
    let module = text(&["module", "local", "filename"]).or_else(|| text(&["module", "remote", "http_uri", "uri"]));
    Plugin { root_id: text(&["name"]), names: [None, None], module }.is_ours()
}

/// Whether a `PluginConfig`, in a filter of this name, is ours.
fn is_ours(plugin: &View<'_>, filter: Option<&str>) -> bool {
    let text = |path: &[&str]| plugin.at(path).and_then(|view| view.text());
    let module = text(&["vm_config", "code", "local", "filename"]);
    let module = module.or_else(|| text(&["vm_config", "code", "remote", "http_uri", "uri"]));
    Plugin { root_id: text(&["root_id"]), names: [text(&["name"]), filter], module }.is_ours()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_or_a_foreign_module_does_not_make_a_plugin_ours() {
        let ours = |root_id, name, module| Plugin { root_id, names: [name, None], module }.is_ours();
        for (root_id, name, module) in [
            (Some("scopegate"), None, Some("/etc/envoy/gate.wasm")),
            (None, None, Some("/opt/scopegate-0.1.0.wasm")),
            (None, None, Some("oci://registry.example.com/team/scopegate:0.1.0")),
            (None, None, Some("registry.example.com:5000/scopegate@sha256:00")),
            (None, None, Some("https://files.example.com/Scopegate.wasm?sig=a/b")),
            (Some(""), Some("scopegate"), Some("/etc/envoy/gate.wasm")),
            (None, Some("apps.scopegate-orders"), None),
            (Some("waf"), Some("scopegate"), Some("/etc/waf.wasm")),
        ] {
            assert!(ours(root_id, name, module), "{root_id:?} {name:?} {module:?}");
        }
        for (root_id, name, module) in [
            (None, None, Some("/etc/scopegate/coraza.wasm")),
            (None, None, Some("oci://registry.example.com/scopegate/coraza:1")),
            (None, None, Some("scopegate.example.com:5000/coraza")),
            (Some("coraza"), Some("waf-before-scopegate"), None),
            (None, Some("scopegate-stats"), Some("/etc/envoy/stats.wasm")),
            (None, None, None),
        ] {
            assert!(!ours(root_id, name, module), "{root_id:?} {name:?} {module:?}");
        }
    }
}
