//! A record of a log, as `envoy/audit.schema.json` describes it. Every member may be absent, and a number may be text:
//! older gates, and the forms of access logs, write less and otherwise.

use super::millis::Millis;
use super::node::{Node, member};
use std::borrow::Cow;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::cli) enum Verdict {
    Allow,
    Deny,
    WouldDeny,
    Serve,
    /// An event that revokes was taken.
    Receive,
    /// No decision: the record only says that a token was seen from several clients.
    Reuse,
}

impl Verdict {
    /// The word of a record.
    pub(in crate::cli) const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would_deny",
            Self::Serve => "serve",
            Self::Receive => "receive",
            Self::Reuse => "token_reuse",
        }
    }

    fn of_decision(word: &str) -> Option<Self> {
        [Self::Allow, Self::Deny, Self::WouldDeny, Self::Serve, Self::Receive]
            .into_iter()
            .find(|verdict| verdict.word() == word)
    }
}

/// The members of an object.
type Object<'r> = &'r [(Cow<'r, str>, Node<'r>)];

/// What an access log says around a record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around<'r> {
    /// The time of the line.
    pub time: Option<Millis>,
    /// The object that names the route, the method or the id of the request.
    members: Object<'r>,
}

/// Members that Envoy's access log has itself, and a record only if it is asked for them, with the names there.
const OF_LINE: [(&str, &[&str]); 5] = [
    ("route", &["route", "route_name"]),
    ("method", &["method"]),
    ("request_id", &["request_id", "x_request_id"]),
    ("details", &["details", "response_code_details"]),
    ("status", &["status", "response_code"]),
];

/// The names under which access logs and collectors have the time of a line.
const TIMES: [&str; 5] = ["time", "start_time", "@timestamp", "timestamp", "timeUnixNano"];

impl<'r> Around<'r> {
    /// What is known before a line is read.
    pub(super) const fn at(time: Option<Millis>) -> Self {
        Self { time, members: &[] }
    }

    /// What is known in this object, and in those around it.
    pub(super) fn within(self, members: Object<'r>) -> Self {
        let names_request = OF_LINE.iter().take(4).any(|(_, names)| found(members, names).is_some());
        Self {
            time: time_of(members, &TIMES).or(self.time),
            members: if names_request { members } else { self.members },
        }
    }
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Record<'r> {
    /// When it was written, by its own `time`, or else by that of the line.
    pub time: Option<Millis>,
    pub verdict: Verdict,
    /// Whether it says that a token was seen from several clients: the event `token_reuse`.
    pub is_reuse: bool,
    pub form: Form,
    members: Object<'r>,
    around: Object<'r>,
}

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Form {
    /// As JSON, in an access log.
    Object,
    /// As a line of Envoy's log.
    Line,
}

impl<'r> Record<'r> {
    /// The record that these members are; `None` if they are none.
    pub(super) fn of(members: Object<'r>, around: Around<'r>, form: Form) -> Option<Self> {
        let word = |name| match member(members, name) {
            Some(Node::Text(word)) => Some(&**word),
            _ => None,
        };
        let is_reuse = word("event") == Some(Verdict::Reuse.word());
        let verdict = match word("decision") {
            Some(word) => Verdict::of_decision(word)?,
            None if is_reuse => Verdict::Reuse,
            None => return None,
        };
        let time = time_of(members, &["time"]).or(around.time);
        Some(Self { time, verdict, is_reuse, form, members, around: around.members })
    }

    /// The member of that name, or of that path through objects, such as `mcp.name`; what the record lacks and the access
    /// log has itself is taken from there.
    fn node(&self, path: &str) -> Option<&'r Node<'r>> {
        self.own(path).or_else(|| {
            let (_, names) = OF_LINE.iter().find(|(name, _)| *name == path)?;
            found(self.around, names)
        })
    }

    /// What the access log has beside the record under this name, whatever the record says.
    pub(in crate::cli) fn of_line(&self, name: &str) -> Option<Cow<'r, str>> {
        let (_, names) = OF_LINE.iter().find(|(other, _)| *other == name)?;
        match found(self.around, names)? {
            Node::Text(text) if !text.is_empty() && text != "-" => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn own(&self, path: &str) -> Option<&'r Node<'r>> {
        let mut parts = path.split('.');
        let mut node = member(self.members, parts.next()?)?;
        for name in parts {
            let Node::Object(members) = node else { return None };
            node = member(members, name)?;
        }
        Some(node)
    }

    /// A member as text; an empty one counts as absent, and so does a `-`, which Envoy writes where it has nothing.
    pub(in crate::cli) fn text(&self, path: &str) -> Option<Cow<'r, str>> {
        match self.node(path)? {
            Node::Text(text) if text.is_empty() || text == "-" => None,
            Node::Text(text) => Some(Cow::Borrowed(text)),
            Node::Integer(number) => Some(number.to_string().into()),
            Node::Float(number) => Some(number.to_string().into()),
            Node::Nothing | Node::List(_) | Node::Object(_) => None,
        }
    }

