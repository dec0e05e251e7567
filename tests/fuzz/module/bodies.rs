//! Bodies of a stream, in pieces: what has just been received, and what is kept.

use super::envoy::{Buffer, stream};
use std::ffi::c_void;

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_body_size(filter: *mut c_void, body: u32) -> usize {
    stream(filter).bodies.borrow()[body as usize].iter().map(|piece| piece.len()).sum()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_body_chunks_size(filter: *mut c_void, body: u32) -> usize {
    stream(filter).bodies.borrow()[body as usize].len()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_body_chunks(
    filter: *mut c_void,
    body: u32,
    chunks: *mut Buffer,
) -> bool {
    for (at, piece) in stream(filter).bodies.borrow()[body as usize].iter().enumerate() {
        // SAFETY: the module has made room for as many pieces as it was told.
        unsafe { *chunks.add(at) = Buffer::of(piece) };
    }
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_append_body(filter: *mut c_void, body: u32, bytes: Buffer) -> bool {
    let bytes = bytes.bytes();
    let mut bodies = stream(filter).bodies.borrow_mut();
    let pieces = &mut bodies[body as usize];
    *pieces = pieces.iter().cloned().chain([bytes.into()]).collect();
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_drain_body(filter: *mut c_void, body: u32, count: usize) -> bool {
    let mut bodies = stream(filter).bodies.borrow_mut();
    let pieces = &mut bodies[body as usize];
    let rest = pieces.concat().split_off(count);
    *pieces = vec![rest.into()];
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_received_buffered_request_body(filter: *mut c_void) -> bool {
    let _ = stream(filter);
    false
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_received_buffered_response_body(filter: *mut c_void) -> bool {
    let _ = stream(filter);
    false
}
