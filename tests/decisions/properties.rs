//! What holds for every token, every request and every policy.

use crate::audit::read_struct;
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::world::{Ask, DEMO, NOW, OTHER, config, configured_keys, extend, get, policy, token};
use proptest::prelude::*;
use proptest::sample::select;
use scopegate::audit::AuditRecord;
use scopegate::base::base64url;
use scopegate::config::{Node, requirement};
use scopegate::decision::{Basis, Decision, Need};
use scopegate::facts::{Awaited, KeyRing};
use scopegate::policy::{AuditSettings, Authority, Policy};
use scopegate::revocation::Revocations;
use serde_json::{Value, json};

/// Whether it goes on, and not only because nothing is refused.
fn passes(decision: &Decision) -> bool {
    matches!(decision, Decision::Allow(grant) if !matches!(grant.basis, Basis::ReportOnly(_)))
}

/// Requests with a credential of any kind, or none.
fn asks() -> impl Strategy<Value = Ask> {
    let claims = (
        select(vec!["orders:read", "orders:read orders:write", "", "admin"]),
        select(vec![-10_000_i64, -31, -30, 0, 1, 300]),
        select(vec![json!(AUDIENCE), json!(["a", AUDIENCE]), json!("https://evil.example.com")]),
        select(vec![json!(null), json!("admin"), json!(["admin", "ops"])]),
        select(vec!["at+jwt", "JWT", "dpop+jwt"]),
        select(vec![0_i64, -3600, 10, 100]),
    );
    let credential = prop_oneof![
        6 => (claims, any::<bool>()).prop_map(|((scope, exp, aud, role, typ, iat), other_key)| {
            let token = if other_key { OTHER.token(NOW) } else { token() };
            let token = token.scope(scope).claim("exp", NOW + exp).claim("aud", aud).claim("role", role);
            Some(format!("Bearer {}", token.header("typ", typ).claim("iat", NOW + iat).claim("jti", "id-1").sign()))
        }),
        1 => Just(None),
        1 => "(Bearer|Basic|bearer) [A-Za-z0-9._-]{1,60}".prop_map(Some),
        1 => "\\PC{0,30}".prop_map(Some),
    ];
    let target =
        select(vec!["/orders/1", "/public", "/optional", "/a/../b", "/?access_token=x", "/admin?x=1", "/%6frders/1"]);
    (credential, target, any::<bool>()).prop_map(|(credential, target, forges)| {
        let ask = credential.iter().fold(get(target), |ask, value| ask.header("authorization", value));
        if forges { ask.header("x-auth-subject", "root") } else { ask }
    })
}

/// Requirements, from none to strict.
fn requirements() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!({ "public": true }),
        json!({ "allow_missing": true }),
        json!({ "scopes": ["orders:read"] }),
        json!({ "scopes": { "any_of": ["orders:read", "admin"] } }),
        json!({ "token_types": ["JWT", "at+jwt"] }),
        json!({ "claims": [{ "claim": "role", "equals": "admin" }] }),
        json!({ "report_only": true, "scopes": ["admin"] }),
    ])
}

fn rules(first: Value) -> Value {
    let mut orders = json!({ "match": { "prefix": "/orders" } });
    extend(&mut orders, first);
    json!([
        orders,
        { "match": { "path": "/public" }, "public": true },
        { "match": { "path": "/optional" }, "allow_missing": true },
    ])
}

/// Restrictions of a whole configuration, as a change of it.
fn restrictions() -> impl Strategy<Value = (&'static str, Value)> {
    let digest = "AAAAAAAAAAAAAAAAAAAAAA";
    select(vec![
        ("revocation", json!({ "entries": [{ "iss": ISSUER, "jti": "id-1" }, { "fingerprint": digest }] })),
        ("revocation", json!({ "entries": [{ "iss": ISSUER, "sub": "alice", "issued_before": NOW + 1 }] })),
        ("revocation", json!({ "entries": [{ "iss": ISSUER, "kid": "a" }] })),
        ("query_tokens", json!({ "names": ["x"] })),
        ("limits", json!({ "token_bytes": 256 })),
        ("issuer", json!({ "leeway": "0s" })),
        ("issuer", json!({ "max_lifetime": "1m" })),
        ("issuer", json!({ "required_claims": ["role"] })),
        ("issuer", json!({ "algorithms": ["EdDSA", "ES256"] })),
    ])
}

