//! What is done with the response to a request that goes on.

use crate::base::time::UnixSeconds;
use crate::mcp::message::Subject;
use crate::policy::{Listed, SessionBinding};

/// What is done with a response. The module is called for it only if it is `scopegate-full.wasm`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseEdits {
    /// Binds the session id that the server hands out, to whom the request is of.
    pub session: Option<SessionBinding>,
    /// What its lists show; `None`: it is not read.
    pub lists: Option<Box<ShownLists>>,
}

/// What lists show to the sender of a request. By default nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownLists {
    /// The rules that are asked.
    pub listed: Vec<Listed>,
    /// From when on the sender may call nothing.
    pub until: UnixSeconds,
    /// Whether the request is of a revision without sessions, whose lists say for whom they are.
    pub is_stateless: bool,
}

impl Default for ShownLists {
    fn default() -> Self {
        Self { listed: Vec::new(), until: UnixSeconds(i64::MIN), is_stateless: false }
    }
}

impl ShownLists {
    /// Whether the sender may call this at `now`.
    #[must_use]
    pub fn shows(&self, subject: &Subject<'_>, now: UnixSeconds) -> bool {
        now < self.until && self.listed.iter().all(|listed| listed.shows(subject, now))
    }
}
