//! Whatever a request holds: nothing passes by a token that has not been verified, or that is bound and not proven, or by a
//! key, a password or a certificate that is not one, or that a page of another site had sent; remembering changes no answer,
//! the same is decided twice, no answer holds the credential, and a revocation turns no refusal into a pass.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::members::Members;
use scopegate::base::time::UnixSeconds;
use scopegate::decision::{Basis, CredentialKind, Decision, Denial, Grant, Need};
use scopegate::facts::{Awaited, Introspected, KeyRing, VerifiedToken};
use scopegate::jose::Claims;
use scopegate::policy::{CacheLimits, IssuerId, Policy};
use scopegate::revocation::{Builder, Entry, Revocations};
use scopegate::token_cache::TokenCache;
use scopegate_fuzz::{
    CERTIFICATE, KEY, NOW, OPAQUE, Options, PASSWORD, Request, Said, StandIn, ambient_sets, configuration, event_senders,
    introspection, key_sets, keys, policy, reached, staff,
};
use serde_json::{Value, json};
use std::rc::Rc;

/// Every set there is.
fn sets() -> Value {
    let Value::Array(keys) = key_sets() else { panic!("a list") };
    keys.into_iter().chain([staff()]).chain(ambient_sets()).collect()
}

/// Two issuers whose tokens are where those of others are not: one is asked about opaque tokens and has a header and the
/// subprotocols.
fn elsewhere(more: Value) -> Value {
    let mut all = configuration(more);
    all["issuers"][0]["introspection"] = introspection();
    all["issuers"][0]["websocket_protocol"] = json!(true);
    all["issuers"][1]["token_header"] = json!({ "name": "x-partner-token", "prefix": "Token " });
    all
}

/// A set of signed requests beside tokens.
fn signed(mut set: Value) -> Value {
    set["name"] = json!("machines");
    set["identities"] = json!([{ "id": "AKID", "scopes": ["orders:read"], "secrets": [{ "env": "SECRET" }] }]);
    configuration(json!({ "credentials": [set], "default": { "credentials": { "any_of": ["bearer", "machines"] } } }))
}

thread_local! {
    static POLICIES: Vec<(Policy, KeyRing)> = [
        configuration(json!({})),
        configuration(json!({ "default": { "scopes": ["a", "b"] }, "bypass_cors_preflight": true })),
        configuration(json!({ "report_only": true })),
        configuration(json!({
            "dpop": { "origins": ["https://a.example.com"] }, "default": { "sender_constraint": "required" },
        })),
        configuration(json!({ "paths": { "allow": ["semicolon", "encoded_slash"] }, "forward": { "token": "keep" } })),
        configuration(json!({
            "dpop": { "origins": ["https://a.example.com"], "nonce": { "secret": { "env": "SECRET" } } },
            "default": { "sender_constraint": "dpop" },
        })),
        configuration(json!({ "default": { "single_use": true, "acr_values": ["phr"], "max_auth_age": "5m" } })),
        configuration(json!({
            "credentials": key_sets(),
            "default": {
                "credentials": { "any_of": ["bearer", "partners", { "all_of": ["openai", "mesh"] }] }, "scopes": ["orders:read"],
            },
        })),
        configuration(json!({ "credentials": key_sets(), "default": { "credentials": { "all_of": ["partners", "bearer"] } } })),
        elsewhere(json!({})),
        elsewhere(json!({ "forward": { "token": "keep" }, "default": { "csrf": { "origins": ["https://a.example.com"] } } })),
        elsewhere(json!({
            "credentials": sets(),
            "default": { "credentials": { "any_of": ["bearer", "staff", "web", { "all_of": ["staff", "mesh"] }, "workloads"] } },
        })),
        configuration(json!({
            "credentials": sets(),
            "default": { "credentials": { "all_of": ["staff", "workloads", "partners"] }, "allow_missing": true },
        })),
        elsewhere(json!({ "credentials": sets(), "default": { "credentials": { "all_of": ["mesh", "web"] } } })),
        signed(json!({ "aksk": { "form": "sigv4", "regions": ["eu"], "services": ["s3", "orders"] } })),
        signed(json!({ "aksk": { "form": "apinto" } })),
        signed(json!({ "signature": { "nonce": "optional" } })),
        configuration(json!({ "report_only": true, "events": event_senders() })),
    ]
    .map(|configuration| {
        let policy = policy(configuration);
        let ring = keys(&policy);
        (policy, ring)
    })
    .into();

    /// What the first issuer says of its opaque token.
    static ACTIVE: Said = {
        let answer = json!({
            "active": true, "token_type": "Bearer", "sub": "alice", "aud": "https://api.example.com", "exp": 1_800_000_300,
            "scope": "orders:read", "jti": "opaque",
        });
        let claims = Claims::from_members(Members::parse(answer.to_string().into_bytes()).expect("members"));
        let claims = claims.unwrap_or_else(|_| panic!("no claims"));
        let ends = UnixSeconds(NOW.0 + 30);
        Said(Some(Introspected::Active(Rc::new(VerifiedToken::introspected(IssuerId(0), claims, NOW, ends)))))
    };
}

