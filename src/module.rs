//! The native module: the shell over Envoy's ABI of dynamic modules, instead of that of proxy-wasm.
//!
//! Envoy loads it into its own process, so there is no sandbox: a fault ends Envoy. All `unsafe` that this costs is in this
//! room. What the gates do is the shell's, the same code as in the Wasm module.
//!
//! | file | what is in it |
//! |---|---|
//! | `bindings` | what Envoy offers: types and functions of its `abi.h` |
//! | `hooks` | what Envoy calls |
//! | `worker` | the gates and the streams of one thread, and what is done once a hook has returned |
//! | `host` | [`crate::shell::Host`] for them |
//! | `stream` | calls about one stream |
//! | `route` | requirements beside routes: metadata, and configurations of a route |
//! | `configuration` | what the threads know of one filter configuration in common |
//! | `callouts` | requests of gates, which only the main thread can send |
//! | `metrics` | counters, gauges and histograms |
//! | `timer` | the thread that wakes the others |
//! | `shared` | the data that all threads share |
//! | `log` | from the `log` crate to Envoy's log |
//!
//! Each thread has gates of its own, as each has a VM with Wasm: nothing of the engine is shared between threads. The main
//! thread's gate is made when the configuration is loaded; a worker's when its first stream begins. The ABI has no timers for
//! HTTP filters and no callouts for workers but those of a stream, so a thread of ours wakes a gate through the scheduler of
//! one of its streams, and the main thread sends for all.
#![expect(unsafe_code, reason = "Envoy's functions are foreign functions, and so are ours for it")]

mod bindings;
mod callouts;
mod configuration;
pub mod hooks;
mod host;
mod log;
mod metrics;
mod route;
mod shared;
mod stream;
mod timer;
mod worker;
