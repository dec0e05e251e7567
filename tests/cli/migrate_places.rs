//! Places of credentials that Istio and Envoy Gateway read and Scopegate does not: what was refused in them is refused still.
//! What is written judges the requests.

use crate::migrate_kubernetes::{Made, migrate_text};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::world::{folder, run};
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::fs::write;

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;

/// Whether the gate that was made lets a request with these headers pass.
fn passes(made: &Made, path: &str, headers: &[String]) -> bool {
    let folder = folder();
    write(folder.join("gate.json"), made.plugins[0].to_string()).unwrap();
    let request = format!("GET {path}");
    let mut arguments = vec!["explain", "gate.json", "--request", &request, "--at", AT];
    headers.iter().for_each(|line| arguments.extend(["--header", line]));
    let told = run(&arguments, &folder);
    assert!(told.status < 2, "{headers:?}: {told:?}");
    told.status == 0
}

fn keys(issuer: &Issuer) -> String {
    format!("'{}'", issuer.jwks())
}

/// A `RequestAuthentication` with these further members of its rule and these further rules.
fn istio(issuer: &Issuer, own: &str, more: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: a, namespace: n}}
spec:
  selector: {{matchLabels: {{istio: ingressgateway}}}}
  jwtRules:
  - {{issuer: '{ISSUER}', audiences: ['{AUDIENCE}'], jwks: {}{own}}}
{more}",
        keys(issuer)
    )
}

/// A policy that asks for a token.
const NEEDS_A_TOKEN: &str = "---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: n}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  rules: [{from: [{source: {requestPrincipals: ['*']}}]}]
";

fn gateway(issuer: &Issuer, optional: bool, own: &str, more: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: p, namespace: n}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: g}}]
  jwt:
    optional: {optional}
    providers:
    - {{name: a, issuer: '{ISSUER}', audiences: ['{AUDIENCE}'], localJWKS: {{inline: {}}}{own}}}
{more}",
        keys(issuer)
    )
}

/// Lines of headers that have a token.
struct Places {
    /// Of the header that is read.
    read: &'static str,
    /// Of the others. `{}` is a token.
    others: &'static [&'static str],
}

#[test]
fn a_bad_token_passes_in_no_place_that_was_read() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let other = keys(&Issuer::new(Algorithm::Es256, "a"));
    let x_q = format!("{{issuer: https://q.example, audiences: [x], jwks: {other}, fromHeaders: [{{name: x-q}}]");
    let bearer = "authorization: Bearer {}";
    let two = Places { read: "x-a: {}", others: &["x-b: {}"] };
    let of_q = || Places { read: bearer, others: &["x-q: {}"] };
    let mut cases = vec![
        (istio(&issuer, ", fromHeaders: [{name: x-a}, {name: X-B}]", ""), two, true),
        (
            istio(&issuer, ", fromHeaders: [{name: x-a}, {name: Authorization, prefix: 'Bearer '}]", ""),
            Places { read: bearer, others: &["x-a: {}"] },
            true,
        ),
        (
            istio(
                &issuer,
                ", fromHeaders: [{name: x-a, prefix: 'Token '}, {name: x-b, prefix: 'T,'}, {name: x-c}]",
                "",
            ),
            Places { read: "x-a: Token {}", others: &["x-b: T,{}", "x-c: {}", "x-a: {}"] },
            true,
        ),
        // Rules that are not carried over: of an unknown field, of another issuer's name, without keys, without an issuer.
        (istio(&issuer, "", &format!("  - {x_q}, strange: 1}}\n")), of_q(), true),
        (istio(&issuer, "", "  - {issuer: not-an-address, fromHeaders: [{name: x-q}]}\n"), of_q(), true),
        (istio(&issuer, "", &format!("  - {{jwks: {other}, fromHeaders: [{{name: x-q}}]}}\n")), of_q(), true),
        (
            istio(&issuer, "", &format!("  - {{issuer: '{ISSUER}', jwks: {other}, fromHeaders: [{{name: x-q}}]}}\n")),
            of_q(),
            true,
        ),
        (istio(&issuer, "", &format!("  - {x_q}, audiences: 5}}\n")), of_q(), true),
        (istio(&issuer, "", &format!("  - {x_q}, audiences: ['']}}\n")), of_q(), true),
        (
            gateway(&issuer, true, ", extractFrom: {headers: [{name: x-a}, {name: x-b}]}", ""),
            Places { read: "x-a: {}", others: &["x-b: {}"] },
            true,
        ),
        (
            gateway(&issuer, false, ", extractFrom: {headers: [{name: x-a}, {name: x-b}]}", ""),
            Places { read: "x-a: {}", others: &["x-b: {}"] },
            false,
        ),
    ];
    for (optional, more) in [(true, "strange: 1"), (false, "strange: 1"), (true, "audiences: 5")] {
        let more = format!(
            "    - {{name: q, issuer: https://q.example, localJWKS: {{inline: {other}}}, extractFrom: {{headers: [{{name: x-q}}]}}, \
             {more}}}\n"
        );
        cases.push((gateway(&issuer, optional, "", &more), of_q(), optional));
    }
    let needed: Vec<_> = cases
        .iter()
        .filter(|(text, _, _)| text.contains("istio.io"))
        .map(|(text, places, _)| {
            (format!("{text}{NEEDS_A_TOKEN}"), Places { read: places.read, others: places.others }, false)
        })
        .collect();
    cases.extend(needed);
    let good = issuer.token(NOW).sign();
    let forged = Issuer::new(Algorithm::Es256, "a").token(NOW).sign();
    let of_q = issuer.token(NOW).claim("iss", "https://q.example").sign();
    for (text, places, is_open) in cases {
        let made = migrate_text(&text);
        let with = |line: &str, token: &str| line.replace("{}", token);
        let context = format!("{text}\n{:#}\n{:#?}", made.plugins[0], made.findings);
        assert_eq!(passes(&made, "/", &[]), is_open, "no token: {context}");
        assert!(passes(&made, "/", &[with(places.read, &good)]), "the good token: {context}");
        for bad in [&forged, &of_q, "garbage", "a.b.c"] {
            assert!(!passes(&made, "/", &[with(places.read, bad)]), "{bad}: {context}");
            for line in places.others {
                assert!(!passes(&made, "/", &[with(line, bad)]), "{line} {bad}: {context}");
                if !line.starts_with("x-a:") || places.read.starts_with("authorization") {
                    let both = [with(places.read, &good), with(line, bad)];
                    assert!(!passes(&made, "/", &both), "{line} {bad} beside the good one: {context}");
                }
            }
        }
    }
}

