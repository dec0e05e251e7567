//! The answer to a request for a document.

use crate::base::text::shown;
use crate::policy::Endpoint;

/// An answer, reduced to what matters here.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200, and its content.
    Document(Fetched),
    /// 304: the content held is still right.
    NotModified {
        /// As in [`Fetched`].
        max_age_ms: Option<u64>,
    },
    /// Nothing that can be used.
    Failed(Failure),
}

/// A document, and what its source says about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its `ETag`, to be sent back as it came.
    pub etag: String,
    /// For how long it is fresh by `Cache-Control: max-age` and `Age` (RFC 9111 section 4.2).
    pub max_age_ms: Option<u64>,
    /// What it says of its form, for messages: `content-type text/html`.
    pub form: String,
}

/// Why there is no usable document, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its name in counters.
    pub kind: FailureKind,
    /// In a sentence.
    pub why: String,
}

impl Failure {
    /// The failure with the address that was asked, without its query, which may hold a secret.
    pub fn at(self, endpoint: &Endpoint) -> Self {
        let address = endpoint.uri.split('?').next().unwrap_or_default();
        Self { why: format!("{} (GET {address} through the cluster {})", self.why, endpoint.cluster), ..self }
    }
}

/// The kinds of failures, as counters name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// Envoy knows no cluster of that name.
    NoCluster,
    /// No answer, or the connection broke.
    Unreachable,
    /// No answer came in time.
    Timeout,
    /// The answer was neither 200 nor an expected 304.
    Status,
    /// The document is larger than it may be.
    TooLarge,
    /// The document is not what it should be.
    Invalid,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::NoCluster, Self::Unreachable, Self::Timeout, Self::Status, Self::TooLarge, Self::Invalid];

    /// The name in counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoCluster => "no_cluster",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
        }
    }

    /// A failure of this kind.
    pub fn because(self, why: impl Into<String>) -> Failure {
        Failure { kind: self, why: why.into() }
    }
}

/// Reads the headers of an answer. `Ok` says that the body has to be read, and what the headers say of it.
///
/// Envoy itself answers 503 if it cannot reach the cluster, and 504 after the timeout.
pub fn read_headers(headers: &[(&[u8], &[u8])], asked_conditionally: bool) -> Result<Fetched, Answer> {
    let value = |name: &[u8]| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let status = value(b":status").unwrap_or_default();
    let max_age_ms = max_age(headers).map(|seconds| {
        let age = value(b"age").and_then(whole).unwrap_or(0);
        seconds.saturating_sub(age).saturating_mul(1000)
    });
    match status {
        b"200" => {
            // An ETag that cannot be sent back as it came is useless.
            let etag = value(b"etag").and_then(|etag| std::str::from_utf8(etag).ok());
            let etag = etag.filter(|etag| etag.len() <= 256 && etag.bytes().all(|byte| byte.is_ascii_graphic()));
            let etag = etag.unwrap_or_default().to_owned();
            Ok(Fetched { bytes: Vec::new(), etag, max_age_ms, form: form(headers) })
        }
        b"304" if asked_conditionally => Err(Answer::NotModified { max_age_ms }),
        b"503" => Err(FailureKind::Unreachable.because("cannot be reached, or answered 503").into()),
        b"504" => Err(FailureKind::Timeout.because("did not answer in time, or answered 504").into()),
        other if other.len() == 3 && other.iter().all(u8::is_ascii_digit) => {
            Err(FailureKind::Status.because(format!("answered {}, not 200", String::from_utf8_lossy(other))).into())
        }
        _ => Err(FailureKind::Unreachable.because("did not answer").into()),
    }
}

