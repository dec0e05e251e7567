//! The situation of a decision: the policy of a file, the keys, the metadata of the route.

use super::{Request, lists};
use crate::base::time::UnixSeconds;
use crate::checks::Unproven;
use crate::cli::certificate;
use crate::cli::gates::{self, Gate};
use crate::cli::identities::Documents;
use crate::cli::introspected::Answer;
use crate::cli::moment;
use crate::cli::named::{NamedMetadata, Names};
use crate::cli::normalise::{Arrival, PathSettings};
use crate::cli::not_known;
use crate::cli::placed::{self, Nowhere, Place};
use crate::cli::routing::Lines;
use crate::cli::source::{Source, any_secret};
use crate::config::{self, ConfigError, Loaded, Node};
use crate::crypto::PureVerifier;
use crate::decision::{Decision, FurtherReasons, Need, NeedKind, Pending, ReceivedEvent};
use crate::engine::{decide, further, receive};
use crate::facts::{
    Awaited, AwaitedNeeds, Body, Facts, KeyRing, KnownSurroundings, MetadataRequirement, MetadataSource,
};
use crate::jose::KeySet;
use crate::policy::{IssuerId, KeySource, Limits, Policy, Requirement, RouteMetadata, SecurityEvents, Settings};
use crate::request::RequestView;
use crate::revocation::Revocations;
use crate::security_event::EventForm;
use std::cell::RefCell;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The options or fields that name a route and a virtual host.
const LABELS: [&str; 2] = ["--route", "--virtual-host"];

/// A policy with everything that a decision needs beside a request.
#[derive(Debug)]
pub(in crate::cli) struct Situation {
    pub policy: Policy,
    pub settings: Settings,
    /// The configuration as it is written.
    pub written: Node,
    pub keys: KeyRing,
    pub now: UnixSeconds,
    /// That time, and the client's certificate.
    pub surroundings: KnownSurroundings,
    pub revocations: Revocations,
    /// The identities that the gate fetches.
    pub identities: Documents,
    /// What the issuer says of the opaque token.
    pub introspected: Answer,
    /// The body of the request, where it is given.
    pub body: Option<Vec<u8>>,
    pub route: Option<String>,
    pub virtual_host: Option<String>,
    pub metadata: Option<Metadata>,
    /// The route that was chosen here, in words.
    pub chosen: Option<String>,
    /// Whether no route serves the request.
    pub is_unserved: bool,
    /// Why the route that serves the request is undecided.
    pub undecided: Option<String>,
    /// Envoy's path settings; `None` if no file has them.
    pub paths: Option<PathSettings>,
    /// Notes for the reader of the answer.
    pub notes: Vec<String>,
}

/// A requirement in metadata.
#[derive(Debug)]
pub(in crate::cli) struct Metadata {
    /// Its owner: `route orders` or `virtual host api`.
    pub of: String,
    pub source: MetadataSource,
    pub written: Node,
    pub requirement: Result<Requirement, ConfigError>,
}

/// The user's options beside the request.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Wanted<'a> {
    pub keys: &'a [String],
    pub revocations: &'a [String],
    pub identities: &'a [String],
    pub introspection: Option<&'a str>,
    pub body: Option<&'a [u8]>,
    pub at: Option<&'a str>,
    pub client_certificate: Option<&'a str>,
    pub client_uri: Option<&'a str>,
    /// Its first DNS name.
    pub client_dns: Option<&'a str>,
    pub names: Names<'a>,
}

/// Why a patch of Istio or Envoy Gateway may decide: it has requirements for routes, and the routes are not in these
/// files.
fn patched(gate: &Gate<'_>, policy: &Policy, sources: &[Source]) -> Option<String> {
    let asking = sources.iter().flat_map(|source| &source.documents).find(|document| gates::patches::asks(document));
    let root = asking.filter(|_| gate.envoy.is_none() && policy.route_metadata != RouteMetadata::Ignore)?.root();
    let kind = root.get("kind").and_then(|view| view.text()).unwrap_or_default();
    let name = root.at(&["metadata", "name"]).and_then(|view| view.text()).unwrap_or_default();
    Some(format!(
        "{kind} {name} says what routes ask, and the routes are not in these files; give the resource with the gate alone for what its own rules decide"
    ))
}

