//! Metadata that restricts lets nothing pass that would not pass without it, and metadata that cannot be read nothing that
//! is protected.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::config;
use scopegate::decision::{Basis, Decision};
use scopegate::facts::{KeyRing, MetadataRequirement, MetadataSource};
use scopegate::policy::Policy;
use scopegate_fuzz::{Options, Request, StandIn, configuration, keys, policy};
use serde_json::json;

const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLmNvbS8iLCJhdWQiOiJodHRwczovL2FwaS5leGFtcGxlLmNvbSIsInN1YiI6ImFsaWNlIiwiZXhwIjoxODAwMDAwMTAwfQ.Z29vZA";

thread_local! {
    static POLICIES: Vec<(Policy, KeyRing)> = ["restrict", "replace"]
        .map(|how| {
            let policy = policy(configuration(json!({ "route_metadata": how })));
            let ring = keys(&policy);
            (policy, ring)
        })
        .into();
}

fuzz_target!(|bytes: &[u8]| {
    POLICIES.with(|policies| {
        let [(restrict, ring), (replace, _)] = policies.as_slice() else { panic!("two") };
        let read = config::metadata_requirement(bytes, restrict, &|_| None);
        assert_eq!(read.is_ok(), config::metadata_requirement(bytes, replace, &|_| None).is_ok());
        let metadata = match &read {
            Ok(None) => return,
            Ok(Some(requirement)) => MetadataRequirement::Given(MetadataSource::Route, requirement),
            Err(_) => MetadataRequirement::Unreadable(MetadataSource::Route),
        };
        for target in ["/public", "/deny", "/optional", "/orders/1", "/admin", "/else"] {
            for credential in [String::new(), format!("\nauthorization|Bearer {TOKEN}")] {
                let text = format!("GET\n{target}{credential}");
                let request = Request::read(text.as_bytes());
                let decide = |policy: &Policy, metadata| {
                    request.decide(policy, &StandIn::default(), &Options { metadata, ..Options::new(ring) })
                };
                let without = decide(restrict, MetadataRequirement::None);
                let with = decide(restrict, metadata);
                let passes = |decision: &Decision| matches!(decision, Decision::Allow(grant) if !matches!(grant.basis, Basis::ReportOnly(_)));
                assert!(passes(&without) || !passes(&with), "{target}: {with:?}, and without metadata {without:?}");
                if read.is_err() {
                    for policy in [restrict, replace] {
                        assert!(!matches!(decide(policy, metadata), Decision::Allow(_)), "{target}");
                    }
                }
            }
        }
    });
});
