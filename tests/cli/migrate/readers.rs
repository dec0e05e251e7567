//! Filters and routes that read what the old filters wrote.

use super::rbac::{ANY, policies};
use super::{Became, EVERY, assert_good, envoy, jwt, migrate};
use crate::world::{folder, run};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use serde_json::Value;
use std::fs;

pub(super) const TYPE: &str = "type.googleapis.com/envoy.extensions";
pub(super) const RULE: &str = "rules: [{match: {prefix: /}, requires: {provider_name: idp}}]";
const KEY: &str = "{key: envoy.filters.http.jwt_authn, path: [{key: claims}, {key: role}]}";
const READS: &str = "reads metadata of `jwt_authn`";
const CLOSED: &str = "runs code that is not read here: what it refuses by metadata of `jwt_authn`";

/// A filter of this type, with these members.
pub(super) fn filter(name: &str, type_name: &str, members: &str) -> String {
    format!("- name: {name}\n  typed_config: {{'@type': {TYPE}.filters.http.{type_name}, {members}}}\n")
}

pub(super) fn lua(code: &str) -> String {
    filter("lua", "lua.v3.Lua", &format!("default_source_code: {{inline_string: {code:?}}}"))
}

const CODE: &str =
    "function envoy_on_request(h) local m = h:streamInfo():dynamicMetadata():get('envoy.filters.http.jwt_authn') end";

#[test]
fn what_may_refuse_by_metadata_of_the_old_filter_is_not_carried_over() {
    let matches = "{filter: envoy.filters.http.jwt_authn, path: [{key: claims}, {key: role}], value: {string_match: {exact: banned}}}";
    let banned = format!(
        "- {{name: banned, match: {{prefix: /, dynamic_metadata: [{matches}]}}, direct_response: {{status: 403}}}}\n{EVERY}"
    );
    let of_route = |entry: &str| EVERY.replace("route: {", &format!("typed_per_filter_config: {{{entry}}}, route: {{"));
    let in_route = |members: &str| EVERY.replace("cluster: up", &format!("cluster: up, {members}"));
    let code =
        format!("lua: {{'@type': {TYPE}.filters.http.lua.v3.LuaPerRoute, source_code: {{inline_string: {CODE:?}}}}}");
    let limit = format!("rate_limits: [{{actions: [{{metadata: {{descriptor_key: sub, metadata_key: {KEY}}}}}]}}]");
    let log = "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:sub)%";
    let header = format!("{{header: {{key: x-sub, value: '{log}'}}}}");
    let asks = filter("authz", "ext_authz.v3.ExtAuthz", "metadata_context_namespaces: [envoy.filters.http.jwt_authn]");
    let mutation = filter(
        "mutation",
        "header_mutation.v3.HeaderMutation",
        &format!("mutations: {{request_mutations: [{{append: {header}}}]}}"),
    );
    for (filters, routes, kind) in [
        (lua(CODE), EVERY.to_owned(), "denied"),
        (asks, EVERY.to_owned(), "denied"),
        (String::new(), banned, "denied"),
        (String::new(), of_route(&code), "denied"),
        (String::new(), in_route(&limit), "denied"),
        (mutation, EVERY.to_owned(), "changed"),
        (
            String::new(),
            EVERY.replace("route: {", &format!("request_headers_to_add: [{header}], route: {{")),
            "changed",
        ),
        (lua("function envoy_on_request(h) end"), EVERY.to_owned(), ""),
    ] {
        let became = migrate(&envoy(&format!("{}{filters}", jwt(RULE)), &routes));
        assert_eq!(became.run.status, if kind == "denied" { 2 } else { 0 }, "{filters}{routes}: {:?}", became.told);
        for own in ["denied", "changed"] {
            assert_eq!(became.tells(own, READS), own == kind, "{filters}{routes}: {:?}", became.told);
        }
    }
    // An access log refuses nothing.
    let path = "path: /dev/null, log_format: {text_format_source: {inline_string: ";
    let logs = format!(
        "stat_prefix: main\n          access_log: [{{name: a, typed_config: {{'@type': {TYPE}.access_loggers.file.v3.FileAccessLog, {path}'{log}'}}}}}}}}]\n"
    );
    let became = migrate(&envoy(&jwt(RULE), EVERY).replacen("stat_prefix: main\n", &logs, 1));
    assert!(became.run.status == 0 && became.tells("changed", READS), "{:?}", became.told);
}

