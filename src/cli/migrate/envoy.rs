//! Envoy's own files: `jwt_authn` and what stands beside it, as a Scopegate filter in its place.

mod cel;
mod chain;
mod conditions;
mod credentials;
mod data;
mod duration;
mod gate;
mod headers;
mod jwt;
mod keys;
mod known;
mod levels;
mod makers;
mod matching;
mod places;
mod providers;
mod rbac;
mod readers;
mod regex;
mod routes;
mod served;
mod stricter;

use super::findings::{Finding, Findings, Kind};
use super::policy::closes_head;
use super::write::{Edit, Edits, json, yaml};
use super::{Migrated, NewFilter};
use crate::cli::check;
use crate::cli::report::Severity;
use crate::cli::source::{Source, View};
use crate::config::Node;
use chain::{Asks, Chain, FilterKind};
use makers::Makers;
use providers::Providers;
use readers::Readers;
pub(super) use readers::{in_texts, is_closed};
use routes::Routes;
use served::{Manager, Names};
use std::cell::RefCell;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Migrates the chains in these files.
///
/// # Errors
/// When there is nothing to migrate.
pub(super) fn migrate(sources: &[Source], new_filter: NewFilter<'_>) -> Result<Migrated, Box<dyn Error>> {
    let mut chains = Vec::new();
    let mut findings = Findings::default();
    let managers = Manager::all(sources);
    for manager in managers.iter().filter(|manager| manager.is_of_envoy()) {
        match &manager.gate {
            Some(ours) => {
                findings.tell(Kind::Note, manager.file, ours, "is there already: its chain is left as it is");
            }
            None => chains.extend(Chain::of(sources, manager.file, manager.view.clone())),
        }
    }
    if chains.is_empty() {
        let names = Source::names(sources);
        return Err(format!(
            "{names}: no connection manager with `jwt_authn`, `api_key_auth` or `basic_auth`. For routes in a separate file, give the file of \
             their listener too"
        )
        .into());
    }
    let clusters = readers::clusters(sources);
    let mut edits = Edits::default();
    let mut names = Names::new(sources);
    let (mut plugins, mut replaced) = (Vec::new(), Vec::new());
    for chain in &chains {
        let is_shared = chains.iter().filter(|other| other.serves_with(chain)).count() > 1
            || served::is_read_by_another(chain, &managers);
        if let Some(plugin) = translated(chain, is_shared, &clusters, new_filter, &mut names, &mut edits, &mut findings)
        {
            plugins.push(plugin);
            replaced.push(chain);
        }
    }
    // Filters that stay need what stands beside their routes.
    for chain in replaced.iter().filter(|_| !new_filter.report_only) {
        routes::strip(chain, |config| served::kept(config, &managers, &replaced), &mut edits, &mut findings);
    }
    let written = written(sources, &edits, &mut findings);
    let plugins = plugins.iter().map(|plugin| plugin.value.to_json()).collect();
    Ok(Migrated { plugins, written, findings })
}

