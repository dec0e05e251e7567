//! A message of MCP: one JSON-RPC request, notification or response, and what in it the rules judge.

use super::judged::{Found, Member};
use super::scan::scan;
use crate::base::json::JsonType;
use crate::base::members::Raw;
use std::borrow::Cow;

/// The most bytes of an `id`.
const ID_BYTES: usize = 256;

/// A message that every parser reads like this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'b> {
    /// What it is.
    pub kind: Kind,
    /// Its `id`: that of a request, or of the request that a response answers. A notification has none.
    pub id: Option<Id<'b>>,
    /// Its method. A response has none.
    pub method: Option<Cow<'b, str>>,
    /// The items that it names, each of which is judged.
    pub subjects: Vec<Subject<'b>>,
    /// The revision that the message names itself, under 2026-07-28: `io.modelcontextprotocol/protocolVersion` in `_meta`.
    pub meta_version: Option<Cow<'b, str>>,
    /// The revision that `initialize` asks for.
    pub requested_version: Option<Cow<'b, str>>,
    /// The task of `tasks/get`, `tasks/update` and `tasks/cancel`.
    pub task_id: Option<Cow<'b, str>>,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A method and an `id`: it is answered.
    Request,
    /// A method without an `id`.
    Notification,
    /// An `id` with `result` or `error`: it answers a request of the server.
    Response,
}

/// An item that a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject<'b> {
    /// The name of a tool.
    Tool(Cow<'b, str>),
    /// The name of a prompt.
    Prompt(Cow<'b, str>),
    /// The URI of a resource.
    Resource(Cow<'b, str>),
    /// The URI template of resources.
    Template(Cow<'b, str>),
}

impl Subject<'_> {
    /// Its name or URI.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Tool(name) | Self::Prompt(name) | Self::Resource(name) | Self::Template(name) => name,
        }
    }

    /// Its name or URI for a record: a URI without what may hold a secret.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Tool(name) | Self::Prompt(name) => (**name).to_owned(),
            Self::Resource(uri) | Self::Template(uri) => without_secrets(uri),
        }
    }
}

/// A URI, or a template of URIs, without userinfo, query and fragment (RFC 3986 section 3).
fn without_secrets(uri: &str) -> String {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    // In a template, a query may begin within braces.
    let uri = uri.get(..end).unwrap_or_default().trim_end_matches('{');
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    let userinfo = authority.rfind('@').map_or(0, |at| at.saturating_add(1));
    [scheme, "://", rest.get(userinfo..).unwrap_or_default()].concat()
}

/// The `id` of a message: a string, or an integer, of at most 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<'b>(&'b str);

impl<'b> Id<'b> {
    pub(super) fn read(value: &'b str) -> Option<Self> {
        let raw = Raw::checked(value);
        let is_valid = match raw.kind() {
            JsonType::Text => raw.as_text()?.len() <= ID_BYTES,
            JsonType::Number => value.len() <= ID_BYTES && value.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9')),
            _ => false,
        };
        is_valid.then_some(Self(value))
    }

    /// Its JSON text, as the client wrote it.
    #[must_use]
    pub const fn as_json(self) -> &'b str {
        self.0
    }
}

/// Why a body is not a message that can be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault<'b> {
    /// What is wrong.
    pub kind: FaultKind,
    /// What is wrong, for the log. It quotes nothing of the body.
    pub what: &'static str,
    /// The `id` of the message, if no parser reads another one.
    pub id: Option<Id<'b>>,
    /// The method that lacks a name.
    pub method: Option<Cow<'b, str>>,
}

/// What is wrong with a body, as JSON-RPC tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not JSON that is read in one way (-32700).
    NotJson,
    /// It is not one message (-32600).
    NotMessage,
    /// The message does not name what it is for (-32602).
    NoName,
}

/// Reads the body of a POST.
///
/// # Errors
/// When the body is not one message, or when two parsers could read different ones.
pub fn read(body: &[u8]) -> Result<Message<'_>, Fault<'_>> {
    let not_json = |what| Fault { kind: FaultKind::NotJson, what, id: None, method: None };
    let text = std::str::from_utf8(body).map_err(|_| not_json("not UTF-8"))?;
    let found = scan(text).map_err(not_json)?;
    let id = found.get(Member::Id).filter(|_| !found.is_ambiguous_on_top).and_then(Id::read);
    message(&found, id).map_err(|(kind, what)| {
        let method = if kind == FaultKind::NoName { name(&found, Member::Method) } else { None };
        Fault { kind, what, id, method }
    })
}