    /// A member as a whole number.
    pub(in crate::cli) fn number(&self, path: &str) -> Option<i64> {
        match self.node(path)? {
            Node::Integer(number) => Some(*number),
            Node::Text(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
            Node::Float(number) => whole(*number),
            Node::Nothing | Node::List(_) | Node::Object(_) => None,
        }
    }

    /// A member as a list: its items, or the words of a text, which has spaces between scopes and commas between reasons.
    pub(in crate::cli) fn list(&self, path: &str) -> Option<Vec<&'r str>> {
        match self.node(path)? {
            Node::List(items) => Some(
                items
                    .iter()
                    .filter_map(|item| match item {
                        Node::Text(text) => Some(&**text),
                        _ => None,
                    })
                    .collect(),
            ),
            Node::Text(text) => {
                let separator = if path.starts_with("scopes") { ' ' } else { ',' };
                Some(text.split(separator).filter(|word| !word.is_empty()).collect())
            }
            Node::Nothing | Node::Integer(_) | Node::Float(_) | Node::Object(_) => None,
        }
    }

    /// The fingerprint of the token, and whether the token was verified.
    pub(in crate::cli) fn fingerprint(&self) -> Option<(Cow<'r, str>, bool)> {
        let verified = self.text("fingerprint").map(|text| (text, true));
        verified.or_else(|| Some((self.text("unverified_fingerprint")?, false)))
    }

    /// The client of a credential: its `client_id`, or the identity in its set.
    pub(in crate::cli) fn client(&self) -> Option<Cow<'r, str>> {
        if let Some(client) = self.text("client_id") {
            return Some(client);
        }
        let identity = self.text("identity")?;
        Some(match self.text("credential_set") {
            Some(set) => format!("{set}/{identity}").into(),
            None => identity,
        })
    }

    /// What a refused token was found to be, and what was wanted, in a few words.
    pub(in crate::cli) fn why(&self) -> Option<String> {
        if let Some(missing) = self.list("scopes_missing").filter(|scopes| !scopes.is_empty()) {
            return Some(format!("lacks {}", missing.join(" ")));
        }
        let member = self.text("member");
        let received = self.text("received").or_else(|| self.text("unverified_received"));
        let cause = member.map(|member| {
            let is = received.map_or_else(|| "is missing".to_owned(), |received| format!("is {received}"));
            let wanted = self.text("wanted").map_or_else(String::new, |wanted| format!("; wanted: {wanted}"));
            format!("{member} {is}{wanted}")
        });
        match (cause, self.text(DETAIL)) {
            (Some(cause), Some(detail)) => Some(format!("{cause} ({detail})")),
            (Some(cause), None) => Some(cause),
            (None, detail) => detail.map(Cow::into_owned),
        }
    }

    /// How many clients showed the token, and in how many seconds, of an event `token_reuse`.
    pub(in crate::cli) fn reuse(&self) -> (Option<i64>, Option<i64>) {
        let number = |names: [&str; 2]| names.into_iter().find_map(|name| self.number(name));
        (number(["clients", "reuse.clients"]), number(["window", "reuse.window_seconds"]))
    }

    /// The names of all members, with their values as text.
    pub(in crate::cli) fn all(&self) -> impl Iterator<Item = (&'r str, String)> {
        let record = *self;
        let shown = move |name: &'r str| {
            let of_list = || record.list(name).map(|items| items.join(" "));
            record.text(name).map(Cow::into_owned).or_else(of_list)
        };
        self.members.iter().filter_map(move |(name, _)| Some((&**name, shown(name)?)))
    }
}

/// The member that has what an Envoy log line says at its end in parentheses.
pub(super) const DETAIL: &str = "detail";

/// The first of these members that is there.
fn found<'r>(members: Object<'r>, names: &[&str]) -> Option<&'r Node<'r>> {
    names.iter().find_map(|name| member(members, name))
}

/// The instant in the first of these members that has one.
fn time_of(members: Object<'_>, names: &[&str]) -> Option<Millis> {
    names.iter().find_map(|name| match member(members, name)? {
        Node::Text(text) => Millis::read(text),
        Node::Integer(number) => Some(Millis::of_number(*number)),
        Node::Float(number) => Some(Millis::of_number(whole(*number)?)),
        Node::Nothing | Node::List(_) | Node::Object(_) => None,
    })
}

/// The whole part of a number, if it is small enough to be exact.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the range is checked, and the standard library has no other conversion"
)]
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.abs() < EXACT).then_some(number as i64)
}
