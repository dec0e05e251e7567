//! What became of a request.

use super::configurations::manager;
use crate::support::client::Response;
use crate::support::envoy::merge;
use serde_json::{Value, json};

/// What became of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// The upstream has it; its headers, where it answers with them.
    Passed(Option<Vec<(String, String)>>),
    /// Its route answers: a redirect, or what is written there.
    Answered,
    /// A filter has refused it.
    Refused {
        /// Envoy's response code details.
        details: String,
        /// The audit record of Scopegate.
        record: Option<Value>,
    },
    /// Nothing: no route has it, or Envoy refuses it itself.
    Nowhere(String),
}

impl Outcome {
    /// Whether what lies behind the filters has seen it.
    pub(super) const fn is_let_through(&self) -> bool {
        matches!(self, Self::Passed(_) | Self::Answered)
    }

    /// Why it was not let through: the reason of Scopegate's record, or else Envoy's details.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Refused { record: Some(record), .. } => record["reason"].as_str().unwrap_or("no reason"),
            Self::Refused { details, .. } | Self::Nowhere(details) => details,
            Self::Passed(_) | Self::Answered => "let through",
        }
    }

    pub(super) fn of(response: &Response) -> Self {
        let Some(details) = response.header("x-details").map(str::to_owned) else {
            if response.header("access-control-allow-methods").is_some() {
                return Self::Nowhere("the filter for CORS answers preflights".to_owned());
            }
            let is_echo = response.status == 200 && response.body.starts_with("{\"body\"");
            let is_head = response.status == 200 && response.body.is_empty();
            return if is_echo {
                let echoed = response.echoed();
                let lines = echoed.0["headers"].as_array().unwrap().iter();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                Self::Passed(Some(lines.map(|line| (text(&line[0]), text(&line[1]))).collect()))
            } else if is_head {
                Self::Passed(None)
            } else if response.status < 400 {
                Self::Answered
            } else {
                Self::Nowhere(response.status.to_string())
            };
        };
        let words = [
            "scopegate_",
            "jwt_authn_access_denied",
            "rbac_access_denied",
            "missing_api_key",
            "unknown_api_key",
            "unkonwn_api_key",
            "client_not_allowed",
        ];
        if words.iter().any(|word| details.starts_with(word)) || details.ends_with("_for_basic_auth") {
            let record = response.header("x-record").and_then(|text| serde_json::from_str(text).ok());
            Self::Refused { details, record }
        } else if details == "direct_response" {
            Self::Answered
        } else {
            Self::Nowhere(details)
        }
    }
}

/// What Scopegate decided about a request, by its record in the answer.
pub(super) fn decision(response: &Response) -> Option<String> {
    // Without a route only refusals have it.
    let record = response.header("x-judged").or_else(|| response.header("x-record"))?;
    let record: Value = serde_json::from_str(record).ok()?;
    record["decision"].as_str().map(str::to_owned)
}

/// Routes whose answers have the record of Scopegate, those of the upstream too.
pub(super) fn recorded(routes: &mut Value) {
    routes["response_headers_to_add"] =
        json!([{ "header": { "key": "x-judged", "value": "%FILTER_STATE(wasm.scopegate:PLAIN)%" } }]);
}

/// A listener whose refusals say why in headers; there is no access log to read.
pub(super) fn observed(mut listener: Value) -> Value {
    let header = |name: &str, value: &str| json!({ "header": { "key": name, "value": value } });
    let mappers = json!([{
        "filter": { "status_code_filter": { "comparison": {
            "op": "GE", "value": { "default_value": 400, "runtime_key": "none" } } } },
        "headers_to_add": [
            header("x-details", "%RESPONSE_CODE_DETAILS%"),
            header("x-record", "%FILTER_STATE(wasm.scopegate:PLAIN)%"),
        ],
    }]);
    let manager = manager(&mut listener);
    merge(manager, &json!({ "local_reply_config": { "mappers": mappers } }));
    manager.as_object_mut().unwrap().remove("access_log");
    listener
}
