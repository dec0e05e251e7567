//! A tenant in the token against the one in the path or the host, in Envoy: what an upstream is asked for is the
//! tenant of the token.

use super::gate::{configuration, start};
use crate::support::client::get;
use crate::support::envoy::Gate;
use crate::support::issuer::{Issuer, now};
use scopegate::base::text::percent_decode;
use scopegate::crypto::Algorithm;
use serde_json::json;

#[test]
fn a_token_reaches_the_paths_and_hosts_of_its_own_tenant_only() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let rules = json!([
        { "match": { "template": "/tenants/{tenant}/**" }, "claims": [{ "claim": "tenant", "equals_path": "tenant" }] },
        { "match": { "host": "*.example.com" }, "claims": [{ "claim": "tenant", "equals_host": "*.example.com" }] },
    ]);
    let (envoy, _upstream) =
        start(Gate::new(configuration(&issuer, json!({ "rules": rules, "default": { "deny": true } }))));
    let token = |tenant: &str| format!("Bearer {}", issuer.token(now()).claim("tenant", tenant).sign());
    let (acme, other) = (token("acme"), token("other"));
    // Twice, so that the tokens are remembered the second time.
    for _ in 0..2 {
        for (host, target, bearer, passes) in [
            ("api.example.org", "/tenants/acme/x?tenant=other", &acme, true),
            ("api.example.org", "/tenants/other/x", &acme, false),
            ("api.example.org", "/tenants/other/x", &other, true),
            ("api.example.org", "/tenants/acme/x", &other, false),
            ("api.example.org", "/tenants/%61cme/x", &acme, true),
            ("api.example.org", "/tenants/acme%20/x", &acme, false),
            ("Acme.example.com:8443", "/", &acme, true),
            ("acme.example.com", "/", &other, false),
            ("other.acme.example.com", "/", &acme, false),
        ] {
            let answer = get(envoy.address(), target, &[("host", host), ("authorization", bearer)]);
            assert_eq!(answer.status, if passes { 200 } else { 403 }, "{host} {target}");
            if passes {
                // Envoy may write an escape of a letter as the letter before the filter sees the path.
                let sent = answer.echoed().0["target"].as_str().unwrap_or_default().to_owned();
                assert_eq!(percent_decode(sent.as_bytes()), percent_decode(target.as_bytes()));
            }
        }
        // Envoy resolves dot segments before the filter sees the path: what is judged is what the upstream gets.
        let climbs = get(envoy.address(), "/tenants/acme/../other/x", &[("authorization", &acme)]);
        assert_eq!(climbs.status, 403);
    }
    let log = envoy.wait_for_log("equals_path tenant, which is other");
    assert!(log.contains("claim_mismatch"), "{log}");
}
