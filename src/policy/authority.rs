//! Whose word a credential is.

use super::{IssuerId, Policy};

/// Whose word a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authority {
    /// An issuer of tokens.
    Issuer(IssuerId),
}

impl Policy {
    /// What records call an authority.
    #[must_use]
    pub fn authority_name(&self, authority: Authority) -> Option<&str> {
        match authority {
            Authority::Issuer(id) => self.issuers.get(id.0).map(|issuer| issuer.name.as_str()),
        }
    }
}
