//! Which requests a rule of an old policy is about: paths, hosts and methods.

use super::build::{object, text, texts};
use crate::config::Node;
use crate::policy::{PathForms, PathPolicy, Template, is_unambiguous};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Requests by path, host and method.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(in crate::cli::migrate) struct Region {
    /// The paths.
    pub path: Paths,
    /// The hosts.
    pub host: Hosts,
    /// The methods; `None` is all of them.
    pub methods: Option<BTreeSet<String>>,
}

/// Paths, without query.
#[derive(Clone, Debug, PartialEq, Eq, Default, PartialOrd, Ord)]
pub(in crate::cli::migrate) enum Paths {
    /// All.
    #[default]
    Any,
    /// Those that begin with this.
    Prefix(String),
    /// Those that match this template.
    Template(String),
    /// This one.
    Exact(String),
}

/// Hosts, without port.
#[derive(Clone, Debug, PartialEq, Eq, Default, PartialOrd, Ord)]
pub(in crate::cli::migrate) enum Hosts {
    /// All.
    #[default]
    Any,
    /// Those that end with this, which begins with a dot.
    Below(String),
    /// This one.
    Exact(String),
}

/// What two have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::migrate) enum Meet<T> {
    /// Nothing.
    Apart,
    /// This.
    In(T),
    /// Something that a match cannot say.
    Unsaid,
}

impl Region {
    /// These paths.
    pub(in crate::cli::migrate) fn paths(path: Paths) -> Self {
        Self { path, ..Self::default() }
    }

    /// What two regions have in common.
    pub(in crate::cli::migrate) fn meet(&self, other: &Self) -> Meet<Self> {
        let methods = match (&self.methods, &other.methods) {
            (Some(own), Some(others)) => Some(own & others),
            (own, others) => own.clone().or_else(|| others.clone()),
        };
        if methods.as_ref().is_some_and(BTreeSet::is_empty) {
            return Meet::Apart;
        }
        let Some(host) = self.host.meet(&other.host) else { return Meet::Apart };
        match self.path.meet(&other.path) {
            Meet::Apart => Meet::Apart,
            Meet::Unsaid => Meet::Unsaid,
            Meet::In(path) => Meet::In(Self { path, host, methods }),
        }
    }

    /// Whether the other region has all of this one.
    pub(in crate::cli::migrate) fn is_within(&self, other: &Self) -> bool {
        self.meet(other) == Meet::In(self.clone())
    }

    /// The requests that a `match` of it takes: GET covers HEAD.
    pub(in crate::cli::migrate) fn as_matched(&self) -> Self {
        let mut region = self.clone();
        if let Some(methods) = region.methods.as_mut().filter(|methods| methods.contains("GET")) {
            methods.insert("HEAD".to_owned());
        }
        region
    }

    /// The region of HEAD alone, if it is about GET and not about HEAD.
    pub(in crate::cli::migrate) fn head_alone(&self) -> Option<Self> {
        let methods = self.methods.as_ref()?;
        let head = Some(BTreeSet::from(["HEAD".to_owned()]));
        (methods.contains("GET") && !methods.contains("HEAD")).then(|| Self { methods: head, ..self.clone() })
    }

