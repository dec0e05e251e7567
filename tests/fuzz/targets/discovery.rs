//! Metadata gives an address only when it is of the issuer, and keys of an https issuer come from an https address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::policy::jwks_endpoint;
use serde_json::Value;

fuzz_target!(|document: &[u8]| {
    for issuer in ["https://issuer.example.com/", "http://issuer.example.com/"] {
        let Ok(endpoint) = jwks_endpoint(document, issuer, "keys") else { continue };
        let other: Value = serde_json::from_slice(document).expect("JSON to another reader");
        assert_eq!(other["issuer"], issuer);
        assert!(other["jwks_uri"].is_string());
        assert_eq!(endpoint.cluster, "keys");
        assert!(endpoint.scheme == "https" || issuer.starts_with("http:"));
        for part in [&endpoint.authority, &endpoint.path] {
            assert!(part.bytes().all(|byte| byte > b' ' && byte != 0x7f), "a header cannot carry {part:?}");
        }
        assert!(endpoint.path.starts_with('/'));
    }
});
