//! The native module in place of the Wasm modules: where `SCOPEGATE_NATIVE` names it, everything that is handed to Envoy is
//! rewritten just before, so that one list of tests runs on both.

use super::{xds, yaml};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The names and values of environment variables.
pub type Environment = BTreeMap<String, String>;

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const NATIVE: &str = "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";
const PER_ROUTE: &str =
    "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute";
const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";

/// How an access log prints the record as an object, and as text.
const AS_OBJECT: &str = "%TYPED_CEL(filter_state['wasm.scopegate'])%";
const AS_TEXT: &str = "%FILTER_STATE(wasm.scopegate:PLAIN)%";

/// What Envoy logs when a filter refuses its configuration: as Wasm, and as a native module.
const REFUSALS: [&str; 2] = ["Unable to create Wasm plugin", "Failed to initialize dynamic module"];

/// The native module that is tested; none where it is the Wasm module.
pub fn library() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("SCOPEGATE_NATIVE")?);
    assert!(path.is_file(), "{} is missing: run `make module`", path.display());
    assert!(path.ends_with("libscopegate.so"), "Envoy looks for libscopegate.so, and not for {}", path.display());
    Some(path)
}

/// The switch by which Envoy leaves the namespace out of the names that Prometheus sees, as it does for Wasm.
const NAMES_AS_WITH_WASM: &str = "envoy.reloadable_features.dynamic_modules_strip_custom_stat_prefix";

/// Counters with labels: natively their names have the labels in them.
const WITH_LABELS: [(&str, &[&str]); 2] = [
    ("wasmcustom.scopegate.requirement.", &["outcome", "requirement"]),
    ("wasmcustom.scopegate.refused.", &["mode", "issuer", "reason"]),
];

/// Whether the native module is tested.
pub fn is_tested() -> bool {
    library().is_some()
}

/// Whether Envoy's log says that a filter has refused its configuration.
pub fn is_refused(log: &str) -> bool {
    REFUSALS.iter().any(|refusal| log.contains(refusal))
}

/// The name that a statistic has with Wasm.
pub fn statistic(name: &str) -> String {
    for (metric, labels) in WITH_LABELS {
        let Some(rest) = name.strip_prefix(metric) else { continue };
        let parts: Vec<&str> = rest.split('.').collect();
        let pairs: Vec<&[&str]> = parts.chunks(2).collect();
        if pairs.iter().map(|pair| pair[0]).eq(labels.iter().copied()) {
            let values: Vec<&str> = pairs.iter().filter_map(|pair| pair.get(1).copied()).collect();
            return format!("{metric}{}", values.join("."));
        }
    }
    name.to_owned()
}

/// A document for Envoy with the native module in it.
pub struct Rewritten {
    pub document: Value,
    /// What the filters of the document read of the environment.
    pub environment: Environment,
}

/// The document with the module that is tested, and the environment that Envoy has to have.
pub fn rewritten(document: &Value) -> Rewritten {
    let as_it_is = || Rewritten { document: document.clone(), environment: Environment::new() };
    library().map_or_else(as_it_is, |library| rewrite(document, &library))
}

/// As [`rewritten`], for a document as text. What needs no change stays as it was written, and so does what cannot be read.
pub fn rewritten_text(text: &str) -> (String, Environment) {
    let document = library().and_then(|_| serde_json::from_str(text).ok().or_else(|| yaml::only(text)));
    let Some(document) = document else { return (text.to_owned(), Environment::new()) };
    let Rewritten { document: other, environment } = rewritten(&document);
    (if other == document { text.to_owned() } else { other.to_string() }, environment)
}

/// As [`rewritten_text`], for a bootstrap, with all that a process of Envoy has to have in its environment: what its filters
/// read of it, also those in files, and where the native module is.
pub fn rewritten_bootstrap(text: &str) -> (String, Environment) {
    let Some(library) = library() else { return (text.to_owned(), Environment::new()) };
    let mut environment = Environment::new();
    let folder = library.parent().unwrap_or(&library).to_string_lossy().into_owned();
    environment.insert("ENVOY_DYNAMIC_MODULES_SEARCH_PATH".to_owned(), folder);
    let Some(document) = serde_json::from_str(text).ok().or_else(|| yaml::only(text)) else {
        return (text.to_owned(), environment);
    };
    let mut rewritten = rewrite(&document, &library);
    xds::environments(&document, &mut rewritten.environment);
    join(&mut environment, rewritten.environment);
    // What has no gate in it, by itself or in files, stays as it is.
    if rewritten.document == document && !text.contains("path_config_source") {
        return (text.to_owned(), environment);
    }
    (with_names_as_with_wasm(rewritten.document).to_string(), environment)
}

