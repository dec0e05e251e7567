//! `scopegate sign`: signs a request as a client does, with the code by which the gate reads signatures.

mod case;
mod curl;
mod draft;
mod proof;
mod target;

pub(in crate::cli) use case::{CaseToSign, sign_case};

use super::explain::read_given;
use super::moment;
use super::signing::SigningKey;
use crate::base::base64url;
use crate::crypto::{hmac, sha256};
use crate::signature::{Payload, SignedRequest, sigv4};
use clap::{Args, ValueEnum};
use draft::{Draft, Lines};
use std::error::Error;
use std::path::PathBuf;

/// The largest body that is read, in bytes.
const MAX_BODY: u64 = 64 << 20;

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// AWS Signature Version 4
    Sigv4,
    /// That of Apinto and APIPark
    Apinto,
    /// HTTP Message Signatures (RFC 9421)
    #[value(alias = "signature")]
    Message,
}

/// The request to sign.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The secret is read from the environment: an argument could be read by others on the machine. It is not printed.
Headers that are given are signed, too, unless --sign-header says which.

Examples:
  scopegate jwks generate --algorithm EdDSA --kid bank-1 > key.json
  scopegate sign --form message --key key.json --tag orders-gate --curl --body @call.json POST https://api.example.com/payments
  BATCH_SECRET=wJalrXUtnFEMI/K7MDENG scopegate sign --form sigv4 --key-id AKIDBATCH1 --secret-env BATCH_SECRET --region eu-west-1 \\
      --service orders GET 'https://api.example.com/orders?b=2&a=1'
  SHOP_SECRET=0123456789abcdefghij scopegate sign --form apinto --key-id 0f8c6f1e-shop --secret-env SHOP_SECRET --explain \\
      --header 'content-type: application/json' --body '{\"qty\":2}' POST https://api.example.com/catalog"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub struct SignArguments {
    /// The form of the signature
    #[arg(long, value_name = "FORM")]
    pub form: Form,
    /// How the request names the key; without it the kid of --key
    #[arg(long, value_name = "ID")]
    pub key_id: Option<String>,
    /// The environment variable with the secret
    #[arg(long, value_name = "NAME", required_unless_present = "key", conflicts_with = "key")]
    pub secret_env: Option<String>,
    /// A file with a private JSON Web Key, for --form message
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The region of the scope, for --form sigv4
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The service of the scope, for --form sigv4
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// A header line of the request: 'name: value'
    #[arg(long, value_name = "LINE")]
    pub header: Vec<String>,
    /// The body: its text, @FILE, or - for standard input
    #[arg(long, value_name = "BODY")]
    pub body: Option<String>,
    /// A header to sign, in place of all that are given; what the form asks for is always signed
    #[arg(long, value_name = "NAME")]
    pub sign_header: Vec<String>,
    /// A further component to sign, such as @scheme, for --form message
    #[arg(long, value_name = "NAME")]
    pub component: Vec<String>,
    /// The parameter tag, for --form message
    #[arg(long, value_name = "TEXT")]
    pub tag: Option<String>,
    /// The nonce, for --form message (a random one by default) and --form apinto (none by default)
    #[arg(long, value_name = "TEXT", conflicts_with = "no_nonce")]
    pub nonce: Option<String>,
    /// Leaves the nonce out, for --form message
    #[arg(long)]
    pub no_nonce: bool,
    /// How long it is good: a whole number and s, m or h, for --form message
    #[arg(long, value_name = "DURATION")]
    pub expires_in: Option<String>,
    /// Signs the digest of the body in x-amz-content-sha256, for --form sigv4: the gate need not hold the body then
    #[arg(long)]
    pub content_sha256: bool,
    /// When it is signed: 2026-11-21T10:00:00Z or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// Prints a command of curl that sends the request
    #[arg(long)]
    pub curl: bool,
    /// Prints the canonical request and the string to sign, too
    #[arg(long)]
    pub explain: bool,
    /// The method
    #[arg(value_name = "METHOD")]
    pub method: String,
    /// The URL
    #[arg(value_name = "URL")]
    pub url: String,
}

/// What signs.
enum Signer {
    Secret(String),
    Key(Box<SigningKey>),
}

