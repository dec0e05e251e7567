//! Whatever a request holds: nothing passes by a token that has not been verified, or that is bound and not proven, or by a
//! key that is not one, remembering changes no answer, the same is decided twice, no answer holds the credential, and a
//! revocation turns no refusal into a pass.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::decision::{Basis, CredentialKind, Decision, Denial, Grant};
use scopegate::facts::{Awaited, KeyRing};
use scopegate::policy::{CacheLimits, Policy, Source};
use scopegate::revocation::{Builder, Entry, Revocations};
use scopegate::token_cache::TokenCache;
use scopegate_fuzz::{KEY, NOW, Options, Request, StandIn, configuration, key_sets, keys, policy, reached};
use serde_json::json;
use std::rc::Rc;

thread_local! {
    static POLICIES: Vec<(Policy, KeyRing)> = [
        json!({}),
        json!({ "default": { "scopes": ["a", "b"] }, "bypass_cors_preflight": true }),
        json!({ "report_only": true }),
        json!({ "dpop": { "origins": ["https://a.example.com"] }, "default": { "sender_constraint": "required" } }),
        json!({ "paths": { "allow": ["semicolon", "encoded_slash"] }, "forward": { "token": "keep" } }),
        json!({
            "dpop": { "origins": ["https://a.example.com"], "nonce": { "secret": { "env": "SECRET" } } },
            "default": { "sender_constraint": "dpop" },
        }),
        json!({ "default": { "single_use": true, "acr_values": ["phr"], "max_auth_age": "5m" } }),
        json!({
            "credentials": key_sets(),
            "default": {
                "credentials": { "any_of": ["bearer", "partners", { "all_of": ["openai", "mesh"] }] }, "scopes": ["orders:read"],
            },
        }),
        json!({ "credentials": key_sets(), "default": { "credentials": { "all_of": ["partners", "bearer"] } } }),
    ]
    .map(|more| {
        let policy = policy(configuration(more));
        let ring = keys(&policy);
        (policy, ring)
    })
    .into();
}

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
        ] {
            builder.add(&Entry::from_members(entry.as_object().expect("members")).expect("an entry"));
        }
        Revocations::new(vec![Rc::new(builder.finish())], true)
    };
}

/// Whether everything that was asked for is there: a token that the verifier took, and the key of each set.
fn is_proven(grant: &Grant, request: &Request<'_>, accepted: u32) -> bool {
    let has_key = request.headers.iter().any(|(_, value)| value.trim_ascii().ends_with(KEY.as_bytes()));
    let is_key = matches!(grant.trace.credential, Some(CredentialKind::ApiKey(_)));
    match grant.trace.sources.as_deref() {
        None => accepted > 0 && !is_key,
        // Both, and the key comes first.
        Some([Source::Set(_), Source::Tokens]) => accepted > 0 && has_key && is_key,
        Some(_) => if is_key { has_key } else { accepted > 0 },
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    POLICIES.with(|policies| {
        let (policy, ring) = &policies[usize::from(choice) % policies.len()];
        let awaited = [Awaited::No, Awaited::Yes, Awaited::InVain][usize::from(choice / 4) % 3];
        let request = Request::read(text);
        let verifier = StandIn::default();
        let options = Options { awaited, ..Options::new(ring) };
        let decision = request.decide(policy, &verifier, &options);
        if let Decision::Allow(grant) = &decision {
            let has_passed = grant.basis == Basis::Token;
            assert!(!has_passed || is_proven(grant, &request, verifier.accepted.get()), "{grant:?}");
            // There is no certificate, so a bound token passes by a proof, which has a signature too.
            let is_bound = has_passed && request.is_bound();
            assert!(!is_bound || policy.dpop.is_some() && verifier.accepted.get() > 1, "{grant:?}");
            let by_key = has_passed && matches!(grant.trace.credential, Some(CredentialKind::ApiKey(_)));
            reached("decide", if is_bound { "passes with a proof" } else if by_key { "passes with a key" } else { "passes" });
            assert!(grant.set.is_empty() && grant.identity().is_empty() || has_passed, "an identity without a token: {grant:?}");
            assert!(!matches!(grant.basis, Basis::ReportOnly(_)) || policy.report_only);
        }
        assert!(!policy.report_only || !matches!(decision, Decision::Deny(_)), "report-only refuses nothing");
        if let Decision::Deny(refusal) = &decision {
            reached("decide", refusal.denial.reason().name());
        }
        if let Decision::Await(pending) = &decision {
            assert!(awaited == Awaited::No && pending.report_only == policy.report_only, "{pending:?}");
        }
        assert_eq!(request.decide(policy, &verifier, &options), decision);
        let cache = TokenCache::new(CacheLimits::default());
        for _ in 0..2 {
            let remembering = Options { memory: &cache, ..Options { awaited, ..Options::new(ring) } };
            assert_eq!(request.decide(policy, &StandIn::default(), &remembering), decision);
        }
        REVOKED.with(|revoked| {
            let revocations = Some(revoked);
            let revoking = Options { awaited, revocations, ..Options::new(ring) };
            let decided = request.decide(policy, &StandIn::default(), &revoking);
            let is_revoked = |decision: &Decision| match decision {
                Decision::Deny(refusal) => matches!(refusal.denial, Denial::Revoked(_)),
                Decision::Allow(grant) => matches!(grant.basis, Basis::ReportOnly(Denial::Revoked(_))),
                Decision::Await(_) => false,
            };
            // Revoked it is, or as it was: what was remembered before it was revoked, too.
            assert!(decided == decision || is_revoked(&decided), "{decided:?} instead of {decision:?}");
            let remembering = Options { memory: &cache, awaited, revocations, ..Options::new(ring) };
            assert_eq!(request.decide(policy, &StandIn::default(), &remembering), decided);
        });
        let shown = format!("{decision:?}");
        assert!(!shown.contains(KEY), "{shown}");
        for (name, value) in &request.headers {
            // Text shorter than a token may be part of our own words.
            if name == b"authorization" && value.len() > 60 {
                let value = String::from_utf8_lossy(value);
                let credential = value.trim().rsplit(' ').next().unwrap_or_default();
                assert!(credential.len() < 60 || !shown.contains(credential), "{shown}");
            }
        }
    });
});
