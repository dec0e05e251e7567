//! Cookies that hold tokens.

use super::Csrf;

/// The header of cookies ([RFC 6265 section 5.4](https://www.rfc-editor.org/rfc/rfc6265#section-5.4)).
pub const COOKIE: &str = "cookie";

/// What the name of a cookie begins with that was set by this host alone, over TLS, for all paths
/// ([RFC 6265bis section 4.1.3.2](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2)).
pub const HOST_PREFIX: &str = "__Host-";

/// A cookie that holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name, which begins with [`HOST_PREFIX`]. Letter case counts.
    pub name: String,
    /// Which pages may have a browser send it.
    pub csrf: Csrf,
}
