//! Filters and routes that look at headers which the gate removes or sets.

use super::rbac::{ANY, policies};
use super::readers::{RULE, TYPE, filter, lua, reported};
use super::{Became, EVERY, envoy, jwt, migrate};
use crate::world::folder;
use std::fs;

const KEEP: &str = "forward: {token: keep}";
/// Limits requests, as routes say.
const LIMITER: (&str, &str) = ("limiter", "local_ratelimit.v3.LocalRateLimit");

fn keys(more: &str) -> String {
    let set = "credentials: [{key: 0123456789-0123456789-acme, client: acme}], key_sources: [{header: X-Api-Key}]";
    filter("keys", "api_key_auth.v3.ApiKeyAuth", &format!("{set}{more}"))
}

fn basic() -> String {
    let hash = "$2y$10$abcdefghijklmnopqrstuuNCl4Gk7zZoHTFXYvzVxdTLwqLVYx8ZS";
    filter("basic", "basic_auth.v3.BasicAuth", &format!("users: {{inline_string: 'ann:{hash}'}}"))
}

fn limiter() -> String {
    filter(LIMITER.0, LIMITER.1, "stat_prefix: limits")
}

/// Code that looks at a header.
fn code(header: &str) -> String {
    lua(&format!("function envoy_on_request(h) if h:headers():get('{header}') then h:respond({{}}, '') end end"))
}

/// A route that is closed to requests with a header, before the one for everything.
fn closed_by(header: &str) -> String {
    format!(
        "- {{name: odd, match: {{prefix: /, headers: [{{name: {header}, present_match: true}}]}}, direct_response: {{status: 403}}}}\n{EVERY}"
    )
}

/// The route for everything, with these members and these of its action.
fn route(members: &str, action: &str) -> String {
    EVERY
        .replace("name: all,", &format!("name: all, {members}"))
        .replace("cluster: up", &format!("cluster: up{action}"))
}

fn limited_by(header: &str) -> String {
    route(
        "",
        &format!(", rate_limits: [{{actions: [{{request_headers: {{header_name: {header}, descriptor_key: k}}}}]}}]"),
    )
}

/// The findings about a header, with what restores the old meaning.
fn about(became: &Became, header: &str) -> Vec<(String, String)> {
    let words = format!("at the header `{header}`, which the gate before it removes");
    let all = became.told["findings"].as_array().unwrap().iter();
    let text = |own: &serde_json::Value| own.as_str().unwrap_or_default().to_owned();
    let own = all.filter(|finding| finding["what"].as_str().unwrap().contains(&words));
    own.map(|finding| (text(&finding["kind"]), text(&finding["restore"]))).collect()
}

