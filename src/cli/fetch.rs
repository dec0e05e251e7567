//! `scopegate jwks fetch`: fetches the key sets that a gate would fetch, and judges them.

use super::Output;
use super::destination;
use super::gates::{self, find};
use super::http::{agent, check_address};
use super::inspect;
use super::source::Source;
use crate::base::text::shown;
use crate::config::Loaded;
use crate::policy::{Issuer, KeyOrigin, KeySource, Limits, jwks_endpoint};
use clap::Args;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;

/// What to fetch, and what to do with it.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "It prints what `jwks inspect` prints. No redirect is followed: Envoy follows none either. The connection is
made from here, with the CA certificates of this machine (SSL_CERT_FILE names others), and through the proxy that
HTTPS_PROXY names; the gate's goes through its Envoy cluster, and may fare otherwise.

Exit status: 0 every set has a key that can be used, 1 one has none, 2 one cannot be fetched or is no key set.

Examples:
  scopegate jwks fetch https://idp.example.com/jwks.json
  scopegate jwks fetch scopegate.yaml
  scopegate jwks fetch listeners.yaml filters.yaml --issuer idp --output jwks.json"
)]
pub struct FetchArguments {
    /// The address of a key set; or a plugin configuration, an Envoy YAML, a `WasmPlugin` or an `EnvoyExtensionPolicy`
    /// whose issuers' key sets are fetched, from `jwks.uri` or from the address in their metadata (`jwks.discovery`)
    #[arg(required = true, value_name = "URI|CONFIG")]
    pub from: Vec<String>,
    /// Only the key set of the issuer with this name
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
    /// Also writes the key set to a file, as it came
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How long one fetch may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub timeout: u64,
}

/// A key set to be fetched.
struct WantedKeys {
    /// The name of the issuer, if a configuration gives it.
    issuer: Option<String>,
    place: Location,
    limits: Limits,
}

/// Where it is.
#[derive(Clone, PartialEq, Eq)]
enum Location {
    /// At this address.
    Address(String),
    /// The address in the metadata of this issuer, which is at the first of these addresses that has it.
    Discovery { issuer: String, metadata: Vec<String> },
}

