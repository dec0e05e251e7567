//! The proxy-wasm host: Envoy, from inside its VM.
//!
//! The SDK's own wrappers unwrap: on bytes that are not UTF-8, and on any status but the two or three they expect. A
//! panic ends the worker's VM for every request, so the functions are declared here, with the status as the number
//! that it is.
#![expect(unsafe_code, reason = "host functions are foreign functions")]

use super::feed::SharedData;
use super::host::{Buffer, Counter, Failure, Gauge, Histogram, Host, Map, Result};
use super::pairs;
use super::reply_cache::Prepared;
use crate::config::METADATA_NAMESPACE;

/// The host of this VM.
#[derive(Clone, Copy, Debug, Default)]
pub struct WasmHost;

/// Its shared data.
#[derive(Debug)]
struct HostSharedData;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;

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
        pub fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, length: usize) -> u32;
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
        pub fn proxy_close_stream(stream: u32) -> u32;
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
        pub fn proxy_http_call(
            cluster: *const u8,
            cluster_length: usize,
            headers: *const u8,
            headers_length: usize,
            body: *const u8,
            body_length: usize,
            trailers: *const u8,
            trailers_length: usize,
            timeout_ms: u32,
            token: *mut u32,
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

const fn map_number(map: Map) -> u32 {
    match map {
        Map::RequestHeaders => 0,
        Map::RequestTrailers => 1,
        Map::ResponseHeaders => 2,
        Map::CallResponseHeaders => 6,
    }
}

const fn buffer_number(buffer: Buffer) -> u32 {
    match buffer {
        Buffer::RequestBody => 0,
        Buffer::ResponseBody => 1,
        Buffer::CallResponseBody => 4,
        Buffer::PluginConfiguration => 7,
    }
}

const fn done(status: u32) -> Result<()> {
    if status == OK { Ok(()) } else { Err(Failure(status)) }
}

/// Takes over bytes that the host put into memory from our allocator; nothing for a null pointer.
#[expect(clippy::same_length_and_capacity, reason = "the host asks for exactly as much as it fills")]
fn owned(data: *mut u8, length: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host asks `proxy_on_memory_allocate` for exactly `length` bytes, which the SDK takes from a Vec<u8>
    // of that capacity and leaks, fills them all, and hands the pointer over once.
    unsafe { Vec::from_raw_parts(data, length, length) }
}

mod module {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        /// 1 in the module that exports the callbacks of responses, and 0 in the other. `make wasm` replaces this
        /// import by the answer (tests/tools/responses.rs), since a module cannot see its own exports.
        pub safe fn scopegate_responses() -> i32;
    }
}

impl Host for WasmHost {
    fn now_ns(&self) -> u64 {
        let mut time = 0;
        // SAFETY: the pointer is to a live u64.
        let status = unsafe { raw::proxy_get_current_time_nanoseconds(&raw mut time) };
        if status == OK && time > 0 { time } else { u64::MAX }
    }

    // Linear memory never shrinks.
    fn memory_bytes(&self) -> Option<u64> {
        const PAGE: u64 = 65_536;
        Some(u64::try_from(core::arch::wasm32::memory_size(0)).unwrap_or(u64::MAX).saturating_mul(PAGE))
    }

    fn calls_for_responses(&self) -> bool {
        module::scopegate_responses() != 0
    }

