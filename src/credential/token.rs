//! The one token of a request, wherever the issuers have theirs.

use super::bearer::trim;
use super::{BearerToken, Presented, Result, bearer, websocket};
use crate::decision::{CredentialKind, Denial};
use crate::policy::{TokenHeader, TokenPlace, TokenPlaces};
use crate::request::RequestView;

/// Reads every place of tokens; `authorization` only where `reads_authorization` says that no other credential is there.
///
/// # Errors
/// [`Denial::MultipleCredentials`] where two places or two lines of one are filled; [`Denial::MalformedHeader`] where one
/// holds something else than it is for.
pub fn token<'a>(
    request: &RequestView<'a>,
    places: &'a TokenPlaces,
    reads_authorization: bool,
) -> Result<Presented<'a>> {
    let mut found =
        if places.authorization && reads_authorization { bearer::extract(request)? } else { Presented::Nothing };
    if !places.has_others() {
        return Ok(found);
    }
    let mut add = |text, place| match found {
        Presented::Nothing => {
            found = Presented::Token(CredentialKind::Bearer, BearerToken::new(text, place));
            Ok(())
        }
        Presented::Token(..) => Err(Denial::MultipleCredentials),
    };
    for header in &places.headers {
        if let Some(text) = of_header(request, header, &places.headers)? {
            add(text, TokenPlace::Header(header))?;
        }
    }
    if places.websocket_protocol
        && let Some(text) = websocket::token(request)?
    {
        add(text, TokenPlace::WebSocketProtocol)?;
    }
    Ok(found)
}

/// What is in a header after its prefix. `all` are the headers of tokens: one can be that of several issuers, each with
/// another prefix.
fn of_header<'a>(request: &RequestView<'a>, header: &TokenHeader, all: &[TokenHeader]) -> Result<Option<&'a [u8]>> {
    let mut lines = request.values(&header.name);
    let Some(line) = lines.next() else { return Ok(None) };
    // No token has a comma: it shows two lines that were joined (RFC 9110 section 5.3).
    if lines.next().is_some() || line.contains(&b',') {
        return Err(Denial::MultipleCredentials);
    }
    let value = trim(line);
    let after = |header: &TokenHeader| value.strip_prefix(header.prefix.as_bytes());
    match after(header) {
        Some([]) => Err(Denial::MalformedHeader("no token in the header of `token_header`")),
        Some(text) => Ok(Some(text)),
        None if all.iter().any(|other| other.name == header.name && after(other).is_some()) => Ok(None),
        None => Err(Denial::MalformedHeader("it does not begin with the prefix of `token_header`")),
    }
}