    /// Its order: what is within another comes before it. What is about HEAD alone comes before what a match with GET
    /// would take.
    pub(in crate::cli::migrate) fn rank(&self) -> impl Ord + use<'_> {
        let is_head = self.methods.as_ref().is_some_and(|methods| methods.len() == 1 && methods.contains("HEAD"));
        let path = match &self.path {
            Paths::Any => (0, 0, true, ""),
            Paths::Prefix(prefix) => (1, prefix.len(), true, prefix.as_str()),
            // `/a/**` has all that `/a/*` has.
            Paths::Template(path) => (2, literal_start(path).len(), !is_rest(path), path.as_str()),
            Paths::Exact(path) => (3, path.len(), true, path.as_str()),
        };
        let host = match &self.host {
            Hosts::Any => (0, 0, ""),
            Hosts::Below(domain) => (1, domain.len(), domain.as_str()),
            Hosts::Exact(host) => (2, host.len(), host.as_str()),
        };
        let methods = self.methods.as_ref().map_or((0, Reverse(0)), |methods| (1, Reverse(methods.len())));
        (Reverse(is_head), Reverse(path), Reverse(host), Reverse(methods), self.methods.as_ref())
    }

    /// The `match` of a rule; nothing if it is about every request.
    pub(in crate::cli::migrate) fn matching(&self) -> Option<Node> {
        let mut members = Vec::new();
        match &self.path {
            Paths::Any => {}
            Paths::Prefix(prefix) => members.push(("prefix", text(prefix))),
            Paths::Template(template) => members.push(("template", text(template))),
            Paths::Exact(path) => members.push(("path", text(path))),
        }
        match &self.host {
            Hosts::Any => {}
            Hosts::Below(domain) => members.push(("host", text(format!("*{domain}")))),
            Hosts::Exact(host) => members.push(("host", text(host))),
        }
        if let Some(methods) = &self.methods {
            members.push(("methods", texts(methods)));
        }
        (!members.is_empty()).then(|| object(members))
    }

    /// It in words, such as `GET /orders/*`.
    pub(in crate::cli::migrate) fn words(&self) -> String {
        let methods = self.methods.as_ref().map(|methods| methods.iter().cloned().collect::<Vec<_>>().join(","));
        let host = match &self.host {
            Hosts::Any => String::new(),
            Hosts::Below(domain) => format!("*{domain}"),
            Hosts::Exact(host) => host.clone(),
        };
        let path = match &self.path {
            Paths::Any if host.is_empty() && methods.is_none() => return "every path".to_owned(),
            Paths::Any => "/*".to_owned(),
            Paths::Prefix(prefix) => format!("{prefix}*"),
            Paths::Template(path) | Paths::Exact(path) => path.clone(),
        };
        methods.map_or_else(String::new, |methods| format!("{methods} ")) + &host + &path
    }
}

impl Paths {
    fn meet(&self, other: &Self) -> Meet<Self> {
        let longer = |whole: &str, start: &str, path: &Self| {
            if whole.starts_with(start) { Meet::In(path.clone()) } else { Meet::Apart }
        };
        match (self, other) {
            (Self::Any, path) | (path, Self::Any) => Meet::In(path.clone()),
            (Self::Exact(own), Self::Exact(other)) if own == other => Meet::In(self.clone()),
            (Self::Exact(_), Self::Exact(_)) => Meet::Apart,
            (path @ Self::Exact(whole), Self::Prefix(start)) | (Self::Prefix(start), path @ Self::Exact(whole)) => {
                longer(whole, start, path)
            }
            (path @ Self::Exact(whole), Self::Template(template))
            | (Self::Template(template), path @ Self::Exact(whole)) => match Template::parse(template) {
                Ok(template) if template.matches(whole.as_bytes()) => Meet::In(path.clone()),
                _ => Meet::Apart,
            },
            (Self::Prefix(own), Self::Prefix(other)) => {
                let (long, short, path) = if own.len() < other.len() { (other, own, other) } else { (own, other, own) };
                longer(long, short, &Self::Prefix(path.clone()))
            }
            (path @ Self::Template(template), Self::Prefix(prefix))
            | (Self::Prefix(prefix), path @ Self::Template(template)) => with_prefix(path, template, prefix),
            (Self::Template(own), Self::Template(other)) => {
                let (start, start_of_other) = (literal_start(own), literal_start(other));
                if own == other {
                    Meet::In(self.clone())
                } else if !start.starts_with(start_of_other) && !start_of_other.starts_with(start) {
                    Meet::Apart
                } else if is_rest(own) && start_of_other.starts_with(start) {
                    Meet::In(Self::Template(other.clone()))
                } else if is_rest(other) && start.starts_with(start_of_other) {
                    Meet::In(self.clone())
                } else {
                    Meet::Unsaid
                }
            }
        }
    }
}

/// What a template and a prefix have in common.
fn with_prefix(path: &Paths, template: &str, prefix: &str) -> Meet<Paths> {
    let start = literal_start(template);
    if start.starts_with(prefix) {
        Meet::In(path.clone())
    } else if !prefix.starts_with(start) {
        Meet::Apart
    } else if is_rest(template) && prefix.ends_with('/') {
        Meet::In(Paths::Template(format!("{prefix}**")))
    } else {
        Meet::Unsaid
    }
}

