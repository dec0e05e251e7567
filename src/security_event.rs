//! What a Security Event Token says ([RFC 8417](https://www.rfc-editor.org/rfc/rfc8417)), and a logout token of
//! [OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html): syntax, and which
//! revocations that means. Nothing here is trusted before the signature has been checked.

mod body;
mod meaning;
mod polling;
mod subject;

pub use body::{EventForm, LOGOUT_PARAMETER, SET_TYPE, form_of, token_in_body};
pub use meaning::{Breadth, EVENT_TYPE as REVOCATION_EVENT, MOST_ENTRIES, Meaning, Speaker, Spoken, meaning};
pub use polling::{PolledSets, poll_request};
