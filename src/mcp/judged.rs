//! The members of a message that are looked at, and what another parser could take for one of them.

/// Where an object is in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// The message itself.
    Top,
    /// `params`.
    Params,
    /// `params.ref`.
    Ref,
    /// `params._meta`.
    Meta,
    /// `params.notifications`.
    Notifications,
    /// Anywhere else: nothing is looked at.
    Other,
}

/// A member that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    JsonRpc,
    Id,
    Method,
    Params,
    Result,
    Error,
    Name,
    Uri,
    Arguments,
    TaskId,
    ProtocolVersion,
    Ref,
    Meta,
    Notifications,
    RefType,
    RefName,
    RefUri,
    MetaVersion,
    Subscriptions,
}

/// Where each member is, and its name.
const MEMBERS: &[(Level, &str, Member)] = &[
    (Level::Top, "jsonrpc", Member::JsonRpc),
    (Level::Top, "id", Member::Id),
    (Level::Top, "method", Member::Method),
    (Level::Top, "params", Member::Params),
    (Level::Top, "result", Member::Result),
    (Level::Top, "error", Member::Error),
    (Level::Params, "name", Member::Name),
    (Level::Params, "uri", Member::Uri),
    (Level::Params, "arguments", Member::Arguments),
    (Level::Params, "taskId", Member::TaskId),
    (Level::Params, "protocolVersion", Member::ProtocolVersion),
    (Level::Params, "ref", Member::Ref),
    (Level::Params, "_meta", Member::Meta),
    (Level::Params, "notifications", Member::Notifications),
    (Level::Ref, "type", Member::RefType),
    (Level::Ref, "name", Member::RefName),
    (Level::Ref, "uri", Member::RefUri),
    (Level::Meta, "io.modelcontextprotocol/protocolVersion", Member::MetaVersion),
    (Level::Notifications, "resourceSubscriptions", Member::Subscriptions),
];

impl Member {
    /// Where the members of its value are.
    pub(super) const fn below(self) -> Level {
        match self {
            Self::Params => Level::Params,
            Self::Ref => Level::Ref,
            Self::Meta => Level::Meta,
            Self::Notifications => Level::Notifications,
            _ => Level::Other,
        }
    }
}

/// What a text has of the members that are looked at.
#[derive(Default)]
pub(super) struct Found<'b> {
    /// Whether the text is an object.
    pub(super) is_object: bool,
    /// Whether another parser could take a member for one that is looked at.
    pub(super) is_ambiguous: bool,
    /// Whether it could take it for one of the message itself, of which `id` is one.
    pub(super) is_ambiguous_on_top: bool,
    values: Vec<(Member, &'b str)>,
}

impl<'b> Found<'b> {
    /// The member that has this name, without escapes, at this level. Notes what looks like one.
    pub(super) fn look(&mut self, level: Level, name: &[u8]) -> Option<Member> {
        let mut members = MEMBERS.iter().filter(|(place, ..)| *place == level);
        let exact = members.clone().find(|(_, known, _)| known.as_bytes() == name);
        if exact.is_none() && (!is_plain(name) || members.any(|(_, known, _)| is_like(name, known))) {
            self.is_ambiguous = true;
            self.is_ambiguous_on_top |= level == Level::Top;
        }
        exact.map(|(.., member)| *member)
    }

    /// Keeps the JSON text of a member's value.
    pub(super) fn note(&mut self, member: Member, value: &'b str) {
        self.values.push((member, value));
    }

    /// The JSON text of a member's value.
    pub(super) fn get(&self, member: Member) -> Option<&'b str> {
        self.values.iter().find(|(other, _)| *other == member).map(|(_, value)| *value)
    }
}

/// Whether a name has nothing but visible ASCII and spaces. Beyond that parsers fold case in more than one way (`ſ` is `s`
/// to Go, `ı` is `i` to Java), compose characters, or end a name at NUL; no name of the protocol has any of it.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Whether a parser that ignores case, or has another mark between the words of a name, takes `name` for `known`. The
/// server of `PyPI` mcp takes `task_id` for `taskId`, and `io_modelcontextprotocol_protocol_version` for the version.
fn is_like(name: &[u8], known: &str) -> bool {
    letters(name).eq(letters(known.as_bytes()))
}

fn letters(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b'/')).map(u8::to_ascii_lowercase)
}