type Problem = (FaultKind, &'static str);

fn message<'b>(found: &Found<'b>, id: Option<Id<'b>>) -> Result<Message<'b>, Problem> {
    let refuse_if = |is_wrong: bool, what| if is_wrong { Err((FaultKind::NotMessage, what)) } else { Ok(()) };
    refuse_if(!found.is_object, "not an object; batches are not taken")?;
    refuse_if(found.is_ambiguous, "a member that another parser takes for one that is judged")?;
    refuse_if(text(found, Member::JsonRpc).as_deref() != Some("2.0"), "jsonrpc is not \"2.0\"")?;
    let has_id = found.get(Member::Id).is_some();
    refuse_if(has_id && id.is_none(), "id is neither a string nor an integer, or has more than 256 bytes")?;
    let answers = [Member::Result, Member::Error].map(|member| found.get(member).is_some());
    if found.get(Member::Method).is_none() {
        refuse_if(answers == [false, false], "neither method nor result nor error")?;
        refuse_if(answers == [true, true], "both result and error")?;
        refuse_if(!has_id, "a response without id")?;
        refuse_if(found.get(Member::Params).is_some(), "a response with params")?;
        return Ok(Message {
            kind: Kind::Response,
            id,
            method: None,
            subjects: Vec::new(),
            meta_version: None,
            requested_version: None,
            task_id: None,
        });
    }
    refuse_if(answers != [false, false], "both a request and a response")?;
    let method = name(found, Member::Method).ok_or((FaultKind::NotMessage, "method is not a name"))?;
    refuse_if(is_other_than(found, Member::Params, JsonType::Object), "params is not an object")?;
    let meta = found.get(Member::Meta).filter(|meta| *meta != "null");
    refuse_if(meta.is_some_and(|meta| !meta.starts_with('{')), "_meta is not an object")?;
    refuse_if(
        is_other_than(found, Member::MetaVersion, JsonType::Text),
        "the protocol version in _meta is not a string",
    )?;
    let (mut subjects, mut requested_version, mut task_id) = (Vec::new(), None, None);
    match &*method {
        "initialize" => {
            let is_wrong = is_other_than(found, Member::ProtocolVersion, JsonType::Text);
            refuse_if(is_wrong, "protocolVersion is not a string")?;
            requested_version = text(found, Member::ProtocolVersion);
        }
        "tasks/get" | "tasks/update" | "tasks/cancel" => {
            task_id = Some(name(found, Member::TaskId).ok_or((FaultKind::NoName, "no taskId"))?);
        }
        method => {
            subjects = subjects_of(method, found).map_err(|what| (FaultKind::NoName, what))?;
            refuse_if(!has_id && !subjects.is_empty(), "a call without id")?;
        }
    }
    Ok(Message {
        kind: if has_id { Kind::Request } else { Kind::Notification },
        id,
        method: Some(method),
        subjects,
        meta_version: text(found, Member::MetaVersion),
        requested_version,
        task_id,
    })
}

/// What a method names of the members that are judged.
fn subjects_of<'b>(method: &str, found: &Found<'b>) -> Result<Vec<Subject<'b>>, &'static str> {
    let uri = || name(found, Member::Uri).ok_or("no uri");
    Ok(match method {
        "tools/call" => vec![Subject::Tool(name(found, Member::Name).ok_or("no name of a tool")?)],
        "prompts/get" => vec![Subject::Prompt(name(found, Member::Name).ok_or("no name of a prompt")?)],
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => vec![Subject::Resource(uri()?)],
        "completion/complete" => vec![match text(found, Member::RefType).as_deref() {
            Some("ref/prompt") => Subject::Prompt(name(found, Member::RefName).ok_or("no name in ref")?),
            Some("ref/resource") => Subject::Template(name(found, Member::RefUri).ok_or("no uri in ref")?),
            _ => return Err("ref is neither a prompt nor a resource"),
        }],
        "subscriptions/listen" => {
            if is_other_than(found, Member::Notifications, JsonType::Object) {
                return Err("notifications is not an object");
            }
            let Some(list) = found.get(Member::Subscriptions) else { return Ok(Vec::new()) };
            let uris = Raw::checked(list).as_texts().filter(|uris| uris.iter().all(|uri| is_name(uri)));
            uris.ok_or("resourceSubscriptions is not a list of URIs")?.into_iter().map(Subject::Resource).collect()
        }
        _ => Vec::new(),
    })
}

/// Whether a member is there and has another type.
fn is_other_than(found: &Found<'_>, member: Member, wanted: JsonType) -> bool {
    found.get(member).is_some_and(|value| Raw::checked(value).kind() != wanted)
}

/// The text of a string.
fn text<'b>(found: &Found<'b>, member: Member) -> Option<Cow<'b, str>> {
    Raw::checked(found.get(member)?).as_text()
}

/// The text of a string that can be a name.
fn name<'b>(found: &Found<'b>, member: Member) -> Option<Cow<'b, str>> {
    text(found, member).filter(|name| is_name(name))
}

/// Whether a text can be a name or a URI: it is not empty, and has no control characters, at which some programs end it.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.bytes().any(|byte| byte.is_ascii_control())
}

#[cfg(test)]
mod tests;
