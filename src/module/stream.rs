//! Calls about one stream.

use super::bindings::{
    Buffer, FilterPtr, Header, LOCAL_RESET, SchedulerPtr, body_type, envoy_dynamic_module_callback_http_append_body,
    envoy_dynamic_module_callback_http_drain_body, envoy_dynamic_module_callback_http_filter_continue_decoding,
    envoy_dynamic_module_callback_http_filter_get_attribute_string,
    envoy_dynamic_module_callback_http_filter_reset_stream, envoy_dynamic_module_callback_http_filter_scheduler_new,
    envoy_dynamic_module_callback_http_get_body_chunks, envoy_dynamic_module_callback_http_get_body_chunks_size,
    envoy_dynamic_module_callback_http_get_body_size, envoy_dynamic_module_callback_http_get_header,
    envoy_dynamic_module_callback_http_get_headers, envoy_dynamic_module_callback_http_get_headers_size,
    envoy_dynamic_module_callback_http_received_buffered_request_body,
    envoy_dynamic_module_callback_http_received_buffered_response_body,
    envoy_dynamic_module_callback_http_send_response, envoy_dynamic_module_callback_http_set_filter_state_bytes,
    envoy_dynamic_module_callback_http_set_header, header_type,
};
use crate::shell::{Prepared, parse_map, serialise_map};

/// A stream that is there: it is in the table of its thread, and Envoy destroys no stream without telling us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(pub FilterPtr);

/// Which body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Request,
    Response,
}

// SAFETY of all calls below: the stream is there; each buffer that is passed is of a live value; what Envoy hands over is
// copied before any setter is called.
impl Stream {
    /// All lines of a map, serialised; `None` where there is no such map.
    pub fn header_map(self, map: u32) -> Option<Vec<u8>> {
        // SAFETY: see above.
        let count = unsafe { envoy_dynamic_module_callback_http_get_headers_size(self.0, map) };
        let mut lines = vec![Header::EMPTY; count];
        // SAFETY: see above; there is room for as many lines as Envoy has just counted.
        let read = unsafe { envoy_dynamic_module_callback_http_get_headers(self.0, map, lines.as_mut_ptr()) };
        read.then(|| {
            // SAFETY: see above.
            let lines: Vec<(&[u8], &[u8])> = lines.iter().map(|line| unsafe { line.line() }).collect();
            serialise_map(&lines)
        })
    }

    /// Sets a header, or removes it.
    pub fn set_header(self, map: u32, name: &str, value: Option<&[u8]>) -> bool {
        let value = value.map_or(Buffer::NONE, Buffer::of);
        // SAFETY: see above.
        unsafe { envoy_dynamic_module_callback_http_set_header(self.0, map, Buffer::of(name.as_bytes()), value) }
    }

    /// Whether Envoy takes the request for one of gRPC.
    fn is_grpc(self) -> bool {
        let mut value = Buffer::NONE;
        let (name, count) = (Buffer::of(b"content-type"), std::ptr::null_mut());
        let map = header_type::REQUEST_HEADERS;
        // SAFETY: see above.
        let found =
            unsafe { envoy_dynamic_module_callback_http_get_header(self.0, map, name, &raw mut value, 0, count) };
        // SAFETY: see above.
        let value = if found { unsafe { value.bytes() } } else { &[] };
        value.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
    }

    /// Answers the request.
    pub fn answer(self, reply: &Prepared) {
        let lines = parse_map(&reply.headers).unwrap_or_default();
        let mut headers: Vec<Header> = lines.iter().map(|(name, value)| Header::of(name, value)).collect();
        let status = reply.grpc_status.to_string();
        // Without it Envoy would tell a client of gRPC that all is well: it takes 0 for the status that it is not given.
        if self.is_grpc() {
            headers.push(Header::of(b"grpc-status", status.as_bytes()));
        }
        let (body, details) = (Buffer::of(reply.body.as_bytes()), Buffer::of(reply.details.as_bytes()));
        // SAFETY: see above.
        unsafe {
            envoy_dynamic_module_callback_http_send_response(
                self.0,
                u32::from(reply.status),
                headers.as_ptr(),
                headers.len(),
                body,
                details,
            );
        }
    }

    /// Lets the request go on.
    pub fn resume(self) {
        // SAFETY: see above.
        unsafe { envoy_dynamic_module_callback_http_filter_continue_decoding(self.0) };
    }

    /// Resets the stream.
    pub fn reset(self) {
        let details = Buffer::of(b"scopegate_closed");
        // SAFETY: see above.
        unsafe { envoy_dynamic_module_callback_http_filter_reset_stream(self.0, LOCAL_RESET, details) };
    }

