//! The modules that are shipped, and what each exports.

/// A module that is shipped. All are made of one link: they differ in the callbacks that they export, and the host calls
/// what is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// `scopegate.wasm`, which is called for requests only.
    Requests,
    /// `scopegate-full.wasm`, which is called for responses too.
    Full,
}

impl Artifact {
    /// Whether it exports the callbacks of responses. The module asks this of an import, since it cannot see its own
    /// exports.
    pub const fn has_responses(self) -> bool {
        matches!(self, Self::Full)
    }

    /// Its exports.
    pub fn exports(self) -> Vec<&'static str> {
        let responses = if self.has_responses() { &RESPONSES[..] } else { &[] };
        [&KEEP, responses].concat()
    }
}

/// The exports of every shipped module: a callback that the filter answers, or one that the host cannot do without.
/// (The host asks `proxy_on_done` whether a stream may end, and `proxy_on_vm_start` whether a VM may start; without them a
/// stream just ends and a VM just starts, which are our answers.)
const KEEP: [&str; 12] = [
    "memory",
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_http_call_response",
    "proxy_on_delete",
];

/// The callbacks of responses: each costs every response an entry into the VM.
const RESPONSES: [&str; 3] = ["proxy_on_response_headers", "proxy_on_response_body", "proxy_on_response_trailers"];
