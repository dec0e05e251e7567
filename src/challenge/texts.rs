//! What is told of a credential in words, by its kind: of a token, a key, a user, a certificate, a signature.

use crate::decision::{CredentialKind, Trace};

pub(super) const NOT_ACCEPTED: [&str; 5] = [
    "The access token is not one that this resource accepts",
    "The API key is not one that this resource accepts",
    "The user name or the password is wrong",
    "The client certificate is not one that this resource accepts",
    "The signature is not one that this resource accepts",
];
pub(super) const LACKS_SCOPE: [&str; 5] = [
    "The access token lacks a scope that this resource needs",
    "The API key lacks a scope that this resource needs",
    "The user lacks a scope that this resource needs",
    "The holder of the client certificate lacks a scope that this resource needs",
    "The signer lacks a scope that this resource needs",
];
pub(super) const MAY_NOT: [&str; 5] = [
    "The access token does not permit this request",
    "The API key does not permit this request",
    "The user may not make this request",
    "The holder of the client certificate may not make this request",
    "The signer may not make this request",
];

/// The text about a token, a key, a user, a certificate or a signature.
pub(super) fn of_kind(
    trace: &Trace,
    [of_token, of_key, of_user, of_certificate, of_signature]: [&'static str; 5],
) -> &'static str {
    match trace.credential {
        Some(CredentialKind::ApiKey(_)) => of_key,
        Some(CredentialKind::Password(_)) => of_user,
        Some(CredentialKind::Certificate(_)) => of_certificate,
        Some(CredentialKind::Aksk(_) | CredentialKind::Signature(_)) => of_signature,
        _ => of_token,
    }
}
