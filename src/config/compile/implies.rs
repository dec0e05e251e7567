//! Scopes that include others.

use super::requirement::scope;
use crate::config::cursor::Cursor;
use crate::policy::{ImpliedScopes, Scope};

/// `implies` of an issuer: for each scope those that it includes.
pub(super) fn read(cursor: &Cursor<'_>) -> Option<ImpliedScopes> {
    let entries: Vec<Option<(Scope, Vec<Scope>)>> = cursor
        .any_object()?
        .members()
        .map(|(name, list)| {
            let included = list.list_of("scope", scope);
            match Scope::new(name) {
                Some(scope) => Some((scope, included?)),
                None => {
                    list.wrong(format!("{name:?} is not a scope"), "a scope is visible ASCII without spaces, \" and \\")
                }
            }
        })
        .collect();
    // In the order of their names: a Struct has no other.
    let mut ordered: Vec<(Scope, Vec<Scope>)> = Vec::new();
    for entry in entries {
        let (scope, included) = entry?;
        let at = ordered.iter().position(|(known, _)| *known > scope).unwrap_or(ordered.len());
        ordered.insert(at, (scope, included));
    }
    match ImpliedScopes::new(&ordered) {
        Ok(implied) => Some(implied),
        Err(scope) => cursor.wrong(
            format!("{scope} includes itself, perhaps by way of others"),
            "write what includes less below what includes more",
        ),
    }
}
