//! The status of the credential, where its issuer keeps one (draft-ietf-oauth-status-list section 8.3).

use super::Unproven;
use crate::decision::{Denial, Need, NeedKind};
use crate::facts::{Awaited, Facts};
use crate::jose::Claims;
use crate::policy::{IssuerId, StatusListPolicy, WhenStale};
use crate::revocation::{StatusClaim, StatusList};

/// `VALID` (section 7.1).
const VALID: u8 = 0;
/// `INVALID`.
const INVALID: u8 = 1;
/// `SUSPENDED`.
const SUSPENDED: u8 = 2;

/// Whose word the status of a credential is.
#[derive(Clone, Copy, Debug)]
pub(super) struct StatusSource<'a> {
    pub(super) issuer: IssuerId,
    pub(super) policy: &'a StatusListPolicy,
}

impl StatusSource<'_> {
    /// Looks the status up: for every request, and only once everything else about the credential is known to be good.
    ///
    /// # Errors
    /// [`Denial::Revoked`] when the status is any but `VALID`, however old the list is; [`Denial::MalformedToken`] when the
    /// claim says of no status where it is; [`Need::StatusList`] while the list is missing or too old, unless it has been
    /// awaited: then [`Denial::RevocationUnavailable`], unless the policy lets such tokens pass. An address that no
    /// `uri_prefix` fits is never fetched, and the token is refused.
    pub(super) fn check(self, claims: &Claims, facts: &Facts<'_>) -> Result<(), Unproven> {
        let claim = StatusClaim::read(claims).map_err(|why| Unproven::Deny(Denial::MalformedToken(why)))?;
        let Some(claim) = claim else { return Ok(()) };
        let unavailable = Err(Unproven::Deny(Denial::RevocationUnavailable));
        let Some(lists) = facts.statuses else {
            // Away from a gate no list is there, and nothing can be said of what it says.
            return if self.policy.endpoint(&claim.uri).is_some() { Ok(()) } else { unavailable };
        };
        let place = lists.find(self.issuer, &claim.uri);
        if let Some(list) = place.and_then(|place| place.list.as_deref()) {
            judge(list, claim.index).map_err(Unproven::Deny)?;
            let allows_stale = self.policy.when_stale == WhenStale::Allow;
            if allows_stale || place.is_some_and(|place| !place.is_stale) {
                return Ok(());
            }
        }
        if place.is_none() && self.policy.endpoint(&claim.uri).is_none() {
            return unavailable;
        }
        match (facts.awaited.of(NeedKind::StatusList), self.policy.when_stale) {
            (Awaited::No, _) => Err(Unproven::Await(Need::StatusList(self.issuer, claim.uri.into_owned()))),
            (_, WhenStale::Allow) => Ok(()),
            (_, WhenStale::Deny) => unavailable,
        }
    }
}

/// What a list says of the token at this place.
pub(super) fn judge(list: &StatusList, index: u64) -> super::Result<()> {
    Err(Denial::Revoked(match list.get(index) {
        Some(VALID) => return Ok(()),
        Some(INVALID) => "its status, INVALID",
        Some(SUSPENDED) => "its status, SUSPENDED",
        Some(_) => "its status, which is none that is known",
        None => "its status: `idx` is past the end of the list",
    }))
}
