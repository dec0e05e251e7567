//! Where requests have tokens.

use super::{AUTHORIZATION, Issuer};

/// The header of the subprotocols that a WebSocket client offers
/// ([RFC 6455 section 11.3.4](https://www.rfc-editor.org/rfc/rfc6455#section-11.3.4)).
pub const WEBSOCKET_PROTOCOL: &str = "sec-websocket-protocol";

/// A header for the tokens of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHeader {
    /// Its name, in lower case.
    pub name: String,
    /// What stands before the token; it may be empty.
    pub prefix: String,
}

/// The place of a token in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPlace<'p> {
    /// After its scheme in `authorization`.
    Authorization,
    /// In a header of its own.
    Header(&'p TokenHeader),
    /// After `bearer` among the subprotocols of a WebSocket handshake.
    WebSocketProtocol,
    /// In the cookie of this name.
    Cookie(&'p str),
}

impl<'p> TokenPlace<'p> {
    /// What it is called: the header, or the cookie, whose name is that of no header.
    #[must_use]
    pub fn name(self) -> &'p str {
        match self {
            Self::Authorization => AUTHORIZATION,
            Self::Header(header) => &header.name,
            Self::WebSocketProtocol => WEBSOCKET_PROTOCOL,
            Self::Cookie(name) => name,
        }
    }
}

/// All places of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenPlaces {
    /// Whether `authorization` is one.
    pub authorization: bool,
    /// The headers, once each. No value can be that of two.
    pub headers: Vec<TokenHeader>,
    /// Whether the subprotocols of WebSocket handshakes are one.
    pub websocket_protocol: bool,
}

impl TokenPlaces {
    /// Those of all issuers.
    #[must_use]
    pub fn of(issuers: &[Issuer]) -> Self {
        let mut places = Self::default();
        for issuer in issuers {
            places.websocket_protocol |= issuer.websocket_protocol;
            match &issuer.token_header {
                None => places.authorization = true,
                Some(header) if places.headers.contains(header) => {}
                Some(header) => places.headers.push(header.clone()),
            }
        }
        places
    }

    /// Whether there is a place other than `authorization`.
    #[must_use]
    pub const fn has_others(&self) -> bool {
        !self.headers.is_empty() || self.websocket_protocol
    }
}
