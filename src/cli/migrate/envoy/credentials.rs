//! `api_key_auth` and `basic_auth`, as sets of credentials. Keys become digests, and are never printed.

use super::data::text_of_source;
use super::headers::can_be_removed;
use crate::base::text::to_hex;
use crate::cli::migrate::findings::{Finding, Findings, Kind, Why};
use crate::cli::migrate::policy::{Access, Need};
use crate::cli::migrate::tree::{list, object, object_of, text};
use crate::cli::source::{View, any_secret};
use crate::config::{self, Node, Tree};
use crate::crypto::sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The filter of API keys, and its configuration beside a route.
pub(super) const KEYS: [&str; 2] = [
    "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
    "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute",
];
/// The filter of passwords, and its configuration beside a route.
pub(super) const BASIC: [&str; 2] = [
    "envoy.extensions.filters.http.basic_auth.v3.BasicAuth",
    "envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute",
];
/// Where `api_key_auth` names the header with the client.
pub(super) const FORWARDING: &[&str] = &["forwarding", "header"];
/// The shortest key that is not guessed from its digest.
const LEAST_KEY: usize = 20;

/// The sets that were made, by what they were made of.
#[derive(Debug, Default)]
pub(super) struct Sets {
    made: Vec<Set>,
    /// Query parameters with keys, all of which are refused.
    parameters: BTreeSet<String>,
}

#[derive(Debug)]
struct Set {
    of: Vec<usize>,
    header: String,
    /// The headers in which the filter sends who came, on some route or on all.
    sent: BTreeSet<String>,
    /// The set, or why there is none.
    node: Result<(String, Node), Why>,
}

impl Sets {
    /// The sets of the new configuration.
    pub(super) fn nodes(&self) -> Vec<Node> {
        self.made.iter().filter_map(|set| set.node.as_ref().ok().map(|(_, node)| node.clone())).collect()
    }

    /// Query parameters with keys.
    pub(super) const fn parameters(&self) -> &BTreeSet<String> {
        &self.parameters
    }

    /// The header of each set, by its name.
    pub(super) fn headers(&self) -> BTreeMap<String, String> {
        let good = self.made.iter().filter_map(|set| Some((set.node.as_ref().ok()?.0.clone(), set.header.clone())));
        good.collect()
    }

    /// Whether who has a credential of the set was sent in this header.
    pub(super) fn sends(&self, name: &str, header: &str) -> bool {
        let is_it = |set: &&Set| set.node.as_ref().is_ok_and(|(own, _)| own == name);
        self.made.iter().find(is_it).is_some_and(|set| set.sent.contains(header))
    }

