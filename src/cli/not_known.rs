//! What the gate knows and the command does not: notes for the reader of a decision.

use super::identities::Documents;
use crate::policy::{Policy, Pool, ReplayService, Settings, Uses};

/// A note for the reader of a decision, if the configuration fetches revocation lists that are not `known` here.
#[must_use]
pub(super) fn lists(settings: &Settings, known: &[&str]) -> Option<String> {
    let names = settings.revocation.lists.iter().map(|list| list.terms.name.as_str());
    let names: Vec<&str> = names.filter(|name| !known.contains(name)).collect();
    let (lists, them) = match names.as_slice() {
        [] => return None,
        [name] => (format!("the revocation list {name}"), "it is fetched by the gate"),
        names => (format!("the revocation lists {}", names.join(", ")), "they are fetched by the gate"),
    };
    Some(format!("{lists} cannot be looked at here: {them}, which may refuse a token as revoked"))
}

/// What the reader of a decision has to know where the gate fetches status lists.
#[must_use]
pub(super) fn statuses(policy: &Policy) -> Option<String> {
    let names = policy.issuers.iter().filter(|issuer| issuer.status_list.is_some()).map(|issuer| issuer.name.as_str());
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("the status lists of {names} cannot be looked at here: they are fetched by the gate, which may refuse a token as revoked")
    })
}

/// A note for the reader of decisions, if the configuration fetches identities that are not known here.
#[must_use]
pub(super) fn identities(policy: &Policy, documents: &Documents) -> Option<String> {
    let names: Vec<&str> = policy.remote_sets().map(|set| &*set.name).filter(|name| !documents.has(name)).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("the identities of {names} are fetched by the gate and not known here: their credentials get identities_unavailable")
    })
}

/// What the reader of a decision has to know where tokens or proofs are good once.
#[must_use]
pub(super) fn used(policy: &Policy, settings: &Settings) -> Option<String> {
    const SERVICE: &str =
        "; the gate asks the service of the fleet, and without its answer the request gets 503 replay_unavailable";
    let kinds = [
        (Uses::SINGLE_USE, Pool::Tokens, "every token", "replayed"),
        (Uses::SIGNATURES, Pool::Signatures, "every signature", "replayed"),
        (Uses::PROOFS, Pool::Proofs, "every proof", "proof_replayed"),
    ];
    let used = || kinds.into_iter().filter(|(part, ..)| policy.uses.has(*part));
    let nouns: Vec<&str> = used().map(|(_, _, noun, _)| noun).collect();
    if nouns.is_empty() {
        return None;
    }
    let mut reasons: Vec<&str> = used().map(|(.., reason)| reason).collect();
    reasons.dedup();
    let (nouns, reasons) = (nouns.join(" and "), reasons.join(" or "));
    let note = format!(
        "what has been used is not known here: {nouns} counts as new, and the gate may refuse one as {reasons}"
    );
    let asks = |service: &ReplayService| used().any(|(_, pool, ..)| service.claims(pool));
    let service = if settings.replay.service.as_ref().is_some_and(asks) { SERVICE } else { "" };
    Some(format!("{note}{service}"))
}