/// The policies whose every source is asked for.
const ALL_OF: [usize; 3] = [8, 12, 13];

thread_local! {
    static REVOKED: Revocations = {
        let mut builder = Builder::new(NOW);
        for entry in [
            json!({ "iss": "https://issuer.example.com/", "jti": "x" }),
            json!({ "iss": "https://issuer.example.com/", "kid": "b" }),
            json!({ "iss": "https://issuer.example.com/", "sub": "alice", "issued_before": 1_799_999_999 }),
            json!({ "iss": "https://issuer.example.com/", "client_id": "c", "issued_before": 1_800_000_001 }),
            json!({ "iss": "https://issuer.example.com/", "sid": "s" }),
            json!({ "credential": "mesh", "id": "acme" }),
            json!({ "credential": "staff", "id": "ann" }),
            json!({ "iss": "https://issuer.example.com/", "jti": "opaque" }),
        ] {
            builder.add(&Entry::from_members(entry.as_object().expect("members")).expect("an entry"));
        }
        Revocations::new(vec![Rc::new(builder.finish())], true)
    };
}

/// Whether what is named is there: a token that the verifier or its issuer took, a good key, a good password, the
/// certificate.
fn is_there(kind: CredentialKind, request: &Request<'_>, accepted: u32) -> bool {
    let any = |holds: &dyn Fn(&[u8]) -> bool| request.headers.iter().any(|(_, value)| holds(value.trim_ascii()));
    match kind {
        CredentialKind::Bearer | CredentialKind::Dpop | CredentialKind::Cookie(_) => {
            accepted > 0 || any(&|value| value.windows(OPAQUE.len()).any(|part| part == OPAQUE))
        }
        CredentialKind::ApiKey(_) => any(&|value| value.ends_with(KEY.as_bytes())),
        // Base64 of `ann:` and what the password begins with.
        CredentialKind::Password(_) => any(&|value| value.windows(12).any(|part| part == b"YW5uOmE6Z29v")),
        CredentialKind::Certificate(_) => request.certificate == Some(CERTIFICATE),
        // Without the secret none is good.
        CredentialKind::Aksk(_) | CredentialKind::Signature(_) => false,
    }
}

