//! What looks at headers that the gate removes or sets.

use super::filters::{Reader, adds_to, hands_on, is_closed, limits, looks_at, only_names};
use super::places::{At, of_routes};
use super::{Readers, Said, last, lua, said};
use crate::cli::gates::beside::PER_FILTER;
use crate::cli::migrate::changed::{Fate, Header};
use crate::cli::migrate::envoy::chain::{Chain, Filter, FilterKind};
use crate::cli::migrate::envoy::credentials::FORWARDING;
use crate::cli::migrate::envoy::levels::{entry, is_off};
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::source::{View, is_same};
use crate::config::Node;
use crate::policy::same_header;
use std::path::Path;

/// Members with names that are not those of headers, and logs, which refuse nothing.
const NAMES: [&str; 8] =
    ["@type", "stat_prefix", "cluster", "cluster_name", "filename", "inline_bytes", "access_log", "upstream_log"];
/// A member of a filter that changes headers, by which one is removed.
const REMOVES: &str = "remove";

impl<'s> Readers<'_, 's> {
    /// Tells of filters and routes that look at a header which the gate before them removes or sets.
    pub(super) fn tell_of_headers(&self, plugin: &Node, findings: &mut Findings) {
        let headers = Header::all(plugin, self.report_only);
        if headers.is_empty() {
            return;
        }
        let first = self.chain.filters.first().map_or(0, |filter| filter.index);
        for filter in self.filters.iter().filter(|filter| filter.index > first) {
            self.tell_of_filter(&headers, filter.file, &filter.view, filter, findings);
        }
        for filter in self.chain.filters.iter().filter(|_| self.report_only) {
            self.tell_of_old(&headers, filter, findings);
        }
        let limiters: Vec<&Reader<'s>> =
            self.filters.iter().filter(|filter| filter.index > first && limits(&filter.view)).collect();
        for (file, config) in &self.chain.route_configs {
            of_routes(config, &mut |at, view, is_name| match at {
                At::Choice => {
                    for header in headers.iter().filter(|header| !self.is_chosen_as_before(header)) {
                        self.tell_of_texts(header, Kind::Denied, file, view, is_name, findings);
                    }
                }
                At::Limit => {
                    for limiter in &limiters {
                        self.tell_of_filter(&headers, file, view, limiter, findings);
                    }
                }
                At::Router => {
                    for header in &headers {
                        let Some(kind) = self.kind_behind(header, usize::MAX) else { continue };
                        self.tell_of_added(header, kind, file, view, findings);
                        if self.refuses_behind_router() {
                            self.tell_of_texts(header, kind, file, view, false, findings);
                        }
                    }
                }
                At::Filter(name) => {
                    if let Some(filter) = self.named(name).filter(|filter| filter.index > first) {
                        self.tell_of_filter(&headers, file, view, filter, findings);
                    }
                }
            });
        }
    }

    /// Tells of what a filter reads, here in its configuration or in a part of it beside a route.
    fn tell_of_filter(
        &self,
        headers: &[Header],
        file: &Path,
        view: &View<'s>,
        filter: &Reader<'s>,
        findings: &mut Findings,
    ) {
        if only_names(view) {
            return;
        }
        for header in headers {
            let Some(kind) = self.kind_behind(header, filter.index) else { continue };
            if hands_on(view) {
                self.tell_of_added(header, kind, file, view, findings);
            }
            let kind = if kind == Kind::Denied { self.kind_of(view, filter.order) } else { kind };
            if is_closed(view) {
                self.add(header, "may look", kind, file, view, findings);
            } else if looks_at(view, &header.name) {
                self.add(header, "looks", kind, file, view, findings);
            } else {
                self.tell_of_texts(header, kind, file, view, false, findings);
            }
        }
    }

    /// What is told of a filter at this place of the chain that looks at a header; nothing if it finds what it found before.
    fn kind_behind(&self, header: &Header, index: usize) -> Option<Kind> {
        if let Fate::Credential(_) = header.fate {
            return (!self.was_removed(header, index)).then_some(Kind::Denied);
        }
        let is_behind = self.is_behind_maker(&header.name, index);
        match (is_behind, header.fate) {
            (true, _) if self.report_only => Some(Kind::Changed),
            // The gate sets a header only where each credential made it.
            (true, Fate::Set) => None,
            _ => Some(Kind::Denied),
        }
    }

    /// Whether the old filters before this place removed the header whenever they had judged what is in it.
    fn was_removed(&self, header: &Header, index: usize) -> bool {
        let removes = |filter: &Filter<'s>| match filter.kind {
            FilterKind::Rbac => true,
            FilterKind::Jwt => filter.index < index && !self.keeps_token(),
            FilterKind::Keys => filter.index < index && self.hiding.contains(&filter.index),
            FilterKind::Basic => false,
        };
        header.fate == Fate::Credential(true) && self.chain.filters.iter().all(removes)
    }

    /// Whether a provider leaves its tokens in the request.
    fn keeps_token(&self) -> bool {
        self.accepted().any(|provider| provider.view.get("forward").is_some_and(|flag| flag.is_true()))
    }

    /// Whether a filter stands after all that write the header, of which one does so on every route. It never saw the header
    /// of a client, and the gate sets none that it did not see.
    fn is_behind_maker(&self, header: &str, index: usize) -> bool {
        let makers = || self.chain.filters.iter().filter(|filter| makes(self.chain, filter, header));
        makers().all(|filter| filter.index < index)
            && makers().any(|filter| self.always.contains(&filter.index) && !passes_over(self.chain, filter, header))
    }

    /// Whether routes were chosen again before, each time that the gate makes Envoy do so, and by the same header.
    fn is_chosen_as_before(&self, header: &Header) -> bool {
        let is_alone =
            self.chain.filters.iter().all(|filter| matches!(filter.kind, FilterKind::Jwt | FilterKind::Rbac));
        let is_cleared = is_alone && self.passing.is_judged && self.accepted().all(|own| clears(&own.view));
        is_cleared
            && match header.fate {
                Fate::Set => true,
                Fate::Removed => false,
                Fate::Credential(_) => self.was_removed(header, usize::MAX),
            }
    }

    /// Tells of an old filter that stays behind the gate.
    fn tell_of_old(&self, headers: &[Header], filter: &Filter<'s>, findings: &mut Findings) {
        let Some((file, config)) = &filter.config else { return };
        for header in headers {
            let is_behind = self.is_behind_maker(&header.name, filter.index);
            let kind = if is_behind { Kind::Changed } else { Kind::Denied };
            config.visit(&mut |inner| {
                if is_looked_at(inner, &header.name) {
                    self.add(header, "looks", kind, file, inner, findings);
                }
            });
        }
    }

    /// Tells of what is added to the header, or set where there is none.
    fn tell_of_added(&self, header: &Header, kind: Kind, file: &Path, view: &View<'s>, findings: &mut Findings) {
        view.visit(&mut |inner| {
            if adds_to(inner, &header.name) {
                self.add(header, "looks", kind, file, inner, findings);
            }
        });
    }

    /// Tells of each text that has the header, or is its name.
    fn tell_of_texts(
        &self,
        header: &Header,
        kind: Kind,
        file: &Path,
        view: &View<'s>,
        is_name: bool,
        findings: &mut Findings,
    ) {
        if is_name {
            if view.text().is_some_and(|text| same_header(text.as_bytes(), header.name.as_bytes())) {
                self.add(header, "looks", kind, file, view, findings);
            }
            return;
        }
        in_texts(header, file, view, &mut |at, looks| self.add(header, looks, kind, file, at, findings));
    }

    fn add(&self, header: &Header, looks: &str, kind: Kind, file: &Path, view: &View<'_>, findings: &mut Findings) {
        let found = Finding::new(kind, file, view, header.looked_at(looks));
        let was_kept = self.accepted().next().is_none() || self.keeps_token();
        findings.add(match header.fate {
            Fate::Credential(true) if was_kept => found.restored_by("forward: {token: keep}"),
            Fate::Credential(true) => found.restored_by(format!(
                "forward: {{token: keep}}, with request_headers_to_remove: [{}] of the route configuration, so that no upstream \
                 gets it",
                header.name
            )),
            _ => found,
        });
    }
}

