//! `scopegate explain`: the decision on one request, check by check, and why.

mod answer;
mod awaited;
mod before;
mod check_names;
mod deciders;
pub(super) mod event;
mod lists;
mod signed;
pub(super) mod situation;
mod undecided;

use super::Output;
use super::named::Names;
use super::terminal::clean;
use crate::base::text;
use crate::decision::Decision;
use crate::engine::brings_events;
use crate::request::RequestView;
use crate::security_event::SET_TYPE;
use before::Passage;
use clap::Args;
use situation::{Situation, Wanted};
use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;

/// The largest token file that is read, in bytes.
const MAX_TOKEN_FILE: u64 = 1 << 20;
/// The largest body that is read, in bytes: above every limit of messages.
const MAX_BODY_FILE: u64 = 8 << 20;

/// The request to explain.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The route is the one that Envoy's router chooses: virtual host by domain, then the first route \
whose path, headers, query
parameters and cookies match. What the files do not decide (safe_regex, runtime_fraction, dynamic_metadata and the like) is
undecided where it makes a difference: name the route with --route then.

Exit status: 0 the request is allowed, or its event taken, 1 it is refused, would wait, or is undecided, 2 something cannot be read.

Examples:
  scopegate explain scopegate.yaml --request 'GET /orders/1'
  scopegate explain scopegate.yaml --request 'GET /orders/1' --token @token.txt --keys jwks.json
  scopegate explain scopegate.yaml --request 'GET /orders/1' --token @token.txt --keys jwks.json --revocations revoked.jsonl
  scopegate explain scopegate.yaml --request 'POST /mcp' --token @token.txt --keys jwks.json --body @call.json
  scopegate explain scopegate.yaml --request 'POST /orders' --header 'host: api.example.com' --at 2026-11-21T10:00:00Z
  scopegate explain scopegate.yaml --request 'GET /orders' --header 'x-amz-date: 20261121T095900Z' \\
      --header 'authorization: AWS4-HMAC-SHA256 Credential=AKID/20261121/eu-west-1/orders/aws4_request, SignedHeaders=host;x-amz-date, Signature=...'
  scopegate explain envoy.yaml --request 'GET /orders/1' --route orders --json
  scopegate explain listeners.yaml routes.yaml --request 'GET /orders/1' --route orders"
)]
pub struct ExplainArguments {
    /// A plugin configuration (YAML or JSON), an Envoy YAML, an Istio `WasmPlugin` or an `EnvoyExtensionPolicy`;
    /// several files if listeners, routes and the filter are in separate files
    #[arg(required = true, value_name = "CONFIG")]
    pub config: Vec<PathBuf>,
    /// Method and path of the request: 'GET /orders/1'
    #[arg(long, value_name = "REQUEST")]
    pub request: String,
    /// A header line of the request: 'name: value'
    #[arg(long, value_name = "LINE")]
    pub header: Vec<String>,
    /// The bearer token: its text, @FILE, or - for standard input; never printed
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// A DPoP proof: its text or @FILE; the token is then sent with the scheme DPoP
    #[arg(long, value_name = "PROOF")]
    pub dpop: Option<String>,
    /// The certificate that the client shows: a file in PEM or DER, or the hexadecimal digits of its SHA-256
    #[arg(long, value_name = "FILE")]
    pub client_certificate: Option<String>,
    /// The first URI among the subject alternative names of that certificate
    #[arg(long, value_name = "URI")]
    pub client_uri: Option<String>,
    /// The first DNS name among them
    #[arg(long, value_name = "NAME")]
    pub client_dns: Option<String>,
    /// When: 2026-11-21T10:00:00Z or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// The key set of an issuer whose keys are fetched; NAME=FILE if there are several
    #[arg(long, value_name = "FILE")]
    pub keys: Vec<String>,
    /// A revocation list as the gate would fetch it: JSON Lines, binary or signed; NAME=FILE if there are several
    #[arg(long, value_name = "FILE")]
    pub revocations: Vec<String>,
    /// The document with the identities of a set, as the gate would fetch it; NAME=FILE if there are several
    #[arg(long, value_name = "FILE")]
    pub identities: Vec<String>,
    /// What the issuer answers when it is asked about the opaque token: a file with JSON
    #[arg(long, value_name = "FILE")]
    pub introspection: Option<String>,
    /// The body of the request, such as an MCP message, an event, or one that is signed: its text, @FILE, or - for standard
    /// input. Without a header that names its type it is what it looks like: a Security Event Token, a form with a logout
    /// token, or else application/json
    #[arg(long, value_name = "BODY")]
    pub body: Option<String>,
    /// The name of the route, in place of the one that Envoy's router would choose
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// The name of the virtual host, in place of the one that the host of the request leads to
    #[arg(long, value_name = "NAME")]
    pub virtual_host: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// A request of the command line.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Lines with lower-case names, pseudo-headers first.
    headers: Vec<(String, String)>,
    /// Whether the lines have a host; without one it is `localhost`.
    names_host: bool,
    /// Method and path, for the answer: without the query, which may hold a token.
    shown: String,
}