#[test]
fn where_nothing_can_be_refused_in_a_place_everything_is() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    for text in [
        istio(&issuer, ", fromHeaders: [{name: x-a}], fromCookies: [session]", ""),
        istio(&issuer, ", fromHeaders: [{name: x-a}, {name: Authorization, prefix: 'Token '}]", ""),
        istio(&issuer, ", fromHeaders: [{name: x-a}, {name: x-forwarded-access-token}]", ""),
        istio(&issuer, ", fromHeaders: [{name: x-a}]", "  - {issuer: not-an-address}\n"),
        istio(&issuer, "", "  - {issuer: not-an-address, fromCookies: [session]}\n"),
        gateway(&issuer, true, ", extractFrom: {headers: [{name: x-a}], cookies: [session]}", ""),
        gateway(&issuer, true, ", extractFrom: {headers: [{name: x-a}]}", "    - {name: b, issuer: https://b}\n"),
    ] {
        let made = migrate_text(&text);
        assert_eq!(made.plugins[0]["default"], json!({"deny": true}), "{text}");
        assert_eq!(made.run.status, 2, "{text}");
        let is_told = |[kind, _, what]: &[String; 3]| kind == "denied" && what.contains("everything is");
        assert!(made.findings.iter().any(is_told), "{text}: {:#?}", made.findings);
    }
}

#[test]
fn a_token_or_a_key_in_a_named_parameter_is_refused() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let good = format!("authorization: Bearer {}", issuer.token(NOW).sign());
    for text in [
        istio(&issuer, ", fromHeaders: [{name: Authorization, prefix: 'Bearer '}], fromParams: [T]", ""),
        istio(&issuer, "", "  - {issuer: not-an-address, fromParams: [T]}\n"),
        gateway(
            &issuer,
            true,
            ", extractFrom: {headers: [{name: Authorization, valuePrefix: 'Bearer '}], params: [T]}",
            "",
        ),
    ] {
        let made = migrate_text(&text);
        assert!(passes(&made, "/?u=garbage", std::slice::from_ref(&good)), "{text}");
        for headers in [&[][..], std::slice::from_ref(&good)] {
            assert!(!passes(&made, "/?T=garbage", headers), "{text}: {:#}", made.plugins[0]);
        }
    }
}

