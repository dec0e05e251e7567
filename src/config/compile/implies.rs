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
    let entries: Vec<(Scope, Vec<Scope>)> = entries.into_iter().collect::<Option<_>>()?;
    match ImpliedScopes::new(&entries) {
        Ok(implied) => Some(implied),
        Err(scope) => cursor.wrong(
            format!("{scope} includes itself, perhaps by way of others"),
            "write what includes less below what includes more",
        ),
    }
}
