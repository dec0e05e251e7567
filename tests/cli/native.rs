//! The native module in Envoy's files: it is a gate as the Wasm module is, with what is different about it.

use crate::check::check;
use crate::world::{folder, run};
use std::fs;

const FILTER: &str = "          - name: scopegate\n            typed_config:\n";
const ROUTER: &str = "          - name: envoy.filters.http.router\n";
const NAME: &str = "                name: scopegate                            # libscopegate.so; never a remote module, which opens the gate\n";
const ORDERS: &str = "                route: {cluster: upstream}\n                # What a route needs";
const INTERNAL: &str = "                match: {path_separated_prefix: /internal}\n";
const HOST: &str = "              domains: [\"*\"]\n              typed_per_filter_config:\n";
const ROUTE_CONFIG: &str = "          route_config:\n";
const FORWARD: &str = "                  challenge: {realm: demo}\n";
const RULES: &str = "                  rules:\n";
const PER_ROUTE: &str =
    "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute";
const OFF: &str = "scopegate: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}";

fn native() -> String {
    fs::read_to_string("envoy/native.yaml").unwrap()
}

/// The shipped file with one edit.
fn with(from: &str, to: &str) -> String {
    let text = native();
    assert!(text.contains(from), "{from:?} is not in the shipped file");
    text.replacen(from, to, 1)
}

fn before(place: &str, added: &str) -> String {
    with(place, &format!("{added}{place}"))
}

fn after(place: &str, added: &str) -> String {
    with(place, &format!("{place}{added}"))
}

/// A member of `typed_per_filter_config` with this requirement.
fn asking(name: &str, module: &str, requirement: &str) -> String {
    format!(
        "{name}: {{\"@type\": {PER_ROUTE}, dynamic_module_config: {{name: {module}}}, per_route_config_name: a, filter_config: \
         {{\"@type\": type.googleapis.com/google.protobuf.Struct, value: {requirement}}}}}"
    )
}

/// The route `internal` with these settings.
fn internal(settings: &str) -> String {
    after(INTERNAL, &format!("                typed_per_filter_config: {{{settings}}}\n"))
}

fn metadata(requirement: &str) -> String {
    format!("                metadata: {{filter_metadata: {{scopegate: {requirement}}}}}\n")
}

fn indented(lines: &str, by: &str) -> String {
    format!("{by}{}\n", lines.trim_end().replace('\n', &format!("\n{by}")))
}

/// A filter of another kind behind the gate.
fn behind(name: &str, more: &str) -> String {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{name}");
    before(ROUTER, &format!("          - {{name: x, typed_config: {{\"@type\": {kind}{more}}}}}\n"))
}

fn lines(text: &str) -> Vec<String> {
    let checked = check(text);
    assert!(checked.stderr.is_empty(), "{checked:?}");
    let is_line = |line: &&str| line.contains("error[") || line.contains("warning[") && !line.contains("[no-sandbox]");
    checked.stdout.lines().filter(is_line).map(str::to_owned).collect()
}

#[test]
fn the_shipped_file_with_the_native_module_has_no_sandbox_and_no_other_problem() {
    let checked = check(&native());
    assert_eq!(checked.status, 0, "{checked:?}");
    assert!(checked.stdout.ends_with("\n0 errors, 1 warning\n"), "{}", checked.stdout);
    let first = checked.stdout.lines().next().unwrap();
    assert!(first.starts_with("envoy.yaml:79:13: warning[no-sandbox]") && first.contains("experimental"), "{first}");
}

