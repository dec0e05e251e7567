//! The host calls that we use, each with a `Result`.
//!
//! The SDK's own wrappers unwrap: on bytes that are not UTF-8, and on any status but the two or three they expect. A
//! panic ends the worker's VM for every request, so the functions are declared here, with the status as the number
//! that it is. Only `proxy_http_call` goes through the SDK, whose dispatcher has to know the call.
#![expect(unsafe_code, reason = "host functions are foreign functions")]

use super::feed::Board;
use super::reply_cache::Prepared;
use crate::base::time::UnixSeconds;
use proxy_wasm::types::Status;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The host's answer when it did not do what was asked: a `proxy_status_t` other than OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(pub u32);

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const OK: u32 = 0;
const NOT_FOUND: u32 = 1;

/// Shorthand of this room.
pub type Result<T> = std::result::Result<T, Failure>;

/// A map of headers or trailers (`proxy_map_type_t`).
#[derive(Clone, Copy, Debug)]
pub enum Map {
    RequestHeaders,
    RequestTrailers,
    CallResponseHeaders,
}

/// A buffer (`proxy_buffer_type_t`).
#[derive(Clone, Copy, Debug)]
pub enum Buffer {
    CallResponseBody,
    PluginConfiguration,
}

/// A counter that has been defined.
#[derive(Clone, Copy, Debug)]
pub struct Counter(u32);

/// A gauge that has been defined. All workers share it.
#[derive(Clone, Copy, Debug)]
pub struct Gauge(u32);

/// A histogram that has been defined.
#[derive(Clone, Copy, Debug)]
pub struct Histogram(u32);

/// The data that all workers of the process share, and all plugins with the same `vm_id`.
#[derive(Debug)]
pub struct SharedData;

mod raw {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub fn proxy_get_buffer_bytes(
            kind: u32,
            start: usize,
            size: usize,
            data: *mut *mut u8,
            length: *mut usize,
        ) -> u32;
        pub fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, length: *mut usize) -> u32;
        pub fn proxy_remove_header_map_value(map: u32, name: *const u8, name_length: usize) -> u32;
        pub fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_length: usize,
            value: *const u8,
            value_length: usize,
        ) -> u32;
        pub fn proxy_get_property(path: *const u8, path_length: usize, data: *mut *mut u8, length: *mut usize) -> u32;
        pub fn proxy_set_property(path: *const u8, path_length: usize, value: *const u8, value_length: usize) -> u32;
        pub fn proxy_continue_stream(stream: u32) -> u32;
        pub fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_length: usize,
            body: *const u8,
            body_length: usize,
            headers: *const u8,
            headers_length: usize,
            grpc_status: i32,
        ) -> u32;
        pub fn proxy_set_effective_context(context: u32) -> u32;
        pub fn proxy_call_foreign_function(
            name: *const u8,
            name_length: usize,
            arguments: *const u8,
            arguments_length: usize,
            data: *mut *mut u8,
            length: *mut usize,
        ) -> u32;
        pub fn proxy_define_metric(kind: u32, name: *const u8, name_length: usize, id: *mut u32) -> u32;
        pub fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub fn proxy_get_shared_data(
            name: *const u8,
            name_length: usize,
            data: *mut *mut u8,
            length: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub fn proxy_set_shared_data(
            name: *const u8,
            name_length: usize,
            value: *const u8,
            value_length: usize,
            cas: u32,
        ) -> u32;
    }
}

impl Map {
    const fn number(self) -> u32 {
        match self {
            Self::RequestHeaders => 0,
            Self::RequestTrailers => 1,
            Self::CallResponseHeaders => 6,
        }
    }
}

impl Buffer {
    const fn number(self) -> u32 {
        match self {
            Self::CallResponseBody => 4,
            Self::PluginConfiguration => 7,
        }
    }
}

const fn done(status: u32) -> Result<()> {
    if status == OK { Ok(()) } else { Err(Failure(status)) }
}

