//! Everything that `scopegate check` looks for: a file with the mistake, in which it is found, and one without, in which
//! it is not. Each mistake is one edit of the shipped file, which has none.

use crate::check::{check, with};
use crate::world::{folder, run, shipped};
use std::fs;

/// The places of an edit that every case below is made of.
const FILTER: &str = "          - name: scopegate\n            typed_config:";
const CORS: &str = "          - name: envoy.filters.http.cors ";
const PLUGIN: &str = "                failure_policy: FAIL_RELOAD                # keep: never FAIL_OPEN\n";
const ROUTER: &str = "          - name: envoy.filters.http.router\n";
const EVERYTHING: &str = "              - name: everything\n                match: {prefix: /}\n";
const RULES: &str = "                    rules:\n";

fn after_the_gate(name: &str, config: &str) -> String {
    format!(
        "          - name: x\n            typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.{name}{config}}}\n{ROUTER}"
    )
}

/// Our own entry in `typed_per_filter_config` of a route, a virtual host, a weighted cluster or a route configuration.
const OFF: &str = "scopegate: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}";
const HOST: &str = "            - name: api\n              domains: [\"*\"]\n";
const ROUTE_CONFIG: &str = "          route_config:\n";
const MANAGER: &str = "          stream_idle_timeout: 60s\n";
const UPSTREAM: &str = "                match: {prefix: /}\n                route: {cluster: upstream}\n";

/// `mcp` with sessions that are bound.
const SESSION: &str = "{session: {keys: [{env: A}]}}";
/// Filters lists.
const LISTS: &str = "{lists: granted}";

/// The shipped filter below a matcher with this action.
fn behind_a_matcher(action: &str) -> String {
    let (before, rest) = shipped().split_once(FILTER).map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (own, after) = rest.split_once(ROUTER).unwrap();
    let own: String =
        own.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect();
    format!(
        "{before}          - name: scopegate\n            typed_config:\n              \"@type\": \
         type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher\n              xds_matcher: \
         {{on_no_match: {{action: {{name: x, typed_config: {{\"@type\": type.googleapis.com/{action}}}}}}}}}\n              \
         extension_config:\n                name: scopegate\n                typed_config:{own}{ROUTER}{after}"
    )
}

/// The shipped file whose routes come from a matcher tree: one by its path, which looks at `header`, with this metadata.
fn with_a_matcher_tree(header: &str, metadata: &str) -> String {
    let text = shipped();
    let (before, rest) = text.split_once("              routes:\n").unwrap();
    let (_, after) = rest.split_once("  clusters:\n").unwrap();
    let route = format!(
        "{{\"@type\": type.googleapis.com/envoy.config.route.v3.Route, name: internal, match: {{prefix: /}}, route: {{cluster: \
         upstream}}, metadata: {{filter_metadata: {{scopegate: {metadata}}}}}}}"
    );
    let input = format!(
        "{{name: h, typed_config: {{\"@type\": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, \
         header_name: {header}}}}}"
    );
    format!(
        "{before}              matcher: {{matcher_tree: {{input: {input}, exact_match_map: {{map: {{x: {{action: {{name: route, \
         typed_config: {route}}}}}}}}}}}}}\n\n  clusters:\n{after}"
    )
}

/// The plugin's settings with these capabilities alone, or all of them where none is named.
fn restricted(capabilities: &str) -> String {
    let setting = format!("capability_restriction_config: {{allowed_capabilities: {{{capabilities}}}}}");
    format!("{PLUGIN}                {setting}\n")
}