fn with_names_as_with_wasm(mut bootstrap: Value) -> Value {
    let layer = json!({ "name": "names", "static_layer": { NAMES_AS_WITH_WASM: true } });
    match bootstrap.pointer_mut("/layered_runtime/layers").and_then(Value::as_array_mut) {
        Some(layers) => layers.push(layer),
        None => bootstrap["layered_runtime"] = json!({ "layers": [layer] }),
    }
    bootstrap
}

/// Puts the native module in the place of each Wasm filter whose code is `library`.
///
/// # Panics
/// When a filter has other code: a test of that needs Wasm.
pub fn rewrite(document: &Value, library: &Path) -> Rewritten {
    let mut rewriting = Rewriting {
        library: library.to_string_lossy().into_owned(),
        names: Vec::new(),
        environment: Environment::new(),
    };
    let mut document = document.clone();
    rewriting.filters(&mut document);
    if rewriting.names.is_empty() {
        // Routes that come by themselves do not say what the filter is called.
        rewriting.names.push("scopegate".to_owned());
    }
    rewriting.hosts(&mut document);
    Rewritten { document, environment: rewriting.environment }
}

/// Adds to an environment.
///
/// # Panics
/// When a name has another value: Envoy has one environment, and each virtual machine its own.
pub fn join(into: &mut Environment, from: Environment) {
    for (name, value) in from {
        let before = into.insert(name.clone(), value.clone());
        assert!(before.is_none_or(|before| before == value), "{name} has two values: a test of that needs Wasm");
    }
}

struct Rewriting {
    library: String,
    /// What the filters are called.
    names: Vec<String>,
    environment: Environment,
}

impl Rewriting {
    fn filters(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                let is_gate = members.get("typed_config").is_some_and(is_gate)
                    || members.get("config_discovery").is_some_and(|discovery| names_wasm(&discovery["type_urls"]));
                if let (true, Some(Value::String(name))) = (is_gate, members.get("name")) {
                    self.names.push(name.clone());
                }
                if is_wasm(members.get("@type")) || is_wasm(members.get("type_url")) {
                    self.filter(members);
                } else {
                    members.values_mut().for_each(|member| self.filters(member));
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.filters(item));
                if items.iter().any(|item| is_wasm(Some(item))) {
                    items.push(NATIVE.into());
                }
            }
            Value::String(text) => *text = text.replace(AS_OBJECT, AS_TEXT),
            _ => {}
        }
        as_text_in_condition(value);
    }

    /// The filter's own type and configuration, or those in a `TypedStruct`.
    fn filter(&mut self, members: &mut Map<String, Value>) {
        let is_typed = is_wasm(members.get("@type"));
        let plugin = if is_typed { &members["config"] } else { &members["value"]["config"] };
        let code = &plugin["vm_config"]["code"];
        assert_eq!(code["local"]["filename"], self.library, "other code than the module's: a test of that needs Wasm");
        let variables = plugin["vm_config"]["environment_variables"]["key_values"].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        join(&mut self.environment, variables.map(|(name, value)| (name.clone(), text(value))).collect());
        let mut filter = json!({
            "dynamic_module_config": { "name": "scopegate", "metrics_namespace": "wasmcustom", "do_not_close": true },
        });
        if let Some(name) = plugin["vm_config"].get("vm_id") {
            filter["filter_name"] = name.clone();
        }
        if let Some(configuration) = plugin.get("configuration") {
            filter["filter_config"] = with_record_as_text(configuration);
        }
        if is_typed {
            filter["@type"] = NATIVE.into();
            *members = filter.as_object().cloned().unwrap_or_default();
        } else {
            members["type_url"] = NATIVE.into();
            members["value"] = filter;
        }
    }

    /// The requirements of virtual hosts, wherever they are in the document.
    fn hosts(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for host in members.get_mut("virtual_hosts").and_then(Value::as_array_mut).into_iter().flatten() {
                    self.host(host);
                }
                members.values_mut().for_each(|member| self.hosts(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hosts(item)),
            _ => {}
        }
    }

    /// Those of a virtual host, and of its routes that cannot keep theirs: the module reads no objects in metadata, and it
    /// refuses metadata beside a requirement that holds for the route, of a virtual host too.
    fn host(&self, host: &mut Value) {
        let has_own = self.requirement(host, |_| true);
        for route in host["routes"].as_array_mut().into_iter().flatten() {
            self.requirement(route, |requirement| has_own || !is_flat(requirement));
        }
    }

    /// Moves a requirement from metadata to the configuration of the filter for this route or virtual host, if it has to.
    fn requirement(&self, of: &mut Value, has_to: impl Fn(&Value) -> bool) -> bool {
        let Some(metadata) = of.pointer_mut("/metadata/filter_metadata").and_then(Value::as_object_mut) else {
            return false;
        };
        let Some(requirement) = metadata.get("scopegate").filter(|requirement| has_to(requirement)).cloned() else {
            return false;
        };
        metadata.remove("scopegate");
        let own = json!({
            "@type": PER_ROUTE,
            "dynamic_module_config": { "name": "scopegate", "do_not_close": true },
            "per_route_config_name": "scopegate",
            "filter_config": { "@type": STRUCT, "value": requirement },
        });
        for name in &self.names {
            of["typed_per_filter_config"][name] = own.clone();
        }
        true
    }
}