/// Whether a provider has the route chosen again for each token that Scopegate accepts: by its metadata, or by a header of a
/// claim that each has.
fn clears(provider: &View<'_>) -> bool {
    /// The claims that a token of an issuer needs.
    const NEEDED: [&str; 3] = ["iss", "sub", "exp"];
    let is_set = |name: &str| provider.get(name).and_then(|own| own.text()).is_some_and(|own| !own.is_empty());
    let makes = |made: &View<'_>| {
        let claim = made.get("claim_name").and_then(|own| own.text());
        claim.is_some_and(|claim| NEEDED.contains(&claim))
    };
    provider.get("clear_route_cache").is_some_and(|flag| flag.is_true())
        && (is_set("payload_in_metadata") || provider.list("claim_to_headers").iter().any(makes))
}

/// The members with headers that an old filter writes.
const MADE: [&str; 3] = ["header_name", "forward_payload_header", "forward_username_header"];

/// Whether a value is a header that an old filter writes.
fn is_made(view: &View<'_>) -> bool {
    MADE.iter().any(|made| is_same(last(view), made)) || view.path.ends_with(".forwarding.header")
}

/// Whether a filter runs on every route. One that a route only asks for nothing still removes what it would have made.
pub(super) fn runs_always(chain: &Chain<'_>, filter: &Filter<'_>) -> bool {
    let holders = || chain.route_configs.iter().flat_map(|(_, config)| config.holders(PER_FILTER));
    !filter.disabled && !holders().filter_map(|holder| entry(&holder, filter.name)).any(|own| is_off(&own))
}

