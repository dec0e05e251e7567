//! `scopegate check`: whether the route that serves a request is the route that it was judged by.

use crate::check::check;
use crate::upgrades::configured;
use crate::world::{Run, folder, run, shipped};
use std::fs;

const CORS: &str = "          - name: envoy.filters.http.cors ";
const GATE: &str = "          - name: scopegate\n            typed_config:\n";
const ROUTER: &str = "          - name: envoy.filters.http.router\n";
pub const MATCH: &str = "match: {prefix: /}";

pub fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

/// A filter as a line of the list.
pub fn filter(name: &str, kind: &str, rest: &str) -> String {
    format!(
        "          - {{name: {name}, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.{kind}{rest}}}}}\n"
    )
}

pub fn before_gate(text: &str, filter: &str) -> String {
    edit(text, GATE, &format!("{filter}{GATE}"))
}

fn before_cors(text: &str, filter: &str) -> String {
    edit(text, CORS, &format!("{filter}{CORS}"))
}

pub fn behind_gate(text: &str, filter: &str) -> String {
    edit(text, ROUTER, &format!("{filter}{ROUTER}"))
}

/// The shipped seal as items of the list of filters.
fn seal() -> String {
    let text = fs::read_to_string("envoy/seal.yaml").unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("          {line}\n")).collect::<Vec<_>>().concat()
}

/// The shipped file, sealed.
fn sealed() -> String {
    let text = edit(
        &shipped(),
        "                    challenge: ",
        "                    seal: true\n                    challenge: ",
    );
    behind_gate(&text, &seal())
}

pub fn by_router() -> String {
    fs::read_to_string("envoy/router.yaml").unwrap()
}

pub fn strict(text: &str) -> Run {
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), text).unwrap();
    run(&["check", "--strict", "envoy.yaml"], &folder)
}

/// Each text has an error of this rule, whose line holds these words, and the other has nothing.
pub fn found(cases: &[(&str, &str, String, String)]) {
    for (rule, words, text, right) in cases {
        let checked = check(text);
        let line = checked.stdout.lines().find(|line| line.contains(&format!("error[{rule}]")));
        assert!(checked.status == 1 && line.is_some_and(|line| line.contains(words)), "{rule}, {words}: {checked:?}");
        let checked = strict(right);
        assert_eq!((checked.status, checked.stdout.trim()), (0, "no problems found"), "{rule}, {words}:\n{right}");
    }
}

