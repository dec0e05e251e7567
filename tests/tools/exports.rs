//! What the shipped module exports.

/// The exports of the shipped module: a callback that the filter answers, or one that the host cannot do without.
/// (The host asks `proxy_on_done` whether a stream may end; without it a stream just ends, which is our answer.)
pub const KEEP: [&str; 13] = [
    "memory",
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_http_call_response",
    "proxy_on_delete",
];
