//! What a refused client is told: the only place with status codes.
//!
//! [RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3) and
//! [RFC 9449 section 7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1) for the challenges,
//! [RFC 9470 section 3](https://www.rfc-editor.org/rfc/rfc9470#section-3) for that of a step-up,
//! [RFC 7617 section 2](https://www.rfc-editor.org/rfc/rfc7617#section-2) for that of a password,
//! [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) for the body,
//! [RFC 9110 section 11](https://www.rfc-editor.org/rfc/rfc9110#section-11) for the grammar. Nothing of the request is
//! ever part of an answer.

mod answers;
mod event;
mod metadata;
mod rpc;
mod texts;

pub use event::received;
pub use metadata::metadata;

use crate::decision::{CredentialKind, Denial, EventRefusal, Reason, Schemes, StepUp, Trace};
use crate::policy::{
    AUTHORIZATION, CredentialSet, Dpop, KeyPlace, Policy, ResourceId, Scope, SetId, SetKind, SignatureForm,
    SignatureTerms, Signatures, Source,
};
use answers::answer;
use rpc::Rpc;
use serde_json::json;
use std::borrow::Cow;
use std::rc::Rc;

/// An answer in the place of the upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header lines, content type included.
    pub headers: Vec<(&'static str, String)>,
    /// A problem document, or one line of text for gRPC, where it becomes the `grpc-message`.
    pub body: String,
    /// The gRPC status, for clients that speak gRPC.
    pub grpc_status: i32,
    /// `%RESPONSE_CODE_DETAILS%`: `scopegate_` and the reason.
    pub details: String,
}

const IN_AUTHORIZATION: &str = "This resource needs an access token in the Authorization header";
const AUTHORIZATION_MALFORMED: &str = "The Authorization header is malformed";
/// The error of a challenge that asks for another authentication (RFC 9470 section 3).
const STEP_UP: &str = "insufficient_user_authentication";
/// How a challenge for a user name and a password begins (RFC 7617 section 2).
const BASIC: &str = "Basic ";

/// Renders a refusal of a request that was judged so far.
#[must_use]
pub fn render(denial: &Denial, trace: &Trace, terms: &Terms, grpc: bool) -> Reply {
    Answer::of(denial, trace).render(terms, grpc)
}

/// The HTTP status of a refusal of a request that was judged so far.
#[must_use]
pub fn status(denial: &Denial, trace: &Trace, terms: &Terms) -> u16 {
    let answer = Answer::of(denial, trace);
    answer.status_with(&answer.challenges(terms))
}

/// What challenges say that is the same for all refusals of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Printable ASCII without `"` and `\`, which the configuration makes sure of.
    pub realm: String,
    /// The names of the algorithms that proofs may be signed with, spaces between them.
    pub algs: String,
    /// Whether tokens have places other than `authorization`.
    pub has_other_places: bool,
    /// For each set of credentials how its challenges begin.
    pub sets: Vec<Vec<String>>,
    /// For each set of credentials what a message signature has to be (RFC 9421 section 5.1); empty for other sets.
    pub accept_signature: Vec<String>,
    /// For each resource the parameter that has the address of its metadata.
    pub metadata: Vec<String>,
}

impl Terms {
    /// Those of a policy that reads no proofs, and has no sets of credentials.
    #[must_use]
    pub fn of_realm(realm: &str) -> Self {
        Self { realm: realm.to_owned(), ..Self::default() }
    }

