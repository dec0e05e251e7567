//! Where Scopegate and the native filters disagree, and why that is right.
//!
//! The kinds of changes are the attacks on bearer tokens: their presentation (RFC 6750, RFC 9110), their form (RFC 7515,
//! RFC 7519), their algorithms and keys (RFC 7518, RFC 8725), access tokens among other JWTs (RFC 9068), and the ways
//! around a gate (RFC 9700). What neither side has in this version is not here:
//! introspection, resource metadata, message signatures, and what MCP adds. Keys, passwords and headers for tokens have a list
//! of their own, in `differential_kinds`. Of what only Scopegate has, tokens that are
//! bound, status lists, step-up and single use are here, since a token says or a route asks it; revocation is not, nor what
//! is about the fetching of keys and not about a token. Proofs themselves have a judge of their own, `opinion`. Of RSA signatures
//! with a malformed padding `tests/conformance` has hundreds, and of keys that no configuration takes `tests/decisions`
//! has a list.

/// How Scopegate differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// It refuses, for this reason, what the native filters let through.
    Refuses(&'static str),
    /// It lets through what the native filters refuse.
    Passes,
    /// Both let it through, and the upstream reads another identity.
    Identity,
}

/// A class of requests.
#[derive(Debug)]
pub(super) struct Disagreement {
    /// What was changed of a good request.
    pub(super) sent: &'static str,
    pub(super) how: How,
    /// The first minor version of Envoy in which they agree.
    pub(super) until: Option<u32>,
    #[expect(dead_code, reason = "for readers of the list")]
    pub(super) why: &'static str,
}

impl Disagreement {
    const fn until(self, minor: u32) -> Self {
        Self { until: Some(minor), ..self }
    }
}

const fn refuses(sent: &'static str, reason: &'static str, why: &'static str) -> Disagreement {
    Disagreement { sent, how: How::Refuses(reason), until: None, why }
}

const fn passes(sent: &'static str, why: &'static str) -> Disagreement {
    Disagreement { sent, how: How::Passes, until: None, why }
}

const fn identity(sent: &'static str, why: &'static str) -> Disagreement {
    Disagreement { sent, how: How::Identity, until: None, why }
}