/// Restrictions of one requirement.
fn narrower() -> impl Strategy<Value = Value> {
    select(vec![
        json!({ "scopes": ["orders:read", "orders:write"] }),
        json!({ "claims": [{ "claim": "role", "equals": "admin" }, { "claim": "sub", "equals": "alice" }] }),
        json!({ "max_lifetime": "1m" }),
        json!({ "max_token_age": "1m" }),
        json!({ "acr_values": ["phr"] }),
        json!({ "max_auth_age": "5m" }),
        json!({ "audiences": ["https://nobody.example.com"] }),
        json!({ "token_types": ["at+jwt"] }),
        json!({ "issuers": ["other"] }),
        json!({ "deny": true }),
    ])
}

/// Requirements that ask for a token where there is one.
fn asking() -> impl Strategy<Value = Value> {
    select(vec![
        json!({ "scopes": ["orders:read"] }),
        json!({ "scopes": { "any_of": ["orders:read", "admin"] } }),
        json!({ "token_types": ["JWT", "at+jwt"] }),
        json!({ "claims": [{ "claim": "role", "equals": "admin" }] }),
        json!({ "allow_missing": true }),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_restriction_of_the_configuration_turns_no_refusal_into_a_pass(
        ask in asks(), first in requirements(), (place, restriction) in restrictions(),
    ) {
        let base = config(json!({ "rules": rules(first) }));
        let mut restricted = base.clone();
        match place {
            "issuer" => extend(&mut restricted["issuers"][0], restriction),
            member => restricted[member] = restriction,
        }
        let (before, after) = (ask.decide_under(&base), ask.decide_under(&restricted));
        prop_assert!(passes(&before) || !passes(&after), "{after:?}, and without it {before:?}");
    }

    #[test]
    fn a_restriction_of_a_requirement_turns_no_refusal_into_a_pass(
        ask in asks(), asked in asking(), narrower in narrower(), in_metadata in any::<bool>(),
    ) {
        // One more thing asked: what takes the place of another is narrower than it in one case only.
        let widened = narrower.as_object().unwrap().keys().any(|name| asked.get(name).is_some());
        let of_types = asked.get("token_types").is_some() && narrower.get("token_types").is_some();
        let of_scopes = asked["scopes"].is_array() && narrower["scopes"].is_array();
        prop_assume!(in_metadata || !widened || of_types || of_scopes);
        let mut other = json!({ "issuer": "https://other.example.com/", "name": "other", "audiences": [AUDIENCE] });
        other["jwks"] = json!({ "inline": OTHER.jwks() });
        let with = |requirement: &Value| {
            let mut config = config(json!({ "rules": rules(requirement.clone()), "route_metadata": "restrict" }));
            config["issuers"].as_array_mut().unwrap().push(other.clone());
            policy(&config)
        };
        let before = ask.decide(&with(&asked));
        let after = if in_metadata {
            let policy = with(&asked);
            let metadata = requirement(&Node::from(narrower), &policy, &|_| None).unwrap();
            ask.clone().under(metadata).decide(&policy)
        } else {
            let mut narrowed = if narrower.get("deny").is_some() { json!({}) } else { asked };
            extend(&mut narrowed, narrower);
            ask.decide(&with(&narrowed))
        };
        prop_assert!(passes(&before) || !passes(&after), "{after:?}, and without it {before:?}");
    }

    #[test]
    fn a_token_is_accepted_by_at_most_one_issuer_and_it_is_its_own(
        iss in select(vec![ISSUER, "https://other.example.com/", "https://issuer.example.com", "https://third.example.com/"]),
        signer in 0..3_usize, kid in prop::option::of(select(vec!["a", "b"])),
    ) {
        static THIRD: std::sync::LazyLock<Issuer> =
            std::sync::LazyLock::new(|| Issuer::new(scopegate::crypto::Algorithm::Es256, "b"));
        let signers = [&*DEMO, &*OTHER, &*THIRD];
        // Each has one key: the first two under the same kid.
        let names = [ISSUER, "https://other.example.com/", "https://third.example.com/"];
        let entry = |at: usize| json!({
            "issuer": names[at], "name": format!("i{at}"), "audiences": [AUDIENCE], "jwks": { "inline": signers[at].jwks() },
        });
        let signed = signers[signer].token(NOW).claim("iss", iss).header("kid", kid.map_or(Value::Null, Value::from)).sign();
        let ask = get("/").bearer(signed);
        let all = ask.decide(&policy(&json!({ "issuers": [entry(0), entry(1), entry(2)] })));
        let alone = [0, 1, 2].map(|at| passes(&ask.decide(&policy(&json!({ "issuers": [entry(at)] })))));
        let by = alone.iter().filter(|accepted| **accepted).count();
        prop_assert!(by <= 1);
        prop_assert_eq!(by == 1, passes(&all));
        let own_key = signers[signer].key.kid.as_deref();
        prop_assert_eq!(by == 1, iss == names[signer] && (kid.is_none() || kid == own_key));
        if let Decision::Allow(grant) = all {
            let who = grant.token.and_then(|token| token.verified).expect("who it is");
            let Authority::Issuer(issuer) = who.authority else { panic!("an issuer") };
            prop_assert_eq!(names[issuer.0], iss);
            prop_assert!(alone[issuer.0]);
        }
    }

    #[test]
    fn one_changed_bit_in_a_token_refuses_it(at in any::<prop::sample::Index>(), bit in 0..8_u8, segment in 0..3_usize) {
        let signed = token().sign();
        let mut segments: Vec<Vec<u8>> =
            signed.split('.').map(|segment| base64url::decode(segment.as_bytes()).unwrap()).collect();
        let at = at.index(segments[segment].len());
        segments[segment][at] ^= 1 << bit;
        let changed = segments.iter().map(|segment| base64url::encode(segment)).collect::<Vec<_>>().join(".");
        let decision = get("/").bearer(&changed).decide(&policy(&config(json!({}))));
        prop_assert!(matches!(decision, Decision::Deny(_)), "{changed}: {decision:?}");
    }

    #[test]
    fn one_other_byte_in_a_token_refuses_it(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let signed = token().sign().into_bytes();
        let mut changed = signed.clone();
        let at = at.index(changed.len());
        changed[at] = byte;
        prop_assume!(changed != signed);
        let value = [b"Bearer ".as_slice(), &changed].concat();
        let decision = get("/").header("authorization", value).decide(&policy(&config(json!({}))));
        prop_assert!(matches!(decision, Decision::Deny(_)), "{decision:?}");
    }

    #[test]
    fn the_order_of_header_lines_does_not_matter(ask in asks(), first in requirements(), turn in 0..6_usize) {
        let ask = ask.header("origin", "https://a.example.com").header("accept", "*/*").header("x-auth-scope", "all");
        let policy = policy(&config(json!({
            "rules": rules(first), "forward": { "headers": { "x-auth-subject": "sub", "x-auth-scope": "scope" } },
        })));
        let mut turned = ask.clone();
        let count = turned.headers.len();
        turned.headers.rotate_left(turn % count);
        let sorted = |decision: Decision| match decision {
            Decision::Allow(mut grant) => {
                grant.remove.sort();
                Decision::Allow(grant)
            }
            other => other,
        };
        prop_assert_eq!(sorted(turned.decide(&policy)), sorted(ask.decide(&policy)));
    }

    #[test]
    fn nothing_that_is_shown_holds_the_credential(
        ask in asks(), first in requirements(), report_only in any::<bool>(), in_query in any::<bool>(),
    ) {
        let policy = policy(&config(json!({ "rules": rules(first), "report_only": report_only })));
        let mut credentials: Vec<String> = Vec::new();
        let of_header = ask.headers.iter().filter(|(name, _)| name == "authorization");
        credentials.extend(of_header.map(|(_, value)| String::from_utf8_lossy(value).into_owned()));
        let mut ask = ask;
        if in_query {
            let signed = token().claim("jti", "in the query").sign();
            ask.target = Some(format!("/orders/1?access_token={signed}&x={signed}"));
            credentials.push(signed);
        }
        let decision = ask.decide(&policy);
        let mut shown = format!("{decision:?}");
        if let Some(record) = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET") {
            shown += &record.to_json();
            shown += &String::from_utf8_lossy(&record.to_struct());
            let members: Value = serde_json::from_str(&record.to_json()).unwrap();
            prop_assert_eq!(read_struct(&record.to_struct()), members, "both forms say the same");
            shown += &record.to_line();
        }
        for part in credentials.iter().flat_map(|text| text.split([' ', '.'])).filter(|part| part.len() > 20) {
            prop_assert!(!shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn what_has_been_awaited_is_not_awaited_again(
        ask in asks(), keys_in_vain in any::<bool>(), lists_in_vain in any::<bool>(), kid in "[a-c]", has_keys in any::<bool>(),
        first in requirements(),
    ) {
        let remote: Policy = policy(&json!({
            "issuers": [{
                "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "uri": "https://a/", "cluster": "a" },
            }],
            "rules": rules(first),
        }));
        let ring = if has_keys { configured_keys(&policy(&config(json!({})))) } else { KeyRing::default() };
        let awaited = |in_vain| if in_vain { Awaited::InVain } else { Awaited::Yes };
        let missing = || Some(Revocations::new(Vec::new(), false));
        for ask in [ask, get("/").bearer(token().header("kid", kid.clone()).sign())] {
            let asked =
                Ask { awaited: awaited(keys_in_vain), awaited_lists: awaited(lists_in_vain), revocations: missing(), ..ask };
            prop_assert!(!matches!(asked.decide_with(&remote, &ring), Decision::Await(_)));
        }
        // Before that each is awaited, by the token that needs it.
        let good = |kid: &str| get("/").bearer(token().header("kid", kid).sign());
        let need = |ask: Ask| match ask.decide_with(&remote, &ring) {
            Decision::Await(pending) => Some(pending.need),
            _ => None,
        };
        let of_kid = need(good("c"));
        prop_assert!(matches!(of_kid, Some(Need::Keys(_) | Need::Kid(..))), "{of_kid:?}");
        prop_assert_eq!(matches!(of_kid, Some(Need::Kid(..))), has_keys);
        let of_list = need(Ask { awaited: Awaited::Yes, revocations: missing(), ..good("a") });
        prop_assert_eq!(of_list, has_keys.then_some(Need::Revocations));
    }

    #[test]
    fn a_path_that_is_denied_stays_so_however_its_characters_are_escaped(
        path in select(vec!["/admin", "/admin/users", "/a-b/c_d~e", "/admin/x.y"]),
        escapes in prop::collection::vec((any::<bool>(), any::<bool>()), 20),
        default in requirements(),
    ) {
        let rules = json!([{ "match": { "prefix": "/admin" }, "deny": true }, { "match": { "path": "/a-b/c_d~e" }, "deny": true }]);
        let policy = policy(&config(json!({ "rules": rules, "default": default })));
        let escaped: String = path
            .chars()
            .zip(escapes.iter().cycle())
            .map(|(character, (escape, upper))| match (character, escape, upper) {
                ('/', ..) | (_, false, _) => character.to_string(),
                (_, true, true) => format!("%{:02X}", u32::from(character)),
                (_, true, false) => format!("%{:02x}", u32::from(character)),
            })
            .collect();
        let decision = get(&escaped).bearer(token().sign()).decide(&policy);
        prop_assert!(matches!(decision, Decision::Deny(_)), "{escaped}: {decision:?}");
    }

    #[test]
    fn whatever_bytes_come_there_is_a_decision_and_always_the_same(
        target in prop::option::of("\\PC{0,40}"),
        headers in prop::collection::vec(("[a-z:-]{0,15}|authorization|:path|host", prop::collection::vec(any::<u8>(), 0..80)), 0..6),
        first in requirements(),
    ) {
        let policy = policy(&config(json!({ "rules": rules(first) })));
        let ask = Ask { target, headers, ..get("/") };
        prop_assert_eq!(ask.decide(&policy), ask.decide(&policy));
    }
}
