//! `csrf` in a real Envoy.

use crate::gate::{configuration, start};
use crate::support::client::request;
use crate::support::envoy::Gate;
use crate::support::issuer::{Issuer, now};
use scopegate::crypto::Algorithm;
use serde_json::json;

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
