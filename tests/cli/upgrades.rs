//! `scopegate check`: the gate in the separate filters of upgrade requests.

use crate::check::check;
use crate::served::edit;
use crate::world::shipped;

const MANAGER: &str = "          stream_idle_timeout: 60s\n";

/// The shipped file with a gate `up`, with these settings, for requests to upgrade.
fn upgrade(own: &str, plugin: &str) -> String {
    let wasm = "\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    let gate = format!("{{name: up{own}, typed_config: {{{wasm}, config: {{root_id: scopegate{plugin}}}}}}}");
    let router =
        "{name: r, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}";
    let upgrade = format!("          upgrade_configs: [{{upgrade_type: websocket, filters: [{gate}, {router}]}}]\n");
    edit(&shipped(), MANAGER, &format!("{MANAGER}{upgrade}"))
}

#[test]
fn what_opens_the_gate_for_requests_to_upgrade_is_an_error() {
    let right = ", failure_policy: FAIL_RELOAD";
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
        ("fails-open", upgrade("", ", failure_policy: FAIL_OPEN")),
        ("fails-open", upgrade("", ", fail_open: true")),
        ("disabled", off_at_a_route),
    ] {
        let checked = check(&text);
        assert_eq!(checked.status, 1, "{rule}: {checked:?}");
        assert!(checked.stdout.contains(&format!("error[{rule}]")), "{rule}: {}", checked.stdout);
    }
}