    /// What needs a credential of the set that is made of these values. `told_in` is the header in which the filter sends who came.
    fn need(
        &mut self,
        of: &[&View<'_>],
        name: &str,
        header: &str,
        told_in: Option<View<'_>>,
        make: impl FnOnce(&str) -> Result<Node, Why>,
    ) -> Access {
        let of: Vec<usize> = of.iter().map(|view| std::ptr::from_ref(view.node).addr()).collect();
        let known = self.made.iter().position(|set| set.of == of);
        let at = known.unwrap_or_else(|| {
            let alike =
                self.made.iter().filter(|set| matches!(&set.node, Ok((own, _)) if own.starts_with(name))).count();
            let name = if alike == 0 { name.to_owned() } else { format!("{name}-{}", alike.saturating_add(1)) };
            let node = make(&name).map(|node| (name, node));
            self.made.push(Set { of, header: header.to_owned(), sent: BTreeSet::new(), node });
            self.made.len().saturating_sub(1)
        });
        if let Some(set) = self.made.get_mut(at) {
            set.sent.extend(told_in.and_then(|own| own.text().map(str::to_ascii_lowercase)));
        }
        match self.made.get(at).map(|set| &set.node) {
            Some(Ok((name, _))) => {
                Access::Need(Need { sets: BTreeMap::from([(name.clone(), None)]), ..Need::default() })
            }
            Some(Err(why)) => Access::Unclear(vec![why.clone()]),
            None => Access::No,
        }
    }

    /// What `api_key_auth` asks for, with its configuration beside the route.
    pub(super) fn keys(
        &mut self,
        file: &Path,
        view: &View<'_>,
        route: Option<&View<'_>>,
        findings: &mut Findings,
    ) -> Access {
        let part = |name: &str| {
            route.and_then(|own| own.get(name)).filter(|own| !own.items().is_empty()).or_else(|| view.get(name))
        };
        let (Some(credentials), Some(sources)) = (part("credentials"), part("key_sources")) else {
            return Access::Unclear(vec![Why::new(file, view, "has no `credentials` or no `key_sources`")]);
        };
        if let Some(why) = unsafe_header(file, &[view.at(FORWARDING), route.and_then(|own| own.at(FORWARDING))]) {
            return Access::Unclear(vec![why]);
        }
        let (headers, cookie) = self.headers_of_keys(file, &sources, findings);
        let Some(header) = headers.first().cloned() else {
            let why = match cookie {
                Some(cookie) => Why::new(
                    file,
                    &cookie,
                    "takes a key from a cookie before one from a header, and refuses a bad one there: Scopegate would pass it over",
                ),
                None => Why::new(file, &sources, "names no header in which keys may come"),
            };
            return Access::Unclear(vec![why]);
        };
        let what = "took the first of several keys in a request (several credentials); now a request has one";
        findings.tell(Kind::Stricter, file, &sources, what);
        let clients = route.map(|own| own.list("allowed_clients")).unwrap_or_default();
        let clients: BTreeSet<String> = clients.iter().filter_map(View::text).map(str::to_owned).collect();
        let known: BTreeSet<String> = self.nodes().iter().flat_map(digests).collect();
        // What stands beside a route sends nothing in the header of the filter.
        let told_in = route.unwrap_or(view).at(FORWARDING);
        let access = self.need(&[&credentials, &sources], "keys", &header, told_in, |name| {
            let identities = identities(file, &credentials, findings);
            if identities.iter().flat_map(digests).any(|digest| known.contains(&digest)) {
                let what = "has a key that other `key_sources` take too: a key belongs to one set of credentials";
                return Err(Why::new(file, &sources, what));
            }
            let place = |header: &String| object([("header", text(header))]);
            let places = match headers.as_slice() {
                [one] => place(one),
                all => list(all.iter().map(place)),
            };
            let set = object([("name", text(name)), ("api_key", places), ("identities", list(identities))]);
            loads(&set).map_err(|what| Why::new(file, &credentials, what))?;
            let what = "becomes a set of digests. The key is removed from what goes upstream, and query parameters such as \
                        `api_key` are refused on every route";
            findings.add(Finding::new(Kind::Changed, file, &credentials, what).restored_by("forward: {token: keep}"));
            Ok(set)
        });
        match access {
            Access::Need(mut need) if !clients.is_empty() => {
                need.sets.values_mut().for_each(|own| *own = Some(clients.clone()));
                Access::Need(need)
            }
            other => other,
        }
    }

    /// The headers with keys, and the first cookie with one. The first source that a request has decides: after a cookie no
    /// header is read, since a bad key in the cookie would have been refused.
    fn headers_of_keys<'v>(
        &mut self,
        file: &Path,
        sources: &View<'v>,
        findings: &mut Findings,
    ) -> (Vec<String>, Option<View<'v>>) {
        let mut headers = Vec::new();
        let mut cookie: Option<View<'v>> = None;
        for source in sources.items() {
            let part = |name: &str| source.get(name).filter(|own| own.text().is_some_and(|name| !name.is_empty()));
            if let Some(parameter) = part("query") {
                let what = "takes keys from the query, where logs, histories and referrers show them: Scopegate refuses them there, on \
                            every route";
                findings.tell(Kind::LetThrough, file, &parameter, what);
                self.parameters.extend(parameter.text().map(str::to_owned));
            }
            if let Some(own) = part("cookie") {
                let what = "takes keys from cookies: Scopegate reads keys in headers alone";
                findings.tell(Kind::Stricter, file, &own, what);
                cookie.get_or_insert(own);
            }
            let Some(header) = part("header") else { continue };
            if cookie.is_some() {
                let what = "takes keys from a header if there is none in a cookie: Scopegate reads no cookie, and so it does not read \
                            this header either";
                findings.tell(Kind::Stricter, file, &header, what);
            } else {
                headers.extend(header.text().map(str::to_ascii_lowercase));
            }
        }
        (headers, cookie)
    }

