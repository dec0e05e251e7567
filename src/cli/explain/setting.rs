//! What a request is decided in: the policy of a file, the keys, the metadata of the named route.

use crate::base::time::UnixSeconds;
use crate::cli::gates::{self, Gate, InEnvoy};
use crate::cli::moment;
use crate::cli::source::{Source, View};
use crate::config::{self, ConfigError, Environment, Loaded, Node};
use crate::crypto::PureVerifier;
use crate::decision::Decision;
use crate::engine::decide;
use crate::facts::{Facts, KeyRing, MetadataRequirement, NoMemory};
use crate::jose::KeySet;
use crate::policy::{IssuerId, KeySource, Policy, Requirement, RouteMetadata};
use crate::request::RequestView;
use std::cell::RefCell;
use std::error::Error;
use std::path::Path;
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
    /// What whoever reads the answer must know.
    pub notes: Vec<String>,
}

/// A requirement in metadata.
#[derive(Debug)]
pub(in crate::cli) struct Metadata {
    /// Whose it is: `route orders` or `virtual host api`.
    pub of: String,
    pub written: Node,
    pub requirement: Result<Requirement, ConfigError>,
}

/// What the user asks for beside the request.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Wanted<'a> {
    pub keys: &'a [String],
    pub at: Option<&'a str>,
    pub route: Option<&'a str>,
    pub virtual_host: Option<&'a str>,
}

impl Setting {
    /// Reads the file.
    pub(in crate::cli) fn read(file: &Path, wanted: &Wanted<'_>) -> Result<Self, Box<dyn Error>> {
        let source = [Source::read(file)?];
        let found = gates::find(&source);
        let several = found.len() > 1;
        let names_route = wanted.route.is_some() || wanted.virtual_host.is_some();
        let serves = |gate: &&Gate<'_>| gate.envoy.as_ref().is_some_and(|envoy| holder(envoy, wanted).is_ok());
        let gate = found.iter().find(|gate| names_route && serves(gate)).or_else(|| found.first()).ok_or_else(|| {
            format!(
                "{}: no Scopegate configuration in it; give a plugin configuration, an Envoy YAML with the filter, a \
                 WasmPlugin or an EnvoyExtensionPolicy",
                file.display()
            )
        })?;
        let mut notes = Vec::new();
        if several {
            let place = gates::place(file, gate.configuration.position());
            notes.push(format!("the file has {} Scopegate filters; this is the one at {place}", found.len()));
        }
        let absent = RefCell::new(Vec::new());
        let environment = |name: &str| {
            std::env::var(name).ok().or_else(|| {
                absent.borrow_mut().push(name.to_owned());
                // Long enough for every algorithm; no token fits it.
                Some("A".repeat(86))
            })
        };
        let (loaded, written) =
            load(&gate.configuration, &environment).map_err(|error| format!("{}: {error}", file.display()))?;
        let policy = loaded.policy;
        for name in absent.into_inner() {
            notes.push(format!("the environment variable {name} is not set: no token of its secret can be verified"));
        }
        let holder = gate.envoy.as_ref().map(|envoy| holder(envoy, wanted)).transpose();
        let holder = holder.map_err(|error| format!("{}: {error}", file.display()))?.unwrap_or_default();
        if let Some(envoy) = &gate.envoy
            && !names_route
            && policy.route_metadata != RouteMetadata::Ignore
            && has_metadata(envoy)
        {
            notes.push(
                "routes of this file have metadata that decides for them, and Envoy's router is not emulated: name \
                 the route that Envoy would choose with --route or --virtual-host"
                    .to_owned(),
            );
        }
        let metadata = holder.metadata.map(|(of, view)| Metadata {
            of,
            written: view.node.clone(),
            requirement: config::requirement(view.node, &policy),
        });
        if let Some(Metadata { of, requirement: Err(error), .. }) = &metadata {
            notes.push(format!("the metadata of {of} cannot be read: {error}"));
        }
        let keys = key_ring(&policy, wanted.keys, &mut notes)?;
        let route = wanted.route.map(str::to_owned);
        let virtual_host = wanted.virtual_host.map(str::to_owned).or(holder.virtual_host);
        let now = moment::instant(wanted.at)?;
        Ok(Self { policy, written, keys, now, route, virtual_host, metadata, notes })
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
        let metadata = match self.metadata.as_ref().map(|metadata| &metadata.requirement) {
            None => MetadataRequirement::None,
            Some(Ok(requirement)) => MetadataRequirement::Asks(requirement),
            Some(Err(_)) => MetadataRequirement::Unreadable,
        };
        let facts = Facts {
            now: self.now,
            keys: &self.keys,
            verifier: &PureVerifier,
            memory: &NoMemory,
            metadata,
            awaited_keys: false,
        };
        decide(&self.policy, view, &facts)
    }
}

