//! What is changed of requests whose signature is in `authorization`, and what is changed of all signed requests.

use super::{BODY, SCOPE, SETS, Signed, get, key, post, signed_by, signed_with};
use crate::support::issuer::now;
use crate::support::random::Random;
use crate::support::signer::{Signer, Unsigned, hex, nonce};
use crate::traffic::{Hostile, random_id};
use scopegate::crypto::sha256;

/// What is hostile in every form.
pub fn of_each_set(random: &mut Random) -> Vec<Hostile> {
    SETS.iter().flat_map(|set| of_set(set, random)).collect()
}

fn of_set(set: &str, random: &mut Random) -> Vec<Hostile> {
    let one = signed_by(set, "batch", &get(set));
    let good = || one.clone();
    let posted = |in_header: bool| signed_by(set, "batch", &post(set, in_header));
    let (key_id, secret) = key(set, "batch");
    let (_, other_secret) = key(set, "other");
    let by = |key_id: &str, secret: &str| signed_with(set, Signer { key_id, secret }, &get(set));
    let at = |seconds: i64| signed_by(set, "batch", &Unsigned { at: now() + seconds, ..get(set) });
    let path = |number: &str, query: &str| good().target(&format!("/{set}/{number}{query}"));
    let in_line = if set == "message" { "signature" } else { "authorization" };
    let bearer = ("authorization", "Bearer a.b.c");
    let (value, spoilt) = (one.value(in_line), one.spoilt(in_line, random));
    let elsewhere = if set == "apinto" { "/aws/1?a=1&b=2" } else { "/apinto/1?a=1&b=2" };
    let unsigned = ["authorization", "signature", "signature-input"].iter().fold(good(), |all, name| all.without(name));
    let chunks = b"9\r\n{\"qty\":2}\r\n0\r\n\r\n";
    // No other credential is asked for beside a message signature, so none is looked at.
    let beside = (set != "message").then(|| ("a signature beside a token", good().with(bearer.0, bearer.1)));
    let of_all = [
        ("a signature of another method", good().method("HEAD")),
        ("a signature of another path", path("2", "?a=1&b=2")),
        ("a signature of a path with a slash that is hidden", path("%2f1", "?a=1&b=2")),
        ("a signature of a path with a slash more", path("1/", "?a=1&b=2")),
        ("a signature of another query", path("1", "?a=1&b=3")),
        ("a signature of a query that has more", path("1", "?a=1&b=2&c=3")),
        ("a signature of a query that has less", path("1", "?a=1")),
        ("a signature of a query that is gone", path("1", "")),
        ("a signature of another host", good().with("host", "other.example.com")),
        ("a signature of a host with another port", good().with("host", "api.example.com:8443")),
        ("a signature of a host with a dot after it", good().with("host", "api.example.com.")),
        ("a signature that was made long ago", at(-7200)),
        ("a signature of the future", at(600)),
        ("a signature of an unknown key", by("AKIDNOBODY", &secret)),
        ("a signature by another secret", by(&key_id, "another secret of twenty")),
        ("a signature by the secret of another identity", by(&key_id, &other_secret)),
        ("a signature under the key of another identity", by(&key(set, "other").0, &secret)),
        ("a signature by the key id", by(&key_id, &key_id)),
        ("a signature by no secret", by(&key_id, "")),
        ("a signature of one who is disabled", signed_by(set, "gone", &get(set))),
        ("a signature of one whose time is over", signed_by(set, "late", &get(set))),
        ("a signature of one who is revoked", signed_by(set, "revoked", &get(set))),
        ("a signature of one without a scope", signed_by(set, "bare", &get(set))),
        ("a signature of another set", good().target(elsewhere)),
        (
            "a signature where only tokens are good",
            signed_by(set, "batch", &Unsigned { target: "/orders/1", ..get(set) }),
        ),
        ("a signature in the place of another credential", good().without(in_line).with("x-api-key", &value)),
        ("a token where a signature is asked for", unsigned.with(bearer.0, bearer.1)),
        ("a signature that is twice there", good().with(in_line, &value)),
        ("two signatures, joined", good().change(in_line, |_| format!("{value}, {value}"))),
        ("no signature", good().without(in_line)),
        ("an empty signature", good().change(in_line, |_| String::new())),
        ("a signature that is spoilt", good().change(in_line, |_| spoilt.clone())),
        ("a signature in a header of a proxy", good().rename(in_line, &format!("proxy-{in_line}"))),
        ("a signature in a header that looks like its own", good().rename(in_line, &format!("{in_line}_"))),
        ("a signature of another body", posted(false).body(b"{\"qty\":3}")),
        ("a signature of another body, whose digest is signed", posted(true).body(b"{\"qty\":3}")),
        ("a signature of a body that has more", posted(false).body(b"{\"qty\":2}\n")),
        ("a signature of a body that has less", posted(true).body(&BODY[..BODY.len() - 1])),
        ("a signature of a body that is gone", posted(false).body(b"")),
        (
            "a signature of another body, in chunks",
            posted(true).with("transfer-encoding", "chunked").body(b"9\r\n{\"qty\":3}\r\n0\r\n\r\n"),
        ),
        (
            "a signature of a body with a chunk too many",
            posted(true).with("transfer-encoding", "chunked").body(&[b"1\r\n \r\n", &chunks[..]].concat()),
        ),
        (
            "a signature of a request without the body that it has",
            signed_by(set, "batch", &Unsigned { method: "POST", ..get(set) }).body(b"x"),
        ),
    ];
    of_all.into_iter().chain(beside).map(|(what, signed)| signed.hostile(what)).collect()
}