#[test]
fn code_in_files_and_filters_that_are_fetched_are_read_too() {
    let folder = folder();
    fs::write(folder.join("code.lua"), CODE).unwrap();
    fs::write(folder.join("other.lua"), "function envoy_on_request(h) end").unwrap();
    let fetched = "- name: fetched\n  config_discovery: {config_source: {ads: {}}}\n";
    let in_file = |name: &str| filter("lua", "lua.v3.Lua", &format!("default_source_code: {{filename: {name}}}"));
    let resource = |text: &str| {
        let own = text.trim_start_matches("- ").replacen("name: lua", "name: fetched", 1);
        format!("resources:\n- '@type': type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  {own}")
    };
    for (filters, apart, is_read) in [
        (in_file("code.lua"), lua(""), true),
        (in_file("other.lua"), lua(""), false),
        (in_file("nowhere.lua"), lua(""), false),
        (fetched.to_owned(), lua(CODE), true),
        (fetched.to_owned(), in_file("code.lua"), true),
        (fetched.to_owned(), lua(""), false),
    ] {
        fs::write(folder.join("envoy.yaml"), envoy(&format!("{}{filters}", jwt(RULE)), EVERY)).unwrap();
        fs::write(folder.join("apart.yaml"), resource(&apart)).unwrap();
        let became = super::migrate_in(&folder, &["envoy.yaml", "apart.yaml"]);
        assert_eq!(became.tells("denied", READS), is_read, "{filters}{apart}: {:?}", became.told);
        let is_unread = filters.contains("nowhere");
        assert_eq!(became.tells("denied", CLOSED), is_unread, "{filters}{apart}: {:?}", became.told);
        assert_eq!(became.run.status == 2, is_read || is_unread, "{filters}{apart}: {:?}", became.told);
    }
}

#[test]
fn code_that_is_not_in_these_files_may_read_metadata() {
    let wasm =
        filter("own", "wasm.v3.Wasm", "config: {root_id: own, vm_config: {code: {local: {filename: own.wasm}}}}");
    let module = filter("own", "dynamic_modules.v3.DynamicModuleFilter", "filter_name: own");
    let authz = filter("authz", "ext_authz.v3.ExtAuthz", "stat_prefix: authz");
    let fetched = "- name: fetched\n  config_discovery: {config_source: {ads: {}}}\n".to_owned();
    let bytes = |code: &str| format!("default_source_code: {{inline_bytes: '{}'}}", STANDARD.encode(code));
    let coded = |code: &str| filter("lua", "lua.v3.Lua", &bytes(code));
    let silent = jwt(RULE).replace("payload_in_metadata", "forward_payload_header");
    let jwts = jwt(RULE);
    for (filters, words) in [
        (format!("{jwts}{wasm}"), CLOSED),
        (format!("{jwts}{module}"), CLOSED),
        (format!("{jwts}{fetched}"), CLOSED),
        (format!("{jwts}{}", coded(CODE)), READS),
        (format!("{jwts}{}", filter("lua", "lua.v3.Lua", "default_source_code: {inline_bytes: '%'}")), CLOSED),
        (format!("{jwts}{}", coded("function envoy_on_request(h) end")), ""),
        (format!("{jwts}{authz}"), ""),
        (format!("{wasm}{jwts}"), ""),
        (silent, ""),
    ] {
        let became = migrate(&envoy(&filters, EVERY));
        for own in [READS, CLOSED] {
            assert_eq!(became.tells("denied", own), own == words, "{filters}: {:#}", became.told);
        }
        let is_shifted = filters.starts_with("- name: own");
        assert!(is_shifted || (became.run.status == 2) != words.is_empty(), "{filters}: {:#}", became.told);
    }
    let beside = format!(
        "lua: {{'@type': {TYPE}.filters.http.lua.v3.LuaPerRoute, source_code: {{inline_bytes: '{}'}}}}",
        STANDARD.encode(CODE)
    );
    let routes = EVERY.replace("route: {", &format!("typed_per_filter_config: {{{beside}}}, route: {{"));
    assert!(migrate(&envoy(&format!("{jwts}{}", lua("")), &routes)).tells("denied", READS));
}

