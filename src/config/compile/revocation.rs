//! Revoked tokens.

use super::issuer::key_set;
use super::optional;
use crate::base::json::Map;
use crate::base::time::Seconds;
use crate::config::cursor::Cursor;
use crate::config::fields;
use crate::crypto::Algorithm;
use crate::jose::KeySet;
use crate::policy::{CredentialSet, Endpoint, Issuer, Limits, RemoteList, RevocationSettings, WhenStale};
use crate::revocation::{Entry, EntryKind, Terms};
use std::rc::Rc;

/// The longest document that Envoy gives us, in bytes.
const MAX_DOCUMENT_BYTES: usize = 32 << 20;
/// The default of `max_bytes`: a million entries in the binary form, and any text.
const DEFAULT_DOCUMENT_BYTES: usize = 16 << 20;

/// What is revoked. Entries are checked against the issuers and the sets, as far as those could be read.
pub(super) fn read(
    cursor: &Cursor<'_>,
    issuers: Option<&[Issuer]>,
    sets: Option<&[CredentialSet]>,
    limits: Limits,
    warnings: &mut Vec<String>,
) -> Option<RevocationSettings> {
    let object = cursor.object(&fields::REVOCATION)?;
    let entries = optional(&object, "entries", Vec::new(), |list| {
        let entries: Vec<Option<Entry>> = list.list()?.iter().map(|item| entry(item, issuers, sets)).collect();
        entries.into_iter().collect()
    });
    let lists = optional(&object, "lists", Vec::new(), |cursor| {
        let items = cursor.list()?;
        let lists: Vec<Option<RemoteList>> = items.iter().map(|item| list(item, limits, warnings)).collect();
        for (index, item) in items.iter().enumerate() {
            let name = |list: &Option<RemoteList>| list.as_ref().map(|list| list.terms.name.clone());
            let own = lists.get(index).and_then(name);
            if own.is_some() && lists.iter().take(index).any(|other| name(other) == own) {
                item.wrong::<()>("has the same `name` as an entry before it", "give it a name of its own");
            }
        }
        lists.into_iter().collect()
    });
    Some(RevocationSettings { entries: entries?, lists: lists? })
}

fn list(cursor: &Cursor<'_>, limits: Limits, warnings: &mut Vec<String>) -> Option<RemoteList> {
    let object = cursor.object(&fields::REVOCATION_LIST)?;
    let uri = object.need("uri", "write the address of the list");
    let cluster = object.need("cluster", "name the Envoy cluster that the request is sent to").and_then(|c| c.text());
    let endpoint = uri.and_then(|uri| {
        let endpoint = Endpoint::parse(uri.text()?, cluster.unwrap_or_default());
        endpoint.or_else(|| {
            uri.wrong(
                "is not an http or https address",
                "write it whole, such as https://lists.example.com/revoked.jsonl",
            )
        })
    });
    let name = optional(&object, "name", None, |c| c.text().map(|name| Some(name.to_owned())));
    let refresh = optional(&object, "refresh", Seconds(10), |c| c.seconds(1..=86_400));
    let timeout_ms = optional(&object, "timeout", 2000, |c| c.milliseconds(100..=60_000));
    let max_bytes = optional(&object, "max_bytes", DEFAULT_DOCUMENT_BYTES, |c| c.whole(1024..=MAX_DOCUMENT_BYTES));
    let max_stale = optional(&object, "max_stale", Seconds(3600), |c| c.seconds(1..=2_592_000));
    let when_stale = optional(&object, "when_stale", WhenStale::default(), |cursor| {
        cursor.word(&[("deny", WhenStale::Deny), ("allow", WhenStale::Allow)])
    });
    let signed_by = optional(&object, "signed_by", None, |c| signers(c, limits, warnings).map(Some));
    let (endpoint, _) = (endpoint?, cluster?);
    let name = name?.unwrap_or_else(|| endpoint.uri.clone());
    Some(RemoteList {
        endpoint,
        refresh: refresh?,
        timeout_ms: u32::try_from(timeout_ms?).ok()?,
        max_stale: max_stale?,
        when_stale: when_stale?,
        terms: Terms { name, max_bytes: max_bytes?, signed_by: signed_by? },
    })
}

/// The keys of which one must have signed a list.
pub(super) fn signers(cursor: &Cursor<'_>, limits: Limits, warnings: &mut Vec<String>) -> Option<Rc<KeySet>> {
    let set = key_set(cursor, limits, warnings)?;
    if set.keys().is_empty() {
        return cursor.wrong("has no keys: no list could be used", "add the key that signs it");
    }
    // A list is checked in the VM, over several ticks, but only the host can check signatures of such keys.
    let of_the_host = set.keys().iter().filter(|key| key.key.fits(Algorithm::Es512)).count();
    if of_the_host == set.keys().len() {
        let why = "has no key but for ES512, which the VM does not have: no list could be used";
        return cursor.wrong(why, "sign with ES256, or EdDSA");
    }
    if of_the_host > 0 {
        let path = cursor.path();
        warnings.push(format!("{path}: a P-521 key checks no list: that is done in the VM, which has no ES512"));
    }
    Some(Rc::new(set))
}

fn entry(cursor: &Cursor<'_>, issuers: Option<&[Issuer]>, sets: Option<&[CredentialSet]>) -> Option<Entry> {
    let object = cursor.object(&fields::REVOCATION_ENTRY)?;
    // An unknown or null member has been noted; as an entry it would be noted again.
    let known = |name: &str| fields::REVOCATION_ENTRY.fields.contains(&name) && object.get(name).is_some();
    if !object.members().all(|(name, _)| known(name)) {
        return None;
    }
    let mut members = Map::new();
    for (name, member) in object.members() {
        members.insert(name.to_owned(), member.value().to_json());
    }
    let entry = match Entry::from_members(&members) {
        Ok(entry) => entry,
        Err(why) => return cursor.wrong(why, ""),
    };
    let is_strange = |issuer: &str| issuers.is_some_and(|known| known.iter().all(|known| known.issuer != issuer));
    match (entry.kind(), entry.authority()) {
        (EntryKind::Identity, Some(name)) => {
            let Some(sets) = sets else { return Some(entry) };
            let Some(set) = sets.iter().find(|set| &*set.name == name) else {
                return cursor.wrong(
                    "revokes nothing: its `credential` is the `name` of no entry in `credentials`",
                    "copy it from there",
                );
            };
            // Which identities a document has, is not known before it comes.
            if set.remote.is_none() && set.identities.iter().all(|identity| identity.id.as_str() != entry.name()) {
                return cursor.wrong("revokes nothing: its `id` is of no identity of that set", "copy it from there");
            }
            Some(entry)
        }
        (_, Some(issuer)) if is_strange(issuer) => {
            cursor.wrong("revokes nothing: its `iss` is the `issuer` of no entry in `issuers`", "copy it from there")
        }
        _ => Some(entry),
    }
}