/// Fetches key sets and shows which of their keys can be used.
///
/// # Errors
/// When one cannot be fetched, is no key set, or cannot be written. All are tried first.
pub fn run(arguments: &FetchArguments) -> Result<Output, Box<dyn Error>> {
    let wanted = wanted(&arguments.from, arguments.issuer.as_deref())?;
    if let (Some(file), [_, _, ..]) = (&arguments.output, wanted.as_slice()) {
        let issuers = names(&wanted);
        return Err(format!(
            "--output {}: there are {} key sets; choose one with --issuer: {issuers}",
            file.display(),
            wanted.len()
        )
        .into());
    }
    let agent = agent(Duration::from_secs(arguments.timeout))?;
    let (mut parts, mut failures) = (Vec::new(), Vec::new());
    let mut failed = false;
    for one in &wanted {
        match fetch_one(&agent, one, arguments.output.as_deref()) {
            Ok(output) => {
                failed |= output.failed;
                parts.push(output.text);
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    match (parts.is_empty(), failures.is_empty()) {
        (_, true) => Ok(Output { text: parts.join("\n\n"), failed }),
        (true, _) => Err(failures.join("\n").into()),
        (false, _) => {
            Err(format!("not all key sets could be fetched\n{}\n\n{}", failures.join("\n"), parts.join("\n\n")).into())
        }
    }
}

/// The key sets that are named: one by its address, or those of the issuers in files.
fn wanted(from: &[String], issuer: Option<&str>) -> Result<Vec<WantedKeys>, Box<dyn Error>> {
    let (addresses, files): (Vec<&String>, Vec<&String>) = from.iter().partition(|text| text.contains("://"));
    let mut wanted = Vec::new();
    for address in addresses {
        wanted.push(WantedKeys { issuer: None, place: Location::Address(address.clone()), limits: Limits::default() });
    }
    if !files.is_empty() {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let sources = Source::read_all(&files)?;
        let gates = find(&sources);
        if gates.is_empty() {
            return Err(gates::nothing_found(&sources).into());
        }
        for gate in &gates {
            let Loaded { policy, settings, .. } = gate.policy.as_ref().map_err(|error| gate.refused(error))?;
            wanted.extend(policy.issuers.iter().filter_map(|issuer| remote(issuer, settings.limits)));
        }
        // Two filters may name the same issuer.
        wanted.dedup_by(|later, earlier| later.place == earlier.place && later.issuer == earlier.issuer);
        if wanted.is_empty() {
            return Err(
                format!("{}: no issuer has a jwks.uri or jwks.discovery to fetch", Source::names(&sources)).into()
            );
        }
    }
    if let Some(name) = issuer {
        let known = names(&wanted);
        wanted.retain(|one| one.issuer.as_deref() == Some(name));
        if wanted.is_empty() {
            return Err(format!(
                "--issuer {name}: no issuer with a jwks.uri or jwks.discovery has this name; there are {known}"
            )
            .into());
        }
    }
    Ok(wanted)
}

fn remote(issuer: &Issuer, limits: Limits) -> Option<WantedKeys> {
    let KeySource::Remote(keys) = &issuer.keys else { return None };
    let place = match &keys.origin {
        KeyOrigin::Document(endpoint) => Location::Address(endpoint.uri.clone()),
        KeyOrigin::Discovery { metadata, .. } => Location::Discovery {
            issuer: issuer.issuer.clone(),
            metadata: metadata.iter().map(|endpoint| endpoint.uri.clone()).collect(),
        },
    };
    Some(WantedKeys { issuer: Some(issuer.name.clone()), place, limits })
}

fn names(wanted: &[WantedKeys]) -> String {
    let names: Vec<&str> = wanted.iter().filter_map(|one| one.issuer.as_deref()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn fetch_one(agent: &Agent, wanted: &WantedKeys, output: Option<&Path>) -> Result<Output, Box<dyn Error>> {
    let (uri, found_in) = match &wanted.place {
        Location::Address(uri) => (uri.clone(), None),
        Location::Discovery { issuer, metadata } => {
            let (uri, found_in) = discover(agent, issuer, metadata, wanted.limits)?;
            (uri, Some(found_in))
        }
    };
    let (bytes, form) = fetch(agent, &uri, wanted.limits)?;
    judge(wanted, (&uri, found_in.as_deref()), &bytes, output).map_err(|error| format!("{error}{form}").into())
}

/// The address of an issuer's key set, and that of the metadata that names it.
fn discover(
    agent: &Agent,
    issuer: &str,
    places: &[String],
    limits: Limits,
) -> Result<(String, String), Box<dyn Error>> {
    let mut failures = Vec::new();
    for place in places {
        let read = |(bytes, form): (Vec<u8>, String)| {
            let found = jwks_endpoint(&bytes, issuer, "").map_err(|why| format!("{place}: {why}{form}"));
            Ok(found?.uri)
        };
        match fetch(agent, place, limits).and_then(read) {
            Ok(uri) => return Ok((uri, place.clone())),
            Err(error) => failures.push(error.to_string()),
        }
    }
    Err(failures.join("\n").into())
}

/// The document at an address, and the form that its headers state, for messages.
fn fetch(agent: &Agent, uri: &str, limits: Limits) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    check_address(uri)?;
    let broken = |error: ureq::Error| match error {
        ureq::Error::Timeout(_) => format!("{uri}: no answer in time; see --timeout"),
        ureq::Error::BodyExceedsLimit(_) => {
            format!("{uri}: larger than limits.jwks_bytes, {} bytes: the gate would not take it", limits.jwks_bytes)
        }
        error => format!("{uri}: cannot be fetched: {}", shown(error.to_string().as_bytes())),
    };
    let mut response =
        agent.get(uri).header("accept", "application/jwk-set+json, application/json").call().map_err(broken)?;
    let status = response.status();
    if status.is_redirection() {
        let location = response
            .headers()
            .get("location")
            .map_or_else(String::new, |value| format!(" to {}", shown(value.as_bytes())));
        return Err(format!(
            "{uri}: redirects{location} (status {}), which Envoy does not follow: name the address of the key set itself",
            status.as_u16()
        )
        .into());
    }
    if status.as_u16() != 200 {
        return Err(format!("{uri}: answered with status {} in place of 200", status.as_u16()).into());
    }
    let told = ["content-type", "content-encoding"].into_iter().filter_map(|name| {
        let value = response.headers().get(name)?;
        Some(format!("{name} {}", shown(value.as_bytes())))
    });
    let form = told.collect::<Vec<_>>().join(", ");
    let form = if form.is_empty() { form } else { format!(" ({form})") };
    // One byte more is read, to tell a document that is too large from one that just fits.
    let most = u64::try_from(limits.jwks_bytes)?;
    Ok((response.body_mut().with_config().limit(most.saturating_add(1)).read_to_vec().map_err(broken)?, form))
}

/// Shows what came, and writes it.
fn judge(
    wanted: &WantedKeys,
    (uri, found_in): (&str, Option<&str>),
    bytes: &[u8],
    output: Option<&Path>,
) -> Result<Output, Box<dyn Error>> {
    let judged = inspect::key_set(uri, bytes, wanted.limits)?;
    if let Some(file) = output {
        destination::write(file, bytes)?;
    }
    let issuer = wanted.issuer.as_ref().map_or_else(String::new, |name| format!("issuer {name}: "));
    let found_in = found_in.map_or_else(String::new, |place| format!(" (so says {place})"));
    let mut text = format!("{issuer}{uri}{found_in}, {} bytes\n{}", bytes.len(), judged.text);
    if uri.starts_with("http://") {
        text.push_str("\nwarning: fetched in plain text: a machine in between can put in keys");
    }
    Ok(Output { text, failed: judged.failed })
}
