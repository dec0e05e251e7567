//! The virtual host of a request: an exact domain, the longest `*suffix`, the longest `prefix*`, and `*`.

use super::Unresolved;
use super::lines::Lines;
use super::manager::port_start;
use crate::cli::gates::VirtualHost;
use crate::cli::source::View;

/// What a domain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Any,
    Prefix(usize),
    Suffix(usize),
    Exact,
}

/// Whether the host of a request makes a difference: a router with `*` alone does not look at it.
pub(super) fn look_at_host(config: &View<'_>, hosts: &[VirtualHost<'_>]) -> bool {
    let mut domains = hosts.iter().flat_map(|host| &host.domains);
    vhost_header(config).is_none() && (config.get("vhds").is_some() || domains.any(|domain| domain != "*"))
}

/// The header that replaces the host.
fn vhost_header<'s>(config: &View<'s>) -> Option<&'s str> {
    config.get("vhost_header").and_then(|view| view.text()).filter(|name| !name.is_empty())
}

/// The virtual host that serves a request, when one does.
///
/// # Errors
/// When the files do not say.
pub(super) fn choose<'h, 's>(
    config: &View<'_>,
    hosts: &'h [VirtualHost<'s>],
    lines: &Lines<'_>,
) -> Result<Option<&'h VirtualHost<'s>>, Unresolved> {
    let domains = || hosts.iter().flat_map(|host| host.domains.iter().map(move |domain| (host, domain)));
    let is_set = |name: &str| config.get(name).is_some_and(|view| view.is_true());
    let fetched = config.get("vhds").is_some();
    // A router with `*` alone does not look at the host.
    if !fetched && domains().all(|(_, domain)| domain == "*") {
        return Ok(domains().next().map(|(host, _)| host));
    }
    let named = match vhost_header(config) {
        // The first line of the header.
        Some(name) => {
            let chosen_by = |Unresolved(why)| Unresolved(format!("the virtual host is chosen by {why}"));
            lines.values(name).map_err(chosen_by)?.first().copied()
        }
        None => lines.authority(),
    };
    let Some(mut host) = named.map(str::to_owned) else { return Ok(None) };
    if is_set("ignore_port_in_host_matching")
        && let Some(at) = port_start(&host)
    {
        host.truncate(at);
    }
    host.make_ascii_lowercase();
    let ranked = domains().filter_map(|(holder, domain)| Some((rank(&domain.to_ascii_lowercase(), &host)?, holder)));
    let best = ranked.max_by_key(|(rank, _)| *rank);
    match best {
        Some((Rank::Exact, holder)) => Ok(Some(holder)),
        _ if fetched => Err(Unresolved("virtual hosts are fetched while Envoy runs (vhds)".to_owned())),
        best => Ok(best.map(|(_, holder)| holder)),
    }
}

/// How well a domain fits a host, both in lower case.
fn rank(domain: &str, host: &str) -> Option<Rank> {
    if domain == "*" {
        return Some(Rank::Any);
    }
    if let Some(suffix) = domain.strip_prefix('*') {
        return (host.len() > suffix.len() && host.ends_with(suffix)).then_some(Rank::Suffix(suffix.len()));
    }
    if let Some(prefix) = domain.strip_suffix('*') {
        return (host.len() > prefix.len() && host.starts_with(prefix)).then_some(Rank::Prefix(prefix.len()));
    }
    (domain == host).then_some(Rank::Exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_domain_is_before_a_suffix_before_a_prefix_before_any() {
        let host = "api.example.com";
        let ranks = ["*", "api.*", "api.example.*", "*.com", "*.example.com", "api.example.com"]
            .map(|domain| rank(domain, host));
        assert!(ranks.iter().all(Option::is_some) && ranks.is_sorted(), "{ranks:?}");
        for domain in ["*api.example.com", "api.example.com*", "example.com", "*.org"] {
            assert_eq!(rank(domain, host), None, "{domain}");
        }
    }
}
