//! Over generated requirements and requests, good and bad: nothing passes whose judged credential is bad, and what is
//! judged depends on nothing but on what is presented.

use crate::credentials::{ACME, DISABLED, MESH, OPENAI, accepting};
use crate::world::{Ask, NOW, get, policy, token};
use proptest::prelude::*;
use scopegate::decision::{Basis, Decision, Reason};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The credentials that a requirement names here. The first two are both in `authorization`.
const NAMES: [&str; 5] = ["bearer", "openai", "partners", "mesh", "web"];

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

fn request(held: [Held; 5]) -> Ask {
    NAMES
        .iter()
        .zip(held)
        .filter_map(|(name, held)| text(name, held))
        .fold(get("/").header("sec-fetch-site", "same-origin"), |ask, (name, value)| ask.header(name, value))
}

/// Alternatives as sets of places in [`NAMES`]: none has two credentials in one header, and none is there twice.
fn alternatives() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
    let one = prop::collection::btree_set(0..5_usize, 1..=3)
        .prop_filter("one header holds one, and one is a token", |one| {
            !(one.contains(&0) && (one.contains(&1) || one.contains(&4)))
        });
    prop::collection::btree_set(one, 1..=4).prop_map(|all| all.into_iter().collect())
}

fn expression(alternatives: &[BTreeSet<usize>]) -> Value {
    let names = |one: &BTreeSet<usize>| one.iter().map(|at| NAMES[*at]).collect::<Vec<_>>();
    let all: Vec<Value> = alternatives.iter().map(|one| json!({ "all_of": names(one) })).collect();
    json!({ "any_of": all })
}

fn held() -> impl Strategy<Value = Held> {
    prop_oneof![Just(Held::Nothing), (0..2_usize).prop_map(Held::Bad), Just(Held::Good)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_passes_whose_judged_credential_is_bad(
        alternatives in alternatives(),
        of_authorization in (0..2_usize, held()),
        others in [held(), held(), held()],
        allow_missing in any::<bool>(),
    ) {
        let mut held = [Held::Nothing, Held::Nothing, others[0], others[1], others[2]];
        held[of_authorization.0] = of_authorization.1;
        let mut config = accepting(expression(&alternatives), json!({ "allow_missing": allow_missing }));
        let web = json!({ "name": "web", "cookie": { "name": "__Host-token", "origins": ["https://app.example.com"] } });
        config["credentials"].as_array_mut().unwrap().push(web);
        let decision = request(held).decide(&policy(&config));
        let named: BTreeSet<usize> = alternatives.iter().flatten().copied().collect();
        // A key that is sent as a token is taken for one where only tokens are asked for.
        let is_token = |at: usize| at == 1 && !named.contains(&1) && named.contains(&0);
        let presented: BTreeSet<usize> = (0..5)
            .filter(|at| held[*at] != Held::Nothing)
            .filter_map(|at| if is_token(at) { Some(0) } else { named.contains(&at).then_some(at) })
            .collect();
        let is_good = |at: &usize| held[*at] == Held::Good;
        let has_authorization = held[0] != Held::Nothing || held[1] != Held::Nothing;
        let wanted = if presented.contains(&4) && has_authorization && !presented.contains(&1) {
            Some(Reason::MultipleCredentials)
        } else if presented.is_empty() {
            if allow_missing { None } else { Some(Reason::NoCredential) }
        } else if alternatives.contains(&presented) {
            let all_good = presented.iter().all(is_good);
            prop_assert_eq!(matches!(&decision, Decision::Allow(grant) if grant.basis == Basis::Token), all_good, "{:?}", decision);
            return Ok(());
        } else if alternatives.iter().any(|one| presented.is_subset(one)) {
            Some(Reason::NoCredential)
        } else {
            Some(Reason::MultipleCredentials)
        };
        match decision {
            Decision::Allow(grant) => prop_assert_eq!((wanted, &grant.basis), (None, &Basis::Missing)),
            Decision::Deny(refusal) => prop_assert_eq!(Some(refusal.denial.reason()), wanted),
            Decision::Await(pending) => prop_assert!(false, "awaits {:?}", pending.need),
        }
    }
}
