//! The type of a body.

/// A value of `Content-Type` (RFC 9110 section 8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType<'v> {
    essence: &'v [u8],
    /// Whether it names no charset, or UTF-8.
    pub is_utf8: bool,
}

impl<'v> MediaType<'v> {
    /// Reads one value.
    #[must_use]
    pub fn read(value: &'v [u8]) -> Self {
        let mut parts = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let essence = parts.next().unwrap_or_default();
        let is_other_charset = |part: &[u8]| {
            let mut halves = part.splitn(2, |&byte| byte == b'=').map(<[u8]>::trim_ascii);
            let is_charset = halves.next().is_some_and(|name| name.eq_ignore_ascii_case(b"charset"));
            let value = halves.next().unwrap_or_default();
            let value = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
            is_charset && !value.eq_ignore_ascii_case(b"utf-8") && !value.eq_ignore_ascii_case(b"utf8")
        };
        Self { essence, is_utf8: !parts.any(is_other_charset) }
    }

    /// Whether it is this type, written in lower case.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence.as_bytes())
    }
}

/// Whether these values of `Content-Encoding` say that a body is as it is.
pub fn is_identity<'v>(mut encodings: impl Iterator<Item = &'v [u8]>) -> bool {
    encodings.all(|coding| coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// How the body of an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As one message.
    Message,
    /// As a stream of events.
    Events,
    /// As no message: clients take its status for the answer.
    Nothing,
}

/// How clients read the body of an answer with these headers.
///
/// # Errors
/// When clients may read messages in it that cannot be read here; the text says why.
pub fn form(headers: &[(&[u8], &[u8])]) -> Result<Form, &'static str> {
    let values = |name: &'static str| {
        headers.iter().filter(move |(other, _)| *other == name.as_bytes()).map(|(_, value)| *value)
    };
    let mut types = values("content-type");
    let (first, second) = (types.next(), types.next());
    let sole = first.filter(|value| second.is_none() && !value.contains(&b',')).map(MediaType::read);
    let form = match sole {
        Some(media) if media.is("application/json") => Form::Message,
        Some(media) if media.is("text/event-stream") => Form::Events,
        // Some clients look for the type anywhere in the value.
        _ if values("content-type").any(names_message) => return Err("a Content-Type that clients read differently"),
        _ if values(":status").any(|status| status.starts_with(b"2")) => {
            return Err("a Content-Type that is neither JSON nor a stream of events");
        }
        _ => return Ok(Form::Nothing),
    };
    if !sole.is_none_or(|media| media.is_utf8) {
        return Err("a charset other than utf-8");
    }
    if is_identity(values("content-encoding")) { Ok(form) } else { Err("a compressed body") }
}

fn names_message(value: &[u8]) -> bool {
    let value = value.to_ascii_lowercase();
    [&b"application/json"[..], b"event-stream"].iter().any(|name| value.windows(name.len()).any(|part| part == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: &str, headers: &[(&str, &str)]) -> Result<Form, &'static str> {
        let mut lines: Vec<(&[u8], &[u8])> = vec![(b":status", status.as_bytes())];
        lines.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        form(&lines)
    }

    #[test]
    fn a_message_and_a_stream_are_known_by_one_type() {
        for (value, wanted) in [
            ("application/json", Form::Message),
            ("Application/JSON ; charset=\"UTF-8\"", Form::Message),
            ("text/event-stream", Form::Events),
            ("TEXT/Event-Stream;charset=utf8", Form::Events),
        ] {
            for status in ["200", "202", "400", "503"] {
                assert_eq!(of(status, &[("content-type", value), ("content-encoding", "identity")]), Ok(wanted));
            }
        }
    }

    #[test]
    fn what_clients_may_read_and_the_gate_may_not_is_refused() {
        for (headers, why) in [
            (&[("content-type", "application/json"), ("content-encoding", "gzip")][..], "compressed"),
            (
                &[("content-type", "text/event-stream"), ("content-encoding", "identity"), ("content-encoding", "br")],
                "compressed",
            ),
            (&[("content-type", "application/json; charset=utf-16")], "charset"),
            (&[("content-type", "application/json"), ("content-type", "text/plain")], "differently"),
            (&[("content-type", "text/html, application/json")], "differently"),
            (&[("content-type", "text/html; x=application/json")], "differently"),
            (&[("content-type", "application/jsonl")], "differently"),
            (&[("content-type", "text/Event-Streams")], "differently"),
        ] {
            for status in ["200", "404"] {
                let refused = of(status, headers).expect_err("refused");
                assert!(refused.contains(why), "{headers:?}: {refused}");
            }
        }
    }

    #[test]
    fn a_failure_in_another_type_holds_no_message() {
        let problem = &[("content-type", "application/problem+json")][..];
        for headers in
            [problem, &[("content-type", "text/plain")], &[], &[("content-type", "text/html; charset=latin1")]]
        {
            for status in ["301", "404", "503"] {
                assert_eq!(of(status, headers), Ok(Form::Nothing), "{headers:?}");
            }
            assert!(of("200", headers).is_err(), "{headers:?}");
        }
    }
}