/// The file with these filters behind the router, in its own configuration or in a cluster.
fn behind_router(filters: &str, in_cluster: bool, routes: &str) -> String {
    let codec = filter("codec", "upstream_codec.v3.UpstreamCodec", "");
    let list =
        |indent: usize| format!("{filters}{codec}").trim_end().replace('\n', &format!("\n{}", " ".repeat(indent)));
    let text = envoy(&jwt(RULE), routes);
    if in_cluster {
        let options = format!(
            "  clusters:
  - name: other
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': {TYPE}.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http_protocol_options: {{}}}}
        http_filters:
        {}
",
            list(8)
        );
        return text.replace("  clusters:\n", &options);
    }
    let plain = "typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}";
    assert!(text.contains(plain), "{text}");
    let own = plain.trim_start_matches("typed_config: {").trim_end_matches('}');
    let own =
        format!("typed_config:\n              {own}\n              upstream_http_filters:\n              {}", list(14));
    text.replace(plain, &own)
}

#[test]
fn filters_behind_the_router_are_read_too() {
    let header = "{header: {key: x-sub, value: '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:sub)%'}}";
    let mutation = |append: &str| {
        let all = format!("mutations: {{request_mutations: [{append}]}}");
        filter("mutation", "header_mutation.v3.HeaderMutation", &all)
    };
    let added = EVERY.replace("route: {", &format!("request_headers_to_add: [{header}], route: {{"));
    let silent = lua("function envoy_on_request(h) end");
    for (filters, routes, kind) in [
        (lua(CODE), EVERY, "denied"),
        (silent.clone(), EVERY, ""),
        (String::new(), EVERY, ""),
        (String::new(), &added, "changed"),
        (silent.clone(), &added, "denied"),
        (mutation(&format!("{{append: {header}}}")), EVERY, "changed"),
        (format!("{}{silent}", mutation(&format!("{{append: {header}}}"))), EVERY, "denied"),
    ] {
        for in_cluster in [false, true] {
            let became = migrate(&behind_router(&filters, in_cluster, routes));
            assert_eq!(became.run.status, if kind == "denied" { 2 } else { 0 }, "{filters}{routes}: {:#}", became.told);
            for own in ["denied", "changed"] {
                assert_eq!(became.tells(own, READS), own == kind, "{filters}{routes}: {:#}", became.told);
            }
        }
    }
    // A cluster in a file of its own.
    let whole = behind_router(&lua(CODE), true, EVERY);
    let (listeners, clusters) = whole.split_once("  clusters:\n").unwrap();
    let folder = folder();
    fs::write(folder.join("listeners.yaml"), listeners).unwrap();
    fs::write(folder.join("clusters.yaml"), format!("static_resources:\n  clusters:\n{clusters}")).unwrap();
    assert!(super::migrate_in(&folder, &["listeners.yaml", "clusters.yaml"]).tells("denied", READS));
}

