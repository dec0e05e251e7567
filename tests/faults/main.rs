//! What happens when things fail, and when they go on for long: faults, floods of hostile requests, and the soak.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a test fails by a panic, reads a clock, tells what it counted, and draws"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod crowd;
mod event_storm;
mod forgers;
mod host_calls;
mod hostile;
mod refusals;
mod replay;
mod rewritten;
mod senders;
mod soak;
mod stage;
mod storms;
mod strangers;
mod traffic;
mod vm;
