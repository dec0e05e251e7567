//! The filters of a connection manager that are migrated, and what they ask of each request together.

use super::conditions::Reads;
use super::credentials::{self, Sets};
use super::jwt::{self, Jwt, Uses};
use super::levels::{Effective, effective};
use super::providers::Providers;
use super::rbac;
use super::routes::configure;
use crate::cli::gates::{fetched, route_configs};
use crate::cli::migrate::findings::{Findings, Why};
use crate::cli::migrate::policy::{Access, Cases, Issuers, Need};
use crate::cli::source::{Source, View};
use std::cell::RefCell;
use std::path::Path;

/// A filter that is migrated.
#[derive(Debug)]
pub(super) struct Filter<'s> {
    /// Its place in the chain.
    pub(super) index: usize,
    /// The entry in the chain.
    pub(super) view: View<'s>,
    /// Its name, which routes configure it by.
    pub(super) name: &'s str,
    pub(super) kind: FilterKind,
    /// Its configuration and the file of it, unless that is elsewhere.
    pub(super) config: Option<(&'s Path, View<'s>)>,
    /// Whether it is off unless a route turns it on.
    pub(super) disabled: bool,
}

/// What a filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterKind {
    Jwt,
    Rbac,
    Keys,
    Basic,
}

impl FilterKind {
    fn of(type_name: &str) -> Option<Self> {
        match type_name {
            jwt::FILTER => Some(Self::Jwt),
            rbac::FILTER => Some(Self::Rbac),
            _ if type_name == credentials::KEYS[0] => Some(Self::Keys),
            _ if type_name == credentials::BASIC[0] => Some(Self::Basic),
            _ => None,
        }
    }

    /// The type of its configuration beside a route.
    pub(super) const fn per_route(self) -> &'static str {
        match self {
            Self::Jwt => jwt::PER_ROUTE,
            Self::Rbac => rbac::PER_ROUTE,
            Self::Keys => credentials::KEYS[1],
            Self::Basic => credentials::BASIC[1],
        }
    }
}

/// Filters that change neither the path, the method and the host of a request, nor its route.
const HARMLESS: [&str; 15] = [
    "envoy.extensions.filters.http.cors.v3.Cors",
    "envoy.extensions.filters.http.csrf.v3.CsrfPolicy",
    "envoy.extensions.filters.http.buffer.v3.Buffer",
    "envoy.extensions.filters.http.fault.v3.HTTPFault",
    "envoy.extensions.filters.http.health_check.v3.HealthCheck",
    "envoy.extensions.filters.http.compressor.v3.Compressor",
    "envoy.extensions.filters.http.decompressor.v3.Decompressor",
    "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
    "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
    "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
    "envoy.extensions.filters.http.ratelimit.v3.RateLimit",
    "envoy.extensions.filters.http.set_metadata.v3.Config",
    "envoy.extensions.filters.http.set_filter_state.v3.Config",
    "envoy.extensions.filters.http.tap.v3.Tap",
    "envoy.extensions.filters.http.bandwidth_limit.v3.BandwidthLimit",
];

/// A connection manager with filters to migrate.
pub(super) struct Chain<'s> {
    pub(super) file: &'s Path,
    pub(super) manager: View<'s>,
    /// All its filters.
    pub(super) all: Vec<View<'s>>,
    /// Those that are migrated, in their order.
    pub(super) filters: Vec<Filter<'s>>,
    /// The others, each with its place and its file; one that is fetched also as it is there.
    pub(super) others: Vec<(usize, &'s Path, View<'s>)>,
    pub(super) route_configs: Vec<(&'s Path, View<'s>)>,
    /// Why nothing of it can be carried over.
    pub(super) broken: Vec<Why>,
    /// Whether chains for upgrades keep filters of the same names.
    pub(super) keeps_beside: bool,
}

