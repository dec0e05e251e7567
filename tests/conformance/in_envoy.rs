//! The vectors in a real Envoy: the filter's module with another `proxy_on_configure`, which runs them.

use crate::Verdicts;
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::server::Server;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

#[path = "../tools/responses.rs"]
mod responses;

/// Runs the document in both places.
pub fn run(document: &str) -> [Verdicts; 2] {
    let module = module();
    let gates = ["host", "vm"].map(|place| {
        let plugin = json!({
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": format!("{place}\n{document}"),
            },
            "vm_config": { "code": { "local": { "filename": module.to_string_lossy() } } },
        });
        Gate { name: place, plugin, ..Gate::new(json!({})) }
    });
    let upstream = Server::echo(0).unwrap();
    let envoy = Envoy::start(&resources(&gates, &[cluster("upstream", upstream.address)]));
    let log = envoy.log();
    ["host", "vm"].map(|place| {
        let head = format!("conformance {place} ");
        let lines = log.lines().filter_map(|line| line.split_once(&head)).map(|(_, rest)| rest.trim_end().to_owned());
        let mut lines: Vec<String> = lines.collect();
        assert_eq!(lines.pop().as_deref(), Some("host-failures 0"), "{place}: a run to its end");
        Verdicts { place, lines }
    })
}

/// The module that was built, with its exports changed.
fn module() -> PathBuf {
    let built = std::env::var_os("SCOPEGATE_CONFORMANCE")
        .map_or_else(|| root().join("target/wasm32-wasip1/release/examples/conformance.wasm"), PathBuf::from);
    let bad = |why: &str| -> ! { panic!("{} {why}: run `make conformance`, or `make test`", built.display()) };
    let bytes = fs::read(&built).unwrap_or_else(|error| bad(&format!("is missing ({error})")));
    let mut module =
        walrus::Module::from_buffer(&bytes).unwrap_or_else(|error| bad(&format!("is no module ({error})")));
    let export = |module: &walrus::Module, name: &str| {
        let mut exports = module.exports.iter();
        exports.find(|export| export.name == name).unwrap_or_else(|| bad(&format!("does not export {name}"))).id()
    };
    let (ours, theirs) = (export(&module, "conformance_on_configure"), export(&module, "proxy_on_configure"));
    module.exports.get_mut(theirs).item = module.exports.get(ours).item;
    module.exports.delete(ours);
    responses::fix(&mut module, false).unwrap_or_else(|why| bad(&why));
    let path = root().join("target/conformance.wasm");
    module.emit_wasm_file(&path).unwrap();
    path
}