fn key_policy(extract: &str) -> String {
    format!(
        "apiVersion: v1
kind: Secret
metadata: {{name: k, namespace: n}}
stringData: {{acme: 0123456789-0123456789-acme}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: p, namespace: n}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: r}}]
  apiKeyAuth: {{credentialRefs: [{{name: k}}], extractFrom: {extract}}}
"
    )
}

#[test]
fn of_several_sources_of_keys_the_first_counts_still() {
    const GOOD: &str = "x-key: 0123456789-0123456789-acme";
    let bad = |line: &str| vec![line.to_owned(), GOOD.to_owned()];
    for (extract, is_open, path, refused) in [
        ("[{headers: [x-key]}, {cookies: [ck]}]", true, "/", vec![]),
        ("[{headers: [x-key]}, {headers: [authorization]}]", true, "/", vec![]),
        ("[{headers: [x-other, x-key]}]", true, "/", bad("x-other: bad")),
        ("[{headers: [x-key]}, {headers: [x-other]}]", true, "/", bad("x-other: bad")),
        ("[{params: [kk]}, {headers: [x-key]}]", true, "/?kk=bad", vec![GOOD.to_owned()]),
        ("[{headers: [x-key]}, {params: [kk]}]", true, "/?kk=bad", vec![GOOD.to_owned()]),
        ("[{params: [api-key]}, {headers: [x-key]}]", true, "/?api-key=bad", vec![GOOD.to_owned()]),
        ("[{cookies: [ck]}, {headers: [x-key]}]", false, "/", bad("cookie: ck=bad")),
        ("[{headers: [x-key], cookies: [ck]}]", false, "/", bad("cookie: ck=bad")),
        ("[{headers: [x-key]}, {cookies: [ck]}, {headers: [x-other]}]", false, "/", bad("cookie: ck=bad")),
        ("[{headers: [authorization, x-key]}]", false, "/", bad("authorization: bad")),
    ] {
        let made = migrate_text(&key_policy(extract));
        if made.plugins.is_empty() {
            // Nobody is known, so there is no gate, and the policy has to stay.
            let is_told = |[kind, _, what]: &[String; 3]| kind == "denied" && what.contains("Name the headers first");
            assert!(!is_open && made.run.status == 2, "{extract}: {:#?}", made.findings);
            assert!(made.findings.iter().any(is_told), "{extract}: {:#?}", made.findings);
            continue;
        }
        assert_eq!(passes(&made, "/", &[GOOD.to_owned()]), is_open, "{extract}: {:#}", made.plugins[0]);
        assert!(refused.is_empty() || !passes(&made, path, &refused), "{extract}: {:#}", made.plugins[0]);
    }
}

#[test]
fn an_empty_audience_is_that_of_no_token() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let of = |text: &str, own: &str| migrate_text(&text.replace(&format!("['{AUDIENCE}']"), own));
    let (istio, gateway) = (istio(&issuer, "", ""), gateway(&issuer, true, "", ""));
    for text in [&istio, &gateway] {
        let made = of(text, "['']");
        assert_eq!((&made.plugins[0]["default"], made.run.status), (&json!({"deny": true}), 2), "{:#?}", made.findings);
        let made = of(text, "['', x]");
        assert_eq!((&made.plugins[0]["issuers"][0]["audiences"], made.run.status), (&json!(["x"]), 0));
        assert!(made.findings.iter().any(|[kind, _, what]| kind == "stricter" && what.contains("an empty audience")));
    }
}

#[test]
fn what_is_said_to_be_refused_wholly_is_written() {
    // Nothing of it would load: no header can have this name.
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let own = ", outputClaimToHeaders: [{header: host, claim: sub}]";
    let made = migrate_text(&istio(&issuer, own, ""));
    assert_eq!(made.plugins[0]["default"], json!({"deny": true}), "{:#?}", made.findings);
    assert_eq!(made.run.status, 2);
    // Not even the keys would: then no gate is said to be there.
    let made = migrate_text(&istio(&issuer, "", "").replace(&keys(&issuer), r#"'{"keys": [{"kty": "EC"}]}'"#));
    let says = |part: &str| made.findings.iter().any(|[_, _, what]| what.contains(part));
    assert_eq!(made.plugins.is_empty(), says("no gate is written"), "{:#?}", made.findings);
    assert_eq!(made.plugins.is_empty(), !says("everything is refused"), "{:#?}", made.findings);
}
