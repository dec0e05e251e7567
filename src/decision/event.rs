//! Events that revoke, as far as a decision is about one.

use super::Trace;
use crate::revocation::Entry;
use crate::security_event::EventForm;

/// A token of events that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The place of its source among those of the policy.
    pub source: usize,
    /// How it came.
    pub form: EventForm,
    /// Its `jti`.
    pub id: String,
    /// What it revokes; nothing where its events are of other types, or about what no token tells.
    pub entries: Vec<Entry>,
    /// How many of its events revoke nothing here.
    pub without_effect: u32,
    /// What decided: no requirement, and no credential.
    pub trace: Trace,
}

impl Received {
    /// Whether an operator has sent it: what issuers send has an issuer.
    #[must_use]
    pub const fn is_of_operator(&self) -> bool {
        self.trace.authority.is_none()
    }
}

/// Why a token of events is refused, and how it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRefusal {
    /// How it came.
    pub form: EventForm,
    /// What is wrong with it.
    pub fault: EventFault,
    /// The words for it: nothing of the request is in them.
    pub why: &'static str,
}

/// What is wrong with a token of events ([RFC 8935 section 2.4](https://www.rfc-editor.org/rfc/rfc8935#section-2.4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFault {
    /// It cannot be read, or is none that is taken.
    Request,
    /// Its key is unknown or not accepted, or its signature is not good.
    Key,
    /// Its `iss` is none that may send events.
    Issuer,
    /// It is meant for another receiver.
    Audience,
}

impl EventFault {
    /// The error code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Request => "invalid_request",
            Self::Key => "invalid_key",
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
        }
    }
}
