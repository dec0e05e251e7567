//! Decision tables: one engine, a fixed clock, a case a line, the reason asserted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;
mod world;

mod algorithms;
mod audit;
mod claims;
mod format;
mod forward;
mod keys;
mod presenting;
mod query;
mod report_only;
mod routes;
mod scopes;