    /// Those of a policy, with this `realm`.
    #[must_use]
    pub fn of(policy: &Policy, realm: &str) -> Self {
        let algs = policy.dpop.as_ref().map_or_else(String::new, Dpop::algorithm_names);
        let of_set = |set: &CredentialSet| match &set.kind {
            // No challenge asks for a certificate.
            SetKind::Certificates(_) => vec![],
            SetKind::Signatures(signatures) => schemes_of(signatures, realm),
            SetKind::Passwords(_) => vec![format!("{BASIC}realm=\"{realm}\", charset=\"UTF-8\"")],
            SetKind::ApiKeys(keys) => keys.places.iter().map(|place| challenge_of(place, realm)).collect(),
            // As draft-broyer-http-cookie-auth had it: RFC 9110 wants a challenge, and no standard has one for cookies.
            SetKind::Cookie(cookie) => vec![format!("Cookie realm=\"{realm}\", cookie-name=\"{}\"", cookie.name)],
        };
        let sets = policy.credentials.iter().map(of_set).collect();
        let accept_signature = policy.credentials.iter().map(accept_signature).collect();
        Self {
            realm: realm.to_owned(),
            algs,
            has_other_places: policy.token_places.has_others() || policy.cookies().next().is_some(),
            sets,
            accept_signature,
            metadata: policy.resources.iter().map(metadata::parameter).collect(),
        }
    }
}

/// How challenges for the signatures of a set begin. RFC 9421 has no scheme: what it has to cover is in `Accept-Signature`.
fn schemes_of(signatures: &Signatures, realm: &str) -> Vec<String> {
    let schemes: &[&str] = match signatures.terms.form {
        SignatureForm::Sigv4 { .. } => &["AWS4-HMAC-SHA256"],
        SignatureForm::Apinto => &["HMAC-SHA256"],
        SignatureForm::Message { .. } => &["Signature"],
    };
    schemes.iter().map(|scheme| format!("{scheme} realm=\"{realm}\"")).collect()
}

/// The components that a message signature has to cover, and its parameters, up to the end of the list of components.
fn accept_signature(set: &CredentialSet) -> String {
    let terms = set.signatures().map(|signatures| &signatures.terms);
    let Some(SignatureTerms { form: SignatureForm::Message { tag, .. }, covered, .. }) = terms else {
        return String::new();
    };
    let names: Vec<String> = covered.iter().map(|name| format!("\"{name}\"")).collect();
    let tag = tag.as_ref().map_or_else(String::new, |tag| format!(";tag=\"{tag}\""));
    format!("sig=({});created{tag}", names.join(" "))
}

/// How a challenge for the keys of a place begins. No standard has a scheme for a header of its own.
fn challenge_of(place: &KeyPlace, realm: &str) -> String {
    match &place.scheme {
        Some(scheme) if place.header == AUTHORIZATION => format!("{scheme} realm=\"{realm}\""),
        _ => format!("ApiKey realm=\"{realm}\", header=\"{}\"", place.header),
    }
}

/// Whether the query has to leave the request before it is refused: the operator's own access log would print it.
#[must_use]
pub const fn hides_query(denial: &Denial) -> bool {
    matches!(denial, Denial::TokenInQuery)
}

/// An answer before it is rendered: everything of a refusal that the client is told. Two refusals with equal answers get
/// the same reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'d> {
    reason: Reason,
    status: u16,
    challenge: Challenge<'d>,
    /// The sources of credentials that are good here; `None`: tokens.
    sources: Option<Rc<[Source]>>,
    /// The schemes with which a token is good here.
    schemes: Schemes,
    /// The resource whose metadata a challenge names.
    resource: Option<ResourceId>,
    /// What an error is told in.
    told_in: Scheme,
    /// The nonce that the next proof must have.
    nonce: Option<Cow<'d, str>>,
    text: &'static str,
    retry_after: Option<u32>,
    /// What the answer to an MCP message says beside; `None` where there is none.
    rpc: Option<Box<Rpc>>,
    /// Why a token of events is refused; `None` where it is about something else.
    event: Option<EventRefusal>,
}

