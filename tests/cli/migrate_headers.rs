//! Headers that Istio and Envoy Gateway make of claims: what one issuer alone vouched for is not said of the tokens of another.

use crate::migrate_kubernetes::migrate_text;
use serde_json::{Value, json};

/// Rules of Istio for these issuers, with further members each.
fn istio(issuers: &[(&str, &str)]) -> String {
    let rules = issuers.iter().map(|(issuer, more)| {
        format!("  - {{issuer: '{issuer}', audiences: [x], jwksUri: http://keys.n.svc/{issuer}, {more}}}\n")
    });
    format!(
        "apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: a, namespace: shop}}
spec:
  selector: {{matchLabels: {{istio: ingressgateway}}}}
  jwtRules:
{}",
        rules.collect::<String>()
    )
}

/// The same as a policy of Envoy Gateway.
fn gateway(issuers: &[(&str, &str)]) -> String {
    let providers = issuers.iter().map(|(issuer, more)| {
        let more = more.replace("outputClaimToHeaders", "claimToHeaders");
        format!(
            "    - {{name: '{issuer}', issuer: '{issuer}', audiences: [x], remoteJWKS: {{uri: 'https://keys/{issuer}'}}, {more}}}\n"
        )
    });
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: p, namespace: shop}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: g}}]
  jwt:
    providers:
{}",
        providers.collect::<String>()
    )
}

#[test]
fn a_header_is_set_only_if_the_tokens_of_all_issuers_make_it_of_one_claim() {
    let of = |header: &str, claim: &str| format!("outputClaimToHeaders: [{{header: {header}, claim: {claim}}}]");
    let (role, email) = (of("x-role", "role"), of("X-Role", "email"));
    let (role, email) = (role.as_str(), email.as_str());
    let strange = format!("strange: 1, {role}");
    let alone = |names: &str| {
        format!(
            "`x-role` was made of the tokens of {names} alone; a header is set of every issuer's tokens or of none, so it is removed \
             from requests, and is no longer sent"
        )
    };
    let another = || "`x-role` had another claim for each issuer".to_owned();
    let refused = || "`x-role` was made of tokens that are not accepted now: it is removed".to_owned();
    let removed = json!({"remove": ["x-role"]});
    let set = json!({"headers": {"x-role": "role"}});
    for (issuers, forward, told, status) in [
        (vec![("a", role)], &set, None, 0),
        (vec![("a", role), ("b", role)], &set, None, 0),
        (vec![("a", role), ("b", "")], &removed, Some(("denied", alone("`a`"))), 2),
        (vec![("a", ""), ("b", role)], &removed, Some(("denied", alone("`b`"))), 2),
        (vec![("a", role), ("b", role), ("c", "")], &removed, Some(("denied", alone("`a`, `b`"))), 2),
        (vec![("a", role), ("b", email), ("c", "")], &removed, Some(("denied", alone("`a`, `b`"))), 2),
        (vec![("a", role), ("b", email)], &removed, Some(("changed", another())), 0),
        // The tokens of the second are not accepted, and make no header.
        (vec![("a", role), ("b", "strange: 1")], &set, None, 2),
        (vec![("a", role), ("", "")], &set, None, 2),
        (vec![("a", ""), ("b", &strange)], &removed, Some(("changed", refused())), 2),
        (vec![("a", ""), ("", role)], &removed, Some(("changed", refused())), 2),
        (vec![("a", ""), ("a", role)], &removed, Some(("changed", refused())), 2),
    ] {
        for text in [istio(&issuers), gateway(&issuers)] {
            let made = migrate_text(&text);
            let mut own: Value = made.plugins[0]["forward"].clone();
            own.as_object_mut().unwrap().remove("token");
            assert_eq!(own, *forward, "{text}");
            let about = made.findings.iter().filter(|[_, _, what]| what.contains("`x-role`"));
            let about: Vec<(&str, &str)> = about.map(|[kind, _, what]| (kind.as_str(), what.as_str())).collect();
            let is_told = match &told {
                Some((kind, what)) => matches!(about[..], [(own, said)] if own == *kind && said.contains(what)),
                None => about.is_empty(),
            };
            assert!(is_told && made.run.status == status, "{text}: {:#?}", made.findings);
        }
    }
}
