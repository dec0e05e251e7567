//! What is changed of how token and proof are sent.

use super::changes::Step::Send;
use super::changes::{Base, Change, Sent, WHOLE, bad, good};

fn scheme(sent: &mut Sent, scheme: &str) {
    let line = sent.line("authorization");
    *line = format!("{scheme}{}", line.strip_prefix("DPoP ").unwrap());
}

/// Sends a token that is bound to nothing instead, with this scheme.
fn unbound(sent: &mut Sent, base: &Base<'_>, scheme: &str) {
    *sent.line("authorization") = format!("{scheme} {}", base.token().sign());
}

pub(super) const SENDINGS: &[Change] = &[
    bad("scheme", "the scheme is Bearer", Send(|sent, _| scheme(sent, "Bearer "))),
    good("scheme", "the scheme is in lower case", Send(|sent, _| scheme(sent, "dpop "))),
    good("scheme", "there are two spaces after the scheme", Send(|sent, _| scheme(sent, "DPoP  "))),
    bad("scheme", "there is a tab after the scheme", Send(|sent, _| scheme(sent, "DPoP\t"))),
    bad("scheme", "the scheme is another", Send(|sent, _| scheme(sent, "Basic "))),
    bad("scheme", "there is no scheme", Send(|sent, _| scheme(sent, ""))),
    bad("authorization", "something is after the token", Send(|sent, _| sent.line("authorization").push_str(" x"))),
    bad(
        "authorization",
        "the token is sent twice",
        Send(|sent, _| {
            let line = sent.line("authorization").clone();
            sent.add("authorization", line);
        }),
    ),
    bad("dpop", "there is no proof", Send(|sent, _| sent.lines.retain(|(name, _)| name != "dpop"))),
    bad("dpop", "the proof is empty", Send(|sent, _| sent.line("dpop").clear())),
    bad(
        "dpop",
        "the proof is sent twice",
        Send(|sent, _| {
            let line = sent.line("dpop").clone();
            sent.add("dpop", line);
        }),
    ),
    bad("dpop", "something is after the proof", Send(|sent, _| sent.line("dpop").push_str(", x"))),
    bad("dpop", "the proof has a scheme", Send(|sent, _| sent.line("dpop").insert_str(0, "DPoP "))),
    bad("method", "the method is another", Send(|sent, _| sent.method = "OPTIONS")),
    bad("target", "the path is another", Send(|sent, _| sent.target = "/admin".into())),
    good(
        "target",
        "there is a query",
        Send(|sent, _| {
            let path = sent.target.split('?').next().unwrap().to_owned();
            sent.target = format!("{path}?q=%2F..%2F");
        }),
    ),
    good(
        "forwarded",
        "a proxy is said to be before it",
        Send(|sent, _| {
            sent.add("x-forwarded-host", "evil.example.com");
            sent.add("x-forwarded-proto", "http");
        }),
    ),
    bad(WHOLE, "the proof has been used", Send(|sent, _| sent.is_used_before = true)),
    good(
        WHOLE,
        "an unbound token is sent as Bearer",
        Send(|sent, base| {
            unbound(sent, base, "Bearer");
            sent.lines.retain(|(name, _)| name != "dpop");
        }),
    ),
    good(WHOLE, "an unbound token is sent as Bearer, with a proof", Send(|sent, base| unbound(sent, base, "Bearer"))),
    bad(WHOLE, "an unbound token is sent as DPoP", Send(|sent, base| unbound(sent, base, "DPoP"))),
    bad(
        WHOLE,
        "an unbound token is sent as DPoP, without a proof",
        Send(|sent, base| {
            unbound(sent, base, "DPoP");
            sent.lines.retain(|(name, _)| name != "dpop");
        }),
    ),
];
