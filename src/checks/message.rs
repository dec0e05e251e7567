//! The message that an MCP server would execute is one that the policy lets its sender send: its transport (Model Context
//! Protocol, "Transports"), its form, its headers, and what it names.

use super::Result;
use crate::decision::{Denial, MessageFault, MessageTrace, MessageWanted, VersionMismatch};
use crate::facts::Body;
use crate::mcp::header::decode_name;
use crate::mcp::media::{MediaType, is_identity};
use crate::mcp::message::{self, Fault, FaultKind, Id, Kind, Message, Subject};
use crate::mcp::method::{is_replaced, mirrored};
use crate::mcp::version::Version;
use crate::policy::{Items, Mcp, Refused};
use crate::request::{RequestView, TwoLines};
use std::borrow::Cow;

const VERSION_HEADER: &str = "mcp-protocol-version";
const METHOD_HEADER: &str = "mcp-method";
const NAME_HEADER: &str = "mcp-name";
/// The longest text of a version that an answer repeats, in bytes.
const MAX_SHOWN_VERSION: usize = 32;

/// What is known of a message when its sender is judged.
#[derive(Debug)]
pub struct Hearing<'p> {
    /// What it asks of its sender, besides what its route asks.
    pub items: Items<'p>,
    /// Whether it may go on, its sender aside.
    pub verdict: Verdict,
}

/// Whether a message may go on, its sender aside.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It may.
    Good,
    /// Its body has not been read.
    Awaited,
    /// It may not.
    Refused(Denial),
}

/// Judges where a message comes from and how it is sent, before anything else of it is looked at.
///
/// # Errors
/// [`Denial::ForeignOrigin`], [`Denial::MisdirectedHost`], [`Denial::MethodNotAllowed`].
pub fn check_transport(all: &[&Mcp], request: &RequestView<'_>) -> Result<()> {
    let foreign = match request.only_value("origin") {
        Ok(None) => None,
        Ok(Some(b"null")) => Some("Origin is null"),
        Ok(Some(origin)) if all.iter().all(|mcp| mcp.lists_origin(origin)) => None,
        Ok(Some(_)) => Some("Origin is not listed"),
        Err(TwoLines) => Some("two lines of Origin"),
    };
    if let Some(why) = foreign {
        return Err(Denial::ForeignOrigin(why));
    }
    if !all.iter().all(|mcp| mcp.serves(request.authority())) {
        return Err(Denial::MisdirectedHost);
    }
    if matches!(request.method(), b"POST" | b"GET" | b"DELETE") { Ok(()) } else { Err(Denial::MethodNotAllowed) }
}

/// What all of them want of a body.
#[must_use]
pub fn wanted(all: &[&Mcp]) -> MessageWanted {
    MessageWanted {
        max_bytes: all.iter().map(|mcp| mcp.body_bytes).min().unwrap_or_default(),
        holds_headers: all.iter().any(|mcp| mcp.hold_headers),
    }
}

/// Reads a message as far as it is here, and notes in `trace` what it is.
#[must_use]
pub fn hear<'p>(all: &[&'p Mcp], request: &RequestView<'_>, body: Body<'_>, trace: &mut MessageTrace) -> Hearing<'p> {
    let mut items = Items::new();
    let body = if request.ends_with_headers { Body::Whole(b"") } else { body };
    let heard = if request.method() == b"POST" {
        hear_post(all, request, body, trace, &mut items)
    } else {
        hear_without_body(all, request, body)
    };
    Hearing { items, verdict: heard.unwrap_or_else(Verdict::Refused) }
}

/// GET opens a stream and DELETE ends a session: neither has a message, and what an upstream would make of one is unknown.
fn hear_without_body(all: &[&Mcp], request: &RequestView<'_>, body: Body<'_>) -> Result<Verdict> {
    if let Some(named) = line(request, VERSION_HEADER, "two lines of MCP-Protocol-Version")? {
        accepted(all, named)?;
    }
    match body {
        Body::Awaited => Ok(Verdict::Awaited),
        Body::Whole(b"") | Body::WithTrailers(b"") => Ok(Verdict::Good),
        Body::Whole(_) | Body::WithTrailers(_) | Body::TooLarge => {
            Err(Denial::InvalidMessage { fault: MessageFault::NotMessage, why: "a body where the method has none" })
        }
    }
}

