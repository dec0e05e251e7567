//! What a request is decided in: the policy of a file, the keys, the metadata of the named route.

use crate::base::time::UnixSeconds;
use crate::cli::gates::{self, Gate, InEnvoy};
use crate::cli::moment;
use crate::cli::named::{self, Named, NamedMetadata, Names};
use crate::cli::normalise::PathSettings;
use crate::cli::revocations;
use crate::cli::source::Source;
use crate::config::{self, ConfigError, Node};
use crate::crypto::PureVerifier;
use crate::decision::{Decision, Need, NeedKind, Pending};
use crate::engine::decide;
use crate::facts::{Awaited, AwaitedNeeds, Facts, KeyRing, MetadataRequirement, MetadataSource};
use crate::jose::KeySet;
use crate::policy::{IssuerId, KeySource, Policy, Requirement, RouteMetadata};
use crate::request::RequestView;
use std::cell::RefCell;
use std::error::Error;
use std::path::PathBuf;
use std::rc::Rc;

/// A policy with everything that a decision needs beside a request.
#[derive(Debug)]
pub(in crate::cli) struct Setting {
    pub policy: Policy,
    /// The configuration as it is written.
    pub written: Node,
    pub keys: KeyRing,
    pub now: UnixSeconds,
    pub route: Option<String>,
    pub virtual_host: Option<String>,
    pub metadata: Option<Metadata>,
    /// What Envoy does to paths before; `None` where no file of Envoy's says.
    pub paths: Option<PathSettings>,
    /// What whoever reads the answer must know.
    pub notes: Vec<String>,
}

/// A requirement in metadata.
#[derive(Debug)]
pub(in crate::cli) struct Metadata {
    /// Whose it is: `route orders` or `virtual host api`.
    pub of: String,
    pub source: MetadataSource,
    pub written: Node,
    pub requirement: Result<Requirement, ConfigError>,
}

/// What the user asks for beside the request.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Wanted<'a> {
    pub keys: &'a [String],
    pub at: Option<&'a str>,
    pub names: Names<'a>,
}

impl Setting {
    /// Reads the files.
    pub(in crate::cli) fn read(files: &[PathBuf], wanted: &Wanted<'_>) -> Result<Self, Box<dyn Error>> {
        let sources = Source::read_all(files)?;
        let found = gates::find(&sources);
        let names = wanted.names;
        let serves = |gate: &&Gate<'_>| gate.envoy.as_ref().is_some_and(|envoy| name(envoy, names).is_ok());
        let gate = found.iter().find(|gate| !names.is_empty() && serves(gate)).or_else(|| found.first());
        let gate = gate.ok_or_else(|| gates::nothing_found(&sources))?;
        let mut notes = Vec::new();
        if found.len() > 1 {
            let place = gates::place(gate.file, gate.configuration.position());
            notes.push(format!("there are {} Scopegate filters; this is the one at {place}", found.len()));
        }
        let absent = RefCell::new(Vec::new());
        let environment = |name: &str| {
            std::env::var(name).ok().or_else(|| {
                absent.borrow_mut().push(name.to_owned());
                // Long enough for every algorithm; no token fits it.
                Some("A".repeat(86))
            })
        };
        let policy = match &gate.policy {
            Ok(_) => config::compile(gate.values.node, &environment).map(|loaded| loaded.policy),
            Err(error) => Err(error.clone()),
        };
        let policy = policy.map_err(|error| gate.refused(&error))?;
        for name in absent.into_inner() {
            notes.push(format!("the environment variable {name} is not set: no token of its secret can be verified"));
        }
        let found_by_name = gate.envoy.as_ref().map(|envoy| name(envoy, names)).transpose()?.unwrap_or_default();
        if gate.envoy.as_ref().is_some_and(|envoy| envoy.virtual_hosts.is_empty())
            && policy.route_metadata != RouteMetadata::Ignore
        {
            notes.push("the routes are not in these files, and neither is what their metadata asks".to_owned());
        }
        if let Some(envoy) = &gate.envoy
            && names.is_empty()
            && policy.route_metadata != RouteMetadata::Ignore
            && has_metadata(envoy)
        {
            notes.push(
                "routes of this file have metadata that decides for them, and Envoy's router is not emulated: name \
                 the route that Envoy would choose with --route or --virtual-host"
                    .to_owned(),
            );
        }
        let metadata = found_by_name.metadata.map(|NamedMetadata { source, of, view }| Metadata {
            source,
            of,
            written: view.node.clone(),
            requirement: config::requirement(view.node, &policy),
        });
        if let Some(Metadata { of, requirement: Err(error), .. }) = &metadata {
            notes.push(format!("the metadata of {of} cannot be read: {error}"));
        }
        notes.extend(revocations::not_known(&policy));
        let keys = key_ring(&policy, wanted.keys, &mut notes)?;
        let route = names.route.map(str::to_owned);
        let virtual_host = names.virtual_host.map(str::to_owned).or(found_by_name.virtual_host);
        let now = moment::instant(wanted.at)?;
        let paths = gate.envoy.as_ref().map(|envoy| PathSettings::of(&envoy.manager));
        let written = gate.values.node.clone();
        Ok(Self { policy, written, keys, now, route, virtual_host, metadata, paths, notes })
    }

