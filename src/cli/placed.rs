//! Finds where a request is judged: on the route that the user names, otherwise on the one that Envoy's router chooses.

use super::gates::InEnvoy;
use super::named::{Named, NamedMetadata, Names, of_host};
use super::routing::{Candidate, Candidates, Lines, Router, Unresolved};
use super::source::View;
use crate::policy::{Policy, RouteMetadata};

/// A place among the routes of a gate.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Place<'s> {
    /// The name of the route.
    pub route: Option<String>,
    /// The name of the virtual host.
    pub virtual_host: Option<String>,
    /// The metadata that decides, with its source.
    pub metadata: Option<NamedMetadata<'s>>,
    /// The place in words, if it was chosen here.
    pub chosen: Option<String>,
    /// Whether no route matches, so that Envoy answers 404 to a request that passes the gate.
    pub is_unserved: bool,
}

/// Why no place was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Nowhere {
    /// The names are wrong.
    Unknown(String),
    /// The files do not decide which route serves the request, and it makes a difference.
    Undecided(String),
}

/// The options or fields that name a route and a virtual host, for messages.
pub(in crate::cli) type Labels = [&'static str; 2];

/// Finds the place of a request with these header lines, whose path is as the router sees it. Without a host it is for one
/// of the virtual hosts.
pub(in crate::cli) fn place<'s>(
    envoy: &InEnvoy<'s>,
    policy: &Policy,
    (names, labels): (Names<'_>, Labels),
    lines: &Lines<'_>,
) -> Result<Place<'s>, Nowhere> {
    if !names.is_empty() {
        return named(envoy, names, labels).map_err(Nowhere::Unknown);
    }
    let reads_metadata = policy.route_metadata != RouteMetadata::Ignore;
    let configs: Vec<View<'s>> = envoy.route_configs.iter().map(|(_, config)| config.clone()).collect();
    let router = Router::new(&envoy.manager, &configs, &envoy.virtual_hosts);
    let candidates = match router.and_then(|router| router.candidates(lines)) {
        Ok(candidates) => candidates,
        // The policy does not look at the route.
        Err(_) if !reads_metadata && !policy.rules.look_at_route() => return Ok(Place::default()),
        Err(Unresolved(why)) => return Err(undecided(&why, labels)),
    };
    let differs = |first: &Place<'_>, other: &Place<'_>| {
        let asked = |place: &Place<'_>| place.metadata.as_ref().map(|found| found.beside.view.node.value.clone());
        let names = (&first.route, &first.virtual_host) != (&other.route, &other.virtual_host);
        reads_metadata && asked(first) != asked(other)
            || policy.rules.look_at_route() && names
            || first.is_unserved != other.is_unserved
    };
    let places: Vec<Place<'s>> =
        candidates.as_slice().iter().map(|candidate| of_candidate(candidate, envoy.is_native)).collect();
    match places.split_last() {
        Some((last, before)) if !before.iter().any(|place| differs(place, last)) => {
            let chosen = candidates.as_slice().iter().map(Candidate::words).collect::<Vec<_>>().join(", or ");
            Ok(Place { chosen: Some(chosen), ..last.clone() })
        }
        _ => Err(undecided(&doubts(&candidates), labels)),
    }
}

fn named<'s>(envoy: &InEnvoy<'s>, names: Names<'_>, labels: Labels) -> Result<Place<'s>, String> {
    let found =
        if envoy.virtual_hosts.is_empty() { Named::default() } else { names.find(&envoy.virtual_hosts, labels)? };
    Ok(Place {
        route: names.route.map(str::to_owned),
        virtual_host: names.virtual_host.map(str::to_owned).or(found.virtual_host),
        metadata: found.metadata,
        ..Place::default()
    })
}

fn of_candidate<'s>(candidate: &Candidate<'_, 's>, is_native: bool) -> Place<'s> {
    let of_route = candidate.route.and_then(|route| Some((route, route.beside.clone()?)));
    let own = of_route.map(|(route, beside)| {
        let name = if route.name.is_empty() { route.view.path.as_str() } else { route.name.as_str() };
        NamedMetadata { of: format!("route {name}"), beside }
    });
    // Where no route matches, the Wasm module still sees the virtual host (1.36 and 1.40). What a virtual host configures
    // for the native module comes by a route.
    let host = candidate.host.filter(|_| !is_native || candidate.route.is_some());
    Place {
        route: candidate.route.map(|route| route.name.clone()).filter(|name| !name.is_empty()),
        virtual_host: candidate.host.map(|host| host.name.clone()),
        metadata: own.or_else(|| host.and_then(of_host)),
        chosen: None,
        is_unserved: candidate.route.is_none(),
    }
}

/// What the choice depends on: `whether route b of virtual host api (safe_regex /b.*) serves it depends on safe_regex`.
fn doubts(candidates: &Candidates<'_, '_>) -> String {
    let all = candidates.as_slice().iter();
    let told = all.filter_map(|candidate| {
        candidate
            .doubt
            .as_ref()
            .map(|doubt| format!("whether route {} serves it depends on {doubt}", candidate.words()))
    });
    told.collect::<Vec<_>>().join("; ")
}

fn undecided(why: &str, [route, _]: Labels) -> Nowhere {
    Nowhere::Undecided(format!("{why}; name the route that Envoy chooses with {route}"))
}
