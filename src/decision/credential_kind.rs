//! The kinds of credentials that are judged.

use crate::policy::{SetId, SetKind};

/// A kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialKind {
    /// A token of the scheme `Bearer` (RFC 6750).
    Bearer,
    /// A token of the scheme `DPoP` (RFC 9449).
    Dpop,
    /// An API key of this set.
    ApiKey(SetId),
}

impl CredentialKind {
    /// That of a set.
    #[must_use]
    pub const fn of_set(id: SetId, kind: &SetKind) -> Self {
        match kind {
            SetKind::ApiKeys(_) => Self::ApiKey(id),
        }
    }

    /// The set that it is of, if it is of one.
    #[must_use]
    pub const fn set(self) -> Option<SetId> {
        match self {
            Self::Bearer | Self::Dpop => None,
            Self::ApiKey(set) => Some(set),
        }
    }

    /// What records call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Dpop => "dpop",
            Self::ApiKey(_) => "api_key",
        }
    }
}
