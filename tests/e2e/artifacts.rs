//! The two modules: the same code, which knows which of them it is.

use crate::support::client::{get_with, request};
use crate::support::envoy::{Envoy, Gate, cluster, module, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::server::Server;
use scopegate::crypto::Algorithm;
use serde_json::json;

#[test]
fn each_module_says_which_it_is_and_both_leave_responses_as_they_are() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let configuration =
        json!({ "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }] });
    let modules = [("requests", "scopegate.wasm"), ("full", "scopegate-full.wasm")];
    let gates = modules.map(|(name, file)| {
        let path = module().with_file_name(file);
        let plugin = json!({ "vm_config": { "code": { "local": { "filename": path.to_string_lossy() } } } });
        Gate { name, plugin, ..Gate::new(configuration.clone()) }
    });
    let upstream = Server::echo(0).unwrap();
    let envoy = Envoy::shared(&resources(&gates, &[cluster("upstream", upstream.address)]));
    for (name, file) in modules {
        let address = envoy.listener(name);
        let echoed = get_with(address, "/orders", &issuer.token(now()).sign()).echoed();
        assert_eq!(echoed.0["target"], "/orders", "{name}");
        assert_eq!(request(address, "POST", "/orders", &[]).status, 401, "{name}");
        envoy.wait_for_log(&format!("scopegate: the module is {file} {}", env!("CARGO_PKG_VERSION")));
    }
    assert!(!envoy.log().contains("panicked"));
}