/// Translates a chain; gives the configuration of its gate.
fn translated(
    chain: &Chain<'_>,
    is_shared: bool,
    clusters: &[(&Path, View<'_>)],
    new_filter: NewFilter<'_>,
    names: &mut Names,
    edits: &mut Edits,
    findings: &mut Findings,
) -> Option<Node> {
    if let Some(finding) = routes::foreign(chain) {
        findings.add(finding);
        return None;
    }
    let mut providers = Providers::default();
    for (_, file, view) in chain.jwts() {
        providers.read(file, view, findings);
        stricter::filter(file, view, &chain.manager, findings);
    }
    chain.broken.iter().for_each(|why| findings.add(why.finding().clone()));
    providers
        .0
        .iter()
        .filter_map(|provider| provider.broken.as_ref())
        .for_each(|why| findings.add(why.finding().clone()));
    let asks = Asks {
        chain,
        providers: &providers,
        used: RefCell::default(),
        sets: RefCell::default(),
        findings: RefCell::default(),
    };
    let routes = Routes::read(&asks);
    let mut issuers = providers.issuers(&asks.used.borrow());
    issuers.sets = asks.sets.borrow().headers();
    if providers.nodes(&issuers).is_empty() && issuers.sets.is_empty() {
        asks.findings.into_inner().0.into_iter().for_each(|finding| findings.add(finding));
        if let Some(first) = chain.filters.first() {
            let what = "accepts no credential that Scopegate could accept: its chain is left as it is";
            findings.tell(Kind::Denied, chain.file, &first.view, what);
        }
        return None;
    }
    let before = chain.edited_before();
    if let Some(view) = before {
        let what = "stands before the gate and may change requests or their route: what is asked stands in rules, by the path \
                    that the gate sees";
        findings.tell(Kind::Note, chain.file, view, what);
    }
    // Envoy then takes another path for the route than the one that is judged.
    let ignores =
        |name: &str| chain.route_configs.iter().any(|(_, config)| config.get(name).is_some_and(|flag| flag.is_true()));
    let may_be_beside = !is_shared && before.is_none() && !ignores("ignore_path_parameters_in_path_matching");
    let (rules, mut passing) = routes.write(&asks, &issuers, may_be_beside, names, edits, findings);
    tell_head(chain, &rules, findings);
    let sets = asks.sets.into_inner();
    asks.findings.into_inner().0.into_iter().for_each(|finding| findings.add(finding));
    let makers = Makers { providers: &providers, sets: &sets, needs: &passing.needs };
    let plugin = gate::plugin(chain, &makers, &issuers, rules, findings);
    let plugin = if new_filter.report_only { gate::reporting(plugin, &providers) } else { plugin };
    // Preflights pass unjudged.
    passing.is_judged &= View::root(&plugin).get("bypass_cors_preflight").is_none();
    Readers::of(chain, &providers, clusters, passing, new_filter.report_only).tell(&plugin, findings);
    for (number, filter) in chain.filters.iter().enumerate() {
        let mut nodes = if number == 0 { vec![gate::filter(plugin.clone(), new_filter.module)] } else { Vec::new() };
        if new_filter.report_only {
            nodes.push(filter.view.node.clone());
        }
        if let Some(first) =
            chain.filters.first().filter(|first| number > 0 && filter.index > first.index.saturating_add(number))
        {
            let what = format!("stood after other filters; what it asks for is judged where `{}` stood", first.name);
            findings.tell(Kind::Changed, chain.file, &filter.view, what);
        }
        edits.add(filter.view.node, Edit::Instead(nodes));
    }
    if chain.keeps_beside {
        let what = "has chains for upgrades with filters of their own, which are left as they are";
        findings.tell(Kind::Note, chain.file, &chain.manager, what);
    }
    Some(plugin)
}

/// Tells of a rule that no line of the old configuration is about.
fn tell_head(chain: &Chain<'_>, rules: &[Node], findings: &mut Findings) {
    let closing = chain.filters.iter().find(|filter| filter.kind == FilterKind::Rbac).or_else(|| chain.filters.first());
    if let Some(filter) = closing.filter(|_| closes_head(rules)) {
        let what = "HEAD is closed on its own, since `methods: [GET]` covers HEAD and the old policy did not";
        findings.tell(Kind::Note, chain.file, &filter.view, what);
    }
}

/// The new files. What `scopegate check` finds in them is told.
fn written(sources: &[Source], edits: &Edits, findings: &mut Findings) -> Vec<(PathBuf, String)> {
    let mut written = Vec::new();
    for source in sources {
        let touched = |document: &&crate::cli::source::Document| !edits.is_untouched(document.root().node);
        if !source.documents.iter().any(|document| touched(&document)) {
            continue;
        }
        if let Some(inner) =
            source.documents.iter().find(|document| touched(document) && !document.root().path.is_empty())
        {
            let what =
                "is a part of another file, such as a dump: its configuration is printed, and no file is written";
            findings.tell(Kind::Note, &source.file, &inner.root(), what);
            continue;
        }
        let is_json = source.file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        let all = source.documents.iter().map(|document| edits.applied(document.root().node));
        let text = if is_json {
            all.map(|node| json(&node)).collect::<String>()
        } else {
            all.map(|node| yaml(&node)).collect::<Vec<_>>().join("---\n")
        };
        written.push((source.file.clone(), text));
    }
    // The files that stay as they are belong to what is checked.
    let checked: Vec<Source> = sources
        .iter()
        .filter_map(|source| match written.iter().find(|(file, _)| *file == source.file) {
            Some((file, text)) => Source::of_text(file, text).ok(),
            None => (source.file.as_os_str() != "-").then(|| Source::read(&source.file).ok()).flatten(),
        })
        .collect();
    let told = if written.is_empty() { Ok(Vec::new()) } else { check::check(&checked) };
    for problem in told.unwrap_or_default() {
        if problem.severity == Severity::Error {
            findings.add(Finding {
                kind: if problem.rule == "configuration" { Kind::Denied } else { Kind::Note },
                file: problem.file,
                position: None,
                path: problem.path,
                what: format!("`scopegate check` finds in the new file: {}; {}", problem.what, problem.remedy),
                restore: None,
            });
        }
    }
    written
}
