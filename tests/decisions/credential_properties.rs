//! Over generated requirements and requests, good and bad: nothing passes whose judged credential is bad, and what is
//! judged depends on nothing but on what is presented.

use crate::credentials::{ACME, DISABLED, MESH, OPENAI, accepting, hex_sha256};
use crate::world::{Ask, NOW, get, policy, token};
use proptest::prelude::*;
use scopegate::config::{self, Node};
use scopegate::crypto::sha256;
use scopegate::decision::{Basis, Decision, Reason};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The credentials that a requirement names here. The first two are both in `authorization`; the last is the certificate of
/// the connection, which is not presented.
const NAMES: [&str; 6] = ["bearer", "openai", "partners", "mesh", "web", "workloads"];
const COOKIE: usize = 4;
const CERTIFICATE: usize = 5;
const KNOWN: &[u8] = b"a certificate";

/// What a request has for each name: nothing, something bad, or something good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    Bad(usize),
    Good,
}

static TOKENS: LazyLock<[String; 3]> = LazyLock::new(|| {
    let token = || token().claim("scope", "orders:read");
    [token().sign(), token().claim("exp", NOW - 900).sign(), "a.b.c".to_owned()]
});

fn text(name: &str, held: Held) -> Option<(&'static str, String)> {
    let (header, good, bad): (_, _, [&str; 2]) = match name {
        "bearer" => ("authorization", &*TOKENS[0], [&TOKENS[1], &TOKENS[2]]),
        "openai" => ("authorization", OPENAI, ["sk-bad", "sk-"]),
        "partners" => ("x-api-key", ACME, ["bad", DISABLED]),
        "web" => ("cookie", &*TOKENS[0], [&TOKENS[1], &TOKENS[2]]),
        _ => ("x-mesh", MESH, ["", "b ad"]),
    };
    let text = match held {
        Held::Nothing => return None,
        Held::Bad(which) => bad[which],
        Held::Good => good,
    };
    let value = match header {
        "authorization" => format!("Bearer {text}"),
        "cookie" => format!("a=1; __Host-token={text}"),
        _ => text.to_owned(),
    };
    Some((header, value))
}

fn request(held: [Held; 6]) -> Ask {
    let bare = match held[CERTIFICATE] {
        Held::Nothing => get("/"),
        Held::Bad(which) => get("/").certificate([which.to_le_bytes()[0]; 32]),
        Held::Good => get("/").certificate(sha256(KNOWN)),
    };
    let presented = NAMES[..CERTIFICATE].iter().zip(held).filter_map(|(name, held)| text(name, held));
    presented.fold(bare.header("sec-fetch-site", "same-origin"), |ask, (name, value)| ask.header(name, value))
}

/// What of an alternative a request can present.
fn without_certificate(alternative: &BTreeSet<usize>) -> BTreeSet<usize> {
    alternative.iter().copied().filter(|at| *at != CERTIFICATE).collect()
}

/// Alternatives as sets of places in [`NAMES`]: none has two credentials in one header, and no two differ in the certificate
/// alone.
fn alternatives() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
    let one = prop::collection::btree_set(0..NAMES.len(), 1..=3)
        .prop_filter("one header holds one, and one is a token", |one| {
            !(one.contains(&0) && (one.contains(&1) || one.contains(&COOKIE)))
        });
    prop::collection::btree_set(one, 1..=4).prop_map(|all| {
        let mut kept: Vec<BTreeSet<usize>> = Vec::new();
        for one in all {
            if !kept.iter().any(|other| without_certificate(other) == without_certificate(&one)) {
                kept.push(one);
            }
        }
        kept
    })
}

fn expression(alternatives: &[BTreeSet<usize>]) -> Value {
    let names = |one: &BTreeSet<usize>| one.iter().map(|at| NAMES[*at]).collect::<Vec<_>>();
    let all: Vec<Value> = alternatives.iter().map(|one| json!({ "all_of": names(one) })).collect();
    json!({ "any_of": all })
}

