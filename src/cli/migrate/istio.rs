//! Istio: `RequestAuthentication` and `AuthorizationPolicy`, as a `WasmPlugin` for each group of workloads.

mod beside;
mod condition;
mod documents;
mod jwt_rule;
mod operation;
mod policy;
mod target;
mod workloads;

use super::findings::{Finding, Findings, Kind};
use super::kubernetes::build::{list, object, text};
use super::kubernetes::header_readers;
use super::kubernetes::issuer::{self, Issuer, written};
use super::kubernetes::resource::{self, Resource};
use super::kubernetes::rules::{self, Accepted, Place};
use super::kubernetes::{Writing, closed, refused};
use crate::cli::source::Source;
use crate::config::Node;
use jwt_rule::JwtRules;
use policy::Policies;
use std::collections::{BTreeMap, BTreeSet};
use target::{Classes, Select, Target};
use workloads::{Proxy, Workloads};

/// What is told of workloads that are taken for sidecars.
const ALONE: &str = ". A gateway among them has no gate by this: write one for it, without `match`";

/// A policy and the workloads it is for.
type Aimed<'s> = (Target, Resource<'s>);

/// Reads the policies of Istio, and writes a gate for each group of workloads that has issuers.
pub(super) fn migrate(sources: &[Source], migrated: &mut Writing) {
    let resources = resource::all(sources);
    let of_istio: Vec<&Resource<'_>> =
        resources.iter().filter(|(group, _)| *group == "security.istio.io").map(|(_, resource)| resource).collect();
    let classes = Classes::of(sources);
    let workloads = Workloads::of(&resources);
    let mut aimed = |kind: &str| {
        let mut found: Vec<Aimed<'_>> = Vec::new();
        for resource in of_istio.iter().filter(|resource| resource.kind == kind) {
            match Target::of(resource, &classes) {
                Some(targets) => found.extend(targets.into_iter().map(|target| (target, (*resource).clone()))),
                None => {
                    let what = format!(
                        "{}: which workloads it is for cannot be read; nothing is written for it",
                        resource.title()
                    );
                    migrated.findings.tell(Kind::Denied, resource.file, &resource.spec(), what);
                }
            }
        }
        found
    };
    let authentications = aimed("RequestAuthentication");
    let policies = aimed("AuthorizationPolicy");
    let named: BTreeSet<&Target> = authentications.iter().chain(&policies).map(|(target, _)| target).collect();
    let has_issuers = |target: &Target| authentications.iter().any(|(own, _)| own.covers(target));
    let (targets, others): (Vec<&Target>, Vec<&Target>) = named.into_iter().partition(|target| has_issuers(target));
    let others: Vec<&Aimed<'_>> = policies.iter().filter(|(target, _)| others.contains(&target)).collect();
    for (target, policy) in &others {
        beside::tell(target, policy, &targets, &mut migrated.findings);
    }
    let mut servers = BTreeMap::new();
    for target in &targets {
        let (authentications, policies, others) = (&authentications, &policies, &others);
        Gate {
            target,
            authentications,
            policies,
            others,
            resources: &resources,
            classes: &classes,
            workloads: &workloads,
        }
        .write(migrated, &mut servers);
    }
    for (namespace, (target, addresses)) in servers {
        let external = addresses.iter().flat_map(|address| documents::server(address, target));
        migrated.documents.extend(external);
        if let Some((_, policy)) = authentications.first().filter(|_| !addresses.is_empty()) {
            let clusters = documents::clusters(&addresses);
            let what = format!(
                "namespace {namespace}: the keys are fetched through {clusters}; these clusters have to be visible to the proxies"
            );
            migrated.findings.tell(Kind::Note, policy.file, &policy.spec(), what);
        }
    }
    tell_meetings(&targets, &authentications, &policies, &mut migrated.findings);
}

/// The servers of keys, by namespace, with a target in it.
type Servers<'t> = BTreeMap<String, (&'t Target, BTreeSet<super::kubernetes::address::Address>)>;

/// A gate to be written.
struct Gate<'t, 's> {
    target: &'t Target,
    authentications: &'t [Aimed<'s>],
    policies: &'t [Aimed<'s>],
    /// Those of workloads without a `RequestAuthentication`.
    others: &'t [&'t Aimed<'s>],
    /// All resources, with their groups.
    resources: &'t [(&'s str, Resource<'s>)],
    classes: &'t Classes<'s>,
    workloads: &'t Workloads<'s>,
}

