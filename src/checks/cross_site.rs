//! No page of another site has had a browser send the request with a credential that the browser adds by itself (CSRF).
//!
//! Browsers say where a request comes from ([Fetch Metadata](https://www.w3.org/TR/fetch-metadata/), and `Origin` of
//! [RFC 6454](https://www.rfc-editor.org/rfc/rfc6454)); no page can change what they say. Who sends another
//! request has no credential of a user in it.

use super::{Result, TokenRequirements};
use crate::decision::Denial;
use crate::policy::Csrf;
use crate::request::RequestView;

/// Judges where a request comes from, for every requirement that asks.
///
/// # Errors
/// [`Denial::CrossSite`].
pub fn check_site(asks: &TokenRequirements<'_>, request: &RequestView<'_>) -> Result<()> {
    asks.iter().filter_map(|ask| ask.csrf.as_ref()).try_for_each(|csrf| judge_site(csrf, request))
}

/// Judges where a request comes from.
///
/// # Errors
/// [`Denial::CrossSite`]; the text says why.
pub fn judge_site(csrf: &Csrf, request: &RequestView<'_>) -> Result<()> {
    let refused = |why| Err(Denial::CrossSite(why));
    let (Ok(origin), Ok(site)) = (request.only_value("origin"), request.only_value("sec-fetch-site")) else {
        return refused("two lines of Origin or Sec-Fetch-Site");
    };
    // Of a page that has no address, and of a request that was redirected across sites.
    if origin == Some(b"null") {
        return refused("Origin is null");
    }
    let is_listed = origin.is_some_and(|origin| csrf.lists(origin));
    match site {
        Some(b"same-origin") => Ok(()),
        Some(b"none") if is_safe(request) => Ok(()),
        Some(b"none") => refused("Sec-Fetch-Site is none, and the method is not safe"),
        Some(b"same-site" | b"cross-site") if is_listed || is_safe(request) && is_navigation(request) => Ok(()),
        None if is_listed => Ok(()),
        Some(b"same-site" | b"cross-site") => refused("from another site, whose origin is not listed"),
        None => refused("no Sec-Fetch-Site, and no Origin that is listed"),
        Some(_) => refused("Sec-Fetch-Site is no known word"),
    }
}

/// Whether a request changes nothing (RFC 9110 section 9.2.1). What it upgrades to does not follow its method.
fn is_safe(request: &RequestView<'_>) -> bool {
    let is_safe_method = matches!(request.method(), b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE");
    is_safe_method && request.values("upgrade").next().is_none()
}

/// Whether the user follows a link. What comes back is shown to the user, and no page can read it.
fn is_navigation(request: &RequestView<'_>) -> bool {
    request.sole_value("sec-fetch-mode") == Some(b"navigate")
        && request.sole_value("sec-fetch-dest") == Some(b"document")
}