#[test]
fn ways_round_the_gate_are_errors_as_with_wasm() {
    let skip = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter";
    let matched = |text: String| {
        let (head, rest) = text.split_once(FILTER).map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let (own, tail) = rest.split_once(ROUTER).unwrap();
        let own = indented(own, "    ");
        format!(
            "{head}          - name: scopegate\n            typed_config:\n              \"@type\": \
             type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher\n              xds_matcher: \
             {{on_no_match: {{action: {{name: x, typed_config: {{\"@type\": type.googleapis.com/{skip}}}}}}}}}\n              \
             extension_config:\n                name: scopegate\n                typed_config:\n{own}{ROUTER}{tail}"
        )
    };
    let per_filter = |entry: &str| format!("            typed_per_filter_config: {{{entry}}}\n");
    let upgrade = "          upgrade_configs: [{upgrade_type: websocket, filters: [{name: r, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}]\n";
    let buffer = "\"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer";
    let fetched = {
        let text = native();
        let (head, rest) = text.split_once(FILTER).unwrap();
        let (own, tail) = rest.split_once(ROUTER).unwrap();
        (
            format!(
                "{head}          - name: scopegate\n            config_discovery: {{config_source: {{ads: {{}}}}, \
                 default_config: {{{buffer}}}}}\n{ROUTER}{tail}"
            ),
            format!(
                "resources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: scopegate\n  \
                 typed_config:\n{own}"
            ),
        )
    };
    for (rule, text) in [
        (
            "disabled",
            with(FILTER, "          - name: scopegate\n            disabled: true\n            typed_config:\n"),
        ),
        ("disabled", internal(OFF)),
        ("disabled", after(HOST, &format!("                {OFF}\n"))),
        ("disabled", after(ROUTE_CONFIG, &per_filter(OFF))),
        ("disabled", matched(native())),
        (
            "optional",
            with(FILTER, "          - name: scopegate\n            is_optional: true\n            typed_config:\n"),
        ),
        ("upgrade-without-gate", before("          access_log:\n", upgrade)),
        ("edits-after", behind("lua.v3.Lua", "")),
        ("edits-after", behind("header_mutation.v3.HeaderMutation", "")),
        (
            "judged-twice",
            with("route: {cluster: upstream}", "route: {cluster: upstream, internal_redirect_policy: {}}"),
        ),
        ("cluster-missing", with("cluster: issuer}", "cluster: isuer}")),
        ("unknown-field", with("filter_name: scopegate", "filter_nam: scopegate")),
        ("unknown-field", with("per_route_config_name", "per_route_name")),
        ("configuration", with("audiences: [https", "audience: [https")),
        ("metadata", with("value: {scopes: [orders:write]", "value: {scope: [orders:write]")),
    ] {
        let found = lines(&text);
        assert!(found.iter().any(|line| line.contains(&format!("error[{rule}]"))), "{rule}: {found:?}");
    }
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), fetched.0).unwrap();
    fs::write(folder.join("filters.yaml"), fetched.1).unwrap();
    let checked = run(&["check", "envoy.yaml", "filters.yaml"], &folder);
    assert!(checked.stdout.contains("error[fails-open]"), "the filter that stands in is no gate: {checked:?}");
    assert!(checked.stdout.contains("filters.yaml:") && checked.stdout.contains("[no-sandbox]"), "{checked:?}");
    let second = "  - name: side\n    address: {socket_address: {address: 127.0.0.1, port_value: 10009}}\n    filter_chains: [{filters: [{name: t, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: upstream}}]}]\n\n";
    for (rule, text) in [
        ("way-without-gate", before("  clusters:\n", second)),
        ("may-edit-after", behind("wasm.v3.Wasm", ", config: {root_id: other}")),
        ("answer-needs-token", with("route: {cluster: upstream}", "direct_response: {status: 204}")),
        ("no-cors-before", with("http.cors.v3.Cors\n", "http.buffer.v3.Buffer\n")),
        ("paths-not-normalised", with("normalize_path: true", "normalize_path: false")),
    ] {
        let found = lines(&text);
        assert!(found.iter().any(|line| line.contains(&format!("warning[{rule}]"))), "{rule}: {found:?}");
    }
}