    /// A request as Envoy would hand it over.
    pub(super) fn view<'a>(&'a self, headers: &'a [(&'a [u8], &'a [u8])]) -> RequestView<'a> {
        let has_body = headers
            .iter()
            .any(|(name, value)| *name == b"transfer-encoding" || *name == b"content-length" && *value != b"0");
        RequestView {
            headers,
            route_name: self.route.as_deref(),
            virtual_host: self.virtual_host.as_deref(),
            ends_with_headers: !has_body,
        }
    }

    pub(super) fn decide(&self, view: &RequestView<'_>) -> Decision {
        let metadata = match &self.metadata {
            None => MetadataRequirement::None,
            Some(Metadata { source, requirement: Ok(requirement), .. }) => {
                MetadataRequirement::Asks(*source, requirement)
            }
            Some(Metadata { source, requirement: Err(_), .. }) => MetadataRequirement::Unreadable(*source),
        };
        let revocations = self.policy.revocation.without_lists(self.now);
        let awaited = AwaitedNeeds::default().with(NeedKind::Revocations, Awaited::Yes);
        let facts = Facts { metadata, awaited, ..Facts::offline(&self.now, &self.keys, &PureVerifier, &revocations) };
        match decide(&self.policy, view, &facts) {
            // The keys that were given are the newest that there are.
            Decision::Await(Pending { need: Need::Kid(..), .. }) => {
                decide(&self.policy, view, &Facts { awaited: AwaitedNeeds::all(Awaited::Yes), ..facts })
            }
            decision => decision,
        }
    }
}

/// The route and the virtual host that the user names.
fn name<'s>(envoy: &InEnvoy<'s>, names: Names<'_>) -> Result<Named<'s>, String> {
    if envoy.virtual_hosts.is_empty() {
        return Ok(Named::default());
    }
    names.find(&envoy.virtual_hosts, ["--route", "--virtual-host"])
}

fn has_metadata(envoy: &InEnvoy<'_>) -> bool {
    envoy.virtual_hosts.iter().any(|host| {
        named::metadata(&host.view).is_some() || host.routes.iter().any(|route| named::metadata(&route.view).is_some())
    })
}

/// The keys that are there: configured ones, and those that the user gives for issuers whose keys are remote.
fn key_ring(policy: &Policy, given: &[String], notes: &mut Vec<String>) -> Result<KeyRing, Box<dyn Error>> {
    let mut ring = KeyRing::default();
    let mut remote = Vec::new();
    for (index, issuer) in policy.issuers.iter().enumerate() {
        match &issuer.keys {
            KeySource::Configured(keys) => ring.set(IssuerId(index), Some(Rc::clone(keys))),
            KeySource::Remote(_) => remote.push((IssuerId(index), issuer)),
        }
    }
    let names: Vec<&str> = remote.iter().map(|(_, issuer)| issuer.name.as_str()).collect();
    for text in given {
        let addressed = remote.iter().find_map(|(id, issuer)| {
            text.strip_prefix(issuer.name.as_str())?.strip_prefix('=').map(|file| (*id, file))
        });
        let (id, file) = match (addressed, remote.as_slice()) {
            (Some(addressed), _) => addressed,
            (None, [(id, _)]) => (*id, text.as_str()),
            (None, []) => return Err(format!("--keys {text}: no issuer of this configuration has remote keys").into()),
            (None, _) => {
                let names = names.join(", ");
                return Err(
                    format!("--keys {text}: say whose keys these are, as ISSUER-NAME=FILE; one of {names}").into()
                );
            }
        };
        let bytes = std::fs::read(file).map_err(|error| format!("--keys: cannot read {file}: {error}"))?;
        let keys = KeySet::parse(&bytes, policy.limits.jwks_bytes, policy.limits.jwks_keys)
            .map_err(|error| format!("--keys: {file}: {error}"))?;
        if !keys.skipped().is_empty() {
            notes.push(format!("some keys of {file} cannot be used; `scopegate jwks inspect` says why"));
        }
        ring.set(id, Some(Rc::new(keys)));
    }
    Ok(ring)
}
