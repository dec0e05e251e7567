//! A request that is to be signed, and the headers that sign it.

use super::target::Target;
use super::{Form, SignArguments};
use crate::base::text::to_hex;
use crate::base::time::UnixSeconds;
use crate::cli::mint::seconds;
use crate::cli::moment;
use crate::crypto::sha256;
use crate::request::RequestView;
use crate::signature::{Fault, SignedRequest, apinto, message, sigv4};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// What the command writes itself.
const OWN: [&str; 7] = [
    "x-amz-date",
    "x-amz-content-sha256",
    "x-gateway-date",
    "x-gateway-nonce",
    "content-digest",
    "signature-input",
    "signature",
];
/// The components that every message signature has here, as gates ask for them by default.
const COMPONENTS: [&str; 4] = ["@method", "@authority", "@path", "@query"];
/// The label of the signature in its two headers.
const LABEL: &str = "sig";
const APINTO: &str = "HMAC-SHA256";

/// Lines of headers, with names in lower case.
pub(super) type Lines = Vec<(String, String)>;

/// A request without its signature.
pub(super) struct Draft<'a> {
    arguments: &'a SignArguments,
    key_id: &'a str,
    pub(super) target: Target,
    /// Pseudo-headers, and those that were given.
    headers: Lines,
    /// Those that the form asks for.
    pub(super) added: Lines,
    pub(super) body: Vec<u8>,
    made_at: UnixSeconds,
    /// The names of what is signed, in their order.
    covered: Vec<String>,
    /// The parameters of a message signature.
    parameters: String,
}

impl<'a> Draft<'a> {
    /// The request of the command line.
    ///
    /// # Errors
    /// When something of it cannot be signed.
    pub(super) fn new(
        arguments: &'a SignArguments,
        key_id: &'a str,
        body: Vec<u8>,
        now: UnixSeconds,
    ) -> Result<Self, String> {
        let target = Target::read(&arguments.url)?;
        let given = given(arguments)?;
        let host = given.iter().find(|(name, _)| name == "host");
        let authority = host.map_or(&target.authority, |(_, value)| value);
        let pseudo = [
            (":method", arguments.method.as_str()),
            (":scheme", target.scheme),
            (":authority", authority),
            (":path", &target.path),
        ];
        let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let chosen = chosen(arguments, &given)?;
        let rest = given.into_iter().filter(|(name, _)| name != "host");
        let headers: Lines = pseudo.into_iter().chain(rest).collect();
        let mut draft = Self {
            arguments,
            key_id,
            target,
            headers,
            added: Vec::new(),
            body,
            made_at: now,
            covered: Vec::new(),
            parameters: String::new(),
        };
        match arguments.form {
            Form::Sigv4 => draft.prepare_sigv4(chosen),
            Form::Apinto => draft.prepare_apinto(chosen),
            Form::Message => draft.prepare_message(chosen)?,
        }
        Ok(draft)
    }

    fn add(&mut self, name: &str, value: String) {
        self.added.push((name.to_owned(), value));
    }

    fn prepare_sigv4(&mut self, mut chosen: Vec<String>) {
        self.add("x-amz-date", moment::basic(self.made_at));
        if self.arguments.content_sha256 || self.arguments.service.as_deref() == Some("s3") {
            self.add("x-amz-content-sha256", to_hex(&sha256(&self.body)));
        }
        let amz = self.headers.iter().map(|(name, _)| name).filter(|name| name.starts_with("x-amz-"));
        chosen.extend(amz.cloned());
        self.cover_lines(chosen);
    }

    fn prepare_apinto(&mut self, chosen: Vec<String>) {
        self.add("x-gateway-date", moment::basic(self.made_at));
        if let Some(nonce) = &self.arguments.nonce {
            self.add("x-gateway-nonce", nonce.clone());
        }
        self.cover_lines(chosen);
    }

    /// Signs the host, what the form asks for, and these, in the order of their names.
    fn cover_lines(&mut self, mut names: Vec<String>) {
        names.push("host".to_owned());
        names.extend(self.added.iter().map(|(name, _)| name.clone()));
        names.sort();
        names.dedup();
        self.covered = names;
    }

    fn prepare_message(&mut self, chosen: Vec<String>) -> Result<(), String> {
        let mut covered: Vec<String> = COMPONENTS.map(str::to_owned).into();
        covered.extend(self.arguments.component.iter().map(|name| name.to_ascii_lowercase()));
        if !self.body.is_empty() {
            self.add("content-digest", format!("sha-256=:{}:", STANDARD.encode(sha256(&self.body))));
            covered.push("content-digest".to_owned());
        }
        covered.extend(chosen);
        for name in covered {
            if !self.covered.contains(&name) {
                self.covered.push(name);
            }
        }
        let quoted: Vec<String> = self.covered.iter().map(|name| quoted(name)).collect::<Result<_, _>>()?;
        let mut text = format!("({});created={}", quoted.join(" "), self.made_at.0);
        if let Some(span) = &self.arguments.expires_in {
            let span = seconds(span)
                .ok_or_else(|| format!("--expires-in {span}: write a whole number and s, m or h, such as 1m"))?;
            let _ = write!(text, ";expires={}", self.made_at.0.saturating_add(span));
        }
        let nonce = match &self.arguments.nonce {
            Some(nonce) => Some(nonce.clone()),
            None if self.arguments.no_nonce => None,
            None => Some(super::random_nonce()?),
        };
        if let Some(nonce) = nonce {
            let _ = write!(text, ";nonce={}", quoted_text("--nonce", &nonce)?);
        }
        let _ = write!(text, ";keyid={}", quoted_text("--key-id", self.key_id)?);
        if let Some(tag) = &self.arguments.tag {
            let _ = write!(text, ";tag={}", quoted_text("--tag", tag)?);
        }
        self.parameters = text;
        Ok(())
    }

