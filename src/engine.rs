//! The policy decision point: the ordered list of checks, and nothing else.
//!
//! Same inputs, same [`Decision`]: no I/O, no clock, no state, no panic. The Wasm module, the command, the tests, the
//! fuzzers and the benches all call [`decide`].

mod applicable;
mod combined;
mod event;
mod further;
mod grant;
mod listing;
mod message;
mod metadata_document;
mod once;
mod open;
mod schemes;
mod selection;
mod session;
mod stop;

pub use crate::checks::Unproven;
pub use event::{brings_events, receive};
pub use further::further;
pub use open::still_good;

use crate::base::names::{Fingerprint, FingerprintCell};
use crate::checks::{
    self, Addressed, Authenticated, Complete, Effect, Effects, FirstUse, Formed, Hearing, Live, Permit, Possession,
    Principal, Proven, Recognised, Scoped, SignedProof, Signing, Timely, TokenRequirements, Typed, Verdict, Verified,
};
use crate::credential::{self, BearerToken};
use crate::decision::{
    Basis, CredentialKind, Decision, Denial, Grant, Need, Pending, Refusal, Served, TokenTrace, Trace,
};
use crate::facts::{Facts, Surroundings};
use crate::policy::{
    AUTHORIZATION, Authority, Policy, Source, TokenRequirement, Uses, WEBSOCKET_PROTOCOL, same_header,
};
use crate::request::RequestView;
use applicable::{Admission, Applicable, NotFound};
use listing::Sender;
use once::ClaimedOnce;
use schemes::schemes;
use selection::Selected;
use std::rc::Rc;
use stop::{Cause, Stop};

/// Decides on a request.
#[must_use]
pub fn decide(policy: &Policy, request: &RequestView<'_>, facts: &Facts<'_>) -> Decision {
    if let Some(events) = policy.events.as_ref().filter(|_| brings_events(policy, request)) {
        return event::take(policy, events, request, facts);
    }
    let mut trace = Trace::default();
    match judge(policy, request, facts, &mut trace) {
        Ok(grant) => Decision::Allow(Grant { trace, ..grant }),
        Err(Stop { cause, token, report_only }) => {
            let token = token.map(|token| *token);
            let report_only = policy.report_only || report_only;
            match cause {
                Cause::Serve(resource, part) => Decision::Serve(Served { resource, part, trace: Trace::default() }),
                Cause::Await(need) => Decision::Await(Pending { need, trace, token, report_only, grant: None }),
                Cause::Hear(wanted, grant) => {
                    let need = Need::Message(wanted);
                    Decision::Await(Pending { need, trace, token, report_only, grant })
                }
                Cause::Deny(denial) => {
                    refuse(policy, request, facts.surroundings, Refusal { denial, trace, token }, report_only)
                }
            }
        }
    }
}

/// Decides a request whose wait ended in vain, without judging it again.
#[must_use]
pub fn end_wait(
    policy: &Policy,
    request: &RequestView<'_>,
    surroundings: &dyn Surroundings,
    pending: Pending,
    denial: Denial,
) -> Decision {
    let Pending { trace, token, report_only, .. } = pending;
    refuse(policy, request, surroundings, Refusal { denial, trace, token }, report_only)
}

/// A refusal, or in report-only the grant that reports it.
fn refuse(
    policy: &Policy,
    request: &RequestView<'_>,
    surroundings: &dyn Surroundings,
    refusal: Refusal,
    report_only: bool,
) -> Decision {
    if !report_only {
        return Decision::Deny(refusal);
    }
    let Refusal { denial, trace, token } = refusal;
    let grant = grant::untouched(policy, request, surroundings, Basis::ReportOnly(denial), token);
    let grant = session::reported(grant, trace.message.as_deref(), request);
    Decision::Allow(Grant { trace, ..grant })
}

