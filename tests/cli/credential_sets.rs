//! What `scopegate check` says of sets of credentials.

use crate::check::check;
use crate::judgements::finds;
use crate::served::by_router;
use crate::world::shipped;
use std::time::{SystemTime, UNIX_EPOCH};

const RULES: &str = "                    rules:\n";
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

/// A file with a set of one identity, `i`, of these members, and a rule that asks this.
fn with_set(file: &str, identity: &str, asks: &str) -> String {
    let set = format!(
        "                    credentials:\n                    - name: partners\n                      api_key: {{header: x-kiosk}}\n                      identities: [{{id: i, secrets: [{{sha256: {DIGEST}}}], {identity}}}]\n"
    );
    edit(file, RULES, &format!("{set}{RULES}                    - {{match: {{path: /k}}, {asks}}}\n"))
}

/// The shipped file with a set that is used well.
fn good(identity: &str) -> String {
    let file =
        with_set(&shipped(), identity, "credentials: partners, scopes: [a], claims: [{claim: plan, equals: gold}]");
    edit(&file, "x-auth-scope: scope}", "x-auth-scope: scope, x-auth-credential: credential}")
}

const GOLD: &str = "scopes: [a, b], claims: {plan: gold}";

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

#[test]
fn a_set_that_is_used_well_has_no_problems() {
    for file in [good(GOLD), good(&format!("{GOLD}, expires: {}", now() + 31 * 86_400))] {
        let checked = check(&file);
        let unforgiven: Vec<&str> =
            checked.stdout.lines().filter(|line| line.contains("warning[") || line.contains("error[")).collect();
        // The headers of the set are not among those that the file removes before the first match.
        assert!(
            unforgiven.iter().all(|line| line.contains("early-removal") || line.contains("x-auth-credential")),
            "{}",
            checked.stdout
        );
    }
}

#[test]
fn what_is_of_no_use_or_ends_soon_is_named() {
    let ending = |seconds: i64| good(&format!("{GOLD}, expires: {}", now() + seconds));
    let unused = with_set(&shipped(), GOLD, "scopes: [a]");
    finds(&[
        ("unused-credentials", unused, good(GOLD)),
        ("identity-passes-nowhere", good("scopes: [b], claims: {plan: gold}"), good(GOLD)),
        ("identity-passes-nowhere", good("scopes: [a], claims: {plan: silver}"), good("scopes: [b], disabled: true")),
        (
            "identity-passes-nowhere",
            with_set(&shipped(), "scopes: [b]", "credentials: {all_of: [partners, bearer]}, scopes: [a]"),
            with_set(&shipped(), "scopes: [b]", "credentials: {all_of: [bearer, partners]}, scopes: [a]"),
        ),
        ("credential-expires", ending(29 * 86_400), ending(31 * 86_400)),
        ("credential-expires", ending(-1), good(&format!("{GOLD}, expires: 5, disabled: true"))),
        (
            "credential-expires",
            edit(&good(GOLD), &format!("sha256: {DIGEST}"), &format!("sha256: {DIGEST}, expires: {}", now() + 60)),
            good(GOLD),
        ),
    ]);
}

#[test]
fn a_subject_of_several_sources_needs_the_source_beside_it() {
    let alone = with_set(&shipped(), GOLD, "credentials: partners");
    finds(&[
        ("subject-of-several-sources", alone.clone(), good(GOLD)),
        ("subject-of-several-sources", alone.clone(), edit(&alone, "x-auth-subject: sub, ", "")),
    ]);
}

