//! A small world to decide in: one issuer, one audience, a fixed clock.

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, Token};
use scopegate::base::time::UnixSeconds;
use scopegate::config::{self, Loaded, Node};
use scopegate::crypto::{Algorithm, PureVerifier};
use scopegate::decision::{Basis, Decision, FurtherReasons, Grant, Need, NeedKind, Reason};
use scopegate::engine::{decide, further};
use scopegate::facts::{
    Awaited, AwaitedNeeds, Body, Facts, KeyRing, KnownSurroundings, MetadataRequirement, MetadataSource, NoMemory,
    ReplayStore, StatusLists, TokenMemory,
};
use scopegate::policy::{CacheLimits, IssuerId, KeySource, Policy, Requirement};
use scopegate::request::RequestView;
use scopegate::revocation::Revocations;
use scopegate::token_cache::{CacheCounts, TokenCache};
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::LazyLock;

/// The time at which everything is decided.
pub const NOW: i64 = 1_800_000_000;

/// The issuer of most tests.
pub static DEMO: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::Es256, "a"));
/// Another issuer, whose key has the same `kid`.
pub static OTHER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::Es256, "a"));

/// A token of [`DEMO`] that is good in every respect.
pub fn token() -> Token<'static> {
    DEMO.token(NOW)
}

/// A configuration that accepts it, with these members beside `issuers`.
pub fn config(members: Value) -> Value {
    with_issuer(json!({}), members)
}