/// The literal text before the first operator.
fn literal_start(template: &str) -> &str {
    template.split(['*', '{']).next().unwrap_or_default()
}

/// Whether a template is a literal and `**`.
fn is_rest(template: &str) -> bool {
    template.strip_suffix("/**").is_some_and(|literal| !literal.contains(['*', '{']))
}

impl Hosts {
    fn meet(&self, other: &Self) -> Option<Self> {
        let is_below = |host: &str, domain: &str| host.len() > domain.len() && host.ends_with(domain);
        match (self, other) {
            (Self::Any, host) | (host, Self::Any) => Some(host.clone()),
            (own, other) if own == other => Some(own.clone()),
            (host @ Self::Exact(own), Self::Below(domain)) | (Self::Below(domain), host @ Self::Exact(own)) => {
                is_below(own, domain).then(|| host.clone())
            }
            (Self::Below(own), Self::Below(other)) if own.ends_with(other) => Some(self.clone()),
            (Self::Below(own), Self::Below(wide)) if wide.ends_with(own) => Some(other.clone()),
            _ => None,
        }
    }
}

/// Whether a rule can have this path: one that every reader understands alike.
pub(in crate::cli::migrate) fn is_plain(path: &str) -> bool {
    let policy = PathPolicy::default();
    path.starts_with('/')
        && !path.contains('?')
        && is_unambiguous(path.as_bytes(), policy)
        && PathForms::of(path.as_bytes(), policy).test(|form| form == path.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Hosts, Paths, Region};
    use std::collections::BTreeSet;

    /// Regions of all kinds, many of them within another.
    fn regions() -> Vec<Region> {
        let prefixes = ["/", "/a", "/a/", "/a/b", "/a/b/"].map(|path| Paths::Prefix(path.to_owned()));
        let exact = ["/", "/a", "/a/", "/a/b", "/a/b/c", "/z.css"].map(|path| Paths::Exact(path.to_owned()));
        let templates = [
            "/**",
            "/*",
            "/*/b",
            "/*/**",
            "/**.css",
            "/**/b",
            "/a/**",
            "/a/*",
            "/a/*/b",
            "/a/*/**",
            "/a/**.css",
            "/a/b/**",
            "/a/b/*",
            "/a/{x}",
            "/a/{x}/b",
            "/a/{x}/**",
            "/{x}",
        ];
        let templates = templates.map(|path| Paths::Template(path.to_owned()));
        let below = [".x.io", ".a.x.io"].map(|domain| Hosts::Below(domain.to_owned()));
        let hosts = ["x.io", "a.x.io", "b.a.x.io"].map(|host| Hosts::Exact(host.to_owned()));
        let hosts: Vec<Hosts> = std::iter::once(Hosts::Any).chain(below).chain(hosts).collect();
        let methods =
            [&["GET"][..], &["HEAD"], &["GET", "HEAD"], &["POST"], &["GET", "POST"], &["GET", "HEAD", "POST"]];
        let methods = methods.map(|names| Some(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>()));
        let mut regions = Vec::new();
        for path in std::iter::once(Paths::Any).chain(prefixes).chain(templates).chain(exact) {
            for host in &hosts {
                for methods in methods.iter().chain([&None]) {
                    regions.push(Region { path: path.clone(), host: host.clone(), methods: methods.clone() });
                }
            }
        }
        regions
    }

    #[test]
    fn what_is_within_another_stands_before_it() {
        let regions = regions();
        let mut count = 0;
        for own in &regions {
            for other in regions.iter().filter(|other| *other != own && own.is_within(other)) {
                count += 1;
                assert!(own.rank() < other.rank(), "{} is within {}", own.words(), other.words());
            }
        }
        assert!(count > 10_000, "{count}");
    }

    #[test]
    fn what_two_have_in_common_is_within_both() {
        let paths: BTreeSet<Paths> = regions().into_iter().map(|region| region.path).collect();
        for own in paths.iter().cloned().map(Region::paths) {
            for other in paths.iter().cloned().map(Region::paths) {
                let both = own.meet(&other);
                assert_eq!(both, other.meet(&own), "{} and {}", own.words(), other.words());
                if let super::Meet::In(both) = both {
                    assert!(both.is_within(&own) && both.is_within(&other), "{} and {}", own.words(), other.words());
                }
            }
        }
    }
}
