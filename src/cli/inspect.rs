//! `scopegate token inspect` and `scopegate jwks inspect`: show the content of a token or a key set, without trusting
//! it.

mod event;
mod proof;

use super::Output;
use super::explain::situation::Wanted;
use super::explain::{Request, read_token, verdict};
use super::moment::{self, span};
use super::named::Names;
use super::terminal::is_unsafe;
use crate::base::time::UnixSeconds;
use crate::base::{base64url, json};
use crate::checks::{fingerprint, is_opaque};
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::jose::{
    Bindings, Claims, Compact, Confirmation, Key, KeySet, KeySetError, MAX_CANDIDATES, Malformed, thumbprint,
};
use crate::policy::Limits;
use crate::revocation::StatusClaim;
use clap::Args;
use event::TokenOfEvents;
use serde_json::{Map, Value};
use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;

/// The largest key set file that is read, in bytes: more than any limit.
const MAX_KEY_SET_FILE: u64 = 64 << 20;

/// The token, and what would judge it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "The signature is never printed. The exit status is 1 when the token or its proof is bad for \
every gate, or the configuration refuses them.

Examples:
  scopegate token inspect @token.txt
  scopegate token inspect @token.txt --config scopegate.yaml --keys jwks.json --request 'GET /orders/1'
  scopegate token inspect @token.txt --config envoy.yaml --request 'GET /orders/1' --route orders
  scopegate token inspect @token.txt --at 2026-11-21T10:00:00Z")]
pub struct InspectTokenArguments {
    /// The token: its text, @FILE, or - for standard input
    #[arg(value_name = "TOKEN", default_value = "-")]
    pub token: String,
    /// What would refuse it: a plugin configuration, an Envoy YAML, a `WasmPlugin` or an `EnvoyExtensionPolicy`; more
    /// than once if listeners, routes and the filter are in separate files
    #[arg(long, value_name = "CONFIG")]
    pub config: Vec<PathBuf>,
    /// The request that presents it
    #[arg(long, value_name = "REQUEST", default_value = "GET /", requires = "config")]
    pub request: String,
    /// A header line of that request: 'name: value'
    #[arg(long, value_name = "LINE", requires = "config")]
    pub header: Vec<String>,
    /// The name of the route, in place of the one that Envoy's router would choose
    #[arg(long, value_name = "NAME", requires = "config")]
    pub route: Option<String>,
    /// The name of the virtual host, in place of the one that the host of the request leads to
    #[arg(long, value_name = "NAME", requires = "config")]
    pub virtual_host: Option<String>,
    /// The key set of an issuer whose keys are fetched; NAME=FILE if there are several
    #[arg(long, value_name = "FILE", requires = "config")]
    pub keys: Vec<String>,
    /// A revocation list as the gate would fetch it; NAME=FILE if there are several
    #[arg(long, value_name = "FILE", requires = "config")]
    pub revocations: Vec<String>,
    /// The certificate that the client shows: a file in PEM or DER, or the hexadecimal digits of its SHA-256
    #[arg(long, value_name = "FILE", requires = "config")]
    pub client_certificate: Option<String>,
    /// A DPoP proof that comes with it: its text or @FILE
    #[arg(long, value_name = "PROOF")]
    pub dpop: Option<String>,
    /// When: 2026-11-21T10:00:00Z or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
}

/// The key set.
#[derive(Args, Clone, Debug)]
#[command(after_help = "The exit status is 1 when no key can be used.

Examples:
  scopegate jwks inspect jwks.json")]
