//! The authority that vouches for a credential.

use super::{IssuerId, Policy, SetId};

/// The source of credentials that the tokens of all issuers are.
pub const BEARER: &str = "bearer";

/// The authority that vouches for a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authority {
    /// An issuer of tokens.
    Issuer(IssuerId),
    /// The configuration, by a set of credentials.
    Set(SetId),
}

impl Policy {
    /// The name of the issuer that vouches for a credential, in records.
    #[must_use]
    pub fn issuer_name(&self, authority: Authority) -> Option<&str> {
        match authority {
            Authority::Issuer(id) => self.issuers.get(id.0).map(|issuer| issuer.name.as_str()),
            Authority::Set(_) => None,
        }
    }

    /// The name of a set of credentials.
    #[must_use]
    pub fn set_name(&self, id: SetId) -> Option<&str> {
        self.credentials.get(id.0).map(|set| &*set.name)
    }
}
