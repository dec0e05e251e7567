//! What the command says of what a client is asked for and can never do.

use crate::check::{check, with};
use crate::judgements::{finds, strict};
use crate::world::shipped;

const PLUGIN: &str = "                    challenge: {realm: demo}\n";

/// The shipped file whose gate asks for nonces, with this instead of the CORS policy's exposed headers.
fn with_nonces(exposed: &str) -> String {
    let dpop = "                    dpop: {origins: ['https://api.example.com'], nonce: {secret: {env: NONCES}}}\n";
    let own = "                  expose_headers: WWW-Authenticate, DPoP-Nonce, Mcp-Session-Id\n";
    with(PLUGIN, &format!("{PLUGIN}{dpop}")).replacen(own, exposed, 1)
}

#[test]
fn a_cors_policy_that_hides_nonces_is_a_warning_where_nonces_are_asked_for() {
    let exposing = |names: &str| with_nonces(&format!("                  expose_headers: {names}\n"));
    let good = || exposing("www-authenticate,DPOP-NONCE");
    let on_route = |text: &str, exposed: &str| {
        let route = "              - name: orders\n";
        assert!(text.contains(route));
        let policy = format!(
            "{route}                typed_per_filter_config: {{a: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, {exposed}}}}}\n"
        );
        text.replacen(route, &policy, 1)
    };
    finds(&[
        ("cors-hides-nonce", with_nonces(""), good()),
        ("cors-hides-nonce", exposing("DPoP-Nonce"), exposing("\"*\"")),
        ("cors-hides-nonce", exposing("WWW-Authenticate, DPoP-Nonces"), good()),
        ("cors-hides-nonce", on_route(&good(), "expose_headers: DPoP-Nonce"), on_route(&good(), "allow_methods: GET")),
        ("cors-hides-nonce", on_route(&with_nonces(""), "expose_headers: 'DPoP-Nonce, WWW-Authenticate'"), good()),
    ]);
    let hidden = check(&exposing("DPoP-Nonce")).stdout;
    assert!(hidden.contains("warning[cors-hides-nonce]") && hidden.contains("hides WWW-Authenticate from"), "{hidden}");
    let nothing = with("                  expose_headers: WWW-Authenticate, DPoP-Nonce, Mcp-Session-Id\n", "");
    assert!(!check(&nothing).stdout.contains("cors-hides-nonce"), "without nonces nothing has to be read");
}

#[test]
fn what_is_amiss_with_resources_is_a_warning() {
    let resource = |more: &str| {
        format!(
            "                    resources: [{{resource: 'https://api.example.com', authorization_servers: [demo]{more}}}]\n"
        )
    };
    let named = "                    - match: {path: /mcp}\n                      resource: https://api.example.com\n";
    let rules = "                    rules:\n";
    let of = |resources: &str, rule: &str| with(rules, &format!("{resources}{rules}{rule}"));
    let good = || of(&resource(""), named);
    let hiding = good().replacen("expose_headers: WWW-Authenticate, DPoP-Nonce", "expose_headers: DPoP-Nonce", 1);
    let in_metadata = of(&resource(""), "").replacen(
        "scopegate: {scopes: [orders:write]",
        "scopegate: {resource: 'https://api.example.com', scopes: [orders:write]",
        1,
    );
    let of_mcp = |exposed: &str| {
        let rule = format!("{named}                      mcp: {{}}\n");
        of(&resource(""), &rule).replacen("expose_headers: WWW-Authenticate, DPoP-Nonce, Mcp-Session-Id", exposed, 1)
    };
    finds(&[
        ("cors-hides-challenge", hiding, good()),
        (
            "cors-hides-challenge",
            of_mcp("expose_headers: WWW-Authenticate"),
            of_mcp("expose_headers: Mcp-Session-Id, WWW-Authenticate"),
        ),
        ("resource-not-named", of(&resource(""), ""), good()),
        ("resource-not-named", of(&resource(""), ""), in_metadata),
        ("resource-shares-audience", of(&resource(", audiences: [id, 'https://api.example.com']"), named), good()),
    ]);
}

#[test]
fn classes_of_authentication_that_a_rule_and_metadata_do_not_share_let_nothing_pass() {
    let metadata = "                    scopegate: {scopes: [orders:write], methods: {GET: {scopes: [orders:read]}}}\n";
    let of = |route_metadata: &str, rule: &str, added: &str| {
        let rules = "                    rules:\n";
        let with_rule = format!(
            "                    route_metadata: {route_metadata}\n{rules}                    - {{match: {{route: orders}}, {rule}}}\n"
        );
        with(rules, &with_rule).replacen(metadata, &format!("                    scopegate: {{{added}}}\n"), 1)
    };
    let right = || of("restrict", "acr_values: [phr, silver]", "acr_values: [gold, silver]");
    finds(&[
        ("acr-never-met", of("restrict", "acr_values: [phr]", "acr_values: [gold, silver]"), right()),
        ("acr-never-met", of("restrict", "acr_values: [phr]", "methods: {PUT: {acr_values: [gold]}}"), right()),
        (
            "acr-never-met",
            of("restrict", "acr_values: [phr]", "acr_values: [gold]"),
            of("replace", "acr_values: [phr]", "acr_values: [gold]"),
        ),
        (
            "acr-never-met",
            of("restrict", "acr_values: [phr]", "acr_values: [gold]"),
            of("restrict", "scopes: [a]", "acr_values: [gold]"),
        ),
    ]);
    let said = check(&of("restrict", "acr_values: [phr]", "methods: {PUT: {acr_values: [gold]}}")).stdout;
    assert!(
        said.contains("asks for acr_values gold, and what it restricts asks for phr: no token passes for PUT"),
        "{said}"
    );
}

