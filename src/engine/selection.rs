//! Which of the credentials of a request is judged. What it presents decides that, never what verifies.

use crate::checks::{self, TokenRequirements};
use crate::credential::{self, BearerToken, FoundSecret, Presented, SentSecret};
use crate::decision::{CredentialKind, Denial, Trace};
use crate::facts::Surroundings;
use crate::policy::{AUTHORIZATION, Choice, CredentialRule, CredentialSet, Policy, SetId, Source};
use crate::request::RequestView;
use std::borrow::Cow;

/// What is judged of a request.
#[derive(Debug)]
pub(super) enum Selected<'p, 'r> {
    /// It presents nothing, and need not.
    Nothing,
    /// One token.
    Token(CredentialKind, BearerToken<'r>),
    /// Secrets of sets, or such and a token.
    Several(Combination<'p, 'r>),
}

/// Secrets of sets, perhaps with a token beside them.
#[derive(Debug)]
pub(super) struct Combination<'p, 'r> {
    /// The secrets, in the order of the requirement. Not empty.
    pub(super) secrets: Vec<PresentedSecret<'p, 'r>>,
    /// The token.
    pub(super) token: Option<(CredentialKind, BearerToken<'r>)>,
    /// Whether the token gives subject, scopes and claims, as the first of the combination.
    pub(super) token_is_first: bool,
}

/// A secret, and the set that it may be of.
#[derive(Debug)]
pub(super) struct PresentedSecret<'p, 'r> {
    pub(super) id: SetId,
    pub(super) set: &'p CredentialSet,
    pub(super) secret: SentSecret<'r>,
    /// The headers that it is in.
    headers: Vec<&'p str>,
}

impl<'p> PresentedSecret<'p, '_> {
    /// Its kind.
    pub(super) const fn kind(&self) -> CredentialKind {
        CredentialKind::of_set(self.id, &self.set.kind)
    }

    /// Its set.
    pub(super) const fn of_set(&self) -> (SetId, &'p CredentialSet) {
        (self.id, self.set)
    }
}

impl Selected<'_, '_> {
    /// The kind of the token that is judged.
    pub(super) fn token_kind(&self) -> Option<CredentialKind> {
        match self {
            Self::Nothing => None,
            Self::Token(kind, _) => Some(*kind),
            Self::Several(combination) => combination.token.map(|(kind, _)| kind),
        }
    }

    /// Judges where a request comes from whose token is in a cookie: a browser adds it to the requests of every page.
    pub(super) fn check_site(&self, policy: &Policy, request: &RequestView<'_>) -> Result<(), Denial> {
        let set = self.token_kind().and_then(CredentialKind::set).and_then(|id| policy.credentials.get(id.0));
        set.and_then(CredentialSet::cookie).map_or(Ok(()), |cookie| checks::judge_site(&cookie.csrf, request))
    }
}

impl Combination<'_, '_> {
    /// The headers of what is judged.
    pub(super) fn headers(&self) -> Vec<&str> {
        let of_token = self.token.map(|(_, token)| token.place().name());
        self.secrets.iter().flat_map(|secret| secret.headers.iter().copied()).chain(of_token).collect()
    }
}

/// What the requirements ask, as one rule; `None` where they ask for a token alone. What several ask alike is asked once: an
/// item of a message asks for the credentials of its route.
pub(super) fn rule<'a>(asks: &TokenRequirements<'a>) -> Option<Cow<'a, CredentialRule>> {
    if asks.iter().all(|ask| ask.credentials.is_none()) {
        return None;
    }
    let mut own: Vec<Option<&CredentialRule>> = Vec::new();
    for ask in asks {
        let rule = ask.credentials.as_ref();
        if !own.contains(&rule) {
            own.push(rule);
        }
    }
    let mut rules = own.into_iter().map(|rule| match rule {
        Some(rule) => Cow::Borrowed(rule),
        None => Cow::Owned(CredentialRule::default()),
    });
    let first = rules.next()?;
    Some(rules.fold(first, |all, rule| Cow::Owned(all.and(&rule))))
}

