//! The requirements of routes: beside a route where they are its own, in rules where they are not.

use super::chain::{Asks, Chain};
use super::levels::entry;
use super::matching::route_region;
use super::served::Names;
use crate::cli::gates::beside::{PER_FILTER, Reader};
use crate::cli::gates::{ROOT_ID, virtual_hosts};
use crate::cli::migrate::findings::{Finding, Findings, Kind, Why};
use crate::cli::migrate::policy::{Access, Cases, Issuers, Need, PathIs, Region, beside, denied, rules};
use crate::cli::migrate::tree::text;
use crate::cli::migrate::write::{Edit, Edits};
use crate::cli::source::View;
use crate::config::{METADATA_NAMESPACE, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A route with what is asked of its requests.
struct Asked<'s> {
    file: &'s Path,
    host: &'s str,
    view: View<'s>,
    name: String,
    /// What is asked, for all requests; [`Cases::within`] leaves those of the route.
    cases: Cases<Access>,
    /// Whether that is not what the chain asks of every request.
    is_own: bool,
    region: Region,
}

/// By what requests pass.
#[derive(Debug)]
pub(super) struct Passing {
    /// Whether each has had a token judged.
    pub(super) is_judged: bool,
    /// The providers whose tokens are accepted somewhere, by their number.
    pub(super) providers: BTreeSet<usize>,
    /// What they need.
    pub(super) needs: Vec<Need>,
}

impl Passing {
    /// Adds these requests.
    fn add(&mut self, cases: &Cases<Access>) {
        for (_, access) in cases.all() {
            self.is_judged &= match access {
                Access::Yes | Access::Open => false,
                Access::Need(need) => need.tokens.is_some() && !need.missing,
                Access::No | Access::Unclear(_) => true,
            };
            if let Access::Need(need) = access {
                self.providers.extend(need.tokens.iter().flat_map(BTreeMap::keys));
                if !self.needs.contains(need) {
                    self.needs.push(need.clone());
                }
            }
        }
    }
}

/// All routes of a chain, and what is asked of a request without one.
pub(super) struct Routes<'s> {
    all: Vec<Asked<'s>>,
    base: Cases<Access>,
}

impl<'s> Routes<'s> {
    /// Reads them.
    pub(super) fn read(asks: &Asks<'_, 's>) -> Self {
        let chain = asks.chain;
        let base = asks.of(&[], chain.file);
        let mut known: BTreeMap<Vec<usize>, Cases<Access>> = BTreeMap::new();
        let mut all = Vec::new();
        for (file, config) in &chain.route_configs {
            for host in virtual_hosts(file, config, Reader::Wasm) {
                for route in host.routes {
                    let levels = [route.view.clone(), host.view.clone(), config.clone()];
                    let variants = variants(chain, &route.view, &levels);
                    let own = variants.iter().any(|levels| !key(chain, levels).iter().all(|at| *at == 0));
                    let mut answers = variants
                        .iter()
                        .map(|levels| known.entry(key(chain, levels)).or_insert_with(|| asks.of(levels, file)).clone());
                    let first = answers.next().unwrap_or_else(|| base.clone());
                    let why = Why::new(file, &route.view, "sends requests to clusters with different requirements");
                    let unclear = Access::Unclear(vec![why]);
                    // The cluster is chosen after the route is judged: what holds for one of them alone cannot be said.
                    let same = |a: &Access, b: &Access| if a == b { a.clone() } else { unclear.clone() };
                    let cases = answers
                        .fold(first, |all, next| if all == next { all } else { all.both(&next, &unclear, same) });
                    let region = route.view.get("match").map(|view| route_region(&view)).unwrap_or_default();
                    all.push(Asked {
                        file,
                        host: host.view.name().unwrap_or_default(),
                        name: route.name,
                        view: route.view,
                        cases,
                        is_own: own,
                        region,
                    });
                }
            }
        }
        Self { all, base }
    }

