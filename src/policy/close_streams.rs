//! When streams are closed that are still open.

/// When a stream is closed that is still open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseStreams {
    /// It is not.
    #[default]
    Never,
    /// Once the time of its credential is over.
    Expiry,
}

impl CloseStreams {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Expiry => "expiry",
        }
    }
}
