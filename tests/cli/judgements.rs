//! What `scopegate check` says of routes, logs and values: each mistake in the form in which people write it, and beside
//! it the file without the mistake.

use crate::check::{check, with, with_routes_elsewhere};
use crate::world::{Run, folder, run, shipped};
use std::fs;

const HOST: &str = "            - name: api\n              domains: [\"*\"]\n";
const UPSTREAM: &str = "                match: {prefix: /}\n                route: {cluster: upstream}\n";
const MANAGER: &str = "          stream_idle_timeout: 60s\n";
const LISTENER: &str = "  - name: main\n";
const METADATA: &str = "                metadata:\n                  filter_metadata:\n                    scopegate: {scopes: [orders:write], methods: {GET: {scopes: [orders:read]}}}\n";
pub const RULES: &str = "                    rules:\n";
const CLUSTERS: &str = "  clusters:\n";

/// The route `everything` with this beside or in place of what it has.
fn route(text: &str) -> String {
    with(UPSTREAM, &format!("                match: {{prefix: /}}\n                {text}\n"))
}

/// The route `orders`, whose metadata is this instead.
pub fn metadata(text: &str) -> String {
    with(METADATA, &format!("                {text}\n"))
}

fn in_manager(text: &str) -> String {
    with(MANAGER, &format!("{MANAGER}          {text}\n"))
}

fn in_host(text: &str) -> String {
    with(HOST, &format!("{HOST}              {text}\n"))
}

/// The shipped file with another plugin configuration.
fn plugin(from: &str, to: &str) -> String {
    with(from, to)
}

/// Each text has this finding once, and the text beside it has no finding of this kind.
pub fn finds(cases: &[(&str, String, String)]) {
    for (rule, text, right) in cases {
        let checked = check(text);
        let found = checked.stdout.matches(&format!("[{rule}]")).count();
        assert_eq!(found, 1, "{rule}: {}\n{text}", checked.stdout);
        let checked = check(right);
        assert!(!checked.stdout.contains(&format!("[{rule}]")), "{rule}, which is not there: {}", checked.stdout);
    }
}

pub fn strict(text: &str) -> Run {
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), text).unwrap();
    run(&["check", "--strict", "envoy.yaml"], &folder)
}

#[test]
fn a_field_that_envoy_does_not_know_is_an_error_with_the_field_that_was_meant() {
    for (text, field, words) in [
        (metadata("metdata: {filter_metadata: {scopegate: {scopes: [a]}}}"), "metdata", "did you mean `metadata`?"),
        (metadata("metadata: {filter_metdata: {scopegate: {scopes: [a]}}}"), "filter_metdata", "`filter_metadata`?"),
        (metadata("metadata: {scopegate: {scopes: [a]}}"), "metadata.scopegate", "metadata.filter_metadata.scopegate"),
        (metadata("scopegate: {scopes: [a]}"), "scopegate", "metadata.filter_metadata.scopegate"),
        (metadata("filter_metadata: {scopegate: {scopes: [a]}}"), "filter_metadata", "write it under `metadata`"),
        (in_host("metdata: {filter_metadata: {scopegate: {scopes: [a]}}}"), "metdata", "did you mean `metadata`?"),
        (route("route: {cluster: upstream, metadata: {}}"), "route.metadata", "it is a field of Route: move it there"),
        (route("route: {cluster: upstream, retry_policy: {num_retry: 2}}"), "num_retry", "`num_retries`?"),
        (in_manager("strip_any_hostport: true"), "strip_any_hostport", "`strip_any_host_port`?"),
        (with("failure_policy:", "failure_polcy:"), "failure_polcy", "`failure_policy`?"),
    ] {
        let checked = check(&text);
        let line = checked.stdout.lines().find(|line| line.contains("error[unknown-field]"));
        let line = line.unwrap_or_else(|| panic!("{field}: {}", checked.stdout));
        assert!(line.contains(&format!("{field}: is no field of ")) && line.contains(words), "{field}: {line}");
        assert_eq!(checked.stdout.matches("requirement-not-read").count(), 0, "one finding: {}", checked.stdout);
        assert_eq!(checked.status, 1);
    }
    for right in [
        metadata("metadata: {filterMetadata: {scopegate: {scopes: [a]}}}"),
        route("route: {cluster: upstream, retryPolicy: {numRetries: 2}}"),
        route("route: {cluster: upstream, hash_policy: [{header: {header_name: x-a}, terminal: true}]}"),
        in_host("request_headers_to_add: [{header: {key: a, value: b}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]"),
    ] {
        let checked = check(&right);
        assert_eq!(checked.stdout.trim(), "no problems found", "{right}");
    }
}

