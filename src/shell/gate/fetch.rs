//! One request for a document, and its answer.

use super::super::documents::Fetch;
use super::super::feed::answer::{Answer, Failure, FailureKind, Fetched, read_headers};
use super::super::host::{self, Buffer, Host, Map};
use super::super::pairs;
use crate::revocation::{CHUNK_BYTES, Chunks};

/// Sends for a document. The answer comes under the number returned.
///
/// # Errors
/// When the host does not send it: see [`not_sent`].
pub(super) fn send(host: &impl Host, fetch: &Fetch) -> host::Result<u32> {
    let endpoint = &fetch.endpoint;
    let mut headers = endpoint.request("GET");
    headers.push(("accept", fetch.accept));
    headers.extend(fetch.etag.as_deref().map(|etag| ("if-none-match", etag)));
    host.http_call(&endpoint.cluster, &headers, &[], fetch.timeout_ms)
}

/// Why the host did not send a request: there is no such cluster, or the cluster has no healthy host.
pub(super) fn not_sent(failure: host::Failure, cluster: &str) -> Failure {
    if failure == host::Failure::BAD_ARGUMENT {
        FailureKind::NoCluster.because(format!("there is no cluster {cluster}"))
    } else {
        FailureKind::Unreachable.because(format!("no host of the cluster {cluster} can be asked"))
    }
}

/// Reads an answer, of which at most `limit` bytes may be used. Returns what it says, and the document in pieces, since
/// it may be long. An answer without headers is a failed request, and is not read.
pub(super) fn receive(
    host: &impl Host,
    headers: usize,
    bytes: usize,
    limit: usize,
    is_conditional: bool,
) -> (Answer, Chunks) {
    let fetched = match head(host, headers, bytes, limit, is_conditional) {
        Ok(fetched) => fetched,
        Err(answer) => return (answer, Chunks::default()),
    };
    let mut document = Chunks::default();
    while document.len() < bytes {
        let left = bytes.saturating_sub(document.len()).min(CHUNK_BYTES);
        match host.buffer(Buffer::CallResponseBody, document.len(), left) {
            Ok(piece) if !piece.is_empty() => document.append(piece),
            _ => return (unreadable(), Chunks::default()),
        }
    }
    (Answer::Document(fetched), document)
}

fn head(host: &impl Host, headers: usize, bytes: usize, limit: usize, is_conditional: bool) -> Result<Fetched, Answer> {
    if headers == 0 {
        return Err(FailureKind::Unreachable.because("did not answer, broke off, or sent more than 32 MiB").into());
    }
    let map = host.header_map(Map::CallResponseHeaders).map_err(|_| unreadable())?;
    let fetched = read_headers(&pairs::parse(&map).unwrap_or_default(), is_conditional)?;
    if bytes > limit {
        return Err(FailureKind::TooLarge.because(format!("the document has more than {limit} bytes")).into());
    }
    Ok(fetched)
}

fn unreadable() -> Answer {
    FailureKind::Unreachable.because("the answer cannot be read").into()
}
