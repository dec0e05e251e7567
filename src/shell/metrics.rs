//! The names of all metrics, in one table. The counters of decisions by reason are made from the reasons
//! ([`crate::audit::Outcome::counter`]).
//!
//! [`filled`] fills in the parts in angle brackets. In Prometheus they are labels of these names, where Envoy has the
//! `stats_tags` of envoy/envoy.yaml.

/// Gauges by version: 1 while a gate of that version is in use in this Envoy, else 0.
pub const BUILD_INFO: &str = "scopegate.build_info.<version>";
/// Counters by what became of requests, and by the requirement that decided. Of these and the next ones there are 1 000 at
/// most, since Envoy keeps every metric that was ever defined, and rules come and go with each configuration; what finds
/// no room is counted under `other`.
pub const REQUIREMENT: &str = "scopegate.requirement.<outcome>.<requirement>";
/// Counters by mode, by the issuer or the set of the credential, and by reason: requests that were refused, or would have
/// been.
pub const REFUSED: &str = "scopegate.refused.<mode>.<issuer>.<reason>";
/// Counters by issuer: requests that were allowed with its token. These three read the trace of the decision.
pub const ISSUER_ALLOWED: &str = "scopegate.issuer.allowed.<issuer>";
/// Counters by issuer: requests that were refused with a token that names it, verified or not.
pub const ISSUER_DENIED: &str = "scopegate.issuer.denied.<issuer>";
/// Counters by issuer: requests that report-only would have refused so.
pub const ISSUER_WOULD_DENY: &str = "scopegate.issuer.would_deny.<issuer>";
/// Counter: headers left out because a claim cannot be a header value.
pub const HEADERS_LEFT_OUT: &str = "scopegate.headers_left_out";
/// Counter: claims that the replay store could not answer, by cause.
pub const REPLAY_REFUSED: &str = "scopegate.replay.refused.<cause>";
/// Counters by outcome: claims in the service of the fleet.
pub const REPLAY_SERVICE: &str = "scopegate.replay.service.<outcome>";
/// Counter: credentials that one more client than expected has shown.
pub const REUSE_EVENTS: &str = "scopegate.reuse.events";
/// Counter: clients that were not counted for want of room.
pub const REUSE_UNCOUNTED: &str = "scopegate.reuse.uncounted";
/// Gauge: 1 where that has happened within a minute.
pub const REUSE_FULL: &str = "scopegate.reuse.full";
/// Counter: tokens that were revoked because too many clients showed them.
pub const REUSE_REVOKED: &str = "scopegate.reuse.revoked";
/// Counter: requests whose token could not be, for want of room.
pub const REUSE_NOT_REVOKED: &str = "scopegate.reuse.not_revoked";
/// Counters by outcome: what issuers have answered about opaque tokens.
pub const INTROSPECTION: &str = "scopegate.introspection.<outcome>";
/// Counter: tokens found in the cache.
pub const CACHE_HITS: &str = "scopegate.cache.hits";
/// Counter: tokens not found there.
pub const CACHE_MISSES: &str = "scopegate.cache.misses";
/// Counter: tokens that made room for others.
pub const CACHE_EVICTIONS: &str = "scopegate.cache.evictions";
/// Counter: signatures that the host should have checked and could not.
pub const CRYPTO_HOST_FAILURES: &str = "scopegate.crypto.host_failures";
/// Gauge: 1 where the host checks signatures.
pub const CRYPTO_HOST: &str = "scopegate.crypto.host";
/// Gauge: the memory of the VM.
pub const VM_MEMORY_BYTES: &str = "scopegate.vm.memory_bytes";
/// Gauge: streams that are closed when their credential is good no longer.
pub const STREAMS_OPEN: &str = "scopegate.streams.open";
/// Counter: streams that were closed since the time of their credential was over.
pub const STREAMS_EXPIRED: &str = "scopegate.streams.closed.expiry";
/// Counter: streams that were closed since their credential was revoked.
pub const STREAMS_REVOKED: &str = "scopegate.streams.closed.revocation";
/// Counter: requests that passed without being watched, since there was no room.
pub const STREAMS_UNWATCHED: &str = "scopegate.streams.unwatched";
/// Gauge: requests that wait now.
pub const WAITING: &str = "scopegate.waiting";
/// Histogram: how long it took to check a signature, in microseconds.
pub const VERIFY_US: &str = "scopegate.verify_us";
/// Histogram: how long they waited, in milliseconds.
pub const WAIT_MS: &str = "scopegate.wait_ms";
/// Counters by outcome: fetches of keys.
pub const KEYS_FETCHES: &str = "scopegate.keys.fetches.<outcome>";
/// Gauges by issuer: how many keys are in use.
pub const KEYS_IN_USE: &str = "scopegate.keys.in_use.<issuer>";
/// Gauges by issuer: how long ago they were confirmed.
pub const KEYS_AGE_SECONDS: &str = "scopegate.keys.age_seconds.<issuer>";
/// Counters by outcome: fetches of revocation lists.
pub const REVOCATION_FETCHES: &str = "scopegate.revocation.fetches.<outcome>";
/// Gauges by list: how many entries are in use.
pub const REVOCATION_ENTRIES: &str = "scopegate.revocation.entries.<list>";
/// Gauges by list: how long ago its server confirmed it.
pub const REVOCATION_AGE_SECONDS: &str = "scopegate.revocation.age_seconds.<list>";
/// Gauges by list: 1 while it is missing or too old.
pub const REVOCATION_STALE: &str = "scopegate.revocation.stale.<list>";
/// Gauges by list: which revision is in use, as a number; 0 while there is none.
pub const REVOCATION_REVISION: &str = "scopegate.revocation.revision.<list>";
/// Counter: events that revoke what was revoked before.
pub const EVENTS_REPEATED: &str = "scopegate.events.repeated";
/// Counter: events that revoke nothing here.
pub const EVENTS_WITHOUT_EFFECT: &str = "scopegate.events.without_effect";
/// Gauge: how many entries of events are in use.
pub const EVENTS_ENTRIES: &str = "scopegate.events.entries";
/// Counters by outcome: polls for events.
pub const EVENTS_POLLS: &str = "scopegate.events.polls.<outcome>";
/// Counters by outcome: events that came with polls.
pub const EVENTS_POLLED: &str = "scopegate.events.polled.<outcome>";
/// Gauges by issuer: how long ago it last answered a poll, or was first to be asked.
pub const EVENTS_AGE_SECONDS: &str = "scopegate.events.age_seconds.<issuer>";
/// Counters by outcome: fetches of identities.
pub const IDENTITIES_FETCHES: &str = "scopegate.identities.fetches.<outcome>";
/// Gauges by set: how many identities are in use.
pub const IDENTITIES_IN_USE: &str = "scopegate.identities.in_use.<set>";
/// Gauges by set: how long ago their server confirmed them.
pub const IDENTITIES_AGE_SECONDS: &str = "scopegate.identities.age_seconds.<set>";
/// Gauges by set: 1 while they are missing or too old.
pub const IDENTITIES_STALE: &str = "scopegate.identities.stale.<set>";
/// Counters by outcome: fetches of status lists.
pub const STATUS_LIST_FETCHES: &str = "scopegate.status_list.fetches.<outcome>";
/// Gauge: how many status lists the workers hold, each for itself.
pub const STATUS_LIST_HELD: &str = "scopegate.status_list.held";
/// Gauges by issuer: how many statuses they have.
pub const STATUS_LIST_ENTRIES: &str = "scopegate.status_list.entries.<issuer>";
/// Gauges by issuer: how long ago the oldest one that a worker uses was confirmed.
pub const STATUS_LIST_AGE_SECONDS: &str = "scopegate.status_list.age_seconds.<issuer>";
/// Gauge: how many of them are missing or too old.
pub const STATUS_LIST_STALE: &str = "scopegate.status_list.stale";

