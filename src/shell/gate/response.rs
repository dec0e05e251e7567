//! Responses of which the decision asks something. The others are not looked at.

use super::super::host::{Host, Map};
use super::super::pairs;
use super::lists::Reading;
use super::{Gate, StreamRequest};
use crate::decision::{Denial, Grant, Refusal, ResponseEdits, TokenTrace, Trace};
use crate::policy::{MAX_SESSION_ID, SESSION_ID, SessionBinding};

/// What is kept of a request that goes on, until its response is here.
pub struct AwaitedResponse {
    pub(super) edits: Box<ResponseEdits>,
    /// What decided on the request, for the record of a response that is refused.
    pub(super) trace: Trace,
    pub(super) token: Option<TokenTrace>,
    /// How far the response has been read, once its headers are here and it may hold a list.
    pub(super) reading: Option<Reading>,
}

impl StreamRequest {
    /// Keeps what is done with the response. One that has begun is read on, by what is known now.
    pub(super) fn await_response(&self, grant: &mut Grant) {
        self.forget_response();
        let begun = self.response.take();
        let awaited = match (begun, grant.response.take()) {
            (None, None) => return,
            (Some(mut begun), Some(edits)) if edits.lists.is_some() => {
                begun.edits = edits;
                begun
            }
            (Some(begun), _) => begun,
            (None, Some(edits)) => Box::new(AwaitedResponse {
                edits,
                // What has been told once is not told of the response again.
                trace: Trace { reuse: None, ..grant.trace.clone() },
                token: grant.token.clone(),
                reading: None,
            }),
        };
        self.response.replace(Some(awaited));
    }

    /// Forgets what is done with the response, unless it has begun.
    pub(super) fn forget_response(&self) {
        let begun = self.response.take().filter(|awaited| awaited.reading.is_some());
        self.response.replace(begun);
    }

    /// Whether anything is done with the response.
    pub fn awaits_response(&self) -> bool {
        self.response.borrow().is_some()
    }
}

impl<H: Host> Gate<H> {
    /// The headers of the response are here. Returns whether they go on.
    pub fn on_response_headers(&self, request: &StreamRequest, ends: bool) -> bool {
        let Some(mut awaited) = request.response.take() else { return true };
        let bound = awaited.edits.session.as_ref().map_or(Ok(()), |binding| self.bind_session(binding));
        let has_lists = awaited.edits.lists.is_some() && !ends;
        let denial = match bound.and_then(|()| if has_lists { self.begin_lists() } else { Ok(None) }) {
            Ok(None) => return true,
            Ok(reading) => {
                awaited.reading = reading;
                request.response.replace(Some(awaited));
                return true;
            }
            Err(denial) => denial,
        };
        let AwaitedResponse { trace, token, .. } = *awaited;
        // A body that is not here yet is judged no more.
        self.refuse_late(request, Refusal { denial, trace, token });
        false
    }

    /// Gives the client a session id that only it can use.
    fn bind_session(&self, binding: &SessionBinding) -> Result<(), Denial> {
        let unreadable = |_| Denial::HostFailure;
        let map = self.host.header_map(Map::ResponseHeaders).map_err(unreadable)?;
        let lines = pairs::parse(&map).ok_or(Denial::HostFailure)?;
        let mut ids = lines.iter().filter(|(name, _)| *name == SESSION_ID.as_bytes()).map(|(_, id)| *id);
        let bound = match (ids.next(), ids.next()) {
            (None, _) => return Ok(()),
            (Some(id), None) => binding.bind(id).ok_or(match id.len() {
                0..=MAX_SESSION_ID => Denial::UnusableSession("the server's Mcp-Session-Id is not visible ASCII"),
                _ => Denial::UnusableSession("the server's Mcp-Session-Id is too long"),
            })?,
            _ => return Err(Denial::UnusableSession("the server's response has two lines of Mcp-Session-Id")),
        };
        self.host.set_header(Map::ResponseHeaders, SESSION_ID, bound.as_bytes()).map_err(unreadable)
    }
}