#[test]
fn what_opens_the_gate_or_undoes_it_is_an_error() {
    let another = || with(ROUTER, &after_the_gate("jwt_authn.v3.JwtAuthentication", ""));
    let no_upgrade = || with(MANAGER, &format!("{MANAGER}          upgrade_configs: [{{upgrade_type: websocket}}]\n"));
    let rule =
        |more: &str| with(RULES, &format!("{RULES}                    - {{match: {{path: /mcp}}, mcp: {more}}}\n"));
    let plugin = |text: &str, setting: &str| text.replacen(PLUGIN, &format!("{PLUGIN}                {setting}\n"), 1);
    let only_headers = restricted("proxy_on_request_headers: {}, proxy_on_request_trailers: {}");
    let full = |text: &str| text.replace("/scopegate.wasm", "/scopegate-full.wasm");
    let matched = |header: &str| {
        let matcher = format!("match: {{prefix: /, headers: [{{name: {header}, present_match: true}}]}}");
        full(&rule(SESSION)).replacen("match: {prefix: /}", &matcher, 1)
    };
    for (rule, text, right) in [
("responses-not-seen", rule(SESSION), full(&rule(SESSION))),
("responses-not-seen", full(&rule(SESSION)).replacen(PLUGIN, &restricted("proxy_on_request_headers: {}, proxy_on_request_body: {}, proxy_on_request_trailers: {}"), 1),
            full(&rule(SESSION)).replacen(PLUGIN, &restricted("proxy_on_request_headers: {}, proxy_on_request_body: {}, proxy_on_request_trailers: {}, proxy_on_response_headers: {}"), 1)),
("responses-not-seen", rule(LISTS), full(&rule(LISTS))),
("responses-not-seen", full(&rule(LISTS)).replacen(PLUGIN, &restricted("proxy_on_request_headers: {}, proxy_on_request_body: {}, proxy_on_request_trailers: {}, proxy_on_response_headers: {}"), 1),
            full(&rule(LISTS)).replacen(PLUGIN, &restricted("proxy_on_request_headers: {}, proxy_on_request_body: {}, proxy_on_request_trailers: {}, proxy_on_response_headers: {}, proxy_on_response_body: {}, proxy_on_response_trailers: {}"), 1)),
("matcher-on-edited-header", matched("Mcp-Session-Id"), matched("x-mcp-session")),
("headers-not-held", rule("{hold_headers: true}"), plugin(&rule("{hold_headers: true}"), "allow_on_headers_stop_iteration: true")),
("stop-iteration", plugin(&rule("{}"), "allow_on_headers_stop_iteration: true"), rule("{}")),
("fails-open", rule("{}").replacen(PLUGIN, &only_headers, 1), with(PLUGIN, &only_headers)),
("fails-open", with("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_OPEN"), shipped()),
("fails-open", with(PLUGIN, "                fail_open: true\n"), shipped()),
("fails-open", with(PLUGIN, &restricted("proxy_on_request_body: {}")), with(PLUGIN, &restricted(
            "proxy_on_request_headers: {}, proxy_on_request_trailers: {}"
        ))),
("fails-open", with(PLUGIN, &restricted("proxy_on_request_headers: {}")), with(PLUGIN, &restricted(""))),
("stop-iteration", with(PLUGIN, &format!("{PLUGIN}                allow_on_headers_stop_iteration: true\n")), shipped()),
("disabled",
            with(FILTER, "          - name: scopegate\n            disabled: true\n            typed_config:"), shipped()),
("disabled",
            with(
                EVERYTHING,
                &format!(
                    "{EVERYTHING}                typed_per_filter_config: {{scopegate: {{\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}}}\n"
                ),
            ), shipped()),
("disabled",
            with(
                "              domains: [\"*\"]\n              typed_per_filter_config:\n",
                "              domains: [\"*\"]\n              typed_per_filter_config:\n                scopegate: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}\n",
            ), shipped()),
("matcher-on-edited-header",
            with("match: {prefix: /}", "match: {prefix: /, headers: [{name: x-auth-subject, present_match: true}]}"), shipped()),
("matcher-on-edited-header",
            with("match: {prefix: /}", "match: {prefix: /, headers: [{name: X_Auth_Scope, present_match: true}]}"), shipped()),
("matcher-on-edited-header",
            with("match: {prefix: /}", "match: {prefix: /, headers: [{name: Authorization, present_match: true}]}"), shipped()),
("matcher-on-edited-header",
            with(
                "              domains: [\"*\"]\n",
                "              domains: [\"*\"]\n              virtual_clusters: [{name: v, headers: [{name: authorization, present_match: true}]}]\n",
            ), shipped()),
("edits-after", with(ROUTER, &after_the_gate("lua.v3.Lua", "")), shipped()),
("edits-after", with(ROUTER, &after_the_gate("ext_proc.v3.ExternalProcessor", "")), shipped()),
("edits-after", with(ROUTER, &after_the_gate("header_mutation.v3.HeaderMutation", "")), shipped()),
("edits-after", with(ROUTER, &after_the_gate("on_demand.v3.OnDemand", "")), shipped()),
("edits-after", with(ROUTER, &after_the_gate("jwt_authn.v3.JwtAuthentication", ", clear_route_cache: true")), shipped()),
("cluster-missing", with("cluster: issuer}", "cluster: isuer}"), shipped()),
("metadata", with("scopegate: {scopes: [orders:write]", "scopegate: {scope: [orders:write]"), shipped()),
        // In a map, null is no requirement for YAML, and an empty one for Envoy.
        ("metadata", with(UPSTREAM, &format!("{UPSTREAM}                metadata: {{filter_metadata: {{scopegate: null}}}}\n")), shipped()),
("configuration", with("audiences: [https://api.example.com]", "audience: [https://api.example.com]"), shipped()),
        ("disabled", behind_a_matcher("envoy.extensions.filters.common.matcher.action.v3.SkipFilter"), shipped()),
        ("disabled", behind_a_matcher("envoy.extensions.filters.http.composite.v3.Composite"), shipped()),
        ("disabled", with(ROUTE_CONFIG, &format!("{ROUTE_CONFIG}            typed_per_filter_config: {{{OFF}}}\n")), shipped()),
        (
            "disabled",
            with(
                UPSTREAM,
                &format!("                match: {{prefix: /}}\n                route: {{weighted_clusters: {{clusters: [{{name: upstream, weight: 1, typed_per_filter_config: {{{OFF}}}}}]}}}}\n"),
            ),
            with(
                UPSTREAM,
                "                match: {prefix: /}\n                route: {weighted_clusters: {clusters: [{name: upstream, weight: 1}]}}\n",
            ),
        ),
        ("optional", with(FILTER, "          - name: scopegate\n            is_optional: true\n            typed_config:"), shipped()),
        (
            "upgrade-without-gate",
            no_upgrade().replace("websocket}", "websocket, filters: [{name: r, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}"),
            no_upgrade(),
        ),
        (
            "matcher-on-edited-header",
            with(MANAGER, &format!("{MANAGER}          scoped_routes: {{name: s, scope_key_builder: {{fragments: [{{header_value_extractor: {{name: authorization}}}}]}}}}\n")),
            with(MANAGER, &format!("{MANAGER}          scoped_routes: {{name: s, scope_key_builder: {{fragments: [{{header_value_extractor: {{name: x-tenant}}}}]}}}}\n")),
        ),
        ("matcher-on-edited-header", with_a_matcher_tree("Authorization", "{}"), with_a_matcher_tree("x-tenant", "{}")),
        ("metadata", with_a_matcher_tree("x-tenant", "{scope: 1}"), with_a_matcher_tree("x-tenant", "{scopes: [a]}")),
        (
            "metadata",
            with(HOST, &format!("{HOST}              metadata: {{filter_metadata: {{scopegate: {{public: 1}}}}}}\n")),
            with(HOST, &format!("{HOST}              metadata: {{filter_metadata: {{scopegate: {{public: true}}}}}}\n")),
        ),
        ("edits-after", with(ROUTER, &after_the_gate("ext_authz.v3.ExtAuthz", ", clear_route_cache: true")), another()),
        // A filter before one that asks for the route may do as it likes.
        (
            "edits-after",
            with(ROUTER, &after_the_gate("lua.v3.Lua", "")),
            with(CORS, &format!("{}{CORS}", after_the_gate("lua.v3.Lua", "").trim_end_matches(ROUTER))),
        ),
    ] {
        let checked = check(&text);
        assert_eq!(checked.status, 1, "{rule}: {checked:?}");
        assert!(checked.stdout.contains(&format!("error[{rule}]")), "{rule}: {}", checked.stdout);
        let line = checked.stdout.lines().find(|line| line.contains(&format!("error[{rule}]"))).unwrap();
        let mut parts = line.split(':');
        assert_eq!(parts.next(), Some("envoy.yaml"), "{line}");
        assert!(parts.next().unwrap().parse::<usize>().unwrap() > 1, "{line}");
        let checked = check(&right);
        assert!(checked.status == 0 && !checked.stdout.contains(rule), "{rule}, which is not there: {}", checked.stdout);
    }
}