impl<'s> Chain<'s> {
    /// The chain of a connection manager, if a token, or whatever else is migrated, is judged in it.
    pub(super) fn of(sources: &'s [Source], file: &'s Path, manager: View<'s>) -> Option<Self> {
        let all = manager.list("http_filters");
        let mut broken = Vec::new();
        let filters: Vec<Filter<'s>> = all
            .iter()
            .enumerate()
            .filter_map(|(index, view)| filter(sources, file, index, view, &mut broken))
            .collect();
        let is_ours = filters.iter().any(|filter| filter.kind != FilterKind::Rbac) || !broken.is_empty();
        if !is_ours {
            return None;
        }
        let route_configs = route_configs(sources, file, &manager);
        let elsewhere = ["scoped_routes", "rds"].iter().find_map(|name| manager.get(name));
        match (&elsewhere, route_configs.len()) {
            (Some(view), _) if manager.get("scoped_routes").is_some() => {
                broken.push(Why::new(file, view, "chooses among scoped routes, which are not read here"));
            }
            (_, 1) => {}
            (Some(view), 0) => {
                let what = "serves routes that are not in these files, and routes may have requirements of their own: give the \
                            file that holds them too";
                broken.push(Why::new(file, view, what));
            }
            (_, 0) => broken.push(Why::new(file, &manager, "has no routes")),
            (view, _) => {
                let view = view.as_ref().unwrap_or(&manager);
                broken.push(Why::new(
                    file,
                    view,
                    "serves one of several route configurations of that name in these files",
                ));
            }
        }
        for (file, config) in &route_configs {
            if let Some(vhds) = config.get("vhds") {
                broken.push(Why::new(file, &vhds, "fetches virtual hosts, which may have requirements of their own"));
            }
        }
        let upgrades = manager.list("upgrade_configs");
        let keeps_beside = upgrades.iter().flat_map(|own| own.list("filters")).any(|view| holds_migrated(&view));
        let mut others = Vec::new();
        for (index, view) in all.iter().enumerate() {
            if !filters.iter().any(|filter| filter.index == index) {
                let found = fetched(sources, view).map(|(source, own)| (index, source.file.as_path(), own));
                others.extend(std::iter::once((index, file, view.clone())).chain(found));
            }
        }
        let mut chain = Self { file, manager, all, filters, others, route_configs, broken, keeps_beside };
        chain.broken.extend(chain.other_route());
        Some(chain)
    }

    /// Why the route that a filter was configured by may not be the one that Scopegate sees.
    fn other_route(&self) -> Option<Why> {
        let clears = self.jwts().find_map(|(filter, file, view)| {
            let providers = view.get("providers").map(|view| view.members()).unwrap_or_default();
            let clears = |(_, provider): (&str, View<'s>)| provider.get("clear_route_cache").filter(View::is_true);
            let view = providers.into_iter().find_map(clears)?;
            let after = self.filters.iter().filter(|other| other.index > filter.index);
            let by_route = after.map(|other| other.name).find(|name| configure(self, std::iter::once(*name)))?;
            Some((file, view, by_route))
        });
        if let Some((file, view, name)) = clears {
            let what = format!(
                "chooses the route again before `{name}`, which is configured by route: Scopegate judges by the first"
            );
            return Some(Why::new(file, &view, what));
        }
        let before = self.edited_before().filter(|_| configure(self, self.filters.iter().map(|filter| filter.name)))?;
        let what = "stands before the gate and may change the route, by which filters are configured: Scopegate may see the \
                    route before";
        Some(Why::new(self.file, before, what))
    }

    /// Whether the filter at this place is migrated.
    pub(super) fn is_migrated(&self, index: usize) -> bool {
        self.filters.iter().any(|filter| filter.index == index)
    }

    /// Whether it serves routes that another chain serves, too.
    pub(super) fn serves_with(&self, other: &Self) -> bool {
        let is_own = |(_, config): &(&Path, View<'s>)| {
            self.route_configs.iter().any(|(_, own)| std::ptr::eq(own.node, config.node))
        };
        other.route_configs.iter().any(is_own)
    }

    /// The filters of this kind with a configuration that can be read.
    pub(super) fn of_kind(&self, kind: FilterKind) -> impl Iterator<Item = (&Filter<'s>, &'s Path, &View<'s>)> {
        let own = self.filters.iter().filter(move |filter| filter.kind == kind);
        own.filter_map(|filter| filter.config.as_ref().map(|(file, view)| (filter, *file, view)))
    }

    /// The filters `jwt_authn`.
    pub(super) fn jwts(&self) -> impl Iterator<Item = (&Filter<'s>, &'s Path, &View<'s>)> {
        self.of_kind(FilterKind::Jwt)
    }

    /// Why a filter may see another request than the first one does.
    fn edited(&self, filter: &Filter<'s>) -> Option<Why> {
        let first = self.filters.first()?.index;
        let between = self.all.iter().enumerate().take(filter.index).skip(first);
        let mut others = between.filter(|(_, view)| !is_migrated(view)).filter(|(_, view)| !is_harmless(view));
        others.next().map(|(_, view)| {
            let name = view.name().unwrap_or_default();
            let what = format!("stands after `{name}`, which may change the request; Scopegate stands before it");
            Why::new(self.file, &filter.view, what)
        })
    }

    /// The first filter before the gate that may change the request or its route.
    pub(super) fn edited_before(&self) -> Option<&View<'s>> {
        let first = self.filters.first()?.index;
        self.all.iter().take(first).find(|view| !is_harmless(view))
    }
}

/// Whether a filter changes neither what rules look at, nor the route.
fn is_harmless(filter: &View<'_>) -> bool {
    let own = filter.get("typed_config").and_then(|view| view.type_name());
    own.is_some_and(|own| HARMLESS.contains(&own))
}

