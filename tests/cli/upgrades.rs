//! `scopegate check`: the gate in the separate filters of upgrade requests.

use crate::check::check;
use crate::served::{edit, strict};
use crate::world::shipped;

const MANAGER: &str = "          stream_idle_timeout: 60s\n";

/// A configuration of a gate, as a part of its plugin.
pub fn configured(members: &str) -> String {
    let issuer = "{issuer: 'https://b/', audiences: [b], jwks: {uri: 'http://127.0.0.1:10002/k', cluster: issuer}}";
    let kind = "\"@type\": type.googleapis.com/google.protobuf.Struct";
    format!(
        ", root_id: scopegate, failure_policy: FAIL_RELOAD, configuration: {{{kind}, value: {{issuers: [{issuer}]{members}}}}}"
    )
}

/// The shipped file with a gate `up`, with these settings, for requests to upgrade.
fn upgrade(own: &str, plugin: &str) -> String {
    let wasm = "\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    let gate = format!("{{name: up{own}, typed_config: {{{wasm}, config: {{name: up{plugin}}}}}}}");
    let router =
        "{name: r, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}";
    let upgrade = format!("          upgrade_configs: [{{upgrade_type: websocket, filters: [{gate}, {router}]}}]\n");
    edit(&shipped(), MANAGER, &format!("{MANAGER}{upgrade}"))
}

#[test]
fn what_opens_the_gate_for_requests_to_upgrade_is_an_error() {
    let right = &*configured("");
    let open = |instead: &str| right.replace(", failure_policy: FAIL_RELOAD", instead);
    let off = "up: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}";
    let checked = check(&upgrade("", right));
    assert_eq!(checked.status, 0, "{checked:?}");
    let off_at_a_route = edit(
        &upgrade("", right),
        "              typed_per_filter_config:\n",
        &format!("              typed_per_filter_config:\n                {off}\n"),
    );
    for (rule, text) in [
        ("disabled", upgrade(", disabled: true", right)),
        ("optional", upgrade(", is_optional: true", right)),
        ("fails-open", upgrade("", &open(", failure_policy: FAIL_OPEN"))),
        ("fails-open", upgrade("", &open(", fail_open: true"))),
        ("disabled", off_at_a_route),
    ] {
        let checked = check(&text);
        assert_eq!(checked.status, 1, "{rule}: {checked:?}");
        assert!(checked.stdout.contains(&format!("error[{rule}]")), "{rule}: {}", checked.stdout);
    }
}

/// Envoy makes it anew, so what the other gate is told does not hold for it.
#[test]
fn a_gate_for_requests_to_upgrade_is_checked_by_its_own_configuration() {
    let clean = strict(&upgrade("", &configured("")));
    assert_eq!((clean.status, clean.stdout.trim()), (0, "no problems found"));
    let kept = ", forward: {token: keep}, default: {deny: true}";
    let by_header = |text: &str| {
        edit(text, "match: {prefix: /}", "match: {prefix: /, headers: [{name: authorization, present_match: true}]}")
    };
    for (rule, words, text) in [
        ("configuration", "", upgrade("", ", root_id: scopegate, failure_policy: FAIL_RELOAD")),
        ("configuration", "is not a field", upgrade("", &configured(", defualt: {}"))),
        ("cluster-missing", "nowhere", upgrade("", &configured("").replace("cluster: issuer", "cluster: nowhere"))),
        ("matcher-on-edited-header", "authorization", by_header(&upgrade("", &configured("")))),
    ] {
        let checked = check(&text);
        let line = checked.stdout.lines().find(|line| line.contains(&format!("error[{rule}]")));
        assert!(checked.status == 1 && line.is_some_and(|line| line.contains(words)), "{rule}: {checked:?}");
    }
    // That the other gate edits nothing helps, if this one edits nothing either.
    let both_keep = |own: &str| {
        let shipped = upgrade("", &configured(own));
        by_header(&edit(&shipped, "headers: {x-auth-subject: sub, x-auth-scope: scope}", "token: keep"))
    };
    let of_header = |text: &str| check(text).stdout.contains("matcher-on-edited-header");
    assert_eq!([both_keep(kept), both_keep("")].map(|text| of_header(&text)), [false, true]);
}
