//! Over generated requirements and requests, good and bad: nothing passes whose judged credential is bad, and what is
//! judged depends on nothing but on what is presented.

use crate::credentials::{ACME, DISABLED, MESH, OPENAI, accepting, hex_sha256};
use crate::support::issuer::AUDIENCE;
use crate::support::signer::{EXAMPLE, KEY_ID, Signer, Unsigned};
use crate::world::{Ask, NOW, compiled, configured_keys, environment, extend, get, token};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use scopegate::base::members::Members;
use scopegate::base::time::UnixSeconds;
use scopegate::config::{self, Loaded, Node};
use scopegate::crypto::{PasswordHash, sha256};
use scopegate::decision::{Basis, Decision, Reason};
use scopegate::engine::decide;
use scopegate::facts::{Awaited, Facts, Introspected, Introspections, NoMemory, VerifiedToken};
use scopegate::jose::Claims;
use scopegate::policy::{CacheLimits, IssuerId, Policy};
use scopegate::revocation::Revocations;
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::LazyLock;

/// The credentials that a requirement names here. The first four are all in `authorization`; the last is the certificate
/// of the connection, which is not presented.
const NAMES: [&str; 9] = ["bearer", "openai", "staff", "machines", "partners", "mesh", "web", "banks", "workloads"];
const IN_AUTHORIZATION: usize = 4;
/// The sets of signatures, of which a requirement names one.
const SIGNED: [usize; 2] = [3, 7];
const COOKIE: usize = 6;
const CERTIFICATE: usize = 8;
const KNOWN: &[u8] = b"a certificate";
const REVOKED: &str = "revoked-0123456789abcdef";

/// What a request has for each name: nothing, something bad, or something good, each of one of several kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    Bad(usize),
    Good(usize),
}

/// The good tokens and the bad ones: JWTs, and opaque ones.
static TOKENS: LazyLock<[Vec<String>; 2]> = LazyLock::new(|| {
    let token = || token().claim("scope", "orders:read");
    let bad = [token().claim("exp", NOW - 900).sign(), format!("{}A", token().sign()), "a.b.c".to_owned()];
    let opaque = ["inactive", "expired", "refresh", "unanswered"].map(str::to_owned);
    [vec![token().sign(), "active".to_owned()], bad.into_iter().chain(opaque).collect()]
});

/// Users whose hashes are of every form that is quickly made, one of them disabled, one revoked.
static STAFF: LazyLock<Value> = LazyLock::new(|| {
    let pbkdf2 = |password: &str| PasswordHash::pbkdf2(password.as_bytes(), 100, b"0123456789abcdef");
    json!({ "name": "staff", "basic": {}, "identities": [
        { "id": "ann", "secrets": [{ "pbkdf2": pbkdf2("ann:s") }, { "pbkdf2": pbkdf2("old"), "expires": NOW }] },
        { "id": "bob", "secrets": [{ "sha256": hex_sha256("bob's") }] },
        { "id": "gone", "disabled": true, "secrets": [{ "pbkdf2": pbkdf2("gone") }] },
        { "id": "revoked", "secrets": [{ "pbkdf2": pbkdf2("revoked") }] },
    ] })
});

/// The headers of a request that is signed for a set of signatures, well or badly.
fn signature(set: &str, held: Held) -> Vec<(String, String)> {
    let bank = environment("SECRET_64").unwrap();
    let is_sigv4 = set == "machines";
    let good = if is_sigv4 { EXAMPLE } else { Signer { key_id: "BANK", secret: &bank } };
    let request = Unsigned { target: "/", at: NOW, ..Unsigned::default() };
    let sign = |signer: Signer<'_>, request: &Unsigned<'_>| {
        let parameters = format!(";created={};nonce=\"1\"", request.at);
        if is_sigv4 { signer.sigv4(request, ("eu-west-1", "orders")) } else { signer.message(request, &parameters) }
    };
    let edited = |from: &str, to: &str| {
        sign(good, &request).into_iter().map(|(name, value)| (name, value.replace(from, to))).collect()
    };
    match held {
        Held::Nothing => Vec::new(),
        Held::Good(0) => sign(good, &request),
        Held::Good(_) if is_sigv4 => sign(Signer { secret: &environment("SIGNING_NEXT").unwrap(), ..good }, &request),
        // The name of a header that is not signed changes nothing.
        Held::Good(_) => [sign(good, &request), vec![("x-unsigned".to_owned(), "1".to_owned())]].concat(),
        Held::Bad(0) => sign(Signer { key_id: "AKIDNOBODY", ..good }, &request),
        Held::Bad(1) => sign(Signer { secret: "another secret of twenty", ..good }, &request),
        Held::Bad(2) => sign(good, &Unsigned { at: NOW - 900, ..request }),
        Held::Bad(3) => sign(good, &Unsigned { at: NOW + 900, ..request }),
        Held::Bad(4) => sign(good, &Unsigned { target: "/other", ..request }),
        Held::Bad(5) => sign(Signer { key_id: "GONE", ..good }, &request),
        Held::Bad(6) if is_sigv4 => edited("host;", ""),
        Held::Bad(6) => edited("\"@authority\" ", ""),
        Held::Bad(_) if is_sigv4 => edited("Signature=", "Signature=0"),
        Held::Bad(_) => edited("sig=:", "sig=:A"),
    }
}