/// Finds what is judged. Only the places of sources that the requirements name are read.
pub(super) fn select<'p: 'r, 'r>(
    policy: &'p Policy,
    request: &RequestView<'r>,
    trace: &mut Trace,
    asks: &TokenRequirements<'_>,
    surroundings: &dyn Surroundings,
    allows_missing: bool,
) -> Result<Selected<'p, 'r>, Denial> {
    let missing = || Denial::NoCredential { scope: checks::wanted(asks, None) };
    let Some(rule) = rule(asks) else {
        return match credential::token(request, &policy.token_places, true)? {
            Presented::Token(scheme, token) => Ok(Selected::Token(scheme, token)),
            Presented::Nothing if allows_missing => Ok(Selected::Nothing),
            Presented::Nothing => Err(missing()),
        };
    };
    let sources = rule.sources();
    let mut secrets: Vec<PresentedSecret<'p, 'r>> = Vec::new();
    let mut in_cookies: Vec<(CredentialKind, BearerToken<'r>)> = Vec::new();
    for &source in &*sources {
        let Source::Set(id) = source else { continue };
        // The configuration makes sure that there is one.
        let set = policy.credentials.get(id.0).ok_or(Denial::HostFailure)?;
        if let Some(cookie) = set.cookie() {
            in_cookies.extend(credential::cookie(request, cookie)?.map(|token| (CredentialKind::Cookie(id), token)));
            continue;
        }
        let found = credential::secret_of(request, set, &policy.credentials).inspect_err(|denial| {
            if matches!(denial, Denial::MalformedCredential(_)) {
                trace.credential = Some(CredentialKind::of_set(id, &set.kind));
            }
        })?;
        if let Some(FoundSecret { secret, headers }) = found {
            secrets.push(PresentedSecret { id, set, secret, headers });
        }
    }
    // A request is signed once. Where metadata restricts, two requirements can ask for two, of which one body and one use
    // would be held against both.
    if secrets.iter().filter(|secret| secret.set.signatures().is_some()).count() > 1 {
        return Err(Denial::MultipleCredentials);
    }
    // What is of a set is no token.
    let is_of_set = secrets.iter().any(|secret| secret.headers.contains(&AUTHORIZATION));
    let presented = if sources.contains(&Source::Tokens) {
        credential::token(request, &policy.token_places, !is_of_set)?
    } else {
        Presented::Nothing
    };
    let mut tokens = in_cookies;
    if !tokens.is_empty() && !is_of_set && credential::has_authorization(request) {
        return Err(Denial::MultipleCredentials);
    }
    if let Presented::Token(scheme, token) = presented {
        tokens.push((scheme, token));
    }
    // A request has one. Where metadata restricts, two requirements can ask for two, of which the second would not be judged.
    if tokens.len() > 1 {
        return Err(Denial::MultipleCredentials);
    }
    let token = tokens.first().copied();
    let of_tokens = tokens.iter().map(|(kind, _)| kind.source());
    let presented: Vec<Source> = secrets.iter().map(|secret| Source::Set(secret.id)).chain(of_tokens).collect();
    let is_ambient = |source: Source| match source {
        Source::Set(id) => policy.credentials.get(id.0).is_some_and(CredentialSet::is_ambient),
        Source::Tokens => false,
    };
    let may_be_missing = presented.is_empty() && allows_missing;
    let alternative = match rule.choose(&presented, &is_ambient) {
        Choice::This(alternative) => alternative,
        Choice::TooLittle if may_be_missing => return Ok(Selected::Nothing),
        Choice::TooLittle => return Err(missing()),
        Choice::TooMuch => return Err(Denial::MultipleCredentials),
    };
    let by_certificate = alternative.iter().any(|source| is_ambient(*source));
    if by_certificate && surroundings.peer_certificate().is_none() {
        return if may_be_missing { Ok(Selected::Nothing) } else { Err(missing()) };
    }
    if let (true, false, Some((scheme, token))) = (secrets.is_empty(), by_certificate, token) {
        return Ok(Selected::Token(scheme, token));
    }
    // In the order of the alternative, without a sort, which would be some kilobytes of the module.
    let mut ordered = Vec::with_capacity(alternative.len());
    for &source in alternative {
        let Source::Set(id) = source else { continue };
        if is_ambient(source) {
            let set = policy.credentials.get(id.0).ok_or(Denial::HostFailure)?;
            ordered.push(PresentedSecret { id, set, secret: SentSecret::Certificate, headers: Vec::new() });
        } else {
            let at = secrets.iter().position(|secret| secret.id == id);
            ordered.extend(at.map(|at| secrets.swap_remove(at)));
        }
    }
    let token_is_first = token.is_some_and(|(kind, _)| alternative.first() == Some(&kind.source()));
    Ok(Selected::Several(Combination { secrets: ordered, token, token_is_first }))
}
