//! The kinds of credentials that are judged.

use crate::policy::{SetId, SetKind, Source};

/// A kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialKind {
    /// A token of the scheme `Bearer` (RFC 6750).
    Bearer,
    /// A token of the scheme `DPoP` (RFC 9449).
    Dpop,
    /// An API key of this set.
    ApiKey(SetId),
    /// A token in the cookie of this set.
    Cookie(SetId),
    /// A user name and a password of this set.
    Password(SetId),
    /// A client certificate that this set names.
    Certificate(SetId),
    /// A signature under an access key of this set (AWS Signature Version 4, or the form of Apinto).
    Aksk(SetId),
    /// An HTTP message signature of this set (RFC 9421).
    Signature(SetId),
}

impl CredentialKind {
    /// That of a set.
    #[must_use]
    pub const fn of_set(id: SetId, kind: &SetKind) -> Self {
        match kind {
            SetKind::ApiKeys(_) => Self::ApiKey(id),
            SetKind::Cookie(_) => Self::Cookie(id),
            SetKind::Passwords(_) => Self::Password(id),
            SetKind::Certificates(_) => Self::Certificate(id),
            SetKind::Signatures(signatures) if signatures.is_aksk() => Self::Aksk(id),
            SetKind::Signatures(_) => Self::Signature(id),
        }
    }

    /// The set that it is of, if it is of one.
    #[must_use]
    pub const fn set(self) -> Option<SetId> {
        match self {
            Self::Bearer | Self::Dpop => None,
            Self::ApiKey(set)
            | Self::Cookie(set)
            | Self::Password(set)
            | Self::Certificate(set)
            | Self::Aksk(set)
            | Self::Signature(set) => Some(set),
        }
    }

    /// Whether it is a token.
    #[must_use]
    pub const fn is_token(self) -> bool {
        matches!(self, Self::Bearer | Self::Dpop | Self::Cookie(_))
    }

    /// The source that requirements name.
    #[must_use]
    pub const fn source(self) -> Source {
        match self.set() {
            Some(set) => Source::Set(set),
            None => Source::Tokens,
        }
    }

    /// What sentences call it.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Bearer | Self::Dpop | Self::Cookie(_) => "token",
            Self::ApiKey(_) => "API key",
            Self::Password(_) => "user",
            Self::Certificate(_) => "client certificate",
            Self::Aksk(_) | Self::Signature(_) => "signer",
        }
    }

    /// What records call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Dpop => "dpop",
            Self::ApiKey(_) => "api_key",
            Self::Cookie(_) => "cookie",
            Self::Password(_) => "basic",
            Self::Certificate(_) => "mtls",
            Self::Aksk(_) => "aksk",
            Self::Signature(_) => "signature",
        }
    }
}
