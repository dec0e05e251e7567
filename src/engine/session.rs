//! Sessions of MCP clients: what a grant does with their ids.

use super::message::asked;
use super::{Judged, Stop};
use crate::checks::{self, Principal, Session, SessionHeader};
use crate::decision::{Grant, MessageTrace};
use crate::policy::{SESSION_ID, same_header, server_session_id};
use crate::request::RequestView;
use std::rc::Rc;

/// Judges the session of a request by who sends it.
pub(super) fn check<'j>(judged: &Judged<'j, '_>, principals: &[&Principal<'_>]) -> Result<Option<Session<'j>>, Stop> {
    if judged.verdict.is_none() {
        return Ok(None);
    }
    let resource = judged.trace.resource.and_then(|id| judged.policy.resources.get(id.0));
    let resource = resource.map(|resource| resource.identifier.text());
    Ok(checks::check_session(&asked(judged.asks), resource.as_deref(), principals, judged.request)?)
}

/// Adds to a grant what becomes of the session: the server sees its own id, and the client one that is bound.
pub(super) fn add_session(grant: &mut Grant, session: Option<&Session<'_>>, request: &RequestView<'_>) {
    let Some(Session { binding, header }) = session else { return };
    let is_opened = matches!(header, SessionHeader::Opened(_));
    remove(grant, request, is_opened);
    if let SessionHeader::Opened(id) = header {
        grant.set.push((Rc::from(SESSION_ID), (*id).to_owned()));
    }
    grant.response.get_or_insert_default().session = Some(binding.clone());
}

/// A grant for a request that is not judged by its session. It only reports: the server sees its own id in one that has the
/// form of a bound one, so that it refuses nothing that it would not refuse without the gate.
pub(super) fn reported(mut grant: Grant, message: Option<&MessageTrace>, request: &RequestView<'_>) -> Grant {
    if message.is_some_and(|message| message.binds_sessions)
        && let Some(id) = request.sole_value(SESSION_ID).and_then(server_session_id)
    {
        grant.set.push((Rc::from(SESSION_ID), id.to_owned()));
    }
    grant
}

/// A grant for a preflight, which has no session.
pub(super) fn without_session(mut grant: Grant, message: Option<&MessageTrace>, request: &RequestView<'_>) -> Grant {
    if message.is_some_and(|message| message.binds_sessions) {
        remove(&mut grant, request, false);
    }
    grant
}

/// Removes the header in every spelling that a server could take for it, but for the one that is set anew.
fn remove(grant: &mut Grant, request: &RequestView<'_>, keeps_own: bool) {
    for (name, _) in request.headers {
        let is_own = *name == SESSION_ID.as_bytes();
        if !same_header(SESSION_ID.as_bytes(), name) || is_own && keeps_own {
            continue;
        }
        let name = String::from_utf8_lossy(name);
        if !grant.remove.contains(&name) {
            grant.remove.push(name.into_owned().into());
        }
    }
}