#[test]
fn what_should_be_looked_at_is_a_warning() {
    let beside_the_route = |requirement: &str| {
        let route = "match: {path_separated_prefix: /internal}\n                route: {cluster: upstream}\n";
        with(route, &format!("{route}                metadata: {{filter_metadata: {{scopegate: {requirement}}}}}\n"))
    };
    let any_rule = |rule: &str| with(RULES, &format!("{RULES}                    {rule}\n"));
    let remote = || with("address: 127.0.0.1, port_value: 10002", "address: 10.0.0.7, port_value: 10002");
    let socket = |name: &str| {
        remote().replace(
            "  - name: issuer\n",
            &format!("  - name: issuer\n    transport_socket: {{name: s, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.{name}}}}}\n"),
        )
    };
    let tls = || socket("tls.v3.UpstreamTlsContext");
    let full = |text: String| text.replace("/scopegate.wasm", "/scopegate-full.wasm");
    let any_rule = |rule: &str| {
        if rule.contains("session") || rule.contains("granted") { full(any_rule(rule)) } else { any_rule(rule) }
    };
    // A route of its own to an MCP server.
    let to_mcp = |mcp: &str, cluster: &str| {
        let route = format!("              - match: {{path: /mcp}}\n                route: {{cluster: {cluster}}}\n");
        let text = any_rule(&format!("- {{match: {{path: /mcp}}, mcp: {mcp}}}"));
        text.replacen("              routes:\n", &format!("              routes:\n{route}"), 1)
    };
    let adding = |header: &str| {
        let added = format!("response_headers_to_add: [{{header: {{key: {header}, value: a}}}}]");
        format!("{ROUTE_CONFIG}            {added}\n")
    };
    // A gate that closes streams, or not, with these capabilities.
    let closing = |when: &str, calls: &str| {
        let rule = format!("- {{match: {{path: /events}}, close_streams: {when}}}");
        let all = "proxy_on_request_headers: {}, proxy_on_request_trailers: {}";
        any_rule(&rule).replacen(PLUGIN, &restricted(&format!("{all}{calls}")), 1)
    };
    let closes = ", proxy_close_stream: {}, proxy_set_effective_context: {}, proxy_on_tick: {}";
    for (rule, text, right) in [
        ("streams-not-closed", closing("revocation", ""), closing("never", "")),
        (
            "streams-not-closed",
            closing("expiry", &closes.replace("proxy_close_stream: {}, ", "")),
            closing("expiry", closes),
        ),
        ("failure-policy-missing", with(PLUGIN, ""), shipped()),
        (
            "client-address",
            any_rule("- {match: {path: /r}, reuse: {}}"),
            any_rule("- {match: {path: /r}, reuse: {}}").replacen(
                MANAGER,
                &format!("{MANAGER}          use_remote_address: true\n"),
                1,
            ),
        ),
        (
            "messages-not-judged",
            any_rule("- {match: {path: /mcp}, mcp: {}}\n                    - {match: {prefix: /mcp}, scopes: [a]}"),
            any_rule("- {match: {path: /mcp}, mcp: {}}"),
        ),
        (
            "messages-not-judged",
            any_rule("- {match: {prefix: /mcp}, mcp: {}, methods: {GET: {scopes: [a]}}}"),
            any_rule("- {match: {prefix: /mcp}, mcp: {}, methods: {GET: {mcp: {}}}}"),
        ),
        (
            "sessions-not-bound",
            any_rule(&format!("- {{match: {{prefix: /mcp}}, mcp: {SESSION}, methods: {{GET: {{mcp: {{}}}}}}}}")),
            any_rule(&format!("- {{match: {{prefix: /mcp}}, mcp: {SESSION}, methods: {{GET: {{mcp: {SESSION}}}}}}}")),
        ),
        ("sessions-not-bound", to_mcp(SESSION, "upstream"), to_mcp("{}", "upstream")),
        ("sessions-not-bound", to_mcp(SESSION, "upstream"), to_mcp(SESSION, "issuer")),
        (
            "session-header-changed",
            any_rule(&format!("- {{match: {{prefix: /mcp}}, mcp: {SESSION}}}")).replacen(
                ROUTE_CONFIG,
                &adding("Mcp-Session-Id"),
                1,
            ),
            any_rule(&format!("- {{match: {{prefix: /mcp}}, mcp: {SESSION}}}")).replacen(
                ROUTE_CONFIG,
                &adding("x-id"),
                1,
            ),
        ),
        (
            "lists-not-filtered",
            any_rule(&format!(
                "- {{match: {{path: /mcp}}, mcp: {LISTS}}}\n                    - {{match: {{prefix: /mcp}}, mcp: {{}}}}"
            )),
            any_rule(&format!("- {{match: {{prefix: /mcp}}, mcp: {LISTS}}}")),
        ),
        (
            "lists-not-filtered",
            any_rule(&format!("- {{match: {{prefix: /mcp}}, mcp: {LISTS}, methods: {{GET: {{mcp: {{}}}}}}}}")),
            any_rule(&format!("- {{match: {{prefix: /mcp}}, mcp: {LISTS}, methods: {{GET: {{mcp: {LISTS}}}}}}}")),
        ),
        ("lists-not-filtered", to_mcp(LISTS, "upstream"), to_mcp("{}", "upstream")),
        ("lists-not-filtered", to_mcp(LISTS, "upstream"), to_mcp(LISTS, "issuer")),
        ("paths-not-normalised", with("normalize_path: true", "normalize_path: false"), shipped()),
        ("paths-not-normalised", with("merge_slashes: true", "merge_slashes: false"), shipped()),
        ("escaped-slashes", with("          path_with_escaped_slashes_action: REJECT_REQUEST\n", ""), shipped()),
        (
            "underscore-headers",
            with("headers_with_underscores_action: DROP_HEADER", "headers_with_underscores_action: ALLOW"),
            shipped(),
        ),
        (
            "no-cors-before",
            with("envoy.extensions.filters.http.cors.v3.Cors\n", "envoy.extensions.filters.http.buffer.v3.Buffer\n"),
            shipped(),
        ),
        ("log-prints-query", with("%PATH(NQ)%", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"), shipped()),
        ("host-rule-under-any-domain", any_rule("- {match: {host: api.example.com}, public: true}"), shipped()),
        ("rule-replaced", beside_the_route("{report_only: true}"), shipped()),
        ("rule-replaced", beside_the_route("{}"), beside_the_route("{scopes: [a]}")),
        ("methods-without-rest", any_rule("- {match: {path: /x, methods: [POST]}, scopes: [a]}"), shipped()),
        ("rule-never-matches", any_rule("- {match: {route: nowhere}, public: true}"), shipped()),
        ("rule-never-matches", any_rule("- {match: {virtual_host: nowhere}, public: true}"), shipped()),
        (
            "rule-never-matches",
            with(
                "                    - match: {route: internal}\n",
                "                    - match: {path_separated_prefix: /healthz}\n                      deny: true\n                    - match: {path: /healthz}\n                      public: true\n                    - match: {route: internal}\n",
            ),
            shipped(),
        ),
        (
            "keys-in-plain-text",
            with("port_value: 10002}", "port_value: 10002}")
                .replace("address: 127.0.0.1, port_value: 10002", "address: 10.0.0.7, port_value: 10002"),
            shipped(),
        ),
        (
            "host-rule-under-any-domain",
            any_rule("- {match: {host: api.example.com}, public: true}"),
            any_rule("- {match: {host: api.example.com}, public: true}")
                .replace("domains: [\"*\"]", "domains: [api.example.com]"),
        ),
        (
            "methods-without-rest",
            any_rule("- {match: {path: /x, methods: [POST]}, scopes: [a]}"),
            any_rule(
                "- {match: {path: /x, methods: [POST]}, scopes: [a]}\n                    - {match: {path: /x}, scopes: [b]}",
            ),
        ),
        // Path rules are what normalisation is for.
        (
            "paths-not-normalised",
            with("normalize_path: true", "normalize_path: false"),
            with("normalize_path: true", "normalize_path: false")
                .replace("match: {path: /healthz}", "match: {route: everything}")
                .replace("path_separated_prefix: /reports", "route: orders"),
        ),
        ("log-prints-query", with("%PATH(NQ)%", "%PATH(WQ)%"), with("%PATH(NQ)%", "%REQ_WITHOUT_QUERY(:PATH)%")),
        (
            "log-prints-query",
            with("                json_format:", "                unused:").replace('%', ""),
            shipped(),
        ),
        ("keys-in-plain-text", remote(), tls()),
        ("keys-in-plain-text", socket("raw_buffer.v3.RawBuffer"), tls()),
        (
            "keys-in-plain-text",
            with(
                "  - name: issuer\n    connect_timeout: 1s\n    load_assignment:\n",
                "  - name: issuer\n    type: EDS\n    unused:\n",
            )
            .replace("address: 127.0.0.1, port_value: 10002", "unknown: 1"),
            tls(),
        ),
        (
            "may-edit-after",
            with(ROUTER, &after_the_gate("wasm.v3.Wasm", ", config: {root_id: other}")),
            with(ROUTER, &after_the_gate("buffer.v3.Buffer", "")),
        ),
    ] {
        let checked = check(&text);
        assert!(checked.stdout.contains(&format!("warning[{rule}]")), "{rule}: {}", checked.stdout);
        assert_eq!(checked.status, 0, "{rule}: warnings alone: {}", checked.stdout);
        let folder = folder();
        fs::write(folder.join("envoy.yaml"), &text).unwrap();
        assert_eq!(run(&["check", "--strict", "envoy.yaml"], &folder).status, 1, "{rule}");
        let checked = check(&right);
        assert!(
            checked.status == 0 && !checked.stdout.contains(rule),
            "{rule}, which is not there: {}",
            checked.stdout
        );
    }
}

#[test]
fn what_is_right_in_another_way_is_not_blamed() {
    for text in [
        with(ROUTER, &after_the_gate("jwt_authn.v3.JwtAuthentication", "")),
        with("match: {prefix: /}", "match: {prefix: /, headers: [{name: x-tenant, present_match: true}]}"),
        with("%PATH(NQ)%", "%REQ_WITHOUT_QUERY(:PATH)%"),
        with(
            "scopegate: {scopes: [orders:write]",
            "other.filter: {scopes: 1}\n                    scopegate: {scopes: [orders:write]",
        ),
        with("                forward:", "                forward:")
            .replace("headers: {x-auth-subject: sub, x-auth-scope: scope}", "token: keep")
            .replace("match: {prefix: /}", "match: {prefix: /, headers: [{name: authorization, present_match: true}]}"),
    ] {
        let checked = check(&text);
        assert_eq!((checked.status, checked.stdout.trim()), (0, "no problems found"), "{text}");
    }
}

#[test]
fn a_cluster_is_missed_only_where_it_could_be_seen() {
    let missing = with("cluster: issuer}", "cluster: isuer}");
    // What Envoy fetches is not in the file.
    let discovered =
        format!("dynamic_resources: {{cds_config: {{path_config_source: {{path: ./clusters.yaml}}}}}}\n{missing}");
    assert!(!check(&discovered).stdout.contains("cluster-missing"), "{}", check(&discovered).stdout);
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), discovered).unwrap();
    let fetched = |name: &str| {
        let text =
            format!("resources:\n- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: {name}\n");
        fs::write(folder.join("clusters.yaml"), text).unwrap();
        run(&["check", "envoy.yaml", "clusters.yaml"], &folder).stdout.contains("error[cluster-missing]")
    };
    assert!(fetched("other") && !fetched("isuer"));
}

#[test]
fn what_stands_in_for_a_filter_that_is_fetched_must_be_a_gate_too() {
    let text = shipped();
    let (before, rest) = text.split_once(FILTER).unwrap();
    let (own, after) = rest.split_once(ROUTER).unwrap();
    let fetched = |default: &str| {
        format!(
            "{before}          - name: scopegate\n            config_discovery: {{config_source: {{ads: {{}}}}, default_config: \
             {{{default}}}}}\n{ROUTER}{after}"
        )
    };
    let folder = folder();
    let own: Vec<&str> = own.lines().map(|line| line.get(8..).unwrap_or_default()).collect();
    let own = own.join("\n");
    fs::write(
        folder.join("filters.yaml"),
        format!("resources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: scopegate\n  typed_config:{own}"),
    )
    .unwrap();
    for (default, wanted) in [
        ("\"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer", true),
        (
            "\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {root_id: scopegate}",
            false,
        ),
    ] {
        fs::write(folder.join("envoy.yaml"), fetched(default)).unwrap();
        let checked = run(&["check", "envoy.yaml", "filters.yaml"], &folder);
        assert_eq!(checked.stdout.contains("error[fails-open]"), wanted, "{checked:?}");
    }
}