fn text(name: &str, held: Held) -> Option<(&'static str, String)> {
    let [good_tokens, bad_tokens] = &*TOKENS;
    let of_tokens = [good_tokens, bad_tokens].map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
    let (header, [good, bad]) = match name {
        "bearer" | "web" => (if name == "web" { "cookie" } else { "authorization" }, of_tokens),
        "openai" => ("authorization", [vec![OPENAI], vec!["sk-bad", "sk-"]]),
        "staff" => {
            let bad = ["ann:", "ann:ann", "ann:old", "zoe:ann:s", "gone:gone", "revoked:revoked", ":", "ann"];
            ("authorization", [vec!["ann:ann:s", "bob:bob's"], bad.to_vec()])
        }
        "partners" => ("x-api-key", [vec![ACME], vec!["bad", DISABLED, REVOKED, "5 d"]]),
        _ => ("x-mesh", [vec![MESH], vec!["", "b ad"]]),
    };
    let text = match held {
        Held::Nothing => return None,
        Held::Bad(which) => bad[which % bad.len()],
        Held::Good(which) => good[which % good.len()],
    };
    let value = match (name, header) {
        ("staff", _) => format!("Basic {}", STANDARD.encode(text)),
        (_, "authorization") => format!("Bearer {text}"),
        (_, "cookie") => format!("a=1; __Host-token={text}"),
        _ => text.to_owned(),
    };
    Some((header, value))
}

fn request(held: [Held; 9]) -> Ask {
    let bare = match held[CERTIFICATE] {
        Held::Nothing => get("/"),
        Held::Bad(which) => get("/").certificate([which.to_le_bytes()[0]; 32]),
        Held::Good(_) => get("/").certificate(sha256(KNOWN)),
    };
    let presented = NAMES[..CERTIFICATE].iter().zip(held).enumerate().flat_map(|(at, (name, held))| {
        if SIGNED.contains(&at) {
            return signature(name, held);
        }
        text(name, held).map(|(header, value)| (header.to_owned(), value)).into_iter().collect()
    });
    let ask =
        presented.fold(bare.header("sec-fetch-site", "same-origin"), |ask, (name, value)| ask.header(&name, value));
    // The issuer has been asked about every opaque token, and did not answer where nothing is known.
    Ask { awaited: Awaited::Yes, ..ask }
}

/// What the issuer has said of the opaque tokens.
struct Said;

impl Introspections for Said {
    fn recall(&self, issuer: IssuerId, token: &[u8], now: UnixSeconds) -> Option<Introspected> {
        let mut answer =
            json!({ "token_type": "Bearer", "sub": "alice", "aud": AUDIENCE, "iat": NOW - 10, "exp": NOW + 300 });
        match token {
            b"active" => {}
            b"inactive" => return Some(Introspected::Inactive),
            b"expired" => extend(&mut answer, json!({ "exp": NOW - 900 })),
            b"refresh" => extend(&mut answer, json!({ "token_type": "refresh_token" })),
            b"unanswered" => return None,
            _ => panic!("the issuer is asked about {:?}", String::from_utf8_lossy(token)),
        }
        let claims = Members::parse(answer.to_string().into_bytes()).map(Claims::from_members).unwrap();
        let claims = claims.unwrap_or_else(|_| panic!("no claims"));
        Some(Introspected::Active(Rc::new(VerifiedToken::introspected(issuer, claims, now, UnixSeconds(NOW + 30)))))
    }
}

/// A gate, and what its own entries revoke.
struct Gate {
    policy: Policy,
    revocations: Revocations,
}

