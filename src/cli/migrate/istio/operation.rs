//! `to.operation` of an `AuthorizationPolicy`: regions by path, host and method.

use crate::cli::migrate::kubernetes::region::{Hosts, Paths, Region, is_plain};
use crate::cli::migrate::kubernetes::resource::{texts, unknown};
use crate::cli::source::View;
use crate::policy::Template;
use std::collections::BTreeSet;

/// The fields that are read here.
const FIELDS: [&str; 6] = ["hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"];

/// The requests of an operation.
#[derive(Debug, Default)]
pub(super) struct Operation<'s> {
    /// These; their parts are alternatives.
    pub regions: Vec<Region>,
    /// But for these.
    pub except: Vec<Region>,
    /// What was said of requests and no region says. Of an operation that refuses, the regions are wider for it; of one
    /// that allows, narrower.
    pub unsaid: Vec<View<'s>>,
    /// Conditions that hold for the whole operation and that no region says, such as a port.
    pub further: Vec<View<'s>>,
    /// Hosts of which some are left out: `*example.com` is also `evil-example.com`.
    pub narrower: Vec<View<'s>>,
    /// Hosts that were compared as they were written, with a dot at the end; and whether with their port, too.
    pub as_written: Vec<(View<'s>, bool)>,
}

impl<'s> Operation<'s> {
    /// An operation that holds for every request.
    pub(super) fn every() -> Self {
        Self { regions: vec![Region::default()], ..Self::default() }
    }

    /// Reads an operation. `refuses`: whether its rule refuses, so that what is not said has to be wider.
    pub(super) fn read(view: &View<'s>, refuses: bool) -> Self {
        let mut read = Self { further: unknown(view, &FIELDS), ..Self::default() };
        let paths = read.values(view, "paths", refuses, paths);
        let hosts = read.values(view, "hosts", refuses, hosts);
        let methods = read.values(view, "methods", refuses, method);
        let methods =
            if methods.contains(&None) { None } else { Some(methods.into_iter().flatten().collect::<BTreeSet<_>>()) };
        let is_none = |methods: &Option<BTreeSet<String>>| methods.as_ref().is_some_and(BTreeSet::is_empty);
        if !is_none(&methods) {
            for path in &paths {
                let with = |host: &Hosts| Region { path: path.clone(), host: host.clone(), methods: methods.clone() };
                read.regions.extend(hosts.iter().map(with));
            }
        }
        // What is excepted has to be wider where the rest is allowed.
        let paths = read.exceptions(view, "notPaths", refuses, paths_of);
        let hosts = read.exceptions(view, "notHosts", refuses, hosts_of);
        let methods = read.exceptions(view, "notMethods", refuses, method_of);
        read.except.extend(paths.into_iter().chain(hosts).chain(methods));
        read
    }

    /// The values of a list; one that is about everything if the list is not there.
    fn values<T: Default>(
        &mut self,
        view: &View<'s>,
        name: &str,
        refuses: bool,
        read: impl Fn(&str, bool) -> Option<Vec<T>>,
    ) -> Vec<T> {
        let Some(list) = view.get(name) else { return vec![T::default()] };
        let Some(values) = texts(&list) else {
            self.unsaid.push(list);
            return if refuses { vec![T::default()] } else { Vec::new() };
        };
        if values.is_empty() {
            return vec![T::default()];
        }
        if name == "hosts" {
            self.look_at_hosts(&list, &values, refuses);
        }
        let mut found = Vec::new();
        for value in values {
            match read(value, refuses) {
                Some(sets) => found.extend(sets),
                None => {
                    self.unsaid.push(list.clone());
                    if refuses {
                        return vec![T::default()];
                    }
                }
            }
        }
        found
    }

    /// Notes which hosts mean something else.
    fn look_at_hosts(&mut self, list: &View<'s>, hosts: &[&str], wide: bool) {
        if hosts.iter().any(|host| *host != "*") {
            self.as_written.push((list.clone(), compares_port(hosts)));
        }
        let is_cut = |host: &&str| host.len() > 1 && host.starts_with('*') && !host.starts_with("*.");
        if !wide && hosts.iter().any(is_cut) {
            self.narrower.push(list.clone());
        }
    }

