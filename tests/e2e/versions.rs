//! What differs between the versions of Envoy: the table in tests/README.md.

use crate::dynamic::World;
use crate::gate::{configuration, start};
use crate::support::client::{get, get_with, request};
use crate::support::envoy::{Gate, minor_version};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::wait::eventually;
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

/// A plugin that takes tokens under the secret that its environment holds.
fn with_secret(secret: &[u8], realm: &str) -> Value {
    let mut gate = Gate::new(json!({
        "issuers": [{
            "issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": ["HS256"],
            "secrets": [{ "kid": "s", "env": "HS_KEY" }],
        }],
        "challenge": { "realm": realm },
    }));
    let environment = json!({ "key_values": { "HS_KEY": base64url::encode(secret) } });
    gate.plugin = json!({ "vm_config": { "environment_variables": environment } });
    gate.plugin()
}

fn token_under(secret: &[u8]) -> String {
    let claims =
        json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now(), "exp": now() + 300 }).to_string();
    let parts = [r#"{"alg":"HS256","kid":"s","typ":"at+jwt"}"#, claims.as_str()];
    let input = parts.map(|part| base64url::encode(part.as_bytes())).join(".");
    format!("{input}.{}", base64url::encode(&hmac_sha256::HMAC::mac(input.as_bytes(), secret)))
}

#[test]
fn before_1_39_a_new_secret_needs_a_new_vm() {
    needs_wasm!();
    let (old, new) = ([1; 32], [2; 32]);
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let world = World::start_plugin(&with_secret(&old, "first"), &routes, &[]);
    let statuses = || [old, new].map(|secret| get_with(world.address(), "/", &token_under(&secret)).status);
    let holds = |realm: &str| {
        let challenge = format!("Bearer realm=\"{realm}\"");
        let held = || get(world.address(), "/", &[]).header("www-authenticate") == Some(&challenge);
        // Each worker takes it in its own time.
        eventually("the new configuration", || (0..20).all(|_| held()));
    };
    assert_eq!(statuses(), [200, 401]);
    world.change_plugin(&with_secret(&new, "second"));
    holds("second");
    assert_eq!(statuses(), if minor_version() < 39 { [200, 401] } else { [401, 200] });
    let mut plugin = with_secret(&new, "third");
    plugin["vm_config"]["vm_id"] = "another".into();
    world.change_plugin(&plugin);
    holds("third");
    assert_eq!(statuses(), [401, 200], "another vm_id does it everywhere");
}

#[test]
fn before_1_39_a_dot_segment_with_a_parameter_stays_in_the_path() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let rules = json!({ "rules": [{ "match": { "path_separated_prefix": "/open" }, "public": true }] });
    let (envoy, _upstream) = start(Gate::new(configuration(&issuer, rules)));
    let answer = request(envoy.address(), "GET", "/a/..;x=1/open", &[]);
    if minor_version() < 39 {
        assert_eq!(answer.status, 400, "{answer:?}");
        envoy.counter_of_at_least("scopegate.denied.ambiguous_path", 1);
    } else {
        assert_eq!(answer.echoed().0["target"], "/open");
    }
}
