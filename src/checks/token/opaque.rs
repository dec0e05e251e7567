//! Opaque tokens: those without the shape of a JWT, of which only their issuer can say what they mean
//! ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)).
//!
//! What the issuer says is judged as the claims of a JWT are, by the same checks. What a JWT has in its JOSE header, an
//! opaque token has not.

use super::{Formed, Result, TokenRequirements, Unproven};
use crate::base::base64url;
use crate::base::members::Members;
use crate::credential::BearerToken;
use crate::decision::{Denial, Inquiry, Need, NeedKind};
use crate::facts::{Awaited, Facts, Introspected};
use crate::policy::{IssuerId, Policy};

/// Whether a token has not the shape of a JWT: three parts, each in the alphabet of base64url. What begins with the header
/// of a signed JWT is not opaque either: an issuer that reads loosely could take it for that JWT, which is refused here for
/// its header, its key or its fingerprint.
#[must_use]
pub fn is_opaque(token: &[u8]) -> bool {
    !has_shape_of_jwt(token) && !begins_as_signed(token)
}

fn has_shape_of_jwt(token: &[u8]) -> bool {
    let is_character = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut dots = 0_usize;
    for byte in token {
        if *byte == b'.' {
            dots = dots.saturating_add(1);
        } else if !is_character(byte) {
            return false;
        }
    }
    dots == 2
}

/// Whether the first of several parts is a JOSE header, and not that of an encrypted token, which has `enc`.
fn begins_as_signed(token: &[u8]) -> bool {
    // Every JSON object that begins with its brace.
    let Some(dot) = token.iter().position(|byte| *byte == b'.').filter(|_| token.starts_with(b"e")) else {
        return false;
    };
    let header = token.get(..dot).and_then(base64url::decode).and_then(Members::parse);
    header.is_some_and(|header| header.get("alg").is_some() && header.get("enc").is_none())
}

/// The issuer that is asked about a token; `None` where that would be a JWT, or no issuer can be asked.
///
/// The longest beginning that a token has chooses among all issuers: no other issuer gets to see the token, even where
/// the chosen one is not good here. Of two with one beginning at most one is good here: the configuration makes sure. A token
/// in the place of another issuer is shown to none.
///
/// # Errors
/// [`Denial::MalformedToken`] when it begins as the keys of a set do: such a key is shown to no issuer.
pub fn asked_issuer(token: BearerToken<'_>, policy: &Policy, asks: &TokenRequirements<'_>) -> Result<Option<IssuerId>> {
    if !is_opaque(token.as_bytes()) {
        return Ok(None);
    }
    let mut chosen: Option<(usize, IssuerId)> = None;
    let mut longest = 0;
    for (index, issuer) in policy.issuers.iter().enumerate() {
        let Some(terms) = &issuer.introspection else { continue };
        let length = terms.prefix.len();
        if !token.as_bytes().starts_with(terms.prefix.as_bytes()) || length < longest {
            continue;
        }
        longest = length;
        let id = IssuerId(index);
        let is_good = asks.iter().all(|ask| ask.issuers.as_ref().is_none_or(|good| good.contains(&id)));
        if is_good && issuer.has_tokens_in(token.place()) {
            chosen = Some((length, id));
        }
    }
    let Some((_, id)) = chosen.filter(|(length, _)| *length == longest) else { return Ok(None) };
    if policy.is_key(token.as_bytes()) {
        return Err(Denial::MalformedToken("it begins as the API keys of a set do"));
    }
    Ok(Some(id))
}

impl<'t> Formed<'t> {
    /// What `issuer` says of an opaque token.
    ///
    /// # Errors
    /// When it is not of the grammar of a bearer token, or longer than `limit` bytes; [`Denial::WrongType`] where a
    /// requirement asks for a `typ`, which no opaque token has; [`Denial::Inactive`] when that is what the issuer says;
    /// [`Need::Introspection`] where it has to be asked, or [`Denial::IntrospectionUnavailable`] where that has been
    /// awaited.
    pub fn introspect(
        token: BearerToken<'t>,
        limit: usize,
        issuer: IssuerId,
        asks: &TokenRequirements<'_>,
        facts: &Facts<'_>,
    ) -> std::result::Result<Self, Unproven> {
        let text = token.as_bytes();
        if text.len() > limit {
            return Err(Unproven::Deny(Denial::TokenTooLarge));
        }
        token.check_grammar().map_err(Unproven::Deny)?;
        if !asks.iter().all(|ask| ask.token_types.as_ref().is_none_or(|types| types.accept(None))) {
            return Err(Unproven::Deny(Denial::WrongType));
        }
        let awaited = facts.awaited.of(NeedKind::Introspection);
        match facts.introspections.recall(issuer, text, facts.surroundings.now()) {
            Some(Introspected::Active(known)) => Ok(Self::known(known, token, awaited == Awaited::No)),
            Some(Introspected::Inactive) => Err(Unproven::Deny(Denial::Inactive)),
            None => Err(match awaited {
                Awaited::No => Unproven::Await(Need::Introspection(Inquiry { issuer, token: text.into() })),
                Awaited::Yes | Awaited::InVain => Unproven::Deny(Denial::IntrospectionUnavailable),
            }),
        }
    }
}
