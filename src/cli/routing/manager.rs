//! What the connection manager does to a request before its router sees it, beside its path.

use super::Unresolved;
use super::lines::Lines;
use crate::cli::source::View;
use crate::config::Tree;

/// The settings of a connection manager that change what is matched.
#[derive(Clone, Debug, Default)]
pub(super) struct Manager {
    strips_any_port: bool,
    strips_own_port: bool,
    strips_dot: bool,
    /// Headers that it changes; an empty name means all.
    changed: Vec<(String, &'static str)>,
}

impl Manager {
    pub(super) fn of(view: &View<'_>) -> Self {
        let is_true = |name: &str| view.get(name).is_some_and(|view| view.is_true());
        let mut changed = Vec::new();
        let early = "early header mutation may change";
        for extension in view.list("early_header_mutation_extensions") {
            let mutations = extension.at(&["typed_config", "mutations"]).map(|view| view.items());
            for mutation in mutations.unwrap_or_default() {
                let removed = mutation.get("remove").and_then(|view| view.text());
                let set = mutation.at(&["append", "header", "key"]).and_then(|view| view.text());
                changed.push((removed.or(set).unwrap_or_default().to_owned(), early));
            }
            if extension.at(&["typed_config", "mutations"]).is_none() {
                changed.push((String::new(), early));
            }
        }
        if is_true("add_user_agent") {
            changed.push(("user-agent".to_owned(), "the connection manager sets"));
        }
        let action = view.at(&["common_http_protocol_options", "headers_with_underscores_action"]);
        if action.is_some_and(|view| !matches!(&view.node.value, Tree::Text(text) if text == "ALLOW")) {
            changed.push(("_".to_owned(), "the connection manager may drop for its underscore"));
        }
        Self {
            strips_any_port: is_true("strip_any_host_port"),
            strips_own_port: is_true("strip_matching_host_port"),
            strips_dot: is_true("strip_trailing_host_dot"),
            changed,
        }
    }

    /// The lines as the router sees them.
    ///
    /// # Errors
    /// When the resulting host is unknown.
    pub(super) fn pass<'r>(&self, lines: &Lines<'r>) -> Result<Lines<'r>, Unresolved> {
        if lines.target().is_some_and(|target| !target.starts_with('/') && target != "*") {
            return Err(Unresolved("the target is no path: Envoy makes host and path of it".to_owned()));
        }
        let mut passed = lines.clone();
        if let Some(authority) = lines.authority() {
            let mut authority = authority.to_owned();
            if self.strips_own_port && !self.strips_any_port && port_start(&authority).is_some() {
                let why = "the connection manager takes the port from the host where it is the listener's \
                           (strip_matching_host_port): give the host without it";
                return Err(Unresolved(why.to_owned()));
            }
            if self.strips_dot {
                authority = without_dot(&authority);
            }
            if self.strips_any_port {
                authority.truncate(without_number(&authority).len());
            }
            passed = passed.with_authority(authority);
        }
        for (name, why) in &self.changed {
            passed.hide(name, why);
        }
        Ok(passed)
    }
}

/// Where the port begins, with its colon: not inside of an IPv6 address.
pub(super) fn port_start(host: &str) -> Option<usize> {
    let colon = host.rfind(':')?;
    host.rfind(']').is_none_or(|end| end < colon).then_some(colon)
}

/// A host without its port, where that is a number.
fn without_number(host: &str) -> &str {
    let Some((name, port)) = port_start(host).and_then(|at| host.split_at_checked(at)) else { return host };
    let digits = port.trim_start_matches(':');
    if digits.parse::<u32>().is_ok() { name } else { host }
}

/// A host without the dot at its end, or before its port.
fn without_dot(host: &str) -> String {
    let Some((before, after)) = host.rsplit_once('.') else { return host.to_owned() };
    if after.is_empty() || after.starts_with(':') { format!("{before}{after}") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_dots_are_taken_away_as_envoy_does() {
        for (host, wanted) in [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a:x", "a:x")] {
            assert_eq!(without_number(host), wanted, "{host}");
        }
        for (host, wanted) in [("a.", "a"), ("a.b", "a.b"), ("a.:80", "a:80"), ("a..", "a."), ("a", "a")] {
            assert_eq!(without_dot(host), wanted, "{host}");
        }
    }
}
