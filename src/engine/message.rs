//! MCP messages: where they are judged, and what that adds to what is asked of a credential.

use super::applicable::Applicable;
use super::{Cause, Judged, Stop};
use crate::checks::{self, Hearing, TokenRequirements, Verdict};
use crate::decision::{Denial, Grant, MessageTrace};
use crate::policy::{Access, Mcp, TokenRequirement};
use crate::request::RequestView;
use std::rc::Rc;

/// What is asked of messages.
pub(super) fn asked<'p>(asks: &TokenRequirements<'p>) -> Vec<&'p Mcp> {
    asks.iter().filter_map(|ask| ask.mcp.as_deref()).collect()
}

/// The trace of a message, where messages are judged: every refusal is then an answer to one.
pub(super) fn trace(applicable: &Applicable<'_>) -> Option<Box<MessageTrace>> {
    let asks = applicable.accesses().filter_map(|access| match access {
        Access::Token(ask) => ask.mcp.as_deref(),
        Access::Public | Access::Deny => None,
    });
    let all: Vec<&Mcp> = asks.collect();
    let binds_sessions = all.iter().any(|mcp| mcp.session.is_some());
    (!all.is_empty()).then(|| {
        Box::new(MessageTrace { wanted: checks::wanted_message(&all), binds_sessions, ..MessageTrace::default() })
    })
}

/// Whether a page of this origin may send messages, wherever they are judged: then its preflight passes.
pub(super) fn admits_preflight(asks: &TokenRequirements<'_>, request: &RequestView<'_>) -> bool {
    let all = asked(asks);
    let origin = request.sole_value("origin").unwrap_or_default();
    !all.is_empty() && all.iter().all(|mcp| mcp.lists_origin(origin) && mcp.serves(request.authority()))
}

/// What is known of the message of a request, whose sender is judged next; `None` where messages are not judged.
///
/// # Errors
/// Why it is refused before its sender is looked at.
pub(super) fn hear<'p>(
    judged: &mut Judged<'_, '_>,
    asks: &TokenRequirements<'p>,
) -> Result<Option<Hearing<'p>>, Denial> {
    let Some(trace) = judged.trace.message.as_deref_mut() else { return Ok(None) };
    let all = asked(asks);
    if all.is_empty() {
        return Ok(None);
    }
    checks::check_transport(&all, judged.request)?;
    Ok(Some(checks::hear(&all, judged.request, judged.facts.body, trace)))
}

/// These requirements, and what items ask.
pub(super) fn with_items<'p>(
    asks: &TokenRequirements<'p>,
    items: &[&'p Rc<TokenRequirement>],
) -> Vec<&'p Rc<TokenRequirement>> {
    asks.iter().chain(items).copied().collect()
}

/// Holds a request to its message, whose sender has been judged.
pub(super) fn check(judged: &Judged<'_, '_>, grant: impl FnOnce() -> Grant) -> Result<(), Stop> {
    match judged.verdict {
        None | Some(Verdict::Good) => Ok(()),
        Some(Verdict::Refused(denial)) => Err(denial.clone().into()),
        Some(Verdict::Awaited) => {
            let wanted = judged.trace.message.as_ref().map(|message| message.wanted).unwrap_or_default();
            // Headers that are held are edited when they go on.
            let grant = (!wanted.holds_headers).then(|| Box::new(grant()));
            Err(Stop { cause: Cause::Hear(wanted, grant), token: None, report_only: false })
        }
    }
}
