//! What policies of Envoy Gateway are for: Gateways, routes, and parts of them; and which of two policies counts there.

use super::given::Given;
use crate::cli::migrate::kubernetes::resource::{Resource, labels, unknown};
use crate::cli::source::View;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The group of Gateways and routes.
pub(super) const GATEWAY_API: &str = "gateway.networking.k8s.io";
/// The kinds of routes with HTTP requests.
pub(super) const ROUTES: [&str; 2] = ["HTTPRoute", "GRPCRoute"];
/// The kinds of routes without.
const OTHER_ROUTES: [&str; 3] = ["TCPRoute", "TLSRoute", "UDPRoute"];

/// One of the targets of a policy.
#[derive(Clone, Debug)]
pub(super) struct Target<'s> {
    kind: &'s str,
    namespace: &'s str,
    which: Which<'s>,
    /// The listener or the rule, if it is for one.
    section: Option<&'s str>,
}

#[derive(Clone, Debug)]
enum Which<'s> {
    /// The one of this name.
    Named(&'s str),
    /// Those with these labels.
    Labels(BTreeMap<String, String>),
    /// Those that a selector selects which is not read here.
    Unknown,
}

impl<'s> Target<'s> {
    /// Those of a policy, as far as they have HTTP requests; references with their numbers.
    pub(super) fn all(policy: &Resource<'s>) -> Vec<(Option<usize>, Self)> {
        let of_selector = |selector: View<'s>| {
            let wanted = selector.get("matchLabels");
            let read = wanted.as_ref().map(labels).unwrap_or_default();
            let is_read = unknown(&selector, &["group", "kind", "matchLabels"]).is_empty()
                && read.len() == wanted.map_or(0, |labels| labels.members().len());
            let which = if is_read { Which::Labels(read) } else { Which::Unknown };
            Self { kind: kind(&selector).unwrap_or_default(), namespace: policy.namespace, which, section: None }
        };
        let named = references(policy).into_iter().enumerate();
        let named = named.map(|(number, reference)| (Some(number), Self::of(policy, &reference)));
        let selected = policy.spec().list("targetSelectors").into_iter().map(|selector| (None, of_selector(selector)));
        named.chain(selected).filter(|(_, target)| !OTHER_ROUTES.contains(&target.kind)).collect()
    }

    fn of(policy: &Resource<'s>, reference: &View<'s>) -> Self {
        let section = reference.get("sectionName").and_then(|name| name.text());
        let which = reference.name().map_or(Which::Unknown, Which::Named);
        Self { kind: kind(reference).unwrap_or_default(), namespace: policy.namespace, which, section }
    }

    /// Which of two policies counts where both targets are, that of the narrower one: `Greater` if that is the other, and
    /// `Equal` if their age decides. None if they have nothing in common.
    pub(super) fn against(&self, other: &Self, given: &Given<'_>) -> Option<Ordering> {
        let (is_route, is_other_route) = (ROUTES.contains(&self.kind), ROUTES.contains(&other.kind));
        let have_both = match (is_route, is_other_route) {
            (true, false) => self.is_below(other, given),
            (false, true) => other.is_below(self, given),
            _ => {
                let sections = self.section.zip(other.section);
                self.is_like(other, given) && sections.is_none_or(|(own, other)| own == other)
            }
        };
        have_both.then(|| (is_other_route, other.section.is_some()).cmp(&(is_route, self.section.is_some())))
    }

    /// Whether there may be something that both are.
    fn is_like(&self, other: &Self, given: &Given<'_>) -> bool {
        let has = |name: &str, wanted: &BTreeMap<String, String>| {
            let known = given.all(GATEWAY_API, self.kind);
            let mut known = known.filter(|one| one.namespace == self.namespace && one.name == name);
            known.next().is_none_or(|one| {
                let own = one.root.at(&["metadata", "labels"]).map(|view| labels(&view)).unwrap_or_default();
                wanted.iter().all(|(name, value)| own.get(name) == Some(value))
            })
        };
        let may_be = match (&self.which, &other.which) {
            (Which::Named(own), Which::Named(other)) => own == other,
            (Which::Named(name), Which::Labels(wanted)) | (Which::Labels(wanted), Which::Named(name)) => {
                has(name, wanted)
            }
            (Which::Labels(own), Which::Labels(others)) => {
                own.iter().all(|(name, value)| others.get(name).is_none_or(|other| other == value))
            }
            (Which::Unknown, _) | (_, Which::Unknown) => true,
        };
        may_be && self.kind == other.kind && self.namespace == other.namespace
    }

    /// Whether this route may be one of that Gateway.
    fn is_below(&self, gateway: &Self, given: &Given<'_>) -> bool {
        let (Which::Named(own), Which::Named(of)) = (&self.which, &gateway.which) else { return true };
        let known = given.all(GATEWAY_API, self.kind);
        let mut known = known.filter(|route| route.namespace == self.namespace && route.name == *own);
        known.next().is_none_or(|route| {
            route.spec().list("parentRefs").iter().any(|parent| {
                let namespace = parent.get("namespace").map_or(Some(self.namespace), |view| view.text());
                // A parent may also be a set of listeners of the Gateway.
                let is_other = kind(parent).is_some_and(|kind| kind != "Gateway");
                is_other || parent.name() == Some(*of) && namespace == Some(gateway.namespace)
            })
        })
    }

    /// Whether it is the one of a name.
    pub(super) const fn is_named(&self) -> bool {
        matches!(self.which, Which::Named(_))
    }

    /// It in words.
    pub(super) fn words(&self) -> String {
        let kind = if self.kind.is_empty() { "target" } else { self.kind };
        match (&self.which, self.section) {
            (Which::Named(name), Some(section)) => format!("{kind} {name} ({section})"),
            (Which::Named(name), None) => format!("{kind} {name}"),
            (Which::Labels(_) | Which::Unknown, _) => format!("each {kind} that a selector selects"),
        }
    }
}

/// The references to the targets of a policy.
pub(super) fn references<'s>(policy: &Resource<'s>) -> Vec<View<'s>> {
    let spec = policy.spec();
    let mut targets = spec.list("targetRefs");
    targets.extend(spec.get("targetRef"));
    targets
}

/// The kind of a reference.
pub(super) fn kind<'s>(target: &View<'s>) -> Option<&'s str> {
    target.get("kind").and_then(|kind| kind.text())
}
