//! The members that are read of each message. One that is not known may ask for more, so it is never passed over.

use crate::cli::source::{View, is_same};

/// Of `jwt_authn`.
pub(super) const FILTER: &[&str] = &[
    "@type",
    "providers",
    "rules",
    "filter_state_rules",
    "bypass_cors_preflight",
    "requirement_map",
    "strip_failure_response",
    "stat_prefix",
];
/// Of a provider.
pub(super) const PROVIDER: &[&str] = &[
    "issuer",
    "audiences",
    "subjects",
    "require_expiration",
    "max_lifetime",
    "remote_jwks",
    "local_jwks",
    "forward",
    "from_headers",
    "from_params",
    "from_cookies",
    "forward_payload_header",
    "pad_forward_payload_header",
    "payload_in_metadata",
    "normalize_payload_in_metadata",
    "header_in_metadata",
    "failed_status_in_metadata",
    "clock_skew_seconds",
    "jwt_cache_config",
    "claim_to_headers",
    "clear_route_cache",
];
/// Of a rule of `jwt_authn`.
pub(super) const RULE: &[&str] = &["match", "requires", "requirement_name"];
/// Of `rbac`, and of its configuration beside a route.
pub(super) const RBAC: &[&str] = &[
    "@type",
    "rules",
    "rules_stat_prefix",
    "matcher",
    "shadow_rules",
    "shadow_matcher",
    "shadow_rules_stat_prefix",
    "track_per_rule_stats",
];
/// Of the rules of `rbac`.
pub(super) const RULES: &[&str] = &["action", "policies", "audit_logging_options"];
/// Of a policy of `rbac`.
pub(super) const POLICY: &[&str] = &["permissions", "principals", "condition", "checked_condition", "cel_config"];

/// The first member that is not among these, and what is told of it.
pub(super) fn unknown<'s>(view: &View<'s>, known: &[&str]) -> Option<(View<'s>, String)> {
    let is_unknown = |name: &str| !known.iter().any(|own| is_same(name, own));
    let (name, member) = view.members().into_iter().find(|(name, _)| is_unknown(name))?;
    Some((member, format!("is `{name}`, which is not read here and may ask for more")))
}
