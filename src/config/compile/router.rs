//! What `forward.by: router` excludes: the router removes the token and the headers that an upstream trusts on every
//! request of its routes, also in report-only, so no request would go on as it came.

use crate::config::cursor::Cursor;
use crate::config::tree::Tree;

/// Notes `report_only` at the top, in `default` and in rules.
pub(super) fn check_policy(root: &Cursor<'_>) {
    check_requirement(root);
    if let Some(default) = root.member("default") {
        check_requirement(&default);
    }
    let rules = root.member("rules").filter(|rules| matches!(rules.value(), Tree::List(_)));
    for rule in rules.and_then(|rules| rules.list()).unwrap_or_default() {
        check_requirement(&rule);
    }
}

/// Notes `report_only` in a requirement, and in those of its methods.
pub(super) fn check_requirement(requirement: &Cursor<'_>) {
    if let Some(flag) = requirement.member("report_only").filter(|flag| *flag.value() == Tree::Bool(true)) {
        flag.wrong::<()>(
            "cannot stand beside `forward.by: router`: the router would remove the token and the identity headers all the same",
            "leave one of them out",
        );
    }
    let Some(methods) = requirement.member("methods") else { return };
    for method in methods.values() {
        check_requirement(&method);
    }
}
