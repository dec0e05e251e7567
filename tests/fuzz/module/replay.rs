//! The fuzz target of the native module's hooks, on its seeds and without a sanitizer:
//! `cargo test --features module --test hooks`.
#![allow(
    unsafe_code,
    unused_attributes,
    unused_imports,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::undocumented_unsafe_blocks,
    clippy::vec_box,
    clippy::rest_pat_in_fully_bound_structs,
    reason = "it plays the part of Envoy, which is C++, and fails by a panic"
)]

// What the target names, here in place of libFuzzer's crate.
extern crate self as libfuzzer_sys;

/// A target, as a function.
#[macro_export]
macro_rules! fuzz_target {
    (|$input:ident: &[u8]| $body:block) => {
        pub fn run($input: &[u8]) {
            $body
        }
    };
}

mod sequences;
#[path = "main.rs"]
mod target;

use std::sync::atomic::Ordering;

#[test]
fn the_hooks_hold_in_every_sequence_that_the_fuzzer_begins_with() {
    sequences::all().iter().for_each(|sequence| target::run(sequence));
    // A panic in a hook, or in a call of one, ends this program. So what is left to see is that requests were decided.
    let counts = [&target::envoy::WENT_ON, &target::envoy::RESUMED, &target::envoy::ANSWERED];
    let [went_on, resumed, answered] = counts.map(|count| count.load(Ordering::Relaxed));
    assert!(went_on > 20 && resumed > 0 && answered > 20, "{went_on} {resumed} {answered}");
}
