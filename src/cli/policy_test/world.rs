//! The world of the cases: a policy, keys made for the run, a fixed clock.

use super::cases::{Case, CaseBody, CaseRequest, PolicyFrom, Suite, Token};
use super::outcome::{Observed, PLACEHOLDER};
use super::token::{self, NoKey};
use crate::base::time::UnixSeconds;
use crate::cli::gates::{self, Gate, InEnvoy, find, place};
use crate::cli::identities::Documents;
use crate::cli::named::Names;
use crate::cli::normalise::{Arrival, PathSettings};
use crate::cli::not_known;
use crate::cli::placed::{self, Nowhere};
use crate::cli::routing::Lines;
use crate::cli::sign::{CaseToSign, sign_case};
use crate::cli::signing::SigningKey;
use crate::cli::source::{Source, View, any_secret};
use crate::config::{self, ConfigError, Loaded};
use crate::crypto::PureVerifier;
use crate::decision::{Decision, Need, Pending};
use crate::engine::decide;
use crate::facts::{
    Awaited, AwaitedNeeds, Body, Facts, KeyRing, KnownSurroundings, MetadataRequirement, MetadataSource,
};
use crate::policy::{Issuer, IssuerId, KeySource, Policy, Requirement, Settings};
use crate::request::RequestView;
use crate::token_cache::TokenCache;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What answers a request that never reaches the gate.
const BEFORE: &str = "Envoy answers before the gate: see its settings about paths";
/// The host of requests that name none.
const HOST: &str = "localhost";

/// The files that configure the policy.
#[derive(Debug)]
pub(super) struct Configuration {
    sources: Vec<Source>,
    /// The file of the cases, for messages on an inline policy.
    file: PathBuf,
}

impl Configuration {
    /// Reads the files that the cases name.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn read(file: &Path, suite: &Suite<'_>) -> Result<Self, Box<dyn Error>> {
        let sources = match &suite.policy {
            PolicyFrom::Files(files) => Source::read_all(files)?,
            PolicyFrom::Inline(_) => Vec::new(),
        };
        Ok(Self { sources, file: file.to_owned() })
    }
}

/// Everything that cases are decided with.
pub(super) struct World<'s> {
    suite: &'s Suite<'s>,
    policy: Policy,
    settings: Settings,
    /// The place of the gate in Envoy, if the files have it.
    envoy: Option<InEnvoy<'s>>,
    /// The identities that the gate fetches.
    identities: Documents,
    /// A key for each issuer, or why there is none.
    signing: Vec<Result<SigningKey, NoKey>>,
    /// The keys of tokens that are made for the run.
    made: KeyRing,
    /// Configured keys if there are any, otherwise the made ones: for tokens given as text.
    configured: KeyRing,
}

/// A route, as the filter sees it.
struct RouteContext {
    route: Option<String>,
    virtual_host: Option<String>,
    metadata: Option<(MetadataSource, Result<Requirement, ConfigError>)>,
    /// Whether Envoy has no route for a request that passes.
    is_unserved: bool,
}

/// Why a case has no result.
pub(super) enum Unjudged {
    /// Something is wrong with the case: its file cannot be read.
    Wrong(String),
    /// The files do not decide which route serves the request: the case fails.
    Undecided(String),
}

impl From<String> for Unjudged {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

/// The options or fields that name a route and a virtual host.
const LABELS: [&str; 2] = ["request.route", "request.virtual_host"];

impl<'s> World<'s> {
    /// Compiles the policy and makes the keys.
    ///
    /// # Errors
    /// When there is not exactly one policy, or something is wrong with it.
    pub(super) fn new(configuration: &'s Configuration, suite: &'s Suite<'s>) -> Result<Self, Box<dyn Error>> {
        let (Loaded { policy, settings, .. }, envoy) = match &suite.policy {
            PolicyFrom::Inline(view) => {
                let loaded = config::compile(view.node, &any_secret);
                let loaded = loaded.map_err(|error| gates::problems(&configuration.file, view, &error))?;
                (loaded, None)
            }
            PolicyFrom::Files(_) => {
                let Gate { file, policy, values, envoy, .. } = sole_gate(&configuration.sources)?;
                let loaded = policy.map_err(|error| gates::problems(file, &values, &error))?;
                (loaded, envoy)
            }
        };
        let mut identities = Documents::default();
        for (name, file) in &suite.identities {
            identities.add(&policy, name, file, suite.now).map_err(|why| format!("identities: {why}"))?;
        }
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
        Ok(Self { suite, policy, settings, envoy, identities, signing, made, configured })
    }

