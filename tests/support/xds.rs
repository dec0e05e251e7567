//! A folder of resources that Envoy reads again when a file is moved into place.

use super::envoy::root;
use super::native::{self, Environment};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// What the filters in the files of a folder read of the environment, in the folder itself.
const ENVIRONMENT: &str = "environment";

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

    /// Moves a file with this text to `name`, over what is there: with the module that is tested in it.
    ///
    /// # Panics
    /// When it needs another environment than an earlier file of this name: a process has one.
    pub fn put_text(&self, name: &str, text: &str) {
        let (text, environment) = native::rewritten_text(text);
        if !environment.is_empty() {
            let mut all = environment_of(&self.0);
            native::join(&mut all, environment);
            fs::write(self.0.join(ENVIRONMENT), json!(all).to_string()).unwrap();
        }
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

fn environment_of(folder: &Path) -> Environment {
    let text = fs::read_to_string(folder.join(ENVIRONMENT));
    text.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default()
}

/// What the filters in the folders that a document names read of the environment.
pub fn environments(document: &Value, found: &mut Environment) {
    match document {
        Value::Object(members) => {
            if let Some(path) = members.get("path_config_source").and_then(|source| source["path"].as_str()) {
                native::join(found, environment_of(Path::new(path).parent().unwrap()));
            }
            members.values().for_each(|member| environments(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| environments(item, found)),
        _ => {}
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
