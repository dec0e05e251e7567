//! Whatever is pushed as an event: nothing is taken without a signature, what is taken revokes tokens of its sender alone, and
//! not more than so many; the same is decided twice, and no answer holds what was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::base64url;
use scopegate::challenge::{Terms, received, render};
use scopegate::crypto::{PureVerifier, Verifier};
use scopegate::decision::{Decision, Denial};
use scopegate::facts::{Awaited, Body, KeyRing};
use scopegate::policy::{EventKeys, Policy};
use scopegate::revocation::EntryKind;
use scopegate::security_event::MOST_ENTRIES;
use scopegate_fuzz::{NOW, Options, Request, StandIn, configuration, event_senders, keys, policy, reached};
use serde_json::{Value, json};

thread_local! {
    static POLICY: (Policy, KeyRing) = {
        let policy = policy(configuration(json!({ "events": event_senders() })));
        let ring = keys(&policy);
        (policy, ring)
    };
}

/// Whether the claims of the token in a body are those of this sender, for the gate.
fn is_of(body: &[u8], issuer: &str) -> bool {
    let payload = body.split(|&byte| byte == b'.').nth(1).and_then(base64url::decode);
    let claims: Option<Value> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.is_some_and(|claims| {
        let aud = &claims["aud"];
        let is_gate = |name: &Value| name == "gate";
        claims["iss"] == issuer && (is_gate(aud) || aud.as_array().is_some_and(|names| names.iter().any(is_gate)))
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    // The headers, an empty line, and the body.
    let end = text.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((text, None), |end| (&text[..end], Some(&text[end + 2..])));
    let lines = [b"POST\n/events\n", head].concat();
    let request = Request { ends_with_headers: body.is_none(), ..Request::read(&lines) };
    let awaited = [Awaited::No, Awaited::Yes, Awaited::InVain][usize::from(choice) % 3];
    let sent = match (choice / 3 % 4, body) {
        (3, _) => Body::TooLarge,
        (2, Some(body)) => Body::WithTrailers(body),
        (_, Some(body)) => Body::Whole(body),
        (_, None) => Body::Awaited,
    };
    POLICY.with(|(policy, ring)| {
        let decide = |verifier: &dyn Verifier| {
            request.decide(policy, verifier, &Options { awaited, body: sent, ..Options::new(ring) })
        };
        let decision = decide(&PureVerifier);
        assert!(
            matches!(decision, Decision::Deny(_) | Decision::Await(_)),
            "its signature was not verified: {decision:?}"
        );
        let verifier = StandIn::default();
        let decision = decide(&verifier);
        match &decision {
            Decision::Receive(event) => {
                assert!(verifier.accepted.get() > 0, "it is taken as signed");
                let events = policy.events.as_ref().expect("events");
                let source = &events.sources[event.source];
                let body = body.expect("a body");
                assert!(!event.id.is_empty() && event.entries.len() <= MOST_ENTRIES, "{event:?}");
                // In a form the claims may be in escapes.
                assert!(is_of(body, &source.issuer) || body.contains(&b'%') || body.contains(&b'&'), "{event:?}");
                for entry in &event.entries {
                    match source.keys {
                        EventKeys::Issuer(_) => {
                            assert_eq!(entry.authority(), Some(source.issuer.as_str()), "{entry:?}");
                            let kinds = [EntryKind::TokenId, EntryKind::Subject, EntryKind::Session];
                            assert!(kinds.contains(&entry.kind()), "{entry:?}");
                            assert!(entry.needed_until().is_some_and(|until| until > NOW), "{entry:?}");
                        }
                        EventKeys::Operator(_) => {
                            let is_known = |iss: &str| policy.issuers.iter().any(|issuer| issuer.issuer == iss);
                            assert!(entry.authority().is_none_or(is_known) && event.entries.len() == 1, "{entry:?}");
                        }
                    }
                }
                let reply = received(event);
                assert!(matches!(reply.status, 200 | 202) && reply.body.is_empty());
                reached(
                    "security_event",
                    &format!("{} of {}, {} entries", reply.status, source.name, event.entries.len().min(2)),
                );
            }
            Decision::Deny(refusal) => {
                let reply = render(&refusal.denial, &refusal.trace, &Terms::default(), false);
                let answer: Value = serde_json::from_str(&reply.body).expect("JSON");
                let known = match &refusal.denial {
                    Denial::InvalidEvent(event) => {
                        reached("security_event", event.why);
                        reply.status == 400 && (answer["err"].is_string() || answer["error"].is_string())
                    }
                    Denial::BodyTooLarge { .. } => reply.status == 413,
                    Denial::KeysUnavailable => reply.status == 503 && awaited != Awaited::No,
                    other => panic!("{other:?}"),
                };
                assert!(known, "{refusal:?}: {reply:?}");
            }
            Decision::Await(pending) => {
                assert!(!pending.report_only && pending.grant.is_none() && verifier.accepted.get() == 0, "{pending:?}");
                reached("security_event", "something is awaited");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(decide(&verifier), decision);
    });
});
