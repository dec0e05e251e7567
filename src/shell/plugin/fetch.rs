//! One request for a document, and its answer.

use super::super::feed::answer::{Answer, FailureKind, read_headers};
use super::super::host::{self, Buffer, Map};
use super::super::pairs;
use crate::policy::Endpoint;

/// Asks `endpoint` for its document. The answer comes under the number returned.
///
/// # Errors
/// When the host does not send it: there is no such cluster.
pub(super) fn send(endpoint: &Endpoint, accept: &str, etag: Option<&str>, timeout_ms: u32) -> host::Result<u32> {
    let mut headers = vec![
        (":method", "GET"),
        (":scheme", endpoint.scheme),
        (":authority", endpoint.authority.as_str()),
        (":path", endpoint.path.as_str()),
        ("accept", accept),
    ];
    headers.extend(etag.map(|etag| ("if-none-match", etag)));
    host::http_get(&endpoint.cluster, &headers, timeout_ms)
}

/// Reads an answer of so many headers and bytes, of which no more than `limit` may be used. Without headers the request
/// failed, and nothing of it may be read.
pub(super) fn receive(headers: usize, bytes: usize, limit: usize, conditional: bool) -> Answer {
    if headers == 0 {
        return FailureKind::Unreachable.because("did not answer, or broke off").into();
    }
    let unreadable = || FailureKind::Unreachable.because("the answer cannot be read").into();
    let Ok(map) = host::header_map(Map::CallResponseHeaders) else { return unreadable() };
    let mut fetched = match read_headers(&pairs::parse(&map).unwrap_or_default(), conditional) {
        Ok(fetched) => fetched,
        Err(answer) => return answer,
    };
    if bytes > limit {
        return FailureKind::TooLarge.because(format!("the document has {bytes} bytes, more than {limit}")).into();
    }
    match host::buffer(Buffer::CallResponseBody, bytes) {
        Ok(body) => fetched.bytes = body,
        Err(_) => return unreadable(),
    }
    Answer::Document(fetched)
}