pub struct InspectKeysArguments {
    /// The file with the JSON Web Key Set, or - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// What every JWT begins with: an encoded `{"`. What begins so is none that is opaque.
pub(super) const JWT: &str = "eyJ";

/// Shows what a token says.
///
/// # Errors
/// When a file cannot be read, or an argument is not what it should be. No error quotes the token.
pub fn token(arguments: &InspectTokenArguments) -> Result<Output, Box<dyn Error>> {
    let token = read_token(&arguments.token)?;
    let proof = arguments.dpop.as_deref().map(read_token).transpose()?;
    let now = moment::instant(arguments.at.as_deref())?;
    let mut lines = vec!["not verified: anybody can write what stands here".to_owned()];
    let segments: Vec<&str> = token.split('.').collect();
    let is_opaque = is_opaque(token.as_bytes()) && !token.starts_with(JWT);
    let header = segments.first().filter(|_| segments.len() > 1).and_then(|text| object(text));
    let claims = segments.get(1).and_then(|text| object(text));
    for (name, part) in [("header", &header), ("claims", &claims)] {
        lines.push(part.as_ref().map_or_else(
            || format!("{name}: cannot be decoded"),
            |part| format!("{name} {}", printable(&format!("{:#}", Value::Object(part.clone())))),
        ));
    }
    let compact = Compact::parse(token.as_bytes());
    if let Ok(compact) = &compact {
        lines.push(format!("fingerprint {}", fingerprint(compact.signing_input)));
        lines.extend(times(&compact.claims, now));
        lines.extend(compact.claims.confirmation.as_deref().map(binding));
        lines.extend(status(&compact.claims));
    }
    let event = compact.as_ref().ok().and_then(TokenOfEvents::of);
    lines.extend(event.as_ref().map(TokenOfEvents::words));
    let mut failed = false;
    if let Err(Malformed(why)) = &compact {
        failed = true;
        if is_opaque {
            lines
                .push(format!("fingerprint {} if it is opaque, and its issuer made it", fingerprint(token.as_bytes())));
        }
        lines.push(format!("warning: no configuration takes it: {why}"));
    }
    lines.extend(
        warnings(&segments, header.as_ref(), claims.as_ref(), event.as_ref())
            .into_iter()
            .map(|text| format!("warning: {text}")),
    );
    if let Some(proof) = &proof {
        let inspected = proof::inspect(proof, &token, now);
        failed |= !inspected.refused.is_empty();
        lines.extend(inspected.lines);
        lines.extend(inspected.refused.iter().map(|why| format!("warning: no configuration takes the proof: {why}")));
    }
    if let Some(first) = arguments.config.first() {
        let names = Names { route: arguments.route.as_deref(), virtual_host: arguments.virtual_host.as_deref() };
        let wanted = Wanted {
            body: None,
            keys: &arguments.keys,
            revocations: &arguments.revocations,
            identities: &[],
            introspection: None,
            at: arguments.at.as_deref(),
            client_certificate: arguments.client_certificate.as_deref(),
            client_uri: None,
            client_dns: None,
            names,
        };
        let (verdict, allowed, notes) = match &event {
            Some(event) => event.verdict(&arguments.config, &wanted, &token)?,
            None => {
                let request = Request::read(&arguments.request, &arguments.header, Some(&token), proof.as_deref())?;
                verdict(&arguments.config, &wanted, &request)?
            }
        };
        failed |= !allowed;
        lines.push(format!("{}: {verdict}", first.display()));
        lines.extend(notes.iter().map(|note| format!("note: {note}")));
    }
    // A gate of another version may judge otherwise: its log names its own.
    lines.push(format!("judged by scopegate {}", crate::base::VERSION));
    Ok(Output { text: lines.join("\n"), failed })
}

/// A segment as a JSON object, duplicates and all.
fn object(segment: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&base64url::decode(segment.as_bytes())?).ok()
}

/// Lines for a terminal, with unsafe characters escaped.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && is_unsafe(character) {
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

/// The dates in words.
fn times(claims: &Claims, now: UnixSeconds) -> Vec<String> {
    let away = |at: UnixSeconds| span(at.0.abs_diff(now.0));
    let mut lines = Vec::new();
    if let Some(at) = claims.issued_at {
        let words = if at <= now { format!("issued {} ago", away(at)) } else { format!("issued in {}", away(at)) };
        lines.push(format!("{words} ({})", moment::written(at)));
    }
    if let Some(at) = claims.not_before.filter(|&at| now < at) {
        lines.push(format!("not good before {}, in {}", moment::written(at), away(at)));
    }
    if let Some(at) = claims.expires_at {
        let words =
            if at <= now { format!("expired {} ago", away(at)) } else { format!("good for another {}", away(at)) };
        lines.push(format!("{words} ({})", moment::written(at)));
    }
    if let (Some(from), Some(to)) = (claims.issued_at, claims.expires_at)
        && from < to
    {
        lines.push(format!("lifetime {}", span(to.0.abs_diff(from.0))));
    }
    lines
}

/// Where the status of the token is.
fn status(claims: &Claims) -> Option<String> {
    match StatusClaim::read(claims) {
        Ok(None) => None,
        Ok(Some(StatusClaim { uri, index })) => Some(printable(&format!(
            "status: entry {index} of the status list {uri}; what that says is not known here, and a gate without `status_list` does not ask"
        ))),
        Err(why) => Some(format!("warning: a gate with `status_list` refuses it: {why}")),
    }
}

/// What the token is bound to, in words.
fn binding(confirmation: &Confirmation) -> String {
    match confirmation {
        Confirmation::Bound(Bindings { key, certificate }) => {
            let key = key.map(|digest| format!("the key {}", base64url::encode(&digest)));
            let certificate = certificate.map(|digest| format!("the certificate {}", base64url::encode(&digest)));
            format!("bound to {}", [key, certificate].into_iter().flatten().collect::<Vec<_>>().join(" and "))
        }
        Confirmation::UnknownMethod => "warning: bound in a way that no configuration can check".to_owned(),
        Confirmation::Malformed(why) => format!("warning: {why}"),
    }
}

