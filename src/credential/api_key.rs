//! API keys in headers. No standard has them; the scheme before one follows
//! [RFC 9110 section 11.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2).

use super::{FoundSecret, Result, SentSecret, bearer};
use crate::decision::Denial;
use crate::policy::{AUTHORIZATION, CredentialSet, KeyPlace};
use crate::request::RequestView;

/// A key as a request presents it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApiKey<'r>(&'r [u8]);

/// Shows that there is a key, and nothing of it.
impl std::fmt::Debug for ApiKey<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ApiKey(<redacted>)")
    }
}

impl<'r> ApiKey<'r> {
    /// The bytes of a key: visible ASCII, up to `limit`.
    ///
    /// # Errors
    /// [`Denial::MalformedCredential`].
    pub fn checked(self, limit: usize) -> Result<&'r [u8]> {
        if self.0.is_empty() {
            return Err(Denial::MalformedCredential("the key is empty"));
        }
        if self.0.len() > limit {
            return Err(Denial::MalformedCredential("longer than `limits.token_bytes`"));
        }
        if !self.0.iter().all(u8::is_ascii_graphic) {
            return Err(Denial::MalformedCredential("not visible ASCII"));
        }
        Ok(self.0)
    }
}

/// Finds the key of a set; `None` where its places hold nothing of its kind. Some clients send one key in two places on
/// purpose. `sets` are all that there are: a header may be the place of several, each with another beginning of its keys.
///
/// # Errors
/// [`Denial::MultipleCredentials`] of two lines in one place, and of different keys in two places;
/// [`Denial::MalformedCredential`] where a header that is for keys alone holds a key of no set.
pub fn api_key<'p, 'r>(
    request: &RequestView<'r>,
    places: &'p [KeyPlace],
    sets: &[CredentialSet],
) -> Result<Option<FoundSecret<'p, 'r>>> {
    let mut found: Option<FoundSecret<'p, 'r>> = None;
    for place in places {
        let Some(value) = value_of(request, &place.header)? else { continue };
        match (place.key_in(value).map(|key| SentSecret::ApiKey(ApiKey(key))), &mut found) {
            (Some(key), Some(known)) if known.secret == key => known.headers.push(&place.header),
            (Some(_), Some(_)) => return Err(Denial::MultipleCredentials),
            (Some(secret), None) => found = Some(FoundSecret { secret, headers: vec![&place.header] }),
            (None, _) if place.header == AUTHORIZATION || is_of_some(sets, place, value) => {}
            (None, _) => return Err(Denial::MalformedCredential("of no set that has this header")),
        }
    }
    Ok(found)
}

/// Whether a value of the header of this place is a key of some set.
fn is_of_some(sets: &[CredentialSet], place: &KeyPlace, value: &[u8]) -> bool {
    let mut of_header = sets.iter().flat_map(CredentialSet::key_places).filter(|other| other.header == place.header);
    of_header.any(|other| other.key_in(value).is_some())
}

/// The value of the one line of a header.
fn value_of<'r>(request: &RequestView<'r>, header: &str) -> Result<Option<&'r [u8]>> {
    if header == AUTHORIZATION {
        return Ok(bearer::authorization(request)?.map(|line| line.whole));
    }
    let mut lines = request.values(header);
    let first = lines.next();
    if lines.next().is_some() {
        return Err(Denial::MultipleCredentials);
    }
    Ok(first.map(bearer::trim))
}