/// Signs a request.
///
/// # Errors
/// When an argument is not what it should be, or something of the request cannot be signed. No error quotes the secret.
pub fn run(arguments: &SignArguments) -> Result<String, Box<dyn Error>> {
    check_options(arguments)?;
    let signer = signer(arguments)?;
    let of_key = match &signer {
        Signer::Key(key) => key.kid.as_deref(),
        Signer::Secret(_) => None,
    };
    let key_id = arguments.key_id.as_deref().or(of_key).ok_or("write --key-id: the request names its key by it")?;
    let now = moment::instant(arguments.at.as_deref())?;
    let given = arguments.body.as_deref();
    let body = given.map(|given| read_given(given, "the body", MAX_BODY)).transpose()?.unwrap_or_default();
    let draft = Draft::new(arguments, key_id, body, now)?;
    let (text, canonical, signature) = signed(&draft, &signer)?;
    let carriers = draft.carrying(&signature);
    draft.sent_with(&carriers, |request| proof::check(&draft, request, (arguments, key_id, &signer), now))?;
    let mut parts =
        vec![if arguments.curl { curl::command(&draft, arguments, &carriers)? } else { lines(&draft, &carriers) }];
    if arguments.explain {
        parts.extend(canonical.map(|text| format!("canonical request:\n{}", String::from_utf8_lossy(&text))));
        parts.push(format!("string to sign:\n{}", String::from_utf8_lossy(&text)));
    }
    Ok(parts.join("\n\n"))
}

/// The string to sign, the canonical request, and the signature.
type Made = (Vec<u8>, Option<Vec<u8>>, Vec<u8>);

/// Signs a request.
fn signed(draft: &Draft<'_>, signer: &Signer) -> Result<Made, Box<dyn Error>> {
    // The text does not depend on the signature that is read with it.
    draft.sent_with(&draft.carrying(&[0; 32]), |request| {
        let read = draft.read(request)?;
        let digest = (read.payload() == Payload::Body).then(|| sha256(&draft.body));
        let unsignable = |fault| draft::unsignable(&fault);
        let text = read.string_to_sign(request, digest.as_ref()).map_err(unsignable)?;
        let canonical = read.canonical_request(request, digest.as_ref()).map_err(unsignable)?;
        let signature = signer.sign(&read, &text)?;
        Ok((text, canonical, signature))
    })
}

/// The headers to add to the request.
fn lines(draft: &Draft<'_>, carriers: &Lines) -> String {
    let all = draft.added.iter().chain(carriers);
    all.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}

/// Options that another form has, and those that this one needs.
fn check_options(arguments: &SignArguments) -> Result<(), String> {
    let is = |form| arguments.form == form;
    let (sigv4, apinto, message) = (is(Form::Sigv4), is(Form::Apinto), is(Form::Message));
    for (option, given, fits) in [
        ("--region", arguments.region.is_some(), sigv4),
        ("--service", arguments.service.is_some(), sigv4),
        ("--content-sha256", arguments.content_sha256, sigv4),
        ("--component", !arguments.component.is_empty(), message),
        ("--tag", arguments.tag.is_some(), message),
        ("--nonce", arguments.nonce.is_some(), message || apinto),
        ("--no-nonce", arguments.no_nonce, message),
        ("--expires-in", arguments.expires_in.is_some(), message),
        ("--key", arguments.key.is_some(), message),
    ] {
        if given && !fits {
            return Err(format!("{option}: signatures of this form have nothing of the kind; leave it out"));
        }
    }
    match (sigv4, &arguments.region, &arguments.service) {
        (true, None, _) => Err("--form sigv4 needs --region".to_owned()),
        (true, _, None) => Err("--form sigv4 needs --service".to_owned()),
        _ => Ok(()),
    }
}

fn signer(arguments: &SignArguments) -> Result<Signer, Box<dyn Error>> {
    if let Some(path) = &arguments.key {
        return Ok(Signer::Key(Box::new(SigningKey::read(path)?)));
    }
    let name = arguments.secret_env.as_deref().unwrap_or_default();
    let secret =
        std::env::var(name).map_err(|_| format!("the environment variable {name} is not set, or is no text"))?;
    // As the gate reads it.
    Ok(Signer::Secret(secret.trim().to_owned()))
}

impl Signer {
    fn sign(&self, signed: &SignedRequest<'_>, text: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(match (self, signed.scope) {
            (Self::Key(key), _) => key.sign(text)?,
            (Self::Secret(secret), None) => hmac(secret.as_bytes(), text).to_vec(),
            (Self::Secret(secret), Some(scope)) => hmac(&sigv4::derived_key(secret.as_bytes(), &scope), text).to_vec(),
        })
    }
}

/// A nonce that is good for one request.
fn random_nonce() -> Result<String, String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| format!("there are no random numbers: {error}"))?;
    Ok(base64url::encode(&random))
}
