//! Chains of filters around the gate.

use crate::support::envoy::{Gate, listener, root};
use crate::support::xds::Folder;
use crate::support::yaml::documents;
use scopegate::cli::check::check;
use scopegate::cli::report::Severity;
use scopegate::cli::source::Source;
use serde_json::{Value, json};
use std::path::Path;

/// An HTTP filter of Envoy's: its type without `envoy.extensions.filters.http.`.
pub fn filter(kind: &str, configuration: Value) -> Value {
    let mut typed = json!({ "@type": format!("type.googleapis.com/envoy.extensions.filters.http.{kind}") });
    typed.as_object_mut().unwrap().extend(configuration.as_object().unwrap().clone());
    json!({ "name": format!("envoy.filters.http.{}", kind.split('.').next().unwrap()), "typed_config": typed })
}

/// The cors filter, which asks for the route.
pub fn cors() -> Value {
    filter("cors.v3.Cors", json!({}))
}

/// Lua that does this to each request, which it calls `h`.
pub fn lua(code: &str) -> Value {
    let source = format!("function envoy_on_request(h) {code} end");
    filter("lua.v3.Lua", json!({ "default_source_code": { "inline_string": source } }))
}

/// The shipped seal.
pub fn seal() -> Value {
    let shipped = documents(&root().join("envoy/seal.yaml"));
    let [Value::Array(filters)] = shipped.as_slice() else { panic!("one list") };
    let [filter] = filters.as_slice() else { panic!("one filter") };
    filter.clone()
}

/// The gate's own filter.
pub fn own(gate: &Gate) -> Value {
    filter("wasm.v3.Wasm", json!({ "config": gate.plugin() }))
}

/// The gate's listener with these filters before and after it.
pub fn around(before: &[Value], gate: &Gate, behind: &[Value]) -> Value {
    let filters = [before, &[own(gate)], behind].concat();
    listener(gate.name, &filters, &gate.routes, &gate.virtual_host, &gate.connection_manager)
}

/// The rules by which `scopegate check` finds errors in these resources.
pub fn errors(resources: &Value) -> Vec<&'static str> {
    let folder = Folder::new();
    folder.put_text("envoy.json", &json!({ "static_resources": resources }).to_string());
    let source = Source::read(Path::new(&folder.path("envoy.json"))).unwrap();
    let findings = check(&[source]).unwrap();
    let errors = findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.rule).collect()
}
