//! Passwords of users: `secrets` of identities, and `htpasswd`.

use super::holders::{Holders, listed};
use super::secrets::{Digests, digest_of, variable};
use super::{Terms, instant};
use crate::base::time::UnixSeconds;
use crate::config::compile::optional;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::config::tree::Tree;
use crate::crypto::{Effort, PasswordHash};
use crate::policy::{Identity, MAX_USER, WrittenSecrets};

const MAKE_IT: &str = "make it with `htpasswd -B` or `scopegate credentials hash --bcrypt`";

/// The users of a set, and their passwords.
pub(super) fn read<'n>(
    object: &Object<'n>,
    holders: &mut Holders,
    terms: Terms<'_>,
    digests: &mut Digests<'n>,
) -> Option<()> {
    let lines = match object.get("htpasswd") {
        Some(cursor) => htpasswd(&cursor, terms, digests)?,
        None => Vec::new(),
    };
    if !object.has("identities") && !object.has("htpasswd") {
        return object
            .cursor()
            .wrong("has neither `identities` nor `htpasswd`", "list the users, or give the lines of htpasswd");
    }
    if object.has("identities") {
        listed(object, holders, (terms, &lines, ""), digests)?;
    }
    let (_, rest): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|line| holders.has(&line.user));
    for line in rest {
        holders.add_line(object.cursor(), line, terms)?;
    }
    Some(())
}

/// The hashes of an identity: its own, or that of its line.
pub(super) fn of_identity<'n>(
    identity: &Identity,
    place: &Cursor<'n>,
    lines: &[Line],
    terms: Terms<'_>,
    digests: &mut Digests<'n>,
) -> Option<WrittenSecrets> {
    if identity.id.contains(':') {
        return place.wrong("has an `id` with a colon, which ends a user name", "choose another");
    }
    let line = lines.iter().find(|line| line.user == *identity.id);
    match (place.member("secrets"), line) {
        (Some(list), None) => secrets(&list, terms, digests),
        (None, Some(line)) => Some(vec![(line.hash.clone(), None)]),
        (Some(list), Some(_)) => list.wrong("stands beside a line of `htpasswd` for the same user", "keep one"),
        (None, None) => place.wrong(
            "has no `secrets`, and there is no line of `htpasswd` for it",
            "list its passwords, such as [{bcrypt: ...}], which `htpasswd -B` makes",
        ),
    }
}

fn secrets<'n>(cursor: &Cursor<'n>, terms: Terms<'_>, digests: &mut Digests<'n>) -> Option<WrittenSecrets> {
    let items = cursor.list()?;
    if items.is_empty() {
        return cursor.wrong("is an empty list", "name at least one secret");
    }
    let mut all = Vec::with_capacity(items.len());
    for item in &items {
        let read = secret(item, terms);
        if let Some((hash, _)) = &read {
            digests.note(hash.digest(), item);
        }
        all.push(read);
    }
    all.into_iter().collect()
}

fn secret(cursor: &Cursor<'_>, terms: Terms<'_>) -> Option<(PasswordHash, Option<UnixSeconds>)> {
    if let Tree::Text(_) = cursor.value() {
        return cursor.wrong("is a password as it is: every reader of the configuration could use it", MAKE_IT);
    }
    let object = cursor.object(&fields::PASSWORD_SECRET)?;
    let expires = optional(&object, "expires", None, |cursor| instant(cursor).map(Some));
    let slow =
        |name: &str| object.get(name).filter(|_| object.members().filter(|(one, _)| *one != "expires").count() == 1);
    let hash = if let Some(text) = slow("bcrypt") {
        parsed(&text, |effort| matches!(effort, Effort::Bcrypt(_)))
    } else if let Some(text) = slow("pbkdf2") {
        parsed(&text, |effort| matches!(effort, Effort::Pbkdf2Sha256(_) | Effort::Pbkdf2Sha512(_)))
    } else if object.has("bcrypt") || object.has("pbkdf2") || !(object.has("sha256") || object.has("env")) {
        cursor.wrong("does not have exactly one of `bcrypt`, `pbkdf2`, `sha256` and `env`", MAKE_IT)
    } else {
        digest_of(&object, terms.environment).map(PasswordHash::sha256)
    };
    Some((hash?, expires?))
}

fn parsed(cursor: &Cursor<'_>, is_kind: impl Fn(Effort) -> bool) -> Option<PasswordHash> {
    match PasswordHash::parse(cursor.text()?) {
        Ok(hash) if is_kind(hash.effort()) => Some(hash),
        Ok(_) => cursor.wrong("is a hash of the other kind", "name the field by its kind"),
        Err(why) => cursor.wrong(why, MAKE_IT),
    }
}

/// A line of htpasswd.
pub(crate) struct Line {
    pub(super) user: String,
    pub(super) hash: PasswordHash,
}

/// The lines of `htpasswd`, as text or in an environment variable.
fn htpasswd<'n>(cursor: &Cursor<'n>, terms: Terms<'_>, digests: &mut Digests<'n>) -> Option<Vec<Line>> {
    let owned;
    let text = if let Tree::Text(text) = cursor.value() {
        text.as_str()
    } else {
        let object = cursor.object(&fields::SHARED_SECRET)?;
        let name = object.need("env", "name the environment variable with the lines, or write the lines as text")?;
        owned = variable(&name, terms.environment)?;
        owned.as_str()
    };
    let mut lines: Vec<Line> = Vec::new();
    let mut is_whole = true;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index.saturating_add(1);
        match read_line(line) {
            Ok(read) if lines.iter().any(|earlier| earlier.user == read.user) => {
                cursor.wrong::<()>(format!("has in line {number} a user of a line before it"), "keep one of the lines");
                is_whole = false;
            }
            Ok(read) => {
                digests.note(read.hash.digest(), cursor);
                lines.push(read);
            }
            Err(what) => {
                cursor.wrong::<()>(format!("has in line {number} {what}"), MAKE_IT);
                is_whole = false;
            }
        }
    }
    if is_whole && lines.is_empty() {
        return cursor.wrong("has no line", "write USER:HASH, as `htpasswd -B` does");
    }
    is_whole.then_some(lines)
}

fn read_line(line: &str) -> Result<Line, String> {
    let (user, hash) = line.split_once(':').ok_or("no colon after a user name")?;
    if user.is_empty() || user.len() > MAX_USER || user.trim() != user || user.chars().any(char::is_control) {
        return Err("no user name of up to 128 bytes".to_owned());
    }
    let hash = PasswordHash::parse(hash).map_err(|why| format!("a hash that {why}"))?;
    Ok(Line { user: user.to_owned(), hash })
}
