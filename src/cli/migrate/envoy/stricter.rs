//! What Scopegate refuses that `jwt_authn` let through, each once for its provider or its filter.

use super::providers::Provider;
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::source::View;
use std::path::Path;

/// What the tokens of a provider have to be now.
pub(super) fn provider(file: &Path, provider: &Provider<'_>, findings: &mut Findings) {
    let view = &provider.view;
    let mut tell = |kind: Kind, member: &str, what: &str, restore: Option<&str>| {
        let at = view.get(member).unwrap_or_else(|| view.clone());
        let finding = Finding::new(kind, file, &at, what);
        findings.add(match restore {
            Some(field) => finding.restored_by(field),
            None => finding,
        });
    };
    if provider.audiences.is_none() {
        let what = "accepts tokens that were issued for any audience, also those for other services: write the audiences of \
                    this one into `audiences` of the issuer, and drop `audience_claims`";
        tell(Kind::LetThrough, "issuer", what, None);
    } else {
        let what = "compared audiences without their scheme and their last slash; now they are compared exactly";
        tell(Kind::Stricter, "audiences", what, Some("audiences of the issuer, in each spelling that its tokens have"));
    }
    let what = "took tokens of every type, also ID tokens and logout tokens; now `typ` has to be `at+jwt`";
    let restore = "token_types: [at+jwt, JWT, missing] of the issuer, for ID tokens id_tokens: true too";
    tell(Kind::Stricter, "issuer", what, Some(restore));
    let what = "took tokens without `sub`";
    tell(Kind::Stricter, "issuer", what, Some("required_claims: [] of the issuer"));
    if view.get("require_expiration").is_none_or(|flag| !flag.is_true()) && view.get("max_lifetime").is_none() {
        tell(Kind::Stricter, "issuer", "took tokens without `exp`, which never expire; now a token needs one", None);
    }
    if view.get("max_lifetime").is_none() && view.get("clock_skew_seconds").is_none() {
        let what =
            "allowed for clocks that differ by 60 seconds; now it is 10, and `iat` may not be in the future either";
        tell(Kind::Stricter, "issuer", what, Some("leeway: 1m of the issuer"));
    }
    let keys = if view.get("remote_jwks").is_some() { "remote_jwks" } else { "local_jwks" };
    let what = "tried keys without `kid` for a token that names one; now a key with that `kid` has to be there, \
                and no key of its set may be a secret (`oct`)";
    tell(
        Kind::Stricter,
        keys,
        what,
        Some("secrets and algorithms of the issuer, for tokens that are signed with HS256"),
    );
    let what = "took a token that is bound to a key or certificate (`cnf`) without asking for it; now its sender has to prove it";
    tell(Kind::Stricter, "issuer", what, Some("sender_constraint: ignore of the issuer"));
    if view.at(&["remote_jwks", "retry_policy"]).is_some() || view.at(&["remote_jwks", "async_fetch"]).is_some() {
        tell(Kind::Note, "remote_jwks", "fetches as Scopegate does now: by itself, before keys are needed", None);
    }
    for member in ["payload_in_metadata", "header_in_metadata", "failed_status_in_metadata"] {
        if view.get(member).is_some() {
            let what = "is dynamic metadata, which Scopegate does not write: `rbac` is translated, and whatever else reads it \
                        has to read a header of `forward.headers`, or the record";
            tell(Kind::Changed, member, what, None);
        }
    }
    if view.get("clear_route_cache").is_some_and(|flag| flag.is_true()) {
        let what = "chose the route again after its headers were set; so does Envoy after Scopegate has set its own";
        tell(Kind::Note, "clear_route_cache", what, None);
    }
}

/// What restores paths as they were judged, as far as the connection manager does not say it yet.
fn paths(manager: &View<'_>) -> String {
    let is_set = |name: &&str| manager.get(name).is_some_and(|flag| flag.is_true());
    let left: Vec<&str> = ["normalize_path", "merge_slashes"].into_iter().filter(|name| !is_set(name)).collect();
    let escapes = "paths: {allow: [encoded_slash, semicolon]}";
    if left.is_empty() {
        return format!("{escapes} for `;` and `%2F`");
    }
    format!(
        "{escapes} for `;` and `%2F`, and for `//` and dot segments with {} of the connection manager",
        left.join(" and ")
    )
}

/// What requests have to be now, wherever the gate is.
pub(super) fn filter(file: &Path, view: &View<'_>, manager: &View<'_>, findings: &mut Findings) {
    let mut tell = |what: &str, restore: Option<&str>| {
        let finding = Finding::new(Kind::Stricter, file, view, what);
        findings.add(match restore {
            Some(field) => finding.restored_by(field),
            None => finding,
        });
    };
    tell(
        "judged paths that readers read differently (`//`, `;`, `%2F`, dot segments); now they are refused with 400",
        Some(&paths(manager)),
    );
    tell(
        "passed over tokens in the query that no provider reads; now a parameter that carries one is refused on every route",
        Some("query_tokens.jwt_allowed_in, for parameters with other JWTs"),
    );
    tell(
        "found a token behind other text in its header too, such as another scheme (`Basic dTpw Bearer …`); now that is none, and \
         a request that needs one is refused",
        None,
    );
    tell("took a request with several credentials if one or all of them were good; now a request has one", None);
    let what = "took a token behind `Bearer` in these letters alone; now a good token passes behind `bearer` too";
    findings.tell(Kind::Changed, file, view, what);
    if view.get("strip_failure_response").is_some_and(|flag| flag.is_true()) {
        let at = view.get("strip_failure_response").unwrap_or_else(|| view.clone());
        let what = "hid why a request is refused: Scopegate's answers name the kind of failure, and not its details";
        findings.tell(Kind::Changed, file, &at, what);
    }
}
