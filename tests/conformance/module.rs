//! A module for Envoy that runs the vectors in its configuration, as it is configured, with the verifier of the filter.
//!
//! Its first line says where signatures are checked: `host` or `vm`. The test makes `proxy_on_configure` of what this
//! exports; all else is the filter's.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, clippy::expect_used, clippy::panic, reason = "exported to the host; a test fails by a panic")]
#![allow(clippy::indexing_slicing, reason = "JSON that the test wrote")]

mod runner;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel};
use scopegate::crypto::PureVerifier;
use scopegate::shell::{HostVerifier, WasmHost, probe};
use std::cell::Cell;

/// Runs the vectors and logs a line for each suite: once, in the VM of the main thread, which is there before those of the
/// workers.
#[unsafe(no_mangle)]
pub extern "C" fn conformance_on_configure(_context: u32, _size: usize) -> bool {
    let bytes = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX).expect("a buffer");
    let text = String::from_utf8(bytes.expect("a configuration")).expect("text");
    let (place, suites) = text.split_once('\n').expect("a place and suites");
    if hostcalls::get_shared_data(place).is_ok_and(|(done, _)| done.is_some()) {
        return true;
    }
    let host_checks = place == "host";
    assert!(!host_checks || probe(&WasmHost), "this host checks no signatures");
    let host_failures = Cell::new(0);
    let verifier = HostVerifier {
        host: &WasmHost,
        host_checks,
        host_failures: &host_failures,
        asked: Cell::new(false),
        times: None,
        fallback: PureVerifier,
    };
    for line in runner::run(suites, &verifier) {
        log(&format!("conformance {place} {line}"));
    }
    log(&format!("conformance {place} host-failures {}", host_failures.get()));
    hostcalls::set_shared_data(place, Some(b"done"), None).expect("shared data");
    true
}

fn log(line: &str) {
    hostcalls::log(LogLevel::Info, line).expect("a log");
}