/// The condition of a policy, of the shipped seal for one, which compares what a gate has put into filter state: natively that is
/// bytes for CEL until it is made text.
fn as_text_in_condition(policy: &mut Value) {
    if let Some(condition) = policy.get_mut("condition").filter(|condition| condition.is_object())
        && states_as_text(condition)
    {
        policy["cel_config"] = json!({ "enable_string_conversion": true });
    }
}

fn states_as_text(value: &mut Value) -> bool {
    if value.pointer("/call_expr/args/0/ident_expr/name").is_some_and(|name| name == "filter_state") {
        *value = json!({ "call_expr": { "function": "string", "args": [value.clone()] } });
        return true;
    }
    // Each is looked at, also after one was found.
    match value {
        Value::Object(members) => members.values_mut().map(states_as_text).fold(false, |any, found| any | found),
        Value::Array(items) => items.iter_mut().map(states_as_text).fold(false, |any, found| any | found),
        _ => false,
    }
}

fn is_wasm(kind: Option<&Value>) -> bool {
    kind.is_some_and(|kind| kind == WASM)
}

/// Whether this is the configuration of a gate, or of a filter that has a gate in it.
fn is_gate(filter: &Value) -> bool {
    is_wasm(filter.get("@type"))
        || is_wasm(filter.get("type_url"))
        || filter.pointer("/extension_config/typed_config").is_some_and(is_gate)
}

fn names_wasm(types: &Value) -> bool {
    types.as_array().into_iter().flatten().any(|kind| is_wasm(Some(kind)))
}

/// Whether the module can read a requirement in metadata: no value in it is an object.
fn is_flat(requirement: &Value) -> bool {
    let plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let mut values = requirement.as_object().into_iter().flatten().map(|(_, value)| value);
    values.all(|value| plain(value) || value.as_array().is_some_and(|items| items.iter().all(plain)))
}

/// The configuration, a `Struct` or JSON text, without the record as an object: a native module leaves text only.
fn with_record_as_text(configuration: &Value) -> Value {
    let mut configuration = configuration.clone();
    let record = |settings: &mut Value| {
        let record = settings.pointer_mut("/audit/record").filter(|record| *record == "object");
        record.map(|record| *record = "text".into()).is_some()
    };
    match &mut configuration["value"] {
        Value::String(text) => {
            if let Ok(mut settings) = serde_json::from_str(text)
                && record(&mut settings)
            {
                *text = settings.to_string();
            }
        }
        settings => {
            record(settings);
        }
    }
    configuration
}