/// The counters that are defined with the first count, since there are as many as there are names.
#[cfg(feature = "module")]
pub const LATER_COUNTERS: [&str; 2] = [REQUIREMENT, REFUSED];

/// The metric of an outcome, an issuer, a list or a set: that with one part in angle brackets.
pub fn named(metric: &str, name: &str) -> String {
    filled(metric, &[name])
}

/// The metric whose last parts are these names. In a name, where dots separate parts, everything but letters and digits
/// becomes `_`.
pub fn filled(metric: &str, names: &[&str]) -> String {
    let mut text = fixed(metric).to_owned();
    for name in names {
        text.push('.');
        text.extend(name.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }));
    }
    text
}

/// The gauge of this version, which keeps its dots: it is the last part of the name.
pub fn build_info() -> String {
    [fixed(BUILD_INFO), crate::base::VERSION].join(".")
}

/// The parts of a name before the first in angle brackets.
fn fixed(metric: &str) -> &str {
    metric.split('<').next().unwrap_or(metric).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_configuration_is_one_part_of_the_name_of_a_metric() {
        assert_eq!(named("a.b.<issuer>", "https://idp.example.com/a"), "a.b.https___idp_example_com_a");
        assert_eq!(named("a.<outcome>", "not_modified"), "a.not_modified");
        assert_eq!(filled("a.<b>.<c>", &["x.y", "rules[3].methods.GET"]), "a.x_y.rules_3__methods_GET");
    }
}
