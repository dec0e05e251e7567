//! Where Scopegate and Envoy's own filters disagree about keys, passwords and headers, and why that is right.

use super::Kind;
use crate::native::disagreements::How;

/// Of what kind, what was changed, how Scopegate differs, and why.
pub(super) const DISAGREEMENTS: &[(Kind, &str, How, &str)] = &[
    (
        Kind::Key,
        "it is there twice",
        How::Refuses("multiple_credentials"),
        "RFC 9110 section 5.3: a field that is no list has one line, and two readers can take another one each",
    ),
    (Kind::Key, "there are two", How::Refuses("multiple_credentials"), "one of them is not judged, and travels on"),
    (
        Kind::Key,
        "a scheme is before it",
        How::Refuses("malformed_credential"),
        "a key has one spelling: `api_key_auth` passes over `Bearer` in any header",
    ),
    (
        Kind::Key,
        "it is in the query too",
        How::Refuses("token_in_query"),
        "OWASP: what is in an address is logged, and stays in histories",
    ),
    (
        Kind::Key,
        "it says who it is, with underscores",
        How::Identity,
        "RFC 9700 section 4.13: many upstreams read `_` as `-`",
    ),
    (
        Kind::Password,
        "the scheme is in another case",
        How::Passes,
        "RFC 9110 section 11.1: letter case of a scheme means nothing",
    ),
    (
        Kind::Password,
        "there are more spaces",
        How::Passes,
        "RFC 9110 section 11.4: one space or more are between the scheme and what follows",
    ),
    (
        Kind::Password,
        "it is not padded",
        How::Refuses("malformed_credential"),
        "RFC 7617 section 2 and RFC 4648 section 3.2: base64 is padded, so a password has one spelling",
    ),
    (
        Kind::Password,
        "it says who it is, with underscores",
        How::Identity,
        "RFC 9700 section 4.13: many upstreams read `_` as `-`",
    ),
    (
        Kind::Header,
        "it is there twice",
        How::Refuses("multiple_credentials"),
        "two readers can take another one each; `jwt_authn` verifies both, and names the subject twice",
    ),
    (
        Kind::Header,
        "something stands before the prefix",
        How::Refuses("malformed_header"),
        "`jwt_authn` looks for the prefix anywhere in the value",
    ),
    (
        Kind::Header,
        "something stands between the prefix and the token",
        How::Refuses("malformed_header"),
        "`jwt_authn` passes over what is no character of a JWT",
    ),
    (
        Kind::Header,
        "something stands behind the token",
        How::Refuses("malformed_header"),
        "`jwt_authn` passes over what follows the token",
    ),
    (
        Kind::Header,
        "it is in the query too",
        How::Refuses("token_in_query"),
        "RFC 9700 section 4.3.2: no access token in a query",
    ),
    (
        Kind::Header,
        "it says who it is, with underscores",
        How::Identity,
        "RFC 9700 section 4.13: many upstreams read `_` as `-`",
    ),
];
