//! A token among the subprotocols that a WebSocket client offers: `Sec-WebSocket-Protocol: bearer, TOKEN`. In a browser
//! there is no other header that a page can set. The grammar is a list of tokens
//! ([RFC 6455 section 4.1](https://www.rfc-editor.org/rfc/rfc6455#section-4.1)), also over several lines.

use super::Result;
use super::bearer::trim;
use crate::decision::Denial;
use crate::policy::WEBSOCKET_PROTOCOL;
use crate::request::RequestView;

/// The subprotocol after which the token is.
const BEARER: &[u8] = b"bearer";

/// The token of a handshake; `None` where `bearer` is not offered. In any other request the header means nothing.
///
/// # Errors
/// [`Denial::MultipleCredentials`] where `bearer` is offered twice; [`Denial::MalformedHeader`] where nothing follows it.
pub(super) fn token<'a>(request: &RequestView<'a>) -> Result<Option<&'a [u8]>> {
    if !request.is_websocket_handshake() {
        return Ok(None);
    }
    let mut after = offered(request).skip_while(|protocol| *protocol != BEARER);
    if after.next().is_none() {
        return Ok(None);
    }
    let token = after.next().ok_or(Denial::MalformedHeader("no token after the subprotocol `bearer`"))?;
    if token == BEARER || after.any(|protocol| protocol == BEARER) {
        return Err(Denial::MultipleCredentials);
    }
    Ok(Some(token))
}

/// The subprotocols without what follows `bearer`, which stays: the client waits for the server to select what it offered.
/// `None` where nothing follows it.
#[must_use]
pub fn without_token(request: &RequestView<'_>) -> Option<Vec<u8>> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let (mut follows, mut is_changed) = (false, false);
    for protocol in offered(request) {
        // After a second `bearer` follows a token too.
        let is_removed = follows;
        follows = protocol == BEARER;
        if is_removed {
            is_changed = true;
        } else {
            kept.push(protocol);
        }
    }
    is_changed.then(|| kept.join(&b", "[..]))
}

fn offered<'a>(request: &RequestView<'a>) -> impl Iterator<Item = &'a [u8]> {
    let lines = request.values(WEBSOCKET_PROTOCOL);
    lines.flat_map(|line| line.split(|&byte| byte == b',')).map(trim).filter(|protocol| !protocol.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;

    fn handshake<T>(lines: &[&str], read: impl FnOnce(&RequestView<'_>) -> T) -> T {
        let mut headers: Vec<(&[u8], &[u8])> = vec![(b"upgrade", b"WebSocket")];
        headers.extend(lines.iter().map(|line| (WEBSOCKET_PROTOCOL.as_bytes(), line.as_bytes())));
        read(&RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: false })
    }

    #[test]
    fn the_token_follows_bearer_in_the_list_over_all_lines() {
        for (lines, token, left) in [
            (&["bearer, a.b.c"][..], Ok(Some("a.b.c")), Some("bearer")),
            (&["bearer,a.b.c"], Ok(Some("a.b.c")), Some("bearer")),
            (&["chat , bearer,\t a.b.c ,v2"], Ok(Some("a.b.c")), Some("chat, bearer, v2")),
            (&["chat, bearer", "a.b.c, v2"], Ok(Some("a.b.c")), Some("chat, bearer, v2")),
            (&["bearer,,a.b.c"], Ok(Some("a.b.c")), Some("bearer")),
            (&["chat, v2"], Ok(None), None),
            (&["Bearer, a.b.c"], Ok(None), None),
            (&[], Ok(None), None),
            (&["bearer"], Err(Reason::MalformedHeader), None),
            (&["bearer, "], Err(Reason::MalformedHeader), None),
            (&["bearer, a.b.c, bearer, d.e.f"], Err(Reason::MultipleCredentials), Some("bearer, bearer")),
            (&["bearer, a.b.c", "bearer, d.e.f"], Err(Reason::MultipleCredentials), Some("bearer, bearer")),
            (&["bearer, bearer, a.b.c"], Err(Reason::MultipleCredentials), Some("bearer")),
        ] {
            let found = handshake(lines, token_of);
            assert_eq!(found, token.map(|token| token.map(str::to_owned)), "{lines:?}");
            let left_over = handshake(lines, without_token).map(|value| String::from_utf8(value).unwrap());
            assert_eq!(left_over.as_deref(), left, "{lines:?}");
        }
    }

    fn token_of(request: &RequestView<'_>) -> std::result::Result<Option<String>, Reason> {
        match token(request) {
            Ok(found) => Ok(found.map(|token| String::from_utf8(token.to_vec()).unwrap())),
            Err(denial) => Err(denial.reason()),
        }
    }

    #[test]
    fn a_request_that_upgrades_to_nothing_or_to_something_else_has_none() {
        for upgrade in [None, Some("h2c"), Some("connect-udp")] {
            let mut headers: Vec<(&[u8], &[u8])> = vec![(WEBSOCKET_PROTOCOL.as_bytes(), b"bearer, a.b.c")];
            headers.extend(upgrade.map(|value| (&b"upgrade"[..], value.as_bytes())));
            let request =
                RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
            assert_eq!(token_of(&request), Ok(None), "{upgrade:?}");
        }
    }
}
