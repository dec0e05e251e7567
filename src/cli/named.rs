//! The route that the user names.

use super::gates::beside::Beside;
use super::gates::{Route, VirtualHost};

/// The most names that a message lists.
const MAX_LISTED: usize = 20;

/// A route, a virtual host, or both, by name.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Names<'a> {
    pub route: Option<&'a str>,
    pub virtual_host: Option<&'a str>,
}

/// What was found by name.
#[derive(Debug, Default)]
pub(in crate::cli) struct Named<'s> {
    /// The virtual host that the route is in, or that is named.
    pub virtual_host: Option<String>,
    /// The metadata that decides: that of the route before that of its virtual host.
    pub metadata: Option<NamedMetadata<'s>>,
}

/// Metadata with a requirement.
#[derive(Clone, Debug)]
pub(in crate::cli) struct NamedMetadata<'s> {
    /// Its owner: `route orders` or `virtual host api`.
    pub of: String,
    pub beside: Beside<'s>,
}

impl Names<'_> {
    /// Whether no name is given.
    pub(in crate::cli) const fn is_empty(self) -> bool {
        self.route.is_none() && self.virtual_host.is_none()
    }

    /// Finds them. `labels` are the options or fields that name a route and a virtual host, for messages.
    ///
    /// # Errors
    /// When there is none of that name, or more than one.
    pub(in crate::cli) fn find<'s>(self, hosts: &[VirtualHost<'s>], labels: [&str; 2]) -> Result<Named<'s>, String> {
        let [route_label, host_label] = labels;
        let candidates: Vec<&VirtualHost<'s>> =
            hosts.iter().filter(|host| self.virtual_host.is_none_or(|name| host.name == name)).collect();
        if let (Some(name), true) = (self.virtual_host, candidates.is_empty()) {
            let known = listed(hosts.iter().map(|host| host.name.as_str()));
            return Err(format!("{host_label}: no virtual host is called {name}; {known}"));
        }
        let Some(name) = self.route else {
            let host = candidates.first().filter(|_| self.virtual_host.is_some());
            let metadata = host.and_then(|host| of_host(host));
            return Ok(Named { virtual_host: host.map(|host| host.name.clone()), metadata });
        };
        let routes = || candidates.iter().flat_map(|host| host.routes.iter().map(move |route| (*host, route)));
        let found: Vec<(&VirtualHost<'s>, &Route<'s>)> = routes().filter(|(_, route)| route.name == name).collect();
        match found.as_slice() {
            [] => {
                let known = listed(routes().map(|(_, route)| route.name.as_str()));
                Err(format!("{route_label}: no route is called {name}; {known}"))
            }
            [(host, route)] => {
                let own = route.beside.clone().map(|beside| NamedMetadata { of: format!("route {name}"), beside });
                Ok(Named { virtual_host: Some(host.name.clone()), metadata: own.or_else(|| of_host(host)) })
            }
            [(first, _), (second, _), ..] => Err(format!(
                "{route_label}: {name} is in the virtual hosts {} and {}; name the virtual host too ({host_label}), and \
                 give each route a name of its own",
                first.name, second.name
            )),
        }
    }
}

/// The requirement beside a virtual host.
pub(in crate::cli) fn of_host<'s>(host: &VirtualHost<'s>) -> Option<NamedMetadata<'s>> {
    let of = || format!("virtual host {}", host.name);
    host.beside.clone().map(|beside| NamedMetadata { of: of(), beside })
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    let more = names.len().saturating_sub(MAX_LISTED);
    let shown = names.iter().take(MAX_LISTED).copied().collect::<Vec<_>>().join(", ");
    match (names.len(), more) {
        (0, _) => "there is none with a name".to_owned(),
        (_, 0) => format!("there are {shown}"),
        _ => format!("there are {shown} and {more} more"),
    }
}
