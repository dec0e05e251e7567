//! What became of a request.

use crate::decision::{Basis, Decision, Reason};

/// What became of a request, as counters count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It went on.
    Allowed,
    /// It was refused.
    Denied(Reason),
    /// It went on, and would have been refused, were this not report-only.
    WouldDeny(Reason),
    /// It was answered with the metadata of a resource.
    Served,
    /// It brought events, which were taken.
    Received,
}

impl Outcome {
    /// What became of a request; `None` while it is awaited.
    #[must_use]
    pub fn of(decision: &Decision) -> Option<Self> {
        match decision {
            Decision::Await(_) => None,
            Decision::Deny(refusal) => Some(Self::Denied(refusal.denial.reason())),
            Decision::Serve(_) => Some(Self::Served),
            Decision::Receive(_) => Some(Self::Received),
            Decision::Allow(grant) => Some(match &grant.basis {
                Basis::ReportOnly(denial) => Self::WouldDeny(denial.reason()),
                Basis::Token | Basis::Public | Basis::Missing | Basis::Preflight => Self::Allowed,
            }),
        }
    }

    /// The counter's name.
    #[must_use]
    pub fn counter(self) -> String {
        match self {
            Self::Allowed => "scopegate.allowed".to_owned(),
            Self::Denied(reason) => format!("scopegate.denied.{}", reason.name()),
            Self::WouldDeny(reason) => format!("scopegate.would_deny.{}", reason.name()),
            Self::Served => "scopegate.metadata_served".to_owned(),
            Self::Received => "scopegate.events_received".to_owned(),
        }
    }

    /// The word for it, and the reason.
    #[must_use]
    pub const fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Allowed => ("allow", None),
            Self::Denied(reason) => ("deny", Some(reason.name())),
            Self::WouldDeny(reason) => ("would_deny", Some(reason.name())),
            Self::Served => ("serve", None),
            Self::Received => ("receive", None),
        }
    }

    /// Why it was refused, or would have been.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Allowed | Self::Served | Self::Received => None,
            Self::Denied(reason) | Self::WouldDeny(reason) => Some(reason),
        }
    }

    /// All outcomes there can be.
    pub fn all() -> impl Iterator<Item = Self> {
        let reasons = || Reason::ALL.iter().copied();
        [Self::Allowed, Self::Served, Self::Received]
            .into_iter()
            .chain(reasons().map(Self::Denied))
            .chain(reasons().map(Self::WouldDeny))
    }
}