    /// Notes for the reader of the report.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let of_lists = not_known::lists(&self.settings, &[]);
        let of_statuses = not_known::statuses(&self.policy);
        let of_identities = not_known::identities(&self.policy, &self.identities);
        of_lists
            .into_iter()
            .chain(of_statuses)
            .chain(of_identities)
            .chain(not_known::used(&self.policy, &self.settings))
    }

    /// Decides a case.
    ///
    /// # Errors
    /// When it names something that does not exist, or is undecided.
    pub(super) fn decide(&self, case: &Case) -> Result<Observed, Unjudged> {
        let here = |what: String| format!("{}: {what}", case.place);
        let (token, keys) = self.token(case)?;
        let mut headers = headers(&case.request, token.as_deref()).map_err(here)?;
        let signed = signed(&self.policy, &case.request, &headers, self.suite.now);
        headers.extend(signed.map_err(|why| here(format!("request.sign: {why}")))?);
        if let Some(settings) = self.envoy.as_ref().map(|envoy| PathSettings::of(&envoy.manager))
            && let Some((_, target)) = headers.iter_mut().find(|(name, _)| name == ":path")
        {
            match settings.apply(target) {
                Arrival::Passed(seen) => *target = seen,
                Arrival::Refused => return Ok(Observed::by_envoy(400, BEFORE, token)),
                Arrival::Redirected(_) => return Ok(Observed::by_envoy(307, BEFORE, token)),
            }
        }
        let found = self.place(&case.request, &headers).map_err(|nowhere| match nowhere {
            Nowhere::Unknown(what) => Unjudged::Wrong(here(what)),
            Nowhere::Undecided(why) => Unjudged::Undecided(why),
        })?;
        let metadata = match &found.metadata {
            None => MetadataRequirement::None,
            Some((source, Ok(requirement))) => MetadataRequirement::Given(*source, requirement),
            Some((source, Err(_))) => MetadataRequirement::Unreadable(*source),
        };
        let mut lines: Vec<(&[u8], &[u8])> =
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        // As clients of a listener with TLS send it.
        lines.push((b":scheme", b"https"));
        let request = RequestView {
            headers: &lines,
            route_name: found.route.as_deref(),
            virtual_host: found.virtual_host.as_deref(),
            ends_with_headers: case.request.body == CaseBody::None,
        };
        // No further key will come.
        let revocations = self.settings.revocation.without_lists(self.suite.now);
        let surroundings = KnownSurroundings {
            now: self.suite.now,
            peer_certificate: case.request.client_certificate,
            peer_uri: case.request.client_uri.as_deref().map(Into::into),
            peer_dns: case.request.client_dns.as_deref().map(Into::into),
            source_address: None,
        };
        let offline = Facts::offline(&surroundings, keys, &PureVerifier, &revocations);
        let (introspections, identities) = (&case.introspected, &self.identities.fetched);
        let body = match &case.request.body {
            CaseBody::None => Body::Whole(b""),
            CaseBody::Any => Body::Awaited,
            CaseBody::Text(text) => Body::Whole(text.as_bytes()),
        };
        let facts =
            Facts { metadata, body, identities, introspections, awaited: AwaitedNeeds::all(Awaited::Yes), ..offline };
        let decision = decide(&self.policy, &request, &facts);
        if let Decision::Await(Pending { need: Need::Message(_), .. }) = decision {
            return Err(here("request.body: here the body is judged, so give its text or an object".to_owned()).into());
        }
        // The cache changes nothing: neither at the first use of a token nor at the second.
        let cache = TokenCache::new(self.settings.cache);
        let remembering = || decide(&self.policy, &request, &Facts { memory: &cache, ..facts });
        debug_assert!(
            (0..2).all(|_| remembering() == decision),
            "{}: with a cache it is decided otherwise",
            case.place
        );
        if found.is_unserved && matches!(decision, Decision::Allow(_)) {
            return Ok(Observed::by_envoy(404, "no route matches", token));
        }
        Ok(Observed::of(&decision, &headers, &self.policy, token))
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
        let key = key.as_ref().map_err(|NoKey(why)| here(why.clone()))?;
        Ok((Some(token::mint(key, issuer, claims, self.suite).map_err(here)?), &self.made))
    }

