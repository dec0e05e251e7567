//! `scopegate check`: filters before the gate that read what only the gate can vouch for.

use crate::check::check;
use crate::served::{before_gate, behind_gate, by_router, edit, filter, found};
use crate::world::shipped;

const RULE: &str = "reads-before-gate";

/// An rbac filter that lets a principal through.
fn rbac(principal: &str) -> String {
    let policy = format!("{{permissions: [{{any: true}}], principals: [{principal}]}}");
    filter("claims", "rbac.v3.RBAC", &format!(", rules: {{action: ALLOW, policies: {{one: {policy}}}}}"))
}

fn by_header(name: &str) -> String {
    rbac(&format!("{{header: {{name: {name}, string_match: {{exact: alice}}}}}}"))
}

#[test]
fn what_the_gate_sets_is_read_after_it() {
    let by_state = rbac("{filter_state: {key: wasm.scopegate.subject, string_match: {exact: alice}}}");
    let asking = filter(
        "asking",
        "ext_authz.v3.ExtAuthz",
        ", http_service: {server_uri: {uri: \"http://127.0.0.1:10001\", cluster: upstream, timeout: 1s}}, allowed_headers: {patterns: [{exact: X-Auth-Scope}]}",
    );
    let rule = "{header: x-auth-subject, on_header_present: {metadata_namespace: a, key: b}}";
    let to_metadata = filter("metadata", "header_to_metadata.v3.Config", &format!(", request_rules: [{rule}]"));
    let limits = "rate_limits: [{actions: [{request_headers: {header_name: x-auth-subject, descriptor_key: s}}]}]";
    let limit = filter("limit", "local_ratelimit.v3.LocalRateLimit", &format!(", stat_prefix: l, {limits}"));
    let reads = |words: &'static str, filter: &str| {
        (RULE, words, before_gate(&shipped(), filter), behind_gate(&shipped(), filter))
    };
    found(&[
        reads(
            "rbac stands before the gate and reads x-auth-subject, which is not there yet",
            &by_header("x-auth-subject"),
        ),
        reads("ext_authz stands before the gate and reads x-auth-scope", &asking),
        reads("header_to_metadata stands before the gate and reads x-auth-subject", &to_metadata),
        reads("local_ratelimit stands before the gate and reads x-auth-subject", &limit),
    ]);
    let router = by_router();
    found(&[(
        RULE,
        "reads wasm.scopegate, which is not there yet",
        before_gate(&router, &by_state),
        behind_gate(&router, &by_state),
    )]);
}

#[test]
fn a_header_that_is_not_removed_at_once_is_one_that_any_client_can_write() {
    let open = edit(&shipped(), "              - {remove: x-auth-subject}\n", "");
    let checked = check(&before_gate(&open, &by_header("x-auth-subject")));
    let wanted = "error[reads-before-gate]";
    let line = checked.stdout.lines().find(|line| line.contains(wanted)).unwrap_or_else(|| panic!("{checked:?}"));
    assert!(line.contains("reads x-auth-subject, which any client can write; put it after the gate"), "{line}");
    // Another header is anyone's, and to remove one is not to read it.
    assert!(!check(&before_gate(&open, &by_header("x-tenant"))).stdout.contains(wanted));
    let removes = filter(
        "m",
        "header_mutation.v3.HeaderMutation",
        ", mutations: {request_mutations: [{remove: x-auth-subject}]}",
    );
    assert!(!check(&before_gate(&open, &removes)).stdout.contains(wanted));
}

#[test]
fn the_rate_limits_of_routes_are_read_where_their_filter_stands() {
    let limits = "rate_limits: [{actions: [{request_headers: {header_name: x-auth-subject, descriptor_key: s}}]}]";
    let with_limits =
        edit(&shipped(), "route: {cluster: upstream}", &format!("route: {{cluster: upstream, {limits}}}"));
    let filter = filter("limit", "local_ratelimit.v3.LocalRateLimit", ", stat_prefix: l");
    found(&[(
        RULE,
        "is for local_ratelimit, which stands before the gate, and reads x-auth-subject, which is not there yet",
        before_gate(&with_limits, &filter),
        behind_gate(&with_limits, &filter),
    )]);
}

#[test]
fn an_access_log_prints_an_identity_header_where_no_client_can_write_it() {
    let path = "                  path: ";
    let printing =
        |text: &str| edit(text, path, &format!("                  tenant: \"%REQ(X-AUTH-SUBJECT)%\"\n{path}"));
    let warning = "warning[unverified-in-log]";
    assert!(!check(&printing(&shipped())).stdout.contains(warning));
    let open = edit(&shipped(), "              - {remove: x-auth-subject}\n", "");
    assert!(!check(&open).stdout.contains(warning));
    let checked = check(&printing(&open));
    assert!(
        checked.stdout.contains(&format!("{warning}: ")) && checked.stdout.contains("prints x-auth-subject, "),
        "{checked:?}"
    );
}

#[test]
fn an_rbac_filter_that_reads_a_claim_is_no_seal() {
    let router = by_router();
    let by_state = rbac("{filter_state: {key: wasm.scopegate.subject, string_match: {exact: alice}}}");
    let checked = check(&behind_gate(&router, &by_state));
    assert!(!checked.stdout.contains("error[seal]"), "{checked:?}");
    let judged = rbac("{filter_state: {key: wasm.scopegate.route_name, string_match: {exact: orders}}}");
    let checked = check(&behind_gate(&router, &judged));
    assert!(checked.stdout.contains("error[seal]"), "{checked:?}");
}