#[test]
fn what_only_the_native_module_gets_wrong_is_an_error_with_its_reason() {
    let remote = "                module: {remote: {http_uri: {uri: https://files.example.com/libscopegate.so, cluster: upstream, timeout: 5s}, sha256: a}}\n";
    for (rule, text, words) in [
        ("fails-open", with(NAME, remote), "Envoy goes on without the filter"),
        ("fails-open", after(NAME, remote), "Envoy goes on without the filter"),
        (
            "requirement-not-read",
            after(
                "            - name: api\n",
                "              metadata: {filter_metadata: {scopegate: {public: true}}}\n",
            ),
            "of which a native module sees nothing; write it as DynamicModuleFilterPerRoute",
        ),
        ("requirement-not-read", after(INTERNAL, &metadata("{}")), "is an empty requirement in metadata"),
        (
            "metadata",
            after(INTERNAL, &metadata("{scopes: [a], methods: {GET: {}}}")),
            "methods: holds an object or null",
        ),
        ("metadata", after(INTERNAL, &metadata("{scopes: {any_of: [a]}}")), "scopes: holds an object or null"),
        (
            "metadata",
            after(INTERNAL, &metadata("{claims: [{claim: a, equals: b}]}")),
            "claims: holds an object or null",
        ),
        (
            "metadata",
            before(ORDERS, &metadata("{scopes: [a]}")),
            "beside a configuration of the native module for the route",
        ),
        (
            "metadata",
            after(HOST, &format!("                {}\n", asking("scopegate", "scopegate", "{scopes: [a]}"))).replacen(
                INTERNAL,
                &format!("{INTERNAL}{}", metadata("{scopes: [b]}")),
                1,
            ),
            "beside a configuration of the native module for the route",
        ),
        (
            "metadata",
            after(HOST, &format!("                {}\n", asking("scopegate", "scopegate", "{scope: [a]}"))),
            "did you mean `scopes`?",
        ),
        (
            "metadata",
            internal(&format!("scopegate: {{\"@type\": {PER_ROUTE}, dynamic_module_config: {{name: scopegate}}}}")),
            "has no filter_config",
        ),
        ("per-route-configuration", internal(&asking("gate", "scopegate", "{scopes: [a]}")), "under another name"),
        (
            "per-route-configuration",
            internal(&asking("scopegate", "other", "{scopes: [a]}")),
            "is no configuration of the native module",
        ),
        (
            "per-route-configuration",
            internal(
                "scopegate: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute, buffer: {max_request_bytes: 9}}",
            ),
            "is no configuration of the native module",
        ),
        (
            "not-in-native-module",
            before(FORWARD, "                  audit: {record: object}\n"),
            "audit.record: cannot be had in a native module",
        ),
        (
            "not-in-native-module",
            before(FORWARD, "                  crypto: host\n"),
            "crypto: cannot be had in a native module",
        ),
    ] {
        let found = lines(&text);
        let [line] = found.as_slice() else { panic!("{rule}: {words}: {found:?}") };
        assert!(line.contains(&format!("error[{rule}]")) && line.contains(words), "{rule}: {words}: {line}");
    }
}

#[test]
fn what_is_right_with_the_native_module_is_not_blamed() {
    let local = "                module: {local: {filename: /opt/libscopegate-1.so}}\n";
    let mcp = "                  - {match: {path: /mcp}, mcp: {hold_headers: true, session: {keys: [{env: A}]}, lists: granted}}\n";
    let matcher = "match: {prefix: /, headers: [{name: x-auth-subject, present_match: true}]}";
    for (name, text) in [
        ("a file", with(NAME, local)),
        ("no do_not_close", with("name: scopegate}", "name: scopegate, do_not_close: true}")),
        ("metadata without objects", after(INTERNAL, &metadata("{scopes: [a], issuers: [demo], public: false}"))),
        (
            "a virtual host",
            after(HOST, &format!("                {}\n", asking("scopegate", "scopegate", "{scopes: [a]}"))),
        ),
        ("a message that waits", after(RULES, mcp)),
        // Envoy matches nothing again for a dynamic module.
        ("a header that is edited", with("match: {prefix: /}", matcher)),
        (
            "in a FilterConfig",
            internal(&format!(
                "scopegate: {{\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, config: {}}}",
                asking("a", "scopegate", "{scopes: [a]}").trim_start_matches("a: ")
            )),
        ),
    ] {
        assert_eq!(lines(&text), [""; 0], "{name}");
    }
}

