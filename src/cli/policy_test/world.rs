//! The world of the cases: a policy, keys made for the run, a fixed clock.

use super::cases::{Case, PolicyFrom, Request, Suite, Token};
use super::outcome::Outcome;
use super::token;
use crate::cli::gates::{Gate, VirtualHost, find, place};
use crate::cli::signing::SigningKey;
use crate::cli::source::{Source, plugin_configuration};
use crate::config::{ConfigError, Loaded, Position};
use crate::crypto::PureVerifier;
use crate::engine::decide;
use crate::facts::{Facts, KeyRing, MetadataRequirement, NoMemory};
use crate::policy::{Issuer, IssuerId, KeySource, Policy, Requirement};
use crate::request::RequestView;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;

/// The host of requests that name none.
const HOST: &str = "localhost";

/// The files that configure the policy.
#[derive(Debug)]
pub(super) struct Configuration {
    sources: Vec<Source>,
    /// The file of the cases, for messages on an inline policy.
    file: String,
}

impl Configuration {
    /// Reads the files that the cases name.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn read(file: &Path, suite: &Suite<'_>) -> Result<Self, Box<dyn Error>> {
        let sources = match &suite.policy {
            PolicyFrom::Files(files) => files.iter().map(|file| Source::read(file)).collect::<Result<_, _>>()?,
            PolicyFrom::Inline(_) => Vec::new(),
        };
        Ok(Self { sources, file: file.display().to_string() })
    }
}

/// All that cases are decided in.
pub(super) struct World<'s> {
    suite: &'s Suite<'s>,
    policy: Policy,
    hosts: Vec<VirtualHost<'s>>,
    /// A key for each issuer, or why there is none.
    signing: Vec<Result<SigningKey, String>>,
    /// The keys of tokens that are made for the run.
    made: KeyRing,
    /// The same, but configured keys where there are some: for tokens that come as text.
    configured: KeyRing,
}

/// A route, as the filter sees it.
struct Place<'c> {
    route: Option<&'c str>,
    virtual_host: Option<&'c str>,
    metadata: Option<Result<Requirement, ConfigError>>,
}

impl<'s> World<'s> {
    /// Compiles the policy and makes the keys.
    ///
    /// # Errors
    /// When there is not exactly one policy, or something is wrong with it.
    pub(super) fn new(configuration: &'s Configuration, suite: &'s Suite<'s>) -> Result<Self, Box<dyn Error>> {
        let (policy, hosts) = match &suite.policy {
            PolicyFrom::Inline(view) => {
                let lines = |error| problems(&configuration.file, &view.path, view.position(), &error);
                (plugin_configuration(view).map_err(lines)?.policy, Vec::new())
            }
            PolicyFrom::Files(_) => {
                let gate = sole_gate(&configuration.sources)?;
                let file = gate.file.display().to_string();
                let Loaded { policy, .. } = gate.policy.map_err(|error| {
                    problems(&file, &gate.configuration.path, gate.configuration.position(), &error)
                })?;
                (policy, gate.envoy.map(|envoy| envoy.virtual_hosts).unwrap_or_default())
            }
        };
        let signing: Vec<_> = policy.issuers.iter().map(token::key_for).collect();
        let (mut made, mut configured) = (KeyRing::default(), KeyRing::default());
        for (index, (issuer, key)) in policy.issuers.iter().zip(&signing).enumerate() {
            let own = match &issuer.keys {
                KeySource::Configured(keys) => Some(Rc::clone(keys)),
                KeySource::Remote(_) => None,
            };
            let new = key.as_ref().ok().and_then(token::public_keys).map(Rc::new);
            made.set(IssuerId(index), new.clone().or_else(|| own.clone()));
            configured.set(IssuerId(index), own.or(new));
        }
        Ok(Self { suite, policy, hosts, signing, made, configured })
    }

    /// Decides a case.
    ///
    /// # Errors
    /// When it names what is not there.
    pub(super) fn decide(&self, case: &Case) -> Result<Outcome, String> {
        let (token, keys) = self.token(case)?;
        let found = self.place(&case.request).map_err(|what| format!("{}: {what}", case.place))?;
        let metadata = match &found.metadata {
            None => MetadataRequirement::None,
            Some(Ok(requirement)) => MetadataRequirement::Asks(requirement),
            Some(Err(_)) => MetadataRequirement::Unreadable,
        };
        let headers = headers(&case.request, token.as_deref());
        let lines: Vec<(&[u8], &[u8])> =
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let request = RequestView {
            headers: &lines,
            route_name: found.route,
            virtual_host: found.virtual_host,
            ends_with_headers: true,
        };
        // No key comes later than those that are there.
        let facts = Facts {
            now: self.suite.now,
            keys,
            verifier: &PureVerifier,
            memory: &NoMemory,
            metadata,
            awaited_keys: true,
        };
        let decision = decide(&self.policy, &request, &facts);
        Ok(Outcome::of(&decision, &headers, &self.policy.realm, token))
    }

