//! A gate that remembers beside one that does not: whatever happens to keys, revocations and the clock, they answer alike.

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::world::{DEMO, NOW, OTHER, compiled, configured_keys, get, policy, with_issuer};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use scopegate::base::time::UnixSeconds;
use scopegate::checks::fingerprint;
use scopegate::config::Loaded;
use scopegate::crypto::{Algorithm, PureVerifier};
use scopegate::decision::Decision;
use scopegate::engine::decide;
use scopegate::facts::{Facts, KeyRing, NoMemory};
use scopegate::jose::KeySet;
use scopegate::policy::{CacheLimits, IssuerId, Policy};
use scopegate::request::RequestView;
use scopegate::revocation::{Builder, Entry, Revocations};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::LazyLock;

/// Another key under the same `kid`, and one under another.
static NEXT: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::Es256, "a"));
static LAST: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::Es256, "b"));

/// Tokens of three keys, of different length of life, with and without `kid`.
static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut tokens = Vec::new();
    for issuer in [&*DEMO, &*NEXT, &*LAST] {
        for (number, life) in [30, 300, 4000].into_iter().enumerate() {
            let token = issuer.token(NOW).claim("exp", NOW + life).claim("jti", format!("id-{number}"));
            let token = token.claim("sid", format!("session-{number}")).claim("client_id", "app");
            tokens.push(token.clone().header("kid", Value::Null).sign());
            tokens.push(token.sign());
        }
    }
    tokens
});

