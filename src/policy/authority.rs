//! The authority that vouches for a credential.

use super::{IssuerId, Policy};

/// The authority that vouches for a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authority {
    /// An issuer of tokens.
    Issuer(IssuerId),
}

impl Policy {
    /// The name of an authority in records.
    #[must_use]
    pub fn authority_name(&self, authority: Authority) -> Option<&str> {
        match authority {
            Authority::Issuer(id) => self.issuers.get(id.0).map(|issuer| issuer.name.as_str()),
        }
    }
}
