//! `apiKeyAuth` and `basicAuth` of a `SecurityPolicy`, as sets of credentials.

use super::given::Given;
use crate::base::text::to_hex;
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::kubernetes::build::{list, object, text};
use crate::cli::migrate::kubernetes::resource::{Resource, texts, unknown};
use crate::cli::migrate::kubernetes::token_places::is_header_name;
use crate::cli::migrate::kubernetes::unread::Unread;
use crate::cli::source::View;
use crate::config::Node;
use crate::crypto::sha256;
use std::collections::{BTreeMap, BTreeSet};

/// The names of the sets.
pub(super) const KEYS: &str = "api-keys";
pub(super) const USERS: &str = "users";
/// The shortest key, in characters, as in the configuration.
const LEAST_KEY: usize = 20;
/// Query parameters that are refused wherever there are keys.
const REFUSED_PARAMETERS: [&str; 3] = ["api_key", "apikey", "api-key"];
/// The member of a Secret with users.
const HTPASSWD: &str = ".htpasswd";

/// Reads the sets of a policy.
pub(super) struct Sets<'a, 's> {
    /// The policy.
    pub policy: &'a Resource<'s>,
    /// What the files have beside it.
    pub given: &'a Given<'s>,
    /// What is told.
    pub findings: &'a mut Findings,
    /// Where credentials are that Scopegate does not read.
    pub unread: &'a mut Unread,
}

impl Sets<'_, '_> {
    fn tell(&mut self, kind: Kind, view: &View<'_>, what: &str) {
        self.findings.tell(kind, self.policy.file, view, format!("{}: {what}", self.policy.title()));
    }

    /// Tells of members that are not known here, which close the set.
    fn closes(&mut self, view: &View<'_>, known: &[&str]) -> bool {
        let strange = unknown(view, known);
        for part in &strange {
            self.tell(
                Kind::Denied,
                part,
                "a field that is not known here: those who come with these credentials are refused",
            );
        }
        !strange.is_empty()
    }

    /// The members of a Secret that a reference names.
    fn secret(&mut self, reference: &View<'_>) -> Option<Vec<(String, Option<String>)>> {
        let name = reference.name()?;
        let namespace = reference.get("namespace").map_or(Some(self.policy.namespace), |view| view.text())?;
        let found = self.given.secret(namespace, name);
        if found.is_none() {
            let what = format!("Secret {namespace}/{name} is not in these files: those who are in it are refused");
            self.tell(Kind::Denied, reference, &what);
        }
        found
    }

