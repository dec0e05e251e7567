//! The session of an MCP request was handed out to the identity that sends it (Model Context Protocol 2025-11-25,
//! "Transports", and "Security Best Practices", session hijacking).

use super::Result;
use super::message::is_of_stateless_version;
use super::principal::Principal;
use crate::decision::Denial;
use crate::policy::{Mcp, SESSION_ID, SessionBinding};
use crate::request::{RequestView, TwoLines};

/// The session of a request.
#[derive(Debug)]
pub struct Session<'r> {
    /// Binds what the server hands out to the sender.
    pub binding: SessionBinding,
    /// What becomes of the header in the request.
    pub header: SessionHeader<'r>,
}

/// The header of a session in a request that may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionHeader<'r> {
    /// There is none, or its revision has no sessions: the server gets none.
    Removed,
    /// The server gets its own id.
    Opened(&'r str),
}

/// Judges the session of a request by who sends it: `principals` are those whose credentials count, none if it has no
/// credential. `None` where sessions are not bound.
///
/// # Errors
/// [`Denial::ForeignSession`] when its id was not handed out to them.
pub fn check_session<'r>(
    all: &[&Mcp],
    resource: Option<&str>,
    principals: &[&Principal<'_>],
    request: &RequestView<'r>,
) -> Result<Option<Session<'r>>> {
    let Some(keys) = all.iter().find_map(|mcp| mcp.session.as_ref()) else { return Ok(None) };
    let names: Vec<_> = principals.iter().flat_map(|principal| principal.names()).collect();
    let fields: Vec<Option<&str>> = [resource].into_iter().chain(names.iter().map(Option::as_deref)).collect();
    let binding = SessionBinding::new(keys, &fields);
    let header = match request.only_value(SESSION_ID) {
        // A server of 2026-07-28 does not read it, and one that does may not get what is not judged.
        _ if is_of_stateless_version(all, request) => SessionHeader::Removed,
        Ok(None) => SessionHeader::Removed,
        Ok(Some(given)) => match binding.open(given) {
            Some(id) => SessionHeader::Opened(id),
            None => return Err(Denial::ForeignSession("the id was not handed out to this identity")),
        },
        Err(TwoLines) => return Err(Denial::ForeignSession("two lines of Mcp-Session-Id")),
    };
    Ok(Some(Session { binding, header }))
}
