//! Lists in responses: what the client may not call is left out. What may hold a list and cannot be read is replaced by an
//! error.

use super::super::host::{Buffer, Failure, Host, Map, Result};
use super::super::pairs;
use super::response::AwaitedResponse;
use super::{Gate, StreamRequest};
use crate::decision::{Decision, Denial, Refusal, ShownLists};
use crate::mcp::list::{self, Fault};
use crate::mcp::media::{Form, form};
use crate::mcp::message::Id;
use crate::mcp::sse::{Event, Piece, Splitter};

/// The longest message that may hold a list, in bytes.
const LIST_BYTES: usize = 1_048_576;

/// How far a response has been read that may hold a list.
pub enum Reading {
    /// One message, of which nothing is here.
    Message,
    /// This is here of it, and is held.
    Held(Vec<u8>),
    /// A stream of messages.
    Events(Splitter),
    /// A message that has been replaced. What is left of it goes nowhere.
    Replaced,
}

/// What becomes of a part of a body.
enum Part {
    /// It goes on as it is.
    AsItIs,
    /// It is held.
    Held,
    /// This goes on in its place.
    With(Vec<u8>),
}

impl<H: Host> Gate<H> {
    /// The headers of a response are here that may hold a list. Returns how it is read; `None` where it holds no message.
    pub(super) fn begin_lists(&self) -> std::result::Result<Option<Reading>, Denial> {
        let failed = |_: Failure| Denial::HostFailure;
        let map = self.host.header_map(Map::ResponseHeaders).map_err(failed)?;
        let lines = pairs::parse(&map).ok_or(Denial::HostFailure)?;
        let reading = match form(&lines).map_err(Denial::UnusableList)? {
            Form::Nothing => return Ok(None),
            Form::Message => Reading::Message,
            Form::Events => Reading::Events(Splitter::new(LIST_BYTES)),
        };
        self.host.remove_header(Map::ResponseHeaders, "content-length").map_err(failed)?;
        Ok(Some(reading))
    }

    /// A part of the body is here, `size` bytes. Returns whether it goes on.
    pub fn on_response_body(&self, request: &StreamRequest, size: usize, ends: bool) -> bool {
        let Some(mut awaited) = request.response.take() else { return true };
        let goes_on = self.replace_part(request, &mut awaited, size, ends);
        request.response.replace(Some(awaited));
        goes_on.unwrap_or_else(|failure| {
            log::error!("scopegate: a response that may hold a list cannot be edited: status {}", failure.0);
            false
        })
    }

    fn replace_part(
        &self,
        request: &StreamRequest,
        awaited: &mut AwaitedResponse,
        size: usize,
        ends: bool,
    ) -> Result<bool> {
        let bytes = if size == 0 { Vec::new() } else { self.host.buffer(Buffer::ResponseBody, 0, size)? };
        if bytes.len() != size {
            return Err(Failure::BAD_ARGUMENT);
        }
        match self.part(request, awaited, bytes, ends) {
            Part::AsItIs => Ok(true),
            // Nothing stays in the host, which has a limit of its own.
            Part::Held => self.host.set_buffer(Buffer::ResponseBody, size, b"").map(|()| false),
            Part::With(bytes) => self.host.set_buffer(Buffer::ResponseBody, size, &bytes).map(|()| true),
        }
    }

    /// The trailers are here, so the body has ended. Only where a part of it was held, the host has room for the rest.
    pub fn on_response_trailers(&self, request: &StreamRequest) {
        let Some(mut awaited) = request.response.take() else { return };
        let is_held = matches!(awaited.reading, Some(Reading::Held(_)));
        let part = self.part(request, &mut awaited, Vec::new(), true);
        if let (true, Part::With(bytes)) = (is_held, part)
            && let Err(failure) = self.host.set_buffer(Buffer::ResponseBody, 0, &bytes)
        {
            log::error!("scopegate: a list before trailers cannot be set: status {}", failure.0);
        }
    }