/// Takes over bytes that the host put into memory which our own allocator gave it; nothing for a null pointer.
#[expect(clippy::same_length_and_capacity, reason = "the host asks for exactly as much as it fills")]
fn owned(data: *mut u8, length: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host asks `proxy_on_memory_allocate` for exactly `length` bytes, which the SDK takes from a Vec<u8> of
    // that capacity and leaks, fills them all, and hands the pointer over once.
    unsafe { Vec::from_raw_parts(data, length, length) }
}

/// The time in nanoseconds since the Unix epoch. When the host has none, the end of time, at which every token has
/// expired.
pub fn now_ns() -> u64 {
    let mut time = 0;
    // SAFETY: the pointer is to a live u64.
    let status = unsafe { raw::proxy_get_current_time_nanoseconds(&raw mut time) };
    if status == OK && time > 0 { time } else { u64::MAX }
}

/// The same in seconds.
pub fn now() -> UnixSeconds {
    match now_ns() {
        u64::MAX => UnixSeconds(i64::MAX),
        nanoseconds => UnixSeconds(i64::try_from(nanoseconds / NANOS_PER_SECOND).unwrap_or(i64::MAX)),
    }
}

/// The size of the VM's linear memory in bytes. It never shrinks.
pub fn memory_bytes() -> u64 {
    const PAGE: u64 = 65_536;
    u64::try_from(core::arch::wasm32::memory_size(0)).unwrap_or(u64::MAX).saturating_mul(PAGE)
}

/// Asks to be called every so many milliseconds.
pub fn set_tick_period(milliseconds: u32) -> Result<()> {
    // SAFETY: takes no pointers.
    done(unsafe { raw::proxy_set_tick_period_milliseconds(milliseconds) })
}

/// A buffer, up to `limit` bytes of it.
pub fn buffer(buffer: Buffer, limit: usize) -> Result<Vec<u8>> {
    buffer_part(buffer, 0, limit)
}

