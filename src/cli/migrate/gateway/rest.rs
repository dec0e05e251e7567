//! What of a policy stays in a `SecurityPolicy`: what a gate does not do, and its place before a policy for more.

use super::given::Given;
use super::targets::Target;
use super::{GROUP, OURS, TARGETS, asks, documents};
use crate::cli::migrate::findings::Kind;
use crate::cli::migrate::kubernetes::Writing;
use crate::cli::migrate::kubernetes::resource::{Resource, unknown};
use crate::cli::source::View;
use std::cmp::Ordering;

/// Writes what stays of a policy for which a gate is written.
pub(super) fn write(policy: &Resource<'_>, given: &Given<'_>, migrated: &mut Writing) {
    let left = left(policy);
    let title = policy.title();
    let mut note = |view: &View<'_>, what: String| {
        migrated.findings.tell(Kind::Note, policy.file, view, format!("{title}: {what}"));
    };
    for view in &left {
        let what = match name(view) {
            "oidc" => {
                "`oidc` stays in the SecurityPolicy, and logs users in before the gate, which does not read its cookies"
                    .to_owned()
            }
            "extAuth" => "`extAuth` stays in the SecurityPolicy, and is asked before the gate".to_owned(),
            name => format!("`{name}` stays in the SecurityPolicy"),
        };
        note(view, what);
    }
    let successors = if left.is_empty() { successors(policy, given) } else { Vec::new() };
    if let Some((_, target)) = successors.first() {
        let members: Vec<&str> = successors.iter().map(|(members, _)| members.as_str()).collect();
        let what =
            format!("it stays, with its targets alone. Without it, {} would hold for {target}", members.join(", and "));
        note(&policy.spec(), what);
    }
    if !left.is_empty() || !successors.is_empty() {
        migrated.documents.push(documents::rest(policy, &left));
    }
}

/// The members of a policy that stay: those that no gate takes the place of.
fn left<'s>(policy: &Resource<'s>) -> Vec<View<'s>> {
    let ours = if asks(policy) { &OURS[..] } else { &[] };
    let known: Vec<&str> = ours.iter().chain(&TARGETS).copied().collect();
    unknown(&policy.spec(), &known)
}

fn name<'v>(view: &'v View<'_>) -> &'v str {
    view.path.rsplit('.').next().unwrap_or_default()
}

/// What would hold in the place of a policy if it were gone, each with one of its targets: what other policies keep that are
/// for more, or for the same.
fn successors(policy: &Resource<'_>, given: &Given<'_>) -> Vec<(String, String)> {
    let own = Target::all(policy);
    let of_other = |other: &Resource<'_>| {
        let left = left(other);
        let names: Vec<String> = left.iter().map(|view| format!("`{}`", name(view))).collect();
        let others = Target::all(other);
        let is_narrower = |own: &Target<'_>| {
            others.iter().any(|(_, other)| own.against(other, given).is_some_and(|order| order != Ordering::Greater))
        };
        let (_, target) = own.iter().find(|(_, own)| is_narrower(own)).filter(|_| !left.is_empty())?;
        Some((format!("{} of {}", names.join(" and "), other.title()), target.words()))
    };
    let others = given.all(GROUP, "SecurityPolicy").filter(|other| !std::ptr::eq(other.root.node, policy.root.node));
    others.filter_map(of_other).collect()
}