    /// The set of keys; none if nothing of it could be carried over.
    pub(super) fn keys(&mut self, view: &View<'_>) -> Option<Node> {
        let is_closed = self.closes(view, &["credentialRefs", "extractFrom", "forwardClientIDHeader", "sanitize"]);
        let mut holders: BTreeMap<String, (String, View<'_>)> = BTreeMap::new();
        for reference in view.list("credentialRefs") {
            for (client, key) in self.secret(&reference).unwrap_or_default() {
                // Of two clients with one name, the first counts.
                if let Some(key) = key {
                    holders.entry(client).or_insert_with(|| (key, reference.clone()));
                } else {
                    self.tell(Kind::LeftOut, &reference, &format!("the key of {client} cannot be read"));
                }
            }
        }
        let places = self.key_places(view);
        let mut once = BTreeSet::new();
        let mut again = BTreeSet::new();
        for (key, _) in holders.values() {
            if !once.insert(key.clone()) {
                again.insert(key.clone());
            }
        }
        let mut identities = Vec::new();
        for (client, (key, reference)) in &holders {
            let why = match () {
                () if key.ends_with('\n') => {
                    "ends in a line break, which no request can send, so it was never accepted"
                }
                () if !key.bytes().all(|byte| byte.is_ascii_graphic()) => "is not visible ASCII",
                () if key.len() < LEAST_KEY => "is shorter than 20 characters, so it can be guessed",
                () if again.contains(key) => "is that of another client too",
                () => {
                    let secret = object([("sha256", text(to_hex(&sha256(key.as_bytes()))))]);
                    identities.push(object([("id", text(client)), ("secrets", list([secret]))]));
                    continue;
                }
            };
            let what = format!("the key of {client} {why}; give out another: `scopegate credentials new`");
            self.tell(Kind::LeftOut, reference, &what);
        }
        if is_closed || identities.is_empty() || places.is_empty() {
            self.tell(Kind::Denied, view, "no key can come in: those who need one are refused");
            return None;
        }
        let sanitize = view.get("sanitize");
        if !sanitize.as_ref().is_some_and(View::is_true) {
            let what = format!("{}: the key went on to the upstream, and is removed now", self.policy.title());
            let at = sanitize.unwrap_or_else(|| view.clone());
            let finding = Finding::new(Kind::Changed, self.policy.file, &at, what);
            self.findings.add(finding.restored_by("forward: {token: keep}"));
        }
        let places = if places.len() == 1 { places.into_iter().next()? } else { list(places) };
        Some(object([("name", text(KEYS)), ("api_key", places), ("identities", list(identities))]))
    }

    /// Where requests have their keys. The first place with a key counts, so one that is not read may stand before no other:
    /// a bad key in it would be passed over.
    fn key_places(&mut self, view: &View<'_>) -> Vec<Node> {
        let mut places = Vec::new();
        let mut passed_over: Option<View<'_>> = None;
        for from in view.list("extractFrom") {
            for param in from.list("params") {
                let name = param.text().unwrap_or("?");
                let what = format!(
                    "a key in the query parameter `{name}` was accepted, where logs and histories have it; it is refused now"
                );
                self.tell(Kind::LetThrough, &param, &what);
                if !REFUSED_PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                    self.unread.param(name);
                }
            }
            for cookie in from.list("cookies") {
                self.tell(Kind::Stricter, &cookie, "a key in a cookie was accepted, and is not read now");
                passed_over.get_or_insert(cookie);
            }
            let headers = from.get("headers").map(|headers| (texts(&headers), headers));
            for name in headers.iter().flat_map(|(names, _)| names.iter().flatten()) {
                let at = headers.as_ref().map_or(&from, |(_, view)| view);
                if name.eq_ignore_ascii_case("authorization") {
                    let what =
                        "a key in `Authorization` was accepted, and is not read now: it cannot be told from a token";
                    let what = format!("{}: {what}", self.policy.title());
                    let finding = Finding::new(Kind::Stricter, self.policy.file, at, what);
                    self.findings
                        .add(finding.restored_by("api_key: {scheme: Bearer, prefix: …}, if all keys begin alike"));
                    passed_over.get_or_insert(at.clone());
                } else if is_header_name(name) {
                    if let Some(first) = passed_over.take() {
                        let what = "a bad key here was refused, whatever came in the places after it, and is not read now: those who \
                                    need a key are refused. Name the headers first in `extractFrom`, and migrate that";
                        self.tell(Kind::Denied, &first, what);
                        return Vec::new();
                    }
                    places.push(object([("header", text(name.to_ascii_lowercase()))]));
                } else {
                    self.tell(Kind::Stricter, at, "it names no header, and is left out");
                }
            }
        }
        places
    }

    /// The set of users; none if no user could be carried over.
    pub(super) fn users(&mut self, view: &View<'_>) -> Option<Node> {
        let is_closed = self.closes(view, &["users", "forwardUsernameHeader"]);
        let reference = view.get("users").unwrap_or_else(|| view.clone());
        let secret = self.secret(&reference).unwrap_or_default();
        let lines =
            secret.into_iter().find(|(name, _)| name == HTPASSWD).and_then(|(_, value)| value).unwrap_or_default();
        let mut kept = Vec::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((user, hash)) = line.split_once(':') else {
                self.tell(Kind::LeftOut, &reference, "a line of the users is not `USER:HASH`");
                continue;
            };
            if ["$2a$", "$2b$", "$2y$", "$pbkdf2-"].iter().any(|start| hash.starts_with(start)) {
                kept.push(line.to_owned());
                continue;
            }
            let what = format!(
                "the password of {user} is kept as an unsalted SHA-1, or in another form that is not read; with the password at hand: \
                 `scopegate credentials hash --bcrypt < password.txt`, and a line `{user}:HASH` in `htpasswd`"
            );
            self.tell(Kind::LeftOut, &reference, &what);
        }
        if is_closed || kept.is_empty() {
            self.tell(Kind::Denied, view, "no user is left: those who need a password are refused");
            return None;
        }
        let lines = kept.iter().fold(String::new(), |lines, line| lines + line + "\n");
        Some(object([("name", text(USERS)), ("basic", object::<&str>([])), ("htpasswd", text(lines))]))
    }
}
