//! What the engine needs to decide, beyond what it was told.

use super::{Denial, MessageWanted};
use crate::policy::{FleetClaim, IssuerId, Pool, SetId, UserSecrets};
use std::fmt;
use std::rc::Rc;

/// What the engine needs to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The keys of an issuer.
    Keys(IssuerId),
    /// A newer key set of an issuer: the one that is there has no key of this `kid`.
    Kid(IssuerId, String),
    /// The revocation lists that a request may not pass without.
    Revocations,
    /// The status list of an issuer at this address.
    StatusList(IssuerId, String),
    /// The word of the fleet's service that this is used for the first time.
    FirstUse(FleetClaim),
    /// What an issuer says of an opaque token.
    Introspection(Inquiry),
    /// The identities of a set.
    Identities(SetId),
    /// Whether this is the password of its user.
    Password(Rc<PasswordJob>),
    /// The body of the request: an MCP message, or what has been signed.
    Message(MessageWanted),
}

/// Whether a token is active, and what it means.
#[derive(Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Who is asked.
    pub issuer: IssuerId,
    /// The token.
    pub token: Box<[u8]>,
}

/// Shows nothing of the token.
impl fmt::Debug for Inquiry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inquiry").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// A password, and what it is held against.
#[derive(Clone)]
pub struct PasswordJob {
    /// Its name in the memory of passwords: that of all that is said of it here.
    pub name: u128,
    /// The set.
    pub set: SetId,
    /// The password.
    pub password: Rc<[u8]>,
    /// The hashes.
    pub secrets: Rc<UserSecrets>,
}

/// Shows nothing of the password.
impl fmt::Debug for PasswordJob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PasswordJob(of set {})", self.set.0)
    }
}

impl PartialEq for PasswordJob {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for PasswordJob {}

/// A kind of need. One request awaits each kind at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedKind {
    /// Keys of an issuer, whichever.
    Keys,
    /// Revocation lists.
    Revocations,
    /// A status list, whichever.
    StatusList,
    /// The first use of a token.
    TokenUse,
    /// The first use of a proof.
    ProofUse,
    /// The first use of a signature.
    SignatureUse,
    /// What an issuer says of an opaque token.
    Introspection,
    /// Whether a password is right.
    Password,
    /// Identities of a set, whichever.
    Identities,
    /// The body.
    Message,
}

impl NeedKind {
    /// How many kinds there are.
    pub const COUNT: usize = 10;

    /// Its place in an array by kind.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Keys => 0,
            Self::Revocations => 1,
            Self::StatusList => 2,
            Self::TokenUse => 3,
            Self::ProofUse => 4,
            Self::Introspection => 5,
            Self::Password => 6,
            Self::Identities => 7,
            Self::Message => 8,
            Self::SignatureUse => 9,
        }
    }

    /// That of the first use of something in this pool.
    #[must_use]
    pub const fn of_use(pool: Pool) -> Self {
        match pool {
            Pool::Tokens => Self::TokenUse,
            Pool::Proofs => Self::ProofUse,
            Pool::Signatures => Self::SignatureUse,
        }
    }
}

impl Need {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> NeedKind {
        match self {
            Self::Keys(_) | Self::Kid(..) => NeedKind::Keys,
            Self::Revocations => NeedKind::Revocations,
            Self::StatusList(..) => NeedKind::StatusList,
            Self::FirstUse(claim) => NeedKind::of_use(claim.pool),
            Self::Introspection(_) => NeedKind::Introspection,
            Self::Password(_) => NeedKind::Password,
            Self::Identities(_) => NeedKind::Identities,
            Self::Message(_) => NeedKind::Message,
        }
    }

    /// Whose keys are needed, if it is keys.
    #[must_use]
    pub const fn issuer(&self) -> Option<IssuerId> {
        match self {
            Self::Keys(issuer) | Self::Kid(issuer, _) => Some(*issuer),
            Self::Revocations
            | Self::StatusList(..)
            | Self::FirstUse(_)
            | Self::Password(_)
            | Self::Identities(_)
            | Self::Message(_)
            | Self::Introspection(_) => None,
        }
    }

    /// The refusal where nothing can be awaited.
    #[must_use]
    pub const fn unmet(&self) -> Denial {
        match self {
            Self::Keys(_) => Denial::KeysUnavailable,
            Self::Kid(..) => Denial::UnknownKey,
            Self::Revocations | Self::StatusList(..) => Denial::RevocationUnavailable,
            Self::FirstUse(_) => Denial::ReplayUnavailable,
            Self::Introspection(_) => Denial::IntrospectionUnavailable,
            Self::Password(_) => Denial::TooBusy,
            Self::Identities(_) => Denial::IdentitiesUnavailable,
            // The host does not hand the body over.
            Self::Message(_) => Denial::HostFailure,
        }
    }
}