#[test]
fn a_configuration_of_the_gate_for_a_route_is_an_error() {
    let wasm =
        "\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {root_id: scopegate}";
    let setting = "\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig";
    let on = |config: &str| {
        route(&format!("route: {{cluster: upstream}}\n                typed_per_filter_config: {{{config}}}"))
    };
    let structure = "\"@type\": type.googleapis.com/google.protobuf.Struct, value: {scopes: [a]}";
    let right = || on(&format!("scopegate: {{{setting}, config: {{}}}}"));
    let per_host = with(
        "              typed_per_filter_config:\n",
        &format!("              typed_per_filter_config:\n                scopegate: {{{wasm}}}\n"),
    );
    let per_cluster = route(&format!(
        "route: {{weighted_clusters: {{clusters: [{{name: upstream, weight: 1, typed_per_filter_config: {{scopegate: {{{wasm}}}}}}}]}}}}"
    ));
    finds(&[
        ("per-route-configuration", on(&format!("scopegate: {{{wasm}}}")), right()),
        ("per-route-configuration", on(&format!("another: {{{wasm}}}")), right()),
        (
            "per-route-configuration",
            on(&format!("scopegate: {{{structure}}}")),
            on(&format!("another: {{{structure}}}")),
        ),
        (
            "per-route-configuration",
            on(&format!("scopegate: {{{setting}, is_optional: true, config: {{{wasm}}}}}")),
            right(),
        ),
        ("per-route-configuration", per_host, shipped()),
        ("per-route-configuration", per_cluster, shipped()),
    ]);
    let said = check(&on(&format!("scopegate: {{{setting}, is_optional: true, config: {{{wasm}}}}}"))).stdout;
    assert!(said.contains("error[per-route-configuration]") && said.contains("this one is passed over"), "{said}");
}

#[test]
fn a_requirement_where_the_gate_does_not_read_it_is_an_error() {
    let own = "metadata: {filter_metadata: {scopegate: {scopes: [a]}}}";
    let rule = "requirement-not-read";
    let listener = with(LISTENER, &format!("{LISTENER}    {own}\n"));
    let config = with("          route_config:\n", &format!("          route_config:\n            {own}\n"));
    let cluster = with("  - name: upstream\n", &format!("  - name: upstream\n    {own}\n"));
    let matched = route("route: {cluster: upstream, metadata_match: {filter_metadata: {scopegate: {scopes: [a]}}}}");
    let typed = metadata("metadata: {typed_filter_metadata: {scopegate: {scopes: [a]}}}");
    let nested = metadata("metadata: {filter_metadata: {envoy.lb: {scopegate: {scopes: [a]}}}}");
    let ignored = plugin(RULES, &format!("                    route_metadata: ignore\n{RULES}"));
    finds(&[
        (rule, listener, shipped()),
        (rule, config, in_host(own)),
        (rule, cluster, shipped()),
        (rule, matched, shipped()),
        (rule, typed, shipped()),
        (rule, nested, shipped()),
        (rule, ignored, plugin(RULES, &format!("                    route_metadata: restrict\n{RULES}"))),
    ]);
    let said =
        check(&route("route: {cluster: upstream, metadata_match: {filter_metadata: {scopegate: {scopes: [a]}}}}"));
    assert!(said.status == 1 && said.stdout.contains("metadata.filter_metadata.scopegate of the route"), "{said:?}");
}

#[test]
fn a_requirement_in_routes_that_no_gate_serves_is_named() {
    let folder = folder();
    fs::write(folder.join("listeners.yaml"), with_routes_elsewhere()).unwrap();
    let routes = |name: &str| {
        let text = format!(
            "resources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: {name}\n  virtual_hosts:\n  - name: api\n    domains: [\"*\"]\n    routes:\n    - match: {{prefix: /}}\n      route: {{cluster: upstream}}\n      metadata: {{filter_metadata: {{scopegate: {{scopes: [a]}}}}}}\n"
        );
        fs::write(folder.join("routes.yaml"), text).unwrap();
        run(&["check", "listeners.yaml", "routes.yaml"], &folder).stdout
    };
    let said = routes("other");
    assert!(said.contains("[requirement-not-read]") && said.contains("\"other\", which no gate"), "{said}");
    assert!(!routes("main").contains("requirement-not-read"));
}

#[test]
fn a_misspelt_namespace_is_an_error() {
    for name in ["scope_gate", "scopgate", "Scopegate", "envoy.filters.http.scopegate"] {
        let checked = check(&with("scopegate: {scopes: [orders:write]", &format!("{name}: {{scopes: [orders:write]")));
        assert!(checked.status == 1 && checked.stdout.contains("error[metadata-namespace]"), "{name}: {checked:?}");
    }
}

