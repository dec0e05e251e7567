//! `Authorization: Bearer b64token` ([RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)),
//! `Authorization: DPoP token68` ([RFC 9449 section 7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)), which has the
//! characters of the other ([RFC 9110 section 11.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2)).

use super::{Presented, Result};
use crate::base::text::holds;
use crate::decision::{CredentialKind, Denial};
use crate::policy::TokenPlace;
use crate::request::{RequestView, TwoLines};

/// A token, and where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BearerToken<'a> {
    text: &'a [u8],
    place: TokenPlace<'a>,
}

impl<'a> BearerToken<'a> {
    /// What is in a place.
    pub(super) const fn new(text: &'a [u8], place: TokenPlace<'a>) -> Self {
        Self { text, place }
    }

    /// Whether it is `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`. This is apart
    /// from [`extract`], because a token that is remembered has passed it and need not be looked at again, byte by byte.
    ///
    /// # Errors
    /// [`Denial::MalformedHeader`].
    pub fn check_grammar(self) -> Result<()> {
        let is_character = |byte: u8| TOKEN_CHARACTERS.get(usize::from(byte)).is_some_and(|is_one| *is_one);
        let characters = self.text.iter().position(|&byte| !is_character(byte)).unwrap_or(self.text.len());
        let (text, padding) = self.text.split_at(characters);
        if text.is_empty() || padding.iter().any(|&byte| byte != b'=') {
            return Err(Denial::MalformedHeader("not one token after the scheme"));
        }
        Ok(())
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.text
    }

    /// Where it is.
    #[must_use]
    pub const fn place(self) -> TokenPlace<'a> {
        self.place
    }
}

/// Shows that there is a token, and nothing of it.
impl std::fmt::Debug for BearerToken<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BearerToken(<redacted>)")
    }
}

/// The one line of `authorization`.
pub(super) struct Line<'a> {
    /// All of it.
    pub(super) whole: &'a [u8],
    scheme: &'a [u8],
    /// What stands after the scheme.
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    /// What stands after this scheme, in lower case, and its spaces; `None` after another one.
    pub(super) fn of_scheme(&self, scheme: &[u8]) -> Option<&'a [u8]> {
        self.scheme.eq_ignore_ascii_case(scheme).then(|| {
            let start = self.rest.iter().position(|&byte| byte != b' ').unwrap_or(self.rest.len());
            self.rest.get(start..).unwrap_or_default()
        })
    }
}

/// Reads the line of `authorization`; `None` without one.
///
/// # Errors
/// When there are two credentials, or no scheme. Envoy joins repeated `authorization` lines with a comma, so a comma is how
/// a second credential shows.
pub(super) fn authorization<'a>(request: &RequestView<'a>) -> Result<Option<Line<'a>>> {
    let line = request.only_value("authorization").map_err(|TwoLines| Denial::MultipleCredentials)?;
    let Some(line) = line else { return Ok(None) };
    let whole = trim(line);
    let scheme_end = whole.iter().position(|&byte| !is_tchar(byte)).unwrap_or(whole.len());
    let (scheme, rest) = whole.split_at(scheme_end);
    if scheme.is_empty() {
        return Err(Denial::MalformedHeader("no scheme"));
    }
    if holds(rest, b',') && has_second_credential(rest) {
        return Err(Denial::MultipleCredentials);
    }
    Ok(Some(Line { whole, scheme, rest }))
}

/// Reads the token of `authorization`.
///
/// # Errors
/// When there are two, or the one does not follow the grammar; that of the token is left to
/// [`BearerToken::check_grammar`].
pub(super) fn extract<'a>(request: &RequestView<'a>) -> Result<Presented<'a>> {
    let Some(Line { scheme, rest, .. }) = authorization(request)? else { return Ok(Presented::Nothing) };
    let kind = if scheme.eq_ignore_ascii_case(b"bearer") {
        CredentialKind::Bearer
    } else if scheme.eq_ignore_ascii_case(b"dpop") {
        CredentialKind::Dpop
    } else {
        return Ok(Presented::Nothing);
    };
    let token_start = rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len());
    let (gap, token) = rest.split_at(token_start);
    if gap.is_empty() {
        return Err(Denial::MalformedHeader("no space after the scheme"));
    }
    if token.is_empty() {
        return Err(Denial::MalformedHeader("not one token after the scheme"));
    }
    Ok(Presented::Token(kind, BearerToken::new(token, TokenPlace::Authorization)))
}

/// Whether a comma begins another `scheme credentials`.
fn has_second_credential(rest: &[u8]) -> bool {
    let mut quoted = false;
    let ends_credential = |byte: &u8| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    };
    rest.split(ends_credential).skip(1).map(trim).any(|part| {
        let end = part.iter().position(|&byte| !is_tchar(byte)).unwrap_or(part.len());
        let (scheme, credentials) = part.split_at(end);
        // `name=value` is a parameter of the first credential; a word and a space, or a scheme alone, is a second one.
        !scheme.is_empty() && (credentials.starts_with(b" ") || credentials.is_empty())
    })
}

