//! The body of a pushed event ([RFC 8935 section 2](https://www.rfc-editor.org/rfc/rfc8935#section-2), Back-Channel Logout 1.0
//! section 2.5).

use crate::base::text::{escape_value, percent_decode};
use crate::mcp::media::{MediaType, is_identity};
use crate::request::RequestView;
use std::borrow::Cow;

/// The media type of a Security Event Token (RFC 8417 section 7.1.1).
pub const SET_TYPE: &str = "application/secevent+jwt";
/// The parameter of a form that has a logout token.
pub const LOGOUT_PARAMETER: &str = "logout_token";
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// How an event came: it is answered as its standard says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventForm {
    /// As a Security Event Token (RFC 8935, RFC 8936).
    #[default]
    Set,
    /// As a logout token in a form.
    Logout,
}

/// How the event in the body of a request is read, by its headers.
///
/// # Errors
/// When it cannot be read; the text says why.
pub fn form_of(request: &RequestView<'_>) -> Result<EventForm, &'static str> {
    if !is_identity(request.values("content-encoding")) {
        return Err("the body has a Content-Encoding");
    }
    match request.sole_value("content-type").map(MediaType::read) {
        Some(media) if media.is(SET_TYPE) => Ok(EventForm::Set),
        Some(media) if media.is(FORM_TYPE) => Ok(EventForm::Logout),
        Some(_) | None => {
            Err("the Content-Type is neither application/secevent+jwt nor application/x-www-form-urlencoded")
        }
    }
}

/// The token in a body of this form.
///
/// # Errors
/// When there is none, or more than one; the text says which.
pub fn token_in_body(form: EventForm, body: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    match form {
        EventForm::Set => Ok(body.trim_ascii().into()),
        EventForm::Logout => {
            let mut tokens = body.trim_ascii().split(|&byte| byte == b'&').filter_map(|pair| {
                let mut halves = pair.splitn(2, |&byte| byte == b'=');
                let name = halves.next().map(form_decode)?;
                (*name == *LOGOUT_PARAMETER.as_bytes()).then(|| form_decode(halves.next().unwrap_or_default()))
            });
            match (tokens.next(), tokens.next()) {
                (Some(token), None) => Ok(token),
                (None, _) => Err("the form has no logout_token"),
                (Some(_), Some(_)) => Err("the form has more than one logout_token"),
            }
        }
    }
}

/// A name or a value of a form. What is no escape is left as it is, and then is no token.
fn form_decode(text: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = !text.iter().any(|byte| matches!(byte, b'%' | b'+'));
    if is_plain || !has_good_escapes(text) {
        return text.into();
    }
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).into()
}

fn has_good_escapes(text: &[u8]) -> bool {
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' && escape_value(rest.next(), rest.next()).is_none() {
            return false;
        }
    }
    true
}