#[test]
fn the_configuration_is_read_in_every_form_that_the_module_takes() {
    let string = "\"@type\": type.googleapis.com/google.protobuf.StringValue, value: '{\"scope\": [\"a\"]}'";
    let bytes = "\"@type\": type.googleapis.com/google.protobuf.BytesValue, value: eyJzY29wZSI6IFsiYSJdfQ==";
    let structure = "\"@type\": type.googleapis.com/google.protobuf.Struct, value: {scope: [a]}";
    for form in [string, bytes, structure] {
        let entry = format!(
            "scopegate: {{\"@type\": {PER_ROUTE}, dynamic_module_config: {{name: scopegate}}, filter_config: {{{form}}}}}"
        );
        let found = lines(&internal(&entry));
        let [line] = found.as_slice() else { panic!("{form}: {found:?}") };
        assert!(line.contains("error[metadata]") && line.contains("did you mean `scopes`?"), "{form}: {line}");
        let own = native();
        let (head, rest) = own.split_once("              filter_config:\n").unwrap();
        let (_, tail) = rest.split_once(ROUTER).unwrap();
        let found = lines(&format!("{head}              filter_config: {{{form}}}\n{ROUTER}{tail}"));
        assert!(
            found.iter().any(|line| line.contains("error[configuration]") && line.contains("scope")),
            "{form}: {found:?}"
        );
    }
}

#[test]
fn a_typed_struct_is_the_filter_that_it_describes() {
    let kind = "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";
    let own = native();
    let (head, rest) = own.split_once(FILTER).unwrap();
    let (message, tail) = rest.split_once(ROUTER).unwrap();
    let (_, message) = message.split_once('\n').unwrap();
    let message = indented(message, "  ");
    let text = |message: &str| {
        format!(
            "{head}{FILTER}              \"@type\": type.googleapis.com/xds.type.v3.TypedStruct\n              type_url: {kind}\n              \
             value:\n{message}{ROUTER}{tail}"
        )
    };
    assert_eq!(lines(&text(&message)), [""; 0]);
    let found = lines(&text(&message.replacen("audiences:", "audience:", 1)));
    assert!(found.iter().any(|line| line.contains("error[configuration]")), "{found:?}");
}

#[test]
fn another_dynamic_module_is_another_filter() {
    let other = with("                name: scopegate  ", "                name: coraza  ");
    let checked = check(&other);
    assert_eq!(checked.status, 2, "{checked:?}");
    assert!(checked.stderr.contains("or a dynamic module of that name"), "{checked:?}");
    let file = "                module: {local: {filename: /opt/scopegate/libcoraza.so}}\n";
    assert_eq!(check(&with(NAME, file)).status, 2, "a folder does not make it ours");
}

#[test]
fn a_requirement_for_the_native_module_beside_the_wasm_module_is_read_by_nothing() {
    let text = crate::check::with(
        "              - name: internal\n",
        &format!(
            "              - name: extra\n                match: {{path: /extra}}\n                route: {{cluster: upstream}}\n                typed_per_filter_config: {{{}}}\n              - name: internal\n",
            asking("scopegate", "scopegate", "{scopes: [a]}")
        ),
    );
    let found = check(&text).stdout;
    assert!(found.contains("error[per-route-configuration]") && found.contains("nothing reads it"), "{found}");
}

