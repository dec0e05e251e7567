//! Events that revoke: who may send them, and what they have to be.

use super::{Endpoint, IssuerId, TokenTypes};
use crate::base::time::Seconds;
use crate::jose::KeySet;
use crate::security_event::Breadth;
use std::rc::Rc;

/// How events are taken.
#[derive(Clone, Debug)]
pub struct SecurityEvents {
    /// The path at which they are pushed; `None`: at none.
    pub path: Option<String>,
    /// The longest body, in bytes.
    pub max_bytes: u32,
    /// Who may send them; each has an `iss` of its own.
    pub sources: Vec<EventSource>,
}

/// Who sends events.
#[derive(Clone, Debug)]
pub struct EventSource {
    /// Its name in the configuration.
    pub name: String,
    /// Its `iss`.
    pub issuer: String,
    /// What its events are signed with.
    pub keys: EventKeys,
    /// What has to be in `aud`: one of these.
    pub audiences: Vec<String>,
    /// The accepted values of `typ`.
    pub types: TokenTypes,
    /// Whether a logout token may have no `exp`.
    pub allow_missing_exp: bool,
    /// The difference between clocks that is tolerated.
    pub leeway: Seconds,
    /// What is revoked where an event names a session and its user.
    pub breadth: Breadth,
    /// How long what an event revokes is kept, from its `iat`: as long as the longest token lives. An older event is refused.
    pub keep: Seconds,
    /// Where it is asked for events; `None`: nowhere.
    pub poll: Option<EventPoll>,
}

/// The keys of events.
#[derive(Clone, Debug)]
pub enum EventKeys {
    /// Those of an issuer, which speaks of its own tokens.
    Issuer(IssuerId),
    /// Those of an operator, who may revoke whatever a list can.
    Operator(Rc<KeySet>),
}

/// How a transmitter is asked for events ([RFC 8936](https://www.rfc-editor.org/rfc/rfc8936)).
#[derive(Clone, Debug)]
pub struct EventPoll {
    /// Where it answers.
    pub endpoint: Endpoint,
    /// The value of `Authorization`; `None`: it needs none.
    pub authorization: Option<Box<str>>,
    /// How long after an answer without more events it is asked again, in milliseconds.
    pub interval_ms: u32,
    /// The timeout, in milliseconds.
    pub timeout_ms: u32,
}

impl SecurityEvents {
    /// The source whose `iss` this is.
    #[must_use]
    pub fn source_of(&self, issuer: &str) -> Option<(usize, &EventSource)> {
        self.sources.iter().enumerate().find(|(_, source)| source.issuer == issuer)
    }
}
