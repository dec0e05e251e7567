//! What Envoy's response code details say of the filters that are to be replaced.

/// What became of a request behind Scopegate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Old {
    /// It passed the old filters: Envoy's router, which comes last, has dealt with it.
    Allowed,
    /// One of the old filters refused it.
    Refused,
    /// Neither: no route had it, the client went away, or another filter answered.
    Neither,
}

/// How the refusals of `jwt_authn` and `rbac` begin: what is in brackets differs.
const REFUSALS: [&str; 2] = ["jwt_authn_access_denied", "rbac_access_denied"];

/// Refusals of `basic_auth` and `api_key_auth`, whole. `unkonwn_api_key` is how Envoy spelt it until 1.35.
const WHOLE_REFUSALS: [&str; 10] = [
    "no_credential_for_basic_auth",
    "invalid_scheme_for_basic_auth",
    "invalid_format_for_basic_auth",
    "invalid_credential_for_basic_auth",
    "missing_api_key",
    "unknown_api_key",
    "unkonwn_api_key",
    "client_not_allowed",
    "missing_key_sources",
    "missing_credentials",
];

/// How the router's answers begin.
const ROUTED: [&str; 8] = [
    "via_upstream",
    "direct_response",
    "upstream_",
    "response_timeout",
    "no_healthy_upstream",
    "cluster_not_found",
    "maintenance_mode",
    "internal_redirect",
];

impl Old {
    /// What these details say.
    pub(super) fn of(details: &str) -> Self {
        let begins = |all: &[&str]| all.iter().any(|start| details.starts_with(start));
        if begins(&REFUSALS) || WHOLE_REFUSALS.contains(&details) {
            Self::Refused
        } else if begins(&ROUTED) {
            Self::Allowed
        } else {
            Self::Neither
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_say_who_answered() {
        for (details, wanted) in [
            ("via_upstream", Old::Allowed),
            ("direct_response", Old::Allowed),
            ("upstream_reset_before_response_started{connection_termination}", Old::Allowed),
            ("jwt_authn_access_denied{Jwt_is_missing}", Old::Refused),
            ("rbac_access_denied_matched_policy[none]", Old::Refused),
            ("rbac_access_denied", Old::Refused),
            ("invalid_credential_for_basic_auth", Old::Refused),
            ("unknown_api_key", Old::Refused),
            ("route_not_found", Old::Neither),
            ("ext_authz_denied", Old::Neither),
            ("scopegate_expired", Old::Neither),
            ("missing_credentials_of_another_filter", Old::Neither),
            ("downstream_remote_disconnect", Old::Neither),
            ("", Old::Neither),
        ] {
            assert_eq!(Old::of(details), wanted, "{details}");
        }
    }
}
