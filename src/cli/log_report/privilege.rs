//! Least privilege: what was granted and not used, what is not called, what could ask for more.

use super::span;
use crate::cli::matrix::{Called, Mark, Row, Section};
use crate::cli::usage::{Asked, NO_NAME, Usage, parts};
use crate::policy::{Access, SenderConstraint, TokenRequirement};

/// Fewer allowed requests say nothing about what callers have.
pub(super) const ENOUGH: u64 = 10;

/// The scopes of a client that no request needed.
#[derive(Debug)]
pub(super) struct Unused<'u> {
    pub client: &'u str,
    pub issuer: &'u str,
    pub requests: u64,
    /// Each scope with how many allowed requests had it.
    pub scopes: Vec<(&'u str, u64)>,
    /// The scopes that were needed.
    pub used: Vec<&'u str>,
}

/// A row of the policy that no record names.
#[derive(Debug)]
pub(super) struct Uncalled<'s> {
    pub place: &'s str,
    pub matching: &'s str,
    pub methods: &'s str,
    pub needs: &'s str,
}

/// A requirement that asks for less than all of its callers have.
#[derive(Debug)]
pub(super) struct Weaker {
    pub place: String,
    pub needs: String,
    pub allowed: u64,
    /// What it could ask for, a phrase each.
    pub could: Vec<String>,
}

/// Whether the records say which scopes were granted, and which were needed. A log that lacks the latter says of no scope that
/// it was for nothing.
pub(super) const fn has_scopes(usage: &Usage) -> bool {
    usage.with_scopes > 0 && usage.with_needed > 0
}

/// The scopes that were granted and never used.
pub(super) fn unused(usage: &Usage) -> Vec<Unused<'_>> {
    if !has_scopes(usage) {
        return Vec::new();
    }
    let rows = usage.grants.ranked().into_iter().map(|(name, grant)| {
        let mut names = parts(name).into_iter();
        Unused {
            client: names.next().unwrap_or(NO_NAME),
            issuer: names.next().unwrap_or(NO_NAME),
            requests: grant.requests,
            scopes: grant.unused(),
            used: grant.scopes.iter().filter(|(_, _, used)| *used > 0).map(|(scope, _, _)| &**scope).collect(),
        }
    });
    rows.filter(|row| !row.scopes.is_empty()).collect()
}

/// What came to a row.
pub(in crate::cli) fn asked<'u>(row: &Row, usage: &'u Usage) -> Option<&'u Asked> {
    match row.called.as_ref()? {
        Called::Requirement(name) => usage.requirements.get(name),
        Called::Route(_) => None,
    }
}

/// The rows that no record names.
pub(super) fn uncalled<'s>(sections: &'s [Section], usage: &Usage) -> Vec<Uncalled<'s>> {
    let is_called = |row: &Row| match &row.called {
        Some(Called::Requirement(name)) => usage.requirements.get(name).is_some(),
        Some(Called::Route(name)) => usage.routes.get(name).is_some(),
        None => true,
    };
    let cannot_be = |row: &Row| row.marks.iter().any(|mark| matches!(mark, Mark::Never | Mark::Ignored | Mark::Denied));
    let rows = sections.iter().flat_map(|section| &section.rows);
    rows.filter(|row| !cannot_be(row) && !is_called(row))
        .map(|row| Uncalled { place: &row.place, matching: &row.matching, methods: &row.methods, needs: &row.needs })
        .collect()
}

/// The requirements that ask for less than all of their callers have.
pub(super) fn weaker(sections: &[Section], usage: &Usage) -> Vec<Weaker> {
    let mut found: Vec<Weaker> = if sections.is_empty() {
        // Without a policy only scopes can be compared.
        let rows = usage.requirements.ranked().into_iter();
        rows.filter_map(|(name, asked)| found(parts(name).join(" of "), String::new(), asked, scopes(asked, usage)))
            .collect()
    } else {
        let rows = sections.iter().flat_map(|section| &section.rows);
        rows.filter_map(|row| {
            let (asked, Some(Access::Token(ask))) = (asked(row, usage)?, &row.access) else { return None };
            let mut could = scopes(asked, usage);
            could.extend(beyond(ask, asked, usage));
            let methods = if row.methods == "any" { String::new() } else { format!(", {}", row.methods) };
            found(format!("{}{methods}", row.place), row.needs.clone(), asked, could)
        })
        .collect()
    };
    found.sort_by_key(|row| std::cmp::Reverse(row.allowed));
    found
}

fn found(place: String, needs: String, asked: &Asked, could: Vec<String>) -> Option<Weaker> {
    let allowed = asked.counts.allowed;
    (allowed >= ENOUGH && !could.is_empty()).then_some(Weaker { place, needs, allowed, could })
}

fn scopes(asked: &Asked, usage: &Usage) -> Vec<String> {
    let beyond = asked.beyond();
    if beyond.is_empty() || !has_scopes(usage) {
        Vec::new()
    } else {
        vec![format!("scopes: all callers have {}", beyond.join(", "))]
    }
}

fn beyond(ask: &TokenRequirement, asked: &Asked, usage: &Usage) -> Vec<String> {
    let mut could = Vec::new();
    if ask.allow_missing && asked.without_credential == 0 {
        could.push("allow_missing: no request came without a credential".to_owned());
    }
    let others = usage.issuers.len() > 1 && ask.issuers.as_ref().is_none_or(|issuers| issuers.len() > 1);
    if let Some(issuer) = asked.issuers.only().filter(|_| others) {
        could.push(format!("issuers: all tokens are of {issuer}"));
    }
    let is_bound = ask.sender_constraint.includes(SenderConstraint::REQUIRED);
    if asked.credentials.only() == Some("dpop") && !is_bound {
        could.push("sender_constraint: all callers show a DPoP proof".to_owned());
    }
    if let Some(longest) = asked.longest.filter(|_| ask.max_lifetime.is_none()) {
        could.push(format!("max_lifetime: no token lives longer than {}", span(longest)));
    }
    could
}
