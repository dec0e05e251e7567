//! A token of events is one, of who may send it, for this gate, and signed ([RFC 8417](https://www.rfc-editor.org/rfc/rfc8417),
//! [Back-Channel Logout 1.0 section 2.6](https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation)).

use super::Unproven;
use super::token::audience;
use super::token::signature::keys_of;
use crate::base::time::UnixSeconds;
use crate::crypto::{Algorithm, KeyFamily, Verification};
use crate::decision::{Denial, EventFault, EventRefusal};
use crate::facts::Facts;
use crate::jose::{Claims, Compact, KeySet, Malformed};
use crate::policy::{EventKeys, EventSource, Policy, SecurityEvents};
use crate::revocation::EntryKind;
use crate::security_event::{EventForm, Meaning, Speaker, Spoken, meaning};

/// The longest `kid`, in bytes. A request may wait for one that is unknown, and a body is long.
const LONGEST_KID: usize = 1024;

/// What a good token of events says.
#[derive(Debug)]
pub struct Heard {
    /// The place of its source.
    pub source: usize,
    /// Its `jti`.
    pub id: String,
    /// What it means.
    pub meaning: Meaning,
}

/// Why a token is refused.
#[derive(Clone, Copy)]
struct Fault(EventFault, &'static str);

/// Judges a token of events that came in this form. What costs no cryptography comes first.
///
/// # Errors
/// [`Denial::InvalidEvent`]; what the keys of an issuer are awaited or refused with.
pub fn hear_event(
    policy: &Policy,
    events: &SecurityEvents,
    set: &[u8],
    form: EventForm,
    facts: &Facts<'_>,
) -> Result<Heard, Unproven> {
    let refused = |Fault(fault, why)| Unproven::Deny(Denial::InvalidEvent(EventRefusal { form, fault, why }));
    let compact = Compact::parse(set).map_err(|Malformed(why)| refused(Fault(EventFault::Request, why)))?;
    let now = facts.surroundings.now();
    let judged = judge(&compact, events, form, now).map_err(refused)?;
    let (source, meaning) = (judged.source, judged.meaning);
    check_signature(policy, source, &compact, facts)?.map_err(refused)?;
    check_entries(policy, &meaning).map_err(refused)?;
    Ok(Heard { source: judged.place, id: judged.id, meaning })
}

/// A token whose signature has yet to be checked.
struct Judged<'e> {
    place: usize,
    source: &'e EventSource,
    id: String,
    meaning: Meaning,
}

fn judge<'e>(
    compact: &Compact<'_>,
    events: &'e SecurityEvents,
    form: EventForm,
    now: UnixSeconds,
) -> Result<Judged<'e>, Fault> {
    let request = |why| Fault(EventFault::Request, why);
    let claims = &compact.claims;
    let named = claims.issuer().and_then(|issuer| events.source_of(&issuer));
    let (place, source) = named.ok_or(Fault(EventFault::Issuer, "its `iss` is none of those who may send events"))?;
    if !source.types.accept(compact.header.typ.as_deref()) {
        return Err(request("its `typ` is none of an event of this issuer"));
    }
    if compact.header.kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KID) {
        return Err(Fault(EventFault::Key, "its `kid` is longer than 1024 bytes"));
    }
    let named = claims.value("aud").and_then(audience::Named::read);
    if !named.is_some_and(|named| named.one_of(&source.audiences)) {
        return Err(Fault(EventFault::Audience, "its `aud` is not this gate"));
    }
    let issued_at = judge_times(claims, source, now)?;
    // Back-Channel Logout 1.0 section 2.4. Of a Security Event Token RFC 8417 section 2.2 does not want it.
    if form == EventForm::Logout && claims.expires_at.is_none() && !source.allow_missing_exp {
        return Err(request("it has no `exp`"));
    }
    let id = claims.text("jti").filter(|id| !id.is_empty()).ok_or(request("it has no `jti`"))?;
    let speaker = match source.keys {
        EventKeys::Issuer(_) => Speaker::Issuer,
        EventKeys::Operator(_) => Speaker::Operator,
    };
    let until = issued_at.plus(source.keep);
    let meaning =
        meaning(claims, Spoken { speaker, form, breadth: source.breadth }, &source.issuer, (issued_at, until))
            .map_err(request)?;
    Ok(Judged { place, source, id: id.into_owned(), meaning })
}

/// When it was issued: not in the future, and not so long ago that all that it revokes is over.
fn judge_times(claims: &Claims, source: &EventSource, now: UnixSeconds) -> Result<UnixSeconds, Fault> {
    let request = |why| Fault(EventFault::Request, why);
    let issued_at = claims.issued_at.ok_or(request("it has no `iat`"))?;
    if now.plus(source.leeway) < issued_at || claims.not_before.is_some_and(|at| now.plus(source.leeway) < at) {
        return Err(request("it is of the future"));
    }
    if issued_at.plus(source.keep) <= now {
        return Err(request("its `iat` is longer ago than what it revokes is kept"));
    }
    if claims.expires_at.is_some_and(|at| at.plus(source.leeway) <= now) {
        return Err(request("it has expired"));
    }
    Ok(issued_at)
}

/// Tries the keys of its source.
fn check_signature(
    policy: &Policy,
    source: &EventSource,
    compact: &Compact<'_>,
    facts: &Facts<'_>,
) -> Result<Result<(), Fault>, Unproven> {
    let key = |why| Ok(Err(Fault(EventFault::Key, why)));
    let kid = compact.header.kid.as_deref();
    let named = Algorithm::from_name(&compact.header.alg);
    let (keys, algorithm): (&KeySet, _) = match &source.keys {
        EventKeys::Issuer(id) => {
            let issuer = policy.issuers.get(id.0).ok_or(Denial::HostFailure)?;
            let Some(algorithm) = named.filter(|algorithm| issuer.algorithms.contains(*algorithm)) else {
                return key("its `alg` is none of this issuer");
            };
            match keys_of(*id, issuer, kid, facts) {
                Err(Unproven::Deny(Denial::UnknownKey)) => return key("no key has its `kid`"),
                keys => (keys?.0, algorithm),
            }
        }
        EventKeys::Operator(keys) => {
            let Some(algorithm) = named.filter(|algorithm| algorithm.family() != KeyFamily::Secret) else {
                return key("its `alg` is none of an operator");
            };
            (keys, algorithm)
        }
    };
    let mut why = "no key has its `kid` and `alg`";
    for candidate in keys.candidates(kid, algorithm) {
        match facts.verifier.verify(&candidate.key, algorithm, compact.signing_input, &compact.signature) {
            Verification::Valid => return Ok(Ok(())),
            Verification::Invalid => why = "no key verifies its signature",
            Verification::TooBusy => return Err(Unproven::Deny(Denial::TooBusy)),
        }
    }
    key(why)
}

/// An entry of an operator names an issuer, or a set, that the gate has: another one would revoke nothing.
fn check_entries(policy: &Policy, meaning: &Meaning) -> Result<(), Fault> {
    let is_known = |kind: EntryKind, name: &str| match kind {
        EntryKind::Identity => policy.credentials.iter().any(|set| *set.name == *name),
        _ => policy.issuers.iter().any(|issuer| issuer.issuer == name),
    };
    let mut named = meaning.entries.iter().filter_map(|entry| Some((entry.kind(), entry.authority()?)));
    if named.all(|(kind, name)| is_known(kind, name)) {
        return Ok(());
    }
    Err(Fault(EventFault::Request, "its entry revokes nothing: no issuer has its `iss`, or no set its `credential`"))
}
