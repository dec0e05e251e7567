//! What the tests and the demo share: an issuer, a real Envoy, servers and a client that send and show exact bytes.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "each binary uses a part of it; a test fails by a panic, and waits by a clock"
)]

pub mod bodies;
pub mod client;
pub mod config_map;
pub mod envoy;
pub mod events;
pub mod guarded;
pub mod hostile_bodies;
pub mod issuer;
pub mod modules;
pub mod native;
pub mod node;
pub mod only_wasm;
pub mod outage;
pub mod pool;
pub mod prover;
pub mod python;
pub mod random;
pub mod records;
pub mod redis;
pub mod resources;
pub mod server;
pub mod shared;
pub mod signer;
pub mod tools;
pub mod wait;
pub mod xds;
pub mod yaml;
