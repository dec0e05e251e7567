//! What an answer shows of a server's tools, prompts and resources: what the sender of the request may call now.

use super::Judged;
use super::combined::own_asks;
use super::message::asked;
use crate::base::time::UnixSeconds;
use crate::checks::{self, Principal, Verdict};
use crate::decision::{Grant, ShownLists};
use crate::mcp::method::asks_for_list;
use crate::policy::{Item, Listed, Lists, Mcp, Source, TokenRequirement};
use crate::request::RequestView;
use std::rc::Rc;

const ACCEPT_ENCODING: &str = "accept-encoding";

/// Whose credentials a call is judged by; by default there are none.
#[derive(Clone, Copy, Default)]
pub(super) struct Sender<'s, 'a> {
    /// Who gives scopes and claims, and the token beside, if that is another one.
    pub(super) principals: &'s [&'s Principal<'a>],
    /// All of a combination, each by its source.
    pub(super) all: &'s [(Source, &'s Principal<'a>)],
}

/// Adds to the grant of a request whose answer may be a list what it shows. Where nothing is known of the message yet, it
/// shows nothing.
pub(super) fn add_lists(grant: &mut Grant, judged: &Judged<'_, '_>, sender: Sender<'_, '_>) {
    let all: Vec<&Mcp> = asked(judged.enforced);
    if !all.iter().any(|mcp| mcp.lists == Lists::Granted) {
        return;
    }
    let is_read = judged.verdict == Some(&Verdict::Good);
    let message = judged.trace.message.as_deref();
    let method = message.and_then(|message| message.method.as_deref());
    let may_list = match judged.request.method() {
        b"GET" => true,
        b"POST" => method.map_or(!is_read, asks_for_list),
        _ => false,
    };
    if !may_list {
        return;
    }
    // What is compressed cannot be read.
    if judged.request.values(ACCEPT_ENCODING).next().is_some() {
        grant.remove.push(ACCEPT_ENCODING.into());
    }
    let lists = if is_read { shown(judged, sender) } else { ShownLists::default() };
    let is_stateless = checks::is_of_stateless_version(&all, judged.request);
    grant.response.get_or_insert_default().lists = Some(Box::new(ShownLists { is_stateless, ..lists }));
}

/// What the sender may call, until when.
fn shown(judged: &Judged<'_, '_>, sender: Sender<'_, '_>) -> ShownLists {
    let until = |item: &Item| match item {
        Item::Nothing => UnixSeconds(i64::MAX),
        Item::Ask(ask) => until(ask, judged, sender).unwrap_or(UnixSeconds(i64::MIN)),
        Item::Deny => UnixSeconds(i64::MIN),
    };
    let rules = judged.enforced.iter().filter_map(|ask| ask.mcp.as_ref());
    let principals = sender.principals.iter().chain(sender.all.iter().map(|(_, principal)| principal));
    let ends = principals.map(|principal| checks::good_until(principal, judged.asks));
    ShownLists {
        listed: rules.map(|mcp| Listed::new(mcp, &until)).collect(),
        until: ends.min().unwrap_or(UnixSeconds(i64::MAX)),
        is_stateless: false,
    }
}

/// Until when the sender of a request meets what an item asks: each judgement is that of a call.
fn until(ask: &Rc<TokenRequirement>, judged: &Judged<'_, '_>, sender: Sender<'_, '_>) -> Option<UnixSeconds> {
    let Judged { request, facts, .. } = *judged;
    let asks = &[ask];
    let first = sender.principals.first()?;
    let is_met = sender.principals.iter().all(|principal| checks::meets_as_token(principal, asks, facts.surroundings))
        && checks::grants(first, asks, request)
        && is_met_beside(asks, sender.all, request);
    is_met.then(|| checks::good_until(sender.principals.last().unwrap_or(first), asks))
}

/// Whether each credential of a combination meets what is asked of it alone.
fn is_met_beside(asks: &[&Rc<TokenRequirement>], all: &[(Source, &Principal<'_>)], request: &RequestView<'_>) -> bool {
    let presented: Vec<Source> = all.iter().map(|(source, _)| *source).collect();
    all.iter().all(|(source, principal)| {
        checks::check_beside(principal, &own_asks(asks, *source, &presented), request).is_ok()
    })
}