/// A listener without the gate whose routes lead here, before the clusters of the shipped file.
fn second_listener(filters: &str) -> String {
    let listener = format!(
        "  - name: second\n    address: {{socket_address: {{address: 127.0.0.1, port_value: 10080}}}}\n    filter_chains:\n    - filters:\n      - {filters}\n"
    );
    with(CLUSTERS, &format!("{listener}{CLUSTERS}"))
}

fn manager_to(route: &str) -> String {
    let prefix = "type.googleapis.com/envoy.extensions.filters";
    second_listener(&format!(
        "{{name: hcm, typed_config: {{\"@type\": {prefix}.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: s, http_filters: [{{name: r, typed_config: {{\"@type\": {prefix}.http.router.v3.Router}}}}], route_config: {{virtual_hosts: [{{name: a, domains: [\"*\"], routes: [{{match: {{prefix: /}}, {route}}}]}}]}}}}}}"
    ))
}

#[test]
fn another_way_to_a_guarded_cluster_is_named() {
    let tcp = |cluster: &str| {
        second_listener(&format!(
            "{{name: tcp, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: {cluster}}}}}"
        ))
    };
    let right = || manager_to("redirect: {https_redirect: true}");
    let weighted = "route: {weighted_clusters: {clusters: [{name: upstream, weight: 1}]}}";
    let alias = manager_to("route: {cluster: alias}").replacen(
        CLUSTERS,
        "  clusters:\n  - {name: alias, load_assignment: {cluster_name: alias, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 10001}}}}]}]}}\n",
        1,
    );
    // The same listener, with a chain for TLS that has the gate, and one in plain text that has not.
    let chain = manager_to("route: {cluster: upstream}");
    let (before, rest) = chain.split_once("  - name: second\n").unwrap();
    let chain = format!("{before}{}", rest.split_once("    filter_chains:\n").unwrap().1);
    finds(&[
        ("way-without-gate", manager_to("route: {cluster: upstream}"), right()),
        ("way-without-gate", manager_to(weighted), manager_to("route: {cluster: issuer}")),
        ("way-without-gate", manager_to("route: {cluster_header: x-cluster}"), right()),
        ("way-without-gate", manager_to("route: {cluster_specifier_plugin: a}"), right()),
        ("way-without-gate", manager_to("route: {inline_cluster_specifier_plugin: {extension: {name: a}}}"), right()),
        ("way-without-gate", alias, right()),
        ("way-without-gate", tcp("upstream"), tcp("issuer")),
        ("way-without-gate", chain, right()),
    ]);
    assert_eq!(strict(&manager_to("route: {cluster: upstream}")).status, 1);
}

#[test]
fn a_route_that_envoy_answers_itself_and_that_asks_for_a_token_is_named() {
    let rule = "answer-needs-token";
    let public = "metadata: {filter_metadata: {scopegate: {public: true}}}";
    let open = |answer: &str| route(&format!("{answer}\n                {public}"));
    let by_rule = |name: &str| {
        route("redirect: {https_redirect: true}").replacen(
            RULES,
            &format!("{RULES}                    - {{match: {{route: {name}}}, public: true}}\n"),
            1,
        )
    };
    finds(&[
        (rule, route("redirect: {https_redirect: true}"), open("redirect: {https_redirect: true}")),
        (rule, route("direct_response: {status: 200}"), open("direct_response: {status: 200}")),
        (rule, by_rule("internal"), by_rule("everything")),
        (
            rule,
            metadata("metadata: {filter_metadata: {scopegate: {scopes: [a]}}}").replacen(
                "match: {path_separated_prefix: /orders}\n                route: {cluster: upstream}",
                "match: {path_separated_prefix: /orders}\n                redirect: {path_redirect: /}",
                1,
            ),
            metadata("metadata: {filter_metadata: {scopegate: {allow_missing: true}}}").replacen(
                "match: {path_separated_prefix: /orders}\n                route: {cluster: upstream}",
                "match: {path_separated_prefix: /orders}\n                redirect: {path_redirect: /}",
                1,
            ),
        ),
    ]);
    assert_eq!(strict(&route("redirect: {https_redirect: true}")).status, 1);
}

