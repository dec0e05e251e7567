//! A folder of resources that Envoy reads again when a file is moved into place.

use super::envoy::root;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Such a folder; it is deleted when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let folder = root().join(format!("target/e2e/xds-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Moves a file with these resources to `name`, over what is there.
    pub fn put(&self, name: &str, resources: &[Value]) {
        self.put_text(name, &json!({ "resources": resources }).to_string());
    }

    /// Moves a file with this text to `name`, over what is there.
    pub fn put_text(&self, name: &str, text: &str) {
        let unfinished = self.0.join(format!("{name}.unfinished"));
        fs::write(&unfinished, text).unwrap();
        fs::rename(&unfinished, self.0.join(name)).unwrap();
    }

    /// The source of configuration that reads `name`.
    pub fn source(&self, name: &str) -> Value {
        json!({ "path_config_source": { "path": self.path(name) }, "resource_api_version": "V3" })
    }

    /// The path of `name`.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An HTTP filter that Envoy discovers (ECDS).
pub fn discovered(name: &str, source: &Value) -> Value {
    json!({
        "name": name,
        "config_discovery": {
            "config_source": source,
            "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
        },
    })
}

/// The resource of such a filter: a Wasm filter with this `PluginConfig`.
pub fn extension(name: &str, plugin: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": name,
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": plugin },
    })
}
