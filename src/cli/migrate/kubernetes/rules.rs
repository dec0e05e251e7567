//! From what old policies allow and deny, region by region, to rules of which the first that matches decides.

use super::ask::{Ask, Outcome, Terms};
use super::build::{flag, object};
use super::issuer::Issuer;
use super::region::{Meet, Region};
use super::unread::beside_unread;
use crate::config::Node;
use std::collections::{BTreeMap, BTreeSet};

/// The most regions that are told apart.
const MOST: usize = 400;

/// What an old rule says about a region.
#[derive(Clone, Debug)]
pub(in crate::cli::migrate) struct Cell {
    /// The requests.
    pub region: Region,
    /// But for these.
    pub except: Vec<Region>,
    /// What lets a request pass.
    pub ask: Ask,
    /// The old rule.
    pub rule: usize,
}

/// What old policies say together.
#[derive(Clone, Debug)]
pub(in crate::cli::migrate) struct Cells {
    /// What has to hold everywhere.
    pub everywhere: Ask,
    /// What allows: one has to, unless there is no such policy.
    pub allow: Option<Vec<Cell>>,
    /// What refuses all that does not meet its `ask`.
    pub refuse: Vec<Cell>,
}

/// A region with what is asked there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::migrate) struct Place {
    /// The requests, but for those of the places before it.
    pub region: Region,
    /// What is asked.
    pub outcome: Outcome,
    /// The old rules that have a say.
    pub rules: BTreeSet<usize>,
    /// The old rule that allows requests without a credential.
    pub opened_by: Option<usize>,
    /// Whether the old rules have alternatives here that one requirement cannot say, so that everything is refused.
    pub is_unsayable: bool,
    /// Whether old rules are about a part of it that no match says, so that more is refused than they did.
    pub is_cut: bool,
}

impl Cells {
    /// The places, in order; the last is about every request. Nothing if there are too many.
    pub(in crate::cli::migrate) fn places(&self) -> Option<Vec<Place>> {
        let places: Vec<Place> = self.regions()?.into_iter().map(|region| self.place(region)).collect();
        Some(without_repetitions(places))
    }

    fn all(&self) -> impl Iterator<Item = &Cell> {
        self.allow.iter().flatten().chain(&self.refuse)
    }

    /// The regions of all cells, and what they have in common, in order.
    fn regions(&self) -> Option<Vec<Region>> {
        let mut regions = vec![Region::default()];
        let named: Vec<&Region> =
            self.all().flat_map(|cell| std::iter::once(&cell.region).chain(&cell.except)).collect();
        let heads: Vec<Region> = named.iter().filter_map(|region| region.head_alone()).collect();
        for region in named.into_iter().chain(&heads) {
            if !regions.contains(region) {
                regions.push(region.clone());
            }
        }
        let mut next = 0;
        while let Some(region) = regions.get(next).cloned() {
            for other in 0..next {
                let meet = regions.get(other).map(|other| region.meet(other));
                if let Some(Meet::In(both)) = meet
                    && !regions.contains(&both)
                {
                    regions.push(both);
                }
            }
            if regions.len() > MOST {
                return None;
            }
            next = next.saturating_add(1);
        }
        regions.sort_by(|own, other| own.rank().cmp(&other.rank()));
        Some(regions)
    }

    /// What is asked in a region, but for the regions within it.
    fn place(&self, region: Region) -> Place {
        let (mut rules, mut opened_by) = (BTreeSet::new(), None);
        let mut is_cut = self.allow.iter().flatten().any(|cell| cell.is_cut_by_exception(&region));
        let allowed = self.allow.as_ref().map_or_else(Ask::nothing, |allow| {
            let mut allowed = Ask::never();
            for cell in allow.iter().filter(|cell| cell.allows(&region)) {
                rules.insert(cell.rule);
                opened_by = opened_by.or(cell.ask.is_nothing().then_some(cell.rule));
                allowed = allowed.or(cell.ask.clone());
            }
            allowed
        });
        let mut asked = self.everywhere.and(&allowed);
        for cell in self.refuse.iter().filter(|cell| cell.refuses(&region)) {
            rules.insert(cell.rule);
            is_cut |= !region.is_within(&cell.region);
            asked = asked.and_then(|asked| asked.and(&cell.ask));
        }
        match asked.and_then(|asked| asked.outcome()) {
            Ok(outcome) => Place { region, outcome, rules, opened_by, is_unsayable: false, is_cut },
            Err(_) => Place { region, outcome: Outcome::Deny, rules, opened_by, is_unsayable: true, is_cut },
        }
    }
}

impl Cell {
    /// Whether it allows all of a region.
    fn allows(&self, region: &Region) -> bool {
        region.is_within(&self.region)
            && !self.except.iter().any(|except| region.is_within(except) || region.meet(except) == Meet::Unsaid)
    }

    /// Whether it does not allow a region since it excepts a part that no match says.
    fn is_cut_by_exception(&self, region: &Region) -> bool {
        region.is_within(&self.region)
            && !self.except.iter().any(|except| region.is_within(except))
            && !self.allows(region)
    }

