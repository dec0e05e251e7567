//! Sets of credentials: what is of no use, what will soon be of none, and what others could read or take for another.

mod hashes;
mod use_of;

use super::Findings;
use super::forwarded::chain_of;
use crate::base::time::UnixSeconds;
use crate::cli::gates::Gate;
use crate::cli::moment;
use crate::cli::source::{Document, Source, View};
use crate::config::Tree;
use crate::policy::{CredentialSet, HeaderSource, Policy};
use std::path::Path;
use use_of::Use;
pub(super) use use_of::asks;

/// How long before the end of a key somebody has to make another: 30 days.
const SOON: i64 = 30 * 86_400;
/// What a listener has whose clients are on this machine.
const LOCAL: [&str; 3] = ["127.", "::1", "localhost"];

/// Checks the sets of a gate.
pub(super) fn check(gate: &Gate<'_>, values: &View<'_>, policy: &Policy, sources: &[Source], findings: &mut Findings) {
    if policy.credentials.is_empty() {
        return;
    }
    check_use(gate, values, policy, findings);
    if let Ok(now) = moment::instant(None) {
        check_ends(gate.file, values, now, findings);
    }
    check_subjects(gate, values, policy, findings);
    hashes::check(gate, values, policy, findings);
    if let Some(envoy) = &gate.envoy
        && policy.credentials.iter().any(|set| set.signatures().is_none() && set.headers().next().is_some())
        && let Some(chain) = chain_of(&envoy.manager, sources)
        && is_plain(&chain)
        && !is_local(&chain, sources)
    {
        findings.warn(
            "api-keys-in-plain-text",
            envoy.file,
            &chain,
            "takes API keys or passwords over connections without TLS: one that is read can be used until it expires",
            "give it a DownstreamTlsContext, or bind it to 127.0.0.1 behind what ends TLS",
        );
    }
}

/// The sets that a requirement in the files names.
pub(super) fn sets_in_use<'p>(gate: &Gate<'_>, policy: &'p Policy) -> Vec<&'p CredentialSet> {
    let all = asks(gate, policy);
    let is_used = |index: usize| all.iter().any(|ask| Use::of(index, ask).is_some());
    policy.credentials.iter().enumerate().filter(|(index, _)| is_used(*index)).map(|(_, set)| set).collect()
}

/// Sets that no requirement names, and identities that none lets pass.
fn check_use(gate: &Gate<'_>, values: &View<'_>, policy: &Policy, findings: &mut Findings) {
    let all = asks(gate, policy);
    let views = values.list("credentials");
    for (index, set) in policy.credentials.iter().enumerate() {
        let view = views.get(index).unwrap_or(values);
        let uses: Vec<Use<'_>> = all.iter().filter_map(|ask| Use::of(index, ask)).collect();
        if uses.is_empty() {
            let what = format!("no requirement in these files names {}: its credentials open nothing", set.name);
            findings.warn("unused-credentials", gate.file, view, what, "name it in `credentials` of a requirement");
            continue;
        }
        let identities = view.list("identities");
        for (at, identity) in set.identities.iter().enumerate() {
            if !identity.disabled && !uses.iter().any(|one| one.lets_pass(identity)) {
                let place = identities.get(at).unwrap_or(view);
                let what = format!("{} passes nowhere: no requirement is met by its scopes and claims", identity.id);
                findings.warn("identity-passes-nowhere", gate.file, place, what, "give it the scopes, or delete it");
            }
        }
    }
}

/// Identities and secrets that are over, or soon will be.
fn check_ends(file: &Path, values: &View<'_>, now: UnixSeconds, findings: &mut Findings) {
    for identity in values.list("credentials").iter().flat_map(|set| set.list("identities")) {
        if identity.get("disabled").is_some_and(|view| view.is_true()) {
            continue;
        }
        for holder in [identity.clone()].into_iter().chain(identity.list("secrets")) {
            let Some(view) = holder.get("expires") else { continue };
            let &Tree::Whole(seconds) = &view.node.value else { continue };
            let end = UnixSeconds(seconds);
            let (what, remedy) = if end <= now {
                (format!("ended at {}", moment::written(end)), "delete it")
            } else if end.0.saturating_sub(now.0) <= SOON {
                let remedy = "add the next key to `secrets` now, and give it to its holder";
                (format!("ends at {}, in less than 30 days", moment::written(end)), remedy)
            } else {
                continue;
            };
            findings.warn("credential-expires", file, &view, what, remedy);
        }
    }
}

/// A `sub` that two sources can give is not told apart by the upstream.
fn check_subjects(gate: &Gate<'_>, values: &View<'_>, policy: &Policy, findings: &mut Findings) {
    let headers = &policy.forward.headers;
    let is_sub = |source: &HeaderSource| matches!(source, HeaderSource::Claim(claim) if claim.to_string() == "sub");
    let names_source = headers.iter().any(|header| header.source == HeaderSource::Credential);
    let several = policy.issuers.len().saturating_add(policy.credentials.len()) > 1;
    let Some(header) = headers.iter().find(|header| is_sub(&header.source)).filter(|_| several && !names_source) else {
        return;
    };
    let view = values.at(&["forward", "headers"]);
    findings.warn(
        "subject-of-several-sources",
        gate.file,
        view.as_ref().unwrap_or(values),
        format!(
            "{} has `sub` of tokens and of keys, and nothing says which: the same name can be another's",
            header.name
        ),
        "add a header from credential, such as x-auth-credential: credential",
    );
}

/// Whether a filter chain takes connections without TLS.
fn is_plain(chain: &View<'_>) -> bool {
    let socket = chain.get("transport_socket");
    socket.is_none_or(|socket| socket.holders("common_tls_context").is_empty())
}

/// Whether the listener of a filter chain is bound to this machine alone.
fn is_local(chain: &View<'_>, sources: &[Source]) -> bool {
    let has_chain = |listener: &View<'_>| {
        let chains = listener.list("filter_chains").into_iter().chain(listener.get("default_filter_chain"));
        chains.into_iter().any(|own| std::ptr::eq(own.node, chain.node))
    };
    let documents = || sources.iter().flat_map(|source| &source.documents).map(Document::root);
    let mut listeners = documents()
        .flat_map(|root| [root.holders("filter_chains"), root.holders("default_filter_chain")].concat())
        .filter(has_chain);
    let address = listeners.next().and_then(|listener| {
        let address = listener.at(&["address", "socket_address", "address"]);
        let is_pipe = listener.at(&["address", "pipe"]).is_some();
        address.and_then(|view| view.text().map(str::to_owned)).or_else(|| is_pipe.then(|| "localhost".to_owned()))
    });
    address.is_some_and(|address| LOCAL.iter().any(|local| address.starts_with(local)))
}
