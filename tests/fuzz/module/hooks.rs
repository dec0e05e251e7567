//! The hooks of the module, as Envoy calls them on the thread of a stream, and what has to hold of what they return.

use super::envoy::{Buffer, Header, Line, Stream};
use super::plan::{During, Plan, piece};
use std::cell::Cell;
use std::ffi::{c_char, c_void};

type Pointer = *const c_void;

unsafe extern "C" {
    pub fn envoy_dynamic_module_on_program_init() -> *const c_char;
    pub fn envoy_dynamic_module_on_http_filter_config_new(envoy: *mut c_void, name: Buffer, text: Buffer) -> Pointer;
    pub fn envoy_dynamic_module_on_http_filter_config_destroy(module: Pointer);
    pub fn envoy_dynamic_module_on_http_filter_per_route_config_new(name: Buffer, text: Buffer) -> Pointer;
    pub fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(module: Pointer);
    pub fn envoy_dynamic_module_on_http_filter_new(module: Pointer, filter: *mut c_void) -> Pointer;
    fn envoy_dynamic_module_on_http_filter_request_headers(filter: *mut c_void, module: Pointer, ends: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_request_body(filter: *mut c_void, module: Pointer, ends: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_request_trailers(filter: *mut c_void, module: Pointer) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_headers(filter: *mut c_void, module: Pointer, ends: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_body(filter: *mut c_void, module: Pointer, ends: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_trailers(filter: *mut c_void, module: Pointer) -> u32;
    fn envoy_dynamic_module_on_http_filter_stream_complete(filter: *mut c_void, module: Pointer);
    fn envoy_dynamic_module_on_http_filter_destroy(module: Pointer);
    fn envoy_dynamic_module_on_http_filter_scheduled(filter: *mut c_void, module: Pointer, event: u64);
    pub fn envoy_dynamic_module_on_http_filter_config_scheduled(envoy: *mut c_void, module: Pointer, event: u64);
    fn envoy_dynamic_module_on_http_filter_config_http_callout_done(
        envoy: *mut c_void,
        module: Pointer,
        id: u64,
        result: u32,
        headers: *const Header,
        count: usize,
        pieces: *const Buffer,
        piece_count: usize,
    );
}

const CONTINUE: u32 = 0;
/// `StopAndBuffer` of a body.
const BUFFER: u32 = 1;

thread_local! {
    /// How deep calls of the module's are in hooks of the module's.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Headers { ends: bool },
    Body { piece: u8, ends: bool },
    Trailers,
    ResponseHeaders { ends: bool },
    ResponseBody { piece: u8, ends: bool },
    ResponseTrailers,
    Complete,
    Scheduled,
    Destroy,
}

impl Part {
    pub fn read(plan: &mut Plan<'_>) -> Self {
        let which = plan.below(10);
        let more = plan.next().unwrap_or(0);
        let (ends, piece) = (more & 1 == 1, more >> 1);
        match which {
            0 | 1 => Self::Headers { ends },
            2 => Self::Body { piece, ends },
            3 => Self::Trailers,
            4 => Self::ResponseHeaders { ends },
            5 => Self::ResponseBody { piece, ends },
            6 => Self::ResponseTrailers,
            7 => Self::Complete,
            8 => Self::Scheduled,
            _ => Self::Destroy,
        }
    }
}

/// Calls a hook about a stream that is there.
pub fn call(stream: &Stream, part: Part) {
    let (filter, module) = (stream.pointer(), stream.module.get());
    if stream.is_destroyed.get() || module.is_null() {
        return;
    }
    let was_answered = stream.answered.get() > 0;
    // SAFETY of all calls: the pointers are Envoy's stream and what the module gave for it.
    let passed = match part {
        Part::Headers { ends } => unsafe { envoy_dynamic_module_on_http_filter_request_headers(filter, module, ends) },
        Part::Body { piece: which, ends } => {
            stream.receive(false, piece(which));
            let status = unsafe { envoy_dynamic_module_on_http_filter_request_body(filter, module, ends) };
            stream.end_of_part(false, status == BUFFER);
            status
        }
        Part::Trailers => unsafe { envoy_dynamic_module_on_http_filter_request_trailers(filter, module) },
        Part::ResponseHeaders { ends } => {
            unsafe { envoy_dynamic_module_on_http_filter_response_headers(filter, module, ends) };
            return;
        }
        Part::ResponseBody { piece: which, ends } => {
            stream.receive(true, piece(which));
            let status = unsafe { envoy_dynamic_module_on_http_filter_response_body(filter, module, ends) };
            stream.end_of_part(true, status == BUFFER);
            return;
        }
        Part::ResponseTrailers => {
            unsafe { envoy_dynamic_module_on_http_filter_response_trailers(filter, module) };
            return;
        }
        Part::Complete => return unsafe { envoy_dynamic_module_on_http_filter_stream_complete(filter, module) },
        Part::Scheduled => return unsafe { envoy_dynamic_module_on_http_filter_scheduled(filter, module, 0) },
        Part::Destroy => {
            unsafe { envoy_dynamic_module_on_http_filter_destroy(module) };
            return stream.is_destroyed.set(true);
        }
    };
    if passed == CONTINUE {
        assert!(!was_answered, "a part of a request goes on that has been answered: {part:?}");
        stream.goes_on();
    }
}

/// What Envoy does while the module answers, resumes or resets a stream.
pub fn during(stream: &Stream) {
    if DEPTH.get() > 3 {
        return;
    }
    DEPTH.set(DEPTH.get() + 1);
    let parts: &[Part] = match stream.during {
        During::Nothing => &[],
        During::Response => &[Part::ResponseHeaders { ends: false }, Part::ResponseBody { piece: 1, ends: true }],
        During::Destroy => &[Part::Complete, Part::Destroy],
        During::ResponseAndDestroy => &[Part::ResponseHeaders { ends: true }, Part::Complete, Part::Destroy],
        During::Body => &[Part::Body { piece: 1, ends: false }, Part::Trailers],
    };
    parts.iter().for_each(|part| call(stream, *part));
    DEPTH.set(DEPTH.get() - 1);
}

/// Hands an answer to a callout over: nothing, or a status and a body in two pieces.
pub fn answer(envoy: *mut c_void, module: Pointer, id: u64, answer: Option<(&str, String)>) {
    let done = envoy_dynamic_module_on_http_filter_config_http_callout_done;
    let Some((status, body)) = answer else {
        // SAFETY: as Envoy calls it for a stream that was reset.
        return unsafe { done(envoy, module, id, 1, std::ptr::null(), 0, std::ptr::null(), 0) };
    };
    let lines: [Line; 1] = [(b":status"[..].into(), status.as_bytes().into())];
    let headers = lines.each_ref().map(Header::of);
    let (first, second) = body.as_bytes().split_at(body.len() / 2);
    let pieces = [Buffer::of(first), Buffer::of(second)];
    // SAFETY: all of it is good while the hook runs.
    unsafe { done(envoy, module, id, 0, headers.as_ptr(), headers.len(), pieces.as_ptr(), pieces.len()) }
}