/// A buffer from `start` on, up to `limit` bytes of it.
pub fn buffer_part(buffer: Buffer, start: usize, limit: usize) -> Result<Vec<u8>> {
    let (mut data, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: the pointers are to live variables.
    let status = unsafe { raw::proxy_get_buffer_bytes(buffer.number(), start, limit, &raw mut data, &raw mut length) };
    match status {
        OK => Ok(owned(data, length)),
        NOT_FOUND => Ok(Vec::new()),
        other => Err(Failure(other)),
    }
}

/// All lines of a map, as [`super::pairs::parse`] reads them.
pub fn header_map(map: Map) -> Result<Vec<u8>> {
    let (mut data, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: the pointers are to live variables.
    done(unsafe { raw::proxy_get_header_map_pairs(map.number(), &raw mut data, &raw mut length) })?;
    Ok(owned(data, length))
}

/// Removes all lines of a header.
pub fn remove_header(map: Map, name: &str) -> Result<()> {
    // SAFETY: pointer and length are those of one slice.
    done(unsafe { raw::proxy_remove_header_map_value(map.number(), name.as_ptr(), name.len()) })
}

/// Makes a header have one line with this value.
pub fn set_header(map: Map, name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: each pointer and its length are those of one slice.
    done(unsafe {
        raw::proxy_replace_header_map_value(map.number(), name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// A property; `None` when there is none of that path.
pub fn property(path: &[&str]) -> Result<Option<Vec<u8>>> {
    let path = path.join("\0");
    let (mut data, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: each pointer and its length are those of one slice, or to live variables.
    let status = unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut length) };
    match status {
        OK => Ok(Some(owned(data, length))),
        NOT_FOUND => Ok(None),
        other => Err(Failure(other)),
    }
}

/// Puts a value into the stream's filter state, under `wasm.` and this key.
pub fn set_filter_state(key: &str, value: &str) -> Result<()> {
    // SAFETY: each pointer and its length are those of one slice.
    done(unsafe { raw::proxy_set_property(key.as_ptr(), key.len(), value.as_ptr(), value.len()) })
}

/// Lets the request of the effective context go on.
pub fn resume_request() -> Result<()> {
    // SAFETY: takes no pointers.
    done(unsafe { raw::proxy_continue_stream(0) })
}

/// Answers the request of the effective context.
pub fn send_local_response(reply: &Prepared) -> Result<()> {
    // SAFETY: each pointer and its length are those of one slice.
    done(unsafe {
        raw::proxy_send_local_response(
            u32::from(reply.status),
            reply.details.as_ptr(),
            reply.details.len(),
            reply.body.as_ptr(),
            reply.body.len(),
            reply.headers.as_ptr(),
            reply.headers.len(),
            reply.grpc_status,
        )
    })
}

/// Makes `context` the one that calls about a stream are about. Fails when its stream is gone.
pub fn set_effective_context(context: u32) -> Result<()> {
    // SAFETY: takes no pointers.
    done(unsafe { raw::proxy_set_effective_context(context) })
}

/// Calls a function that the host offers by name.
pub fn call_foreign_function(name: &str, arguments: &[u8]) -> Result<Vec<u8>> {
    let (mut data, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: each pointer and its length are those of one slice, or to live variables.
    done(unsafe {
        raw::proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            &raw mut data,
            &raw mut length,
        )
    })?;
    Ok(owned(data, length))
}

impl Board for SharedData {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        let (mut data, mut length, mut cas) = (std::ptr::null_mut(), 0, 0);
        // SAFETY: each pointer and its length are those of one slice, or to live variables.
        let status = unsafe {
            raw::proxy_get_shared_data(name.as_ptr(), name.len(), &raw mut data, &raw mut length, &raw mut cas)
        };
        (status == OK).then(|| (owned(data, length), cas))
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        let cas = seen.unwrap_or(0);
        // SAFETY: each pointer and its length are those of one slice.
        let status = unsafe { raw::proxy_set_shared_data(name.as_ptr(), name.len(), value.as_ptr(), value.len(), cas) };
        status == OK
    }
}

/// A number by chance, good for spreading things out.
pub fn chance() -> u64 {
    RandomState::new().hash_one(now_ns())
}

/// Defines a counter.
pub fn define_counter(name: &str) -> Result<Counter> {
    define(0, name).map(Counter)
}

/// Defines a gauge.
pub fn define_gauge(name: &str) -> Result<Gauge> {
    define(1, name).map(Gauge)
}

/// Defines a histogram.
pub fn define_histogram(name: &str) -> Result<Histogram> {
    define(2, name).map(Histogram)
}

fn define(kind: u32, name: &str) -> Result<u32> {
    let mut id = 0;
    // SAFETY: each pointer and its length are those of one slice, or to a live variable.
    done(unsafe { raw::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Sets a gauge for the whole process. What cannot be shown is not worth failing for.
pub fn set_gauge(gauge: Gauge, value: u64) {
    // SAFETY: takes no pointers.
    let _ = unsafe { raw::proxy_record_metric(gauge.0, value) };
}

/// Adds to a gauge, or takes away from it.
pub fn change_gauge(gauge: Gauge, by: i64) {
    if by != 0 {
        // SAFETY: takes no pointers.
        let _ = unsafe { raw::proxy_increment_metric(gauge.0, by) };
    }
}

/// Records a value.
pub fn record(histogram: Histogram, value: u64) {
    // SAFETY: takes no pointers.
    let _ = unsafe { raw::proxy_record_metric(histogram.0, value) };
}

/// Adds to a counter. What cannot be counted is not worth failing a request for.
pub fn count(counter: Counter, by: u32) {
    if by > 0 {
        // SAFETY: takes no pointers.
        let _ = unsafe { raw::proxy_increment_metric(counter.0, i64::from(by)) };
    }
}

/// Sends a GET request to a cluster; the answer comes to `on_http_call_response` under the number returned.
pub fn http_get(cluster: &str, headers: &[(&str, &str)], timeout_ms: u32) -> Result<u32> {
    let timeout = Duration::from_millis(u64::from(timeout_ms));
    #[expect(
        clippy::disallowed_methods,
        reason = "the SDK's dispatcher has to know the call; BadArgument is an error here, not a panic"
    )]
    let sent = proxy_wasm::hostcalls::dispatch_http_call(cluster, headers.to_vec(), None, Vec::new(), timeout);
    sent.map_err(|status| {
        Failure(match status {
            Status::BadArgument => 2,
            _ => 10,
        })
    })
}
