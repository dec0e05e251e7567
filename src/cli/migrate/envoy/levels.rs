//! The configuration of a filter beside a route: Envoy takes that of the most specific holder.

use super::chain::Filter;
use super::jwt::member;
use crate::cli::gates::beside::{FILTER_CONFIG, PER_FILTER};
use crate::cli::source::View;

/// What holds for a filter on a route.
#[derive(Clone, Debug)]
pub(super) enum Effective<'s> {
    /// It does not run.
    Off,
    /// Its own configuration in the chain.
    Base,
    /// A configuration beside the route.
    Own(View<'s>),
    /// Something that is no configuration of the filter.
    Unread(View<'s>),
}

/// What holds for a filter on a route with these holders of configuration, the most specific first.
pub(super) fn effective<'s>(levels: &[View<'s>], filter: &Filter<'s>) -> Effective<'s> {
    let entries: Vec<View<'s>> = levels.iter().filter_map(|level| entry(level, filter.name)).collect();
    let off = match entries.first() {
        Some(first) => is_off(first),
        None => filter.disabled,
    };
    if off {
        return Effective::Off;
    }
    let configs = entries.into_iter().filter_map(|entry| {
        if is_wrapper(&entry) {
            // An empty one only turns the filter on.
            entry.get("config").filter(|config| config.type_name().is_some())
        } else {
            Some(entry)
        }
    });
    match configs.into_iter().next() {
        None => Effective::Base,
        Some(config) if config.type_name() == Some(filter.kind.per_route()) => Effective::Own(config),
        Some(config) => Effective::Unread(config),
    }
}

/// The entry for a filter in a holder.
pub(super) fn entry<'s>(holder: &View<'s>, name: &str) -> Option<View<'s>> {
    member(&holder.get(PER_FILTER)?, name)
}

/// Whether an entry turns its filter off.
pub(super) fn is_off(entry: &View<'_>) -> bool {
    is_wrapper(entry) && entry.get("disabled").is_some_and(|flag| flag.is_true())
}

fn is_wrapper(entry: &View<'_>) -> bool {
    entry.type_name() == Some(FILTER_CONFIG)
}