    /// The rules, and by what requests pass, with the requirements beside routes among the edits.
    /// `may_be_beside`: no other chain serves the routes, and
    /// what is judged is the route that was chosen by the path that is judged.
    pub(super) fn write(
        self,
        asks: &Asks<'_, 's>,
        issuers: &Issuers,
        may_be_beside: bool,
        names: &mut Names,
        edits: &mut Edits,
        findings: &mut Findings,
    ) -> (Vec<Node>, Passing) {
        let mut made = Vec::new();
        let mut passing = Passing { is_judged: true, providers: BTreeSet::new(), needs: Vec::new() };
        let mut needs_base = self.all.is_empty();
        let too_many = Access::Unclear(vec![Why::new(
            asks.chain.file,
            &asks.chain.manager,
            "has conditions on paths of which no rule says which hold for a route",
        )]);
        let base = asks.settled(&self.base, issuers);
        for (index, route) in self.all.iter().enumerate() {
            let cases = asks.settled(&route.cases, issuers).within(&route.region, &too_many);
            passing.add(&cases);
            tell(route, &cases, findings);
            if may_be_beside && let Some(node) = beside(&cases, issuers) {
                edits.add(route.view.node, Edit::Set(vec!["metadata", "filter_metadata", METADATA_NAMESPACE], node));
                continue;
            }
            if !route.is_own {
                needs_base = true;
                continue;
            }
            let twins = self.all.iter().filter(|other| other.name == route.name && !route.name.is_empty());
            let (here, everywhere) = (twins.clone().filter(|other| other.host == route.host).count(), twins.count());
            if here > 1 {
                let what = "has the name of another route, so no rule tells them apart";
                findings.tell(Kind::Denied, route.file, &route.view, what);
                if may_be_beside {
                    edits.add(
                        route.view.node,
                        Edit::Set(vec!["metadata", "filter_metadata", METADATA_NAMESPACE], denied()),
                    );
                    continue;
                }
            }
            let name = if route.name.is_empty() {
                let name = names.of(&route.view, index);
                edits.add(route.view.node, Edit::Set(vec!["name"], text(&name)));
                name
            } else {
                route.name.clone()
            };
            let host = (everywhere > 1 && !route.host.is_empty()).then(|| route.host.to_owned());
            let within = Region { route: Some(name), virtual_host: host, ..Region::default() };
            // What stands beside a route holds for every chain that serves it; a rule does not.
            let cases = if here > 1 { Cases::always(Access::No) } else { cases };
            made.extend(rules(&cases, &within, issuers));
        }
        if needs_base {
            base.all().for_each(|(_, access)| tell_reasons(access, findings));
            let every = base.within(&Region::path(PathIs::every()), &too_many);
            passing.add(&every);
            if *every.last() == Access::Open {
                let what = "lets requests pass that none of its rules matches";
                for (_, file, view) in asks.chain.jwts() {
                    findings.tell(Kind::LetThrough, file, view, what);
                }
            }
            made.extend(rules(&base, &Region::default(), issuers));
        }
        (made, passing)
    }
}

/// The holders of configuration for each cluster of a route, the most specific first.
fn variants<'s>(chain: &Chain<'s>, route: &View<'s>, levels: &[View<'s>; 3]) -> Vec<Vec<View<'s>>> {
    let clusters = route.at(&["route", "weighted_clusters"]).map(|all| all.list("clusters")).unwrap_or_default();
    let has_own = |cluster: &View<'s>| chain.filters.iter().any(|filter| entry(cluster, filter.name).is_some());
    if !clusters.iter().any(has_own) {
        return vec![levels.to_vec()];
    }
    clusters.into_iter().map(|cluster| std::iter::once(cluster).chain(levels.iter().cloned()).collect()).collect()
}

