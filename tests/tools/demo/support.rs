//! What the demo shares with the tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the demo uses a part of it, and tests fail by a panic"
)]

#[path = "../../support/client.rs"]
pub mod client;
#[path = "../../support/guarded.rs"]
pub mod guarded;
#[path = "../../support/server.rs"]
pub mod server;
