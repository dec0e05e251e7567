//! A token in a cookie ([RFC 6265](https://www.rfc-editor.org/rfc/rfc6265)).

use super::{BearerToken, Result};
use crate::decision::Denial;
use crate::policy::{AUTHORIZATION, COOKIE, Cookie, TokenPlace};
use crate::request::RequestView;

/// The token in a cookie; `None` where there is no cookie of that name. Quotes are a part of a value, and of no token.
///
/// # Errors
/// [`Denial::MultipleCredentials`] where the cookie is there twice.
pub fn cookie<'a>(request: &RequestView<'a>, cookie: &'a Cookie) -> Result<Option<BearerToken<'a>>> {
    let pairs = request.values(COOKIE).flat_map(pairs).map(name_and_value);
    let mut own = pairs.filter(|(name, _)| *name == cookie.name.as_bytes());
    let Some((_, text)) = own.next() else { return Ok(None) };
    if own.next().is_some() {
        return Err(Denial::MultipleCredentials);
    }
    Ok(Some(BearerToken::new(text, TokenPlace::Cookie(&cookie.name))))
}

/// Whether the request has something in `authorization`, which no browser adds to a cookie.
#[must_use]
pub fn has_authorization(request: &RequestView<'_>) -> bool {
    request.values(AUTHORIZATION).next().is_some()
}

/// What stays of the cookies of a request without those of which `is_removed` tells, as they came; several lines become
/// one. Empty where nothing stays, and `None` where nothing is removed.
#[must_use]
pub fn without_cookies(request: &RequestView<'_>, is_removed: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let is_own = |pair: &&[u8]| is_removed(name_and_value(pair).0);
    let mut lines = request.values(COOKIE);
    if !lines.any(|line| pairs(line).any(|pair| is_own(&pair))) {
        return None;
    }
    let mut kept: Vec<u8> = Vec::new();
    for line in request.values(COOKIE) {
        let left: Vec<&[u8]> = pairs(line).filter(|pair| !is_own(pair)).collect();
        let left = left.join(&b';');
        let left = left.trim_ascii();
        if !kept.is_empty() && !left.is_empty() {
            kept.extend_from_slice(b"; ");
        }
        kept.extend_from_slice(left);
    }
    Some(kept)
}

fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b';')
}

/// A name is compared without the white space around it: others could take it for the same.
fn name_and_value(pair: &[u8]) -> (&[u8], &[u8]) {
    let at = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
    let (name, rest) = pair.split_at(at);
    (name.trim_ascii(), rest.get(1..).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;
    use crate::policy::Csrf;

    fn with<T>(lines: &[&str], read: impl FnOnce(&RequestView<'_>) -> T) -> T {
        let headers: Vec<(&[u8], &[u8])> = lines.iter().map(|line| (&b"cookie"[..], line.as_bytes())).collect();
        read(&RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true })
    }

    #[test]
    fn the_one_cookie_of_the_name_has_the_token_and_the_others_stay_as_they_are() {
        let own = Cookie { name: "__Host-t".to_owned(), csrf: Csrf { origins: vec![] } };
        for (lines, token, left) in [
            (&["__Host-t=a.b.c"][..], Ok(Some("a.b.c")), Some("")),
            (&["a=1; __Host-t=a.b.c; b=2"], Ok(Some("a.b.c")), Some("a=1; b=2")),
            (&["a=1;__Host-t=a.b.c;b=\"2; \"; c"], Ok(Some("a.b.c")), Some("a=1;b=\"2; \"; c")),
            (&["a=1", "__Host-t=a.b.c", "b=2"], Ok(Some("a.b.c")), Some("a=1; b=2")),
            (&["__Host-t=a.b.c; a=1"], Ok(Some("a.b.c")), Some("a=1")),
            (&["__Host-t = a.b.c"], Ok(Some("a.b.c")), Some("")),
            (&["__Host-t=\"a.b.c\""], Ok(Some("\"a.b.c\"")), Some("")),
            (&["__Host-t=a=b=="], Ok(Some("a=b==")), Some("")),
            (&["__Host-t"], Ok(Some("")), Some("")),
            (&["__host-t=a.b.c; __Host-tt=1; x__Host-t=1; =__Host-t=a"], Ok(None), None),
            (&["a=__Host-t=a.b.c"], Ok(None), None),
            (&[], Ok(None), None),
            (&["__Host-t=a; __Host-t=a"], Err(Reason::MultipleCredentials), Some("")),
            (&["__Host-t=a; x=1", "__Host-t =b"], Err(Reason::MultipleCredentials), Some("x=1")),
        ] {
            let found = with(lines, |request| match cookie(request, &own) {
                Ok(found) => Ok(found.map(|token| String::from_utf8(token.as_bytes().to_vec()).unwrap())),
                Err(denial) => Err(denial.reason()),
            });
            assert_eq!(found, token.map(|token| token.map(str::to_owned)), "{lines:?}");
            let kept = with(lines, |request| without_cookies(request, &|name| name == b"__Host-t"));
            assert_eq!(kept.map(|kept| String::from_utf8(kept).unwrap()).as_deref(), left, "{lines:?}");
        }
    }
}
