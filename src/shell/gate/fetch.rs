//! One request for a document, and its answer.

use super::super::feed::answer::{Answer, FailureKind, Fetched, read_headers};
use super::super::host::{self, Buffer, Map};
use super::super::pairs;
use crate::policy::Endpoint;
use crate::revocation::{CHUNK_BYTES, Chunks};

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
    let mut fetched = match head(headers, bytes, limit, conditional) {
        Ok(fetched) => fetched,
        Err(answer) => return answer,
    };
    match host::buffer(Buffer::CallResponseBody, bytes) {
        Ok(body) => fetched.bytes = body,
        Err(_) => return unreadable(),
    }
    Answer::Document(fetched)
}

/// The same for a document that may be long: it comes in pieces, and the answer is without it.
pub(super) fn receive_pieces(headers: usize, bytes: usize, limit: usize, conditional: bool) -> (Answer, Chunks) {
    let fetched = match head(headers, bytes, limit, conditional) {
        Ok(fetched) => fetched,
        Err(answer) => return (answer, Chunks::default()),
    };
    let mut document = Chunks::default();
    while document.len() < bytes {
        match host::buffer_part(Buffer::CallResponseBody, document.len(), CHUNK_BYTES) {
            Ok(piece) if !piece.is_empty() => document.append(piece),
            _ => return (unreadable(), Chunks::default()),
        }
    }
    (Answer::Document(fetched), document)
}

fn head(headers: usize, bytes: usize, limit: usize, conditional: bool) -> Result<Fetched, Answer> {
    if headers == 0 {
        return Err(FailureKind::Unreachable.because("did not answer, broke off, or sent more than 32 MiB").into());
    }
    let map = host::header_map(Map::CallResponseHeaders).map_err(|_| unreadable())?;
    let fetched = read_headers(&pairs::parse(&map).unwrap_or_default(), conditional)?;
    if bytes > limit {
        return Err(FailureKind::TooLarge.because(format!("the document has more than {limit} bytes")).into());
    }
    Ok(fetched)
}

fn unreadable() -> Answer {
    FailureKind::Unreachable.because("the answer cannot be read").into()
}