#[test]
fn a_filter_that_clears_the_route_cache_needs_one_behind_it_that_asks_for_the_route() {
    let lua = |rest: &str| filter("l", "lua.v3.Lua", rest);
    let clearing = ", clear_route_cache: true";
    let stale = |name: &'static str, filter: &str| {
        ("route-stale", name, before_gate(&shipped(), filter), before_cors(&shipped(), filter))
    };
    let mut cases = vec![
        stale("lua", &lua("")),
        stale("ext_authz", &filter("e", "ext_authz.v3.ExtAuthz", clearing)),
        stale(
            "jwt_authn",
            &filter("j", "jwt_authn.v3.JwtAuthentication", ", providers: {a: {clear_route_cache: true}}"),
        ),
        stale("set_filter_state", &filter("s", "set_filter_state.v3.Config", clearing)),
        stale("json_to_metadata", &filter("j", "json_to_metadata.v3.JsonToMetadata", "")),
        stale("mcp", &filter("m", "mcp.v3.Mcp", "")),
        stale("transform", &filter("t", "transform.v3.TransformConfig", clearing)),
        stale("ext_proc", &filter("e", "ext_proc.v3.ExternalProcessor", "")),
        stale("another Wasm filter", &filter("w", "wasm.v3.Wasm", ", config: {root_id: other}")),
        stale("the filter own", &filter("own", "of_ours.v3.Own", "")),
    ];
    // One that asks, and does not for the requests of a route.
    let asking = before_gate(&shipped(), &format!("{}{}", lua(""), filter("r", "rbac.v3.RBAC", "")));
    let off = edit(
        &asking,
        "              typed_per_filter_config:\n",
        "              typed_per_filter_config:\n                r: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}\n",
    );
    cases.push(("route-stale", "lua", off, asking.clone()));
    cases.push(("route-stale", "lua", asking.replace("rbac.v3.RBAC", "compressor.v3.Compressor"), asking));
    // The filters of upgrade requests are a separate chain.
    let upgrade = |filters: &str| {
        let wasm = "\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
        let gate = format!("{{name: up, typed_config: {{{wasm}, config: {{name: up{}}}}}}}", configured(""));
        let timeout = "          stream_idle_timeout: 60s\n";
        edit(
            &shipped(),
            timeout,
            &format!("{timeout}          upgrade_configs: [{{upgrade_type: websocket, filters: [{filters}{gate}]}}]\n"),
        )
    };
    let item = |kind: &str| {
        format!("{{name: f, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.{kind}}}}}, ")
    };
    let (lua_item, cors_item) = (item("lua.v3.Lua"), item("cors.v3.Cors"));
    cases.push((
        "route-stale",
        "lua",
        upgrade(&format!("{cors_item}{lua_item}")),
        upgrade(&format!("{lua_item}{cors_item}")),
    ));
    found(&cases);
    for quiet in [
        lua(", clear_route_cache: false"),
        filter("e", "ext_authz.v3.ExtAuthz", ""),
        filter("e", "ext_proc.v3.ExternalProcessor", ", route_cache_action: RETAIN"),
        filter("h", "header_mutation.v3.HeaderMutation", ""),
        filter("c", "compressor.v3.Compressor", ""),
    ] {
        let checked = check(&before_gate(&shipped(), &quiet));
        assert_eq!(checked.status, 0, "{quiet}: {checked:?}");
    }
}