/// What an answer says of the form of its document.
fn form(headers: &[(&[u8], &[u8])]) -> String {
    let told = |name: &str| {
        let (_, value) = headers.iter().find(|(other, _)| *other == name.as_bytes())?;
        Some(format!("{name} {}", shown(value)))
    };
    [told("content-type"), told("content-encoding")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The least `max-age` of all `Cache-Control` lines, in seconds. An unreadable one does not count.
fn max_age(headers: &[(&[u8], &[u8])]) -> Option<u64> {
    let lines = headers.iter().filter(|(name, _)| *name == b"cache-control").map(|(_, value)| *value);
    let directives = lines.flat_map(|line| line.split(|byte| *byte == b','));
    directives
        .filter_map(|directive| {
            let mut parts = directive.splitn(2, |byte| *byte == b'=');
            let (name, value) = (parts.next()?.trim_ascii(), parts.next()?.trim_ascii());
            // RFC 9111 section 5.2: recipients accept the quoted form too.
            let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
            if name.eq_ignore_ascii_case(b"max-age") { whole(bare) } else { None }
        })
        .min()
}

/// A whole number of seconds; one that is too large counts as a very long time (RFC 9111 section 1.2.2).
fn whole(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)], conditional: bool) -> Result<Fetched, Answer> {
        let lines: Vec<(&[u8], &[u8])> =
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        read_headers(&lines, conditional)
    }

    #[test]
    fn an_answer_is_a_document_only_with_200() {
        for (status, kind) in [
            ("503", FailureKind::Unreachable),
            ("504", FailureKind::Timeout),
            ("500", FailureKind::Status),
            ("404", FailureKind::Status),
            ("302", FailureKind::Status),
            ("204", FailureKind::Status),
            ("206", FailureKind::Status),
            ("304", FailureKind::Status),
            ("", FailureKind::Unreachable),
            ("2000", FailureKind::Unreachable),
        ] {
            let Err(Answer::Failed(failure)) = read(&[(":status", status)], false) else { panic!("{status}") };
            assert_eq!(failure.kind, kind, "{status}");
        }
        assert!(read(&[(":status", "200")], false).is_ok());
        assert!(matches!(read(&[], false), Err(Answer::Failed(_))));
    }

    #[test]
    fn not_modified_is_an_answer_to_a_conditional_request_only() {
        let answer = read(&[(":status", "304"), ("cache-control", "max-age=5")], true);
        assert_eq!(answer, Err(Answer::NotModified { max_age_ms: Some(5000) }));
        assert!(matches!(read(&[(":status", "304")], false), Err(Answer::Failed(_))));
    }

    #[test]
    fn max_age_is_read_wherever_it_stands_and_only_where_it_is_one() {
        for (value, seconds) in [
            ("max-age=60", Some(60)),
            ("public, MAX-AGE=60, must-revalidate", Some(60)),
            ("max-age=\"60\"", Some(60)),
            ("max-age = 60", Some(60)),
            ("max-age=99999999999999999999999", Some(u64::MAX / 1000 + 1)),
            ("s-maxage=60", None),
            ("max-age", None),
            ("max-age=", None),
            ("max-age=-1", None),
            ("max-age=6o", None),
            ("no-store", None),
        ] {
            let answer = read(&[(":status", "200"), ("cache-control", value)], false).unwrap();
            assert_eq!(answer.max_age_ms, seconds.map(|seconds: u64| seconds.saturating_mul(1000)), "{value}");
        }
        let twice = [(":status", "200"), ("cache-control", "max-age=60"), ("cache-control", "max-age=30")];
        assert_eq!(read(&twice, false).unwrap().max_age_ms, Some(30_000));
        let aged = [(":status", "200"), ("cache-control", "max-age=60"), ("age", "50")];
        assert_eq!(read(&aged, false).unwrap().max_age_ms, Some(10_000));
    }

    #[test]
    fn an_etag_is_kept_only_if_it_can_be_sent_back_as_it_came() {
        let long = format!("\"{}\"", "x".repeat(300));
        for (etag, kept) in [("\"a\"", "\"a\""), ("W/\"a\"", "W/\"a\""), ("\"a b\"", ""), (long.as_str(), "")] {
            assert_eq!(read(&[(":status", "200"), ("etag", etag)], false).unwrap().etag, kept);
        }
    }
}
