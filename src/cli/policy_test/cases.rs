//! Reads files of cases; reports every problem with its place.

mod expect;
mod request;

use super::outcome::{Expectation, Expected};
use crate::base::time::UnixSeconds;
use crate::cli::gates::place;
use crate::cli::introspected::Answer;
use crate::cli::moment::read as instant;
use crate::cli::source::{Source, View};
use crate::config::{Node, Tree};
use crate::crypto::SHA256_BYTES;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The default clock of cases: 2026-01-01T00:00:00Z.
const DEFAULT_NOW: UnixSeconds = UnixSeconds(1_767_225_600);

/// Cases under one policy: a document of a file.
#[derive(Debug)]
pub(super) struct Suite<'n> {
    pub policy: PolicyFrom<'n>,
    pub now: UnixSeconds,
    /// The documents with the identities of sets, by the name of the set.
    pub identities: Vec<(String, PathBuf)>,
    pub cases: Vec<Case>,
}

/// Where the policy comes from.
#[derive(Debug)]
pub(super) enum PolicyFrom<'n> {
    /// From these files, relative to that of the cases.
    Files(Vec<PathBuf>),
    /// From the file of the cases itself.
    Inline(View<'n>),
}

/// A case.
#[derive(Debug)]
pub(super) struct Case {
    pub name: String,
    /// Its place, as `file:line:column`.
    pub place: String,
    pub request: CaseRequest,
    pub token: Token,
    /// What the issuer says of the token, if it is opaque.
    pub introspected: Answer,
    pub expect: Expectation,
}

/// A request.
#[derive(Debug, Default)]
pub(super) struct CaseRequest {
    pub method: String,
    /// None for CONNECT.
    pub path: Option<String>,
    pub headers: Vec<(String, String)>,
    /// What follows the headers.
    pub body: CaseBody,
    /// The id of the key that it is to be signed with.
    pub sign: Option<String>,
    pub route: Option<String>,
    pub virtual_host: Option<String>,
    /// The requirement in the metadata of its route, if no Envoy file has the route.
    pub metadata: Option<Node>,
    /// The digest of the certificate that the client shows.
    pub client_certificate: Option<[u8; SHA256_BYTES]>,
    /// The first URI among the subject alternative names of that certificate.
    pub client_uri: Option<String>,
    /// Its first DNS name.
    pub client_dns: Option<String>,
}

/// The body of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum CaseBody {
    /// None.
    #[default]
    None,
    /// One that is not looked at.
    Any,
    /// This text.
    Text(String),
}

/// The credential of a request.
#[derive(Debug)]
pub(super) enum Token {
    /// Nothing.
    None,
    /// This text.
    Text(String),
    /// A token that is to be signed.
    Signed(Claims),
}

/// The claims of a token beside the defaults; null leaves a member out.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// The name of a configured issuer; by default the first.
    pub issuer: Option<String>,
    pub payload: Map<String, Value>,
    pub header: Map<String, Value>,
}

/// Reads a file of cases: a suite for each of its documents.
///
/// # Errors
/// Everything that is wrong with it, a line each.
pub(super) fn read(source: &Source) -> Result<Vec<Suite<'_>>, String> {
    let mut reader = Reader { file: &source.file, names: HashSet::new(), problems: Vec::new() };
    let suites: Vec<Option<Suite<'_>>> =
        source.documents.iter().map(|document| reader.suite(&document.root())).collect();
    if reader.problems.is_empty() {
        Ok(suites.into_iter().flatten().collect())
    } else {
        Err(reader.problems.join("\n"))
    }
}

