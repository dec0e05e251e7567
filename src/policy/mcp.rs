//! What is asked of the messages of an MCP client (Model Context Protocol, revisions 2025-03-26 to 2026-07-28).

mod items;
mod listed;
mod pattern;
mod session;
mod uri;

pub use items::{Item, ItemRule, ItemRules, Items};
pub use listed::Listed;
pub use pattern::Pattern;
pub use session::{MAX_SESSION_ID, SESSION_ID, SessionBinding, SessionKeys, server_session_id};

use super::matching::normal_host;
use crate::mcp::message::{Message, Subject};
use crate::mcp::method::{is_known, is_misspelt};
use crate::mcp::version::Version;
use items::Take;
use std::rc::Rc;

/// The default of `body_bytes`.
pub const DEFAULT_BODY_BYTES: u32 = 262_144;

/// Why rules refuse a message, without a look at its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its method is of no revision, and of no rule; or it is a known one in another case.
    UnknownMethod,
    /// A rule denies it.
    Denied,
    /// It names a URI that servers read in more than one way, and no rule before those with a `*` names it in full.
    AmbiguousUri,
}

/// What the lists of a server show of its tools, prompts and resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lists {
    /// All that the server lists.
    #[default]
    All,
    /// What their reader may call.
    Granted,
}

/// What is asked of messages, beyond what their requirement asks of every request.
#[derive(Clone, Debug, PartialEq)]
pub struct Mcp {
    /// Judged by the name of the tool.
    pub tools: ItemRules,
    /// Judged by the name of the prompt.
    pub prompts: ItemRules,
    /// Judged by the URI of the resource.
    pub resources: ItemRules,
    /// Judged by the method of the message. A method that no revision has is refused unless a rule names it, and a known one in another case
    /// always: what it names would not be judged.
    pub methods: ItemRules,
    /// What lists show.
    pub lists: Lists,
    /// The origins of pages that may send messages, as browsers write them.
    pub origins: Vec<String>,
    /// The only hosts that messages are sent to, in lower case and without port; empty: any.
    pub hosts: Vec<String>,
    /// The revisions that are accepted.
    pub versions: Vec<Version>,
    /// Whether the headers of a message wait for its body.
    pub hold_headers: bool,
    /// The longest message, in bytes.
    pub body_bytes: u32,
    /// The keys that session ids are bound to identities with; `None`: they pass as they are.
    pub session: Option<Rc<SessionKeys>>,
}

impl Mcp {
    /// Whether a page of this origin may send messages.
    #[must_use]
    pub fn lists_origin(&self, origin: &[u8]) -> bool {
        self.origins.iter().any(|listed| listed.as_bytes() == origin)
    }

    /// Whether messages may be sent to this host.
    #[must_use]
    pub fn serves(&self, authority: Option<&[u8]>) -> bool {
        let named = || authority.and_then(|authority| normal_host(authority).ok());
        self.hosts.is_empty() || named().is_some_and(|host| self.hosts.iter().any(|own| own.as_bytes() == host))
    }

    /// Adds what the rules ask of a message to `items`.
    ///
    /// # Errors
    /// Why the message is refused.
    pub fn judge<'p>(&'p self, message: &Message<'_>, items: &mut Items<'p>) -> Result<(), Refused> {
        // What a server has asked for comes back without a method: it names nothing.
        let Some(method) = &message.method else { return Ok(()) };
        if is_misspelt(method) || !is_known(method) && !self.methods.name(method) {
            return Err(Refused::UnknownMethod);
        }
        self.methods.of_name(method, &mut |_, item| item.add(items))?;
        let mut add = |_, item: &'p Item| item.add(items);
        message.subjects.iter().try_for_each(|subject| self.of_subject(subject, &mut add))
    }

    /// Hands over what the rules for items ask of one thing that a message names.
    fn of_subject<'p>(&'p self, subject: &Subject<'_>, take: Take<'p, '_>) -> Result<(), Refused> {
        match subject {
            Subject::Tool(name) => self.tools.of_name(name, take),
            Subject::Prompt(name) => self.prompts.of_name(name, take),
            Subject::Resource(uri) => self.resources.of_uri(uri, take),
            Subject::Template(template) => self.resources.of_template(template, take),
        }
    }
}
