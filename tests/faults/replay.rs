//! What has been used stays used when a VM traps and is made anew.

use crate::rewritten::{Mark, Rewritten};
use crate::support::client::{get_with, head, try_send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::json;

#[test]
fn a_token_that_was_used_in_a_vm_that_traps_is_refused_by_the_next_one() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let module = Rewritten::trapping();
    let configuration = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "default": { "single_use": true },
    });
    let upstream = Server::echo(0).unwrap();
    let gate = Gate { plugin: module.plugin(), ..Gate::new(configuration) };
    let envoy = Envoy::try_start(&resources(&[gate], &[cluster("upstream", upstream.address)]), 1).unwrap();
    let token = |jti: &str| issuer.token(now()).claim("jti", jti).sign();
    let status = |jti: &str| get_with(envoy.address(), "/", &token(jti)).status;
    assert_eq!([status("0"), status("0")], [200, 401]);
    for round in 1..4 {
        let lines = Mark::Headers.headers();
        let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(try_send(envoy.address(), &head("GET", "/", &lines)).map(|answer| answer.status), Some(503));
        // While there is no VM, the answer is 503; then each of these is new.
        let mut tries = 0;
        eventually("there is another VM", || {
            tries += 1;
            status(&format!("{round} {tries}")) == 200
        });
        assert_eq!(status("0"), 401, "round {round}");
        assert_eq!(status(&format!("{round} {tries}")), 401, "round {round}");
    }
    envoy.wait_for_log("401 scopegate_replayed");
}