#[test]
fn what_a_filter_sets_after_the_first_match_is_nothing_that_a_route_may_be_matched_by() {
    let matching = |text: &str, rest: &str| edit(text, MATCH, &format!("match: {{prefix: /, {rest}}}"));
    let metadata = "dynamic_metadata: [{filter: demo, path: [{key: m}], value: {present_match: true}}]";
    let header = "headers: [{name: x-tenant, present_match: true}]";
    let state = |key: &str| format!("filter_state: [{{key: {key}, string_match: {{exact: a}}}}]");
    let to_metadata = filter(
        "h",
        "header_to_metadata.v3.Config",
        ", request_rules: [{header: x-method, on_header_present: {key: m}}]",
    );
    let authz = filter("e", "ext_authz.v3.ExtAuthz", "");
    let mutation = |name: &str| {
        filter(
            "h",
            "header_mutation.v3.HeaderMutation",
            &format!(", mutations: {{request_mutations: [{{append: {{header: {{key: {name}, value: a}}}}}}]}}"),
        )
    };
    let keep = |text: &str| edit(text, "headers: {x-auth-subject: sub, x-auth-scope: scope}", "token: keep");
    let rule = "matcher-on-changed-input";
    let setting = |filter: &str, rest: &str| matching(&before_gate(&shipped(), filter), rest);
    found(&[
        (
            rule,
            "dynamic metadata, which header_to_metadata",
            setting(&to_metadata, metadata),
            before_gate(&shipped(), &to_metadata),
        ),
        (rule, "dynamic metadata", setting(&to_metadata, metadata), keep(&setting(&to_metadata, metadata))),
        (rule, "dynamic metadata", setting(&to_metadata, metadata), matching(&shipped(), metadata)),
        (rule, "x-tenant, which ext_authz", setting(&authz, header), matching(&shipped(), header)),
        (
            rule,
            "x-tenant, which header_mutation",
            setting(&mutation("X-Tenant"), header),
            setting(&mutation("x-other"), header),
        ),
        // In front of cors, too: it asks, and Envoy answers with the first match.
        (
            rule,
            "x-tenant",
            matching(&before_cors(&shipped(), &authz), header),
            matching(&before_cors(&shipped(), &mutation("x-a")), header),
        ),
        // After the gate until one asks for the route.
        (
            rule,
            "dynamic metadata, which set_metadata",
            matching(&behind_gate(&shipped(), &filter("s", "set_metadata.v3.Config", "")), metadata),
            matching(
                &behind_gate(
                    &shipped(),
                    &format!("{}{}", filter("r", "rbac.v3.RBAC", ""), filter("s", "set_metadata.v3.Config", "")),
                ),
                metadata,
            ),
        ),
        (
            rule,
            "the filter state a, which set_filter_state",
            setting(&filter("s", "set_filter_state.v3.Config", ""), &state("a")),
            matching(&shipped(), &state("a")),
        ),
        // After the gate, too, though it asks: it sets before it asks.
        (
            rule,
            "the filter state a, which set_filter_state",
            matching(&behind_gate(&shipped(), &filter("s", "set_filter_state.v3.Config", "")), &state("a")),
            matching(
                &behind_gate(
                    &shipped(),
                    &format!("{}{}", filter("r", "rbac.v3.RBAC", ""), filter("s", "set_filter_state.v3.Config", "")),
                ),
                &state("a"),
            ),
        ),
        (
            rule,
            "the filter state wasm.scopegate, which the gate",
            matching(&shipped(), &state("wasm.scopegate")),
            matching(&shipped(), &state("wasm.other")),
        ),
        (
            rule,
            "header_mutation may set :path",
            before_gate(&shipped(), &mutation("\":path\"")),
            before_gate(&shipped(), &mutation("x-path")),
        ),
        (
            rule,
            "the query, which ext_authz",
            setting(&authz, "query_parameters: [{name: a, present_match: true}]"),
            setting(&mutation("x-a"), "query_parameters: [{name: a, present_match: true}]"),
        ),
        // One that clears the cache for what it sets, and then one that asks: the gate sees what Envoy sees.
        (
            rule,
            "x-tenant",
            matching(&before_cors(&shipped(), &filter("l", "lua.v3.Lua", ", clear_route_cache: false")), header),
            matching(&before_cors(&shipped(), &filter("l", "lua.v3.Lua", "")), header),
        ),
        (
            rule,
            "x-tenant",
            matching(&before_cors(&shipped(), &authz), header),
            matching(
                &before_cors(&shipped(), &filter("e", "ext_authz.v3.ExtAuthz", ", clear_route_cache: true")),
                header,
            ),
        ),
        (
            rule,
            "dynamic metadata, which lua",
            matching(&before_cors(&shipped(), &filter("l", "lua.v3.Lua", "")), metadata),
            matching(&before_cors(&shipped(), &filter("j", "json_to_metadata.v3.JsonToMetadata", "")), metadata),
        ),
        // With a router that edits, unless the gate would remove what a client forged.
        (
            rule,
            "dynamic metadata",
            edit(
                &before_gate(&matching(&by_router(), metadata), &to_metadata),
                "              - {remove: x-auth-scope}\n",
                "",
            ),
            before_gate(&matching(&by_router(), metadata), &to_metadata),
        ),
        (
            rule,
            "dynamic metadata",
            edit(&before_gate(&matching(&by_router(), metadata), &to_metadata), "action: DROP_HEADER", "action: ALLOW"),
            before_gate(&matching(&by_router(), metadata), &to_metadata),
        ),
    ]);
    let tree = |input: &str| {
        format!(
            "matcher: {{matcher_tree: {{input: {{name: i, typed_config: {{\"@type\": type.googleapis.com/{input}}}}}, exact_match_map: {{map: {{}}}}}}}}"
        )
    };
    let under = "              domains: [\"*\"]\n";
    for (input, wanted) in [
        ("envoy.extensions.matching.common_inputs.network.v3.DynamicMetadataInput", true),
        ("envoy.extensions.matching.common_inputs.network.v3.FilterStateInput, key: wasm.scopegate", true),
        ("xds.type.matcher.v3.HttpAttributesCelMatchInput", true),
        ("envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x-method", false),
    ] {
        let text =
            edit(&before_gate(&shipped(), &to_metadata), under, &format!("{under}              {}\n", tree(input)));
        let checked = check(&text);
        assert_eq!(checked.stdout.contains(rule), wanted, "{input}: {checked:?}");
    }
}

