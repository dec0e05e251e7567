//! The keys of filter state that the filter publishes. Envoy adds the prefix `wasm.` to each.

/// The record of the decision.
pub const RECORD: &str = "scopegate";
/// The name of the route that the request was judged by.
pub const JUDGED_ROUTE: &str = "scopegate.route_name";
/// The name of the virtual host that the request was judged by.
pub const JUDGED_VIRTUAL_HOST: &str = "scopegate.virtual_host_name";

/// The key of an identity header: its name without the prefixes `x-` and `auth-`, so that `x-auth-subject` becomes
/// `scopegate.subject`. It never contains `_`, unlike the names above.
#[must_use]
pub fn identity_key(header: &str) -> String {
    let dashed = header.to_ascii_lowercase().replace('_', "-");
    let short = dashed.strip_prefix("x-").unwrap_or(&dashed);
    let short = short.strip_prefix("auth-").unwrap_or(short);
    format!("scopegate.{}", if short.is_empty() { &dashed } else { short })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_name_of_its_header_without_what_all_have_in_front() {
        for (header, key) in [
            ("x-auth-subject", "scopegate.subject"),
            ("X_Auth_Subject", "scopegate.subject"),
            ("x-tenant-id", "scopegate.tenant-id"),
            ("auth-scope", "scopegate.scope"),
            ("user", "scopegate.user"),
            ("x-auth-", "scopegate.x-auth-"),
            ("x-", "scopegate.x-"),
            ("route_name", "scopegate.route-name"),
        ] {
            assert_eq!(identity_key(header), key, "{header}");
            assert!(![JUDGED_ROUTE, JUDGED_VIRTUAL_HOST].contains(&identity_key(header).as_str()));
        }
    }
}
