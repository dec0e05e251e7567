//! Signed requests, as the target reads them, whose signatures are none.

const SCOPE: &str = "AKIDEXAMPLE/20261128/eu-west-1";
const DATE: &str = "20261128T120000Z";

/// Requests in every form, some with a flaw.
pub fn requests() -> Vec<String> {
    let hex = "0a".repeat(32);
    let host = ":authority|api.example.com\n:scheme|https";
    let sigv4 = |target: &str, service: &str, names: &str, more: &str| {
        format!(
            "GET\n{target}\n{host}\nx-amz-date|{DATE}\n{more}authorization|AWS4-HMAC-SHA256 \
             Credential={SCOPE}/{service}/aws4_request, SignedHeaders={names}, Signature={hex}"
        )
    };
    let apinto = |target: &str, names: &str, more: &str| {
        format!(
            "POST\n{target}\n{host}\nx-gateway-date|{DATE}\n{more}authorization|HMAC-SHA256 \
             Access=acme, SignedHeaders={names}, Signature={hex}"
        )
    };
    let message = |target: &str, input: &str, more: &str| {
        format!("POST\n{target}\n{host}\n{more}signature-input|sig1={input}\nsignature|sig1=:CgoK:")
    };
    let special = "/orders/a%20b/%C3%A9?q=a%20b&empty=&flag&a=0&a=1";
    let digest = "content-digest|sha-256=:H8fX0zPcSkHw/L3jZ0Xy+rxEGmrg6Eb/zTLOtEONzCo=:\n";
    let full = r#"("@method" "@authority" "@path" "@query" "content-digest");created=1795867200;keyid="partner-1""#;
    let more = r#";alg="hmac-sha256";expires=1795867260;nonce="4f\"1d";tag="app";x=?1"#;
    vec![
        sigv4(special, "orders", "host;x-amz-date", "x-amz-cf-id|a\nx_amz_target|b\n"),
        sigv4(special, "s3", "host;x-amz-content-sha256;x-amz-date", &format!("x-amz-content-sha256|{hex}\n")),
        sigv4("/", "s3", "host;x-amz-content-sha256;x-amz-date", "x-amz-content-sha256|UNSIGNED-PAYLOAD\n"),
        sigv4("/", "s3", "host;x-amz-date", ""),
        sigv4("/?b=2&a=1&a=0", "orders", "host;x-amz-date", ""),
        apinto("/orders?b=2&a=1", "content-type;host;x-gateway-date", "content-type|application/json\n"),
        apinto("/a%20b?q=a%20b&e=&n=1%2B1", "Host;X-Gateway-Date;x-gateway-nonce", "x-gateway-nonce|4f1d2c\n"),
        apinto("/a/?a=1&admin", "host;x-gateway-date", ""),
        message("/orders?a=1&b=2", full, digest),
        message("/orders", &format!("{full}{more}"), digest),
        message("/", r#"("@target-uri" "@request-target" "@scheme" "host" "a");keyid="a""#, "a|1, 2\na|3\n"),
        message(
            "/",
            r#"("a";sf);keyid="a";tag="b""#,
            "a|1\nsignature-input|b=(\"@path\");keyid=\"b\";tag=\"app\"\nsignature|b=:AA==:\n",
        ),
        message("/", "(\"content-digest\");keyid=\"a\"", "content-digest|md5=:AA==:\n"),
    ]
}