impl Situation {
    /// Reads the files, for a request.
    pub(in crate::cli) fn read(
        files: &[PathBuf],
        wanted: &Wanted<'_>,
        request: &Request,
    ) -> Result<Self, Box<dyn Error>> {
        let sources = Source::read_all(files)?;
        let found = gates::find(&sources);
        let mut notes = Vec::new();
        let gate = choose(&found, wanted.names, &mut notes)?.ok_or_else(|| gates::nothing_found(&sources))?;
        let absent = RefCell::new(Vec::new());
        let environment = |name: &str| {
            std::env::var(name).ok().or_else(|| {
                absent.borrow_mut().push(name.to_owned());
                any_secret(name)
            })
        };
        let loaded = match &gate.policy {
            Ok(_) => config::compile(gate.values.node, &environment),
            Err(error) => Err(error.clone()),
        };
        let Loaded { policy, settings, .. } = loaded.map_err(|error| gate.refused(&error))?;
        if gate.envoy.as_ref().is_some_and(|envoy| envoy.virtual_hosts.is_empty())
            && policy.route_metadata != RouteMetadata::Ignore
        {
            notes.push("the routes are not in these files, and neither is what their metadata asks".to_owned());
        }
        let paths = gate.envoy.as_ref().map(|envoy| PathSettings::of(&envoy.manager));
        let (place, undecided) = match locate(gate, &policy, wanted.names, paths, request) {
            Ok(place) => (place, None),
            Err(Nowhere::Undecided(why)) => (Place::default(), Some(why)),
            Err(Nowhere::Unknown(why)) => return Err(why.into()),
        };
        let undecided = undecided.or_else(|| patched(gate, &policy, &sources));
        let metadata = place.metadata.map(|NamedMetadata { of, beside }| Metadata {
            source: beside.source,
            of,
            written: beside.view.node.clone(),
            requirement: beside.read(&policy, &environment),
        });
        for name in absent.into_inner() {
            notes.push(format!(
                "the environment variable {name} is not set: nothing that was made with its secret can be verified"
            ));
        }
        if let Some(Metadata { of, requirement: Err(error), .. }) = &metadata {
            notes.push(format!("the metadata of {of} cannot be read: {error}"));
        }
        let now = moment::instant(wanted.at)?;
        let revocations = lists::read(&settings, wanted.revocations, now, &mut notes)?;
        let mut identities = Documents::default();
        for text in wanted.identities {
            let added = identities.add_option(&policy, text, now);
            added.map_err(|why| format!("--identities {text}: {why}"))?;
        }
        notes.extend(not_known::statuses(&policy));
        notes.extend(not_known::used(&policy, &settings));
        let introspected = wanted.introspection.map(introspected).transpose()?.unwrap_or_default();
        let body = wanted.body.map(<[u8]>::to_vec);
        let keys = key_ring(&policy, settings.limits, wanted.keys, &mut notes)?;
        let certificate = wanted.client_certificate.map(|given| certificate::digest(given, Path::new("")));
        let peer_certificate = certificate.transpose().map_err(|error| format!("--client-certificate: {error}"))?;
        Ok(Self {
            written: gate.values.node.clone(),
            settings,
            keys,
            now,
            surroundings: KnownSurroundings {
                now,
                peer_certificate,
                peer_uri: wanted.client_uri.map(Into::into),
                peer_dns: wanted.client_dns.map(Into::into),
                source_address: None,
            },
            revocations,
            identities,
            introspected,
            body,
            route: place.route,
            virtual_host: place.virtual_host,
            metadata,
            chosen: place.chosen,
            is_unserved: place.is_unserved,
            undecided,
            paths,
            notes,
            policy,
        })
    }

    /// A request as the filter would see it.
    pub(super) fn view<'a>(&'a self, headers: &'a [(&'a [u8], &'a [u8])]) -> RequestView<'a> {
        // These have a body, also where it is not given.
        let has_body = headers.iter().any(|(name, value)| match *name {
            b":method" => matches!(*value, b"POST" | b"PUT" | b"PATCH"),
            b"content-length" => *value != b"0",
            name => name == b"transfer-encoding",
        });
        RequestView {
            headers,
            route_name: self.route.as_deref(),
            virtual_host: self.virtual_host.as_deref(),
            ends_with_headers: !has_body && self.body.is_none(),
        }
    }

    /// Decides, and tells for what further reasons a request that is only reported would be refused.
    pub(super) fn decide(&self, view: &RequestView<'_>) -> (Decision, FurtherReasons) {
        let facts = self.facts();
        let decision = match decide(&self.policy, view, &facts) {
            // The given keys are the newest.
            Decision::Await(Pending { need: Need::Kid(..), .. }) => {
                decide(&self.policy, view, &Facts { awaited: AwaitedNeeds::all(Awaited::Yes), ..facts })
            }
            decision => decision,
        };
        let further = further(&self.policy, view, &facts, &decision);
        (decision, further)
    }