#[test]
fn what_looks_at_a_credential_that_the_gate_removes_is_not_carried_over() {
    let jwts = jwt(RULE);
    let of_header = jwts.replace("{name: Authorization, value_prefix: 'Bearer '}", "{name: X-Jwt}");
    let kept = jwts.replace("issuer: ", "forward: true\n        issuer: ");
    let mixed = RULE.replace(
        "{provider_name: idp}",
        "{requires_any: {requirements: [{provider_name: idp}, {provider_name: other}]}}",
    );
    let mixed = jwt(&mixed).replacen("issuer: ", "forward: true\n        issuer: ", 1);
    let hidden = keys(", forwarding: {hide_credentials: true}");
    let hidden_here = format!(
        "typed_per_filter_config: {{keys: {{'@type': {TYPE}.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute, forwarding: {{header: x-client}}}}}}, "
    );
    let cors = format!(
        "typed_per_filter_config: {{cors: {{'@type': {TYPE}.filters.http.cors.v3.CorsPolicy, allow_headers: 'authorization,x-api-key'}}}}, "
    );
    let beside = format!(
        "typed_per_filter_config: {{limiter: {{'@type': {TYPE}.filters.http.local_ratelimit.v3.LocalRateLimit, stat_prefix: x, rate_limits: [{{actions: [{{request_headers: {{header_name: X-Api-Key, descriptor_key: k}}}}]}}]}}}}, "
    );
    let fetched = "- name: limits\n  config_discovery: {config_source: {ads: {}}, type_urls: [a/envoy.extensions.filters.http.ratelimit.v3.RateLimit]}\n";
    let authz = filter("authz", "ext_authz.v3.ExtAuthz", "stat_prefix: a");
    let harmless =
        route("request_headers_to_remove: [x-api-key], ", ", hash_policy: [{header: {header_name: x-api-key}}]")
            .replace("prefix: /", "prefix: /x-api-key");
    let every = EVERY.to_owned();
    for (filters, routes, header, wanted) in [
        // Limits for each key.
        (format!("{}{}", keys(""), limiter()), limited_by("x-api-key"), "x-api-key", Some(KEEP)),
        (format!("{}{}", keys(""), limiter()), limited_by("X_Api-Key"), "x-api-key", Some(KEEP)),
        (format!("{}{fetched}", keys("")), limited_by("x-api-key"), "x-api-key", Some(KEEP)),
        (format!("{}{}", keys(""), limiter()), route(&beside, ""), "x-api-key", Some(KEEP)),
        (format!("{}{}", basic(), limiter()), limited_by("authorization"), "authorization", Some(KEEP)),
        (format!("{}{}", limiter(), keys("")), limited_by("x-api-key"), "x-api-key", None),
        (keys(""), limited_by("x-api-key"), "x-api-key", None),
        (format!("{}{}", keys(""), limiter()), limited_by("x-other"), "x-api-key", None),
        (format!("{jwts}{}", limiter()), limited_by("authorization"), "authorization", None),
        // Filters.
        (format!("{}{}", keys(""), code("x-api-key")), every.clone(), "x-api-key", Some(KEEP)),
        (format!("{}{}", keys(""), code("x-api-key-2")), every.clone(), "x-api-key", None),
        (format!("{}{}", code("x-api-key"), keys("")), every.clone(), "x-api-key", None),
        (format!("{hidden}{}", code("x-api-key")), every.clone(), "x-api-key", None),
        (format!("{hidden}{}", code("x-api-key")), route(&hidden_here, ""), "x-api-key", Some(KEEP)),
        (format!("{}{authz}", keys("")), every.clone(), "x-api-key", Some(KEEP)),
        (format!("{authz}{}", keys("")), every.clone(), "x-api-key", None),
        (format!("{jwts}{authz}"), every.clone(), "authorization", None),
        (format!("{}{}", keys(""), filter("cors", "cors.v3.Cors", "")), route(&cors, ""), "x-api-key", None),
        (format!("{}{}", basic(), code("authorization")), every.clone(), "authorization", Some(KEEP)),
        (format!("{jwts}{}", code("authorization")), every.clone(), "authorization", None),
        (format!("{kept}{}", code("authorization")), every.clone(), "authorization", None),
        (format!("{mixed}{}", code("authorization")), every, "authorization", Some(KEEP)),
        // Routes.
        (keys(""), closed_by("x-api-key"), "x-api-key", Some(KEEP)),
        (jwts, closed_by("Authorization"), "authorization", Some("request_headers_to_remove: [authorization]")),
        (of_header, closed_by("x-jwt"), "x-jwt", Some("request_headers_to_remove: [x-jwt]")),
        (kept, closed_by("authorization"), "authorization", None),
        (keys(""), harmless, "x-api-key", None),
    ] {
        let became = migrate(&envoy(&filters, &routes));
        let found = about(&became, header);
        let told = format!("{filters}{routes}: {:#}", became.told);
        assert_eq!(became.run.status, if wanted.is_some() { 2 } else { 0 }, "{told}");
        assert_eq!(found.is_empty(), wanted.is_none(), "{told}");
        for (kind, restore) in found {
            assert!(kind == "denied" && restore.starts_with(KEEP), "{told}");
            assert!(restore.contains(wanted.unwrap()), "{told}");
        }
    }
}

/// `jwt_authn` that makes `x-user` of a claim, with these members of its providers.
fn makes(members: &str, claim: &str) -> String {
    let made = format!("{members}claim_to_headers: [{{header_name: X-User, claim_name: {claim}}}]\n        issuer: ");
    jwt(RULE).replace("issuer: ", &made)
}

