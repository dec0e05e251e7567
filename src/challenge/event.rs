//! What the sender of an event is told ([RFC 8935 section 2](https://www.rfc-editor.org/rfc/rfc8935#section-2),
//! [Back-Channel Logout 1.0 section 2.8](https://openid.net/specs/openid-connect-backchannel-1_0.html#BCResponse)).

use super::Reply;
use crate::decision::{EventRefusal, ReceivedEvent};
use crate::security_event::EventForm;
use serde_json::json;

/// The answer once what an event revokes is stored.
#[must_use]
pub fn received(event: &ReceivedEvent) -> Reply {
    let status = match event.form {
        EventForm::Set => 202,
        EventForm::Logout => 200,
    };
    Reply {
        status,
        headers: vec![("cache-control", "no-store".to_owned())],
        body: String::new(),
        grpc_status: 0,
        details: "scopegate_event".to_owned(),
    }
}

/// The body of a refusal.
pub(super) fn body(refusal: &EventRefusal) -> String {
    match refusal.form {
        EventForm::Set => json!({ "err": refusal.fault.code(), "description": refusal.why }),
        EventForm::Logout => json!({ "error": "invalid_request", "error_description": refusal.why }),
    }
    .to_string()
}
