//! Pages that may send requests.

use crate::config::cursor::Cursor;
use crate::config::fields;
use crate::policy::Csrf;

/// `csrf` of a requirement.
pub(super) fn read(cursor: &Cursor<'_>) -> Option<Csrf> {
    let object = cursor.object(&fields::CSRF)?;
    let origins = object.need("origins", "write the origins of your own pages, such as [https://app.example.com]")?;
    self::origins(&origins)
}

/// Origins as browsers send them.
pub(super) fn origins(cursor: &Cursor<'_>) -> Option<Csrf> {
    let origins = cursor.list_of("origin", |item| {
        let text = item.text()?;
        if is_origin(text) {
            return Some(text.to_owned());
        }
        item.wrong(
            "is not an origin as browsers send it",
            "write scheme and host in lower case, and the port if it is not the default: https://app.example.com",
        )
    })?;
    Some(Csrf { origins })
}

/// Whether a text is an origin as browsers write it.
pub(super) fn is_origin(text: &str) -> bool {
    let (rest, default) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, "443"),
        (None, Some(rest)) => (rest, "80"),
        (None, None) => return false,
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port) && port != default;
    let in_brackets = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((address, after)) = in_brackets {
        let plain = address.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b':' | b'.'));
        return plain && !address.is_empty() && (after.is_empty() || after.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'.' | b'_');
    !host.is_empty() && host.bytes().all(plain) && port.is_none_or(is_port)
}
