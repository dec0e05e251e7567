//! The inputs of route matching beside path and host: headers, dynamic metadata, filter state.

use super::names_header;
use crate::cli::gates::InEnvoy;
use crate::cli::source::View;
use std::path::Path;

/// An input of a matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Header(String),
    Query,
    Metadata,
    /// A key, if the matcher names one.
    FilterState(Option<String>),
}

impl Input {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Header(name) => name.clone(),
            Self::Query => "the query".to_owned(),
            Self::Metadata => "dynamic metadata".to_owned(),
            Self::FilterState(Some(key)) => format!("the filter state {key}"),
            Self::FilterState(None) => "filter state".to_owned(),
        }
    }
}

/// The inputs of the routes of a gate, and their places.
pub(super) fn all<'e>(envoy: &InEnvoy<'e>) -> Vec<(&'e Path, Input, View<'e>)> {
    let mut found = Vec::new();
    for host in &envoy.virtual_hosts {
        for matching in host.routes.iter().filter_map(|route| route.view.get("match")) {
            found.extend(of_match(&matching).into_iter().map(|(input, view)| (host.file, input, view)));
        }
    }
    for (file, config) in &envoy.route_configs {
        found.extend(of_matcher_trees(config).into_iter().map(|(input, view)| (*file, input, view)));
        if let Some(view) = config.get("vhost_header") {
            found.extend(view.text().map(|name| (*file, Input::Header(name.to_owned()), view.clone())));
        }
    }
    if let Some(scopes) = envoy.manager.get("scoped_routes") {
        found.extend(of_scopes(&scopes).into_iter().map(|(input, view)| (envoy.file, input, view)));
    }
    found
}

/// The inputs of the `match` of a route.
fn of_match<'e>(matching: &View<'e>) -> Vec<(Input, View<'e>)> {
    let mut found = Vec::new();
    let header = |name: &str| Input::Header(name.to_owned());
    for item in matching.list("headers") {
        let Some(name) = item.get("name") else { continue };
        found.extend(name.text().map(|text| (header(text), name.clone())));
    }
    for (member, input) in
        [("query_parameters", Input::Query), ("cookies", header("cookie")), ("grpc", header("content-type"))]
    {
        found.extend(matching.get(member).map(|view| (input, view)));
    }
    found.extend(matching.list("dynamic_metadata").into_iter().map(|view| (Input::Metadata, view)));
    for item in matching.list("filter_state") {
        let key = item.get("key").and_then(|key| key.text()).map(str::to_owned);
        found.push((Input::FilterState(key), item));
    }
    found
}

/// The inputs of matcher trees, which may be in a virtual host or replace virtual hosts.
fn of_matcher_trees<'e>(config: &View<'e>) -> Vec<(Input, View<'e>)> {
    let mut found = Vec::new();
    for view in config.holders("typed_config").iter().filter_map(|holder| holder.get("typed_config")) {
        let name = view.type_name().unwrap_or_default();
        let member = |member: &str| view.get(member).and_then(|view| view.text()).map(str::to_owned);
        if name.ends_with(".HttpRequestHeaderMatchInput") {
            found.extend(member("header_name").map(|name| (Input::Header(name), view.clone())));
        } else if name.ends_with(".HttpRequestQueryParamMatchInput") {
            found.push((Input::Query, view.clone()));
        } else if name.ends_with(".HttpRequestCookieMatchInput") {
            found.push((Input::Header("cookie".to_owned()), view.clone()));
        } else if name.ends_with(".DynamicMetadataInput") {
            found.push((Input::Metadata, view.clone()));
        } else if name.ends_with(".FilterStateInput") {
            found.push((Input::FilterState(member("key")), view.clone()));
        } else if name.ends_with(".HttpAttributesCelMatchInput") {
            // An expression may look at anything.
            found.push((Input::Metadata, view.clone()));
            found.push((Input::FilterState(None), view.clone()));
        }
    }
    found
}

/// The inputs of the keys of scoped routes.
fn of_scopes<'e>(scopes: &View<'e>) -> Vec<(Input, View<'e>)> {
    let mut found = Vec::new();
    scopes.visit(&mut |view| {
        if let Some(name) = view.at(&["header_value_extractor", "name"]) {
            found.extend(name.text().map(|text| (Input::Header(text.to_owned()), name.clone())));
        }
        found.extend(view.get("dynamic_metadata_value_extractor").map(|view| (Input::Metadata, view)));
        found.extend(view.get("filter_state_value_extractor").map(|view| (Input::FilterState(None), view)));
    });
    found
}

/// Whether a header is gone before the first match, in every spelling: early header mutation removes it, and Envoy drops
/// or refuses headers with underscores.
pub(super) fn removed_early(envoy: &InEnvoy<'_>, name: &str) -> bool {
    let action = envoy.manager.at(&["common_http_protocol_options", "headers_with_underscores_action"]);
    let no_underscores = matches!(action.and_then(|view| view.text()), Some("DROP_HEADER" | "REJECT_REQUEST"));
    let takes_away = |mutation: View<'_>| {
        mutation.get("remove").and_then(|view| view.text()).is_some_and(|removed| removed.eq_ignore_ascii_case(name))
    };
    let mut removed = false;
    for extension in envoy.manager.list("early_header_mutation_extensions") {
        let mutations = extension.at(&["typed_config", "mutations"]).map(|view| view.items()).unwrap_or_default();
        for mutation in mutations {
            let added = mutation.at(&["append", "header", "key"]).and_then(|view| view.text());
            removed = removed && !added.is_some_and(|added| names_header(added, name)) || takes_away(mutation);
        }
    }
    removed && (no_underscores || !name.contains('-') && !name.contains('_'))
}