#[test]
fn a_gate_that_refuses_nothing_is_a_warning() {
    let reporting = with(PLUGIN, &format!("{PLUGIN}                    report_only: true\n"));
    let judging = with(PLUGIN, &format!("{PLUGIN}                    report_only: false\n"));
    finds(&[("reports-only", reporting.clone(), judging)]);
    assert_eq!((check(&reporting).status, strict(&reporting).status), (0, 1), "{:?}", check(&reporting));
}

#[test]
fn a_redirect_to_https_that_the_gate_comes_before_is_a_warning() {
    let host = "              domains: [\"*\"]\n";
    let redirecting = |value: &str| with(host, &format!("{host}              require_tls: {value}\n"));
    let tls = "    - transport_socket: {name: t, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext}}\n      filters:\n";
    let open = |rule: &str| redirecting("ALL").replacen("default: {deny: true}", rule, 1);
    let rule = "answer-needs-token";
    finds(&[
        (rule, redirecting("ALL"), redirecting("NONE")),
        (rule, redirecting("EXTERNAL_ONLY"), redirecting("ALL").replacen("    - filters:\n", tls, 1)),
        (rule, open("default: {scopes: []}"), open("default: {public: true}")),
        (rule, open("default: {scopes: []}"), open("default: {allow_missing: true}")),
    ]);
    assert!(check(&redirecting("ALL")).stdout.contains("redirects to HTTPS what comes without TLS"));
}

#[test]
fn what_gives_every_request_a_credential_before_the_gate_is_an_error() {
    let cors = "          - name: envoy.filters.http.cors ";
    let (removal, router) =
        ("              - {remove: x-auth-subject}\n", "          - name: envoy.filters.http.router");
    let put = |before: &str, more: &str| {
        let text = shipped();
        assert!(text.contains(before), "{before:?}");
        text.replacen(before, &format!("{more}{before}"), 1)
    };
    let filter = |config: &str| {
        format!(
            "          - name: other\n            typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.{config}}}\n"
        )
    };
    let injector = |more: &str| {
        filter(&format!(
            "credential_injector.v3.CredentialInjector, credential: {{name: c, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic, credential: {{name: s}}{more}}}}}"
        ))
    };
    let mutations = |key: &str, value: &str| format!("[{{append: {{header: {{key: {key}, value: \"{value}\"}}}}}}]");
    let mutation = |key: &str, value: &str| {
        let mutations = mutations(key, value);
        filter(&format!("header_mutation.v3.HeaderMutation, mutations: {{request_mutations: {mutations}}}"))
    };
    let fixed = "Bearer abc";
    let early = |key: &str| format!("              - {{append: {{header: {{key: {key}, value: \"{fixed}\"}}}}}}\n");
    let rule = "credential-injected";
    finds(&[
        (rule, put(cors, &injector("")), put(cors, &injector(", header: x-upstream-key"))),
        (rule, put(cors, &injector(", header: Authorization")), put(router, &injector(""))),
        (rule, put(cors, &mutation("Authorization", fixed)), put(cors, &mutation("x-a", fixed))),
        (
            rule,
            put(cors, &mutation("authorization", fixed)),
            put(cors, &mutation("authorization", "Bearer %REQ(x-t)%")),
        ),
        (rule, put(removal, &early("authorization")), put(removal, &early("x-a"))),
    ]);
    assert!(check(&put(cors, &injector(""))).stdout.contains("error[credential-injected]"));
}

#[test]
fn a_filter_that_makes_tokens_of_cookies_needs_csrf_after_it() {
    let cors = "          - name: envoy.filters.http.cors ";
    let oauth2 = |forwards: &str| {
        let config = format!(
            "          - name: oauth2\n            typed_config: {{\"@type\": \
             type.googleapis.com/envoy.extensions.filters.http.oauth2.v3.OAuth2, config: {{forward_bearer_token: {forwards}}}}}\n"
        );
        let text = shipped();
        assert!(text.contains(cors));
        text.replacen(cors, &format!("{config}{cors}"), 1)
    };
    let csrf = "csrf: {origins: [https://app.example.com]}";
    let met = oauth2("true").replace("scopegate: {scopes", &format!("scopegate: {{{csrf}, scopes")).replace(
        "                      scopes: ",
        &format!("                      {csrf}\n                      scopes: "),
    );
    finds(&[("csrf-missing", oauth2("true"), met), ("csrf-missing", oauth2("true"), oauth2("false"))]);
    assert!(check(&oauth2("true")).stdout.contains("error[csrf-missing]"));
    let matched = |forwards: &str| {
        let (with_matcher, own) = (
            "{\"@type\": type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher, extension_config: {name: o, typed_config: ",
            "typed_config: ",
        );
        let config = oauth2(forwards);
        let end = format!("forward_bearer_token: {forwards}}}}}");
        let at = config.find("name: oauth2").unwrap();
        let (before, rest) = config.split_at(at);
        let rest = rest.replacen(own, &format!("{own}{with_matcher}"), 1).replacen(&end, &format!("{end}}}}}"), 1);
        format!("{before}{rest}")
    };
    finds(&[("csrf-missing", matched("true"), matched("false"))]);
}