fn held() -> impl Strategy<Value = Held> {
    prop_oneof![Just(Held::Nothing), (0..2_usize).prop_map(Held::Bad), Just(Held::Good)]
}

/// A gate that accepts these.
fn gate(alternatives: &[BTreeSet<usize>], more: Value) -> Value {
    let mut config = accepting(expression(alternatives), more);
    let web = json!({ "name": "web", "cookie": { "name": "__Host-token", "origins": ["https://app.example.com"] } });
    let workloads = json!({
        "name": "workloads", "mtls": {}, "identities": [{ "id": "a", "secrets": [{ "sha256": hex_sha256(KNOWN) }] }],
    });
    config["credentials"].as_array_mut().unwrap().extend([web, workloads]);
    config
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_passes_whose_judged_credential_is_bad(
        alternatives in alternatives(),
        of_authorization in (0..2_usize, held()),
        others in [held(), held(), held(), held()],
        allow_missing in any::<bool>(),
    ) {
        let mut held = [Held::Nothing, Held::Nothing, others[0], others[1], others[2], others[3]];
        held[of_authorization.0] = of_authorization.1;
        let config = gate(&alternatives, json!({ "allow_missing": allow_missing }));
        let decision = request(held).decide(&policy(&config));
        let named: BTreeSet<usize> = alternatives.iter().flatten().copied().collect();
        // A key that is sent as a token is taken for one where only tokens are asked for.
        let is_token = |at: usize| at == 1 && !named.contains(&1) && named.contains(&0);
        let presented: BTreeSet<usize> = (0..CERTIFICATE)
            .filter(|at| held[*at] != Held::Nothing)
            .filter_map(|at| if is_token(at) { Some(0) } else { named.contains(&at).then_some(at) })
            .collect();
        let is_good = |at: &usize| held[*at] == Held::Good;
        let has_authorization = held[0] != Held::Nothing || held[1] != Held::Nothing;
        let may_be_missing = presented.is_empty() && allow_missing;
        let nothing = if may_be_missing { None } else { Some(Reason::NoCredential) };
        let two_tokens = presented.contains(&COOKIE) && has_authorization && !presented.contains(&1);
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
            Decision::Await(pending) => prop_assert!(false, "awaits {:?}", pending.need),
        }
    }

    #[test]
    fn where_metadata_restricts_what_passes_meets_both(
        base in alternatives(),
        added in alternatives(),
        common in 0..CERTIFICATE,
        of_authorization in (0..2_usize, held()),
        others in [held(), held(), held(), held()],
    ) {
        let mut held = [Held::Nothing, Held::Nothing, others[0], others[1], others[2], others[3]];
        held[of_authorization.0] = of_authorization.1;
        let [base, added] = [base, added].map(|mut all| {
            if !all.iter().any(|one| without_certificate(one) == BTreeSet::from([common])) {
                all.push(BTreeSet::from([common]));
            }
            all
        });
        let mut config = gate(&base, json!({}));
        config["route_metadata"] = json!("restrict");
        let policy = policy(&config);
        let metadata = json!({ "credentials": expression(&added) });
        let metadata = config::requirement(&Node::from(metadata), &policy).unwrap_or_else(|error| panic!("{error}"));
        let decision = request(held).under(metadata.clone()).decide(&policy);
        let is_met = |all: &[BTreeSet<usize>]| all.iter().any(|one| one.iter().all(|at| held[*at] == Held::Good));
        let passes = matches!(decision, Decision::Allow(_));
        prop_assert!(!passes || is_met(&base) && is_met(&added), "{:?}", decision);
        // What meets each of them alone meets both, whatever certificate is there.
        let mut alone = [Held::Nothing; 6];
        (alone[common], alone[CERTIFICATE]) = (Held::Good, others[3]);
        let passes = matches!(request(alone).under(metadata).decide(&policy), Decision::Allow(_));
        let is_own = |all: &[BTreeSet<usize>]| all.contains(&BTreeSet::from([common]));
        prop_assert!(passes || !is_own(&base) || !is_own(&added), "{:?}", request(alone));
    }
}