/// Whether everything that was asked for is there.
fn is_proven(grant: &Grant, policy: &Policy, all: bool, request: &Request<'_>, accepted: u32) -> bool {
    let kind = grant.trace.credential.expect("it passes by something");
    let sources = grant.trace.sources.as_deref().unwrap_or_default().iter().filter(|_| all);
    let mut others = sources.map(|source| match source {
        scopegate::policy::Source::Tokens => CredentialKind::Bearer,
        scopegate::policy::Source::Set(id) => CredentialKind::of_set(*id, &policy.credentials[id.0].kind),
    });
    let is_from_here = request.headers.iter().any(|(name, _)| name == b"origin" || name == b"sec-fetch-site");
    is_there(kind, request, accepted)
        && others.all(|kind| is_there(kind, request, accepted))
        && (is_from_here || !matches!(kind, CredentialKind::Cookie(_)))
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    POLICIES.with(|policies| ACTIVE.with(|introspections| {
        let place = usize::from(choice) % policies.len();
        let (policy, ring) = &policies[place];
        let awaited = [Awaited::No, Awaited::Yes, Awaited::InVain][usize::from(choice / 16) % 3];
        let request = Request::read(text);
        let verifier = StandIn::default();
        let told = || Options { awaited, introspections, ..Options::new(ring) };
        let options = told();
        let decision = request.decide(policy, &verifier, &options);
        if let Decision::Allow(grant) = &decision {
            let has_passed = grant.basis == Basis::Token;
            let accepted = verifier.accepted.get();
            assert!(!has_passed || is_proven(grant, policy, ALL_OF.contains(&place), &request, accepted), "{grant:?}");
            // There is no certificate, so a bound token passes by a proof, which has a signature too.
            let is_bound = has_passed && request.is_bound();
            assert!(!is_bound || policy.dpop.is_some() && verifier.accepted.get() > 1, "{grant:?}");
            reached("decide", match grant.trace.credential.filter(|_| has_passed) {
                _ if is_bound => "passes with a proof",
                Some(CredentialKind::ApiKey(_)) => "passes with a key",
                Some(CredentialKind::Password(_)) => "passes with a password",
                Some(CredentialKind::Cookie(_)) => "passes with a cookie",
                Some(CredentialKind::Certificate(_)) => "passes with a certificate",
                Some(_) if accepted == 0 => "passes with an opaque token",
                _ => "passes",
            });
            assert!(grant.set.is_empty() && grant.identity().is_empty() || has_passed, "an identity without a token: {grant:?}");
            assert!(!matches!(grant.basis, Basis::ReportOnly(_)) || policy.report_only);
        }
        let is_refused = matches!(&decision, Decision::Deny(refusal) if !matches!(refusal.denial, Denial::InvalidEvent(_)));
        assert!(!policy.report_only || !is_refused, "report-only refuses nothing but events");
        if let Decision::Deny(refusal) = &decision {
            reached("decide", refusal.denial.reason().name());
        }
        if let Decision::Await(pending) = &decision {
            // Nothing that is pushed is reported only, and its body does not come here.
            let is_pushed = matches!(pending.need, Need::Message(_));
            let is_due = awaited == Awaited::No && pending.report_only == policy.report_only;
            assert!(is_due || is_pushed && policy.events.is_some(), "{pending:?}");
            reached("decide", if is_pushed { "an event is awaited" } else { "something is awaited" });
        }
        assert_eq!(request.decide(policy, &verifier, &options), decision);
        let cache = TokenCache::new(CacheLimits::default());
        for _ in 0..2 {
            let remembering = Options { memory: &cache, ..told() };
            assert_eq!(request.decide(policy, &StandIn::default(), &remembering), decision);
        }
        REVOKED.with(|revoked| {
            let revocations = Some(revoked);
            let revoking = Options { revocations, ..told() };
            let decided = request.decide(policy, &StandIn::default(), &revoking);
            let is_revoked = |decision: &Decision| match decision {
                Decision::Deny(refusal) => matches!(refusal.denial, Denial::Revoked(_)),
                Decision::Allow(grant) => matches!(grant.basis, Basis::ReportOnly(Denial::Revoked(_))),
                Decision::Serve(_) | Decision::Receive(_) | Decision::Await(_) => false,
            };
            // Revoked it is, or as it was: what was remembered before it was revoked, too.
            assert!(decided == decision || is_revoked(&decided), "{decided:?} instead of {decision:?}");
            let remembering = Options { memory: &cache, revocations, ..told() };
            assert_eq!(request.decide(policy, &StandIn::default(), &remembering), decided);
        });
        let shown = format!("{decision:?}");
        for secret in [KEY, PASSWORD, "YW5uOmE6Z29v"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        for (name, value) in &request.headers {
            // Text shorter than a token may be part of our own words.
            if name == b"authorization" && value.len() > 60 {
                let value = String::from_utf8_lossy(value);
                let credential = value.trim().rsplit(' ').next().unwrap_or_default();
                assert!(credential.len() < 60 || !shown.contains(credential), "{shown}");
            }
        }
    }));
});