/// Whether a filter is one of those that are migrated.
fn is_migrated(filter: &View<'_>) -> bool {
    filter.get("typed_config").and_then(|view| view.type_name()).and_then(FilterKind::of).is_some()
        || filter.get("config_discovery").is_some_and(|discovery| discovered(&discovery).is_some())
}

/// Whether a filter is one of those, or has one within it.
fn holds_migrated(filter: &View<'_>) -> bool {
    let mut found = is_migrated(filter);
    filter.visit(&mut |inner| found |= inner.type_name().and_then(FilterKind::of).is_some());
    found
}

/// What a filter is that is fetched.
fn discovered(discovery: &View<'_>) -> Option<FilterKind> {
    let urls = discovery.list("type_urls");
    urls.iter().filter_map(View::text).find_map(|url| FilterKind::of(url.rsplit('/').next().unwrap_or_default()))
}

fn filter<'s>(
    sources: &'s [Source],
    file: &'s Path,
    index: usize,
    view: &View<'s>,
    broken: &mut Vec<Why>,
) -> Option<Filter<'s>> {
    let disabled = view.get("disabled").is_some_and(|flag| flag.is_true());
    let made = |kind, config| {
        Some(Filter { index, view: view.clone(), name: view.name().unwrap_or_default(), kind, config, disabled })
    };
    if let Some(discovery) = view.get("config_discovery") {
        let found = fetched(sources, view)
            .and_then(|(source, extension)| Some((source.file.as_path(), extension.get("typed_config")?)));
        let kind = found.as_ref().and_then(|(_, config)| config.type_name()).and_then(FilterKind::of);
        return match (kind, discovered(&discovery)) {
            (Some(kind), _) => made(kind, found),
            (None, Some(kind)) => {
                let what = "is fetched, and its configuration is not in these files: give the file that holds it too";
                broken.push(Why::new(file, view, what));
                made(kind, None)
            }
            (None, None) => None,
        };
    }
    let config = view.get("typed_config");
    let own = config.as_ref().and_then(View::type_name).and_then(FilterKind::of);
    if let Some(kind) = own {
        return made(kind, config.map(|config| (file, config)));
    }
    let mut wrapped = None;
    view.visit(&mut |inner| {
        if inner.type_name().and_then(FilterKind::of).is_some() {
            wrapped.get_or_insert_with(|| inner.clone());
        }
    });
    if let Some(inner) = wrapped {
        broken.push(Why::new(file, &inner, "stands within another filter, which decides whether it runs"));
    }
    None
}

/// What the filters of a chain ask of requests.
pub(super) struct Asks<'c, 's> {
    pub(super) chain: &'c Chain<'s>,
    pub(super) providers: &'c Providers<'s>,
    pub(super) used: RefCell<Uses>,
    pub(super) sets: RefCell<Sets>,
    pub(super) findings: RefCell<Findings>,
}

