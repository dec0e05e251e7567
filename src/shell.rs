//! The imperative shell: owns streams, timers, keys and budgets, and calls the host. It judges nothing: there is no
//! `if` on a claim, a scope or a header value here.
//!
//! Everything calls [`host::Host`], and is compiled and tested natively with a host that a test scripts. Only the
//! module has `abi`, from the host's calls to ours, and `wasm_host`, from ours to the host's.

mod body_check;
mod budget;
mod callouts;
mod declaration;
mod documents;
mod event_poll;
mod feed;
mod filter;
mod gate;
mod host;
mod host_verifier;
mod introspection;
mod key_store;
mod list_feed;
mod list_store;
mod metadata_cache;
mod metrics;
mod open_streams;
mod pairs;
mod password_line;
mod password_memory;
mod replay_service;
mod reply_cache;
mod status_store;
mod streams;
mod turns;
mod waiting_room;

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(test)]
mod scripted;
#[cfg(target_arch = "wasm32")]
mod wasm_host;

#[cfg(feature = "module")]
pub use {
    budget::told,
    filter::{Action, Filter},
    host::{Buffer, Counter, Failure, Gauge, Histogram, Host, Map, Result as HostResult},
    metrics::LATER_COUNTERS,
    pairs::{parse as parse_map, serialise_bytes as serialise_map},
    reply_cache::Prepared,
    streams::ContextHasher,
};
#[cfg(target_arch = "wasm32")]
pub use {
    host_verifier::{HostVerifier, probe},
    wasm_host::WasmHost,
};