/// What is hostile of AWS Signature Version 4.
pub fn of_aws() -> Vec<Hostile> {
    let line = "authorization";
    let with = |headers: Vec<(&'static str, String)>| Unsigned { headers, ..get("aws") };
    let made = |headers| signed_by("aws", "batch", &with(headers));
    let good = || made(vec![("content-type", "text/plain".to_owned())]);
    let posted = |digest: &str| {
        let headers = vec![("x-amz-content-sha256", digest.to_owned())];
        signed_by("aws", "batch", &Unsigned { headers, ..post("aws", false) })
    };
    let (key_id, secret) = key("aws", "batch");
    let own = Signer { key_id: &key_id, secret: &secret };
    let scoped = |scope| Signed::of(&get("aws"), own.sigv4(&get("aws"), scope));
    let named = |from: &str, to: &str| good().replace(line, from, to);
    // What S3 signs of a path, and what every other service does.
    let of_s3 = |target| {
        let headers = vec![("x-amz-content-sha256", hex(&sha256(b"")))];
        let request = Unsigned { target, ..with(headers) };
        Signed::of(&request, own.sigv4(&request, ("eu-west-1", "s3")))
    };
    let date = good().value("x-amz-date");
    let in_query =
        good().value(line).replace("AWS4-HMAC-SHA256 Credential", "X-Amz-Credential").replace(", ", "&X-Amz-");
    let presigned = format!("/aws/1?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={date}&X-Amz-Expires=3600&{in_query}");
    let trailers = b"POST /aws/1?a=1&b=2 HTTP/1.1\r\nhost: api.example.com\r\nx-hostile: 1\r\ntransfer-encoding: chunked\r\nte: trailers\r\n";
    let mut of_chunks = String::new();
    for (name, value) in &signed_by("aws", "batch", &post("aws", false)).lines {
        of_chunks.push_str(&format!("{name}: {value}\r\n"));
    }
    let trailed = [&trailers[..], of_chunks.as_bytes(), b"\r\n9\r\n", BODY, b"\r\n0\r\nx-a: 1\r\n\r\n"].concat();
    let mut all: Vec<Hostile> = [
        ("aws: another signed header", good().replace("content-type", "plain", "html")),
        ("aws: a signed header that is gone", good().without("content-type")),
        ("aws: a signed header that is twice there", good().with("content-type", "text/plain")),
        ("aws: a signed header in underscores", good().rename("x-amz-date", "x_amz_date")),
        ("aws: an unsigned target", good().with("x-amz-target", "Orders.Delete")),
        ("aws: an unsigned session", good().with("x-amz-security-token", "token")),
        ("aws: an unsigned digest", good().with("x-amz-content-sha256", "UNSIGNED-PAYLOAD")),
        ("aws: another date", good().replace("x-amz-date", "Z", "0Z")),
        ("aws: the header date in place of its own", good().rename("x-amz-date", "date")),
        ("aws: two dates", good().with("x-amz-date", &date)),
        ("aws: the day of another scope", named("/202", "/203")),
        ("aws: a region that is not ours", scoped(("us-east-1", SCOPE.1))),
        ("aws: a service that is not ours", scoped((SCOPE.0, "iam"))),
        ("aws: a region of a good scope", named(SCOPE.0, "us-east-1")),
        ("aws: a service of a good scope", named("/orders/", "/s3/")),
        ("aws: another terminator", named("aws4_request", "aws5_request")),
        ("aws: a scope that has more", named("aws4_request", "aws4_request/x")),
        ("aws: names that are not sorted", named("content-type;host", "host;content-type")),
        ("aws: a name twice", named("content-type;host", "content-type;host;host")),
        ("aws: a name that is not there", named("host;", "host;x-absent;")),
        ("aws: a name in upper case", named("content-type;", "Content-Type;")),
        ("aws: no host among the names", named(";host", "")),
        ("aws: no date among the names", named(";x-amz-date", "")),
        ("aws: no names", named("content-type;host;x-amz-date", "")),
        ("aws: a digest that says that nothing is signed", posted("UNSIGNED-PAYLOAD")),
        ("aws: a digest that says that chunks are signed", posted("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")),
        ("aws: a digest in upper case", posted(&hex(&sha256(BODY)).to_uppercase())),
        ("aws: a digest of nothing", posted(&hex(&sha256(b"")))),
        ("aws: a body in chunks of aws", made(vec![("content-encoding", "aws-chunked".to_owned())])),
        ("aws: another algorithm", named("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")),
        ("aws: an asymmetric algorithm", named("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")),
        ("aws: the algorithm of Apinto", named("AWS4-HMAC-SHA256 Credential", "HMAC-SHA256 Access")),
        ("aws: a part that is unknown", good().change(line, |value| format!("{value}, Extra=1"))),
        (
            "aws: a signature in upper case",
            good().change(line, |value| {
                let (rest, digits) = value.split_once("Signature=").unwrap();
                format!("{rest}Signature={}", digits.to_uppercase())
            }),
        ),
        ("aws: a signature that is cut", good().change(line, |value| value[..value.len() - 1].to_owned())),
        ("aws: a signature that has more", good().change(line, |value| format!("{value}0"))),
        ("aws: signed in the query", good().without(line).target(&presigned)),
        ("aws: signed in the query too", good().target(&presigned)),
        ("aws: a path that is encoded twice for S3", of_s3("/aws/a%2520b").target("/aws/a%20b")),
        ("aws: S3 without a digest", scoped((SCOPE.0, "s3"))),
    ]
    .into_iter()
    .map(|(what, signed)| signed.hostile(what))
    .collect();
    all.push(Hostile { what: "aws: a body with trailers", bytes: trailed });
    all
}

/// What is hostile in the form of Apinto.
pub fn of_apinto() -> Vec<Hostile> {
    let line = "authorization";
    let with = |headers| signed_by("apinto", "batch", &Unsigned { headers, ..get("apinto") });
    let good = || with(vec![("content-type", "text/plain".to_owned()), ("x-gateway-nonce", nonce(random_id()))]);
    let to = |target| signed_by("apinto", "batch", &Unsigned { target, ..get("apinto") });
    let named = |from: &str, to: &str| good().replace(line, from, to);
    [
        ("apinto: another signed header", good().replace("content-type", "plain", "html")),
        ("apinto: a signed header that is gone", good().without("content-type")),
        ("apinto: a signed header that is twice there", good().with("content-type", "text/plain")),
        ("apinto: another nonce", good().change("x-gateway-nonce", |nonce| format!("{nonce}0"))),
        ("apinto: a nonce that is gone", good().without("x-gateway-nonce")),
        ("apinto: two nonces", good().with("x-gateway-nonce", "another")),
        ("apinto: another date", good().replace("x-gateway-date", "Z", "0Z")),
        ("apinto: two dates", good().with("x-gateway-date", &good().value("x-gateway-date"))),
        ("apinto: a date in underscores", good().rename("x-gateway-date", "x_gateway_date")),
        ("apinto: a name twice", named("host;", "host;host;")),
        ("apinto: a name that is not there", named("host;", "host;x-absent;")),
        ("apinto: no host among the names", named("host;", "")),
        ("apinto: no date among the names", named(";x-gateway-date", "")),
        ("apinto: names in another order", named("content-type;x-gateway-nonce", "x-gateway-nonce;content-type")),
        ("apinto: a query that has a name twice", to("/apinto/1?a=1&a=1")),
        ("apinto: a query that has a part without a value", to("/apinto/1?a=1&b")),
        ("apinto: a path with a slash at its end", to("/apinto/1/")),
        ("apinto: another algorithm", named("HMAC-SHA256", "HMAC-SHA1")),
        ("apinto: the algorithm of an SDK", named("HMAC-SHA256", "SDK-HMAC-SHA256")),
        ("apinto: the algorithm of aws", named("HMAC-SHA256 Access", "AWS4-HMAC-SHA256 Credential")),
        (
            "apinto: a signature in upper case",
            good().change(line, |value| {
                let (rest, digits) = value.split_once("Signature=").unwrap();
                format!("{rest}Signature={}", digits.to_uppercase())
            }),
        ),
        ("apinto: a signature that is cut", good().change(line, |value| value[..value.len() - 1].to_owned())),
    ]
    .into_iter()
    .map(|(what, signed)| signed.hostile(what))
    .collect()
}