struct Reader<'f> {
    file: &'f Path,
    /// The names of the cases so far.
    names: HashSet<String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn wrong<T>(&mut self, view: &View<'_>, what: &str) -> Option<T> {
        let path = if view.path.is_empty() { String::new() } else { format!("{}: ", view.path) };
        self.problems.push(format!("{}: {path}{what}", place(self.file, view.position())));
        None
    }

    fn wrong_kind<T>(&mut self, view: &View<'_>, wanted: &str) -> Option<T> {
        self.wrong(view, &format!("is {}; write {wanted}", view.node.value.kind()))
    }

    /// An object without repeated members.
    fn any_object<'n>(&mut self, view: &View<'n>, wanted: &str) -> Option<Vec<(&'n str, View<'n>)>> {
        if !matches!(view.node.value, Tree::Object(_)) {
            return self.wrong_kind(view, wanted);
        }
        let members = view.all_members();
        for (index, (name, member)) in members.iter().enumerate() {
            if members.iter().take(index).any(|(other, _)| other == name) {
                self.wrong::<()>(member, "is there twice; keep one");
            }
        }
        Some(members)
    }

    /// An object with these fields only.
    fn object(&mut self, view: &View<'_>, fields: &[&str], wanted: &str) -> Option<()> {
        for (name, member) in self.any_object(view, wanted)? {
            if !fields.contains(&name) {
                self.wrong::<()>(&member, &format!("is not a field; the fields here are {}", fields.join(", ")));
            }
        }
        Some(())
    }

    fn text(&mut self, view: &View<'_>) -> Option<String> {
        match view.text() {
            Some("") => self.wrong(view, "is empty; write some text"),
            Some(text) => Some(text.to_owned()),
            None => self.wrong_kind(view, "text"),
        }
    }

    fn optional_text(&mut self, view: &View<'_>, name: &str) -> Option<String> {
        view.get(name).and_then(|member| self.text(&member))
    }

    /// Text, or none for null.
    fn text_or_null(&mut self, view: &View<'_>) -> Option<Expected> {
        if view.node.value == Tree::Null { Some(Expected::Nothing) } else { self.text(view).map(Expected::Text) }
    }

    fn suite<'n>(&mut self, view: &View<'n>) -> Option<Suite<'n>> {
        self.object(view, &["config", "inline", "now", "identities", "cases"], "config, now, identities and cases")?;
        let policy = match (view.written("config"), view.written("inline")) {
            (Some(config), None) => self.files(&config).map(PolicyFrom::Files),
            (None, Some(inline)) => Some(PolicyFrom::Inline(inline)),
            (None, None) => {
                self.wrong(view, "names no policy; write `config` and a file, or `inline` and a configuration")
            }
            (Some(_), Some(inline)) => self.wrong(&inline, "stands beside `config`; keep one of them"),
        };
        let now = view.written("now").map_or(Some(DEFAULT_NOW), |now| self.now(&now));
        let identities = view.written("identities").map_or(Some(Vec::new()), |view| self.identities(&view));
        let Some(list) = view.written("cases") else { return self.wrong(view, "`cases` is missing") };
        if !matches!(&list.node.value, Tree::List(items) if !items.is_empty()) {
            return self.wrong(&list, "holds no case; write a list of cases");
        }
        let mut cases = Vec::new();
        for item in list.items() {
            let Some(case) = self.case(&item) else { continue };
            if !self.names.insert(case.name.clone()) {
                self.wrong::<()>(&item, "has the name of another case; give each its own");
            }
            cases.push(case);
        }
        Some(Suite { policy: policy?, now: now?, identities: identities?, cases })
    }

    /// Files with identities, by the name of their set, relative to the file of the cases.
    fn identities(&mut self, view: &View<'_>) -> Option<Vec<(String, PathBuf)>> {
        let folder = self.file.parent().unwrap_or(Path::new("")).to_owned();
        let members = self.any_object(view, "names of sets, each with its file")?;
        let read = members.into_iter().map(|(name, file)| Some((name.to_owned(), folder.join(self.text(&file)?))));
        read.collect()
    }

    fn files(&mut self, view: &View<'_>) -> Option<Vec<PathBuf>> {
        let views = if matches!(view.node.value, Tree::List(_)) { view.items() } else { vec![view.clone()] };
        if views.is_empty() {
            return self.wrong(view, "is an empty list; name a file");
        }
        let folder = self.file.parent().unwrap_or(Path::new(""));
        views.iter().map(|view| self.text(view).map(|text| folder.join(text))).collect()
    }

    fn now(&mut self, view: &View<'_>) -> Option<UnixSeconds> {
        let now = match &view.node.value {
            Tree::Whole(seconds) => Some(UnixSeconds(*seconds)),
            Tree::Text(text) => instant(text),
            _ => None,
        };
        now.or_else(|| self.wrong(view, "is not an instant; write one such as 2026-11-21T10:00:00Z"))
    }

    fn case(&mut self, view: &View<'_>) -> Option<Case> {
        let fields = ["name", "request", "token", "introspection", "expect"];
        self.object(view, &fields, "name, request, token, introspection and expect")?;
        let mut need = |name: &str| view.get(name).or_else(|| self.wrong(view, &format!("`{name}` is missing")));
        let (name, request, expect) = (need("name"), need("request"), need("expect"));
        let name = name.and_then(|view| self.text(&view));
        let request = request.and_then(|view| self.request(&view));
        let token = view.written("token").map_or(Some(Token::None), |view| self.token(&view));
        let introspected = view.written("introspection").map_or(Some(Answer::default()), |view| self.answer(&view));
        let expect = expect.and_then(|view| self.expectation(&view));
        Some(Case {
            name: name?,
            place: place(self.file, view.position()),
            request: request?,
            token: token?,
            introspected: introspected?,
            expect: expect?,
        })
    }

    /// What an issuer says of an opaque token.
    fn answer(&mut self, view: &View<'_>) -> Option<Answer> {
        self.any_object(view, "what the issuer answers, such as {active: true, ...}")?;
        let text = view.node.value.to_json().to_string().into_bytes();
        Answer::read(text).map_err(|why| self.wrong::<()>(view, &format!("cannot be used: {why}"))).ok()
    }

    fn token(&mut self, view: &View<'_>) -> Option<Token> {
        let members = match &view.node.value {
            Tree::Null => return Some(Token::None),
            Tree::Text(text) => return Some(Token::Text(text.clone())),
            _ => self.any_object(view, "claims, or the text of a token")?,
        };
        let issuer = self.optional_text(view, "issuer");
        let (claims, header) = (view.written("claims"), view.written("header"));
        if claims.is_none() && header.is_none() {
            let payload = members.iter().filter(|(name, _)| *name != "issuer").map(json).collect();
            return Some(Token::Signed(Claims { issuer, payload, header: Map::new() }));
        }
        self.object(view, &["issuer", "claims", "header"], "claims and header");
        let mut read = |view: Option<View<'_>>| match view {
            None => Some(Map::new()),
            Some(view) => Some(self.any_object(&view, "names and values")?.iter().map(json).collect()),
        };
        Some(Token::Signed(Claims { issuer, payload: read(claims)?, header: read(header)? }))
    }
}

fn json((name, view): &(&str, View<'_>)) -> (String, Value) {
    ((*name).to_owned(), view.node.value.to_json())
}