    /// What `basic_auth` asks for, with its configuration beside the route.
    pub(super) fn basic(
        &mut self,
        file: &Path,
        view: &View<'_>,
        route: Option<&View<'_>>,
        findings: &mut Findings,
    ) -> Access {
        let header = view.get("authentication_header").and_then(|own| own.text()).filter(|name| !name.is_empty());
        if let Some(name) = header.filter(|name| !name.eq_ignore_ascii_case("authorization")) {
            let what = format!("takes passwords from `{name}`: Scopegate takes them from `authorization` alone");
            return Access::Unclear(vec![Why::new(file, view, what)]);
        }
        if let Some(why) = unsafe_header(file, &[view.get("forward_username_header")]) {
            return Access::Unclear(vec![why]);
        }
        let Some(users) = route.and_then(|own| own.get("users")).or_else(|| view.get("users")) else {
            return Access::Unclear(vec![Why::new(file, view, "has no `users`")]);
        };
        let told_in = view.get("forward_username_header");
        self.need(&[&users], "users", "authorization", told_in, |name| {
            let given = text_of_source(file, &users, "htpasswd: the lines of the file")?;
            let lines = good_lines(file, &users, &given, findings);
            if lines.is_empty() {
                let what = "has no user whose password is hashed as Scopegate takes it";
                return Err(Why::or_write(
                    file,
                    &users,
                    what,
                    "credentials: [{name: users, basic: {}, htpasswd: ...}]",
                ));
            }
            let htpasswd = text(lines.join("\n"));
            let set = object([("name", text(name)), ("basic", object_of(Vec::new())), ("htpasswd", htpasswd)]);
            loads(&set).map_err(|what| Why::new(file, &users, what))?;
            Ok(set)
        })
    }
}

/// Why none of these headers, in which the upstream reads who came, may be the client's: it can be neither set nor removed.
fn unsafe_header(file: &Path, headers: &[Option<View<'_>>]) -> Option<Why> {
    let is_unsafe = |header: &&View<'_>| {
        let name = header.text().filter(|name| !name.is_empty());
        name.is_some_and(|name| !can_be_removed(&name.to_ascii_lowercase()))
    };
    let found = headers.iter().flatten().find(is_unsafe)?;
    let what = "is a header that Scopegate can neither make nor remove: the upstream would read what a client says";
    Some(Why::new(file, found, what))
}

/// Whether the module accepts a set.
fn loads(set: &Node) -> Result<(), String> {
    let root = object([("credentials", list([set.clone()])), ("default", object([("deny", Tree::Bool(true).into())]))]);
    config::compile(&root, &any_secret).map(drop).map_err(|error| {
        let told = error.0.iter().map(|problem| format!("`{}` {}", problem.path, problem.what));
        format!("is not accepted as a set of credentials: {}", told.collect::<Vec<_>>().join(", "))
    })
}

/// The identities with the digests of their keys.
fn identities(file: &Path, credentials: &View<'_>, findings: &mut Findings) -> Vec<Node> {
    let mut all: BTreeMap<String, Vec<Node>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for credential in credentials.items() {
        let part = |name: &str| credential.get(name).and_then(|own| own.text()).filter(|own| !own.is_empty());
        let (Some(key), Some(client)) = (part("key"), part("client")) else {
            findings.tell(Kind::LeftOut, file, &credential, "has no `client` or no `key`");
            continue;
        };
        let digest = sha256(key.as_bytes());
        let why = if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            "is not visible ASCII"
        } else if key.len() < LEAST_KEY {
            "is shorter than 20 characters, so it can be guessed from its digest"
        } else if !seen.insert(digest) {
            "is there twice"
        } else {
            all.entry(client.to_owned()).or_default().push(object([("sha256", text(to_hex(&digest)))]));
            continue;
        };
        let finding = Finding::new(Kind::LeftOut, file, &credential, format!("the key of `{client}` {why}"));
        findings.add(finding.restored_by("a key of `scopegate credentials new`"));
    }
    let identity = |(client, secrets): (String, Vec<Node>)| object([("id", text(client)), ("secrets", list(secrets))]);
    all.into_iter().map(identity).collect()
}

/// The digests of the keys in a set, or of an identity.
fn digests(node: &Node) -> Vec<String> {
    View::root(node).holders("sha256").iter().filter_map(|own| own.get("sha256")?.text().map(str::to_owned)).collect()
}

/// The lines of users whose hashes Scopegate takes.
fn good_lines<'t>(file: &Path, users: &View<'_>, given: &'t str, findings: &mut Findings) -> Vec<&'t str> {
    let is_good = |hash: &str| ["$2a$", "$2b$", "$2y$", "$pbkdf2-"].iter().any(|start| hash.starts_with(start));
    let mut good = Vec::new();
    for line in given.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(':') {
            Some((_, hash)) if is_good(hash) => good.push(line),
            Some((user, hash)) => {
                let form = if hash.starts_with("{SHA}") { "SHA-1 without a salt (`{SHA}`)" } else { "another form" };
                let what =
                    format!("the user `{user}` has a password in {form}, which is quickly guessed: it is left out");
                let restore = "its line in `htpasswd`, with the hash of `scopegate credentials hash --bcrypt`";
                findings.add(Finding::new(Kind::LeftOut, file, users, what).restored_by(restore));
            }
            None => findings.tell(Kind::LeftOut, file, users, "has a line that is not `USER:HASH`"),
        }
    }
    good
}