impl Gate {
    /// Decides, also with what is remembered of the request itself, which must change nothing.
    fn decide(&self, ask: Ask) -> Decision {
        let ask = Ask { revocations: Some(self.revocations.clone()), ..ask };
        let keys = configured_keys(&self.policy);
        let cache = TokenCache::new(CacheLimits::default());
        let by = |memory| {
            ask.judge(&keys, memory, |view, facts| {
                decide(&self.policy, view, &Facts { introspections: &Said, ..*facts })
            })
        };
        let decision = by(&NoMemory);
        for _ in 0..2 {
            assert_eq!(by(&cache), decision, "{ask:?}");
        }
        decision
    }
}

/// What of an alternative a request can present.
fn without_certificate(alternative: &BTreeSet<usize>) -> BTreeSet<usize> {
    alternative.iter().copied().filter(|at| *at != CERTIFICATE).collect()
}

/// Alternatives as sets of places in [`NAMES`]: none has two credentials in one header, no two differ in the certificate
/// alone, and there are signatures of one set at most.
fn alternatives() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
    let one = prop::collection::btree_set(0..NAMES.len(), 1..=3).prop_filter(
        "one header holds one, and one is a token",
        |one| {
            let in_authorization = one.iter().filter(|at| **at < IN_AUTHORIZATION).count();
            in_authorization < 2 && !(one.contains(&0) && one.contains(&COOKIE))
        },
    );
    (prop::collection::btree_set(one, 1..=4), 0..SIGNED.len())
        .prop_map(|(all, left_out)| {
            let mut kept: Vec<BTreeSet<usize>> = Vec::new();
            for one in all {
                // Where the other set of signatures is named, this one is.
                let [from, to] = [SIGNED[left_out], SIGNED[1 - left_out]];
                let one: BTreeSet<usize> = one.into_iter().map(|at| if at == from { to } else { at }).collect();
                let in_authorization = one.iter().filter(|at| **at < IN_AUTHORIZATION).count();
                if in_authorization < 2
                    && !kept.iter().any(|other| without_certificate(other) == without_certificate(&one))
                {
                    kept.push(one);
                }
            }
            kept
        })
        .prop_filter("there is one", |kept| !kept.is_empty())
}

fn expression(alternatives: &[BTreeSet<usize>]) -> Value {
    let names = |one: &BTreeSet<usize>| one.iter().map(|at| NAMES[*at]).collect::<Vec<_>>();
    let all: Vec<Value> = alternatives.iter().map(|one| json!({ "all_of": names(one) })).collect();
    json!({ "any_of": all })
}

fn held() -> impl Strategy<Value = Held> {
    prop_oneof![Just(Held::Nothing), (0..8_usize).prop_map(Held::Bad), (0..2_usize).prop_map(Held::Good)]
}

/// What a request has: of those in `authorization` one at most.
fn all_held() -> impl Strategy<Value = [Held; 9]> {
    (0..IN_AUTHORIZATION, prop::array::uniform6(held())).prop_map(|(at, [of_authorization, a, b, c, d, e])| {
        let [none, ..] = [Held::Nothing; 4];
        let mut held = [none, none, none, none, a, b, c, d, e];
        held[at] = of_authorization;
        held
    })
}

