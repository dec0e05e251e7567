//! The imperative shell: owns streams, timers, keys and budgets, and calls the host. It judges nothing: there is no
//! `if` on a claim, a scope or a header value here.
//!
//! What holds state without calling the host is compiled and tested natively. What is marked `wasm32` below exists in the
//! module only.

mod budget;
mod feed;
mod key_store;
mod list_store;
mod metadata_cache;
mod pairs;
mod reply_cache;
mod streams;
mod waiting_room;

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(target_arch = "wasm32")]
mod gate;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod host_verifier;
#[cfg(target_arch = "wasm32")]
mod stream;

#[cfg(target_arch = "wasm32")]
pub use host_verifier::{HostVerifier, probe};
