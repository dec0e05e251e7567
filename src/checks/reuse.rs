//! A credential is shown by as few clients as it should be.

use super::authentication::step_up_of;
use super::{Principal, Result, TokenRequirements};
use crate::base::network::read_client;
use crate::decision::{Denial, ReuseEvent, Trace};
use crate::facts::{Client, Facts, Seen, Sighting};
use crate::policy::{Reuse, ReuseAction};
use crate::request::RequestView;
use crate::revocation::{Entry, EntryKind, Revocable as _};
use std::rc::Rc;

/// Counts the client of a request whose credential is valid, by each way of counting that the requirements name. A client that
/// is not expected is noted in `trace`.
///
/// # Errors
/// [`Denial::Reused`] where too many clients have shown the credential, and that is not only reported.
pub fn check(
    principal: &Principal<'_>,
    asks: &TokenRequirements<'_>,
    request: &RequestView<'_>,
    facts: &Facts<'_>,
    trace: &mut Trace,
) -> Result<()> {
    let all = || asks.iter().filter_map(|ask| ask.reuse.as_ref());
    for (number, reuse) in all().enumerate() {
        if !all().take(number).any(|earlier| Rc::ptr_eq(earlier, reuse)) {
            judge(reuse, principal, asks, request, facts, trace)?;
        }
    }
    Ok(())
}

fn judge(
    reuse: &Reuse,
    principal: &Principal<'_>,
    asks: &TokenRequirements<'_>,
    request: &RequestView<'_>,
    facts: &Facts<'_>,
    trace: &mut Trace,
) -> Result<()> {
    let Some(seen) = see(reuse, principal, request, facts) else { return Ok(()) };
    let Reuse { window, max_clients, action, .. } = *reuse;
    if seen.clients <= max_clients {
        return Ok(());
    }
    if seen.is_new {
        trace.reuse = Some(ReuseEvent { clients: seen.clients, window, action });
    }
    match action {
        ReuseAction::Challenge if seen.place > max_clients => {
            Err(Denial::Reused { step_up: step_up_of(asks), revoked: None })
        }
        ReuseAction::Deny => Err(Denial::Reused { step_up: None, revoked: None }),
        // Until it is seen as revoked: a store that was full then may not be now.
        ReuseAction::Revoke => {
            let revoked = entry_of(principal).map(Box::new);
            Err(Denial::Reused { step_up: None, revoked })
        }
        ReuseAction::Report | ReuseAction::Challenge => Ok(()),
    }
}

/// The entry that revokes a token for the rest of its life. Nothing else comes here: the configuration refuses it.
fn entry_of(principal: &Principal<'_>) -> Option<Entry> {
    let claimant = principal.claimant();
    // A token without an end has been refused.
    let until = principal.ends_at()?;
    let entry = match claimant.name(EntryKind::TokenId) {
        Some(id) => Entry::token(claimant.iss().to_owned(), id.into_owned()),
        None => Entry::fingerprint(claimant.name(EntryKind::Fingerprint)?.into_owned())?,
    };
    Some(entry.until(until))
}

/// Counts the client; `None` where it is not counted.
fn see(reuse: &Reuse, principal: &Principal<'_>, request: &RequestView<'_>, facts: &Facts<'_>) -> Option<Seen> {
    let surroundings = facts.surroundings;
    let address = surroundings.source_address().unwrap_or_default();
    if !reuse.exempt.is_empty() && read_client(address).is_some_and(|(ip, _)| reuse.exempts(ip)) {
        return None;
    }
    let form = reuse.client;
    let agent = request.values("user-agent").next().filter(|_| form.user_agent).unwrap_or_default();
    let client = || {
        let (ip, port) = read_client(address).unzip();
        // Where a proxy tells the address, the connection is its own.
        let is_direct = form.tls && port != Some(0);
        Client {
            network: ip.map(|ip| form.network(ip)),
            agent,
            tls_version: if is_direct { surroundings.tls_version().unwrap_or_default() } else { b"" },
            certificate: if is_direct { surroundings.peer_certificate() } else { None },
        }
    };
    let claimant = principal.claimant();
    let named_by = [EntryKind::Identity, EntryKind::TokenId, EntryKind::Fingerprint];
    let (kind, name) = named_by.into_iter().find_map(|kind| Some((kind, claimant.name(kind)?)))?;
    facts.sightings.see(
        &Sighting {
            space: reuse.space(),
            credential: &[kind.member().as_bytes(), claimant.iss().as_bytes(), name.as_bytes()],
            came_with: &[address, agent],
            client: &client,
            window: reuse.window,
            limit: reuse.max_clients,
            told_above: reuse.action.refuses_all().then_some(reuse.max_clients),
        },
        surroundings.now(),
    )
}
