//! Streams that are still open when the time of a credential is over, or when it is revoked.

use crate::base::time::UnixSeconds;
use crate::checks::{self, Principal, TokenRequirements};
use crate::decision::{Denial, Held, OpenStream};
use crate::facts::{Facts, Withdrawals};
use crate::policy::{CloseStreams, Source};
use std::rc::Rc;

/// When the stream of a request is closed: when the first of its credentials is refused because its time is over, and where
/// that is asked for, when one is refused because it is revoked. `None`: none of what is enforced asks for that, or all are good
/// forever.
pub(super) fn stream(
    enforced: &TokenRequirements<'_>,
    principals: &[&Principal<'_>],
    all: &[(Source, &Principal<'_>)],
    facts: &Facts<'_>,
) -> Option<Box<OpenStream>> {
    let asked = enforced.iter().map(|ask| ask.close_streams).max().unwrap_or_default();
    if asked == CloseStreams::Never {
        return None;
    }
    // Those of a combination are all there is.
    let alone = if all.is_empty() { principals } else { &[] };
    let credentials = || alone.iter().copied().chain(all.iter().map(|(_, principal)| *principal));
    let close_at = credentials().filter_map(Principal::ends_at).min();
    let held: Vec<Rc<Held>> = match asked {
        CloseStreams::Revocation => credentials().map(|principal| checks::hold(principal, facts)).collect(),
        CloseStreams::Never | CloseStreams::Expiry => Vec::new(),
    };
    (close_at.is_some() || !held.is_empty()).then(|| Box::new(OpenStream { close_at, held }))
}

/// Whether the credentials that opened a stream are good now. Returns an end that one has got since, if that comes before the
/// one it had.
///
/// A list, a key set or a document of identities that is missing, or too old to be used, withdraws nothing: a stream is
/// closed by what it says, and not by an outage.
///
/// # Errors
/// Why a new request with one of them would be refused.
pub fn still_good(held: &[Rc<Held>], known: &Withdrawals<'_>, now: UnixSeconds) -> Result<Option<UnixSeconds>, Denial> {
    let mut ends: Option<UnixSeconds> = None;
    for held in held {
        let end = checks::judge_held(held, known, now)?;
        ends = ends.into_iter().chain(end).min();
    }
    Ok(ends)
}
