//! What `scopegate check` says of events that revoke.

use crate::check::check;
use crate::judgements::finds;
use crate::world::{folder, run, shipped};

const RULES: &str = "                    rules:\n";
const PLUGIN: &str = "                failure_policy: FAIL_RELOAD                # keep: never FAIL_OPEN\n";
const CORS: &str = "          - name: envoy.filters.http.cors ";
const ROUTER: &str = "          - name: envoy.filters.http.router\n";
const ROUTE_CONFIG: &str = "          route_config:\n";
const LIFETIME: &str = "                      max_lifetime: 1h\n";
const PATH: &str = "path: /.well-known/scopegate/events";
const ISSUER: &str = "issuers: {demo: {audience: gate-1}}";
const KEY: &str = "{kty: OKP, crv: Ed25519, kid: ops-1, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}";
const LIST: &str =
    "                    revocation: {lists: [{name: main, uri: \"http://a.example/l\", cluster: issuer}]}\n";

fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

fn before(text: &str, place: &str, more: &str) -> String {
    edit(text, place, &format!("{more}{place}"))
}

/// The shipped file with these members of `events`, and without what else it needs.
fn bare(members: &str) -> String {
    before(&shipped(), RULES, &format!("                    events: {{{members}}}\n"))
}

/// With what lets the gate hold bodies.
fn holding(text: &str) -> String {
    edit(text, PLUGIN, &format!("{PLUGIN}                allow_on_headers_stop_iteration: true\n"))
}

fn pushed(members: &str) -> String {
    holding(&bare(&format!("{PATH}, {members}")))
}

fn operators(more: &str) -> String {
    format!("operators: {{ops: {{audience: gate-1, signed_by: {{keys: [{KEY}]}}{more}}}}}")
}

fn polled() -> String {
    bare("issuers: {demo: {audience: gate-1, poll: {uri: 'http://127.0.0.1:10002/poll', cluster: issuer}}}")
}

/// A filter before the gate, or behind it.
fn filter(place: &str, config: &str) -> String {
    let kind = "type.googleapis.com/envoy.extensions.filters.http";
    let filter = format!("          - name: x\n            typed_config: {{\"@type\": {kind}.{config}}}\n");
    before(&pushed(ISSUER), place, &filter)
}

#[test]
fn a_gate_that_takes_events_has_to_hold_their_bodies() {
    let restricted = |text: &str, more: &str| {
        let all = format!("proxy_on_request_headers: {{}}, proxy_on_request_trailers: {{}}{more}");
        let setting = format!("                capability_restriction_config: {{allowed_capabilities: {{{all}}}}}\n");
        edit(text, PLUGIN, &format!("{PLUGIN}{setting}"))
    };
    let body = ", proxy_on_request_body: {}";
    finds(&[
        ("headers-not-held", bare(&format!("{PATH}, {ISSUER}")), pushed(ISSUER)),
        ("headers-not-held", bare(&format!("{PATH}, {ISSUER}")), polled()),
        ("stop-iteration", holding(&polled()), pushed(ISSUER)),
        ("fails-open", restricted(&pushed(ISSUER), ""), restricted(&pushed(ISSUER), body)),
    ]);
    let said = check(&bare(&format!("{PATH}, {ISSUER}")));
    assert!(said.status == 1 && said.stdout.contains("error[headers-not-held]"), "{said:?}");
    let wanted = "takes events at /.well-known/scopegate/events, whose bodies it has to read, which needs allow_on_headers_stop_iteration, \
                  and it is not set: every event would get 503 body_unreadable";
    assert!(said.stdout.contains(wanted), "{said:?}");
}

#[test]
fn a_resource_that_cannot_hold_bodies_is_told_to_poll() {
    let keys = "{issuers: [{issuer: 'https://a/', name: demo, audiences: [api], max_lifetime: 1h, jwks: {uri: 'https://a/k', cluster: a}}], events: ";
    let istio = |events: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: scopegate}}\nspec:\n  url: oci://registry.example/scopegate:1\n  phase: AUTHN\n  failStrategy: FAIL_RELOAD\n  pluginConfig: {keys}{{{events}}}}}\n"
        )
    };
    let gateway = |events: &str| {
        format!(
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {{name: scopegate}}\nspec:\n  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}}]\n  wasm:\n  - name: scopegate\n    rootID: scopegate\n    code: {{type: Image, image: {{url: registry.example/scopegate:1}}}}\n    config: {keys}{{{events}}}}}\n"
        )
    };
    let polled = "issuers: {demo: {audience: g, poll: {uri: 'https://a/poll', cluster: a}}}";
    for (text, is_wrong) in [
        (istio(&format!("{PATH}, {ISSUER}")), true),
        (gateway(&format!("{PATH}, {ISSUER}")), true),
        (istio(polled), false),
        (gateway(polled), false),
    ] {
        let folder = folder();
        std::fs::write(folder.join("a.yaml"), &text).unwrap();
        let said = run(&["check", "a.yaml"], &folder);
        assert_eq!(said.stdout.contains("error[headers-not-held]"), is_wrong, "{said:?}\n{text}");
        assert_eq!(said.stdout.contains("leave events.path out: ask issuers with poll"), is_wrong, "{said:?}");
        assert!(!is_wrong || said.stdout.contains("this resource cannot set it"), "{said:?}");
    }
}

