//! What reads the metadata of the old filters.

use super::filters::runs_code;
use super::lua::looks_unnamed;
use super::{Readers, Said, last, said};
use crate::cli::gates::beside::PER_FILTER;
use crate::cli::migrate::envoy::chain::FilterKind;
use crate::cli::migrate::envoy::conditions::NAMESPACE;
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::source::{View, is_same};
use std::path::Path;

/// The filters that write metadata: its name, and what they are called.
const WRITERS: [(FilterKind, &str, &str); 2] =
    [(FilterKind::Jwt, NAMESPACE, "jwt_authn"), (FilterKind::Rbac, "envoy.filters.http.rbac", "rbac")];
/// The members by which each writes something.
const WRITES: [&str; 4] = ["payload_in_metadata", "header_in_metadata", "failed_status_in_metadata", "shadow_rules"];
/// Members of routes, and of what holds them, by which nothing is refused and no route is chosen.
const TOLD: [&str; 3] = ["request_headers_to_add", "response_headers_to_add", "tracing"];
/// The members of a connection manager of which the same holds.
const LOGS: [&str; 3] = ["access_log", "tracing", "local_reply_config"];

const UNREAD: &str = "is not read here";
const UNNAMED: &str = "goes through metadata, or makes up its names";

/// Whether a value reads metadata.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Not,
    Surely,
    /// It is code, of this kind.
    Perhaps(&'static str),
}

impl<'s> Readers<'_, 's> {
    /// Tells of whatever else reads the metadata of the old filters. What refuses requests by it is not carried over.
    pub(super) fn tell_of_metadata(&self, findings: &mut Findings) {
        let chain = self.chain;
        let writers: Vec<_> = WRITERS.iter().filter(|(kind, ..)| chain.of_kind(*kind).next().is_some()).collect();
        let mut see = |kind: Kind, file: &Path, view: &View<'_>, is_code: bool| {
            for (writer, namespace, name) in &writers {
                let reads = if is_code { Reads::Perhaps(UNREAD) } else { reads(file, view, namespace) };
                let found = match reads {
                    Reads::Not => continue,
                    Reads::Perhaps(_) if !self.writes(*writer) => continue,
                    Reads::Perhaps(code) => {
                        let what = format!(
                            "runs code that {code}: what it refuses by metadata of `{name}`, which is no longer written, \
                             passes now"
                        );
                        Finding::new(Kind::Denied, file, view, what)
                    }
                    Reads::Surely => {
                        let rest = match kind {
                            Kind::Denied => ": what is refused or led elsewhere by it passes now",
                            _ => "",
                        };
                        let what = format!("reads metadata of `{name}`, which is no longer written{rest}");
                        Finding::new(kind, file, view, what)
                    }
                };
                findings.add(match writer {
                    FilterKind::Jwt => found.restored_by("forward.headers, for a header to read in its place"),
                    _ => found,
                });
            }
        };
        let first = chain.filters.first().map_or(0, |filter| filter.index);
        for filter in &self.filters {
            let kind = self.kind_of(&filter.view, filter.order);
            filter.view.visit(&mut |inner| see(kind, filter.file, inner, false));
            if filter.index > first && runs_code(&filter.view) {
                see(Kind::Denied, filter.file, &filter.view, true);
            }
        }
        for (file, config) in &chain.route_configs {
            self.in_routes(config, &mut |kind, inner| see(kind, file, inner, false));
        }
        for name in LOGS {
            if let Some(view) = chain.manager.get(name) {
                view.visit(&mut |inner| see(Kind::Changed, chain.file, inner, false));
            }
        }
    }

    /// Whether a filter of this kind writes metadata that somebody asked for.
    fn writes(&self, kind: FilterKind) -> bool {
        self.chain.of_kind(kind).any(|(.., config)| WRITES.iter().any(|name| !config.holders(name).is_empty()))
    }

    /// Sees everything in routes but the configuration of migrated filters, with what is told of a reader there.
    fn in_routes(&self, view: &View<'s>, see: &mut impl FnMut(Kind, &View<'s>)) {
        see(Kind::Denied, view);
        for (name, member) in view.members() {
            if is_same(name, PER_FILTER) {
                let is_migrated = |name: &str| self.chain.filters.iter().any(|filter| filter.name == name);
                for (name, entry) in member.members().into_iter().filter(|(name, _)| !is_migrated(name)) {
                    let config = entry.get("config").unwrap_or(entry);
                    let kind = self.kind_of(&config, self.named(name).map_or(0, |filter| filter.order));
                    config.visit(&mut |inner| see(kind, inner));
                }
            } else if TOLD.iter().any(|told| is_same(name, told)) {
                let is_judged = is_same(name, "request_headers_to_add") && self.refuses_behind_router();
                let kind = if is_judged { Kind::Denied } else { Kind::Changed };
                member.visit(&mut |inner| see(kind, inner));
            } else {
                self.in_routes(&member, see);
            }
        }
        for item in view.items() {
            self.in_routes(&item, see);
        }
    }
}

/// Whether a value reads metadata of this name.
fn reads(file: &Path, view: &View<'_>, namespace: &str) -> Reads {
    match said(file, view) {
        Said::Text(text) if text.contains(namespace) && last(view) != "name" => Reads::Surely,
        Said::Code(code) if code.contains(namespace) => Reads::Surely,
        Said::Code(code) if looks_unnamed(&code, "dynamic") => Reads::Perhaps(UNNAMED),
        Said::Unread => Reads::Perhaps(UNREAD),
        Said::Text(_) | Said::Code(_) | Said::Nothing => Reads::Not,
    }
}