#[test]
fn what_chooses_a_route_or_a_cluster_by_a_header_that_the_gate_sets_is_not_carried_over() {
    let clears = "clear_route_cache: true\n        ";
    let without_metadata = |filter: String| filter.replacen("payload_in_metadata: claims\n", "forward: false\n", 1);
    let open = RULE.replace("rules: [", "rules: [{match: {path: /open}}, ");
    let missing = RULE
        .replace("{provider_name: idp}", "{requires_any: {requirements: [{provider_name: idp}, {allow_missing: {}}]}}");
    let either = RULE.replace(
        "{provider_name: idp}",
        "{requires_any: {requirements: [{provider_name: idp}, {provider_name: other}]}}",
    );
    let tree = "match: {prefix: /}, direct_response: {status: 403}";
    let tree = format!(
        "matcher: {{matcher_tree: {{input: {{name: h, typed_config: {{'@type': type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x-user}}}}, \
         exact_match_map: {{map: {{guest: {{action: {{name: a, typed_config: {{'@type': type.googleapis.com/envoy.config.route.v3.Route, {tree}}}}}}}}}}}}}}}"
    );
    let by_cluster = EVERY.replace("cluster: up", "cluster_header: x-user");
    let weighted =
        EVERY.replace("cluster: up", "weighted_clusters: {header_name: x-user, clusters: [{name: up, weight: 1}]}");
    let plugin = EVERY.replace(
        "cluster: up",
        "inline_cluster_specifier_plugin: {extension: {name: lua, typed_config: {'@type': type.googleapis.com/envoy.extensions.router.cluster_specifiers.lua.v3.LuaConfig, source_code: {inline_string: \"function envoy_on_route(h) return h:headers():get('x-user') end\"}}}}",
    );
    let closed = closed_by("x-user");
    for (filters, routes, is_told) in [
        (makes("", "sub"), closed.clone(), true),
        (makes("", "sub"), by_cluster, true),
        (makes("", "sub"), weighted, true),
        (makes("", "sub"), plugin, true),
        (makes("", "sub"), EVERY.to_owned(), false),
        (makes("", "sub"), closed_by("x-user-id"), false),
        (makes("", "sub"), EVERY.replace("prefix: /", "prefix: /x-user"), false),
        // The old filter had Envoy choose again, each time that the gate does.
        (makes(clears, "role"), closed.clone(), false),
        (without_metadata(makes(clears, "sub")), closed.clone(), false),
        (without_metadata(makes(clears, "role")), closed.clone(), true),
        (makes(clears, "role").replace(RULE, &open), closed.clone(), true),
        (makes(clears, "role").replace(RULE, &missing), closed.clone(), true),
        (makes(clears, "role").replace(RULE, &either), closed.clone(), false),
        (makes(clears, "role").replacen(clears, "", 1).replace(RULE, &either), closed.clone(), true),
        (format!("{}{}", makes(clears, "role"), keys("")), closed, true),
        (makes(clears, "role"), closed_by("authorization"), false),
    ] {
        let became = migrate(&envoy(&filters, &routes));
        let told = format!("{filters}{routes}: {:#}", became.told);
        assert_eq!(
            became.findings("denied").iter().any(|own| own.contains("at the header `x-user`")),
            is_told,
            "{told}"
        );
        assert!(about(&became, "authorization").is_empty(), "{told}");
    }
    let in_tree =
        envoy(&makes("", "sub"), EVERY).replace("domains: ['*']\n", &format!("domains: ['*']\n              {tree}\n"));
    assert!(!about(&migrate(&in_tree), "x-user").is_empty());
}

