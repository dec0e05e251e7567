//! Revoked tokens.

use super::optional;
use crate::config::cursor::Cursor;
use crate::config::fields;
use crate::policy::{Issuer, RevocationPolicy};
use crate::revocation::Entry;

/// What is revoked. Entries are held against the issuers, as far as those could be read.
pub(super) fn read(cursor: &Cursor<'_>, issuers: Option<&[Issuer]>) -> Option<RevocationPolicy> {
    let object = cursor.object(&fields::REVOCATION)?;
    let entries = optional(&object, "entries", Vec::new(), |list| {
        let entries: Vec<Option<Entry>> = list.list()?.iter().map(|item| entry(item, issuers)).collect();
        entries.into_iter().collect()
    });
    Some(RevocationPolicy { entries: entries? })
}

fn entry(cursor: &Cursor<'_>, issuers: Option<&[Issuer]>) -> Option<Entry> {
    let object = cursor.object(&fields::REVOCATION_ENTRY)?;
    // What is unknown or null has been told; as an entry it would be wrong once more.
    let known = |name: &str| fields::REVOCATION_ENTRY.fields.contains(&name) && object.get(name).is_some();
    if !object.members().all(|(name, _)| known(name)) {
        return None;
    }
    let members = object.members().map(|(name, member)| (name.to_owned(), member.value().to_json())).collect();
    let entry = match Entry::from_members(&members) {
        Ok(entry) => entry,
        Err(why) => return cursor.wrong(why, ""),
    };
    let strange = |issuer: &str| issuers.is_some_and(|known| known.iter().all(|known| known.issuer != issuer));
    match entry.issuer() {
        Some(issuer) if strange(issuer) => {
            cursor.wrong("revokes nothing: its `iss` is the `issuer` of no entry in `issuers`", "copy it from there")
        }
        _ => Some(entry),
    }
}
