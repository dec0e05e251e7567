//! What a request would wait for.

use crate::decision::{Decision, Need, Pending};
use crate::policy::{IssuerId, Policy};

/// What this request waits for, in words. One that brings an event is no other message.
pub(super) fn awaited(pending: &Pending, policy: &Policy, brings_event: bool) -> String {
    match &pending.need {
        Need::Introspection(inquiry) => {
            let asked = name(policy, inquiry.issuer);
            format!("what {asked} says of the opaque token: give its answer with --introspection")
        }
        Need::Identities(set) => {
            let name = policy.set_name(*set).unwrap_or("?");
            format!("the identities of {name}: give their document with --identities")
        }
        Need::Message(_) if brings_event => "the event in its body: give it with --body".to_owned(),
        Need::Message(_) if pending.trace.message.is_none() => {
            "the body, which is signed: give it with --body".to_owned()
        }
        Need::Message(_) => "the message in its body: give it with --body".to_owned(),
        need => format!("the keys of {}", need.issuer().map_or("?", |id| name(policy, id))),
    }
}

/// The issuer whose keys are awaited.
pub(super) fn keys_of<'p>(decision: &Decision, policy: &'p Policy) -> Option<&'p str> {
    let Decision::Await(pending) = decision else { return None };
    pending.need.issuer().map(|id| name(policy, id))
}

/// The issuer that would be asked about the token.
pub(super) fn asked<'p>(decision: &Decision, policy: &'p Policy) -> Option<&'p str> {
    match decision {
        Decision::Await(Pending { need: Need::Introspection(inquiry), .. }) => Some(name(policy, inquiry.issuer)),
        _ => None,
    }
}

/// The set whose identities are awaited.
pub(super) fn identities_of<'p>(decision: &Decision, policy: &'p Policy) -> Option<&'p str> {
    match decision {
        Decision::Await(Pending { need: Need::Identities(set), .. }) => policy.set_name(*set),
        _ => None,
    }
}

fn name(policy: &Policy, id: IssuerId) -> &str {
    policy.issuers.get(id.0).map_or("?", |issuer| issuer.name.as_str())
}