/// The security policy, top to bottom. The first failure is the answer. What decides is noted in `trace` as it is found.
fn judge(policy: &Policy, request: &RequestView<'_>, facts: &Facts<'_>, trace: &mut Trace) -> Result<Grant, Stop> {
    // The requirement comes first, since it may admit a JWT in a parameter. An error in finding it is not judged
    // before the query: a token in a query is refused wherever it is.
    let found = applicable::find(policy, request, facts.metadata);
    (trace.requirement, trace.added) = match &found {
        Ok(applicable) => (Some(applicable.place()), applicable.added_place()),
        Err(missing) => (missing.place, missing.added),
    };
    trace.message = found.as_ref().ok().and_then(message::trace);
    let also_allowed = found.as_ref().map_or(&[][..], Applicable::jwt_allowed_in);
    let in_query = request.query().and_then(|query| credential::find_token(query, &policy.query, also_allowed));
    if let Some(token) = in_query {
        let named = token.signing_input.map(|input| TokenTrace {
            fingerprint: Some(Fingerprint::new(&FingerprintCell::default(), &input, checks::fingerprint)),
            verified: None,
            mismatch: None,
            remembered: None,
        });
        return Err(Stop { token: named.map(Box::new), ..Denial::TokenInQuery.into() });
    }
    if !policy.resources.is_empty() {
        metadata_document::stop(policy, request, found.as_ref().ok())?;
    }
    let applicable = found.map_err(|NotFound { denial, .. }| denial)?;
    let asks = match admit(policy, request, &applicable)? {
        Admitted::Anyway(basis) => {
            let grant = grant::untouched(policy, request, facts.surroundings, basis, None);
            return Ok(session::without_session(grant, trace.message.as_deref(), request));
        }
        Admitted::Holders(asks) => asks,
    };
    trace.schemes = schemes(policy, &asks);
    trace.resource = asks.iter().find_map(|ask| ask.resource);
    trace.sources = selection::rule(&asks).map(|rule| rule.sources());
    let effects = effects(policy, &applicable);
    let Some(added) = applicable.beyond_base().filter(|_| applicable.reports_only()) else {
        // What is only reported may be called: it is in every list.
        let enforced = if policy.report_only || applicable.reports_only() { &[][..] } else { &asks };
        let mut judged =
            Judged { policy, request, facts, trace, asks: &asks, enforced, verdict: None, effects, signed: &[] };
        let granted = permit(&mut judged, applicable.allows_missing());
        return granted.map_err(|stop| if applicable.reports_only() { stop.reported() } else { stop });
    };
    let once = ClaimedOnce::new(facts.replay);
    let facts = &Facts { replay: &once, ..*facts };
    // What route metadata adds is not covered by the report-only of the rule that it is added to.
    let added = [added];
    let enforced = if policy.report_only { &[][..] } else { &added };
    let mut judge = |asks| {
        let trace = &mut *trace;
        permit(
            &mut Judged { policy, request, facts, trace, asks, enforced, verdict: None, effects, signed: &[] },
            false,
        )
    };
    judge(&asks).map_err(|stop| match judge(&added) {
        Err(refused) => refused,
        Ok(_) => stop.reported(),
    })
}

/// What the checks judge, and by what.
struct Judged<'j, 'f> {
    policy: &'j Policy,
    request: &'j RequestView<'j>,
    facts: &'j Facts<'f>,
    trace: &'j mut Trace,
    asks: &'j TokenRequirements<'j>,
    /// The requirements of these that are not only reported.
    enforced: &'j TokenRequirements<'j>,
    /// What is known of the MCP message; `None` where none is judged.
    verdict: Option<&'j Verdict>,
    effects: Effects,
    /// The signatures of the request that are good.
    signed: &'j [SignedProof],
}

/// What is done with a request that the requirement does not refuse at once.
enum Admitted<'p> {
    /// It passes without a look at its credential.
    Anyway(Basis),
    /// It passes with a credential that meets all of these.
    Holders(Vec<&'p Rc<TokenRequirement>>),
}

fn admit<'p>(policy: &Policy, request: &RequestView<'_>, applicable: &Applicable<'p>) -> Result<Admitted<'p>, Denial> {
    match applicable.admission() {
        Admission::NoOne => Err(Denial::Denied),
        _ if policy.bypass_cors_preflight && is_preflight(policy, request) => Ok(Admitted::Anyway(Basis::Preflight)),
        Admission::TokenHolders(asks) if is_preflight(policy, request) && message::admits_preflight(&asks, request) => {
            Ok(Admitted::Anyway(Basis::Preflight))
        }
        Admission::Everyone => Ok(Admitted::Anyway(Basis::Public)),
        Admission::TokenHolders(asks) => Ok(Admitted::Holders(asks)),
    }
}

/// What the uses of this request count for: where only a requirement asks for them that reports, for the report. What
/// metadata adds always asks for the proof of a bound token.
fn effects(policy: &Policy, applicable: &Applicable<'_>) -> Effects {
    let effect = |is_added: bool| {
        let reports = policy.report_only || applicable.reports_only() && !is_added;
        if reports { Effect::Reported } else { Effect::Enforced }
    };
    let added = applicable.beyond_base();
    Effects { token: effect(added.is_some_and(|added| added.single_use)), proof: effect(added.is_some()) }
}

/// A token as it was sent, with all that a proof of its key is judged by.
fn possession<'r>(
    policy: &'r Policy,
    request: &'r RequestView<'r>,
    scheme: CredentialKind,
    token: BearerToken<'r>,
) -> Possession<'r> {
    Possession {
        scheme,
        token,
        request,
        dpop: policy.dpop.as_ref(),
        forwarded_certificate: policy.forwarded_certificate.as_ref(),
        max_bytes: policy.token_bytes,
    }
}