/// Compiles a plugin configuration with these secrets; also as it is written.
fn load(configuration: &View<'_>, environment: Environment<'_>) -> Result<(Loaded, Node), ConfigError> {
    let value = configuration.type_name().and_then(|_| configuration.get("value"));
    match &value {
        Some(value) => match value.text() {
            Some(text) => {
                let loaded = config::load(text.as_bytes(), environment)?;
                Ok((loaded, Node::from(serde_json::from_str::<serde_json::Value>(text).unwrap_or_default())))
            }
            None => config::compile(value.node, environment).map(|loaded| (loaded, value.node.clone())),
        },
        None => config::compile(configuration.node, environment).map(|loaded| (loaded, configuration.node.clone())),
    }
}

/// What the named route or virtual host brings.
#[derive(Default)]
struct Holder<'s> {
    virtual_host: Option<String>,
    metadata: Option<(String, View<'s>)>,
}

fn metadata_of<'s>(view: &View<'s>) -> Option<View<'s>> {
    view.at(&["metadata", "filter_metadata", config::METADATA_NAMESPACE])
}

fn has_metadata(envoy: &InEnvoy<'_>) -> bool {
    envoy.virtual_hosts.iter().any(|host| {
        metadata_of(&host.view).is_some() || host.routes.iter().any(|route| metadata_of(&route.view).is_some())
    })
}

/// Finds the route and the virtual host that the user names. The metadata of the route comes first.
fn holder<'s>(envoy: &InEnvoy<'s>, wanted: &Wanted<'_>) -> Result<Holder<'s>, String> {
    let hosts: Vec<_> =
        envoy.virtual_hosts.iter().filter(|host| wanted.virtual_host.is_none_or(|name| host.name == name)).collect();
    if wanted.route.is_none() && wanted.virtual_host.is_none() {
        return Ok(Holder::default());
    }
    let listed = |names: Vec<&str>| {
        let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            "there are none with a name".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        }
    };
    if let (Some(name), true) = (wanted.virtual_host, hosts.is_empty()) {
        let names = envoy.virtual_hosts.iter().map(|host| host.name.as_str()).collect();
        return Err(format!("--virtual-host {name}: no such virtual host; {}", listed(names)));
    }
    let Some(name) = wanted.route else {
        let metadata = hosts
            .iter()
            .find_map(|host| metadata_of(&host.view).map(|view| (format!("virtual host {}", host.name), view)));
        return Ok(Holder { virtual_host: None, metadata });
    };
    let routes: Vec<_> = hosts.iter().flat_map(|host| host.routes.iter().map(move |route| (host, route))).collect();
    let named: Vec<_> = routes.iter().filter(|(_, route)| route.name == name).collect();
    match named.as_slice() {
        [] => {
            let known = routes.iter().map(|(_, route)| route.name.as_str()).collect();
            Err(format!("--route {name}: no such route; {}", listed(known)))
        }
        [(host, route)] => {
            let metadata = metadata_of(&route.view)
                .map(|view| (format!("route {name}"), view))
                .or_else(|| metadata_of(&host.view).map(|view| (format!("virtual host {}", host.name), view)));
            Ok(Holder { virtual_host: Some(host.name.clone()), metadata })
        }
        several => {
            let hosts: Vec<&str> = several.iter().map(|(host, _)| host.name.as_str()).collect();
            Err(format!("--route {name}: several routes have this name, in {}; add --virtual-host", hosts.join(", ")))
        }
    }
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
