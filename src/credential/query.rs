//! Tokens in query strings, which are refused wherever they are
//! ([RFC 9700 section 4.3.2](https://www.rfc-editor.org/rfc/rfc9700#section-4.3.2), OAuth 2.1 section 5.1): they end
//! up in logs, in histories and in the `Referer` header.

use crate::base::base64url;
use crate::base::text::percent_decode;
use crate::policy::QueryPolicy;

/// Parameters that carry a token, in lower case. Compared after percent-decoding, in any letter case.
pub const TOKEN_PARAMETERS: [&str; 6] =
    ["access_token", "bearer_token", "id_token", "refresh_token", "jwt", "authorization"];

/// A token in a query string.
#[derive(PartialEq, Eq)]
pub struct QueryToken {
    /// The signing input of the first one that has the shape of a signed JWT: what its fingerprint is made of.
    pub signing_input: Option<Vec<u8>>,
}

/// Shows that there is a token, and nothing of it.
impl std::fmt::Debug for QueryToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("QueryToken(<redacted>)")
    }
}

/// Finds a token in `query`: a parameter of a name that carries one, or a value with the shape of a JWT in any other that
/// neither `policy` nor `also_allowed` admits.
///
/// Parameters end at `&` and at `;`. A parameter without `=` is looked at as a name and as a value.
#[must_use]
pub fn find_token(query: &[u8], policy: &QueryPolicy, also_allowed: &[String]) -> Option<QueryToken> {
    let mut found: Option<QueryToken> = None;
    for parameter in query.split(|byte| matches!(byte, b'&' | b';')) {
        let mut sides = parameter.splitn(2, |&byte| byte == b'=');
        let name = decode(sides.next().unwrap_or_default());
        let value = sides.next().map(decode);
        let folded = fold(&name);
        let is_known = |known: &str| known.as_bytes() == folded || known.as_bytes() == name.to_ascii_lowercase();
        let carries =
            TOKEN_PARAMETERS.iter().any(|known| is_known(known)) || policy.names.iter().any(|known| is_known(known));
        let allowed = |list: &[String]| list.iter().any(|known| known.as_bytes() == name);
        let is_refused = carries
            || match &value {
                Some(value) => is_jwt_shaped(value) && !allowed(&policy.jwt_allowed_in) && !allowed(also_allowed),
                None => is_jwt_shaped(&name),
            };
        if is_refused {
            let token = found.get_or_insert(QueryToken { signing_input: None });
            if token.signing_input.is_none() {
                token.signing_input = signing_input(value.as_ref().unwrap_or(&name));
            }
        }
    }
    found
}

/// What the signature of a value covers that has the shape of a signed JWT.
fn signing_input(value: &[u8]) -> Option<Vec<u8>> {
    let jwt = without_scheme(value);
    if !is_jwt_shaped(jwt) || jwt.split(|&byte| byte == b'.').count() != 3 {
        return None;
    }
    let end = jwt.iter().rposition(|&byte| byte == b'.')?;
    jwt.get(..end).map(<[u8]>::to_vec)
}

/// A value without `Bearer` before it.
fn without_scheme(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    match value.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"bearer ") => rest.trim_ascii_start(),
        _ => value,
    }
}

/// A name as frameworks read it that are generous with names: in lower case, without white space around it, up to a NUL
/// or a `[`, and with `_` for a dot or a space (`access_token[]`, `access.token`, `%20access_token`).
fn fold(name: &[u8]) -> Vec<u8> {
    let end = name.iter().position(|&byte| matches!(byte, 0 | b'[')).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or(name).trim_ascii();
    name.iter().map(|&byte| if matches!(byte, b'.' | b' ') { b'_' } else { byte.to_ascii_lowercase() }).collect()
}

/// Percent-decoding of a query component, in which `+` is a space.
fn decode(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced)
}

