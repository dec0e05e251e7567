//! What an issuer answers about an opaque token is what another reader of JSON finds in it, and nothing passes by it that does
//! not say that this is an access token, for this audience, and good now.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::time::UnixSeconds;
use scopegate::decision::{Basis, Decision};
use scopegate::facts::{Introspected, KeyRing, VerifiedToken};
use scopegate::jose::IntrospectionAnswer;
use scopegate::policy::{IssuerId, Policy};
use scopegate_fuzz::{NOW, OPAQUE, Options, Request, Said, StandIn, configuration, introspection, keys, policy, reached};
use serde_json::{Value, json};
use std::rc::Rc;

thread_local! {
    static POLICY: (Policy, KeyRing) = {
        let mut configuration = configuration(json!({ "rules": [] }));
        configuration["issuers"][0]["introspection"] = introspection();
        let policy = policy(configuration);
        let ring = keys(&policy);
        (policy, ring)
    };
}

/// Whether an answer about an active token says what lets it pass.
fn is_good(answer: &Value) -> bool {
    let audience = json!("https://api.example.com");
    let is_addressed = answer["aud"] == audience || answer["aud"].as_array().is_some_and(|all| all.contains(&audience));
    let of_type = answer["token_type"].as_str().is_some_and(|name| ["bearer", "dpop"].contains(&&*name.to_lowercase()));
    let is_ours = answer.get("iss").is_none_or(|iss| iss == "https://issuer.example.com/");
    let seconds = |name: &str| answer.get(name).and_then(Value::as_f64);
    let is_timely = seconds("exp").is_some_and(|exp| exp > 1_799_999_989.0)
        && ["nbf", "iat"].into_iter().all(|name| seconds(name).is_none_or(|from| from < 1_800_000_012.0));
    // No proof comes with it, and no certificate.
    is_addressed && of_type && is_ours && is_timely && answer["sub"].is_string() && answer.get("cnf").is_none()
}

fuzz_target!(|text: &[u8]| {
    let other: Option<Value> = serde_json::from_slice(text).ok();
    let active = other.as_ref().and_then(|other| other.get("active")).and_then(Value::as_bool);
    let what = match IntrospectionAnswer::parse(text.to_vec()) {
        Err(_) => return reached("introspection", "unreadable"),
        Ok(IntrospectionAnswer::Inactive) => {
            assert_eq!(active, Some(false), "{}", String::from_utf8_lossy(text));
            Introspected::Inactive
        }
        Ok(IntrospectionAnswer::Active(claims)) => {
            assert_eq!(active, Some(true), "{}", String::from_utf8_lossy(text));
            let other = other.as_ref().and_then(Value::as_object).expect("an object to another reader");
            for (name, value) in other {
                assert!(claims.has(name) && claims.text(name).as_deref() == value.as_str(), "{name}");
            }
            let ends = UnixSeconds(NOW.0 + 30);
            Introspected::Active(Rc::new(VerifiedToken::introspected(IssuerId(0), *claims, NOW, ends)))
        }
    };
    POLICY.with(|(policy, ring)| {
        let request = Request::read(b"GET\n/\nauthorization|Bearer ory_at_fuzz");
        assert!(request.headers.iter().any(|(_, value)| value.ends_with(OPAQUE)));
        let said = Said(Some(what));
        let decision = request.decide(policy, &StandIn::default(), &Options { introspections: &said, ..Options::new(ring) });
        match decision {
            Decision::Allow(grant) => {
                assert!(grant.basis == Basis::Token && other.as_ref().is_some_and(is_good), "{grant:?}");
                reached("introspection", "passes");
            }
            Decision::Deny(refusal) => reached("introspection", refusal.denial.reason().name()),
            other => panic!("undecided: {other:?}"),
        }
    });
});
