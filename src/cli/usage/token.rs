//! What one token did.

use super::counts::{Counts, Reason};
use super::table::{Few, Weighed, cut};
use crate::cli::log::{Millis, Record, Verdict};

/// What one token did.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Token {
    pub counts: Counts,
    /// Whether a gate has verified it.
    pub is_verified: bool,
    pub first: Option<Millis>,
    pub last: Option<Millis>,
    pub issuer: Option<Box<str>>,
    pub subject: Option<Box<str>>,
    /// The client, or else the subject.
    pub caller: Option<Box<str>>,
    /// The networks that it came from, if records have them.
    pub networks: Few,
    /// Events `token_reuse`, and the most clients that one counted, in its seconds.
    pub events: u64,
    pub clients: i64,
    pub window: i64,
    pub action: Option<Box<str>>,
    /// Its lifetime in seconds, if it is over the limit.
    pub too_long: Option<i64>,
}

impl Token {
    /// Counts a decision on it.
    pub(super) fn count(
        &mut self,
        record: &Record<'_>,
        is_verified: bool,
        caller: &str,
        too_long: Option<i64>,
        reason: Reason,
    ) {
        self.counts.count(record.verdict, reason);
        self.is_verified |= is_verified;
        self.see(record);
        if self.caller.is_none() && caller != super::NO_NAME {
            self.caller = Some(cut(caller).into());
        }
        self.too_long = self.too_long.max(too_long);
    }

    /// Counts an event.
    pub(super) fn seen_again(&mut self, record: &Record<'_>) {
        let (clients, window) = record.reuse();
        self.is_verified = true;
        if record.verdict == Verdict::Reuse {
            self.see(record);
        }
        self.events = self.events.saturating_add(1);
        if clients.unwrap_or_default() >= self.clients {
            self.clients = clients.unwrap_or_default();
            self.window = window.unwrap_or_default();
        }
        if let Some(action) = record.text("action") {
            self.action = Some(cut(&action).into());
        }
    }

    fn see(&mut self, record: &Record<'_>) {
        if let Some(time) = record.time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        for (member, place) in [("issuer", &mut self.issuer), ("subject", &mut self.subject)] {
            if place.is_none() {
                *place = record.text(member).map(|text| cut(&text).into());
            }
        }
        if let Some(network) = record.text("client_network") {
            self.networks.count(&network);
        }
    }

    /// Whether several clients showed it.
    pub(in crate::cli) fn is_reused(&self) -> bool {
        self.events > 0 || self.networks.len() > 1
    }
}

/// A token that was reused or lives too long stays before all others; one that no gate verified goes first.
impl Weighed for Token {
    fn weight(&self) -> u64 {
        const REMARKABLE: u64 = 1 << 40;
        let is_remarkable = self.is_reused() || self.too_long.is_some();
        let requests = if self.is_verified { self.counts.total().saturating_add(1) } else { 0 };
        if is_remarkable { requests.saturating_add(REMARKABLE) } else { requests }
    }
}

/// `exp - iat` of a token, in seconds.
pub(super) fn lifetime(record: &Record<'_>) -> Option<i64> {
    let (left, age) = (record.number("expires_in")?, record.number("token_age")?);
    // What no token has is no lifetime.
    Some(left.saturating_add(age)).filter(|lifetime| *lifetime > 0)
}
