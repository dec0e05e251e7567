//! A requirement, from what is asked of a request.

use super::{Access, Claim, Need, Test, Tokens};
use crate::cli::migrate::tree::{flag, list, object, object_of, text, texts};
use crate::config::{Node, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// A provider of the old configuration, as far as requirements need to know it.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The number of its issuer.
    pub issuer: usize,
    /// Its audiences; nothing if any would do.
    pub audiences: Option<BTreeSet<String>>,
    /// What it asks of its tokens wherever they are accepted.
    pub claims: Vec<Claim>,
    /// The header of its tokens.
    pub header: String,
    /// Other headers of its tokens, which are refused if there is something in them.
    pub refused: BTreeSet<String>,
    /// Places of its tokens in which a bad one could be neither refused nor removed.
    pub unseen: Vec<String>,
    /// Whether a bad token would pass for none in a place that Scopegate does not read.
    pub may_pass_for_none: bool,
}

/// The issuers of the new configuration, and the providers of the old one.
#[derive(Clone, Debug, Default)]
pub struct Issuers {
    /// The name of each issuer, and its audiences; nothing if any would do.
    pub issuers: Vec<(String, Option<BTreeSet<String>>)>,
    /// The providers, by their number.
    pub accepted: Vec<Accepted>,
    /// The headers in which nothing may be, each of which has an issuer without tokens.
    pub refused: BTreeSet<String>,
    /// The header of each set of credentials.
    pub sets: BTreeMap<String, String>,
}

impl Issuers {
    /// What a request needs, if a requirement says it.
    ///
    /// # Errors
    /// Why none does.
    pub fn settled(&self, access: &Access) -> Result<Access, String> {
        let Access::Need(need) = access else { return Ok(access.clone()) };
        let mut need = need.clone();
        if let Some(tokens) = &need.tokens {
            let providers: Vec<&Accepted> = tokens.keys().filter_map(|number| self.accepted.get(*number)).collect();
            let Some(first) = providers.first() else { return Ok(Access::No) };
            if providers.iter().any(|other| other.claims != first.claims) {
                return Err("accepts providers that ask for different subjects: a requirement has one condition".into());
            }
            need.claims
                .extend(first.claims.iter().filter(|claim| !need.claims.contains(claim)).cloned().collect::<Vec<_>>());
            if let Some(place) = providers.iter().find_map(|provider| provider.unseen.first()) {
                return Err(format!(
                    "takes tokens from {place} too, and refuses a bad one there beside a good one: Scopegate would let it pass. If \
                     no client needs that place, take it out of the provider, and migrate again"
                ));
            }
            let of_sets = |header: &String| self.sets.values().any(|own| own == header);
            if providers.iter().flat_map(|provider| &provider.refused).any(of_sets) {
                return Err("takes tokens from the header of another credential too".into());
            }
            if need.missing && providers.iter().any(|provider| provider.may_pass_for_none) {
                return Err(
                    "lets requests without a token pass, and refuses a bad token in a place that Scopegate does not \
                            read: it would pass for none"
                        .into(),
                );
            }
            if need.missing && !need.sets.is_empty() {
                return Err("lets requests without a token pass, beside another credential".into());
            }
            let shared =
                |set: &String| self.sets.get(set).is_some_and(|own| providers.iter().any(|other| other.header == *own));
            if need.sets.keys().any(shared) {
                return Err("asks for a token and another credential in one header: a request has one there".into());
            }
            self.audiences(tokens)?;
        }
        let headers: BTreeSet<&String> = need.sets.keys().filter_map(|set| self.sets.get(set)).collect();
        if headers.len() < need.sets.len() {
            return Err("asks for two credentials in one header: a request has one there".into());
        }
        let asked = need.sets.values().flatten().count().saturating_add(usize::from(!need.claims.is_empty()));
        if asked > 1 {
            return Err("asks for more than one credential in a request, and looks into several of them: a requirement looks into the first \
                        alone"
                .into());
        }
        Ok(Access::Need(need))
    }

