//! End-to-end tests: the module as shipped, in a real Envoy, in front of a real upstream.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod gate;