#[test]
fn a_credential_that_leaves_the_request_is_named() {
    let log = |format: &str| with("method: \"%REQ(:METHOD)%\"", &format!("method: \"{format}\""));
    let prefix = "type.googleapis.com/envoy.extensions.access_loggers";
    let grpc = |header: &str| {
        with(
            "          - name: stdout\n",
            &format!(
                "          - name: als\n            typed_config: {{\"@type\": {prefix}.grpc.v3.HttpGrpcAccessLogConfig, additional_request_headers_to_log: [{header}]}}\n          - name: stdout\n"
            ),
        )
    };
    let otel = |format: &str| {
        with(
            "          - name: stdout\n",
            &format!(
                "          - name: otel\n            typed_config: {{\"@type\": {prefix}.open_telemetry.v3.OpenTelemetryAccessLogConfig, attributes: {{values: [{{key: a, value: {{string_value: \"{format}\"}}}}]}}}}\n          - name: stdout\n"
            ),
        )
    };
    let text = |format: &str| {
        with(
            "          - name: stdout\n",
            &format!(
                "          - name: file\n            typed_config: {{\"@type\": {prefix}.file.v3.FileAccessLog, path: /dev/null, log_format: {{text_format_source: {{inline_string: \"{format}\"}}}}}}\n          - name: stdout\n"
            ),
        )
    };
    let tag = |header: &str| {
        in_manager(&format!("tracing: {{custom_tags: [{{tag: a, request_header: {{name: {header}}}}}]}}"))
    };
    let limit = |header: &str| {
        in_host(&format!(
            "rate_limits: [{{actions: [{{request_headers: {{header_name: {header}, descriptor_key: k}}}}]}}]"
        ))
    };
    let hash = |policy: &str| route(&format!("route: {{cluster: upstream, hash_policy: [{{{policy}}}]}}"));
    let traced = |header: &str| {
        route(&format!(
            "route: {{cluster: upstream}}\n                tracing: {{custom_tags: [{{tag: a, request_header: {{name: {header}}}}}]}}"
        ))
    };
    finds(&[
        ("credential-in-log", log("%REQ(AUTHORIZATION)%"), log("%REQ(X-REQUEST-ID)%")),
        ("credential-in-log", log("%REQ(X-A?AUTHORIZATION):30%"), log("%REQ(X-A?:METHOD):30%")),
        ("credential-in-log", log("%REQ(cookie)%"), log("%PROTOCOL%")),
        ("credential-in-log", text("%REQ(:METHOD)% %REQ(authorization)%"), text("%REQ(:METHOD)%")),
        ("credential-in-log", grpc("Authorization"), grpc("x-request-id")),
        ("credential-in-log", otel("%REQ(AUTHORIZATION)%"), otel("%REQ(:METHOD)%")),
        ("credential-in-trace", tag("authorization"), tag("x-request-id")),
        ("credential-in-trace", traced("authorization"), traced("x-request-id")),
        ("credential-in-rate-limit", limit("authorization"), limit("x-tenant")),
        ("credential-in-hash", hash("header: {header_name: authorization}"), hash("header: {header_name: x-tenant}")),
        ("credential-in-hash", hash("cookie: {name: session}"), hash("cookie: {name: session, ttl: 60s}")),
    ]);
    let said = check(&hash("header: {header_name: authorization}")).stdout;
    assert!(said.contains("which the gate has removed by then"), "{said}");
    assert_eq!(strict(&log("%REQ(AUTHORIZATION)%")).status, 1);
}

#[test]
fn a_route_that_follows_redirects_inside_envoy_is_an_error_where_the_token_is_stripped() {
    let rule = "judged-twice";
    let redirect = "route: {cluster: upstream, internal_redirect_policy: {max_internal_redirects: 2}}";
    let kept = |text: &str| {
        let forward = "                    forward:\n";
        let with = format!("                    replay: {{}}\n{forward}                      token: keep\n");
        text.replacen(forward, &with, 1)
    };
    let keep = kept(&route(redirect));
    let public =
        route(&format!("{redirect}\n                metadata: {{filter_metadata: {{scopegate: {{public: true}}}}}}"));
    let respond = |policy: &str| {
        with(
            "          - name: envoy.filters.http.router\n",
            &format!(
                "          - name: c\n            typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.custom_response.v3.CustomResponse, custom_response_matcher: {{on_no_match: {{action: {{name: a, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.http.custom_response.{policy}}}}}}}}}}}\n          - name: envoy.filters.http.router\n"
            ),
        )
    };
    let asking = |requirement: &str| {
        let metadata = format!("metadata: {{filter_metadata: {{scopegate: {{{requirement}}}}}}}");
        kept(&route(&format!("{redirect}\n                {metadata}")))
    };
    finds(&[
        (rule, route(redirect), keep),
        (rule, asking("scopes: [a], single_use: true"), asking("scopes: [a], single_use: false")),
        (rule, route(redirect), public),
        (rule, respond("redirect_policy.v3.RedirectPolicy"), respond("local_response_policy.v3.LocalResponsePolicy")),
    ]);
    let checked = check(&route(redirect));
    assert!(checked.status == 1 && checked.stdout.contains("error[judged-twice]"), "{checked:?}");
}
