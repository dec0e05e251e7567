//! Which finding of a report tells of a difference. A difference without one is a fault of the report.

use super::requests::Exception;
use super::translated::Finding;
use std::fmt;

/// How the new configuration differs from the old one.
pub(super) enum Difference<'d> {
    /// It refuses for this reason what the old one let through.
    Refused(&'d str),
    /// The upstream reads something else in this header.
    Read(&'d str),
    /// The upstream gets this header, and did not.
    Added(&'d str),
    /// It passes, and was refused for one of the exceptions.
    Excepted(Exception),
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(formatter, "refused: {reason}"),
            Self::Read(header) => write!(formatter, "read otherwise: {header}"),
            Self::Added(header) => write!(formatter, "added: {header}"),
            Self::Excepted(exception) => write!(formatter, "passes by an exception: {exception:?}"),
        }
    }
}

/// The words of a finding that tells of a refusal for a reason. The first that is found tells of it best.
const WORDS: &[(&str, &[&str])] = &[
    ("token_in_query", &["query"]),
    ("ambiguous_path", &["judged paths"]),
    ("no_credential", &["behind other text", "cookies", "reads one header", "query"]),
    ("malformed_header", &["that header, and no tokens", "behind other text"]),
    ("multiple_credentials", &["several credentials"]),
    ("malformed_token", &["several credentials"]),
    ("unknown_issuer", &["that header, and no tokens", "several credentials"]),
    ("wrong_type", &["`typ`"]),
    ("wrong_audience", &["compared audiences", "audiences"]),
    ("missing_claim", &["without `sub`", "without `exp`"]),
    ("expired", &["clocks"]),
    ("not_yet_valid", &["clocks"]),
    ("issued_in_future", &["clocks"]),
    ("lifetime_too_long", &["`iat`"]),
    ("unknown_key", &["`kid`"]),
    ("proof_missing", &["`cnf`"]),
];

/// The finding that tells of a difference.
pub(super) fn explanation<'f>(findings: &'f [Finding], difference: &Difference<'_>) -> Option<&'f Finding> {
    let find = |kinds: &[&str], word: &str| {
        findings.iter().find(|finding| kinds.contains(&finding.kind.as_str()) && finding.told.contains(word))
    };
    match difference {
        // What is not carried over is refused where it held.
        Difference::Refused("denied") => find(&["denied", "left_out"], ""),
        Difference::Refused(reason) => {
            let words = WORDS.iter().find(|(own, _)| own == reason).map_or(&[][..], |(_, words)| *words);
            words.iter().find_map(|word| find(&["stricter", "let_through", "denied", "left_out"], word))
        }
        Difference::Read(header) => {
            let told = ["changed", "denied"];
            find(&told, "base64")
                .or_else(|| find(&told, &format!("the header `{header}`")))
                .or_else(|| find(&told, &format!("`{header}`")))
        }
        Difference::Added(header) => find(&["changed"], &format!("did not send the client in `{header}`")),
        Difference::Excepted(Exception::OtherScheme) => find(&["changed"], "behind another scheme"),
        Difference::Excepted(Exception::OtherLetters) => find(&["changed"], "behind `bearer` too"),
        Difference::Excepted(Exception::Removed) => find(&["stricter"], "a bad token there is no longer refused"),
    }
}