/// What a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
    /// Keys of a set.
    Set(SetId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Challenge<'d> {
    /// No `WWW-Authenticate` at all.
    None,
    /// Without an error, so that a client without a token learns what to bring and nothing else.
    Bare { scope: Cow<'d, [Scope]> },
    /// With an error code.
    Error { code: &'static str, scope: Cow<'d, [Scope]> },
    /// With how the user has to authenticate.
    StepUp(Cow<'d, StepUp>),
}

impl<'d> Answer<'d> {
    /// The answer to a refusal of a request that was judged so far.
    #[must_use]
    pub fn of(denial: &'d Denial, trace: &Trace) -> Self {
        let schemes = trace.schemes;
        let used = trace.credential.map(|kind| match kind {
            CredentialKind::Bearer => Scheme::Bearer,
            CredentialKind::Dpop => Scheme::Dpop,
            CredentialKind::ApiKey(set)
            | CredentialKind::Cookie(set)
            | CredentialKind::Password(set)
            | CredentialKind::Certificate(set)
            | CredentialKind::Aksk(set)
            | CredentialKind::Signature(set) => Scheme::Set(set),
        });
        // An error is told in the scheme that was used. Where that is not admitted, or none was, in the first that is.
        let admitted = admitted(trace.sources.as_deref(), schemes, trace.resource.is_some());
        let told_in = used.filter(|used| admitted.contains(used)).or(admitted.first().copied());
        let told_in = told_in.unwrap_or(Scheme::Bearer);
        let nonce = match denial {
            Denial::UseNonce(nonce) => Some(Cow::Borrowed(nonce.as_str())),
            _ => None,
        };
        let (answer, rpc) = (answer(denial, told_in, trace), Rpc::of(denial, trace));
        let resource = trace.resource.filter(|_| matches!(answer.status, 401 | 403));
        Answer { sources: trace.sources.clone(), schemes, resource, told_in, nonce, rpc, ..answer }
    }

    /// Whether the same answer will be given again.
    #[must_use]
    pub fn recurs(&self) -> bool {
        self.nonce.is_none() && self.rpc.as_deref().is_none_or(Rpc::recurs)
    }

    /// Renders it.
    #[must_use]
    pub fn render(&self, terms: &Terms, grpc: bool) -> Reply {
        let text = self.text(terms);
        let mut headers = vec![("cache-control", "no-store".to_owned())];
        let challenges = self.challenges(terms);
        let status = self.status_with(&challenges);
        headers.extend(challenges.into_iter().map(|challenge| ("www-authenticate", challenge)));
        headers.extend(self.accepted_signatures(terms).map(|text| ("accept-signature", text)));
        if let Some(nonce) = &self.nonce {
            headers.push(("dpop-nonce", nonce.clone().into_owned()));
        }
        if let Some(seconds) = self.retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        if status == 405 {
            headers.push(("allow", "POST, GET, DELETE".to_owned()));
        }
        let (title, grpc_status) = match status {
            400 => ("Bad Request", 3),
            401 => ("Unauthorized", 16),
            403 => ("Forbidden", 7),
            404 => ("Not Found", 12),
            405 => ("Method Not Allowed", 12),
            413 => ("Content Too Large", 8),
            415 => ("Unsupported Media Type", 3),
            421 => ("Misdirected Request", 3),
            502 => ("Bad Gateway", 14),
            503 => ("Service Unavailable", 14),
            _ => ("Internal Server Error", 13),
        };
        let body = if grpc {
            text.to_owned()
        } else if let Some(rpc) = &self.rpc {
            headers.push(("content-type", "application/json".to_owned()));
            let (error, scope) = self.challenge.class();
            rpc.body(status, text, error, scope)
        } else if let Some(refusal) = &self.event {
            headers.push(("content-type", "application/json".to_owned()));
            // RFC 8935 section 2.3: the language of its words is named.
            headers.push(("content-language", "en".to_owned()));
            event::body(refusal)
        } else {
            headers.push(("content-type", "application/problem+json".to_owned()));
            json!({ "title": title, "status": status, "detail": text }).to_string()
        };
        let details = format!("scopegate_{}", self.reason.name());
        Reply { status, headers, body, grpc_status, details }
    }

    /// What the message signatures that are good here have to be; a body is signed by its digest (RFC 9530).
    fn accepted_signatures(&self, terms: &Terms) -> impl Iterator<Item = String> {
        let sources = self.sources.as_deref().filter(|_| self.status == 401).unwrap_or_default();
        let of_source = |source: &Source| match source {
            Source::Set(set) => terms.accept_signature.get(set.0).filter(|text| !text.is_empty()),
            Source::Tokens => None,
        };
        let with_digest = |text: &String| match self.reason {
            Reason::BodyUnsigned => text.replacen(')', " \"content-digest\")", 1),
            _ => text.clone(),
        };
        sources.iter().filter_map(of_source).map(with_digest).collect::<Vec<_>>().into_iter()
    }

    /// RFC 9110 section 15.5.2: a 401 has a challenge. Where a certificate alone is asked for, there is none.
    const fn status_with(&self, challenges: &[String]) -> u16 {
        if self.status == 401 && challenges.is_empty() { 403 } else { self.status }
    }

    /// What the client is told in words, which names `authorization` only where tokens are nowhere else.
    fn text(&self, terms: &Terms) -> &'static str {
        match self.text {
            IN_AUTHORIZATION if terms.has_other_places => "This resource needs an access token",
            AUTHORIZATION_MALFORMED if terms.has_other_places => "The header of the credential is malformed",
            text => text,
        }
    }

    /// The answer, owned.
    #[must_use]
    pub fn into_owned(self) -> Answer<'static> {
        let Self {
            reason,
            status,
            challenge,
            sources,
            schemes,
            resource,
            told_in,
            nonce,
            text,
            retry_after,
            rpc,
            event,
        } = self;
        let owned = |scope: Cow<'_, [Scope]>| Cow::Owned(scope.into_owned());
        let challenge = match challenge {
            Challenge::None => Challenge::None,
            Challenge::Bare { scope } => Challenge::Bare { scope: owned(scope) },
            Challenge::Error { code, scope } => Challenge::Error { code, scope: owned(scope) },
            Challenge::StepUp(needed) => Challenge::StepUp(Cow::Owned(needed.into_owned())),
        };
        let nonce = nonce.map(|nonce| Cow::Owned(nonce.into_owned()));
        Answer { reason, status, challenge, sources, schemes, resource, told_in, nonce, text, retry_after, rpc, event }
    }

    /// A challenge for each scheme that is good here, in the order of the requirement.
    fn challenges(&self, terms: &Terms) -> Vec<String> {
        let mut begun: Vec<(Vec<Scheme>, Cow<'_, str>)> = Vec::new();
        for scheme in admitted(self.sources.as_deref(), self.schemes, self.resource.is_some()) {
            for beginning in terms.beginnings(scheme) {
                // A key that is sent as a bearer token is asked for in the words in which a token is.
                match begun.iter_mut().find(|(_, known)| *known == beginning) {
                    Some((schemes, _)) => schemes.push(scheme),
                    None => begun.push((vec![scheme], beginning)),
                }
            }
        }
        let error_in = begun.iter().position(|(schemes, _)| schemes.contains(&self.told_in));
        let of = |(at, (schemes, beginning)): (usize, &(Vec<Scheme>, Cow<'_, str>))| {
            let told = self.challenge.render(schemes, beginning, error_in == Some(at), terms, self.text(terms))?;
            let metadata = self.resource.filter(|_| is_of_token(schemes)).and_then(|id| terms.metadata.get(id.0));
            Some(told + metadata.map_or("", String::as_str))
        };
        begun.iter().enumerate().filter_map(of).collect()
    }
}

/// What is good here, in the order of the requirement. Where metadata is named, what has it comes first: some clients look
/// for it at the beginning only.
fn admitted(sources: Option<&[Source]>, schemes: Schemes, tokens_first: bool) -> Vec<Scheme> {
    let of_tokens = [(Scheme::Bearer, schemes.bearer), (Scheme::Dpop, schemes.dpop)];
    let of_tokens = || of_tokens.into_iter().filter(|(_, is_admitted)| *is_admitted).map(|(scheme, _)| scheme);
    let mut all = Vec::with_capacity(2);
    let sources = sources.unwrap_or(&[Source::Tokens]);
    let is_first = |source: &&Source| tokens_first && **source == Source::Tokens;
    for source in sources.iter().filter(is_first).chain(sources.iter().filter(|source| !is_first(source))) {
        match source {
            Source::Tokens => all.extend(of_tokens()),
            Source::Set(set) => all.push(Scheme::Set(*set)),
        }
    }
    all
}

impl Terms {
    /// How the challenges of a scheme begin.
    fn beginnings(&self, scheme: Scheme) -> Vec<Cow<'_, str>> {
        match scheme {
            Scheme::Bearer => vec![format!("Bearer realm=\"{}\"", self.realm).into()],
            Scheme::Dpop => vec![format!("DPoP realm=\"{}\"", self.realm).into()],
            Scheme::Set(set) => self.sets.get(set.0).into_iter().flatten().map(|text| text.as_str().into()).collect(),
        }
    }
}

impl Challenge<'_> {
    /// The class of the failure, and the scopes that are needed.
    fn class(&self) -> (Option<&'static str>, &[Scope]) {
        match self {
            Self::None => (None, &[]),
            Self::Bare { scope } => (None, scope),
            Self::Error { code, scope } => (Some(code), scope),
            Self::StepUp(_) => (Some(STEP_UP), &[]),
        }
    }

    /// The challenge that begins so; an error is told in one alone.
    fn render(
        &self,
        schemes: &[Scheme],
        beginning: &str,
        has_error: bool,
        terms: &Terms,
        text: &str,
    ) -> Option<String> {
        let (code, more) = match self {
            Self::None => return None,
            // RFC 7617 has neither errors nor scopes.
            _ if beginning.starts_with(BASIC) => (None, String::new()),
            // A key cannot be asked for with other scopes.
            Self::Bare { .. } if !is_of_token(schemes) => (None, String::new()),
            Self::Bare { scope } => (None, of_scope(scope)),
            Self::Error { .. } | Self::StepUp(_) if !has_error => (None, String::new()),
            Self::Error { code, scope } => (Some(*code), of_scope(scope)),
            Self::StepUp(needed) => (Some(STEP_UP), of_step_up(needed)),
        };
        let error = code.map_or_else(String::new, |code| format!(", error=\"{code}\", error_description=\"{text}\""));
        let algs = if schemes.contains(&Scheme::Dpop) { format!(", algs=\"{}\"", terms.algs) } else { String::new() };
        Some(format!("{beginning}{error}{more}{algs}"))
    }
}

/// Whether what is asked for so is a token.
fn is_of_token(schemes: &[Scheme]) -> bool {
    schemes.iter().any(|scheme| matches!(scheme, Scheme::Bearer | Scheme::Dpop))
}

fn of_scope(scope: &[Scope]) -> String {
    let names: Vec<&str> = scope.iter().map(Scope::as_str).collect();
    if names.is_empty() { String::new() } else { format!(", scope=\"{}\"", names.join(" ")) }
}

/// Without a value of `acr` that would do there is none to name.
fn of_step_up(needed: &StepUp) -> String {
    let values = needed.acr_values.as_ref().filter(|values| !values.is_empty());
    let values = values.map_or_else(String::new, |values| format!(", acr_values=\"{}\"", values.join(" ")));
    let age = needed.max_age.map_or_else(String::new, |age| format!(", max_age=\"{}\"", age.0));
    values + &age
}

#[cfg(test)]
mod tests;