/// What the signature of a request is judged with. Where its message is judged, too, one limit holds for both.
fn signing<'r>(policy: &Policy, request: &'r RequestView<'r>, trace: &Trace) -> Signing<'r> {
    let of_message = trace.message.as_ref().map_or(u32::MAX, |message| message.wanted.max_bytes);
    Signing { request, body_bytes: policy.signed_body_bytes.min(of_message) }
}

/// Judges a request that needs a credential. What its MCP message names is asked of the credential, too.
fn permit(judged: &mut Judged<'_, '_>, allows_missing: bool) -> Result<Grant, Stop> {
    let asks = judged.asks;
    let Some(Hearing { items, verdict }) = message::hear(judged, asks)? else {
        return permit_credential(judged, allows_missing);
    };
    let asks = message::with_items(asks, &items);
    let Judged { policy, request, facts, enforced, effects, .. } = *judged;
    let trace = &mut *judged.trace;
    let verdict = Some(&verdict);
    let mut judged = Judged { policy, request, facts, trace, asks: &asks, enforced, verdict, effects, signed: &[] };
    // What an item asks, a request without a credential does not have.
    permit_credential(&mut judged, allows_missing && items.is_empty())
}

/// Judges the credential of a request that needs one.
fn permit_credential(judged: &mut Judged<'_, '_>, allows_missing: bool) -> Result<Grant, Stop> {
    let Judged { policy, request, facts, asks, .. } = *judged;
    judged.trace.needed = facts.shows_needs.then(|| checks::wanted(asks, None).into());
    checks::check_site(asks, request)?;
    let selected = selection::select(policy, request, judged.trace, asks, facts.surroundings, allows_missing)?;
    selected.check_site(policy, request).inspect_err(|_| judged.trace.credential = selected.token_kind())?;
    match selected {
        Selected::Nothing => {
            let session = session::check(judged, &[])?;
            let grant = || {
                let mut grant = grant::without_credential(policy, request, facts.surroundings);
                session::add_session(&mut grant, session.as_ref(), request);
                listing::add_lists(&mut grant, judged, Sender::default());
                grant
            };
            message::check(judged, grant)?;
            Ok(grant())
        }
        Selected::Token(scheme, token) => {
            judged.trace.credential = Some(scheme);
            let possession = possession(policy, request, scheme, token);
            let judged_in = [token.place().name()];
            verified(judged, possession, &|judged, proof| grant_to(judged, proof, None, &[], &judged_in))
        }
        Selected::Several(combination) => combined::permit(judged, &combination),
    }
}

/// The checks of a token, in the order of [`crate::checks`], until it is known who sent it. `further` judges what that
/// permits.
fn verified(
    judged: &mut Judged<'_, '_>,
    possession: Possession<'_>,
    further: &dyn Fn(&mut Judged<'_, '_>, Authenticated<'_, '_>) -> Result<Grant, Stop>,
) -> Result<Grant, Stop> {
    let Judged { policy, request, facts, asks, .. } = *judged;
    // RFC 9449 section 7.1: who used `DPoP` is answered in it.
    judged.trace.schemes.dpop |= policy.dpop.is_some() && possession.scheme == CredentialKind::Dpop;
    let token = formed(policy, facts, judged.trace, asks, possession.token)?;
    let verified = verify(policy, facts, judged.trace, asks, &token)
        .map_err(|stop| stop.about(unverified(&token)).at(&token, policy, request, facts, asks))?;
    let principal = verified.principal();
    Live::check(&principal, facts)
        .map_err(Stop::from)
        .and_then(|proof| Ok(Proven::check(proof, asks, &possession, facts)?))
        .and_then(|proof| Ok(Authenticated::check(proof, asks, facts.surroundings)?))
        .map_err(|stop| stop.about(principal.trace()))
        .and_then(|proof| further(judged, proof))
        .map_err(|stop| stop.at(&token, policy, request, facts, asks))
}