    /// The audiences that a requirement has to name, if those of the issuers are not all.
    fn audiences(&self, tokens: &Tokens) -> Result<Option<BTreeSet<String>>, String> {
        let mut by_issuer: BTreeMap<usize, Option<BTreeSet<String>>> = BTreeMap::new();
        for (number, instead) in tokens {
            let Some(provider) = self.accepted.get(*number) else { continue };
            let own = instead.clone().or_else(|| provider.audiences.clone());
            let known = by_issuer.entry(provider.issuer).or_insert_with(|| Some(BTreeSet::new()));
            match (known.as_mut(), own) {
                (Some(known), Some(own)) => known.extend(own),
                _ => *known = None,
            }
        }
        let of = |number: &usize| self.issuers.get(*number).and_then(|(_, audiences)| audiences.clone());
        if by_issuer.iter().all(|(number, wanted)| *wanted == of(number)) {
            return Ok(None);
        }
        match (by_issuer.len(), by_issuer.into_iter().next()) {
            (1, Some((number, Some(wanted)))) if of(&number).is_some() => Ok(Some(wanted)),
            (1, _) => Err("asks for audiences of an issuer whose tokens are accepted elsewhere for any".into()),
            _ => Err("accepts tokens of several issuers, and of one of them for some of its audiences".into()),
        }
    }
}

/// The requirement. What is not [settled](Issuers::settled) is refused.
#[must_use]
pub fn requirement(access: &Access, issuers: &Issuers) -> Node {
    match access {
        Access::Yes | Access::Open => object([("public", flag(true))]),
        Access::No | Access::Unclear(_) => object([("deny", flag(true))]),
        Access::Need(need) => of_need(need, issuers),
    }
}

fn of_need(need: &Need, issuers: &Issuers) -> Node {
    let mut members = Vec::new();
    let mut credentials: Vec<&str> =
        need.tokens.iter().map(|_| "bearer").chain(need.sets.keys().map(String::as_str)).collect();
    // The first is the one whose claims are asked for.
    credentials.sort_by_key(|name| Some(*name) != need.first_set() && need.first_set().is_some());
    match credentials.as_slice() {
        [] | ["bearer"] => {}
        [one] => members.push(("credentials", Some(text(*one)))),
        all => members.push(("credentials", Some(object([("all_of", texts(all.iter().copied()))])))),
    }
    let (scopes, claims): (Vec<&Claim>, Vec<&Claim>) = need.claims.iter().partition(|claim| claim.test == Test::Scope);
    if let Some(tokens) = &need.tokens {
        let numbers: BTreeSet<usize> =
            tokens.keys().filter_map(|number| Some(issuers.accepted.get(*number)?.issuer)).collect();
        if numbers.len() < issuers.issuers.len() || !issuers.refused.is_empty() {
            let names = numbers.iter().filter_map(|number| issuers.issuers.get(*number)).map(|(name, _)| name.clone());
            members.push(("issuers", Some(texts(names))));
        }
        if let Ok(Some(audiences)) = issuers.audiences(tokens) {
            members.push(("audiences", Some(texts(audiences))));
        }
    }
    if scopes.iter().all(|scope| scope.values.len() == 1) {
        let one = |scope: &&Claim| scope.values.first().cloned().map(Node::from);
        if !scopes.is_empty() || need.claims.is_empty() && need.sets.is_empty() {
            members.push(("scopes", Some(list(scopes.iter().filter_map(one)))));
        }
    } else {
        let any = |scope: &&Claim| object([("any_of", list(scope.values.iter().cloned().map(Node::from)))]);
        let mut all: Vec<Node> = scopes.iter().map(any).collect();
        let whole = if all.len() == 1 { all.pop() } else { Some(object([("all_of", list(all))])) };
        members.push(("scopes", whole));
    }
    let of_set = need.sets.values().flatten().map(|identities| Claim {
        path: vec!["sub".to_owned()],
        test: Test::Is,
        values: identities.iter().cloned().map(Tree::Text).collect(),
    });
    let claims: Vec<Node> = claims.into_iter().map(condition).chain(of_set.map(|own| condition(&own))).collect();
    if !claims.is_empty() {
        members.push(("claims", Some(list(claims))));
    }
    if need.missing {
        members.push(("allow_missing", Some(flag(true))));
    }
    object_of(members)
}

/// A claim condition.
fn condition(claim: &Claim) -> Node {
    let name = match claim.path.as_slice() {
        [one] => text(one),
        path => texts(path.to_vec()),
    };
    let values = || list(claim.values.iter().cloned().map(Node::from));
    let one = || claim.values.first().cloned().map_or_else(|| Node::from(Tree::Null), Node::from);
    let (field, value) = match (claim.test, claim.values.len()) {
        (Test::Has, 1) => ("contains", one()),
        (Test::Has, _) => ("contains_any", values()),
        (Test::Member, 1) => ("has_member", one()),
        (Test::Member, _) => ("has_any_member", values()),
        (_, 1) => ("equals", one()),
        (_, _) => ("one_of", values()),
    };
    object([("claim", name), (field, value)])
}
