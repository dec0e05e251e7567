//! Every field. The reader knows no others, and a test looks for each in envoy/CONFIGURATION.md.

/// The fields of one kind of object.
#[derive(Debug)]
pub struct Shape {
    /// Its heading in envoy/CONFIGURATION.md.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [&'static str],
}

macro_rules! shapes {
    ($($constant:ident $name:literal [$($field:literal),* $(,)?];)*) => {
        $(
            #[doc = concat!("The fields of ", $name, ".")]
            pub const $constant: Shape = Shape {
                name: $name,
                fields: &[$($field),*],
            };
        )*

        /// All shapes.
        pub const ALL: &[&Shape] = &[$(&$constant),*];
    };
}

shapes! {
    POLICY "the configuration" [
        "issuers", "resources", "credentials", "default", "rules", "route_metadata", "query_tokens", "forward", "seal", "dpop", "mtls",
        "challenge",
        "bypass_cors_preflight", "paths", "report_only", "crypto", "cache", "revocation", "replay", "shared_keys",
        "reuse", "events", "limits", "audit",
    ];
    ISSUER "an issuer" [
        "issuer", "name", "audiences", "audience_claims", "jwks", "secrets", "algorithms", "token_types", "id_tokens",
        "leeway", "max_lifetime", "required_claims", "scope_claims", "implies", "sender_constraint", "status_list", "token_header",
        "websocket_protocol", "introspection",
    ];
    RESOURCE "a resource" ["resource", "authorization_servers", "scopes_supported", "audiences"];
    TOKEN_HEADER "token_header" ["name", "prefix"];
    JWKS "jwks" [
        "inline", "uri", "cluster", "discovery", "refresh", "timeout", "max_stale", "unknown_kid_interval",
    ];
    DISCOVERY "discovery" ["cluster", "jwks_cluster"];
    SECRET "a secret" ["kid", "env"];
    STATUS_LIST "status_list" [
        "clusters", "refresh", "timeout", "max_bytes", "max_stale", "when_stale", "max_lists",
    ];
    STATUS_CLUSTER "a cluster of status lists" ["uri_prefix", "cluster"];
    INTROSPECTION "introspection" [
        "uri", "cluster", "client_id", "secret", "prefix", "cache", "timeout", "token_types",
    ];
    REQUIREMENT "a requirement" [
        "credentials", "scopes", "claims", "resource", "issuers", "audiences", "token_types", "max_lifetime", "max_token_age",
        "single_use", "sender_constraint", "acr_values", "max_auth_age", "csrf", "mcp", "reuse", "close_streams", "methods", "allow_missing", "report_only", "public", "deny",
        "jwt_allowed_in",
    ];
    RULE "a rule" [
        "match", "credentials", "scopes", "claims", "resource", "issuers", "audiences", "token_types", "max_lifetime",
        "max_token_age", "single_use", "sender_constraint", "acr_values", "max_auth_age", "csrf", "mcp", "reuse", "close_streams", "methods", "allow_missing", "report_only", "public", "deny",
        "jwt_allowed_in",
    ];
    CREDENTIAL_SET "a set of credentials" [
        "name", "api_key", "basic", "htpasswd", "cookie", "mtls", "aksk", "signature", "identities", "scopes",
    ];
    COOKIE "cookie" ["name", "origins"];
    CERTIFICATE_SECRET "a certificate of an identity" ["sha256", "uri", "dns", "expires"];
    API_KEY "api_key" ["header", "scheme", "prefix"];
    REMOTE_IDENTITIES "identities that change" [
        "uri", "cluster", "signed_by", "refresh", "timeout", "max_bytes", "max_stale",
    ];
    IDENTITY "an identity" ["id", "subject", "secrets", "scopes", "claims", "expires", "disabled"];
    CREDENTIAL_SECRET "a secret of an identity" ["sha256", "env", "expires"];
    PASSWORD_SECRET "a password of an identity" ["bcrypt", "pbkdf2", "sha256", "env", "expires"];
    AKSK "aksk" ["form", "regions", "services", "signed_headers", "max_age", "max_ahead", "replay"];
    SIGNATURE "signature" ["components", "tag", "nonce", "max_age", "max_ahead", "replay"];
    SIGNING_KEY "a signing key of an identity" ["key_id", "env", "jwk", "expires"];
    CREDENTIALS "credentials of a requirement" ["any_of", "all_of"];
    CSRF "csrf" ["origins"];
    MCP "mcp" [
        "tools", "prompts", "resources", "methods", "lists", "session", "origins", "hosts", "versions", "hold_headers", "body_bytes",
    ];
    MCP_TOOLS "tools of mcp" ["default", "rules"];
    MCP_PROMPTS "prompts of mcp" ["default", "rules"];
    MCP_RESOURCES "resources of mcp" ["default", "rules"];
    MCP_METHODS "methods of mcp" ["default", "rules"];
    MCP_SESSION "session of mcp" ["keys"];
    MCP_ITEM "an item of mcp" [
        "scopes", "claims", "issuers", "max_token_age", "acr_values", "max_auth_age", "deny",
    ];
    MCP_TOOL "a rule for tools" [
        "tool", "scopes", "claims", "issuers", "max_token_age", "acr_values", "max_auth_age", "deny",
    ];
    MCP_PROMPT "a rule for prompts" [
        "prompt", "scopes", "claims", "issuers", "max_token_age", "acr_values", "max_auth_age", "deny",
    ];
    MCP_RESOURCE "a rule for resources" [
        "uri", "scopes", "claims", "issuers", "max_token_age", "acr_values", "max_auth_age", "deny",
    ];
    MCP_METHOD "a rule for methods" [
        "method", "scopes", "claims", "issuers", "max_token_age", "acr_values", "max_auth_age", "deny",
    ];
    MATCH "match" [
        "path", "prefix", "path_separated_prefix", "template", "ignore_case", "route", "virtual_host", "host", "methods",
    ];
    SCOPES "scopes" ["any_of", "all_of"];
    CLAIM "a claim condition" ["claim", "equals", "contains", "contains_any", "one_of", "has_member", "has_any_member", "equals_path", "equals_host"];
    QUERY_TOKENS "query_tokens" ["names", "jwt_allowed_in"];
    FORWARD "forward" ["token", "headers", "remove", "by"];
    DPOP "dpop" ["origins", "algorithms", "max_age", "max_ahead", "nonce", "replay"];
    DPOP_NONCE "nonce" ["secret", "lifetime"];
    SHARED_SECRET "a shared secret" ["env"];
    MTLS "mtls" ["forwarded"];
    FORWARDED_CERTIFICATE "forwarded" ["header", "from"];
    CHALLENGE "challenge" ["realm"];
    PATHS "paths" ["allow"];
    REVOCATION "revocation" ["entries", "lists"];
    REVOCATION_LIST "a revocation list" [
        "name", "uri", "cluster", "refresh", "timeout", "max_bytes", "max_stale", "when_stale", "signed_by",
    ];
    REVOCATION_ENTRY "a revocation entry" [
        "iss", "jti", "fingerprint", "sub", "issued_before", "sid", "client_id", "kid", "credential", "id", "until", "reason",
    ];
    EVENTS "events" ["path", "issuers", "operators", "max_bytes"];
    EVENT_ISSUER "an issuer of events" ["audience", "token_types", "allow_missing_exp", "revokes", "keep", "poll"];
    EVENT_OPERATOR "an operator" ["audience", "signed_by", "keep"];
    EVENT_POLL "poll" ["uri", "cluster", "authorization", "interval", "timeout"];
    REPLAY "replay" ["entries", "service"];
    REPLAY_SERVICE "service" ["cluster", "form", "secret", "timeout", "uri", "authorization"];
    AUTHORIZATION "authorization" ["env"];
    LIMITS "limits" [
        "token_bytes", "jwks_bytes", "jwks_keys", "waiting_requests", "denial_logs_per_second", "wasm_crypto_percent",
        "reuse_pairs", "signed_body_bytes", "body_timeout", "open_streams", "open_streams_when_full", "event_entries",
        "events_per_second",
    ];
    REUSE "reuse" ["window", "max_clients", "client", "action", "exempt"];
    REUSE_CLIENT "client" ["ipv4_prefix", "ipv6_prefix", "user_agent", "tls"];
    CACHE "cache" ["entries", "bytes"];
    AUDIT "audit" ["subject", "salt", "filter_state", "record", "fields", "log", "log_sample"];
}
