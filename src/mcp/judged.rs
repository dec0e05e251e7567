//! The members of a message, and of an answer, that are looked at, and what another parser could take for one of them.

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
    /// An answer of a server.
    Answer,
    /// `result` of an answer.
    Result,
    /// A list in it.
    List,
    /// An item of the list.
    Item,
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
    /// `result` of an answer.
    Answered,
    Tools,
    Prompts,
    Resources,
    Templates,
    CacheScope,
    Ttl,
    /// An item of a list, which has no name.
    Item,
    Template,
}

impl Level {
    /// The members that are looked at, by their names.
    const fn members(self) -> &'static [(&'static str, Member)] {
        match self {
            Self::Top => &[
                ("jsonrpc", Member::JsonRpc),
                ("id", Member::Id),
                ("method", Member::Method),
                ("params", Member::Params),
                ("result", Member::Result),
                ("error", Member::Error),
            ],
            Self::Params => &[
                ("name", Member::Name),
                ("uri", Member::Uri),
                ("arguments", Member::Arguments),
                ("taskId", Member::TaskId),
                ("protocolVersion", Member::ProtocolVersion),
                ("ref", Member::Ref),
                ("_meta", Member::Meta),
                ("notifications", Member::Notifications),
            ],
            Self::Ref => &[("type", Member::RefType), ("name", Member::RefName), ("uri", Member::RefUri)],
            Self::Meta => &[("io.modelcontextprotocol/protocolVersion", Member::MetaVersion)],
            Self::Notifications => &[("resourceSubscriptions", Member::Subscriptions)],
            Self::Answer => &[("id", Member::Id), ("result", Member::Answered)],
            Self::Result => &[
                ("tools", Member::Tools),
                ("prompts", Member::Prompts),
                ("resources", Member::Resources),
                ("resourceTemplates", Member::Templates),
                ("cacheScope", Member::CacheScope),
                ("ttlMs", Member::Ttl),
            ],
            Self::Item => &[("name", Member::Name), ("uri", Member::Uri), ("uriTemplate", Member::Template)],
            Self::List | Self::Other => &[],
        }
    }
}

impl Member {
    /// Where the members of its value are.
    pub(super) const fn below(self) -> Level {
        match self {
            Self::Params => Level::Params,
            Self::Answered => Level::Result,
            Self::Ref => Level::Ref,
            Self::Meta => Level::Meta,
            Self::Notifications => Level::Notifications,
            Self::Tools | Self::Prompts | Self::Resources | Self::Templates => Level::List,
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
    /// The values of the members, in the order of their ends, and where each begins.
    pub(super) values: Vec<(Member, usize, &'b str)>,
}

impl<'b> Found<'b> {
    /// The member that has this name, without escapes, at this level. Notes what looks like one.
    pub(super) fn look(&mut self, level: Level, name: &[u8]) -> Option<Member> {
        let members = level.members();
        let exact = members.iter().find(|(known, _)| known.as_bytes() == name);
        if exact.is_none() && (!is_plain(name) || members.iter().any(|(known, _)| is_like(name, known))) {
            self.is_ambiguous = true;
            self.is_ambiguous_on_top |= matches!(level, Level::Top | Level::Answer);
        }
        exact.map(|(_, member)| *member)
    }

    /// Keeps the JSON text of a member's value, which begins at `start`.
    pub(super) fn note(&mut self, member: Member, start: usize, value: &'b str) {
        self.values.push((member, start, value));
    }

    /// The JSON text of a member's value.
    pub(super) fn get(&self, member: Member) -> Option<&'b str> {
        self.values.iter().find(|(other, ..)| *other == member).map(|(.., value)| *value)
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