#[test]
fn a_header_that_is_made_of_metadata_may_be_refused_by_what_comes_after() {
    let value = "'%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:claims:role)%'";
    let mutations = format!("request_mutations: [{{append: {{header: {{key: x-role, value: {value}}}}}}}]");
    let mutation = filter("mutation", "header_mutation.v3.HeaderMutation", &format!("mutations: {{{mutations}}}"));
    let idle = filter("mutation", "header_mutation.v3.HeaderMutation", "mutations: {}");
    let beside = EVERY.replace(
        "route: {",
        &format!(
            "typed_per_filter_config: {{mutation: {{'@type': {TYPE}.filters.http.header_mutation.v3.HeaderMutationPerRoute, mutations: {{{mutations}}}}}}}, route: {{"
        ),
    );
    let by_header = format!(
        "- {{name: odd, match: {{prefix: /, headers: [{{name: X-Role, present_match: true}}]}}, direct_response: {{status: 403}}}}\n{EVERY}"
    );
    let fault = filter("fault", "fault.v3.HTTPFault", "headers: [{name: x-role, string_match: {exact: guest}}]");
    let grpc = filter("stats", "grpc_stats.v3.FilterConfig", "stats_for_all_methods: true");
    let code = lua("function envoy_on_request(h) end");
    for (filters, routes, kind) in [
        (mutation.clone(), EVERY, "changed"),
        (format!("{mutation}{grpc}"), EVERY, "changed"),
        (format!("{code}{mutation}"), EVERY, "changed"),
        (format!("{mutation}{code}"), EVERY, "denied"),
        (format!("{mutation}{fault}"), EVERY, "denied"),
        (mutation, &by_header, "denied"),
        (idle.clone(), &beside, "changed"),
        (format!("{idle}{fault}"), &beside, "denied"),
    ] {
        let became = migrate(&envoy(&format!("{}{filters}", jwt(RULE)), routes));
        assert_eq!(became.run.status, if kind == "denied" { 2 } else { 0 }, "{filters}{routes}: {:#}", became.told);
        for own in ["denied", "changed"] {
            assert_eq!(became.tells(own, READS), own == kind, "{filters}{routes}: {:#}", became.told);
        }
    }
}

#[test]
fn what_asks_another_service_by_rules_that_only_count_is_not_carried_over() {
    let shadow = policies("ALLOW", &[(ANY, ANY)]).replace("    rules:\n", "    shadow_rules:\n");
    let enabled = "filter_enabled_metadata: {filter: envoy.filters.http.rbac, path: [{key: shadow_engine_result}], value: {string_match: {exact: denied}}}";
    let authz = filter("authz", "ext_authz.v3.ExtAuthz", enabled);
    let became = migrate(&envoy(&format!("{}{shadow}{authz}", jwt(RULE)), EVERY));
    assert!(became.run.status == 2 && became.tells("denied", "reads metadata of `rbac`"), "{:?}", became.told);
    let became = migrate(&envoy(&format!("{}{authz}", jwt(RULE)), EVERY));
    assert_eq!(became.run.status, 0, "{:?}", became.told);
}

/// What becomes of a text with Scopegate in front, which only reports.
pub(super) fn reported(text: &str) -> Became {
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), text).unwrap();
    let run = run(&["migrate", "--report-only", "--format", "json", "envoy.yaml"], &folder);
    let told: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    Became { run, told, plugin: Value::Null, new: String::new() }
}