/// Which entries hold for the filters of a chain: equal for routes of which the same is asked. Zeros where none does.
fn key(chain: &Chain<'_>, levels: &[View<'_>]) -> Vec<usize> {
    let at = |level: &View<'_>, name: &str| entry(level, name).map_or(0, |entry| std::ptr::from_ref(entry.node).addr());
    chain.filters.iter().flat_map(|filter| levels.iter().map(move |level| at(level, filter.name))).collect()
}

/// Tells what a route lets through, and what of it is not carried over.
fn tell(route: &Asked<'_>, cases: &Cases<Access>, findings: &mut Findings) {
    cases.all().for_each(|(_, access)| tell_reasons(access, findings));
    let open = cases.all().any(|(_, access)| *access == Access::Open);
    if open {
        let name = if route.name.is_empty() { String::new() } else { format!(" `{}`", route.name) };
        let part = if cases.only().is_some() { "" } else { ", for some of its requests" };
        let what = format!("the route{name} needs no token{part}");
        findings.tell(Kind::LetThrough, route.file, &route.view, what);
    }
}

fn tell_reasons(access: &Access, findings: &mut Findings) {
    access.reasons().iter().for_each(|why| findings.add(why.finding().clone()));
}

/// Whether a route, or what holds it, configures one of these filters.
pub(super) fn configure<'f>(chain: &Chain<'_>, mut filters: impl Iterator<Item = &'f str>) -> bool {
    let holders: Vec<View<'_>> =
        chain.route_configs.iter().flat_map(|(_, config)| config.holders(PER_FILTER)).collect();
    filters.any(|name| holders.iter().any(|holder| entry(holder, name).is_some()))
}

/// What a gate in this chain would read beside its routes, or be turned off by, though it was written for another one.
pub(super) fn foreign(chain: &Chain<'_>) -> Option<Finding> {
    chain.route_configs.iter().find_map(|(file, config)| {
        let asked = virtual_hosts(file, config, Reader::Wasm).into_iter().find_map(|host| {
            let of_routes = host.routes.into_iter().find_map(|route| route.beside);
            host.beside.or(of_routes).map(|beside| beside.view)
        });
        if let Some(view) = asked {
            let what = "is a requirement of Scopegate, which the new gate would read too: its chain is left as it is. Take the \
                        requirement out, or give the chain routes of its own";
            return Some(Finding::new(Kind::Denied, file, &view, what));
        }
        let setting = config.holders(PER_FILTER).iter().find_map(|holder| entry(holder, ROOT_ID))?;
        let what = format!(
            "is for a filter with the name `{ROOT_ID}`, which the new gate has: its chain is left as it is. Take it out, or give \
             that filter another name"
        );
        Some(Finding::new(Kind::Denied, file, &setting, what))
    })
}

/// Takes the configuration of migrated filters off the routes. `kept` are the names that other filters of these routes have.
/// Routes that are fetched keep it: a listener that is not in these files may serve them, too.
pub(super) fn strip<'s>(
    chain: &Chain<'s>,
    kept: impl Fn(&View<'s>) -> BTreeSet<&'s str>,
    edits: &mut Edits,
    findings: &mut Findings,
) {
    for (file, config) in &chain.route_configs {
        let kept = kept(config);
        let own = chain.filters.iter().map(|filter| filter.name);
        let names: BTreeSet<String> = own.filter(|name| !kept.contains(name)).map(str::to_owned).collect();
        let holders = config.holders(PER_FILTER).into_iter().filter_map(|holder| holder.get(PER_FILTER));
        let mut holders = holders.filter(|own| own.members().iter().any(|(name, _)| names.contains(*name)));
        if chain.manager.get("rds").is_some() {
            if let Some(first) = holders.next() {
                let what = "is for filters that are gone here, and stays: another listener may fetch these routes and need it. Take it \
                            out once none does";
                findings.tell(Kind::Note, file, &first, what);
            }
            continue;
        }
        for own in holders {
            edits.add(own.node, Edit::Without(names.clone()));
        }
    }
}