#[test]
fn routes_in_a_file_of_their_own_are_read_as_the_native_module_reads_them() {
    let folder = folder();
    let routes = |settings: &str| {
        let text = format!(
            "resources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: main\n  virtual_hosts:\n  - name: api\n    domains: [\"*\"]\n    metadata: {{filter_metadata: {{scopegate: {{public: true}}}}}}\n    routes:\n    - {{name: a, match: {{prefix: /}}, route: {{cluster: up}}, {settings}}}\n"
        );
        fs::write(folder.join("routes.yaml"), text).unwrap();
    };
    routes(&format!("typed_per_filter_config: {{{}}}", asking("scopegate", "scopegate", "{scope: [a]}")));
    let listener = native();
    let (before, rest) = listener.split_once("          route_config:\n").unwrap();
    let (_, clusters) = rest.split_once("  clusters:\n").unwrap();
    let rds = "rds: {route_config_name: main, config_source: {path_config_source: {path: routes.yaml}}}";
    fs::write(folder.join("envoy.yaml"), format!("{before}          {rds}\n\n  clusters:\n{clusters}")).unwrap();
    let plugin = "issuers: [{issuer: https://a/, audiences: [b], jwks: {uri: 'https://a/keys', cluster: a}}]\n";
    fs::write(folder.join("scopegate.yaml"), plugin).unwrap();
    for more in [&[][..], &["--gate", "envoy.yaml"], &["--gate", "scopegate.yaml"]] {
        let found = run(&[&["check", "routes.yaml"], more].concat(), &folder).stdout;
        assert!(
            found.contains("error[metadata]") && found.contains("error[requirement-not-read]"),
            "{more:?}: {found}"
        );
    }
}

#[test]
fn a_policy_of_envoy_gateway_may_have_the_native_module() {
    let shipped = fs::read_to_string("envoy/gateway/native.yaml").unwrap();
    let edited = |from: &str, to: &str| {
        assert!(shipped.contains(from), "{from}");
        lines(&shipped.replacen(from, to, 1))
    };
    assert_eq!(lines(&shipped), [""; 0]);
    for (from, to, rule, words) in [
        ("type: Local ", "type: Remote ", "fails-open", "Envoy goes on without the filter"),
        ("audiences:", "audience:", "configuration", "did you mean `audiences`?"),
        ("challenge: {realm: example}", "audit: {record: object}", "not-in-native-module", "audit.record"),
    ] {
        let found = edited(from, to);
        let is_it = |line: &String| line.contains(&format!("error[{rule}]")) && line.contains(words);
        assert!(found.iter().any(is_it), "{rule}: {found:?}");
    }
    let refused = check(
        &shipped.replace("- name: scopegate\n", "- name: coraza\n").replace("- name: scopegate  ", "- name: coraza  "),
    );
    assert!(refused.status == 2 && refused.stderr.contains("no dynamic module of that name"), "{refused:?}");
}

#[test]
fn every_command_that_reads_envoys_files_takes_the_native_module() {
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), native()).unwrap();
    let explained = run(&["explain", "envoy.yaml", "--request", "POST /orders/1"], &folder);
    let text = explained.stdout + &explained.stderr;
    assert!(text.contains("401") && text.contains("metadata of route orders"), "{text}");
    let matrix = run(&["matrix", "envoy.yaml"], &folder).stdout;
    assert!(matrix.contains("route orders (api)") && matrix.contains("orders:write"), "{matrix}");
    let suite = "config: envoy.yaml\ncases:\n- name: no token\n  request: {method: POST, path: /orders/1}\n  expect: {status: 401, reason: no_credential}\n";
    fs::write(folder.join("cases.yaml"), suite).unwrap();
    let tested = run(&["test", "cases.yaml"], &folder);
    assert_eq!(tested.status, 0, "{tested:?}");
    fs::write(folder.join("envoy.yaml"), before(ORDERS, &metadata("{scopes: [a]}"))).unwrap();
    let refused = run(&["explain", "envoy.yaml", "--request", "GET /orders/1"], &folder);
    let text = refused.stdout + &refused.stderr;
    assert!(text.contains("500") && text.contains("cannot be read"), "{text}");
}