    /// What becomes of the next bytes of the body.
    fn part(&self, request: &StreamRequest, awaited: &mut AwaitedResponse, bytes: Vec<u8>, ends: bool) -> Part {
        let (reading, Some(shown)) = (awaited.reading.take(), awaited.edits.lists.as_deref()) else {
            return Part::AsItIs;
        };
        let lists = Lists { gate: self, request, awaited, shown };
        let (reading, part) = match reading {
            None => (None, Part::AsItIs),
            Some(Reading::Replaced) => (Some(Reading::Replaced), Part::With(Vec::new())),
            Some(Reading::Events(mut splitter)) => {
                let mut out = Vec::with_capacity(bytes.len());
                let mut take = |piece: Piece<'_>| lists.send(piece, &mut out);
                splitter.push(&bytes, &mut take);
                if ends {
                    splitter.finish(&mut take);
                }
                let part = if out == bytes { Part::AsItIs } else { Part::With(out) };
                (Some(Reading::Events(splitter)), part)
            }
            Some(Reading::Message) => lists.hold(bytes, ends),
            Some(Reading::Held(mut held)) => {
                held.extend_from_slice(&bytes);
                lists.hold(held, ends)
            }
        };
        awaited.reading = reading;
        part
    }
}

/// What the lists of one response are read by.
struct Lists<'g, H> {
    gate: &'g Gate<H>,
    request: &'g StreamRequest,
    awaited: &'g AwaitedResponse,
    shown: &'g ShownLists,
}

impl<H: Host> Lists<'_, H> {
    /// Holds what is here of a message until it has ended.
    fn hold(&self, held: Vec<u8>, ends: bool) -> (Option<Reading>, Part) {
        if held.len() > LIST_BYTES {
            let error = self.error(Fault { what: "a list that is longer than the limit", id: None });
            return (Some(Reading::Replaced), Part::With(error.into_bytes()));
        }
        if !ends {
            return (Some(Reading::Held(held)), Part::Held);
        }
        let shown = self.shown(&held).map(String::into_bytes);
        (Some(Reading::Replaced), Part::With(shown.unwrap_or(held)))
    }

    /// Sends on what may go on of a stream.
    fn send(&self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Other(bytes) => out.extend_from_slice(bytes),
            Piece::Flawed(what) => self.send_error(what, out),
            Piece::Event(event) => self.send_event(event, out),
        }
    }

    fn send_event(&self, event: Event<'_>, out: &mut Vec<u8>) {
        let data = match event.data() {
            Ok(data) => data,
            Err(what) => return self.send_error(what, out),
        };
        // An event without data tells a client where it can go on.
        let is_empty = data.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n'));
        match if is_empty { None } else { self.shown(&data) } {
            None => out.extend_from_slice(event.bytes()),
            Some(text) => event.write_with(&text, out),
        }
    }

    fn send_error(&self, what: &'static str, out: &mut Vec<u8>) {
        let error = self.error(Fault { what, id: None });
        [b"data: ", error.as_bytes(), b"\n\n"].into_iter().for_each(|part| out.extend_from_slice(part));
    }

    /// What goes on in place of a message; `None` where that is the message.
    fn shown(&self, message: &[u8]) -> Option<String> {
        match list::read(message) {
            Ok(None) => None,
            Ok(Some(listed)) => {
                let now = self.gate.host.now();
                listed.filtered(&mut |subject| self.shown.shows(subject, now), self.shown.is_stateless)
            }
            Err(fault) => Some(self.error(fault)),
        }
    }

    /// The error in place of a message, with the `id` of the request that is answered. On a stream of messages that no request
    /// asked for, it is that of the message.
    fn error(&self, fault: Fault<'_>) -> String {
        let mut trace = self.awaited.trace.clone();
        if let Some(message) = trace.message.as_deref_mut().filter(|message| message.id.is_none()) {
            message.id = fault.id.map(|id: Id<'_>| id.as_json().into());
        }
        let refusal = Refusal { denial: Denial::UnusableList(fault.what), trace, token: self.awaited.token.clone() };
        let body = self.gate.replies.reply(&refusal, false).body.clone();
        // The status of the response is the server's.
        self.gate.report(self.request, &Decision::Deny(refusal), None);
        body
    }
}
