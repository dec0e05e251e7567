//! Bytes as Envoy hands a Struct over: a configuration or every problem, and none lets an unverified token pass.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::config;
use scopegate::decision::{Basis, Decision};
use scopegate_fuzz::{Nobody, Options, Request, environment, keys};

const REQUEST: &[u8] = b"GET\n/orders/1\nauthorization|Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLmNvbS8iLCJhdWQiOiJodHRwczovL2FwaS5leGFtcGxlLmNvbSIsInN1YiI6ImFsaWNlIiwiZXhwIjoxODAwMDAwMTAwfQ.Z29vZA";

fuzz_target!(|bytes: &[u8]| {
    match config::load(bytes, &environment) {
        Err(error) => assert!(!error.0.is_empty(), "refused without a problem"),
        Ok(loaded) => {
            let ring = keys(&loaded.policy);
            let decision = Request::read(REQUEST).decide(&loaded.policy, &Nobody, &Options::new(&ring));
            assert!(!matches!(decision, Decision::Allow(grant) if grant.basis == Basis::Token));
        }
    }
});
