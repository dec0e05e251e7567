//! What an MCP message says to another reader: the rules of `scopegate::mcp` once more, on a tree of values.

use scopegate::base::json::{self, Map, Value};
use scopegate::mcp::message::{Kind, Message, Subject};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Where a message names its revision.
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// What a message says.
#[derive(Debug, PartialEq)]
pub struct Said {
    pub kind: Kind,
    pub id: Option<Value>,
    pub method: Option<String>,
    /// The kind of each item, and its name.
    pub subjects: Vec<(&'static str, String)>,
    pub meta_version: Option<String>,
    pub requested_version: Option<String>,
    pub task_id: Option<String>,
}

impl Said {
    /// What the gate has read.
    pub fn by(message: &Message<'_>) -> Self {
        let subject = |subject: &Subject<'_>| {
            let kind = match subject {
                Subject::Tool(_) => "tool",
                Subject::Prompt(_) => "prompt",
                Subject::Resource(_) => "resource",
                Subject::Template(_) => "template",
            };
            (kind, subject.name().to_owned())
        };
        Self {
            kind: message.kind,
            id: message.id.map(|id| serde_json::from_str(id.as_json()).expect("an id is JSON")),
            method: message.method.as_deref().map(str::to_owned),
            subjects: message.subjects.iter().map(subject).collect(),
            meta_version: message.meta_version.as_deref().map(str::to_owned),
            requested_version: message.requested_version.as_deref().map(str::to_owned),
            task_id: message.task_id.as_deref().map(str::to_owned),
        }
    }
}

/// What the reader of values finds.
#[derive(Debug)]
pub enum Other {
    /// A message.
    Message(Said),
    /// No message that is to be let through.
    Refused,
    /// Nothing: it has a limit for numbers that the gate has not.
    OutOfRange,
}

/// Reads a body with `serde_json`, which refuses members that are there twice.
pub fn read(body: &[u8]) -> Other {
    match json::parse(body) {
        Ok(value) if depth(&value) <= 64 => said(body, &value).map_or(Other::Refused, Other::Message),
        Err(error) if error.to_string().contains("out of range") => Other::OutOfRange,
        _ => Other::Refused,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether every name that looks like one of these is one of these.
fn is_clear(members: &Map<String, Value>, known: &[&str]) -> bool {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-', '.', '/'], "");
    members.keys().all(|name| {
        let is_ascii = name.chars().all(|character| (' '..='~').contains(&character));
        is_ascii && (known.contains(&name.as_str()) || !known.iter().any(|other| plain(name) == plain(other)))
    })
}

fn name(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?;
    (!text.is_empty() && !text.chars().any(|character| character < ' ' || character == '\u{7f}'))
        .then(|| text.to_owned())
}

/// The text of a member, if it is there.
fn text(value: Option<&Value>) -> Result<Option<String>, ()> {
    value.map(|value| value.as_str().map(str::to_owned).ok_or(())).transpose()
}

/// The `id`, if it is there.
fn id(body: &[u8], value: Option<&Value>) -> Result<Option<Value>, ()> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= 256 => Ok(value.cloned()),
        // Whether there is a fraction or an exponent, and how many digits, is known to the text alone.
        Some(Value::Number(_)) => {
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).map_err(|_| ())?;
            let text = members.get("id").ok_or(())?.get();
            if text.len() > 256 || text.contains(['.', 'e', 'E']) {
                return Err(());
            }
            serde_json::from_str(text).map_err(|_| ())
        }
        Some(_) => Err(()),
    }
}

fn said(body: &[u8], value: &Value) -> Option<Said> {
    let top = value.as_object()?;
    let below = |members: &Map<String, Value>, name: &str| {
        members.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let params = below(top, "params");
    let [item, meta, notifications] = ["ref", "_meta", "notifications"].map(|name| below(&params, name));
    let judged = ["name", "uri", "arguments", "taskId", "protocolVersion", "ref", "_meta", "notifications"];
    let is_clear = is_clear(top, &["jsonrpc", "id", "method", "params", "result", "error"])
        && is_clear(&params, &judged)
        && is_clear(&item, &["type", "name", "uri"])
        && is_clear(&meta, &[VERSION])
        && is_clear(&notifications, &["resourceSubscriptions"]);
    let id = id(body, top.get("id")).ok()?;
    if !is_clear || top.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return None;
    }
    let answers = ["result", "error"].iter().filter(|name| top.contains_key(**name)).count();
    if !top.contains_key("method") {
        let is_one = answers == 1 && id.is_some() && !top.contains_key("params");
        return is_one.then_some(Said {
            kind: Kind::Response,
            id,
            method: None,
            subjects: Vec::new(),
            meta_version: None,
            requested_version: None,
            task_id: None,
        });
    }
    let method = name(top.get("method"))?;
    let is_object = |value: Option<&Value>| value.is_none_or(Value::is_object);
    let has_meta = params.get("_meta").is_none_or(|meta| meta.is_object() || meta.is_null());
    if answers > 0 || !is_object(top.get("params")) || !has_meta {
        return None;
    }
    let meta_version = text(meta.get(VERSION)).ok()?;
    let (mut requested_version, mut task_id, mut subjects) = (None, None, Vec::new());
    match method.as_str() {
        "tools/call" => subjects.push(("tool", name(params.get("name"))?)),
        "prompts/get" => subjects.push(("prompt", name(params.get("name"))?)),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            subjects.push(("resource", name(params.get("uri"))?));
        }
        "completion/complete" => match item.get("type").and_then(Value::as_str)? {
            "ref/prompt" => subjects.push(("prompt", name(item.get("name"))?)),
            "ref/resource" => subjects.push(("template", name(item.get("uri"))?)),
            _ => return None,
        },
        "subscriptions/listen" if is_object(params.get("notifications")) => {
            let list = notifications
                .get("resourceSubscriptions")
                .map_or(Some(&[][..]), |list| list.as_array().map(Vec::as_slice))?;
            subjects = list.iter().map(|uri| Some(("resource", name(Some(uri))?))).collect::<Option<_>>()?;
        }
        "subscriptions/listen" => return None,
        "initialize" => requested_version = text(params.get("protocolVersion")).ok()?,
        "tasks/get" | "tasks/update" | "tasks/cancel" => task_id = Some(name(params.get("taskId"))?),
        _ => {}
    }
    if id.is_none() && !subjects.is_empty() {
        return None;
    }
    let kind = if id.is_some() { Kind::Request } else { Kind::Notification };
    Some(Said { kind, id, method: Some(method), subjects, meta_version, requested_version, task_id })
}