fn hear_post<'p>(
    all: &[&'p Mcp],
    request: &RequestView<'_>,
    body: Body<'_>,
    trace: &mut MessageTrace,
    items: &mut Items<'p>,
) -> Result<Verdict> {
    check_media_type(request)?;
    let max_bytes = trace.wanted.max_bytes;
    let too_large = Denial::BodyTooLarge { limit: max_bytes };
    if request.content_length().is_some_and(|length| length > u64::from(max_bytes)) {
        return Err(too_large);
    }
    let bytes = match body {
        Body::Whole(bytes) | Body::WithTrailers(bytes)
            if u32::try_from(bytes.len()).is_ok_and(|length| length <= max_bytes) =>
        {
            bytes
        }
        Body::Whole(_) | Body::WithTrailers(_) | Body::TooLarge => return Err(too_large),
        Body::Awaited => return foresee(all, request, trace, items).map(|()| Verdict::Awaited),
    };
    let message = message::read(bytes).map_err(|Fault { kind, what, id, method }| {
        trace.id = id.map(owned_id);
        trace.method = method.as_deref().map(Into::into);
        if method.is_some_and(|method| is_replaced(&method)) && is_of_stateless_version(all, request) {
            return Denial::UnknownMethod { is_stateless: true };
        }
        let fault = match kind {
            FaultKind::NotJson => MessageFault::NotJson,
            FaultKind::NotMessage => MessageFault::NotMessage,
            FaultKind::NoName => MessageFault::NoName,
        };
        Denial::InvalidMessage { fault, why: what }
    })?;
    note(trace, &message);
    trace.id = message.id.map(owned_id);
    let is_stateless = check_version(all, request, &message)?;
    check_mirrors(request, &message, is_stateless)?;
    if is_stateless && message.kind == Kind::Response {
        return Err(Denial::InvalidMessage {
            fault: MessageFault::NotMessage,
            why: "a response, which 2026-07-28 has not",
        });
    }
    judge(all, &message, is_stateless, items).map(|()| Verdict::Good)
}

fn owned_id(id: Id<'_>) -> Box<str> {
    id.as_json().into()
}

fn note(trace: &mut MessageTrace, message: &Message<'_>) {
    trace.method = message.method.as_deref().map(Into::into);
    trace.name = message.subjects.first().map(|subject| subject.shown().into());
}

fn judge<'p>(all: &[&'p Mcp], message: &Message<'_>, is_stateless: bool, items: &mut Items<'p>) -> Result<()> {
    let judged = all.iter().try_for_each(|mcp| mcp.judge(message, items));
    judged.map_err(|refused| match refused {
        Refused::UnknownMethod => Denial::UnknownMethod { is_stateless },
        Refused::Denied => Denial::Denied,
        Refused::AmbiguousUri => Denial::AmbiguousUri,
    })
}

/// Judges a message by its headers, where its revision has them say what it is: what they forbid need not be read. What they
/// allow is judged again by the body.
fn foresee<'p>(
    all: &[&'p Mcp],
    request: &RequestView<'_>,
    trace: &mut MessageTrace,
    items: &mut Items<'p>,
) -> Result<()> {
    if !is_of_stateless_version(all, request) {
        return Ok(());
    }
    let method = request.sole_value(METHOD_HEADER).map(<[u8]>::trim_ascii);
    let Some(method) = method.and_then(|method| std::str::from_utf8(method).ok()) else { return Ok(()) };
    let name = request.sole_value(NAME_HEADER).and_then(decode_name);
    let subject = name.and_then(|name| match method {
        "tools/call" => Some(Subject::Tool(name)),
        "prompts/get" => Some(Subject::Prompt(name)),
        "resources/read" => Some(Subject::Resource(name)),
        _ => None,
    });
    let message = Message {
        kind: Kind::Request,
        id: None,
        method: Some(Cow::Borrowed(method)),
        subjects: subject.into_iter().collect(),
        meta_version: None,
        requested_version: None,
        task_id: None,
    };
    note(trace, &message);
    match judge(all, &message, true, items) {
        // A header may misspell what the body has: that is told as a mismatch.
        Err(Denial::UnknownMethod { .. }) => Ok(()),
        judged => judged,
    }
}

/// Whether the headers name the revision without sessions, and it is accepted.
#[must_use]
pub fn is_of_stateless_version(all: &[&Mcp], request: &RequestView<'_>) -> bool {
    let stateless = Version::V2026_07_28;
    let named = request.sole_value(VERSION_HEADER).map(<[u8]>::trim_ascii);
    named == Some(stateless.as_str().as_bytes()) && all.iter().all(|mcp| mcp.versions.contains(&stateless))
}