/// Whether `value` looks like a JWT in compact serialization, signed or encrypted, with or without `Bearer` before
/// it: three to five segments of base64url, of which the first decodes to a JSON object.
fn is_jwt_shaped(value: &[u8]) -> bool {
    let mut segments = without_scheme(value).split(|&byte| byte == b'.');
    let Some(header) = segments.next() else { return false };
    let rest: Vec<&[u8]> = segments.take(6).collect();
    if !(2..=4).contains(&rest.len()) || !rest.iter().all(|segment| segment.iter().all(|&byte| is_base64(byte))) {
        return false;
    }
    let header: Vec<u8> = header.iter().copied().filter(|&byte| byte != b'=').collect();
    base64url::decode(&header).is_some_and(|decoded| {
        let decoded = decoded.trim_ascii();
        decoded.starts_with(b"{") && decoded.ends_with(b"}")
    })
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIn0.AAAA";

    fn found(query: &str) -> bool {
        let policy = QueryPolicy { names: vec!["sid".into()], jwt_allowed_in: vec!["id_token_hint".into()] };
        find_token(query.as_bytes(), &policy, &["request".to_owned()]).is_some()
    }

    #[test]
    fn the_signing_input_of_a_jwt_is_found_and_nothing_of_another_token() {
        let found = |query: &str| {
            let policy = QueryPolicy { names: vec![], jwt_allowed_in: vec!["id_token_hint".into()] };
            find_token(query.as_bytes(), &policy, &[]).map(|token| token.signing_input)
        };
        let (input, _) = JWT.rsplit_once('.').expect("a JWT");
        let wanted = Some(Some(input.as_bytes().to_vec()));
        for query in [
            format!("access_token={JWT}"),
            format!("access_token=Bearer%20{JWT}"),
            format!("a=1&x={JWT}&b"),
            format!("access_token=secret&jwt={JWT}"),
            JWT.to_owned(),
        ] {
            assert_eq!(found(&query), wanted, "{query}");
        }
        for query in ["access_token=secret".to_owned(), "jwt".to_owned(), format!("access_token={JWT}.AA.AA")] {
            assert_eq!(found(&query), Some(None), "{query}");
        }
        let allowed = format!("id_token_hint={JWT}&access_token=x");
        assert_eq!(found(&allowed), Some(None), "a JWT that is admitted is not named");
        assert_eq!(found(&format!("id_token_hint={JWT}")), None);
    }

    #[test]
    fn parameters_that_carry_tokens_are_found_in_every_spelling() {
        for query in [
            "access_token=x",
            "access_token=",
            "access_token",
            "a=1&access_token=x",
            "a=1;access_token=x",
            "ACCESS_TOKEN=x",
            "%61ccess_token=x",
            "access%5Ftoken=x",
            "access%5ftoken=x",
            "bearer_token=x",
            "id_token=x",
            "refresh_token=x",
            "jwt=x",
            "Authorization=Bearer+x",
            "a=1?b=2;access_token=3",
            "sid=1",
            "SID=1",
            "a=1&&;&jwt",
            "access_token=a&access_token=b",
            "access_token[]=x",
            "access_token%5B0%5D=x",
            "access.token=x",
            "access+token=x",
            "%20access_token=x",
            "access_token%20=x",
            "access_token%00x=x",
        ] {
            assert!(found(query), "{query}");
        }
    }

    #[test]
    fn other_parameters_are_not_affected() {
        for query in [
            "",
            "&",
            "a",
            "my_access_token=x",
            "access_token_type=x",
            "a=access_token",
            "accesstoken=x",
            "access%255Ftoken=x",
            "q=a.b.c",
            "version=1.2.3",
            "file=archive.tar.gz",
            "a=eyJhbGciOiJFUzI1NiJ9",
            "a=eyJhbGciOiJFUzI1NiJ9.x",
            "a=eyJhbGciOiJFUzI1NiJ9.a.b.c.d.e",
            "a=eyJhbGciOiJFUzI1NiJ9.a.b!",
            "a=e2E.x.y",
            "a=YX0.x.y",
        ] {
            assert!(!found(query), "{query}");
        }
    }

    #[test]
    fn a_jwt_is_found_in_any_parameter() {
        for query in [
            format!("a={JWT}"),
            format!("state=1&x={JWT}&y=2"),
            format!("auth=Bearer%20{JWT}"),
            format!("auth=bearer+{JWT}"),
            format!("a={}", JWT.replace('.', "%2E")),
            format!("a={}", JWT.replace('e', "%65")),
            JWT.to_owned(),
            "a=eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIn0.".to_owned(),
            "a=eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA".to_owned(),
            "a=ewogImFsZyI6Im5vbmUiCn0.e30.AA".to_owned(),
            "a=eyJhbGciOiJub25lIn0=.eyJpc3MiOiJhIn0=.AA==".to_owned(),
        ] {
            assert!(found(&query), "{query}");
        }
    }

    #[test]
    fn a_jwt_passes_only_where_its_parameter_is_named_exactly() {
        for query in [format!("id_token_hint={JWT}"), format!("request={JWT}"), format!("id_token%5Fhint={JWT}")] {
            assert!(!found(&query), "{query}");
        }
        for query in [format!("ID_TOKEN_HINT={JWT}"), format!("id_token_hint2={JWT}"), format!("a={JWT}&request=x")] {
            assert!(found(&query), "{query}");
        }
    }

    #[test]
    fn a_configured_name_is_found_as_it_is_written() {
        let policy = QueryPolicy { names: vec!["my.token".into()], ..QueryPolicy::default() };
        for query in ["my.token=x", "MY.Token=x", "a=1&my%2Etoken=x"] {
            assert!(find_token(query.as_bytes(), &policy, &[]).is_some(), "{query}");
        }
        assert!(find_token(b"mytoken=x", &policy, &[]).is_none());
    }
}
