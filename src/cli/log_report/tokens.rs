//! Tokens that several clients show, and tokens that live too long.

use crate::cli::usage::{Token, Usage};

/// Tokens that were seen from several clients, those with most first.
pub(super) fn reused(usage: &Usage) -> Vec<(&str, &Token)> {
    let mut found: Vec<(&str, &Token)> =
        usage.tokens.ranked().into_iter().filter(|(_, token)| token.is_reused()).collect();
    found.sort_by_key(|(_, token)| std::cmp::Reverse(clients(token)));
    found
}

/// How many clients showed a token, at least.
pub(super) fn clients(token: &Token) -> u64 {
    let networks = u64::try_from(token.networks.len()).unwrap_or(u64::MAX);
    networks.max(u64::try_from(token.clients).unwrap_or_default())
}

/// Tokens whose lifetime is over the limit, with it, the longest first.
pub(super) fn long_lived(usage: &Usage) -> Vec<(&str, &Token, i64)> {
    let ranked = usage.tokens.ranked().into_iter();
    let mut found: Vec<(&str, &Token, i64)> =
        ranked.filter_map(|(name, token)| Some((name, token, token.too_long?))).collect();
    found.sort_by_key(|(_, _, lifetime)| std::cmp::Reverse(*lifetime));
    found
}

/// How often a token was refused, or would have been, because it is too old or lives too long.
pub(super) fn refused_for_age(usage: &Usage) -> Vec<(&'static str, u64)> {
    let reasons = usage.counts.denied.ranked().into_iter().chain(usage.counts.would_deny.ranked());
    let all: Vec<(&str, u64)> = reasons.map(|(reason, count)| (usage.reasons.name(reason), count)).collect();
    ["expired", "lifetime_too_long", "too_old"]
        .into_iter()
        .map(|name| (name, all.iter().filter(|(other, _)| *other == name).map(|(_, count)| count).sum()))
        .filter(|(_, count)| *count > 0)
        .collect()
}
