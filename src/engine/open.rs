//! Streams that are still open when the time of a credential is over.

use crate::base::time::UnixSeconds;
use crate::checks::{Principal, TokenRequirements};
use crate::policy::{CloseStreams, Source};

/// From when on the stream of a request is closed: when the first of its credentials is refused because its time is over.
/// `None`: none of what is enforced asks for that, or all are good forever.
pub(super) fn close_at(
    enforced: &TokenRequirements<'_>,
    principals: &[&Principal<'_>],
    all: &[(Source, &Principal<'_>)],
) -> Option<UnixSeconds> {
    if !enforced.iter().any(|ask| ask.close_streams == CloseStreams::Expiry) {
        return None;
    }
    let combined = all.iter().map(|(_, principal)| *principal);
    principals.iter().copied().chain(combined).filter_map(Principal::ends_at).min()
}
