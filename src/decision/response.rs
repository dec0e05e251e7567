//! What is done with the response to a request that goes on.

use crate::policy::SessionBinding;

/// What is done with a response. The module is called for it only if it is `scopegate-full.wasm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseEdits {
    /// Binds the session id that the server hands out, to whom the request is of.
    pub session: Option<SessionBinding>,
}