/// Optional white space around a field value is not part of it (RFC 9110 section 5.5).
pub(super) fn trim(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

/// `tchar` of RFC 9110 section 5.6.2.
const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// For each byte whether it is one of a token but the padding. A table, since no processor guesses what the next byte of a
/// token is: comparing it with one range after the other takes several times as long.
static TOKEN_CHARACTERS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(
            clippy::indexing_slicing,
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "evaluated when it is compiled, for 0 to 255"
        )]
        {
            table[byte] =
                matches!(byte as u8, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z');
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;

    fn read(lines: &[&[u8]]) -> std::result::Result<Option<Vec<u8>>, Reason> {
        let headers: Vec<(&[u8], &[u8])> = lines.iter().map(|line| (&b"authorization"[..], *line)).collect();
        let request = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
        match extract(&request) {
            Ok(Presented::Nothing) => Ok(None),
            Ok(Presented::Token(_, token)) => match token.check_grammar() {
                Ok(()) => Ok(Some(token.as_bytes().to_vec())),
                Err(denial) => Err(denial.reason()),
            },
            Err(denial) => Err(denial.reason()),
        }
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_with_any_number_of_spaces() {
        for line in ["Bearer a.b-c_~+/==", "bearer a.b-c_~+/==", "BEARER   a.b-c_~+/==", " Bearer a.b-c_~+/==\t"] {
            assert_eq!(read(&[line.as_bytes()]), Ok(Some(b"a.b-c_~+/==".to_vec())), "{line:?}");
        }
    }

    #[test]
    fn the_scheme_is_told_with_the_token() {
        for (line, wanted) in [
            ("Bearer a.b.c", CredentialKind::Bearer),
            ("DPoP a.b.c", CredentialKind::Dpop),
            ("dpop a.b.c", CredentialKind::Dpop),
            ("DPOP  a.b.c", CredentialKind::Dpop),
        ] {
            let headers: [(&[u8], &[u8]); 1] = [(b"authorization", line.as_bytes())];
            let request =
                RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
            let token = BearerToken::new(b"a.b.c", TokenPlace::Authorization);
            assert_eq!(extract(&request), Ok(Presented::Token(wanted, token)), "{line}");
        }
        for line in ["DPoP", "DPoP ", "DPoP a b", "DPoP a;q=1", "DPoP\ta"] {
            assert_eq!(read(&[line.as_bytes()]), Err(Reason::MalformedHeader), "{line:?}");
        }
    }

    #[test]
    fn a_token_has_the_characters_of_rfc_6750_and_no_others() {
        for byte in 0..=u8::MAX {
            let wanted = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            let token = [b'a', byte, b'a'];
            let token = BearerToken::new(&token, TokenPlace::Authorization);
            assert_eq!(token.check_grammar().is_ok(), wanted, "{byte}");
        }
    }

    #[test]
    fn another_scheme_is_no_credential_here() {
        for line in [
            "Basic dTpw",
            "Token a.b.c",
            "JWT a.b.c",
            "Digest username=\"a\", realm=\"b\"",
            "Digest username=\"a\", realm=\"x, y z\"",
            "AWS4-HMAC-SHA256 a=b, c=d",
            "Digest a=b,",
            "Bearer-x a",
            "Bearer_ a",
        ] {
            assert_eq!(read(&[line.as_bytes()]), Ok(None), "{line:?}");
        }
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn what_does_not_follow_the_grammar_is_malformed() {
        for line in [
            &b""[..],
            b" ",
            b"Bearer",
            b"Bearer ",
            b"Bearer =",
            b"Bearer\ta",
            b"Bearer a b",
            b"Bearer a;q=1",
            b"Bearer \"a\"",
            b"Bearer token=a",
            b"Bearer a=b",
            b"Bearer: a",
            b"Bearer \xff",
            b"Bearer a\xc3\xa9",
            b"\xff",
            b"Bearer a\0",
            b"=a",
            b"Bearer ,a=b",
            b"Bearer a,",
        ] {
            assert_eq!(read(&[line]), Err(Reason::MalformedHeader), "{line:?}");
        }
    }

    #[test]
    fn two_credentials_are_refused_whichever_they_are() {
        for line in [
            "Bearer a,Bearer a",
            "Bearer a, Bearer b",
            "Bearer a,b",
            "Basic dTpw,Bearer a",
            "Bearer a,Basic dTpw",
            "Bearer a,DPoP b",
            "Digest a=\"b\", bearer c",
        ] {
            assert_eq!(read(&[line.as_bytes()]), Err(Reason::MultipleCredentials), "{line:?}");
        }
        assert_eq!(read(&[b"Bearer a", b"Bearer a"]), Err(Reason::MultipleCredentials));
        assert_eq!(read(&[b"Basic dTpw", b"Bearer a"]), Err(Reason::MultipleCredentials));
    }
}
