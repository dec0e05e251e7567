//! A request whose route the files do not decide.

use super::Request;
use crate::base::time::UnixSeconds;
use crate::cli::moment;
use serde_json::json;

/// There is no decision, and why.
pub(super) struct Undecided {
    request: String,
    now: UnixSeconds,
    why: String,
}

impl Undecided {
    pub(super) fn new(request: &Request, now: UnixSeconds, why: &str) -> Self {
        Self { request: request.shown.clone(), now, why: why.to_owned() }
    }

    /// The answer in one line.
    pub(super) fn verdict(&self) -> String {
        format!("undecided: {}", self.why)
    }

    /// As text.
    pub(super) fn to_text(&self) -> String {
        let now = moment::written(self.now);
        format!("request   {} at {now}\ndecision  {}", self.request, self.verdict())
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> String {
        let now = moment::written(self.now);
        let told = json!({ "request": self.request, "at": now, "decision": "undecided", "why": self.why });
        format!("{told:#}")
    }
}
