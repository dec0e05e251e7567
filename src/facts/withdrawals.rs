//! What can end a credential before its time, as it is known now.

use super::{FetchedIdentities, KeyRing, StatusLists};
use crate::revocation::Revocations;

/// What a credential is judged by again that was good before: the facts that change while a stream is open.
#[derive(Clone, Copy, Debug)]
pub struct Withdrawals<'a> {
    /// What has been revoked.
    pub revocations: &'a Revocations,
    /// The keys that are there.
    pub keys: &'a KeyRing,
    /// The status lists that are there.
    pub statuses: &'a StatusLists,
    /// The identities that are fetched.
    pub identities: &'a FetchedIdentities,
}