/// A gate that accepts these.
fn gate(alternatives: &[BTreeSet<usize>], more: Value, members: Value) -> Gate {
    let mut config = accepting(expression(alternatives), more);
    let web = json!({ "name": "web", "cookie": { "name": "__Host-token", "origins": ["https://app.example.com"] } });
    let workloads = json!({
        "name": "workloads", "mtls": {}, "identities": [{ "id": "a", "secrets": [{ "sha256": hex_sha256(KNOWN) }] }],
    });
    let key = |key_id: &str, env: &str| json!({ "key_id": key_id, "env": env });
    let machines = json!({
        "name": "machines", "aksk": { "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"] },
        "identities": [{ "id": "batch", "secrets": [key(KEY_ID, "SIGNING"), key(KEY_ID, "SIGNING_NEXT")] },
                       { "id": "gone", "secrets": [key("GONE", "SECRET_32")], "disabled": true }],
    });
    let banks = json!({
        "name": "banks", "signature": {},
        "identities": [{ "id": "bank", "secrets": [key("BANK", "SECRET_64")] },
                       { "id": "gone", "secrets": [key("GONE", "SECRET_31")], "disabled": true }],
    });
    config["credentials"].as_array_mut().unwrap().extend([web, workloads, STAFF.clone(), machines, banks]);
    let revoked = json!({ "id": "revoked", "secrets": [{ "sha256": hex_sha256(REVOKED) }] });
    config["credentials"][0]["identities"].as_array_mut().unwrap().push(revoked);
    config["issuers"][0]["introspection"] = json!({
        "uri": "https://issuer.example.com/introspect", "cluster": "idp", "client_id": "gate", "secret": { "env": "KEY_20" },
    });
    let entries = ["staff", "partners"].map(|set| json!({ "credential": set, "id": "revoked" }));
    config["revocation"] = json!({ "entries": entries });
    extend(&mut config, members);
    let Loaded { policy, settings, .. } = compiled(&config);
    Gate { policy, revocations: settings.revocation.without_lists(UnixSeconds(NOW)) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn nothing_passes_whose_judged_credential_is_bad(
        alternatives in alternatives(),
        held in all_held(),
        allow_missing in any::<bool>(),
    ) {
        let gate = gate(&alternatives, json!({ "allow_missing": allow_missing }), json!({}));
        let decision = gate.decide(request(held));
        let named: BTreeSet<usize> = alternatives.iter().flatten().copied().collect();
        // A key that is sent as a token is taken for one where only tokens are asked for.
        let is_token = |at: usize| at == 1 && !named.contains(&1) && named.contains(&0);
        let presented: BTreeSet<usize> = (0..CERTIFICATE)
            .filter(|at| held[*at] != Held::Nothing)
            .filter_map(|at| if is_token(at) { Some(0) } else { named.contains(&at).then_some(at) })
            .collect();
        let is_good = |at: &usize| matches!(held[*at], Held::Good(_));
        let has_authorization = held[..IN_AUTHORIZATION].iter().any(|held| *held != Held::Nothing);
        let may_be_missing = presented.is_empty() && allow_missing;
        let nothing = if may_be_missing { None } else { Some(Reason::NoCredential) };
        let is_of_set = (1..IN_AUTHORIZATION).any(|at| presented.contains(&at));
        let two_tokens = presented.contains(&COOKIE) && has_authorization && !is_of_set;
        let wanted = match alternatives.iter().find(|one| without_certificate(one) == presented) {
            _ if two_tokens => Some(Reason::MultipleCredentials),
            Some(one) if one.contains(&CERTIFICATE) && held[CERTIFICATE] == Held::Nothing => nothing,
            Some(one) => {
                let all_good = one.iter().all(is_good);
                let passes = matches!(&decision, Decision::Allow(grant) if grant.basis == Basis::Token);
                prop_assert_eq!(passes, all_good, "{:?}", decision);
                return Ok(());
            }
            None if presented.is_empty() => nothing,
            None if alternatives.iter().any(|one| presented.is_subset(one)) => Some(Reason::NoCredential),
            None => Some(Reason::MultipleCredentials),
        };
        match decision {
            Decision::Allow(grant) => prop_assert_eq!((wanted, &grant.basis), (None, &Basis::Missing)),
            Decision::Deny(refusal) => prop_assert_eq!(Some(refusal.denial.reason()), wanted),
            other => prop_assert!(false, "undecided: {other:?}"),
        }
    }

    #[test]
    fn where_metadata_restricts_what_passes_meets_both(
        base in alternatives(),
        added in alternatives(),
        common in 0..CERTIFICATE,
        held in all_held(),
    ) {
        let other = SIGNED.iter().find(|at| SIGNED.contains(&common) && **at != common);
        prop_assume!(!base.iter().chain(&added).flatten().any(|at| Some(at) == other));
        let [base, added] = [base, added].map(|mut all| {
            if !all.iter().any(|one| without_certificate(one) == BTreeSet::from([common])) {
                all.push(BTreeSet::from([common]));
            }
            all
        });
        let gate = gate(&base, json!({}), json!({ "route_metadata": "restrict" }));
        let metadata = json!({ "credentials": expression(&added) });
        let metadata = config::requirement(&Node::from(metadata), &gate.policy, &|_| None).unwrap_or_else(|error| panic!("{error}"));
        let decision = gate.decide(request(held).under(metadata.clone()));
        let is_met = |all: &[BTreeSet<usize>]| all.iter().any(|one| one.iter().all(|at| matches!(held[*at], Held::Good(_))));
        let passes = matches!(decision, Decision::Allow(_));
        prop_assert!(!passes || is_met(&base) && is_met(&added), "{:?}", decision);
        // What meets each of them alone meets both, whatever certificate is there.
        let mut alone = [Held::Nothing; 9];
        (alone[common], alone[CERTIFICATE]) = (Held::Good(0), held[CERTIFICATE]);
        let passes = matches!(gate.decide(request(alone).under(metadata)), Decision::Allow(_));
        let is_own = |all: &[BTreeSet<usize>]| all.contains(&BTreeSet::from([common]));
        prop_assert!(passes || !is_own(&base) || !is_own(&added), "{:?}", request(alone));
    }
}