    /// Whether it may refuse some of a region.
    fn refuses(&self, region: &Region) -> bool {
        (region.is_within(&self.region) || region.meet(&self.region) == Meet::Unsaid)
            && !self.except.iter().any(|except| region.is_within(except))
    }
}

/// Leaves out the places whose requests would meet the same at the next place that has any of them.
fn without_repetitions(places: Vec<Place>) -> Vec<Place> {
    let mut kept: Vec<Place> = Vec::new();
    for place in places.into_iter().rev() {
        let region = place.region.as_matched();
        let next = kept.iter().rev().find(|next| region.meet(&next.region.as_matched()) != Meet::Apart);
        let repeats = next.is_some_and(|next| {
            next.outcome == place.outcome
                && !place.is_unsayable
                && !place.is_cut
                && region.is_within(&next.region.as_matched())
        });
        if !repeats {
            kept.push(place);
        }
    }
    kept.reverse();
    kept
}

/// What requirements say beside the terms of their place.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::migrate) struct Accepted {
    /// The issuers of the configuration.
    pub issuers: BTreeSet<String>,
    /// Those of them whose tokens are accepted.
    pub usable: BTreeSet<String>,
    /// The credentials that are needed, if they are not tokens alone.
    pub credentials: Option<Node>,
    /// Whether there is a set of headers in which nothing is accepted.
    pub has_unread: bool,
}

impl Accepted {
    /// Those of issuers of which some are not accepted.
    pub(in crate::cli::migrate) fn of(issuers: &[Issuer]) -> Self {
        let name = |issuer: &Issuer| issuer.name.clone();
        let usable = issuers.iter().filter(|issuer| issuer.is_usable).map(name).collect();
        Self { issuers: issuers.iter().map(name).collect(), usable, ..Self::default() }
    }

    fn requirement(&self, outcome: &Outcome) -> Vec<(String, Node)> {
        let Outcome::Ask(terms) = outcome else { return vec![("deny".to_owned(), flag(true))] };
        let needed = self.credentials.clone().filter(|_| terms.credential);
        let credentials = if self.has_unread { Some(beside_unread(needed)) } else { needed };
        let credentials = credentials.map(|node| ("credentials".to_owned(), node));
        credentials.into_iter().chain(terms.members(&self.issuers, &self.usable)).collect()
    }
}

/// The members `default` and `rules` of a configuration.
pub(in crate::cli::migrate) fn members(places: &[Place], accepted: &Accepted) -> Vec<(String, Node)> {
    let of = |place: &Place| accepted.requirement(&place.outcome);
    let rules: Vec<Node> = places
        .iter()
        .filter_map(|place| Some((place.region.matching()?, place)))
        .map(|(matching, place)| object(std::iter::once(("match".to_owned(), matching)).chain(of(place))))
        .collect();
    let last = places.iter().rev().find(|place| place.region == Region::default());
    let default = last.map_or_else(|| vec![("deny".to_owned(), flag(true))], of);
    let mut members = vec![("default".to_owned(), object(default))];
    if !rules.is_empty() {
        members.push(("rules".to_owned(), super::build::list(rules)));
    }
    members
}

/// Where HEAD is closed on its own, in words: a match of GET takes it too, and the old rules did not.
pub(in crate::cli::migrate) fn closed_heads(places: &[Place]) -> Option<String> {
    let has_get = |place: &Place, head: &Region| {
        let methods = place.region.methods.as_ref();
        let is_of_get = methods.is_some_and(|own| own.contains("GET") && !own.contains("HEAD"));
        is_of_get && place.outcome != Outcome::Deny && place.region.head_alone().as_ref() == Some(head)
    };
    let is_closed =
        |place: &&Place| place.outcome == Outcome::Deny && places.iter().any(|other| has_get(other, &place.region));
    let closed: Vec<String> = places.iter().filter(is_closed).map(|place| place.region.words()).collect();
    (!closed.is_empty()).then(|| closed.join(", "))
}

/// Where requests without a credential pass, in words, by the old rule that allows it.
pub(in crate::cli::migrate) fn open_places(places: &[Place]) -> BTreeMap<Option<usize>, String> {
    let mut open: BTreeMap<Option<usize>, Vec<&Region>> = BTreeMap::new();
    for place in places {
        if matches!(&place.outcome, Outcome::Ask(Terms { credential: false, .. })) {
            open.entry(place.opened_by).or_default().push(&place.region);
        }
    }
    let words = |regions: Vec<&Region>| match regions.iter().find(|region| **region == &Region::default()) {
        Some(all) => all.words(),
        None => regions.iter().map(|region| region.words()).collect::<Vec<_>>().join(", "),
    };
    open.into_iter().map(|(rule, regions)| (rule, words(regions))).collect()
}

/// Whether scopes are asked for at a place.
pub(in crate::cli::migrate) fn has_scopes(place: &Place) -> bool {
    matches!(&place.outcome, Outcome::Ask(terms) if !terms.scopes.is_empty())
}
