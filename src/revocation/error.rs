//! Why a document is no list that can be used.

use std::fmt;

/// Why a document is refused, whole: a line that is not understood may be the one that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListError {
    /// Nothing is in it. A list without entries says so.
    Empty,
    /// It begins as no known form does.
    UnknownForm,
    /// It is longer than this many bytes.
    TooLarge(usize),
    /// It has more than this many entries.
    TooManyEntries(usize),
    /// This line, from 1, cannot be read, and why.
    Line(u64, String),
    /// It has fewer entries than it says: its end is missing.
    Incomplete {
        /// The entries that are there.
        has: u64,
        /// The entries that it says it has at least.
        says: u64,
    },
    /// It is not the binary form, and why.
    Binary(&'static str),
    /// It has no signature, and one is asked for.
    NotSigned,
    /// It is signed, and nothing says by whose keys that is to be checked.
    SignedForNobody,
    /// Its signature cannot be accepted, and why.
    Signature(&'static str),
    /// It was signed before the list that is in use.
    Older,
    /// It is not the document of the identities of its set, and why.
    Identities(String),
    /// It is not a Status List Token, or not the one that was asked for, and why.
    Status(&'static str),
}

impl fmt::Display for ListError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                formatter.write_str("it is empty; a list without entries is the line {\"entries_at_least\": 0}")
            }
            Self::UnknownForm => formatter.write_str("it is neither JSON Lines, nor the binary form, nor signed"),
            Self::TooLarge(limit) => write!(formatter, "it is longer than {limit} bytes"),
            Self::TooManyEntries(limit) => {
                write!(formatter, "it has more than {limit} entries; more than that need the binary form")
            }
            Self::Line(number, why) => write!(formatter, "line {number}: {why}"),
            Self::Incomplete { has, says } => {
                write!(formatter, "it has {has} entries and says that it has at least {says}: its end is missing")
            }
            Self::Binary(why) => write!(formatter, "it is not the binary form: {why}"),
            Self::NotSigned => formatter.write_str("it is not signed, and `signed_by` asks for a signature"),
            Self::SignedForNobody => formatter.write_str("it is signed, and no `signed_by` says by whom"),
            Self::Signature(why) => write!(formatter, "its signature is not accepted: {why}"),
            Self::Older => formatter.write_str("it was signed before the list that is in use"),
            Self::Identities(why) => write!(formatter, "it is not the document of the identities: {why}"),
            Self::Status(why) => write!(formatter, "it is not the status list: {why}"),
        }
    }
}