    /// The exceptions of a list.
    fn exceptions(
        &mut self,
        view: &View<'s>,
        name: &str,
        refuses: bool,
        read: impl Fn(&str, bool) -> Option<Vec<Region>>,
    ) -> Vec<Region> {
        let Some(list) = view.get(name) else { return Vec::new() };
        let values = texts(&list);
        if let ("notHosts", true, Some(values)) = (name, refuses, &values) {
            self.look_at_hosts(&list, values, false);
        }
        let read: Option<Vec<Region>> = values
            .and_then(|values| values.into_iter().map(|value| read(value, !refuses)).collect::<Option<Vec<_>>>())
            .map(|read| read.concat());
        if read.is_none() {
            self.unsaid.push(list);
            if !refuses {
                self.regions.clear();
            }
        }
        read.unwrap_or_default()
    }
}

/// Whether it makes a difference for some host whether a request names its port, which Scopegate leaves out.
fn compares_port(hosts: &[&str]) -> bool {
    let is_there = |wanted: &str| hosts.contains(&wanted);
    hosts.iter().filter(|host| **host != "*").any(|host| match host.strip_suffix(":*") {
        Some(name) => !is_there(name),
        None => !is_there(&format!("{host}:*")),
    })
}

fn paths_of(value: &str, wide: bool) -> Option<Vec<Region>> {
    Some(paths(value, wide)?.into_iter().map(Region::paths).collect())
}

fn hosts_of(value: &str, wide: bool) -> Option<Vec<Region>> {
    Some(hosts(value, wide)?.into_iter().map(|host| Region { host, ..Region::default() }).collect())
}

fn method_of(value: &str, wide: bool) -> Option<Vec<Region>> {
    let methods = |method: Option<String>| method.map(|method| BTreeSet::from([method]));
    Some(
        method(value, wide)?
            .into_iter()
            .map(|method| Region { methods: methods(method), ..Region::default() })
            .collect(),
    )
}

/// The paths of a value: exact, `*`, a prefix, a suffix, or a template. None if no rule has them.
fn paths(value: &str, wide: bool) -> Option<Vec<Paths>> {
    // A CONNECT request has no path.
    if value == "*" {
        return Some(vec![if wide { Paths::Any } else { Paths::Prefix("/".to_owned()) }]);
    }
    if value.contains('{') {
        let template = value.replace("{**}", "**").replace("{*}", "*");
        let is_known = !template.contains(['{', '}']) && Template::parse(&template).is_ok();
        return (is_known && is_plain(&template.replace('*', "x"))).then(|| vec![Paths::Template(template)]);
    }
    if let Some(suffix) = value.strip_prefix('*') {
        let template = format!("/**{suffix}");
        let is_known =
            suffix.rfind('/').unwrap_or(0) == 0 && !suffix.contains('*') && Template::parse(&template).is_ok();
        if !is_known || !is_plain(&format!("/x{suffix}")) {
            return None;
        }
        let own = suffix.starts_with('/').then(|| Paths::Exact(suffix.to_owned()));
        return Some(own.into_iter().chain([Paths::Template(template)]).collect());
    }
    match value.strip_suffix('*') {
        Some(prefix) => (is_plain(prefix) && !prefix.contains('*')).then(|| vec![Paths::Prefix(prefix.to_owned())]),
        None => (is_plain(value) && !value.contains('*')).then(|| vec![Paths::Exact(value.to_owned())]),
    }
}

/// The hosts of a value. `wide`: whether there may be more than it means, or fewer.
fn hosts(value: &str, wide: bool) -> Option<Vec<Hosts>> {
    if value == "*" {
        return Some(vec![Hosts::Any]);
    }
    let value = value.to_ascii_lowercase();
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && !name.ends_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    if let Some(domain) = value.strip_prefix("*.") {
        return is_name(domain).then(|| vec![Hosts::Below(format!(".{domain}"))]);
    }
    if let Some(end) = value.strip_prefix('*') {
        // `evil-example.com` ends like this too.
        return (!wide && is_name(end)).then(|| vec![Hosts::Exact(end.to_owned()), Hosts::Below(format!(".{end}"))]);
    }
    let name = match value.rsplit_once(':') {
        Some((name, port)) if port == "*" || port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) => return None,
        None => value.as_str(),
    };
    is_name(name).then(|| vec![Hosts::Exact(name.to_owned())])
}

/// The method of a value; all for `*`.
fn method(value: &str, _wide: bool) -> Option<Vec<Option<String>>> {
    if value == "*" {
        return Some(vec![None]);
    }
    let is_method = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_uppercase() || b"-_".contains(&byte));
    is_method.then(|| vec![Some(value.to_owned())])
}