impl<'t> Gate<'t, '_> {
    fn write(&self, migrated: &mut Writing, servers: &mut Servers<'t>) {
        let target = self.target;
        let mut jwt = JwtRules::default();
        let mut own: Vec<&Resource<'_>> = Vec::new();
        for (_, resource) in self.authentications.iter().filter(|(of, _)| of.covers(target)) {
            jwt.add(resource, &mut migrated.findings);
            own.push(resource);
        }
        if !own.is_empty() {
            self.add_unsure_issuers(&mut jwt, &mut migrated.findings);
        }
        jwt.forward.settle(&jwt.issuers, &mut migrated.findings);
        let Some(first) = own.first() else { return };
        if jwt.issuers.is_empty() {
            let what = format!(
                "{}: no issuer could be carried over, so no gate is written for {}",
                first.title(),
                target.words()
            );
            migrated.findings.tell(Kind::Denied, first.file, &first.spec(), what);
            return;
        }
        let issuers = written(&jwt.issuers);
        if jwt.unread.has_unread_bearer(&issuers) {
            let what = format!(
                "{}: bad tokens in `Authorization` were refused, and no issuer that is carried over has its tokens there: everything is \
                 refused",
                target.words()
            );
            migrated.findings.tell(Kind::Denied, first.file, &first.spec(), what);
        }
        let mut policies = Policies::new(&jwt);
        self.policies.iter().filter(|(of, _)| of.covers(target)).for_each(|(_, policy)| policies.add(policy));
        for (_, policy) in self.policies.iter().filter(|(of, _)| of.may_cover(target)) {
            policies.add_unsure(policy, target);
        }
        let met = self.others.iter().filter(|(of, _)| of.may_meet(target));
        met.for_each(|(_, policy)| policies.add_beside(policy));
        let places = policies.cells.places();
        if places.is_none() {
            let what = format!("{}: its policies are about too many requests: everything is refused", target.words());
            migrated.findings.tell(Kind::Denied, first.file, &first.spec(), what);
        }
        let places = places.unwrap_or_default();
        self.tell_places(&places, &policies, first, &mut migrated.findings);
        std::mem::take(&mut policies.findings).0.into_iter().for_each(|finding| migrated.findings.add(finding));
        let Some(configuration) = self.configuration(&jwt, &issuers, &places, first, &mut migrated.findings) else {
            return;
        };
        let of_target = self.authentications.iter().chain(self.policies).find(|(of, _)| of == target);
        let name = format!("scopegate-{}", of_target.map_or(first.name, |(_, resource)| resource.name));
        let proxy = self.workloads.proxy(target);
        self.tell_header_readers(&configuration, proxy, jwt.strips_all(), &mut migrated.findings);
        migrated.plugins.push(configuration.clone());
        migrated.documents.push(documents::plugin(&name, target, proxy, configuration));
        issuer::tell_requests(&mut migrated.findings, first.file, &first.spec());
        let headers: Vec<String> = jwt.forward.headers.keys().chain(&jwt.forward.remove).cloned().collect();
        migrated.documents.extend(documents::early_removal(&name, target, proxy, &headers));
        self.tell_proxy(proxy, first, &mut migrated.findings);
        servers.entry(target.namespace.clone()).or_insert_with(|| (target, BTreeSet::new())).1.extend(jwt.servers);
    }

    /// Tells that the gate judges nothing at a gateway, if the workloads are taken for sidecars.
    fn tell_proxy(&self, proxy: Proxy, first: &Resource<'_>, findings: &mut Findings) {
        // A mesh has gateways, a namespace may, and this leaves them without a gate.
        let (kind, then) = match (proxy, &self.target.select) {
            (Proxy::Gateway, _) => return,
            (Proxy::Unknown, Select::Labels(_)) => (
                Kind::Denied,
                ", and these files do not say what they are. At a gateway this gate judges nothing: there leave `match` out. Give the \
                 Deployment of the workloads, or the Gateway that selects them, too",
            ),
            (Proxy::Unknown, _) => (Kind::Denied, ALONE),
            (Proxy::Sidecar, _) => (Kind::Note, ALONE),
        };
        let words = self.target.words();
        let what = format!("{words}: taken for sidecars (`match: [{{mode: SERVER}}]`){then}");
        findings.tell(kind, first.file, &first.spec(), what);
    }

    /// Tells what looks at headers that the gate removes or sets. A policy that looks at tokens is in the gate itself, or told
    /// elsewhere.
    fn tell_header_readers(&self, plugin: &Node, proxy: Proxy, was_removed: bool, findings: &mut Findings) {
        let meets = |resource: &Resource<'_>| match resource.kind {
            "SecurityPolicy" => false,
            // Routes are chosen at gateways, at waypoints, and by the sidecars of clients.
            "VirtualService" | "HTTPRoute" | "GRPCRoute" => proxy != Proxy::Sidecar || !self.target.is_of_labels(),
            "AuthorizationPolicy" if beside::is_settled(resource) => false,
            "AuthorizationPolicy" | "EnvoyFilter" | "WasmPlugin" | "TrafficExtension" => {
                let all = Target::of(resource, self.classes);
                all.is_none_or(|all| all.iter().any(|other| self.target.may_meet(other)))
            }
            _ => true,
        };
        header_readers::Gate { plugin, was_removed, resources: self.resources, meets: &meets }.tell(findings);
    }

    /// Adds the issuers of which these files do not say whether the workloads accept them: their tokens are refused.
    fn add_unsure_issuers(&self, jwt: &mut JwtRules, findings: &mut Findings) {
        for (_, resource) in self.authentications.iter().filter(|(of, _)| of.may_cover(self.target)) {
            let sure = jwt.issuers.len();
            jwt.add(resource, findings);
            jwt.issuers.iter_mut().skip(sure).for_each(|issuer| issuer.is_usable = false);
            let what =
                format!("{}; the tokens of its issuers are refused there", self.target.unsure(&resource.title()));
            findings.tell(Kind::Denied, resource.file, &resource.spec(), what);
        }
    }

    /// The configuration of the gate; none if not even one that refuses everything would load.
    fn configuration(
        &self,
        jwt: &JwtRules,
        issuers: &[Issuer],
        places: &[Place],
        first: &Resource<'_>,
        findings: &mut Findings,
    ) -> Option<Node> {
        let has_scopes = places.iter().any(rules::has_scopes);
        let unread = jwt.unread.set(issuers);
        let accepted = Accepted { has_unread: unread.is_some(), ..Accepted::of(issuers) };
        let mut members = vec![("issuers".to_owned(), issuer::node(issuers, has_scopes.then_some("scope")))];
        members.extend(unread.map(|set| ("credentials".to_owned(), list([set]))));
        members.extend(rules::members(places, &accepted));
        members.push(("route_metadata".to_owned(), text("ignore")));
        members.extend(jwt.unread.query().map(|query| ("query_tokens".to_owned(), query)));
        members.extend(jwt.forward.node().map(|forward| ("forward".to_owned(), forward)));
        let configuration = object(members.clone());
        let Some(why) = refused(&configuration) else { return Some(configuration) };
        let closed = closed(&members);
        let then = if closed.is_some() { "everything is refused" } else { "no gate is written; keep the policies" };
        let what = format!("{}: what was written would not load ({why}): {then}", self.target.words());
        findings.tell(Kind::Denied, first.file, &first.spec(), what);
        closed
    }

    /// Tells which places are open, and which are closed since nothing says what they asked for.
    fn tell_places(
        &self,
        places: &[Place],
        policies: &Policies<'_, '_>,
        first: &Resource<'_>,
        findings: &mut Findings,
    ) {
        let of = |rule: Option<&usize>| {
            let rule = rule.and_then(|number| policies.rules.get(*number));
            rule.map_or_else(|| (first.clone(), first.spec()), Clone::clone)
        };
        for place in places.iter().filter(|place| place.is_unsayable) {
            let (resource, view) = of(place.rules.first());
            let what = format!(
                "{}: at {} several rules allow for different reasons, which one requirement cannot say",
                resource.title(),
                place.region.words()
            );
            findings.tell(Kind::Denied, resource.file, &view, what);
        }
        for place in places.iter().filter(|place| place.is_cut) {
            let (resource, view) = of(place.rules.first());
            let what = format!(
                "{}: rules are about a part of {} that no match says: what one of them may refuse is refused in all of it",
                resource.title(),
                place.region.words()
            );
            findings.tell(Kind::Denied, resource.file, &view, what);
        }
        if let Some(heads) = rules::closed_heads(places) {
            let what = format!(
                "{}: {heads} is refused on its own, since a match of GET takes HEAD too, and the old policies did not",
                self.target.words()
            );
            findings.tell(Kind::Note, first.file, &first.spec(), what);
        }
        for (rule, at) in rules::open_places(places) {
            let (resource, view) = of(rule.as_ref());
            let why = if policies.cells.allow.is_none() { " (no policy asks for one)" } else { "" };
            let (title, workloads) = (resource.title(), self.target.words());
            let what = format!("{title}: {workloads}: a request without a token passes at {at}{why}");
            findings.tell(Kind::LetThrough, resource.file, &view, what);
        }
    }
}

/// Tells which groups of workloads may have workloads in common, which would get two gates.
fn tell_meetings(targets: &[&Target], authentications: &[Aimed<'_>], policies: &[Aimed<'_>], findings: &mut Findings) {
    for (index, target) in targets.iter().enumerate() {
        for other in targets.iter().skip(index.saturating_add(1)).filter(|other| target.may_meet(other)) {
            let Some((_, resource)) =
                authentications.iter().chain(policies).find(|(of, _)| of == *other || of == *target)
            else {
                continue;
            };
            let what = format!(
                "{}, and {}: a workload that is both has two gates, of which the second finds no token; write selectors that no \
                 workload meets twice",
                target.words(),
                other.words()
            );
            findings.add(Finding::new(Kind::Stricter, resource.file, &resource.spec(), what));
        }
    }
}