/// RFC 9110 sections 8.3 and 8.4: one media type, which is `application/json`, in UTF-8 and not compressed.
fn check_media_type(request: &RequestView<'_>) -> Result<()> {
    // Envoy joins lines with a comma.
    let Some(value) = request.sole_value("content-type").filter(|value| !value.contains(&b',')) else {
        return Err(Denial::UnsupportedMediaType("not one line of Content-Type"));
    };
    let media = MediaType::read(value);
    if !media.is("application/json") {
        return Err(Denial::UnsupportedMediaType("Content-Type is not application/json"));
    }
    if !media.is_utf8 {
        return Err(Denial::UnsupportedMediaType("the charset is not utf-8"));
    }
    if is_identity(request.values("content-encoding")) {
        Ok(())
    } else {
        Err(Denial::UnsupportedMediaType("the body is compressed"))
    }
}

/// The value of the one line of a header, without white space around it.
fn line<'r>(request: &RequestView<'r>, name: &str, twice: &'static str) -> Result<Option<&'r [u8]>> {
    let value = request.only_value(name).map_err(|TwoLines| Denial::HeaderMismatch(twice))?;
    Ok(value.map(<[u8]>::trim_ascii))
}

/// The revision that this names, which all of them must accept.
fn accepted(all: &[&Mcp], named: &[u8]) -> Result<Version> {
    let text = std::str::from_utf8(named).unwrap_or_default();
    let is_good = |version: &Version| all.iter().all(|mcp| mcp.versions.contains(version));
    Version::parse(text).filter(is_good).ok_or_else(|| {
        let is_plain = text.len() <= MAX_SHOWN_VERSION && text.bytes().all(|byte| byte.is_ascii_graphic());
        let supported = Version::ALL.into_iter().filter(is_good).collect();
        let requested = if is_plain { text.to_owned() } else { String::new() };
        Denial::UnsupportedVersion(Box::new(VersionMismatch { requested, supported }))
    })
}

/// Whether the message is of a revision without sessions. What the headers name and what the body names is the same.
fn check_version(all: &[&Mcp], request: &RequestView<'_>, message: &Message<'_>) -> Result<bool> {
    let header = line(request, VERSION_HEADER, "two lines of MCP-Protocol-Version")?;
    let Some(header) = header else {
        if message.meta_version.is_some() {
            return Err(Denial::HeaderMismatch("MCP-Protocol-Version is missing, and the body names a version"));
        }
        // The version is agreed on by the answer, and those before 2025-06-18 had no header for it.
        let begins = message.method.as_deref() == Some("initialize");
        let has_sessions = |mcp: &&Mcp| mcp.versions.iter().any(|version| !version.is_stateless());
        if !(begins && all.iter().all(has_sessions)) {
            let of_initialize = message.requested_version.as_deref().filter(|_| begins);
            accepted(all, of_initialize.unwrap_or(Version::V2025_03_26.as_str()).as_bytes())?;
        }
        return Ok(false);
    };
    let version = accepted(all, header)?;
    match &message.meta_version {
        Some(own) if own.as_bytes() == header => Ok(version.is_stateless()),
        None if !version.is_stateless() || message.kind != Kind::Request => Ok(version.is_stateless()),
        Some(_) => Err(Denial::HeaderMismatch("MCP-Protocol-Version is not the version in the body")),
        None => Err(Denial::InvalidMessage { fault: MessageFault::NoName, why: "no protocol version in _meta" }),
    }
}

/// What the headers say of a message is what its body says.
fn check_mirrors(request: &RequestView<'_>, message: &Message<'_>, is_stateless: bool) -> Result<()> {
    let is_required = is_stateless && message.kind == Kind::Request;
    match line(request, METHOD_HEADER, "two lines of Mcp-Method")? {
        Some(named) if message.method.as_deref().map(str::as_bytes) == Some(named) => {}
        None if !is_required => {}
        None => return Err(Denial::HeaderMismatch("Mcp-Method is missing")),
        Some(_) => return Err(Denial::HeaderMismatch("Mcp-Method is not the method of the body")),
    }
    match (line(request, NAME_HEADER, "two lines of Mcp-Name")?, mirrored(message)) {
        (Some(named), Some(name)) if decode_name(named).as_deref() == Some(name) => Ok(()),
        (None, None) => Ok(()),
        (None, Some(_)) if !is_required => Ok(()),
        (None, Some(_)) => Err(Denial::HeaderMismatch("Mcp-Name is missing")),
        (Some(_), _) => Err(Denial::HeaderMismatch("Mcp-Name is not the name in the body")),
    }
}