    fn module(&self) -> &'static str {
        if self.calls_for_responses() { "scopegate-full.wasm" } else { concat!("scopegate", ".wasm") }
    }

    fn set_tick_period(&self, milliseconds: u32) -> Result<()> {
        // SAFETY: takes no pointers.
        done(unsafe { raw::proxy_set_tick_period_milliseconds(milliseconds) })
    }

    fn buffer(&self, buffer: Buffer, start: usize, limit: usize) -> Result<Vec<u8>> {
        let (mut data, mut length) = (std::ptr::null_mut(), 0);
        let number = buffer_number(buffer);
        // SAFETY: the pointers are to live variables.
        let status = unsafe { raw::proxy_get_buffer_bytes(number, start, limit, &raw mut data, &raw mut length) };
        match status {
            OK => Ok(owned(data, length)),
            NOT_FOUND => Ok(Vec::new()),
            other => Err(Failure(other)),
        }
    }

    fn set_buffer(&self, buffer: Buffer, size: usize, bytes: &[u8]) -> Result<()> {
        // SAFETY: pointer and length are those of one slice.
        done(unsafe { raw::proxy_set_buffer_bytes(buffer_number(buffer), 0, size, bytes.as_ptr(), bytes.len()) })
    }

    fn header_map(&self, map: Map) -> Result<Vec<u8>> {
        let (mut data, mut length) = (std::ptr::null_mut(), 0);
        // SAFETY: the pointers are to live variables.
        done(unsafe { raw::proxy_get_header_map_pairs(map_number(map), &raw mut data, &raw mut length) })?;
        Ok(owned(data, length))
    }

    fn remove_header(&self, map: Map, name: &str) -> Result<()> {
        // SAFETY: pointer and length are those of one slice.
        done(unsafe { raw::proxy_remove_header_map_value(map_number(map), name.as_ptr(), name.len()) })
    }

    fn set_header(&self, map: Map, name: &str, value: &[u8]) -> Result<()> {
        let (name, size, map) = (name.as_ptr(), name.len(), map_number(map));
        // SAFETY: each pointer and its length are those of one slice.
        done(unsafe { raw::proxy_replace_header_map_value(map, name, size, value.as_ptr(), value.len()) })
    }

    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>> {
        let mut room = [0; PATH_BYTES];
        let joined = join(path, &mut room);
        let long = if joined.is_none() { path.join("\0") } else { String::new() };
        let path = joined.unwrap_or(long.as_bytes());
        let (mut data, mut length) = (std::ptr::null_mut(), 0);
        // SAFETY: each pointer and its length are those of one slice, or to live variables.
        let status = unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut length) };
        match status {
            OK => Ok(Some(owned(data, length))),
            NOT_FOUND => Ok(None),
            other => Err(Failure(other)),
        }
    }

    // Nothing is copied into the VM where there is nothing.
    fn lacks_metadata(&self, source: &str) -> bool {
        matches!(self.property(&["xds", source, "filter_metadata", METADATA_NAMESPACE]), Ok(None))
    }

    fn set_filter_state(&self, key: &str, value: &[u8]) -> Result<()> {
        // SAFETY: each pointer and its length are those of one slice.
        done(unsafe { raw::proxy_set_property(key.as_ptr(), key.len(), value.as_ptr(), value.len()) })
    }

    fn resume_request(&self) -> Result<()> {
        // SAFETY: takes no pointers.
        done(unsafe { raw::proxy_continue_stream(0) })
    }

    fn close_stream(&self) -> Result<()> {
        // The side of the request; a stream must not be reset from both.
        // SAFETY: takes no pointers.
        done(unsafe { raw::proxy_close_stream(0) })
    }

    fn send_local_response(&self, reply: &Prepared) -> Result<()> {
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

    fn set_effective_context(&self, context: u32) -> Result<()> {
        // SAFETY: takes no pointers.
        done(unsafe { raw::proxy_set_effective_context(context) })
    }

    fn call_foreign_function(&self, name: &str, arguments: &[u8]) -> Result<Vec<u8>> {
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

    fn http_call(&self, cluster: &str, headers: &[(&str, &str)], body: &[u8], timeout_ms: u32) -> Result<u32> {
        let (headers, trailers) = (pairs::serialise(headers), pairs::serialise(&[]));
        let mut token = 0;
        // SAFETY: each pointer and its length are those of one slice, or to a live variable.
        done(unsafe {
            raw::proxy_http_call(
                cluster.as_ptr(),
                cluster.len(),
                headers.as_ptr(),
                headers.len(),
                body.as_ptr(),
                body.len(),
                trailers.as_ptr(),
                trailers.len(),
                timeout_ms,
                &raw mut token,
            )
        })?;
        Ok(token)
    }

    fn shared_data(&self) -> Box<dyn SharedData> {
        Box::new(HostSharedData)
    }

    fn define_counter(&self, name: &str) -> Result<Counter> {
        define(0, name).map(Counter)
    }

    fn define_gauge(&self, name: &str) -> Result<Gauge> {
        define(1, name).map(Gauge)
    }

    fn define_histogram(&self, name: &str) -> Result<Histogram> {
        define(2, name).map(Histogram)
    }

    fn count(&self, counter: Counter, by: u32) {
        if by > 0 {
            // SAFETY: takes no pointers.
            let _ = unsafe { raw::proxy_increment_metric(counter.0, i64::from(by)) };
        }
    }

    fn set_gauge(&self, gauge: Gauge, value: u64) {
        // SAFETY: takes no pointers.
        let _ = unsafe { raw::proxy_record_metric(gauge.0, value) };
    }

    fn change_gauge(&self, gauge: Gauge, by: i64) {
        if by != 0 {
            // SAFETY: takes no pointers.
            let _ = unsafe { raw::proxy_increment_metric(gauge.0, by) };
        }
    }

    fn record(&self, histogram: Histogram, value: u64) {
        // SAFETY: takes no pointers.
        let _ = unsafe { raw::proxy_record_metric(histogram.0, value) };
    }
}

/// Room for the path of a property, in bytes: almost all take less.
const PATH_BYTES: usize = 64;

/// The path of a property, with a NUL between its parts, in `room`, where it fits: every request reads some, and memory
/// for each would cost as much as what is read.
fn join<'r>(path: &[&str], room: &'r mut [u8; PATH_BYTES]) -> Option<&'r [u8]> {
    let mut end = 0;
    for (index, part) in path.iter().enumerate() {
        let start = if index == 0 { 0 } else { end + 1 };
        end = start + part.len();
        room.get_mut(start..end)?.copy_from_slice(part.as_bytes());
    }
    room.get(..end)
}

impl SharedData for HostSharedData {
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

    fn lacks(&self, name: &str) -> bool {
        let (mut data, mut length, mut cas) = (std::ptr::null_mut(), 0, 0);
        // SAFETY: each pointer and its length are those of one slice, or to live variables.
        let status = unsafe {
            raw::proxy_get_shared_data(name.as_ptr(), name.len(), &raw mut data, &raw mut length, &raw mut cas)
        };
        drop(owned(data, length));
        status == NOT_FOUND
    }
}

fn define(kind: u32, name: &str) -> Result<u32> {
    let mut id = 0;
    // SAFETY: each pointer and its length are those of one slice, or to a live variable.
    done(unsafe { raw::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}