    /// The token of a case, and the keys that go with it.
    fn token(&self, case: &Case) -> Result<(Option<String>, &KeyRing), String> {
        let claims = match &case.token {
            Token::None => return Ok((None, &self.made)),
            Token::Text(text) => return Ok((Some(text.clone()), &self.configured)),
            Token::Signed(claims) => claims,
        };
        let here = |what: String| format!("{}: token: {what}", case.place);
        let is_meant = |issuer: &&Issuer| claims.issuer.as_ref().is_none_or(|name| issuer.name == *name);
        let mut issuers = self.policy.issuers.iter().zip(&self.signing);
        let Some((issuer, key)) = issuers.find(|(issuer, _)| is_meant(issuer)) else {
            let names: Vec<&str> = self.policy.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
            let known = if names.is_empty() { "the policy has no issuer".into() } else { names.join(", ") };
            return Err(here(format!("there is no such issuer; the issuers are: {known}")));
        };
        let key = key.as_ref().map_err(|what| here(what.clone()))?;
        Ok((Some(token::mint(key, issuer, claims, self.suite).map_err(here)?), &self.made))
    }

    /// The route that a request names, and what its metadata asks.
    fn place<'c>(&'c self, request: &'c Request) -> Result<Place<'c>, String> {
        let (route, virtual_host) = (request.route.as_deref(), request.virtual_host.as_deref());
        if self.hosts.is_empty() || route.is_none() && virtual_host.is_none() {
            return Ok(Place { route, virtual_host, metadata: None });
        }
        let hosts: Vec<&VirtualHost<'_>> =
            self.hosts.iter().filter(|host| virtual_host.is_none_or(|name| host.name == name)).collect();
        if let (true, Some(name)) = (hosts.is_empty(), virtual_host) {
            return Err(format!("request.virtual_host: no virtual host is called {name}"));
        }
        let Some(name) = route else {
            let metadata = hosts.first().and_then(|host| host.requirement(&self.policy));
            return Ok(Place { route, virtual_host, metadata });
        };
        let mut found = hosts.iter().flat_map(|host| host.routes.iter().map(move |route| (host, route)));
        let mut found = found.by_ref().filter(|(_, route)| route.name == name);
        let Some((host, route)) = found.next() else {
            let names: Vec<&str> =
                hosts.iter().flat_map(|host| &host.routes).map(|route| route.name.as_str()).collect();
            return Err(format!("request.route: no route is called {name}; the routes are {}", names.join(", ")));
        };
        if let Some((other, _)) = found.next() {
            return Err(format!(
                "request.route: {name} is in the virtual hosts {} and {}; write `virtual_host` too, and give each route \
                 a name of its own",
                host.name, other.name
            ));
        }
        let metadata = route.requirement(&self.policy).or_else(|| host.requirement(&self.policy));
        Ok(Place { route: Some(&route.name), virtual_host: Some(&host.name), metadata })
    }
}

/// All header lines, pseudo-headers first.
fn headers(request: &Request, token: Option<&str>) -> Vec<(String, String)> {
    let host = request.headers.iter().find(|(name, _)| name == "host").map_or(HOST, |(_, value)| value);
    let mut lines = vec![(":method".to_owned(), request.method.clone()), (":authority".to_owned(), host.to_owned())];
    lines.extend(request.path.as_ref().map(|path| (":path".to_owned(), path.clone())));
    lines.extend(request.headers.iter().filter(|(name, _)| name != "host").cloned());
    lines.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
    lines
}

/// The one policy in these files.
fn sole_gate(sources: &[Source]) -> Result<Gate<'_>, String> {
    let files = || sources.iter().map(|source| source.file.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut gates = find(sources).into_iter();
    match (gates.next(), gates.next()) {
        (None, _) => Err(format!("{}: holds no configuration of Scopegate", files())),
        (Some(gate), None) => Ok(gate),
        (Some(first), Some(second)) => Err(format!(
            "{}: holds several configurations of Scopegate, such as {} and {}; name a file with one of them",
            files(),
            place(first.file, first.configuration.position()),
            place(second.file, second.configuration.position())
        )),
    }
}

/// Everything that is wrong with a policy, a line each.
fn problems(file: &str, path: &str, at: Option<Position>, error: &ConfigError) -> String {
    let line = |problem: &crate::config::Problem| {
        let path = [path, &problem.path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        let place = place(Path::new(file), problem.at.or(at));
        format!("{place}: {path}: {}; {}", problem.what, problem.remedy)
    };
    error.0.iter().map(line).collect::<Vec<_>>().join("\n")
}
