//! Asking for events, and the answer ([RFC 8936 section 2](https://www.rfc-editor.org/rfc/rfc8936#section-2)).

use crate::base::json::{self, Value};
use serde_json::{Map, json};

/// The body of a request for events: how many are wanted at most, which have been taken since the last one, by `jti`, and which
/// have been refused, each with its error code and the words for it.
#[must_use]
pub fn poll_request(most: u32, taken: &[String], refused: &[(String, &'static str, &'static str)]) -> String {
    let mut members = Map::new();
    members.insert("maxEvents".to_owned(), most.into());
    members.insert("returnImmediately".to_owned(), true.into());
    if !taken.is_empty() {
        members.insert("ack".to_owned(), taken.into());
    }
    if !refused.is_empty() {
        let errors = refused.iter().map(|(id, err, why)| (id.clone(), json!({ "err": err, "description": why })));
        members.insert("setErrs".to_owned(), errors.collect::<Map<_, _>>().into());
    }
    Value::Object(members).to_string()
}

/// What a transmitter has answered.
#[derive(Debug, PartialEq, Eq)]
pub struct PolledSets {
    /// The tokens, each under its `jti`.
    pub sets: Vec<(String, String)>,
    /// Whether there are more.
    pub has_more: bool,
}

impl PolledSets {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is none; the text says why.
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        let Some(members) = json::parse_object(body) else { return Err("it is no JSON object") };
        let Some(Value::Object(sets)) = members.get("sets") else { return Err("it has no object `sets`") };
        let has_more = match members.get("moreAvailable") {
            None => false,
            Some(Value::Bool(more)) => *more,
            Some(_) => return Err("its `moreAvailable` is no boolean"),
        };
        let text = |(id, set): (&String, &Value)| Some((id.clone(), set.as_str()?.to_owned()));
        let sets: Option<Vec<_>> = sets.iter().map(text).collect();
        Ok(Self { sets: sets.ok_or("one of its `sets` is not text")?, has_more })
    }
}
