//! The revisions of MCP, which are named by their dates.

/// A revision of the protocol; a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 2025-03-26: the first with one endpoint, and the one that a request without a version means.
    V2025_03_26,
    /// 2025-06-18: no batches, the header `MCP-Protocol-Version`.
    V2025_06_18,
    /// 2025-11-25: tasks.
    V2025_11_25,
    /// 2026-07-28: no sessions, the headers `Mcp-Method` and `Mcp-Name`.
    V2026_07_28,
}

impl Version {
    /// All of them, the earliest first. 2024-11-05 has another transport: its server is reached by two endpoints.
    pub const ALL: [Self; 4] = [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The revision with this date.
    #[must_use]
    pub fn parse(date: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == date)
    }

    /// Its date.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether it has no sessions, names its version in each message, and mirrors method and name in headers.
    #[must_use]
    pub fn is_stateless(self) -> bool {
        self >= Self::V2026_07_28
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_known_by_their_dates_and_are_in_the_order_of_them() {
        for version in Version::ALL {
            assert_eq!(Version::parse(version.as_str()), Some(version));
        }
        assert!(Version::ALL.is_sorted());
        for other in ["", "2024-11-05", "2025-11-26", "2025-11-25 ", "DRAFT-2026-v1", "20261125"] {
            assert_eq!(Version::parse(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_last_revision_is_stateless() {
        assert_eq!(Version::ALL.map(Version::is_stateless), [false, false, false, true]);
    }
}