/// What no configuration accepts, or almost none.
fn warnings(
    segments: &[&str],
    header: Option<&Map<String, Value>>,
    claims: Option<&Map<String, Value>>,
    event: Option<&TokenOfEvents>,
) -> Vec<String> {
    let mut found = Vec::new();
    if segments.len() == 5 {
        found.push("five segments: this is an encrypted token (JWE), which is not read here".to_owned());
    }
    for (name, segment, part) in [("header", segments.first(), header), ("payload", segments.get(1), claims)] {
        let strict =
            segment.and_then(|text| base64url::decode(text.as_bytes())).and_then(|text| json::parse_object(&text));
        if part.is_some() && strict.is_none() {
            found.push(format!("the {name} has duplicate members: readers may take either of them"));
        }
    }
    if let Some(header) = header {
        match header.get("alg").and_then(Value::as_str) {
            Some(name) if name.eq_ignore_ascii_case("none") => found.push("alg none: it is not signed".to_owned()),
            Some(name) if Algorithm::from_name(name).is_none() => {
                found.push("alg is none that is known here".to_owned());
            }
            _ => {}
        }
        if header.contains_key("crit") {
            found.push("crit: no critical header parameter is understood".to_owned());
        }
        for name in ["jwk", "jku", "x5u", "x5c"].into_iter().filter(|name| header.contains_key(*name)) {
            found.push(format!("{name} is ignored: keys come from the configuration alone"));
        }
    }
    if let Some(claims) = claims {
        let needed = event.map_or(&["iss", "exp"][..], TokenOfEvents::needs);
        for name in needed.iter().filter(|name| !claims.contains_key(**name)) {
            found.push(format!("no {name}: no configuration takes it"));
        }
    }
    found
}

/// Shows which keys of a set can be used.
///
/// # Errors
/// When the file cannot be read, or holds no key set.
pub fn keys(arguments: &InspectKeysArguments) -> Result<Output, Box<dyn Error>> {
    let mut bytes = Vec::new();
    let is_stdin = arguments.file.as_os_str() == "-";
    let name = if is_stdin { "standard input".into() } else { arguments.file.display().to_string() };
    let read = if is_stdin {
        std::io::stdin().lock().take(MAX_KEY_SET_FILE).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(&arguments.file).and_then(|file| file.take(MAX_KEY_SET_FILE).read_to_end(&mut bytes))
    };
    read.map_err(|error| format!("cannot read {name}: {error}"))?;
    key_set(&name, &bytes, Limits::default())
}

/// Shows which keys of a set can be used, within these limits. `name` says where it comes from.
///
/// # Errors
/// When it is no key set, or too large.
pub(super) fn key_set(name: &str, bytes: &[u8], limits: Limits) -> Result<Output, Box<dyn Error>> {
    if bytes.len() > limits.jwks_bytes {
        return Err(format!("{name}: {}", KeySetError::TooLarge).into());
    }
    let named = |error: KeySetError| format!("{name}: {error}");
    let document = KeySet::read_document(bytes).map_err(named)?;
    let set = KeySet::read_members(&document, limits.jwks_keys).map_err(named)?;
    Ok(keys_told(&document, &set))
}

fn keys_told(document: &Map<String, Value>, set: &KeySet) -> Output {
    let members = document.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut usable = set.keys().iter();
    let mut lines = Vec::new();
    let mut count = 0_usize;
    for (index, member) in members.iter().enumerate() {
        let kid = member.get("kid").and_then(Value::as_str);
        let named =
            kid.map_or_else(|| "no kid".to_owned(), |kid| format!("kid {}", crate::base::text::shown(kid.as_bytes())));
        let what = match set.skipped().iter().find(|skipped| skipped.index == index) {
            Some(skipped) => format!("cannot be used: {}", skipped.why),
            None => {
                count += 1;
                // It is what `cnf.jkt` names a key by.
                let thumbprint =
                    thumbprint(member).map(|digest| format!("  thumbprint {}", base64url::encode(&digest)));
                let usable = usable.next().map_or_else(String::new, |key| format!("usable for {}", algorithms(key)));
                format!("{usable}{}", thumbprint.unwrap_or_default())
            }
        };
        lines.push(format!("keys[{index}]  {named}  {what}"));
    }
    let ids = set.keys().iter().map(|key| key.kid.as_deref());
    if let Some(kid) = ids.clone().find(|kid| ids.clone().filter(|other| other == kid).count() > MAX_CANDIDATES) {
        let kid =
            kid.map_or_else(|| "no kid".to_owned(), |kid| format!("kid {}", crate::base::text::shown(kid.as_bytes())));
        lines.push(format!("warning: more than {MAX_CANDIDATES} keys have {kid}; no more are tried for one token"));
    }
    lines.push(format!("{count} of {} keys can be used", members.len()));
    Output { text: lines.join("\n"), failed: count == 0 }
}

/// The algorithms that a key can check. Some have to be listed in `algorithms`.
fn algorithms(key: &Key) -> String {
    let default = AlgorithmSet::default_for_issuer();
    let fits = |algorithm: &Algorithm| key.algorithm.is_none_or(|only| only == *algorithm) && key.key.fits(*algorithm);
    let names: Vec<String> = Algorithm::ALL
        .into_iter()
        .filter(fits)
        .map(|algorithm| {
            let note = if default.contains(algorithm) { "" } else { " (where `algorithms` lists it)" };
            format!("{}{note}", algorithm.name())
        })
        .collect();
    names.join(", ")
}
