//! What a migration tells: what could not be carried over, and what means something else now.

use crate::cli::source::View;
use crate::config::Position;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What becomes of a part of the old configuration. In the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The old configuration lets it through, perhaps by mistake.
    LetThrough,
    /// It cannot be carried over: `deny: true` stands where it held, or the finding says what holds instead. Exit status 2.
    Denied,
    /// It is left out, as a `{SHA}` user: it refuses those who had it. Exit status 2.
    LeftOut,
    /// Scopegate refuses what the old configuration let through; `restore` names the field that restores the old meaning,
    /// where there is one.
    Stricter,
    /// It means something else now, or stands in another place.
    Changed,
    /// To know, or to do by hand: a line for `credentials hash`, a header that is no longer sent.
    Note,
}

impl Kind {
    /// All, in the order of the report.
    pub const ALL: [Self; 6] =
        [Self::LetThrough, Self::Denied, Self::LeftOut, Self::Stricter, Self::Changed, Self::Note];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LetThrough => "let_through",
            Self::Denied => "denied",
            Self::LeftOut => "left_out",
            Self::Stricter => "stricter",
            Self::Changed => "changed",
            Self::Note => "note",
        }
    }

    /// The words above its findings.
    #[must_use]
    pub const fn heading(self, report_only: bool) -> &'static str {
        match self {
            Self::Stricter if report_only => "Stricter: would be refused once it is enforced",
            Self::LetThrough => "Let through by the old configuration. Was it meant?",
            Self::Denied => "Not carried over: `deny: true` stands where it held, unless the line says otherwise",
            Self::LeftOut => "Left out: those who had it are refused",
            Self::Stricter => "Stricter: refused now, and let through before",
            Self::Changed => "Changed: it means something else now, or stands in another place",
            Self::Note => "To know, or to do by hand",
        }
    }

    /// Whether it makes the exit status 2.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Denied | Self::LeftOut)
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What becomes of it.
    pub kind: Kind,
    /// The file of the old configuration.
    pub file: PathBuf,
    /// The place in it.
    pub position: Option<Position>,
    /// The field of the old configuration.
    pub path: String,
    /// What is told of it.
    pub what: String,
    /// The field that restores the old meaning, as it is written.
    pub restore: Option<String>,
}

impl Finding {
    /// A finding about a value of a file.
    #[must_use]
    pub fn new(kind: Kind, file: &Path, view: &View<'_>, what: impl Into<String>) -> Self {
        Self {
            kind,
            file: file.to_owned(),
            position: view.position(),
            path: view.path.clone(),
            what: what.into(),
            restore: None,
        }
    }

    /// Whether it is about the whole migration, and told before all others.
    #[must_use]
    pub fn is_general(&self) -> bool {
        self.kind == Kind::Note && self.position.is_none() && self.path.is_empty()
    }

    /// The same, with the field that restores the old meaning.
    #[must_use]
    pub fn restored_by(self, field: impl Into<String>) -> Self {
        Self { restore: Some(field.into()), ..self }
    }
}

/// Collects findings. None is told twice.
#[derive(Clone, Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds one, unless it is there.
    pub fn add(&mut self, finding: Finding) {
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Adds one about a value of a file.
    pub fn tell(&mut self, kind: Kind, file: &Path, view: &View<'_>, what: impl Into<String>) {
        self.add(Finding::new(kind, file, view, what));
    }

    /// The findings in the order of the report: what is about all of it, then by kind and by place.
    #[must_use]
    pub fn sorted(self) -> Vec<Finding> {
        let mut all = self.0;
        let place = |finding: &Finding| finding.position.map_or((0, 0), |at| (at.line, at.column));
        all.sort_by(|a, b| {
            (!a.is_general(), a.kind, &a.file, place(a)).cmp(&(!b.is_general(), b.kind, &b.file, place(b)))
        });
        all
    }
}

/// Why a condition cannot be said in a requirement. It is told once it matters: where it would have decided.
#[derive(Clone, Debug)]
pub struct Why(Rc<Finding>);

impl Why {
    /// Of a value of a file. It becomes a `deny: true`.
    #[must_use]
    pub fn new(file: &Path, view: &View<'_>, what: impl Into<String>) -> Self {
        Self(Rc::new(Finding::new(Kind::Denied, file, view, what)))
    }

    /// The same, with what to write by hand.
    #[must_use]
    pub fn or_write(file: &Path, view: &View<'_>, what: impl Into<String>, field: impl Into<String>) -> Self {
        Self(Rc::new(Finding::new(Kind::Denied, file, view, what).restored_by(field)))
    }

    /// The finding.
    #[must_use]
    pub fn finding(&self) -> &Finding {
        &self.0
    }
}

impl PartialEq for Why {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
