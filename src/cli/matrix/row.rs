//! A row of a matrix, and its marks for reviewers.

use crate::policy::Access;

/// The heads of the columns.
pub(super) const COLUMNS: [&str; 6] = ["where", "match", "methods", "needs", "conditions", "marks"];
/// The head of a further column, where a log is given.
pub(super) const USED: &str = "called by";
/// The place of the conditions among the columns.
pub(super) const CONDITIONS: usize = 4;

/// What is needed in one place for some methods.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct Row {
    /// The place: a route, a virtual host, a rule, the default.
    pub place: String,
    pub matching: String,
    pub methods: String,
    pub needs: String,
    /// Further conditions, and notes.
    pub conditions: Vec<String>,
    pub marks: Vec<Mark>,
    /// The requirement; `None` if the row only says where to look.
    pub access: Option<Access>,
    /// Under which name a log has its calls; `None` if it has none.
    pub called: Option<Called>,
    /// Who called it, where a log is given.
    pub used: Option<String>,
}

/// Under which name a log has the calls of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Called {
    /// That of a requirement.
    Requirement(String),
    /// That of a route.
    Route(String),
}

/// A mark for reviewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Mark {
    Public,
    Denied,
    AnyToken,
    AllowMissing,
    ReportOnly,
    Never,
    Unreadable,
    Ignored,
}

impl Mark {
    /// All marks.
    pub(super) const ALL: [Self; 8] = [
        Self::Public,
        Self::Denied,
        Self::AnyToken,
        Self::AllowMissing,
        Self::ReportOnly,
        Self::Never,
        Self::Unreadable,
        Self::Ignored,
    ];

    /// Its words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Denied => "denied",
            Self::AnyToken => "any token",
            Self::AllowMissing => "allow missing",
            Self::ReportOnly => "report only",
            Self::Never => "never",
            Self::Unreadable => "unreadable",
            Self::Ignored => "ignored",
        }
    }

    /// What it means.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Public => "everybody passes, no token is read",
            Self::Denied => "nobody passes",
            Self::AnyToken => "a valid token or other credential passes, whatever its scopes are",
            Self::AllowMissing => "a request without a credential passes",
            Self::ReportOnly => "what would be refused passes, and is counted",
            Self::Never => "no request can come here",
            Self::Unreadable => "the metadata cannot be read: every request is refused with 500",
            Self::Ignored => "the metadata has no effect here",
        }
    }
}

impl Row {
    /// Puts a mark on it, once.
    pub(super) fn mark(&mut self, mark: Mark) {
        if !self.marks.contains(&mark) {
            self.marks.push(mark);
        }
    }

    /// The cells in the order of [`COLUMNS`], then of [`USED`].
    pub(super) fn cells(&self) -> Vec<String> {
        let marks: Vec<&str> = self.marks.iter().map(|mark| mark.words()).collect();
        let mut cells = vec![
            self.place.clone(),
            self.matching.clone(),
            self.methods.clone(),
            self.needs.clone(),
            self.conditions.join("; "),
            marks.join(", "),
        ];
        cells.extend(self.used.clone());
        cells
    }
}
