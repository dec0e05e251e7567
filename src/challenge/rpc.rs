//! A refusal as an error of JSON-RPC 2.0, for MCP clients: they step up on status and challenge, and show their users the
//! error ([JSON-RPC 2.0 section 5.1](https://www.jsonrpc.org/specification#error_object)).

use crate::decision::{Denial, MessageFault, Trace, VersionMismatch};
use crate::policy::Scope;
use serde_json::{Map, Value, json};

/// What the answer to a message says beside status and challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rpc {
    /// The `id` of the message in JSON, if it was read.
    id: Option<Box<str>>,
    /// The code of the error; `None`: the status.
    code: Option<i32>,
    /// The version that was asked for, and those that are accepted.
    versions: Option<VersionMismatch>,
}

/// MCP 2026-07-28, "Error codes".
const HEADER_MISMATCH: i32 = -32020;
const UNSUPPORTED_VERSION: i32 = -32022;
/// JSON-RPC 2.0 section 5.1.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const INTERNAL_ERROR: i32 = -32603;

impl Rpc {
    /// The answer to the message of a refused request; `None` where there is no message.
    pub(super) fn of(denial: &Denial, trace: &Trace) -> Option<Box<Self>> {
        let message = trace.message.as_ref()?;
        let code = match denial {
            Denial::InvalidMessage { fault: MessageFault::NotJson, .. } => Some(PARSE_ERROR),
            Denial::InvalidMessage { fault: MessageFault::NotMessage, .. }
            | Denial::BodyTooLarge { .. }
            | Denial::UnsupportedMediaType(_)
            | Denial::ForeignSession(_) => Some(INVALID_REQUEST),
            Denial::InvalidMessage { fault: MessageFault::NoName, .. } | Denial::AmbiguousUri => Some(INVALID_PARAMS),
            Denial::UnusableList(_) => Some(INTERNAL_ERROR),
            Denial::HeaderMismatch(_) => Some(HEADER_MISMATCH),
            Denial::UnsupportedVersion(_) => Some(UNSUPPORTED_VERSION),
            Denial::UnknownMethod { .. } => Some(METHOD_NOT_FOUND),
            _ => None,
        };
        let versions = match denial {
            Denial::UnsupportedVersion(versions) => Some((**versions).clone()),
            _ => None,
        };
        Some(Box::new(Self { id: message.id.clone(), code, versions }))
    }

    /// Whether other messages get the same answer.
    pub(super) const fn recurs(&self) -> bool {
        self.id.is_none() && self.versions.is_none()
    }

    /// The body of the answer. `error` is the code of the challenge, which is the class of the failure.
    pub(super) fn body(&self, status: u16, text: &str, error: Option<&str>, scope: &[Scope]) -> String {
        let mut data = Map::new();
        if let Some(error) = error {
            data.insert("error".to_owned(), error.into());
        }
        if !scope.is_empty() {
            let names: Vec<&str> = scope.iter().map(Scope::as_str).collect();
            data.insert("scope".to_owned(), names.join(" ").into());
        }
        if let Some(VersionMismatch { requested, supported }) = &self.versions {
            let supported: Vec<&str> = supported.iter().map(|version| version.as_str()).collect();
            data.insert("supported".to_owned(), supported.into());
            data.insert("requested".to_owned(), requested.as_str().into());
        }
        let mut error = Map::new();
        error.insert("code".to_owned(), self.code.unwrap_or_else(|| i32::from(status)).into());
        error.insert("message".to_owned(), text.into());
        if !data.is_empty() {
            error.insert("data".to_owned(), Value::Object(data));
        }
        // The `id` goes back as it came: an integer may be longer than any number here.
        let id = self.id.as_deref().unwrap_or("null");
        let error = Value::Object(error);
        ["{\"jsonrpc\":", &json!("2.0").to_string(), ",\"id\":", id, ",\"error\":", &error.to_string(), "}"].concat()
    }
}
