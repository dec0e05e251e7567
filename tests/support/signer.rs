//! Signs requests as clients do: AWS Signature Version 4, the form of Apinto, and HTTP Message Signatures by HMAC. Written
//! from the specifications, without the code of the gate but for its digests.

use scopegate::base::base64url;
use scopegate::base::time::rfc3339;
use scopegate::crypto::{hmac, sha256};
use std::fmt::Write as _;

/// The secret of AWS's own examples.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// The access key of AWS's own examples.
pub const KEY_ID: &str = "AKIDEXAMPLE";

/// A request that is signed. Its path and query are written as they are signed.
#[derive(Clone, Debug)]
pub struct Unsigned<'r> {
    pub method: &'r str,
    /// The path and the query, whose parts are in order.
    pub target: &'r str,
    pub host: &'r str,
    /// Further headers to sign, in lower case and in order of their names.
    pub headers: Vec<(&'r str, String)>,
    pub body: &'r [u8],
    /// In seconds since 1970.
    pub at: i64,
}

impl Default for Unsigned<'_> {
    fn default() -> Self {
        Self { method: "GET", target: "/orders", host: "api.example.com", headers: Vec::new(), body: b"", at: 0 }
    }
}

/// A secret, and how requests name it.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'s> {
    pub key_id: &'s str,
    pub secret: &'s str,
}

/// The signer of the examples.
pub const EXAMPLE: Signer<'static> = Signer { key_id: KEY_ID, secret: SECRET };

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A time as SigV4 and Apinto write it: `20270115T080000Z`.
pub fn basic_time(at: i64) -> String {
    let text = rfc3339(u64::try_from(at).expect("after 1970") * 1000);
    let digits: String =
        text.split('.').next().expect("seconds").chars().filter(|&at| at != '-' && at != ':').collect();
    format!("{digits}Z")
}

/// A digest as `content-digest` has it.
pub fn content_digest(body: &[u8]) -> String {
    use base64::Engine as _;
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(sha256(body)))
}

/// Each header in a line, its name between these marks.
fn lines(headers: &[(&str, String)], mark: &str, separator: &str) -> String {
    headers.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{mark}{name}{mark}{separator}{value}");
        text
    })
}

impl Signer<'_> {
    /// The headers of a request that is signed by SigV4 for this region and service: those to sign, and `authorization`.
    pub fn sigv4(&self, request: &Unsigned<'_>, (region, service): (&str, &str)) -> Vec<(String, String)> {
        let date = basic_time(request.at);
        let mut signed = request.headers.clone();
        signed.push(("host", request.host.to_owned()));
        signed.push(("x-amz-date", date.clone()));
        signed.sort();
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let path = if service == "s3" { path.to_owned() } else { path.replace('%', "%25") };
        let mut parts: Vec<(String, String)> = query
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        parts.sort();
        let query: Vec<String> = parts.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let lines = lines(&signed, "", ":");
        let stated = request.headers.iter().find(|(name, _)| *name == "x-amz-content-sha256");
        let digest = stated.map_or_else(|| hex(&sha256(request.body)), |(_, value)| value.clone());
        let canonical = [request.method, &path, &query.join("&"), &lines, &names.join(";"), &digest].join("\n");
        let (day, _) = date.split_once('T').expect("a day");
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let text = ["AWS4-HMAC-SHA256", &date, &scope, &hex(&sha256(canonical.as_bytes()))].join("\n");
        let first = hmac(format!("AWS4{}", self.secret).as_bytes(), day.as_bytes());
        let key = [region, service, "aws4_request"].iter().fold(first, |key, part| hmac(&key, part.as_bytes()));
        let signature = hex(&hmac(&key, text.as_bytes()));
        let line = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.key_id,
            names.join(";")
        );
        let own = signed.into_iter().filter(|(name, _)| *name != "host");
        own.map(|(name, value)| (name.to_owned(), value)).chain([("authorization".to_owned(), line)]).collect()
    }

    /// The headers of a request that is signed as Apinto has it. `target` is already in its canonical form.
    pub fn apinto(&self, request: &Unsigned<'_>) -> Vec<(String, String)> {
        let date = basic_time(request.at);
        let mut signed = request.headers.clone();
        signed.push(("host", request.host.to_owned()));
        signed.push(("x-gateway-date", date.clone()));
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let path = format!("{}/", path.trim_end_matches('/'));
        let lines = lines(&signed, "", ":");
        let canonical =
            [request.method, &path, query, &lines, &names.join(";"), &hex(&sha256(request.body))].join("\n");
        let text = ["HMAC-SHA256", &date, &hex(&sha256(canonical.as_bytes()))].join("\n");
        let signature = hex(&hmac(self.secret.as_bytes(), text.as_bytes()));
        let line =
            format!("HMAC-SHA256 Access={}, SignedHeaders={}, Signature={signature}", self.key_id, names.join(";"));
        let own = signed.into_iter().filter(|(name, _)| *name != "host");
        own.map(|(name, value)| (name.to_owned(), value)).chain([("authorization".to_owned(), line)]).collect()
    }

    /// The headers of a request that is signed by RFC 9421: method, authority, path, query, and the headers. `parameters`
    /// follow the list of components.
    pub fn message(&self, request: &Unsigned<'_>, parameters: &str) -> Vec<(String, String)> {
        use base64::Engine as _;
        let (components, base) = message_base(request, &format!("{};keyid=\"{}\"", parameters, self.key_id));
        let tag = base64::engine::general_purpose::STANDARD.encode(hmac(self.secret.as_bytes(), base.as_bytes()));
        let mut headers: Vec<(String, String)> =
            request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        headers.push(("signature-input".to_owned(), format!("sig={components}")));
        headers.push(("signature".to_owned(), format!("sig=:{tag}:")));
        headers
    }
}

/// The components with their parameters, and the signature base (RFC 9421 section 2.5).
pub fn message_base(request: &Unsigned<'_>, parameters: &str) -> (String, String) {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let mut lines = vec![
        ("@method", request.method.to_owned()),
        ("@authority", request.host.to_owned()),
        ("@path", path.to_owned()),
        ("@query", format!("?{query}")),
    ];
    lines.extend(request.headers.iter().map(|(name, value)| (*name, value.clone())));
    let names: Vec<String> = lines.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let components = format!("({}){parameters}", names.join(" "));
    let mut base = self::lines(&lines, "\"", ": ");
    let _ = write!(base, "\"@signature-params\": {components}");
    (components, base)
}

/// Text that no encoder of this file has to know.
pub fn nonce(number: u64) -> String {
    base64url::encode(&number.to_be_bytes())
}