#[test]
fn keys_are_not_sent_in_plain_text_matched_on_or_logged() {
    let listener = "    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}";
    let open = edit(&good(GOLD), listener, &listener.replace("127.0.0.1", "0.0.0.0"));
    let chain = "    - filters:\n";
    let tls = "    - transport_socket: {name: tls, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: {tls_certificates: []}}}\n      filters:\n";
    let without_set = edit(&shipped(), listener, &listener.replace("127.0.0.1", "0.0.0.0"));
    let log = |text: &str, header: &str| edit(text, "%REQ(X-REQUEST-ID)%", &format!("%REQ({header})%"));
    let matched = |text: &str, header: &str| {
        edit(
            text,
            "match: {prefix: /}",
            &format!("match: {{prefix: /, headers: [{{name: {header}, present_match: true}}]}}"),
        )
    };
    finds(&[
        ("api-keys-in-plain-text", open.clone(), edit(&open, chain, tls)),
        ("api-keys-in-plain-text", edit(&open, "api_key: {header: x-kiosk}", "basic: {}"), edit(&open, chain, tls)),
        ("api-keys-in-plain-text", open, without_set),
        ("credential-in-log", log(&good(GOLD), "X-Kiosk"), log(&shipped(), "X-Kiosk")),
        ("matcher-on-edited-header", matched(&good(GOLD), "x-kiosk"), matched(&shipped(), "x-kiosk")),
    ]);
    let said = check(&log(&good(GOLD), "X-Kiosk")).stdout;
    assert!(said.contains("error[credential-in-log]"), "{said}");
    let kept = edit(
        &good(GOLD),
        "                    forward:\n",
        "                    forward:\n                      token: keep\n",
    );
    finds(&[("matcher-on-edited-header", matched(&kept, "x-kiosk"), matched(&shipped(), "x-kiosk"))]);
}

#[test]
fn the_router_removes_keys_where_it_edits() {
    let file = with_set(&by_router(), GOLD, "credentials: partners");
    let said = check(&file).stdout;
    assert!(
        said.contains("error[router-edits]") && said.contains("the router sends x-kiosk on, with the credential in it"),
        "{said}"
    );
    let removed = edit(&file, "[authorization, x-auth-subject", "[authorization, x-kiosk, x-auth-subject");
    assert!(!check(&removed).stdout.contains("x-kiosk"), "{}", check(&removed).stdout);
}

#[test]
fn tokens_in_other_places_are_not_matched_on_or_logged() {
    let issuer = "                    - issuer: ";
    let with = |members: &str| {
        let file = shipped();
        let at = file.find(issuer).expect("an issuer");
        let line = file[at..].find('\n').expect("a line") + at + 1;
        format!("{}                      {members}\n{}", &file[..line], &file[line..])
    };
    let (header, sockets) = (with("token_header: {name: x-partner}"), with("websocket_protocol: true"));
    let log = |text: &str, header: &str| edit(text, "%REQ(X-REQUEST-ID)%", &format!("%REQ({header})%"));
    let matched = |text: &str, header: &str| {
        let headers = format!("match: {{prefix: /, headers: [{{name: {header}, present_match: true}}]}}");
        edit(text, "match: {prefix: /}", &headers)
    };
    finds(&[
        ("credential-in-log", log(&header, "X-Partner"), log(&shipped(), "X-Partner")),
        ("credential-in-log", log(&sockets, "Sec-WebSocket-Protocol"), log(&shipped(), "Sec-WebSocket-Protocol")),
        ("matcher-on-edited-header", matched(&header, "x-partner"), matched(&shipped(), "x-partner")),
        (
            "matcher-on-edited-header",
            matched(&sockets, "sec-websocket-protocol"),
            matched(&shipped(), "sec-websocket-protocol"),
        ),
    ]);
    let set = "                    credentials: [{name: web, cookie: {name: __Host-t, origins: ['https://a.example.com']}}]\n";
    let cookies = edit(&shipped(), RULES, &format!("{set}{RULES}"));
    let by_cookie = |text: &str, name: &str| {
        let cookies = format!("match: {{prefix: /, cookies: [{{name: {name}, string_match: {{exact: a}}}}]}}");
        edit(text, "match: {prefix: /}", &cookies)
    };
    finds(&[
        ("matcher-on-edited-header", by_cookie(&cookies, "__Host-t"), by_cookie(&cookies, "other")),
        ("matcher-on-edited-header", matched(&cookies, "cookie"), matched(&shipped(), "cookie")),
    ]);
    assert!(check(&log(&header, "X-Partner")).stdout.contains("error[credential-in-log]"));
}