impl<'s> Asks<'_, 's> {
    /// What is asked of a request whose route has these holders of configuration, the most specific first.
    pub(super) fn of(&self, levels: &[View<'s>], file: &'s Path) -> Cases<Access> {
        if !self.chain.broken.is_empty() {
            return Cases::always(Access::Unclear(self.chain.broken.clone()));
        }
        let mut all = Cases::always(Access::Open);
        for (filter, own, view) in self.chain.jwts() {
            let two = Why::new(own, view, "is a second `jwt_authn` that asks for a token of its own");
            let unclear = Access::Unclear(vec![two]);
            let answer = self.unedited(filter, self.jwt(filter, own, view, levels, file));
            all = all.both(&answer, &unclear, |a, b| match (a, b) {
                (Access::Open, other) | (other, Access::Open) => other.clone(),
                (Access::No, _) | (_, Access::No) => Access::No,
                _ => unclear.clone(),
            });
        }
        let judged = all.clone();
        for (filter, own, view) in self.chain.of_kind(FilterKind::Rbac) {
            let why = Why::new(own, view, "has more conditions together with other filters than rules can tell apart");
            let answer = self.unedited(filter, self.rbac(filter, own, view, levels, file));
            all = rbac::both(&all, &answer, &why);
        }
        if self.providers.share_issuers() {
            all = self.of_known_providers(&all, &judged);
        }
        for (filter, own, view) in self.of_credentials() {
            let access = Cases::always(self.credentials(filter, own, view, levels, file));
            let why = Why::new(own, view, "has more conditions together with other filters than rules can tell apart");
            all = rbac::both(&all, &self.unedited(filter, access), &why);
        }
        all
    }

    /// What is asked, where it is known which of several providers with one issuer has taken a token.
    fn of_known_providers(&self, asked: &Cases<Access>, judged: &Cases<Access>) -> Cases<Access> {
        let what = "accepts a token by several providers with one issuer, and the metadata is that of the first that takes it: no \
                    requirement says which. Give them one `payload_in_metadata`, and migrate again";
        let view = self.chain.jwts().next().map_or(&self.chain.manager, |(.., view)| view);
        let unclear = Access::Unclear(vec![Why::new(self.chain.file, view, what)]);
        asked.both(judged, &unclear, |asked, judged| match (asked, judged) {
            (Access::Need(Need { tokens: Some(wanted), .. }), Access::Need(Need { tokens: Some(accepted), .. }))
                if self.providers.may_be_taken_for_another(wanted, accepted) =>
            {
                unclear.clone()
            }
            _ => asked.clone(),
        })
    }

    fn of_credentials(&self) -> impl Iterator<Item = (&Filter<'s>, &'s Path, &View<'s>)> {
        self.chain.of_kind(FilterKind::Keys).chain(self.chain.of_kind(FilterKind::Basic))
    }

    fn credentials(
        &self,
        filter: &Filter<'s>,
        own: &'s Path,
        view: &View<'s>,
        levels: &[View<'s>],
        file: &'s Path,
    ) -> Access {
        let (mut sets, mut findings) = (self.sets.borrow_mut(), self.findings.borrow_mut());
        let mut answer = |file: &Path, route: Option<&View<'s>>| match filter.kind {
            FilterKind::Keys => sets.keys(file, view, route, &mut findings),
            _ => sets.basic(file, view, route, &mut findings),
        };
        match effective(levels, filter) {
            Effective::Off => Access::Yes,
            Effective::Base => answer(own, None),
            Effective::Own(config) => answer(file, Some(&config)),
            Effective::Unread(config) => {
                Access::Unclear(vec![Why::new(file, &config, "is no configuration of this filter for a route")])
            }
        }
    }

    /// What does not depend on a request that another filter may have changed.
    fn unedited(&self, filter: &Filter<'s>, cases: Cases<Access>) -> Cases<Access> {
        let Some(why) = self.chain.edited(filter) else { return cases };
        let is_by_request = cases.only().is_none() || configure(self.chain, std::iter::once(filter.name));
        // `rbac` asks for what was found out before, and the others for what the request has then.
        let reads_credential =
            filter.kind != FilterKind::Rbac && cases.all().any(|(_, access)| matches!(access, Access::Need(_)));
        if is_by_request || reads_credential { Cases::always(Access::Unclear(vec![why])) } else { cases }
    }

    fn jwt(
        &self,
        filter: &Filter<'s>,
        own: &'s Path,
        view: &View<'s>,
        levels: &[View<'s>],
        file: &'s Path,
    ) -> Cases<Access> {
        let jwt = Jwt {
            file: own,
            view: view.clone(),
            providers: self.providers,
            used: &self.used,
            findings: &self.findings,
        };
        match effective(levels, filter) {
            Effective::Off => Cases::always(Access::Open),
            Effective::Own(config) => Cases::always(jwt.per_route(file, &config)),
            Effective::Base => jwt.rules(),
            Effective::Unread(config) => Cases::always(Access::Unclear(vec![Why::new(
                file,
                &config,
                "is no configuration of `jwt_authn` for a route",
            )])),
        }
    }

    fn rbac(
        &self,
        filter: &Filter<'s>,
        own: &'s Path,
        view: &View<'s>,
        levels: &[View<'s>],
        file: &'s Path,
    ) -> Cases<Access> {
        let before = self.chain.jwts().filter(|(jwt, ..)| jwt.index < filter.index).map(|(.., view)| view.clone());
        let reads = Reads { providers: self.providers, before: before.collect(), edited: self.chain.edited(filter) };
        let mut findings = self.findings.borrow_mut();
        match effective(levels, filter) {
            Effective::Off => Cases::always(Access::Yes),
            Effective::Own(config) => match config.get("rbac") {
                Some(instead) => rbac::answer(file, &instead, &reads, &mut findings),
                // Nothing is enforced there.
                None => Cases::always(Access::Yes),
            },
            Effective::Base => rbac::answer(own, view, &reads, &mut findings),
            Effective::Unread(config) => Cases::always(Access::Unclear(vec![Why::new(
                file,
                &config,
                "is no configuration of `rbac` for a route",
            )])),
        }
    }

    /// What requirements can say of it; the rest is unclear.
    pub(super) fn settled(&self, cases: &Cases<Access>, issuers: &Issuers) -> Cases<Access> {
        let settle = |access: &Access| match issuers.settled(access) {
            Ok(access) => access,
            Err(what) => {
                let view = self.chain.filters.first().map_or(&self.chain.manager, |filter| &filter.view);
                Access::Unclear(vec![Why::new(self.chain.file, view, what)])
            }
        };
        cases.map(settle)
    }
}