/// Explains the decision on a request.
///
/// # Errors
/// When a file cannot be read, or an argument is not what it should be. No error quotes a token.
pub fn run(arguments: &ExplainArguments) -> Result<Output, Box<dyn Error>> {
    let token = arguments.token.as_deref().map(read_token).transpose()?;
    let proof = arguments.dpop.as_deref().map(read_token).transpose()?;
    let mut request = Request::read(&arguments.request, &arguments.header, token.as_deref(), proof.as_deref())?;
    let body = arguments.body.as_deref().map(|given| read_given(given, "the body", MAX_BODY_FILE)).transpose()?;
    let is_named = (body.is_some() || arguments.request.starts_with("POST "))
        && request.name_media_type(body.as_deref().unwrap_or_default());
    let wanted = Wanted {
        keys: &arguments.keys,
        revocations: &arguments.revocations,
        identities: &arguments.identities,
        introspection: arguments.introspection.as_deref(),
        body: body.as_deref(),
        at: arguments.at.as_deref(),
        client_certificate: arguments.client_certificate.as_deref(),
        client_uri: arguments.client_uri.as_deref(),
        client_dns: arguments.client_dns.as_deref(),
        names: Names { route: arguments.route.as_deref(), virtual_host: arguments.virtual_host.as_deref() },
    };
    let situation = Situation::read(&arguments.config, &wanted, &request)?;
    if is_named && body.is_none() && brings_events(&situation.policy, &situation.view(&request.lines())) {
        request.rename_media_type(SET_TYPE);
    }
    let (text, allowed) = match before::pass(&situation, &request) {
        Passage::ToTheGate(seen, before) => {
            let explanation = answer::explain(&situation, &seen, Told { sent: &request.shown, before });
            let text = if arguments.json { explanation.to_json() } else { explanation.to_text() };
            (text, explanation.is_allowed())
        }
        Passage::Answered(answer) => (if arguments.json { answer.to_json() } else { answer.to_text() }, false),
        Passage::Undecided(told) => (if arguments.json { told.to_json() } else { told.to_text() }, false),
    };
    let text = if arguments.json { text } else { clean(&text) };
    Ok(Output { text, failed: !allowed })
}

/// What is told about a request beside the decision.
struct Told<'r> {
    /// As it was sent.
    sent: &'r str,
    /// What Envoy did to it.
    before: Option<String>,
}

/// The decision on a request in one line, whether it is allowed, and notes for the reader.
///
/// # Errors
/// As [`run`].
pub(super) fn verdict(
    files: &[PathBuf],
    wanted: &Wanted<'_>,
    request: &Request,
) -> Result<(String, bool, Vec<String>), Box<dyn Error>> {
    let situation = Situation::read(files, wanted, request)?;
    let (verdict, allowed) = match before::pass(&situation, request) {
        Passage::ToTheGate(seen, before) => {
            let explanation = answer::explain(&situation, &seen, Told { sent: &request.shown, before });
            (explanation.verdict_with_cause(), explanation.is_allowed())
        }
        Passage::Answered(answer) => (answer.verdict(), false),
        Passage::Undecided(told) => (told.verdict(), false),
    };
    Ok((verdict, allowed, situation.notes))
}

/// A token: its text, `@FILE`, or `-`. White space around it, and `Bearer` before it, are not part of it.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn read_token(given: &str) -> Result<String, Box<dyn Error>> {
    let bytes = read_given(given, "the token", MAX_TOKEN_FILE)?;
    let text = String::from_utf8(bytes).map_err(|_| "cannot read the token: it is no text")?;
    let text = text.trim();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if ["bearer", "dpop"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            token.trim()
        }
        _ => text,
    };
    if token.is_empty() { Err("the token is empty".into()) } else { Ok(token.to_owned()) }
}