#[test]
fn a_filter_that_looks_at_a_header_that_the_gate_removes_is_named() {
    let header =
        |name: &str| policies("DENY", &[(format!("{{header: {{name: {name}, present_match: true}}}}").as_str(), ANY)]);
    // Both providers make it.
    let makes =
        jwt(RULE).replace("issuer: ", "claim_to_headers: [{header_name: X-User, claim_name: sub}]\n        issuer: ");
    let sends = jwt(RULE).replacen("issuer: ", "forward_payload_header: x-user\n        issuer: ", 1);
    let words = "looks at the header `x-user`";
    let code = lua(
        "function envoy_on_request(h) if h:headers():get('X-User') then h:respond({[':status'] = '403'}, '') end end",
    );
    let other = lua(
        "function envoy_on_request(h) if h:headers():get('X-User-Id') then h:respond({[':status'] = '403'}, '') end end",
    );
    let by_header = |members: &str| {
        let odd = "- {name: odd, match: {prefix: /, headers: [{name: X-User, present_match: true}]}, direct_response: {status: 403}}";
        (makes.replacen("issuer: ", &format!("{members}issuer: "), 1), format!("{odd}\n{EVERY}"))
    };
    let (by_route, routes) = by_header("");
    let (cleared, _) = by_header("clear_route_cache: true\n        ");
    let (jwts, every) = (jwt(RULE), EVERY.to_owned());
    for (filters, routes, reporting, alone) in [
        (format!("{}{makes}", header("x-user")), &every, "denied", ""),
        (format!("{}{makes}", header("x-other")), &every, "", ""),
        (format!("{}{jwts}", header("x-user")), &every, "", ""),
        (format!("{makes}{}", header("X-User")), &every, "changed", ""),
        (format!("{code}{makes}"), &every, "", ""),
        (format!("{}{code}{makes}", header("x-other")), &every, "denied", "denied"),
        (format!("{}{other}{makes}", header("x-other")), &every, "", ""),
        (format!("{makes}{code}"), &every, "changed", ""),
        (format!("{sends}{code}"), &every, "changed", "denied"),
        (sends.clone(), &every, "", ""),
        (makes.clone(), &every, "", ""),
        (by_route, &routes, "denied", "denied"),
        (cleared, &routes, "", ""),
    ] {
        let text = envoy(&filters, routes);
        let (step, new) = (reported(&text), migrate(&text));
        for kind in ["denied", "changed"] {
            assert_eq!(step.tells(kind, words), kind == reporting, "{filters}{routes}: {:#}", step.told);
            assert_eq!(new.tells(kind, words), kind == alone, "{filters}{routes}: {:#}", new.told);
        }
        assert_eq!(step.run.status == 2, !step.findings("denied").is_empty());
    }
    assert_good(&migrate(&envoy(&makes, EVERY)));
}

#[test]
fn code_that_makes_up_names_or_goes_through_all_may_look_at_any() {
    let keys = super::credentials::keys_of("keys", "x-api-key", "");
    let jwts = jwt(RULE);
    let metadata = "runs code that goes through metadata, or makes up its names";
    let headers = "has code that goes through headers, or makes up their names, and may look at the header `x-api-key`";
    let of = |code: &str| lua(&format!("function envoy_on_request(h) {code} end"));
    for (filters, words) in [
        (format!("{keys}{}", of("for k, v in pairs(h:headers()) do end")), headers),
        (format!("{keys}{}", of("h:headers():get('x-' .. 'api-key')")), headers),
        (format!("{keys}{}", of("h:headers():get('x-other')")), ""),
        (format!("{}{keys}", of("for k, v in pairs(h:headers()) do end")), ""),
        (
            format!("{jwts}{}", of("h:streamInfo():dynamicMetadata():get('envoy.filters.http.jwt_' .. 'authn')")),
            metadata,
        ),
        (format!("{jwts}{}", of("for k, v in pairs(h:streamInfo():dynamicMetadata()) do end")), metadata),
        (format!("{jwts}{}", of("h:streamInfo():dynamicMetadata():get('envoy.filters.http.other')")), ""),
        // The token was removed before, and is now.
        (format!("{jwts}{}", of("for k, v in pairs(h:headers()) do end")), ""),
    ] {
        let became = migrate(&envoy(&filters, EVERY));
        for own in [headers, metadata] {
            assert_eq!(became.tells("denied", own), own == words, "{filters}: {:#}", became.told);
        }
        let is_shifted = filters.starts_with("- name: lua");
        assert!(is_shifted || (became.run.status == 2) != words.is_empty(), "{filters}: {:#}", became.told);
    }
}