#[derive(Clone, Debug)]
enum Step {
    Ask {
        token: usize,
        target: &'static str,
    },
    /// Keys by the bits of a number: none of them is no set at all.
    Keys(usize),
    Revoke(Vec<Value>),
    ListMissing,
    /// These lists, too old or not.
    ListStale(bool),
    Clock(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let entry = select(vec![
        json!({ "iss": ISSUER, "jti": "id-0" }),
        json!({ "iss": ISSUER, "jti": "id-1" }),
        json!({ "iss": ISSUER, "kid": "a" }),
        json!({ "iss": ISSUER, "sub": "alice", "issued_before": NOW }),
        json!({ "iss": ISSUER, "sub": "alice", "issued_before": NOW + 1 }),
        json!({ "iss": ISSUER, "sid": "session-0" }),
        json!({ "iss": ISSUER, "client_id": "app", "issued_before": NOW + 1 }),
        json!({ "iss": ISSUER, "jti": "id-0", "until": NOW + 35 }),
        json!({ "fingerprint": fingerprint(TOKENS[0].rsplit_once('.').unwrap().0.as_bytes()) }),
        json!({ "fingerprint": fingerprint(TOKENS[1].rsplit_once('.').unwrap().0.as_bytes()) }),
    ]);
    // Mostly the same few, so that they are remembered and asked for again before and after what happens.
    let token = prop_oneof![3 => 0..2_usize, 1 => 0..18_usize];
    let step = prop_oneof![
        12 => (token, select(vec!["/", "/write", "/old", "/short", "/audience", "/type"])).prop_map(|(token, target)| Step::Ask { token, target }),
        1 => (0..8_usize).prop_map(Step::Keys),
        2 => prop::collection::vec(entry, 0..3).prop_map(Step::Revoke),
        1 => Just(Step::ListMissing),
        1 => any::<bool>().prop_map(Step::ListStale),
        1 => prop_oneof![-4000..5000_i64, 20..70_i64, 290..340_i64].prop_map(Step::Clock),
    ];
    prop::collection::vec(step, 1..60)
}

fn keys(bits: usize) -> Option<Rc<KeySet>> {
    let all = [&*DEMO, &*NEXT, &*LAST];
    let chosen = all.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
    let chosen: Vec<Value> = chosen.map(|(_, issuer)| Value::Object(issuer.key.to_public_jwk())).collect();
    if chosen.is_empty() {
        return None;
    }
    Some(Rc::new(KeySet::parse(json!({ "keys": chosen }).to_string().as_bytes(), 1 << 20, 10).unwrap()))
}

#[test]
fn remembering_changes_no_answer_whatever_happens_to_keys_revocations_and_the_clock() {
    let (asked, remembered) = (Cell::new(0), Cell::new(0));
    let inputs = (steps(), select(vec![1_usize, 3, 100]));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(150));
    let held = runner.run(&inputs, |(steps, entries)| {
        let rules = json!([
            { "match": { "path": "/write" }, "scopes": ["orders:write"] },
            { "match": { "path": "/old" }, "max_token_age": "1m" },
            { "match": { "path": "/short" }, "max_lifetime": "5m" },
            { "match": { "path": "/audience" }, "audiences": ["https://b.example.com"] },
            { "match": { "path": "/type" }, "token_types": ["JWT"] },
        ]);
        let issuer = json!({ "jwks": { "uri": "https://issuer.example.com/keys", "cluster": "keys" } });
        let config = with_issuer(issuer, json!({ "rules": rules, "cache": { "entries": entries } }));
        let Loaded { policy, settings, .. } = compiled(&config);
        let cache = TokenCache::new(settings.cache);
        let mut ring = KeyRing::default();
        ring.set(IssuerId(0), keys(1));
        let (mut now, mut revocations, mut lists) = (UnixSeconds(NOW), Revocations::none(), Vec::new());
        for step in steps {
            match step {
                Step::Keys(bits) => ring.set(IssuerId(0), keys(bits)),
                Step::Clock(from_start) => now = UnixSeconds(NOW + from_start),
                Step::ListMissing => revocations = revocations.followed_by(Vec::new(), None, false),
                Step::ListStale(stale) => revocations = revocations.followed_by(lists.clone(), None, !stale),
                Step::Revoke(entries) => {
                    let mut builder = Builder::new(now);
                    for entry in entries {
                        builder.add(&Entry::from_members(entry.as_object().unwrap()).unwrap());
                    }
                    lists = vec![Rc::new(builder.finish())];
                    revocations = revocations.followed_by(lists.clone(), None, true);
                }
                Step::Ask { token, target } => {
                    let value = format!("Bearer {}", TOKENS[token]);
                    let headers: [(&[u8], &[u8]); 4] = [
                        (b":method", b"GET"),
                        (b":authority", b"api.example.com"),
                        (b":path", target.as_bytes()),
                        (b"authorization", value.as_bytes()),
                    ];
                    let view = RequestView {
                        headers: &headers,
                        route_name: None,
                        virtual_host: None,
                        ends_with_headers: true,
                    };
                    let forgetful = Facts::offline(&now, &ring, &PureVerifier, &revocations);
                    let without = decide(&policy, &view, &forgetful);
                    let with = decide(&policy, &view, &Facts { memory: &cache, ..forgetful });
                    prop_assert_eq!(&with, &without, "token {} at {:?}", token, now);
                    asked.set(asked.get() + 1);
                }
            }
        }
        remembered.set(remembered.get() + cache.take_counts().hits);
        Ok(())
    });
    held.unwrap_or_else(|failure| panic!("{failure}"));
    let (asked, remembered) = (asked.get(), remembered.get());
    assert!(asked > 1000 && remembered > asked / 10, "{remembered} of {asked} were remembered: it shows nothing");
}

#[test]
fn the_steps_of_the_model_reach_what_they_are_for() {
    let issuer = json!({ "jwks": { "inline": DEMO.jwks() } });
    let policy = policy(&with_issuer(issuer, json!({})));
    for (token, passes) in [(1, true), (0, true), (7, false), (13, false)] {
        assert_eq!(matches!(get("/").bearer(&TOKENS[token]).decide(&policy), Decision::Allow(_)), passes, "{token}");
    }
}

#[test]
fn a_token_is_remembered_up_to_the_longest_that_is_taken() {
    let signed = DEMO.token(NOW).claim("x", "x".repeat(300)).sign();
    for (limit, remembered) in [(signed.len() + 1, 1), (signed.len(), 1), (signed.len() - 1, 0)] {
        let policy = policy(&with_issuer(json!({}), json!({ "limits": { "token_bytes": limit } })));
        let cache = TokenCache::new(CacheLimits::default());
        for _ in 0..2 {
            get("/").bearer(&signed).decide_by(&policy, &configured_keys(&policy), &cache);
            assert_eq!(cache.len(), remembered, "{limit}");
        }
    }
}

