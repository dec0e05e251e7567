//! Finds the route that Envoy's router chooses for a request, in its own order, read from
//! `source/common/router/config_impl.cc` of 1.40. A test compares it with a running Envoy. What the files do not decide
//! is not guessed.

mod candidates;
mod condition;
mod cookies;
mod domains;
mod headers;
mod holds;
mod lines;
mod manager;
mod path;
mod query;
mod text;

pub use candidates::{Candidate, Candidates};
pub use lines::Lines;

use super::gates::VirtualHost;
use super::source::View;
use holds::Holds;
use manager::Manager;

/// The reason for doubt when a request names no host.
const UNNAMED_HOST: &str = "the host, which the request does not name";

/// Why these files leave the choice open, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved(pub String);

/// The routes of a connection manager, as its router sees them.
#[derive(Clone, Debug)]
pub struct Router<'h, 's> {
    manager: Manager,
    config: View<'s>,
    hosts: &'h [VirtualHost<'s>],
}

impl<'h, 's> Router<'h, 's> {
    /// The router of `manager` with the route configurations that it serves, whose virtual hosts are `hosts`.
    ///
    /// # Errors
    /// When these files do not say what the routes are.
    pub fn new(manager: &View<'s>, configs: &[View<'s>], hosts: &'h [VirtualHost<'s>]) -> Result<Self, Unresolved> {
        if manager.get("scoped_routes").is_some() {
            return Err(Unresolved("the connection manager chooses among scoped routes".to_owned()));
        }
        match configs {
            [config] => Ok(Self { manager: Manager::of(manager), config: config.clone(), hosts }),
            [] => {
                let name = manager.at(&["rds", "route_config_name"]).and_then(|view| view.text());
                let name = name.map_or_else(String::new, |name| format!(" ({name})"));
                let why = format!("the routes{name} are not in these files: give the file that holds them too");
                Err(Unresolved(why))
            }
            [_, _, ..] => Err(Unresolved("these files hold several route configurations of that name".to_owned())),
        }
    }

    /// The routes that may serve a request. All but the last are in doubt.
    ///
    /// # Errors
    /// When not even its virtual host is known.
    pub fn candidates(&self, lines: &Lines<'_>) -> Result<Candidates<'h, 's>, Unresolved> {
        let lines = self.manager.pass(lines)?;
        let mut found = Candidates::default();
        if lines.names_host() || !domains::look_at_host(&self.config, self.hosts) {
            match domains::choose(&self.config, self.hosts, &lines)? {
                Some(host) => self.within(host, &lines, &mut found)?,
                None => found.push(None, None, None),
            }
            return Ok(found);
        }
        // The request is for one of the virtual hosts.
        for (index, host) in self.hosts.iter().enumerate() {
            self.within(host, &lines, &mut found)?;
            if index.saturating_add(1) < self.hosts.len() {
                found.doubt(UNNAMED_HOST);
            }
        }
        Ok(found)
    }

    /// The routes of a virtual host that may serve a request.
    fn within(
        &self,
        host: &'h VirtualHost<'s>,
        lines: &Lines<'_>,
        found: &mut Candidates<'h, 's>,
    ) -> Result<(), Unresolved> {
        if host.view.get("matcher").is_some() {
            let why = format!("virtual host {} has a matcher tree in place of routes", host.name);
            return Err(Unresolved(why));
        }
        if host.view.get("require_tls").is_some_and(|view| view.text() != Some("NONE")) {
            let why = format!("virtual host {} redirects what did not come by TLS (require_tls)", host.name);
            return Err(Unresolved(why));
        }
        let without_parameters =
            self.config.get("ignore_path_parameters_in_path_matching").is_some_and(|view| view.is_true());
        for route in &host.routes {
            match condition::holds(route, lines, without_parameters) {
                Holds::No => {}
                Holds::Unknown(why) => found.push(Some(host), Some(route), Some(why)),
                Holds::Yes => {
                    found.push(Some(host), Some(route), None);
                    return Ok(());
                }
            }
        }
        found.push(Some(host), None, None);
        Ok(())
    }
}