    /// Judges a token of events, wherever it came from.
    pub(super) fn receive(
        &self,
        events: &SecurityEvents,
        token: &str,
        form: EventForm,
    ) -> Result<ReceivedEvent, Unproven> {
        let facts = self.facts();
        match receive(&self.policy, events, token.as_bytes(), form, &facts) {
            // The given keys are the newest.
            Err(Unproven::Await(Need::Kid(..))) => {
                let facts = Facts { awaited: AwaitedNeeds::all(Awaited::Yes), ..facts };
                receive(&self.policy, events, token.as_bytes(), form, &facts)
            }
            received => received,
        }
    }

    fn facts(&self) -> Facts<'_> {
        let metadata = match &self.metadata {
            None => MetadataRequirement::None,
            Some(Metadata { source, requirement: Ok(requirement), .. }) => {
                MetadataRequirement::Given(*source, requirement)
            }
            Some(Metadata { source, requirement: Err(_), .. }) => MetadataRequirement::Unreadable(*source),
        };
        let awaited = AwaitedNeeds::default().with(NeedKind::Revocations, Awaited::Yes);
        let offline = Facts::offline(&self.surroundings, &self.keys, &PureVerifier, &self.revocations);
        let body = self.body.as_deref().map_or(Body::Awaited, Body::Whole);
        Facts {
            metadata,
            awaited,
            body,
            identities: &self.identities.fetched,
            introspections: &self.introspected,
            ..offline
        }
    }
}

/// The gate that decides: the one whose routes have the names, otherwise the only one. Without routes it is the first.
fn choose<'g, 's>(
    gates: &'g [Gate<'s>],
    names: Names<'_>,
    notes: &mut Vec<String>,
) -> Result<Option<&'g Gate<'s>>, String> {
    let Some(first) = gates.first() else { return Ok(None) };
    let at = |gate: &Gate<'_>| gates::place(gate.file, gate.configuration.position());
    let told =
        |gate: &Gate<'_>| format!("there are {} Scopegate filters; this is the one at {}", gates.len(), at(gate));
    if gates.len() == 1 {
        return Ok(Some(first));
    }
    let serves = |gate: &&Gate<'_>| {
        let Some(envoy) = gate.envoy.as_ref() else { return false };
        !envoy.virtual_hosts.is_empty() && names.find(&envoy.virtual_hosts, LABELS).is_ok()
    };
    if !names.is_empty() || gates.iter().all(|gate| gate.envoy.is_none()) {
        let gate = gates.iter().find(serves).unwrap_or(first);
        notes.push(told(gate));
        return Ok(Some(gate));
    }
    let places: Vec<String> = gates.iter().map(at).collect();
    Err(format!(
        "there are {} Scopegate filters, and which of them a request comes to is not known: {}; name the route with \
         --route, or give the file of one",
        gates.len(),
        places.join(", ")
    ))
}

/// The place of a request in the routes of a gate. A request that never reaches the gate needs none.
fn locate<'s>(
    gate: &Gate<'s>,
    policy: &Policy,
    names: Names<'_>,
    paths: Option<PathSettings>,
    request: &Request,
) -> Result<Place<'s>, Nowhere> {
    let Some(envoy) = &gate.envoy else {
        let (route, virtual_host) = (names.route.map(str::to_owned), names.virtual_host.map(str::to_owned));
        return Ok(Place { route, virtual_host, ..Place::default() });
    };
    match paths.map(|paths| paths.apply(request.target())) {
        Some(Arrival::Passed(target)) => {
            let request = request.with_target(&target);
            let lines = Lines::new(&request.headers);
            let lines = if request.names_host { lines } else { lines.without_host() };
            placed::place(envoy, policy, (names, LABELS), &lines)
        }
        None | Some(Arrival::Refused | Arrival::Redirected(_)) => Ok(Place::default()),
    }
}

/// What the issuer says, from a file.
fn introspected(file: &str) -> Result<Answer, String> {
    let text = std::fs::read(file).map_err(|error| format!("--introspection: cannot read {file}: {error}"))?;
    Answer::read(text)
        .map_err(|why| format!("--introspection: {file}: {why}: the gate would answer 503 introspection_unavailable"))
}

/// The available keys: configured ones, and those that the user gives for issuers with remote keys.
fn key_ring(
    policy: &Policy,
    limits: Limits,
    given: &[String],
    notes: &mut Vec<String>,
) -> Result<KeyRing, Box<dyn Error>> {
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
        let keys = KeySet::parse(&bytes, limits.jwks_bytes, limits.jwks_keys)
            .map_err(|error| format!("--keys: {file}: {error}"))?;
        if !keys.skipped().is_empty() {
            notes.push(format!("some keys of {file} cannot be used; `scopegate jwks inspect` says why"));
        }
        ring.set(id, Some(Rc::new(keys)));
    }
    Ok(ring)
}
