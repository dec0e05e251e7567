//! `csrf` and tokens in cookies, in a real Envoy.

use crate::gate::{configuration, start};
use crate::support::client::request;
use crate::support::envoy::{Gate, root};
use crate::support::issuer::{Issuer, now};
use crate::support::node;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn what_a_page_of_another_site_has_a_browser_send_reaches_no_upstream() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let csrf = json!({ "csrf": { "origins": ["https://app.example.com"] } });
    let mut gate = Gate::new(configuration(&issuer, json!({ "route_metadata": "restrict" })));
    // The filter sees both lines of a header that Envoy does not join.
    gate.routes = json!([{
        "match": { "prefix": "/" }, "route": { "cluster": "upstream" },
        "metadata": { "filter_metadata": { "scopegate": csrf } },
    }]);
    let (envoy, _upstream) = start(gate);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    let ask = |method: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("authorization", bearer.as_str()), ("content-length", "0")];
        all.extend(headers);
        request(envoy.address(), method, "/", &all).status
    };
    let own = ("origin", "https://app.example.com");
    let cross = ("sec-fetch-site", "cross-site");
    let follows = [cross, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    for (method, headers, status) in [
        ("POST", &[("sec-fetch-site", "same-origin")][..], 200),
        ("POST", &[own, cross], 200),
        ("POST", &[own], 200),
        ("GET", &follows, 200),
        ("POST", &follows, 403),
        ("POST", &[cross, ("origin", "https://evil.example")], 403),
        ("GET", &[], 403),
        ("GET", &[("origin", "null")], 403),
        ("POST", &[own, own], 403),
        ("GET", &[("sec-fetch-site", "same-origin"), cross], 403),
    ] {
        assert_eq!(ask(method, headers), status, "{method} {headers:?}");
    }
    envoy.wait_for_log("scopegate_cross_site");
}

#[test]
fn a_token_in_a_cookie_passes_for_its_pages_and_its_cookie_reaches_no_upstream() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let members = json!({
        "credentials": [{ "name": "web", "cookie": { "name": "__Host-token", "origins": ["https://app.example.com"] } }],
        "default": { "credentials": { "any_of": ["bearer", "web"] } },
        "forward": { "headers": { "x-auth-subject": "sub", "x-auth-credential": "credential" } },
    });
    let (envoy, _upstream) = start(Gate::new(configuration(&issuer, members)));
    let token = issuer.token(now()).sign();
    let own = ("sec-fetch-site", "same-origin");
    let ask = |headers: &[(&str, &str)]| request(envoy.address(), "GET", "/", headers);
    let cookie = format!("a=\"1\"; __Host-token={token}; b=2");
    let echoed = ask(&[own, ("cookie", &cookie)]).echoed();
    assert_eq!(echoed.headers("cookie"), ["a=\"1\"; b=2"]);
    assert_eq!((echoed.headers("x-auth-subject"), echoed.headers("x-auth-credential")), (vec!["alice"], vec!["web"]));
    let alone = format!("__Host-token={token}");
    let lines = ask(&[own, ("cookie", "a=1"), ("cookie", &alone), ("cookie", "b=2")]).echoed();
    assert_eq!(lines.headers("cookie"), ["a=1; b=2"]);
    assert!(ask(&[own, ("cookie", &alone)]).echoed().headers("cookie").is_empty());
    let bearer = format!("Bearer {token}");
    for (headers, status) in [
        (&[("cookie", cookie.as_str())][..], 403),
        (&[("sec-fetch-site", "cross-site"), ("cookie", &cookie)], 403),
        (&[own, ("cookie", &cookie), ("authorization", &bearer)], 400),
        (&[own, ("cookie", &cookie), ("cookie", &alone)], 400),
        (&[own, ("cookie", &alone.replace("__Host", "__host"))], 401),
        (&[("authorization", &bearer)], 200),
    ] {
        assert_eq!(ask(headers).status, status, "{headers:?}");
    }
    let refused = ask(&[own]);
    assert!(
        refused.headers.iter().any(|(_, value)| value == "Cookie realm=\"api\", cookie-name=\"__Host-token\""),
        "{refused:?}"
    );
    envoy.wait_for_log("\"credential\":\"cookie\",\"credential_set\":\"web\"");
}

/// Browsers send many cookies over HTTP/2 in a line each (RFC 9113 section 8.2.3).
#[test]
fn cookies_in_several_lines_of_http2_are_one_list() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let members = json!({
        "credentials": [{ "name": "web", "cookie": { "name": "__Host-token", "origins": ["https://app.example.com"] } }],
        "default": { "credentials": "web" },
    });
    let (envoy, _upstream) = start(Gate::new(configuration(&issuer, members)));
    let cookies = ["a=1".to_owned(), format!("__Host-token={}", issuer.token(now()).sign()), "b=2".to_owned()];
    let ask = |cookies: &[String]| {
        let output = Command::new(node::binary())
            .arg(root().join("tests/e2e/crumbs.mjs"))
            .arg(format!("http://{}", envoy.address()))
            .args(cookies)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str::<Value>(&text)
            .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    };
    let told = ask(&cookies);
    assert_eq!(told["status"], 200, "{told}");
    assert_eq!(told["cookies"], json!(["a=1; b=2"]), "{told}");
    assert_eq!(ask(&[cookies[1].clone(), cookies[1].clone()])["status"], 400);
}