/// A configuration with these members in the issuer's entry too.
pub fn with_issuer(issuer: Value, members: Value) -> Value {
    let mut entry =
        json!({ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": DEMO.jwks() } });
    extend(&mut entry, issuer);
    let mut config = json!({ "issuers": [entry] });
    extend(&mut config, members);
    config
}

/// Puts the members of one object into another.
pub fn extend(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// Compiles a configuration that must be good.
pub fn compiled(config: &Value) -> Loaded {
    match config::compile(&Node::from(config.clone()), &environment) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{error}\n{config:#}"),
    }
}

/// The policy of a configuration that must be good.
pub fn policy(config: &Value) -> Policy {
    compiled(config).policy
}

/// The environment of the tests.
pub fn environment(name: &str) -> Option<String> {
    match name {
        "SECRET_32" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned()),
        "SIGNING" => Some(crate::support::signer::SECRET.to_owned()),
        "SIGNING_NEXT" => Some("5a1f0e7c9b3d4826a7e1c0d9f8b6a5e4".to_owned()),
        "SECRET_31" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg".to_owned()),
        "SECRET_64" => Some(scopegate::base::base64url::encode(&(0..64).collect::<Vec<u8>>())),
        "KEY_20" => Some("0123456789abcdefghij".to_owned()),
        "KEY_19" => Some("0123456789abcdefghi".to_owned()),
        "KEY_SPACED" => Some("0123456789 abcdefghij".to_owned()),
        "SECRET_PADDED" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()),
        _ => None,
    }
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It has none.
    Nothing,
    /// It has not come.
    Awaited,
    /// This is all of it.
    Whole(Vec<u8>),
    /// This is all of it, and trailers follow.
    WithTrailers(Vec<u8>),
    /// It is longer than what is read.
    TooLarge,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: String,
    pub target: Option<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub now: i64,
    pub awaited: Awaited,
    pub awaited_lists: Awaited,
    /// What is revoked, where it is not what the configuration says.
    pub revocations: Option<Revocations>,
    /// The digest of the certificate that the client shows.
    pub peer_certificate: Option<[u8; 32]>,
    /// Its first URI.
    pub peer_uri: Option<Rc<str>>,
    /// Its first DNS name.
    pub peer_dns: Option<Rc<str>>,
    /// The address of its client, with the port.
    pub source_address: Option<Rc<str>>,
    /// The status lists that are there.
    pub statuses: Option<Rc<StatusLists>>,
    pub awaited_status: Awaited,
    /// What the route's metadata asks.
    pub metadata: Option<Rc<Requirement>>,
    /// The names of its virtual host and its route.
    pub names: [Option<String>; 2],
    /// Whether anything shows what a refused token has.
    pub shows_mismatch: bool,
    pub body: Sent,
}

pub fn get(target: &str) -> Ask {
    Ask {
        method: "GET".to_owned(),
        target: Some(target.to_owned()),
        headers: Vec::new(),
        now: NOW,
        awaited: Awaited::No,
        awaited_lists: Awaited::No,
        revocations: None,
        peer_certificate: None,
        peer_uri: None,
        peer_dns: None,
        source_address: None,
        statuses: None,
        awaited_status: Awaited::No,
        metadata: None,
        names: [None, None],
        shows_mismatch: true,
        body: Sent::Nothing,
    }
}

/// The keys that a configuration holds.
pub fn configured_keys(policy: &Policy) -> KeyRing {
    let mut ring = KeyRing::default();
    for (index, issuer) in policy.issuers.iter().enumerate() {
        if let KeySource::Configured(keys) = &issuer.keys {
            ring.set(IssuerId(index), Some(Rc::clone(keys)));
        }
    }
    ring
}

impl Ask {
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn method(self, method: &str) -> Self {
        Self { method: method.to_owned(), ..self }
    }

    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        let value = format!("Bearer {}", token.as_ref());
        self.header("authorization", value)
    }

    /// This request on a connection whose client has shown a certificate of this digest.
    pub fn certificate(self, digest: [u8; 32]) -> Self {
        Self { peer_certificate: Some(digest), ..self }
    }

    /// This request on a route whose metadata asks this.
    pub fn under(self, requirement: Requirement) -> Self {
        Self { metadata: Some(Rc::new(requirement)), ..self }
    }

    /// This request on a route with these names: that of its virtual host, and its own.
    pub fn on_route(self, names: [Option<&str>; 2]) -> Self {
        Self { names: names.map(|name| name.map(str::to_owned)), ..self }
    }

    /// Decides this request under a configuration, with the tokens that its own entries revoke.
    pub fn decide_under(&self, config: &Value) -> Decision {
        let Loaded { policy, settings, .. } = compiled(config);
        let configured = || settings.revocation.without_lists(UnixSeconds(self.now));
        let revocations = self.revocations.clone().unwrap_or_else(configured);
        Self { revocations: Some(revocations), ..self.clone() }.decide(&policy)
    }

    /// Decides this request under a policy.
    pub fn decide(&self, policy: &Policy) -> Decision {
        self.decide_with(policy, &configured_keys(policy))
    }

    /// Decides this request with these keys.
    pub fn decide_with(&self, policy: &Policy, keys: &KeyRing) -> Decision {
        let decision = self.decide_by(policy, keys, &NoMemory);
        // Remembering changes nothing: neither when the token comes first nor when it comes again.
        let cache = TokenCache::new(CacheLimits::default());
        for time in ["the first time", "the second time"] {
            assert_eq!(self.decide_by(policy, keys, &cache), decision, "with a cache, {time}: {self:?}");
        }
        decision
    }

    /// Decides this request with these keys and what is remembered.
    pub fn decide_by(&self, policy: &Policy, keys: &KeyRing, memory: &dyn TokenMemory) -> Decision {
        self.judge(keys, memory, |view, facts| decide(policy, view, facts))
    }

    /// Decides this request, and tells for what further reasons it would be refused.
    pub fn decide_further(&self, policy: &Policy, keys: &KeyRing) -> (Decision, FurtherReasons) {
        let decision = self.decide_with(policy, keys);
        let cache = TokenCache::new(CacheLimits::default());
        let told = |memory| self.judge(keys, memory, |view, facts| further(policy, view, facts, &decision));
        let reasons = told(&NoMemory);
        self.decide_by(policy, keys, &cache);
        let counts = cache.take_counts();
        assert_eq!(told(&cache), reasons, "what is remembered changes nothing: {self:?}");
        assert_eq!(cache.take_counts(), CacheCounts::default(), "and counts nothing after {counts:?}");
        (decision, reasons)
    }

    /// Decides this request with what has been used.
    pub fn decide_after(&self, policy: &Policy, replay: &dyn ReplayStore) -> Decision {
        let keys = configured_keys(policy);
        self.judge(&keys, &NoMemory, |view, facts| decide(policy, view, &Facts { replay, ..*facts }))
    }

    /// Has this request judged.
    pub fn judge<R>(
        &self,
        keys: &KeyRing,
        memory: &dyn TokenMemory,
        judged: impl FnOnce(&RequestView<'_>, &Facts<'_>) -> R,
    ) -> R {
        let mut headers: Vec<(&[u8], &[u8])> = vec![(b":method", self.method.as_bytes())];
        if !self.headers.iter().any(|(name, _)| name == ":authority") {
            headers.push((b":authority", b"api.example.com"));
        }
        if let Some(target) = &self.target {
            headers.push((b":path", target.as_bytes()));
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
        let [virtual_host, route_name] = [0, 1].map(|index: usize| self.names[index].as_deref());
        let view =
            RequestView { headers: &headers, route_name, virtual_host, ends_with_headers: self.body == Sent::Nothing };
        let body = match &self.body {
            Sent::Nothing | Sent::Awaited => Body::Awaited,
            Sent::Whole(bytes) => Body::Whole(bytes),
            Sent::WithTrailers(bytes) => Body::WithTrailers(bytes),
            Sent::TooLarge => Body::TooLarge,
        };
        let none = Revocations::none();
        let surroundings = KnownSurroundings {
            now: UnixSeconds(self.now),
            peer_certificate: self.peer_certificate,
            peer_uri: self.peer_uri.clone(),
            peer_dns: self.peer_dns.clone(),
            source_address: self.source_address.clone(),
        };
        let offline = Facts::offline(&surroundings, keys, &PureVerifier, self.revocations.as_ref().unwrap_or(&none));
        let asks = |requirement| MetadataRequirement::Given(MetadataSource::Route, requirement);
        let awaited = AwaitedNeeds::all(self.awaited)
            .with(NeedKind::Revocations, self.awaited_lists)
            .with(NeedKind::StatusList, self.awaited_status);
        let metadata = self.metadata.as_deref().map_or(MetadataRequirement::None, asks);
        let facts = Facts {
            memory,
            statuses: self.statuses.as_deref(),
            metadata,
            body,
            awaited,
            shows_mismatch: self.shows_mismatch,
            ..offline
        };
        judged(&view, &facts)
    }

    /// The reason for which it is refused under this configuration; `None` when it is not.
    pub fn refused(&self, config: &Value) -> Option<Reason> {
        match self.decide_under(config) {
            Decision::Allow(_) => None,
            Decision::Deny(refusal) => Some(refusal.denial.reason()),
            other => panic!("undecided: {other:?}"),
        }
    }

    /// The grant that it gets under this configuration.
    pub fn granted(&self, config: &Value) -> Grant {
        match self.decide_under(config) {
            Decision::Allow(grant) => grant,
            other => panic!("not allowed: {other:?}"),
        }
    }
}

/// What a decision awaits.
pub fn awaited(decision: &Decision) -> Option<&Need> {
    match decision {
        Decision::Await(pending) => Some(&pending.need),
        Decision::Allow(_) | Decision::Deny(_) | Decision::Serve(_) | Decision::Receive(_) => None,
    }
}

/// The reason that a report-only decision would have refused for.
pub fn reported(grant: &Grant) -> Option<Reason> {
    match &grant.basis {
        Basis::ReportOnly(denial) => Some(denial.reason()),
        _ => None,
    }
}
