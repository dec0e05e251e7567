//! How a fetch stands, and whether that is news.

/// Whether there is news for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The attempt before, by any worker, ended in the same way.
    Same,
    /// It ended in another way.
    Changed,
}

/// The state of a fetch that a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchState {
    /// It is under way or about to begin.
    Coming,
    /// It succeeded. Its content can be picked up.
    Done,
    /// It failed.
    Failed,
    /// None is expected soon.
    None,
}