#[test]
fn a_filter_sees_the_header_that_the_old_one_made_where_that_ran() {
    let off = |message: &str| {
        let entry = format!(
            "typed_per_filter_config: {{envoy.filters.http.jwt_authn: {{'@type': {message}, disabled: true}}}}, "
        );
        route(&entry, "").replace("prefix: /", "prefix: /open") + "\n" + EVERY
    };
    let asks_nothing = off(&format!("{TYPE}.filters.http.jwt_authn.v3.PerRouteConfig"));
    let is_off = off("type.googleapis.com/envoy.config.route.v3.FilterConfig");
    let either = RULE.replace(
        "{provider_name: idp}",
        "{requires_any: {requirements: [{provider_name: idp}, {provider_name: other}]}}",
    );
    let (made, reads) = (makes("", "sub"), code("X-User"));
    let in_file = folder().join("code.lua");
    fs::write(&in_file, "function envoy_on_request(h) return h:headers():get('x-user') end").unwrap();
    let source =
        |name: &str, value: &str| filter("lua", "lua.v3.Lua", &format!("default_source_code: {{{name}: {value}}}"));
    let sends = jwt(RULE).replacen("issuer: ", "forward_payload_header: x-user\n        issuer: ", 1);
    let wasm = filter("own", "wasm.v3.Wasm", "config: {root_id: own}");
    for (filters, routes, is_told) in [
        (format!("{made}{reads}"), EVERY.to_owned(), false),
        (format!("{made}{reads}"), asks_nothing, false),
        (format!("{made}{reads}"), is_off, true),
        (format!("{}{reads}", made.replace(RULE, &either)), EVERY.to_owned(), false),
        (
            format!("{}{reads}", made.replacen("name: sub", "name: name", 1).replace(RULE, &either)),
            EVERY.to_owned(),
            true,
        ),
        (format!("{made}{wasm}").replace("payload_in_metadata", "failed_status_in_metadata_"), EVERY.to_owned(), false),
        (format!("{sends}{wasm}"), EVERY.to_owned(), true),
        (format!("{sends}{}", source("filename", in_file.to_str().unwrap())), EVERY.to_owned(), true),
        (format!("{sends}{}", source("filename", "/nowhere/code.lua")), EVERY.to_owned(), true),
        (format!("{sends}{}", source("inline_bytes", "aDpoZWFkZXJzKCk6Z2V0KCJ4LXVzZXIiKQ==")), EVERY.to_owned(), true),
        (format!("{sends}{}", source("inline_bytes", "aDpoZWFkZXJzKCk6Z2V0KCJ4LW90aGVyIik=")), EVERY.to_owned(), false),
    ] {
        let became = migrate(&envoy(&filters, &routes));
        assert_eq!(
            about(&became, "x-user").iter().any(|(kind, _)| kind == "denied"),
            is_told,
            "{filters}{routes}: {:#}",
            became.told
        );
    }
}

#[test]
fn a_gate_that_only_reports_removes_no_credential() {
    let denies = policies("DENY", &[("{header: {name: x-api-key, present_match: true}}", ANY)]);
    for filters in [format!("{}{denies}{}", keys(""), code("x-api-key")), keys("")] {
        let text = envoy(&filters, &closed_by("x-api-key"));
        assert!(about(&reported(&text), "x-api-key").is_empty(), "{filters}");
        assert!(!about(&migrate(&text), "x-api-key").is_empty(), "{filters}");
    }
}

#[test]
fn a_filter_that_saw_no_header_of_a_claim_on_some_route_does_not_find_one_unnoticed() {
    let named = keys(", forwarding: {header: X-User}");
    let type_name = format!("{TYPE}.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute");
    let with = |more: &str| {
        route(
            &format!("typed_per_filter_config: {{keys: {{'@type': {type_name}, allowed_clients: [acme]{more}}}}}, "),
            "",
        )
    };
    let (made, reads) = (makes("", "sub"), code("X-User"));
    let again = made.replace("- name: envoy.filters.http.jwt_authn", "- name: again");
    let off = |message: &str| format!("{{'@type': type.googleapis.com/envoy.{message}, disabled: true}}");
    let second_is_off = format!("typed_per_filter_config: {{again: {}}}, ", off("config.route.v3.FilterConfig"));
    // It asks for nothing, and removes the header.
    let first_is_idle = format!(
        "typed_per_filter_config: {{envoy.filters.http.jwt_authn: {}}}, ",
        off("extensions.filters.http.jwt_authn.v3.PerRouteConfig")
    );
    let by_turns =
        format!("{}\n{}", route(&second_is_off, "").replace("prefix: /", "prefix: /a"), route(&first_is_idle, ""));
    for (filters, routes, is_told) in [
        (format!("{named}{reads}"), EVERY.to_owned(), false),
        (format!("{named}{reads}"), with(", forwarding: {header: x-user}"), false),
        // What stands beside the route sends nothing, and now all do.
        (format!("{named}{reads}"), with(""), true),
        (format!("{made}{reads}"), EVERY.to_owned(), false),
        // The second filter makes it after the code.
        (format!("{made}{reads}{again}"), by_turns, true),
    ] {
        let became = migrate(&envoy(&filters, &routes));
        let is_denied = about(&became, "x-user").iter().any(|(kind, _)| kind == "denied");
        assert_eq!(is_denied, is_told, "{filters}{routes}: {:#}", became.told);
    }
}