/// What a credential permits. `beside` is the token that came with it, if it is not the token itself. `all` are those of a
/// combination, and `judged_in` the headers of all that was judged.
fn grant_to(
    judged: &mut Judged<'_, '_>,
    proof: Authenticated<'_, '_>,
    beside: Option<&Authenticated<'_, '_>>,
    all: &[(Source, &Principal<'_>)],
    judged_in: &[&str],
) -> Result<Grant, Stop> {
    let Judged { policy, request, facts, asks, effects, .. } = *judged;
    let principal = proof.principal();
    judged.trace.needed = facts.shows_needs.then(|| principal.needed(asks).into());
    let used = beside.map_or(principal, Authenticated::principal);
    checks::check_reuse(used, asks, request, facts, judged.trace)
        .map_err(|denial| Stop::from(denial).about(used.trace()))?;
    let permit = Scoped::check(proof, asks)
        .and_then(|proof| Permit::check(proof, asks, request))
        .map_err(|denial| Stop::from(denial).about(principal.trace()))?;
    let principals = [principal, used];
    // Without memory of its own: most requests have one credential.
    let principals = if beside.is_some() { &principals[..] } else { &principals[..1] };
    let session = session::check(judged, principals).map_err(|stop| stop.about(principal.trace()))?;
    let source = judged.trace.credential.and_then(CredentialKind::set).and_then(|set| policy.set_name(set));
    let grant = |permit: &Permit<'_, '_>| {
        let mut grant = grant::for_principal(policy, request, facts.surroundings, permit, judged_in, source);
        session::add_session(&mut grant, session.as_ref(), request);
        listing::add_lists(&mut grant, judged, Sender { principals, all });
        grant.open = open::stream(judged.enforced, principals, all, facts);
        for proof in judged.signed {
            proof.add_to(&mut grant, !policy.report_only, effects.proof);
        }
        grant
    };
    message::check(judged, || grant(&permit)).map_err(|stop| stop.about(principal.trace()))?;
    for proof in judged.signed {
        proof.claim(facts, effects.proof).map_err(|denial| Stop::from(denial).about(used.trace()))?;
    }
    let first_use = FirstUse::check(permit, beside, asks, facts, effects)
        .map_err(|denial| Stop::from(denial).about(used.trace()))?;
    Ok(grant(first_use.permit()))
}

/// Takes a token apart; of an opaque one it finds what its issuer says.
fn formed<'t>(
    policy: &Policy,
    facts: &Facts<'_>,
    trace: &mut Trace,
    asks: &TokenRequirements<'_>,
    token: BearerToken<'t>,
) -> Result<Formed<'t>, Unproven> {
    if policy.uses.has(Uses::INTROSPECTION)
        && let Some(issuer) = checks::asked_issuer(token, policy, asks).map_err(Unproven::Deny)?
    {
        trace.authority = Some(Authority::Issuer(issuer));
        return Formed::introspect(token, policy.token_bytes, issuer, asks, facts);
    }
    Formed::check(token, policy.token_bytes, facts).map_err(Unproven::Deny)
}

fn verify<'a>(
    policy: &'a Policy,
    facts: &Facts<'_>,
    trace: &mut Trace,
    asks: &TokenRequirements<'_>,
    token: &'a Formed<'a>,
) -> Result<Verified<'a>, Stop> {
    let proof = Recognised::check(token, &policy.issuers, asks);
    trace.authority = match &proof {
        Ok(proof) => Some(Authority::Issuer(proof.issuer_id())),
        Err(_) => checks::named_issuer(token, &policy.issuers).ok().map(|(id, _)| Authority::Issuer(id)),
    };
    let proof = Typed::check(proof?, asks)?;
    let proof = Addressed::check(proof, asks)?;
    let proof = Timely::check(proof, asks, facts.surroundings.now())?;
    let proof = Complete::check(proof)?;
    Ok(Verified::check(proof, facts)?)
}

/// A CORS preflight as the Fetch standard makes it: nothing but headers, one origin, one method, and no credential.
/// Envoy joins repeated lines with a comma, which neither an origin nor a method can contain.
fn is_preflight(policy: &Policy, request: &RequestView<'_>) -> bool {
    let one = |name| request.sole_value(name).is_some_and(|value| !value.is_empty() && !value.contains(&b','));
    request.method() == b"OPTIONS"
        && request.ends_with_headers
        && one("origin")
        && one("access-control-request-method")
        && request.values(AUTHORIZATION).next().is_none()
        && !(policy.uses.has(Uses::CREDENTIALS) && holds_credential(policy, request))
}

/// Whether the request has a header that can hold a credential, in any spelling that an upstream could take for its name.
fn holds_credential(policy: &Policy, request: &RequestView<'_>) -> bool {
    let mut places = policy.credential_headers();
    places.extend(policy.token_places.websocket_protocol.then_some(WEBSOCKET_PROTOCOL));
    let in_header =
        places.iter().any(|place| request.headers.iter().any(|(name, _)| same_header(place.as_bytes(), name)));
    in_header || credential::without_cookies(request, &|name| policy.is_cookie(name)).is_some()
}

fn unverified(token: &Formed<'_>) -> TokenTrace {
    let remembered = Some(token.is_remembered());
    TokenTrace { fingerprint: Some(token.fingerprint()), verified: None, mismatch: None, remembered }
}