/// Whether a filter writes a header, on some route or on all.
fn makes(chain: &Chain<'_>, filter: &Filter<'_>, header: &str) -> bool {
    let mut makes = false;
    let mut see = |inner: &View<'_>| {
        makes |= is_made(inner) && inner.text().is_some_and(|own| own.eq_ignore_ascii_case(header));
    };
    if let Some((_, config)) = filter.config.as_ref().filter(|_| filter.kind != FilterKind::Rbac) {
        config.visit(&mut see);
    }
    beside(chain, filter).iter().for_each(|own| own.visit(&mut see));
    makes
}

/// Whether a filter of keys leaves a header as it came, on some route.
fn passes_over(chain: &Chain<'_>, filter: &Filter<'_>, header: &str) -> bool {
    let sends = |own: &View<'_>| {
        let name = own.at(FORWARDING).and_then(|own| own.text());
        name.is_some_and(|name| name.eq_ignore_ascii_case(header))
    };
    filter.kind == FilterKind::Keys && !beside(chain, filter).iter().all(sends)
}

/// The configurations of a filter beside routes.
fn beside<'s>(chain: &Chain<'s>, filter: &Filter<'s>) -> Vec<View<'s>> {
    let holders = chain.route_configs.iter().flat_map(|(_, config)| config.holders(PER_FILTER));
    let entries = holders.filter_map(|holder| entry(&holder, filter.name));
    let configs = entries.map(|entry| entry.get("config").unwrap_or(entry));
    configs.filter(|own| own.type_name() == Some(filter.kind.per_route())).collect()
}

/// Whether a filter removes keys from the request, on all routes.
pub(super) fn hides_keys(chain: &Chain<'_>, filter: &Filter<'_>) -> bool {
    let hides = |forwarding: &View<'_>| forwarding.get("hide_credentials").is_some_and(|flag| flag.is_true());
    let own = filter.config.as_ref().and_then(|(_, config)| config.get("forwarding"));
    let beside = || chain.route_configs.iter().flat_map(|(_, config)| config.holders("forwarding"));
    filter.kind == FilterKind::Keys
        && own.is_some_and(|own| hides(&own))
        && beside().filter_map(|holder| holder.get("forwarding")).all(|own| hides(&own))
}

/// Whether an old filter compares the header, or takes a credential from it.
fn is_looked_at(view: &View<'_>, header: &str) -> bool {
    let is_place = ["name", "header", "string_value"].iter().any(|own| is_same(last(view), own));
    is_place && !is_made(view) && view.text().is_some_and(|own| own.eq_ignore_ascii_case(header))
}

/// Sees each text in a value that has the header as a word, and code that cannot be read; with words for how it looks.
pub(in crate::cli::migrate) fn in_texts<'s>(
    header: &Header,
    file: &Path,
    view: &View<'s>,
    see: &mut dyn FnMut(&View<'s>, &str),
) {
    match said(file, view) {
        Said::Text(text) if header.is_named_in(&text) => see(view, "looks"),
        Said::Code(code) if header.is_named_in(&code) => see(view, "looks"),
        Said::Code(code) if lua::looks_unnamed(&code, "headers") => {
            see(view, "has code that goes through headers, or makes up their names, and may look");
        }
        Said::Unread => see(view, "has code that cannot be read here, and may look"),
        Said::Text(_) | Said::Code(_) | Said::Nothing => {}
    }
    let is_other = |name: &str| NAMES.iter().chain(&[REMOVES]).any(|own| is_same(name, own));
    for (_, member) in view.members().into_iter().filter(|(name, _)| !is_other(name)) {
        in_texts(header, file, &member, see);
    }
    for item in view.items() {
        in_texts(header, file, &item, see);
    }
}