    /// The route of a request, named or chosen, and what its metadata asks.
    fn place(&self, request: &CaseRequest, lines: &[(String, String)]) -> Result<RouteContext, Nowhere> {
        let names = Names { route: request.route.as_deref(), virtual_host: request.virtual_host.as_deref() };
        let compile = |view: &View<'_>| config::requirement(view.node, &self.policy, &any_secret);
        let by_hand = |metadata| RouteContext {
            route: request.route.clone(),
            virtual_host: request.virtual_host.clone(),
            metadata,
            is_unserved: false,
        };
        let routed = self.envoy.as_ref().filter(|envoy| !envoy.virtual_hosts.is_empty() || request.metadata.is_none());
        match (routed, &request.metadata) {
            (Some(_), Some(_)) => Err(Nowhere::Unknown(
                "request.metadata: the files have routes with metadata; name one with `route`".to_owned(),
            )),
            (None, written) => {
                Ok(by_hand(written.as_ref().map(|written| (MetadataSource::Route, compile(&View::root(written))))))
            }
            (Some(envoy), None) => {
                let lines = Lines::new(lines);
                let names_host = request.headers.iter().any(|(name, _)| name == "host");
                let lines = if names_host { lines } else { lines.without_host() };
                let found = placed::place(envoy, &self.policy, (names, LABELS), &lines)?;
                let metadata =
                    found.metadata.map(|found| (found.beside.source, found.beside.read(&self.policy, &any_secret)));
                let (route, virtual_host) = (found.route, found.virtual_host);
                Ok(RouteContext { route, virtual_host, metadata, is_unserved: found.is_unserved })
            }
        }
    }
}

/// All header lines, pseudo-headers first. The token goes where the case puts it, otherwise into `authorization`.
fn headers(request: &CaseRequest, token: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let host = request.headers.iter().find(|(name, _)| name == "host").map_or(HOST, |(_, value)| value);
    let mut lines = vec![(":method".to_owned(), request.method.clone()), (":authority".to_owned(), host.to_owned())];
    lines.extend(request.path.as_ref().map(|path| (":path".to_owned(), path.clone())));
    lines.extend(request.headers.iter().filter(|(name, _)| name != "host").cloned());
    let is_placed = lines.iter().any(|(_, value)| value.contains(PLACEHOLDER));
    match token {
        Some(token) if is_placed => {
            lines.iter_mut().for_each(|(_, value)| *value = value.replace(PLACEHOLDER, token));
        }
        Some(token) => lines.push(("authorization".to_owned(), format!("Bearer {token}"))),
        None if is_placed => return Err(format!("request: {PLACEHOLDER} stands for the token, and the case has none")),
        None => {}
    }
    Ok(lines)
}

/// The headers that sign a request, if it is to be signed.
fn signed(
    policy: &Policy,
    request: &CaseRequest,
    lines: &[(String, String)],
    now: UnixSeconds,
) -> Result<Vec<(String, String)>, String> {
    let Some(key_id) = &request.sign else { return Ok(Vec::new()) };
    let value = |name: &str| lines.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
    let body = match &request.body {
        CaseBody::None => "",
        CaseBody::Text(text) => text,
        CaseBody::Any => return Err("its body is signed, too: give its text or an object".to_owned()),
    };
    let headers: Vec<_> = lines.iter().filter(|(name, _)| !name.starts_with(':')).cloned().collect();
    let (host, target) = (value(":authority"), value(":path"));
    let method = &request.method;
    let case = CaseToSign { key_id, method, host, target, headers: &headers, body: body.as_bytes() };
    sign_case(policy, &case, now)
}

/// The one policy in these files.
fn sole_gate(sources: &[Source]) -> Result<Gate<'_>, String> {
    let mut gates = find(sources).into_iter();
    match (gates.next(), gates.next()) {
        (None, _) => Err(gates::nothing_found(sources)),
        (Some(gate), None) => Ok(gate),
        (Some(first), Some(second)) => Err(format!(
            "{}: holds several configurations of Scopegate, such as {} and {}; name a file with one of them",
            Source::names(sources),
            place(first.file, first.configuration.position()),
            place(second.file, second.configuration.position())
        )),
    }
}
