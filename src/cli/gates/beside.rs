//! What a gate reads beside the routes: the requirement of a route or a virtual host.
//!
//! The Wasm module reads the metadata of both. Envoy hands the native module no metadata of a virtual host, and none of a
//! route that holds objects; it has a configuration for a route or a virtual host instead (`DynamicModuleFilterPerRoute`).

use super::super::source::{Source, View, plugin_values};
use super::ours::is_native_module;
use crate::config::{self, ConfigError, METADATA_NAMESPACE, Problem, Tree};
use crate::facts::MetadataSource;
use crate::policy::{Policy, Requirement};
use std::path::Path;

/// The type of a dynamic module's configuration for a route.
pub(in crate::cli) const PER_ROUTE: &str =
    "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilterPerRoute";
/// The type that turns a filter off or on for a route, and may hold its configuration.
pub(in crate::cli) const FILTER_CONFIG: &str = "envoy.config.route.v3.FilterConfig";
/// The settings of filters for a route.
pub(in crate::cli) const PER_FILTER: &str = "typed_per_filter_config";

/// A requirement beside a route or a virtual host.
#[derive(Clone, Debug)]
pub struct Beside<'s> {
    /// As it is written.
    pub view: View<'s>,
    /// What the gate takes it for.
    pub source: MetadataSource,
    /// Why the gate cannot read it.
    unreadable: Option<ConfigError>,
}

impl<'s> Beside<'s> {
    /// The requirement in the metadata of a route.
    pub(in crate::cli) const fn of_route(view: View<'s>) -> Self {
        plain(view, MetadataSource::Route)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Every problem.
    pub fn read(
        &self,
        policy: &Policy,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Requirement, ConfigError> {
        match &self.unreadable {
            Some(error) => Err(error.clone()),
            None => config::requirement(self.view.node, policy, environment),
        }
    }
}

/// How a gate reads requirements.
#[derive(Clone, Copy, Debug)]
pub enum Reader<'s, 'n> {
    /// The Wasm module.
    Wasm,
    /// The native module: the files, and the name of the filter in its chain.
    Native(&'s [Source], &'n str),
}

impl<'s> Reader<'s, '_> {
    /// That of a virtual host in this route configuration.
    pub(super) fn of_host(self, file: &Path, config: &View<'s>, host: &View<'s>) -> Option<Beside<'s>> {
        match self {
            Self::Wasm => metadata(host).map(|view| plain(view, MetadataSource::VirtualHost)),
            Self::Native(..) => [host, config].into_iter().find_map(|holder| self.configured(file, holder)),
        }
    }

    /// That of a route, and of its virtual host.
    pub(super) fn of_route(self, file: &Path, route: &View<'s>, host: Option<&Beside<'s>>) -> Option<Beside<'s>> {
        let written = metadata(route).map(|view| plain(view, MetadataSource::Route));
        if matches!(self, Self::Wasm) {
            return written;
        }
        // Envoy hands over the members of metadata, so that empty metadata is none.
        let written = written.filter(|beside| !beside.view.members().is_empty());
        let own = self.configured(file, route);
        match (written, own.as_ref().or(host)) {
            (Some(written), Some(_)) => Some(both(&written)),
            (Some(written), None) => Some(handed_over(written)),
            (None, _) => own,
        }
    }

    /// The configuration that the filter has there.
    fn configured(self, file: &Path, holder: &View<'s>) -> Option<Beside<'s>> {
        let Self::Native(sources, filter) = self else { return None };
        let entry = per_route(&holder.at(&[PER_FILTER, filter])?)?;
        let source = sources.iter().find(|source| source.file == file)?;
        Some(of_entry(source, &entry))
    }
}

/// The requirement in a configuration of the native module for a route.
pub(in crate::cli) fn of_entry<'s>(source: &'s Source, entry: &View<'s>) -> Beside<'s> {
    let Some(config) = entry.get("filter_config") else {
        return refused(entry, "has no filter_config, so it asks nothing", "write the requirement into it");
    };
    match plugin_values(source, &config) {
        Ok(view) => plain(view, MetadataSource::Route),
        Err(error) => Beside { unreadable: Some(error), ..plain(config, MetadataSource::Route) },
    }
}

/// The `DynamicModuleFilterPerRoute` of our module in an entry of `typed_per_filter_config`.
pub(in crate::cli) fn per_route<'s>(entry: &View<'s>) -> Option<View<'s>> {
    let inner = if entry.type_name() == Some(FILTER_CONFIG) { entry.get("config")? } else { entry.clone() };
    (inner.type_name() == Some(PER_ROUTE) && is_native_module(&inner)).then_some(inner)
}

/// The metadata of a route or a virtual host in our namespace. There null is not unset: Envoy hands over an empty requirement.
pub(in crate::cli) fn metadata<'s>(holder: &View<'s>) -> Option<View<'s>> {
    holder.at(&["metadata", "filter_metadata"])?.written(METADATA_NAMESPACE)
}

const fn plain(view: View<'_>, source: MetadataSource) -> Beside<'_> {
    Beside { view, source, unreadable: None }
}

fn refused<'s>(view: &View<'s>, what: &str, remedy: &str) -> Beside<'s> {
    let problem =
        Problem { path: String::new(), at: view.position(), what: what.to_owned(), remedy: remedy.to_owned() };
    Beside { unreadable: Some(ConfigError(vec![problem])), ..plain(view.clone(), MetadataSource::Route) }
}

/// A route with metadata, and with a configuration of the filter for it or for its virtual host.
fn both<'s>(written: &Beside<'s>) -> Beside<'s> {
    refused(
        &written.view,
        "is a requirement beside a configuration of the native module for the route: it answers 500",
        "write one of the two",
    )
}

/// Metadata as Envoy hands it to a dynamic module: key by key, without objects.
fn handed_over(written: Beside<'_>) -> Beside<'_> {
    let is_plain = |value: &Tree| !matches!(value, Tree::Object(_) | Tree::Null | Tree::List(_));
    let problems = written.view.members().into_iter().filter_map(|(name, member)| {
        let is_read = match &member.node.value {
            Tree::List(items) => items.iter().all(|item| is_plain(&item.value)),
            value => is_plain(value),
        };
        (!is_read).then(|| Problem {
            path: name.to_owned(),
            at: member.position(),
            what: "holds an object or null, which Envoy does not hand to a native module: it answers 500".to_owned(),
            remedy: format!("write the requirement as DynamicModuleFilterPerRoute in {PER_FILTER}"),
        })
    });
    let problems: Vec<Problem> = problems.collect();
    Beside { unreadable: (!problems.is_empty()).then_some(ConfigError(problems)), ..written }
}