#[test]
fn what_an_event_revokes_is_kept_for_as_long_as_tokens_are_accepted() {
    let keep = |keep: &str| pushed(&format!("issuers: {{demo: {{audience: gate-1, keep: {keep}}}}}"));
    let unlimited = |text: &str| edit(text, LIFETIME, "");
    let of_operators = |keep: &str| before(&pushed(&operators(&format!(", keep: {keep}"))), RULES, LIST);
    finds(&[
        ("events-kept-too-short", keep("1h"), pushed(ISSUER)),
        ("events-kept-too-short", keep("30m"), keep("2h")),
        ("events-kept-too-short", unlimited(&pushed(ISSUER)), pushed(ISSUER)),
        ("events-kept-too-short", of_operators("1h"), of_operators("2h")),
    ]);
    let said = check(&keep("30m")).stdout;
    let wanted = "is kept for 30 minutes, and tokens of demo are accepted for 1 hour and the leeway of 10 seconds: a revoked one may be";
    assert!(said.contains(wanted) && said.contains("events.issuers.demo"), "{said}");
    let said = check(&unlimited(&keep("30m"))).stdout;
    assert!(
        said.contains("is kept for 30 minutes, and demo has no max_lifetime: a revoked token that lives longer"),
        "{said}"
    );
    // What operators revoke is of any issuer: one without a limit says nothing of how long tokens live.
    let said = check(&unlimited(&of_operators("24h"))).stdout;
    assert!(!said.contains("events-kept-too-short"), "{said}");
}

#[test]
fn a_filter_before_the_gate_that_refuses_events_is_found() {
    let jwt_authn = |rules: &str| format!("jwt_authn.v3.JwtAuthentication, rules: [{rules}]");
    let provider = "requires: {provider_name: p}";
    let all = jwt_authn(&format!("{{match: {{prefix: /}}, {provider}}}"));
    let exempted = format!("{{match: {{path: /.well-known/scopegate/events}}}}, {{match: {{prefix: /}}, {provider}}}");
    let csrf = "csrf.v3.CsrfPolicy, filter_enabled: {default_value: {numerator: 100}}";
    let own = "            typed_per_filter_config: {x: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}\n";
    let of_a_route = |text: String| edit(&text, ROUTE_CONFIG, &format!("{ROUTE_CONFIG}{own}"));
    let rule = "events-refused-before";
    finds(&[
        (rule, filter(CORS, csrf), filter(ROUTER, csrf)),
        (rule, filter(CORS, csrf), of_a_route(filter(CORS, csrf))),
        (
            rule,
            filter(CORS, csrf),
            edit(&filter(CORS, csrf), PATH, "max_bytes: 65536").replace(
                ISSUER,
                "issuers: {demo: {audience: g, poll: {uri: 'http://127.0.0.1:10002/p', cluster: issuer}}}",
            ),
        ),
        (rule, filter(CORS, "basic_auth.v3.BasicAuth"), filter(ROUTER, "basic_auth.v3.BasicAuth")),
        (rule, filter(CORS, "api_key_auth.v3.ApiKeyAuth"), filter(CORS, "buffer.v3.Buffer")),
        (
            rule,
            filter(CORS, "oauth2.v3.OAuth2, config: {a: 1}"),
            filter(CORS, "oauth2.v3.OAuth2, config: {pass_through_matcher: [{name: authorization}]}"),
        ),
        (rule, filter(CORS, &all), filter(CORS, &jwt_authn(&exempted))),
        (rule, filter(CORS, &all), filter(CORS, &jwt_authn("{match: {prefix: /}, requires: {allow_missing: {}}}"))),
        (rule, filter(CORS, &all), filter(CORS, &jwt_authn(&format!("{{match: {{prefix: /api}}, {provider}}}")))),
    ]);
    let said = check(&filter(CORS, csrf)).stdout;
    let wanted = "comes before the gate and refuses a POST without an Origin with 403: events that are pushed to /.well-known/scopegate/events";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn what_operators_push_and_no_list_has_is_noted() {
    let noted = |text: &str| {
        let said = check(text);
        assert_eq!(said.status, 0, "{said:?}");
        said.stdout.contains("what operators push is lost when Envoy restarts")
    };
    assert!(noted(&pushed(&operators(""))));
    assert!(!noted(&before(&pushed(&operators("")), RULES, LIST)));
    assert!(!noted(&pushed(ISSUER)), "no list has what an issuer tells");
    assert!(!noted(&shipped()));
}

/// A machine in between could hold back what an issuer revokes, and acknowledge it.
#[test]
fn an_issuer_is_asked_for_events_through_a_cluster_that_is_there_and_not_in_plain_text() {
    let error = "error[events-in-plain-text]";
    let elsewhere = |text: &str| edit(text, "127.0.0.1, port_value: 10002", "192.0.2.1, port_value: 10002");
    let asked = check(&elsewhere(&polled()));
    assert!(asked.status == 1 && asked.stdout.contains(error), "{asked:?}");
    let here = check(&polled()).stdout;
    assert!(!here.contains(error), "{here}");
    let pushed = check(&elsewhere(&pushed(ISSUER))).stdout;
    assert!(!pushed.contains(error), "it is not asked: {pushed}");
    let missing = check(&edit(&polled(), "poll', cluster: issuer", "poll', cluster: nowhere")).stdout;
    assert!(missing.contains("error[cluster-missing]") && missing.contains("nowhere"), "{missing}");
}
