//! Events that revoke: where they are pushed, and what a token of them means.

use crate::checks::{self, Heard, Unproven};
use crate::decision::{
    Decision, Denial, EventFault, EventRefusal, MessageWanted, Need, Pending, ReceivedEvent, Refusal, Trace,
};
use crate::facts::{Body, Facts};
use crate::policy::{Authority, EventKeys, Policy, SecurityEvents};
use crate::request::RequestView;
use crate::security_event::{EventForm, form_of, token_in_body};

/// Whether events are pushed with this request: with POST to exactly the path of the policy.
#[must_use]
pub fn brings_events(policy: &Policy, request: &RequestView<'_>) -> bool {
    let path = policy.events.as_ref().and_then(|events| events.path.as_deref());
    path.is_some_and(|path| request.method() == b"POST" && request.target() == Some(path.as_bytes()))
}

/// Decides on a request that brings events, whatever the requirement there and whether anything is refused.
pub(super) fn take(policy: &Policy, events: &SecurityEvents, request: &RequestView<'_>, facts: &Facts<'_>) -> Decision {
    let decided = form_of(request)
        .map_err(|why| refusal(EventForm::Set, why))
        .and_then(|form| Ok((form, body(events, request, form, facts.body)?)))
        .and_then(|(form, body)| {
            let set = token_in_body(form, body).map_err(|why| refusal(form, why))?;
            receive(policy, events, &set, form, facts)
        });
    match decided {
        Ok(received) => Decision::Receive(Box::new(received)),
        Err(Unproven::Deny(denial)) => Decision::Deny(Refusal { denial, trace: Trace::default(), token: None }),
        Err(Unproven::Await(need)) => {
            Decision::Await(Pending { need, trace: Trace::default(), token: None, report_only: false, grant: None })
        }
    }
}

/// Judges one token of events that came in this form.
///
/// # Errors
/// Why it is refused, or what is needed first.
pub fn receive(
    policy: &Policy,
    events: &SecurityEvents,
    set: &[u8],
    form: EventForm,
    facts: &Facts<'_>,
) -> Result<ReceivedEvent, Unproven> {
    let Heard { source, id, meaning } = checks::hear_event(policy, events, set, form, facts)?;
    let authority = events.sources.get(source).and_then(|source| match source.keys {
        EventKeys::Issuer(issuer) => Some(Authority::Issuer(issuer)),
        EventKeys::Operator(_) => None,
    });
    let trace = Trace { authority, ..Trace::default() };
    Ok(ReceivedEvent { source, form, id, entries: meaning.entries, without_effect: meaning.without_effect, trace })
}

fn refusal(form: EventForm, why: &'static str) -> Unproven {
    Unproven::Deny(Denial::InvalidEvent(EventRefusal { form, fault: EventFault::Request, why }))
}

/// The whole body.
fn body<'b>(
    events: &SecurityEvents,
    request: &RequestView<'_>,
    form: EventForm,
    body: Body<'b>,
) -> Result<&'b [u8], Unproven> {
    let too_large = Unproven::Deny(Denial::BodyTooLarge { limit: events.max_bytes });
    match body {
        Body::Whole(body) | Body::WithTrailers(body) => Ok(body),
        Body::TooLarge => Err(too_large),
        Body::Awaited if request.content_length().is_some_and(|length| length > u64::from(events.max_bytes)) => {
            Err(too_large)
        }
        Body::Awaited if request.ends_with_headers => Err(refusal(form, "it has no body")),
        Body::Awaited => {
            Err(Unproven::Await(Need::Message(MessageWanted { max_bytes: events.max_bytes, holds_headers: true })))
        }
    }
}