/// Tokens that some routes take and others do not.
fn varied() -> impl Strategy<Value = String> {
    let audience =
        select(vec![json!(AUDIENCE), json!([AUDIENCE, "https://b.example.com"]), json!("https://b.example.com")]);
    let typ = select(vec![json!("at+jwt"), json!("JWT"), Value::Null]);
    let times = select(vec![(-10, 60), (-10, 4000), (-900, 60), (-4000, -900)]);
    let claims = (select(vec!["a b", "a", ""]), select(vec!["acme", "other"]), any::<bool>(), any::<bool>());
    (audience, typ, times, claims, any::<bool>()).prop_map(|(audience, typ, (from, to), claims, other)| {
        let (scope, tenant, is_id_token, has_subject) = claims;
        let issuer = if other { &*OTHER } else { &*DEMO };
        let token = issuer.token(NOW).header("typ", typ).claim("aud", audience).claim("tenant", tenant);
        let token = token.claim("iat", NOW + from).claim("exp", NOW + to).scope(scope);
        let token = if has_subject { token } else { token.claim("sub", Value::Null) };
        let token = if is_id_token { token.claim("nonce", "x") } else { token };
        (if other { token.claim("iss", "https://other.example.com/") } else { token }).sign()
    })
}

/// A policy with a route for each thing that a requirement can narrow.
fn many_routes() -> Policy {
    let entry = |issuer: &str, name: &str, keys: Value, types: Value| {
        json!({
            "issuer": issuer, "name": name, "audiences": [AUDIENCE, "https://b.example.com"], "token_types": types,
            "required_claims": [], "jwks": { "inline": keys },
        })
    };
    policy(&json!({
        "issuers": [
            entry(ISSUER, "demo", DEMO.jwks(), json!(["at+jwt", "JWT", "missing"])),
            entry("https://other.example.com/", "other", OTHER.jwks(), json!(["at+jwt"])),
        ],
        "rules": [
            { "match": { "path": "/audience" }, "audiences": [AUDIENCE] },
            { "match": { "path": "/type" }, "token_types": ["at+jwt"] },
            { "match": { "path": "/issuer" }, "issuers": ["other"] },
            { "match": { "path": "/age" }, "max_token_age": "1m" },
            { "match": { "path": "/lifetime" }, "max_lifetime": "5m" },
            { "match": { "path": "/scope" }, "scopes": ["b"] },
            { "match": { "path": "/tenant" }, "claims": [{ "claim": "tenant", "equals": "acme" }] },
            { "match": { "path": "/optional" }, "scopes": ["b"], "allow_missing": true },
            { "match": { "path": "/reported" }, "scopes": ["b"], "report_only": true },
        ],
    }))
}

#[test]
fn a_token_that_is_remembered_from_one_route_is_answered_on_every_other_as_a_new_one() {
    const TARGETS: [&str; 10] =
        ["/", "/audience", "/type", "/issuer", "/age", "/lifetime", "/scope", "/tenant", "/optional", "/reported"];
    let policy = many_routes();
    let keys = configured_keys(&policy);
    let (hits, refused) = (Cell::new(0), Cell::new(0));
    let targets = prop::collection::vec(select(TARGETS.to_vec()), 2..12);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    let held = runner.run(&(varied(), targets), |(token, targets)| {
        let cache = TokenCache::new(CacheLimits::default());
        for target in targets {
            let ask = get(target).bearer(&token);
            let fresh = ask.decide_by(&policy, &keys, &NoMemory);
            prop_assert_eq!(&ask.decide_by(&policy, &keys, &cache), &fresh, "{}", target);
            let remembered = cache.take_counts().hits;
            hits.set(hits.get() + remembered);
            refused.set(refused.get() + u32::from(remembered > 0 && matches!(fresh, Decision::Deny(_))));
        }
        Ok(())
    });
    held.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        hits.get() > 200 && refused.get() > 50,
        "{} hits, {} of them refused: it shows nothing",
        hits.get(),
        refused.get()
    );
}
