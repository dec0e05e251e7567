//! The proxy-wasm ABI: from the host's calls to [`Filter`]'s. No decisions.
//!
//! The callbacks are exported here under our own names, and replace the SDK's exports in the shipped module
//! (tests/tools/unused.rs). The SDK's callbacks search their tables several times for each request. They panic when the
//! host calls back in while a context is busy, or names a context or a callout that they do not know. They give the
//! answer of a callout to the context that they hold for active. The allocator, the log and the version of the ABI stay
//! the SDK's.
#![expect(unsafe_code, reason = "exported functions have their names without mangling")]

use super::filter::{Action, Filter};
use super::wasm_host::WasmHost;
use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
}}

thread_local! {
    /// The contexts of this VM.
    static FILTER: Filter<WasmHost> = Filter::new(WasmHost);
}

/// A context begins: a root context, which has no parent, or a stream.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_context_create(context: u32, parent: u32) {
    FILTER.with(|filter| filter.on_context_create(context, parent));
}

/// A root context is configured.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_configure(root: u32, _size: u32) -> u32 {
    FILTER.with(|filter| u32::from(filter.on_configure(root)))
}

/// The timer of a root context.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_tick(root: u32) {
    FILTER.with(|filter| filter.on_tick(root));
}

/// A callout has been answered.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_http_call_response(root: u32, token: u32, headers: usize, body: usize, _trailers: u32) {
    FILTER.with(|filter| filter.on_http_call_response(root, token, headers, body));
}

/// The headers of a request are here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_request_headers(context: u32, _count: u32, ends_with_headers: u32) -> u32 {
    FILTER.with(|filter| number(filter.on_request_headers(context, ends_with_headers != 0)))
}

/// A part of the body is here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_request_body(context: u32, size: usize, ends: u32) -> u32 {
    FILTER.with(|filter| number(filter.on_request_body(context, size, ends != 0)))
}

/// The trailers are here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_request_trailers(context: u32, _count: u32) -> u32 {
    FILTER.with(|filter| number(filter.on_request_trailers(context)))
}

/// The headers of a response are here. Only the module `scopegate-full.wasm` exports what is called for responses.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_response_headers(context: u32, _count: u32, ends_with_headers: u32) -> u32 {
    FILTER.with(|filter| number(filter.on_response_headers(context, ends_with_headers != 0)))
}

/// A part of the response's body is here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_response_body(context: u32, size: usize, ends: u32) -> u32 {
    FILTER.with(|filter| number(filter.on_response_body(context, size, ends != 0)))
}

/// The trailers of a response are here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_response_trailers(context: u32, _count: u32) -> u32 {
    FILTER.with(|filter| filter.on_response_trailers(context));
    number(Action::Continue)
}

/// A context ends.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_delete(context: u32) {
    FILTER.with(|filter| filter.on_delete(context));
}

/// `proxy_action_t`.
const fn number(action: Action) -> u32 {
    match action {
        Action::Continue => 0,
        Action::Pause => 1,
    }
}
