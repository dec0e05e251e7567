//! Two policies for one target, of which Envoy Gateway takes the older: `creationTimestamp` says which, and then the name.

use super::GROUP;
use super::given::Given;
use super::targets::{Target, references};
use crate::cli::migrate::kubernetes::resource::Resource;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How a policy stands beside the others of its kind.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    /// The numbers of its references at which an older one counts.
    pub lost: BTreeSet<usize>,
    /// An older one.
    pub older: Option<String>,
    /// One for the same target, where it is not known which of the two counts; with the target.
    pub unsure: Option<[String; 2]>,
}

impl Rivals {
    /// Those of a policy.
    pub(super) fn of(policy: &Resource<'_>, given: &Given<'_>) -> Self {
        let mut found = Self::default();
        for (number, own) in Target::all(policy) {
            for other in given.all(GROUP, "SecurityPolicy") {
                let is_own = std::ptr::eq(other.root.node, policy.root.node);
                let meets = |(_, target): &(_, Target<'_>)| own.against(target, given) == Some(Ordering::Equal);
                let Some((_, target)) = Target::all(other).into_iter().find(meets).filter(|_| !is_own) else {
                    continue;
                };
                match age(policy, other).filter(|_| own.is_named() && target.is_named()) {
                    Some(Ordering::Less) => {}
                    Some(Ordering::Greater) => {
                        found.lost.extend(number);
                        found.older = Some(other.title());
                    }
                    // What asks for nothing lets pass no less.
                    _ if !super::asks(other) => {}
                    _ => found.unsure = Some([other.title(), own.words()]),
                }
            }
        }
        found
    }

    /// Whether it counts nowhere.
    pub(super) fn have_all(&self, policy: &Resource<'_>) -> bool {
        let is_selecting = policy.spec().get("targetSelectors").is_some();
        !self.lost.is_empty() && !is_selecting && self.lost.len() == references(policy).len()
    }
}

/// The order of two policies by age, if it is known.
fn age(own: &Resource<'_>, other: &Resource<'_>) -> Option<Ordering> {
    let created = |one: &Resource<'_>| {
        let text = one.root.at(&["metadata", "creationTimestamp"])?.text()?;
        OffsetDateTime::parse(text, &Rfc3339).ok()
    };
    let name = |one: &Resource<'_>| format!("{}/{}", one.namespace, one.name);
    let order = created(own)?.cmp(&created(other)?).then_with(|| name(own).cmp(&name(other)));
    Some(order).filter(|order| order.is_ne())
}
