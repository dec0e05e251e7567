//! What a decision knows of an MCP message.

use crate::mcp::version::Version;

/// What is wrong with a body that should be a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFault {
    /// It is not JSON (RFC 8259), or readers of JSON differ over it.
    NotJson,
    /// It is no message of JSON-RPC 2.0 as MCP has them.
    NotMessage,
    /// It does not name what it is about, or its revision.
    NoName,
}

/// A revision of MCP that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionMismatch {
    /// What the message names, if that can be repeated; else nothing.
    pub requested: String,
    /// Those that are accepted.
    pub supported: Vec<Version>,
}

/// What is known of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageTrace {
    /// Its `id` in JSON, where it was read: that of the answer.
    pub id: Option<Box<str>>,
    /// Its method.
    pub method: Option<Box<str>>,
    /// What it names: the first tool, prompt or URI, the latter without userinfo, query and fragment.
    pub name: Option<Box<str>>,
    /// What is wanted of its body.
    pub wanted: MessageWanted,
    /// Whether session ids are bound to who they are handed out to.
    pub binds_sessions: bool,
}

/// What is wanted of the body of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageWanted {
    /// The longest that is read, in bytes.
    pub max_bytes: u32,
    /// Whether the headers wait for it.
    pub holds_headers: bool,
}