pub(super) const DISAGREEMENTS: &[Disagreement] = &[
    refuses(
        "a zero is before each half of the signature",
        "bad_signature",
        "RFC 7518 section 3.4: an ES256 signature is 64 octets",
    ),
    refuses(
        "something stands behind the signature",
        "bad_signature",
        "RFC 7518 section 3.4: an ES256 signature is 64 octets",
    ),
    refuses(
        "stray bits are in the last character",
        "malformed_token",
        "RFC 4648 section 3.5: otherwise a token has several spellings",
    ),
    refuses(
        "there is white space in its signature",
        "malformed_header",
        "RFC 7515 section 2, RFC 6750 section 2.1: base64url without white space",
    ),
    refuses("it is padded", "malformed_token", "RFC 7515 section 2: base64url without padding"),
    refuses("there are more dots", "malformed_token", "RFC 7515 section 7.1: three parts, none of them empty"),
    refuses(
        "it is signed with the secret of the key set",
        "algorithm_not_allowed",
        "RFC 8725 section 3.1: a published secret is no secret",
    ),
    refuses(
        "it is signed with a key that is not for this",
        "unknown_key",
        "RFC 7517 sections 4.2 and 4.3: `use`, `key_ops`; RFC 7518 section 3.3: 2048 bits",
    ),
    refuses(
        "it is signed with a key whose private part is published",
        "unknown_key",
        "RFC 7517 section 9.2: every reader of the key set can sign",
    ),
    refuses("kid is empty", "unknown_key", "RFC 7515 section 4.1.4: `kid` says which key it was, and this is no key's"),
    refuses(
        "its algorithm is none of the family of its key",
        "unknown_key",
        "RFC 8725 section 3.1: the key says what it is for, and be it by its type",
    ),
    refuses(
        "it is signed by ES384 with a key of P-256",
        "unknown_key",
        "RFC 7518 section 3.4: ES384 is P-384 with SHA-384",
    ),
    refuses(
        "it is signed with a salt of another length",
        "bad_signature",
        "RFC 7518 section 3.5: the salt is as long as the hash",
    )
    .until(38),
    refuses(
        "it is signed for a key of small order",
        "unknown_key",
        "RFC 8725 section 3.4: with such a key anybody signs; RFC 8032 leaves it to the reader",
    ),
    refuses(
        "aud is ours but for its scheme or a slash",
        "wrong_audience",
        "RFC 7519 section 4.1.3: audiences are compared as they are",
    ),
    refuses("sub is missing", "missing_claim", "RFC 9068 section 2.2: `sub` is required"),
    refuses(
        "scope is a list in which not all are strings",
        "insufficient_scope",
        "RFC 9068 section 2.2.3: what cannot be read grants nothing",
    ),
    refuses("iat is in the future", "issued_in_future", "decided: no issuer issues in the future, beyond the leeway"),
    refuses("iat is missing", "lifetime_too_long", "`max_lifetime` bounds `exp - iat`; theirs bounds what is left"),
    refuses("exp is beyond every year", "lifetime_too_long", "`max_lifetime` holds for every number, however large"),
    refuses(
        "the lifetime is too long, and almost over",
        "lifetime_too_long",
        "`max_lifetime` bounds `exp - iat`; theirs bounds what is left",
    ),
    refuses(
        "typ is another or missing",
        "wrong_type",
        "RFC 9068 section 4, RFC 8725 section 3.11: another kind of JWT is no access token",
    ),
    refuses(
        "it is an ID token",
        "wrong_type",
        "RFC 9068 section 5, RFC 8725 section 3.12: an ID token is for the client",
    ),
    refuses("it is a client assertion", "wrong_type", "RFC 8725 section 3.12: it is for the issuer, not from it"),
    refuses(
        "it is a token about a token or an event",
        "wrong_type",
        "RFC 8725 section 3.12: what tells of a token is none",
    ),
    refuses("it is a proof of DPoP", "wrong_type", "RFC 9449 section 4.2: its `typ` is there to keep it apart"),
    refuses("typ is no string", "malformed_token", "RFC 7515 section 4.1.9: `typ` is a string"),
    refuses("crit is there", "malformed_token", "RFC 7515 section 4.1.11: what is critical must be understood"),
    refuses("b64 is false", "malformed_token", "RFC 7797 section 7: a JWT must not have it"),
    refuses(
        "it is almost JSON",
        "malformed_token",
        "RFC 7515 section 4, RFC 7519 section 7.2: header and claims are JSON",
    ),
    refuses(
        "the token is too large",
        "token_too_large",
        "`limits.token_bytes`: what a client sends costs no more than that",
    ),
    refuses("the scheme ends with ours", "no_credential", "RFC 9110 section 11.1: another scheme is another scheme"),
    refuses("the scheme ends with ours", "malformed_header", "RFC 9110 section 11.1: that is no scheme at all"),
    passes("the scheme is in another case", "RFC 9110 section 11.1: schemes are compared without regard to case"),
    refuses(
        "something stands between the scheme and the token",
        "malformed_header",
        "RFC 6750 section 2.1: nothing else is there",
    ),
    refuses(
        "something stands between the scheme and the token",
        "multiple_credentials",
        "RFC 6750 section 2: a comma separates credentials, and one is allowed",
    ),
    refuses("something stands behind the token", "malformed_header", "RFC 6750 section 2.1: nothing else is there"),
    refuses("there are two credentials", "multiple_credentials", "RFC 6750 section 3.1: one method, once"),
    refuses("two credentials are joined", "multiple_credentials", "RFC 6750 section 3.1: one method, once"),
    refuses("the token is in the query", "token_in_query", "RFC 9700 section 4.3.2: no access token in a query"),
    refuses(
        "the token is in the query, under another spelling",
        "token_in_query",
        "RFC 9700 section 4.3.2, on a route that is open too",
    ),
    refuses("the token is in the header and in the query", "token_in_query", "RFC 6750 section 3.1: one method, once"),
    refuses(
        "a good token is in the query, under any name",
        "token_in_query",
        "RFC 9700 section 4.3.2: what has the shape of a token is one, whatever it is called",
    ),
    refuses("the query has an opaque token", "token_in_query", "RFC 9700 section 4.3.2: the name says what it is"),
    refuses("the path can be read in two ways", "ambiguous_path", "what is behind it may read it in the other way"),
    refuses(
        "it is bound to a key",
        "proof_missing",
        "RFC 9449 section 7.2: a token that is bound to a key is no bearer token",
    ),
    refuses(
        "it is bound to a certificate",
        "certificate_mismatch",
        "RFC 8705 section 3: a token that is bound to a certificate is good with it alone",
    ),
    refuses("it is bound to a key and a certificate", "certificate_mismatch", "RFC 7800 section 3.1: both hold"),
    refuses(
        "it is bound by an unknown member",
        "bound_to_another",
        "RFC 7800 section 3.1: what cannot be confirmed is not confirmed",
    ),
    refuses(
        "it says not to what it is bound",
        "malformed_token",
        "RFC 7800 section 3: `cnf` is an object with members",
    ),
    refuses(
        "its status is invalid or suspended",
        "revoked",
        "draft-ietf-oauth-status-list section 7: the issuer has taken it back",
    ),
    refuses(
        "its status is in no list",
        "revoked",
        "draft-ietf-oauth-status-list section 8.3: without a status it is refused",
    ),
    refuses(
        "its status is elsewhere",
        "revocation_unavailable",
        "no address of a token is asked that the configuration does not name",
    ),
    refuses(
        "its status is no status",
        "malformed_token",
        "draft-ietf-oauth-status-list section 6.2: it has `idx` and `uri`",
    ),
    refuses(
        "the route asks how the user authenticated, and it was not so",
        "step_up_needed",
        "RFC 9470 section 3: `acr_values`",
    ),
    refuses(
        "the route asks when the user authenticated, and it was long ago",
        "step_up_needed",
        "RFC 9470 section 3: `max_age`",
    ),
    refuses(
        "it is good once, and has been used",
        "replayed",
        "RFC 9700 section 4.8: what was used is of no use to a thief",
    ),
    identity(
        "it says who it is, where that is not asked",
        "RFC 9700 section 4.13: where nothing is asked, no client was authenticated either",
    )
    .until(40),
    identity("it says who it is, with underscores", "RFC 9700 section 4.13: many upstreams read `_` as `-`"),
    identity("it says who it is in a trailer", "RFC 9110 section 6.5.1: an upstream may merge trailers into headers"),
];