#[test]
fn what_looks_at_the_header_of_tokens_without_naming_it_is_named() {
    let either = RULE.replace(
        "{provider_name: idp}",
        "{requires_any: {requirements: [{provider_name: idp}, {provider_name: other}]}}",
    );
    let jwts = jwt(&either);
    // One of the two sends its tokens upstream, and now no token goes there.
    let mixed = jwts.replacen("issuer: ", "forward: true\n        issuer: ", 1);
    let kept = jwts.replace("issuer: ", "forward: true\n        issuer: ");
    let own = |name: &str, type_name: &str| filter(name, type_name, "stat_prefix: own");
    let cache = own("cache", "cache.v3.CacheConfig");
    let within = filter(
        "choice",
        "composite.v3.Composite",
        &format!("inner: {{typed_config: {{'@type': {TYPE}.filters.http.cache_v2.v3.CacheV2Config}}}}"),
    );
    let added = |action: &str| {
        route(&format!("request_headers_to_add: [{{header: {{key: Authorization, value: a}}{action}}}], "), "")
    };
    let mutation = |action: &str| {
        let mutations = format!("{{append: {{header: {{key: authorization, value: a}}, append_action: {action}}}}}");
        filter("own", "header_mutation.v3.HeaderMutation", &format!("mutations: {{request_mutations: [{mutations}]}}"))
    };
    let every = EVERY.to_owned();
    for (filters, routes, is_told) in [
        (format!("{mixed}{cache}"), every.clone(), true),
        (format!("{mixed}{within}"), every.clone(), true),
        (format!("{mixed}{}", own("own", "credential_injector.v3.CredentialInjector")), every.clone(), true),
        (
            format!("{mixed}{}", filter("own", "credential_injector.v3.CredentialInjector", "overwrite: true")),
            every.clone(),
            false,
        ),
        (format!("{mixed}{}", own("own", "oauth2.v3.OAuth2")), every.clone(), true),
        (format!("{mixed}{}", own("own", "aws_request_signing.v3.AwsRequestSigning")), every.clone(), true),
        (format!("{mixed}{}", own("own", "aws_lambda.v3.Config")), every.clone(), true),
        (format!("{mixed}{}", own("own", "gcp_authn.v3.GcpAuthnFilterConfig")), every.clone(), true),
        (format!("{mixed}{}", own("own", "csrf.v3.CsrfPolicy")), every.clone(), false),
        (format!("{}{cache}", basic()), every.clone(), true),
        (format!("{jwts}{cache}"), every.clone(), false),
        (format!("{kept}{cache}"), every.clone(), false),
        (format!("{cache}{mixed}"), every.clone(), false),
        // What is added to a header, or set where there is none.
        (mixed.clone(), added(""), true),
        (mixed.clone(), added(", append_action: ADD_IF_ABSENT"), true),
        (mixed.clone(), added(", append_action: OVERWRITE_IF_EXISTS_OR_ADD"), false),
        (mixed.clone(), added(", append: false"), false),
        (kept, added(", append_action: ADD_IF_ABSENT"), false),
        (jwts, added(", append_action: ADD_IF_ABSENT"), false),
        (format!("{mixed}{}", mutation("ADD_IF_ABSENT")), every.clone(), true),
        (format!("{mixed}{}", mutation("OVERWRITE_IF_EXISTS_OR_ADD")), every, false),
    ] {
        let became = migrate(&envoy(&filters, &routes));
        let found = about(&became, "authorization");
        let is_denied = found.iter().any(|(kind, _)| kind == "denied");
        assert_eq!(is_denied, is_told, "{filters}{routes}: {:#}", became.told);
        assert!(!is_told || became.run.status == 2, "{filters}{routes}: {:#}", became.told);
    }
}
