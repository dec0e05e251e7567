//! The routes that may serve a request.

use crate::cli::gates::{Route, VirtualHost};

/// A route that may serve a request. Without a route none of the virtual host matches; without a virtual host, no domain
/// does.
#[derive(Clone, Debug)]
pub struct Candidate<'h, 's> {
    /// Its virtual host.
    pub host: Option<&'h VirtualHost<'s>>,
    /// The route.
    pub route: Option<&'h Route<'s>>,
    /// Why it may be another route: what its matcher depends on.
    pub doubt: Option<String>,
}

/// All routes that may serve a request, in Envoy's order. The last is not in doubt: it serves if no other does.
#[derive(Clone, Debug, Default)]
pub struct Candidates<'h, 's>(Vec<Candidate<'h, 's>>);

impl<'h, 's> Candidates<'h, 's> {
    pub(super) fn push(
        &mut self,
        host: Option<&'h VirtualHost<'s>>,
        route: Option<&'h Route<'s>>,
        doubt: Option<String>,
    ) {
        self.0.push(Candidate { host, route, doubt });
    }

    /// Puts the last one in doubt.
    pub(super) fn doubt(&mut self, why: &str) {
        if let Some(last) = self.0.last_mut() {
            last.doubt = Some(why.to_owned());
        }
    }

    /// The candidates.
    #[must_use]
    pub fn as_slice(&self) -> &[Candidate<'h, 's>] {
        &self.0
    }
}

impl Candidate<'_, '_> {
    /// It in words: `orders of virtual host api (path_separated_prefix /orders)`.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.host, self.route) {
            (Some(host), Some(route)) => {
                let name = if route.name.is_empty() { route.view.path.as_str() } else { route.name.as_str() };
                format!("{name} of virtual host {} ({})", host.name, route.matcher())
            }
            (Some(host), None) => format!("none of virtual host {}", host.name),
            (None, _) => "none: no virtual host has the domain".to_owned(),
        }
    }
}
