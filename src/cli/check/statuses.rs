//! Tokens whose status is not looked at: the configuration shows that they have the `status` claim, and no `status_list`
//! honours it.

use super::Findings;
use crate::cli::gates::Gate;
use crate::cli::source::View;
use crate::policy::Policy;

/// Checks the issuers of a gate.
pub(super) fn check(gate: &Gate<'_>, values: &View<'_>, policy: &Policy, findings: &mut Findings) {
    let issuers = values.list("issuers");
    let asked = asks_for_status(values);
    for (index, issuer) in policy.issuers.iter().enumerate() {
        let view = issuers.get(index).unwrap_or(values);
        let required = view.list("required_claims").iter().any(is_status);
        if issuer.status_list.is_none() && (required || asked) {
            findings.warn(
                "status-not-honoured",
                gate.file,
                view,
                format!(
                    "has no `status_list`, and this configuration asks for the claim `status`: a token of {} passes whatever its status list says",
                    issuer.name
                ),
                "add `status_list` with the clusters of its lists",
            );
        }
    }
}

/// Whether a condition asks for the claim.
fn asks_for_status(values: &View<'_>) -> bool {
    let mut found = false;
    let requirements = values.get("default").into_iter().chain(values.list("rules"));
    for requirement in requirements {
        requirement.visit(&mut |view| {
            found |= view.list("claims").iter().any(|condition| condition.get("claim").as_ref().is_some_and(is_status));
        });
    }
    found
}

/// Whether a claim, a name or a path of names, is `status` or lies in it.
fn is_status(claim: &View<'_>) -> bool {
    let first = claim.items().into_iter().next();
    first.as_ref().unwrap_or(claim).text() == Some("status")
}
