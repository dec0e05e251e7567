//! Revocation lists from files, read as a gate reads fetched ones.

use crate::base::time::UnixSeconds;
use crate::cli::not_known;
use crate::crypto::PureVerifier;
use crate::policy::{RemoteList, Settings};
use crate::revocation::{Chunks, List, ListError, Loader, Revocations};
use std::error::Error;
use std::rc::Rc;

/// What is revoked: by the entries of the configuration, and by the lists given as FILE, or as NAME=FILE if the
/// configuration fetches several. Missing lists are noted.
pub(super) fn read(
    settings: &Settings,
    given: &[String],
    now: UnixSeconds,
    notes: &mut Vec<String>,
) -> Result<Revocations, Box<dyn Error>> {
    let remote = settings.revocation.lists.as_slice();
    let mut lists: Vec<Rc<List>> = settings.revocation.configured(now).into_iter().collect();
    let mut known: Vec<&str> = Vec::new();
    for text in given {
        let (list, file) = addressed(remote, text)?;
        let name = list.terms.name.as_str();
        if known.contains(&name) {
            return Err(format!("--revocations {text}: the list {name} is given twice").into());
        }
        let bytes = std::fs::read(file).map_err(|error| format!("--revocations: cannot read {file}: {error}"))?;
        let read = load(&bytes, list, now);
        lists.push(Rc::new(read.map_err(|error| format!("--revocations: {file}: a gate refuses this list: {error}"))?));
        known.push(name);
    }
    notes.extend(not_known::lists(settings, &known));
    Ok(Revocations::new(lists, true))
}

/// The list that a file is for.
fn addressed<'l, 't>(lists: &'l [RemoteList], text: &'t str) -> Result<(&'l RemoteList, &'t str), String> {
    let found = lists
        .iter()
        .find_map(|list| text.strip_prefix(list.terms.name.as_str())?.strip_prefix('=').map(|file| (list, file)));
    match (found, lists) {
        (Some(found), _) => Ok(found),
        (None, [list]) => Ok((list, text)),
        (None, []) => Err(format!("--revocations {text}: this configuration fetches no revocation list")),
        (None, _) => {
            let known: Vec<&str> = lists.iter().map(|list| list.terms.name.as_str()).collect();
            let known = known.join(", ");
            Err(format!("--revocations {text}: say which list this is, as NAME=FILE; one of {known}"))
        }
    }
}

fn load(bytes: &[u8], list: &RemoteList, now: UnixSeconds) -> Result<List, ListError> {
    Loader::begin(Chunks::from(bytes), &list.terms, None, &PureVerifier, now)?.finish()
}