    /// The headers that carry this signature.
    pub(super) fn carrying(&self, signature: &[u8]) -> Lines {
        let names = self.covered.join(";");
        let line = match self.arguments.form {
            Form::Sigv4 => {
                let date = moment::basic(self.made_at);
                let day = date.split('T').next().unwrap_or_default();
                let [region, service] =
                    [&self.arguments.region, &self.arguments.service].map(|word| word.as_deref().unwrap_or_default());
                format!(
                    "AWS4-HMAC-SHA256 Credential={}/{day}/{region}/{service}/aws4_request, SignedHeaders={names}, Signature={}",
                    self.key_id,
                    to_hex(signature)
                )
            }
            Form::Apinto => {
                format!("{APINTO} Access={}, SignedHeaders={names}, Signature={}", self.key_id, to_hex(signature))
            }
            Form::Message => {
                return vec![
                    ("signature-input".to_owned(), format!("{LABEL}={}", self.parameters)),
                    ("signature".to_owned(), format!("{LABEL}=:{}:", STANDARD.encode(signature))),
                ];
            }
        };
        vec![("authorization".to_owned(), line)]
    }

    /// The request as the gate sees it, with this signature.
    pub(super) fn sent_with<T>(&self, carriers: &Lines, read: impl FnOnce(&RequestView<'_>) -> T) -> T {
        let all = self.headers.iter().chain(&self.added).chain(carriers);
        let headers: Vec<(&[u8], &[u8])> = all.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let ends_with_headers = self.body.is_empty();
        read(&RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers })
    }

    /// What the request says of its signature, as the gate reads it.
    ///
    /// # Errors
    /// What cannot be signed, in words.
    pub(super) fn read<'r>(&self, request: &RequestView<'r>) -> Result<SignedRequest<'r>, String> {
        let line = || request.sole_value("authorization").unwrap_or_default();
        let value = |scheme: &str| line().get(scheme.len().saturating_add(1)..).unwrap_or_default();
        let read = match self.arguments.form {
            Form::Sigv4 => sigv4::read(value("AWS4-HMAC-SHA256"), request),
            Form::Apinto => apinto::read(APINTO.as_bytes(), value(APINTO), request),
            Form::Message => message::read(request, self.arguments.tag.as_deref())
                .and_then(|read| read.ok_or(Fault::Malformed("it has no signature"))),
        };
        read.map_err(|fault| unsignable(&fault))
    }
}

/// Why a request cannot be signed.
pub(super) fn unsignable(fault: &Fault) -> String {
    match fault {
        Fault::Malformed(why) | Fault::BodyUnsigned(why) => format!("this cannot be signed: {why}"),
        Fault::Incomplete(name) => format!("this cannot be signed: it has {name}, which has to be signed, too"),
    }
}

/// The headers of the command line.
fn given(arguments: &SignArguments) -> Result<Lines, String> {
    let mut lines = Vec::new();
    for line in &arguments.header {
        let (name, value) = line.split_once(':').ok_or("--header: write 'name: value'")?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        if name.is_empty() || name.contains(char::is_whitespace) || value.contains(['\r', '\n', '\0']) {
            return Err("--header: write one line, 'name: value'".into());
        }
        let is_aksk = arguments.form != Form::Message;
        if OWN.contains(&name.as_str()) || is_aksk && name == "authorization" {
            return Err(format!("--header {name}: the command writes this one itself"));
        }
        lines.push((name, value));
    }
    Ok(lines)
}

/// The headers that are signed beside those that the form asks for: those that were chosen, otherwise all that were given.
fn chosen(arguments: &SignArguments, given: &Lines) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = if arguments.sign_header.is_empty() {
        given.iter().map(|(name, _)| name.clone()).collect()
    } else {
        arguments.sign_header.iter().map(|name| name.to_ascii_lowercase()).collect()
    };
    let is_there = |name: &String| name == "host" || given.iter().any(|(other, _)| other == name);
    if let Some(name) = names.iter().find(|name| !is_there(name)) {
        return Err(format!("--sign-header {name}: the request has no such header; give it with --header"));
    }
    // The authority is one of the components.
    names.retain(|name| arguments.form != Form::Message || name != "host");
    Ok(names)
}

fn quoted(name: &str) -> Result<String, String> {
    quoted_text("--component", name)
}

/// A string of RFC 9651.
fn quoted_text(option: &str, text: &str) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(format!("{option}: write printable ASCII"));
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}
