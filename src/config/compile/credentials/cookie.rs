//! Sets of tokens in a cookie.

use crate::config::compile::csrf;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{Cookie, HOST_PREFIX};

/// The longest name, in bytes.
const MAX_NAME: usize = 128;

/// `cookie` of a set, which has nothing else.
pub(super) fn read(set: &Object<'_>, cursor: &Cursor<'_>) -> Option<Cookie> {
    for name in ["identities", "scopes"] {
        if let Some(member) = set.get(name) {
            member.wrong::<()>("is of sets with secrets: a token says itself whose it is", "leave it out");
        }
    }
    let object = cursor.object(&fields::COOKIE)?;
    let name = object.need("name", "name the cookie, such as __Host-token").and_then(|cursor| name(&cursor));
    let csrf = object
        .need("origins", "write the origins of your own pages, such as [https://app.example.com]")
        .and_then(|cursor| csrf::origins(&cursor));
    Some(Cookie { name: name?, csrf: csrf? })
}

/// Only the prefix keeps others from setting the cookie: another host of the domain, and a page without TLS.
fn name(cursor: &Cursor<'_>) -> Option<String> {
    let name = cursor.text()?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !plain || name.len() > MAX_NAME {
        return cursor.wrong("is not the name of a cookie", "write up to 128 letters, digits, -, _ and .");
    }
    if name.strip_prefix(HOST_PREFIX).is_none_or(str::is_empty) {
        return cursor.wrong(
            "does not begin with __Host-, in these letters: other hosts of the domain could set the cookie",
            "write a name such as __Host-token, and have the cookie set with it",
        );
    }
    Some(name.to_owned())
}