    /// What wakes the stream.
    pub fn scheduler(self) -> Option<SchedulerPtr> {
        // SAFETY: see above.
        let scheduler = unsafe { envoy_dynamic_module_callback_http_filter_scheduler_new(self.0) };
        (!scheduler.is_null()).then_some(scheduler)
    }

    /// An attribute that is text.
    pub fn attribute(self, attribute: u32) -> Option<Vec<u8>> {
        let mut value = Buffer::NONE;
        // SAFETY: see above.
        let found = unsafe {
            envoy_dynamic_module_callback_http_filter_get_attribute_string(self.0, attribute, &raw mut value)
        };
        // SAFETY: see above.
        found.then(|| unsafe { value.bytes() }.to_vec())
    }

    /// Puts a text into filter state, which takes each key once.
    pub fn set_filter_state(self, key: &str, value: &[u8]) -> bool {
        let (key, value) = (Buffer::of(key.as_bytes()), Buffer::of(value));
        // SAFETY: see above.
        unsafe { envoy_dynamic_module_callback_http_set_filter_state_bytes(self.0, key, value) }
    }

    /// The buffers that hold what has come of a body and has not gone on, in their order. Only a hook of that body `receives`
    /// a part of it.
    fn buffers(self, body: Body, receives: bool) -> &'static [u32] {
        // SAFETY: see above.
        let is_one = unsafe {
            match body {
                Body::Request => envoy_dynamic_module_callback_http_received_buffered_request_body(self.0),
                Body::Response => envoy_dynamic_module_callback_http_received_buffered_response_body(self.0),
            }
        };
        match (body, is_one && receives) {
            (Body::Request, false) if !receives => &[body_type::BUFFERED_REQUEST],
            (Body::Response, false) if !receives => &[body_type::BUFFERED_RESPONSE],
            (Body::Request, false) => &[body_type::BUFFERED_REQUEST, body_type::RECEIVED_REQUEST],
            (Body::Request, true) => &[body_type::RECEIVED_REQUEST],
            (Body::Response, false) => &[body_type::BUFFERED_RESPONSE, body_type::RECEIVED_RESPONSE],
            (Body::Response, true) => &[body_type::RECEIVED_RESPONSE],
        }
    }

    /// How many bytes of a body have come and not gone on.
    pub fn body_size(self, body: Body, receives: bool) -> usize {
        let size = |buffer: &u32| {
            // SAFETY: see above.
            unsafe { envoy_dynamic_module_callback_http_get_body_size(self.0, *buffer) }
        };
        self.buffers(body, receives).iter().map(size).fold(0, usize::saturating_add)
    }

    /// Bytes of a body from `start` on, at most `limit`.
    pub fn body(self, body: Body, receives: bool, start: usize, limit: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut skipped = start;
        for &buffer in self.buffers(body, receives) {
            // SAFETY: see above.
            let count = unsafe { envoy_dynamic_module_callback_http_get_body_chunks_size(self.0, buffer) };
            let mut chunks = vec![Buffer::NONE; count];
            // SAFETY: see above; there is room for as many chunks as Envoy has just counted.
            let read = count > 0
                && unsafe { envoy_dynamic_module_callback_http_get_body_chunks(self.0, buffer, chunks.as_mut_ptr()) };
            for chunk in chunks.into_iter().filter(|_| read) {
                // SAFETY: see above.
                let chunk = unsafe { chunk.bytes() };
                let wanted = chunk.get(skipped.min(chunk.len())..).unwrap_or_default();
                skipped = skipped.saturating_sub(chunk.len());
                let room = limit.saturating_sub(bytes.len());
                bytes.extend_from_slice(wanted.get(..room).unwrap_or(wanted));
            }
        }
        bytes
    }

    /// Puts these bytes in the place of what has come of a body.
    pub fn replace_body(self, body: Body, receives: bool, bytes: &[u8]) -> bool {
        let buffers = self.buffers(body, receives);
        for &buffer in buffers {
            // SAFETY: see above.
            let size = unsafe { envoy_dynamic_module_callback_http_get_body_size(self.0, buffer) };
            // SAFETY: see above.
            if size > 0 && !unsafe { envoy_dynamic_module_callback_http_drain_body(self.0, buffer, size) } {
                return false;
            }
        }
        let Some(&last) = buffers.last() else { return false };
        // SAFETY: see above.
        unsafe { envoy_dynamic_module_callback_http_append_body(self.0, last, Buffer::of(bytes)) }
    }
}
