//! When streams are closed that are still open.

/// When a stream is closed that is still open: each of these includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseStreams {
    /// It is not.
    #[default]
    Never,
    /// Once the time of its credential is over.
    Expiry,
    /// Also once its credential is revoked, or what vouches for it is withdrawn.
    Revocation,
}

impl CloseStreams {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Never, Self::Expiry, Self::Revocation];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Expiry => "expiry",
            Self::Revocation => "revocation",
        }
    }
}

/// What becomes of a request whose stream would have to be watched, where there is no room for one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Refuse,
    /// It passes, and its stream is not closed.
    Unwatched,
}

impl WhenFull {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Unwatched => "unwatched",
        }
    }
}