/// What an option gives: its text, `@FILE`, or `-` for standard input.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn read_given(given: &str, what: &str, limit: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    if given == "-" {
        let read = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
        read.map_err(|error| format!("cannot read {what} from standard input: {error}"))?;
    } else if let Some(file) = given.strip_prefix('@') {
        let read = std::fs::File::open(file).and_then(|opened| opened.take(limit).read_to_end(&mut bytes));
        read.map_err(|error| format!("cannot read {what} from {file}: {error}"))?;
    } else {
        bytes.extend_from_slice(given.as_bytes());
    }
    Ok(bytes)
}

impl Request {
    /// Reads `METHOD TARGET` and header lines.
    ///
    /// # Errors
    /// When they cannot be read; the error quotes neither.
    pub(super) fn read(
        line: &str,
        lines: &[String],
        token: Option<&str>,
        proof: Option<&str>,
    ) -> Result<Self, Box<dyn Error>> {
        const WANTED: &str = "--request: write a method and a path, such as 'GET /orders/1'";
        let (method, target) = line.split_once(' ').ok_or(WANTED)?;
        if method.is_empty() || target.contains(' ') || !(target.starts_with('/') || target == "*") {
            return Err(WANTED.into());
        }
        let mut authority = None;
        let mut rest = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or("--header: write 'name: value'")?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
            if name.is_empty() || name.contains(char::is_whitespace) || value.contains(['\r', '\n', '\0']) {
                return Err("--header: write one line, 'name: value'".into());
            }
            if name == "host" { authority = Some(value) } else { rest.push((name, value)) }
        }
        let names_host = authority.is_some();
        let mut headers = vec![
            (":method".to_owned(), method.to_owned()),
            (":authority".to_owned(), authority.unwrap_or_else(|| "localhost".to_owned())),
            (":path".to_owned(), target.to_owned()),
        ];
        headers.extend(rest);
        let scheme = if proof.is_some() { "DPoP" } else { "Bearer" };
        headers.extend(token.map(|token| ("authorization".to_owned(), format!("{scheme} {token}"))));
        headers.extend(proof.map(|proof| ("dpop".to_owned(), proof.to_owned())));
        let shown = shown_target(method, target);
        Ok(Self { headers, names_host, shown })
    }

    /// Says what the body is, unless a header does: an event, or JSON. Returns whether none did.
    fn name_media_type(&mut self, body: &[u8]) -> bool {
        let has_none = self.headers.iter().all(|(name, _)| name != "content-type");
        if has_none {
            let media_type = event::media_type(body).unwrap_or("application/json");
            self.headers.push(("content-type".to_owned(), media_type.to_owned()));
        }
        has_none
    }

    fn rename_media_type(&mut self, media_type: &str) {
        for (_, value) in self.headers.iter_mut().filter(|(name, _)| name == "content-type") {
            media_type.clone_into(value);
        }
    }

    /// The path with its query.
    fn target(&self) -> &str {
        self.headers.iter().find(|(name, _)| name == ":path").map_or("", |(_, value)| value)
    }

    fn is_grpc(&self) -> bool {
        let lines = self.lines();
        RequestView { headers: &lines, route_name: None, virtual_host: None, ends_with_headers: true }.is_grpc()
    }

    /// This request with another target.
    fn with_target(&self, target: &str) -> Self {
        let mut headers = self.headers.clone();
        let mut method = "";
        for (name, value) in &mut headers {
            if name == ":path" {
                target.clone_into(value);
            }
        }
        if let Some((_, value)) = self.headers.iter().find(|(name, _)| name == ":method") {
            method = value;
        }
        Self { headers, names_host: self.names_host, shown: shown_target(method, target) }
    }

    fn lines(&self) -> Vec<(&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
    }
}

/// Method and path as they may be shown: without the query, and without a path that holds a token.
fn shown_target(method: &str, target: &str) -> String {
    let (path, query) = target.split_once('?').map_or((target, ""), |(path, _)| (path, "?..."));
    let mut reading = path.as_bytes().to_vec();
    let mut holds_token = false;
    for _ in 0..3 {
        holds_token |= reading.windows(3).any(|part| part == b"eyJ");
        reading = text::percent_decode(&reading);
    }
    let path = if holds_token { "/..." } else { path };
    text::shown(format!("{method} {path}{query}").as_bytes())
}

/// Whether the request goes on.
const fn goes_on(decision: &Decision) -> bool {
    match decision {
        Decision::Allow(_) => true,
        Decision::Deny(_) | Decision::Serve(_) | Decision::Receive(_) => false,
        Decision::Await(pending) => pending.report_only,
    }
}