#[test]
fn a_seal_is_complete_or_an_error() {
    let clean = |text: &str| {
        let checked = strict(text);
        assert_eq!((checked.status, checked.stdout.trim()), (0, "no problems found"), "{text}");
    };
    clean(&sealed());
    // What is wrong without it is right with it: before the gate, after it, and with a second match.
    let lua = filter("l", "lua.v3.Lua", "");
    let to_metadata = filter("h", "header_to_metadata.v3.Config", "");
    let matcher =
        "match: {prefix: /, dynamic_metadata: [{filter: demo, path: [{key: m}], value: {present_match: true}}]}";
    clean(&edit(&before_gate(&sealed(), &to_metadata), MATCH, matcher));
    clean(&edit(&sealed(), &seal(), &format!("{lua}{}", seal())));
    let stale = strict(&before_gate(&sealed(), &lua));
    assert!(
        stale.status == 1 && stale.stdout.contains("warning[route-stale]") && !stale.stdout.contains("error["),
        "{stale:?}"
    );
    let wrong = |words: &'static str, text: String| ("seal", words, text, sealed());
    found(&[
        wrong("no rbac filter behind the gate", edit(&sealed(), &seal(), "")),
        wrong("no rbac filter behind the gate", before_gate(&edit(&sealed(), &seal(), ""), &seal())),
        wrong("does not publish that", edit(&sealed(), "seal: true", "seal: false")),
        wrong("is not ALLOW", edit(&sealed(), "action: ALLOW", "action: DENY")),
        wrong("is not ALLOW", edit(&sealed(), "action: ALLOW", "action: LOG")),
        wrong("does not demand", edit(&sealed(), "field: route_name", "field: cluster_name")),
        wrong("does not demand", edit(&sealed(), "field: virtual_host_name", "field: route_name")),
        wrong("does not demand", edit(&sealed(), "function: _==_", "function: _!=_")),
        wrong("does not demand", edit(&sealed(), "function: _&&_", "function: _||_")),
        wrong(
            "does not demand",
            edit(&sealed(), "string_value: wasm.scopegate.route_name", "string_value: wasm.scopegate.name"),
        ),
        wrong(
            "not exactly one policy",
            edit(
                &sealed(),
                "                policies:\n",
                "                policies:\n                  all: {permissions: [{any: true}], principals: [{any: true}]}\n",
            ),
        ),
        wrong(
            "takes the place of `rules`",
            edit(
                &sealed(),
                "              rules:\n                action",
                "              matcher: {}\n              rules:\n                action",
            ),
        ),
        wrong(
            "turns the seal off",
            edit(&sealed(), "          - name: seal\n", "          - name: seal\n            disabled: true\n"),
        ),
        wrong(
            "changes the seal here",
            edit(
                &sealed(),
                "              typed_per_filter_config:\n",
                "              typed_per_filter_config:\n                seal: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute}\n",
            ),
        ),
        wrong("lua stands behind the seal", behind_gate(&sealed(), &lua)),
        wrong("the filter own stands behind the seal", behind_gate(&sealed(), &filter("own", "of_ours.v3.Own", ""))),
        (
            "seal-names",
            "has no name",
            edit(&sealed(), "              - name: everything\n                match", "              - match"),
            sealed(),
        ),
        ("seal-names", "has the name orders", edit(&sealed(), "- name: everything", "- name: orders"), sealed()),
    ]);
}
