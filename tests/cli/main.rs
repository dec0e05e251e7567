//! The command as a user runs it: files in, text and an exit status out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "a test fails by a panic, reads a clock, and is a table"
)]
#[path = "../support/mod.rs"]
mod support;

mod attached;
mod check;
mod claims;
mod credential_sets;
mod credentials;
mod event_checks;
mod events;
mod explain;
mod fetch;
mod fleet;
mod forms;
mod forwarded;
mod general;
mod help;
mod identities;
mod import;
mod inspect;
mod introspection;
mod judgements;
mod lone_routes;
mod matrix;
mod migrate;
mod migrate_beside;
mod migrate_compare;
mod migrate_gateways;
mod migrate_header_readers;
mod migrate_headers;
mod migrate_kubernetes;
mod migrate_model;
mod migrate_places;
mod migrate_policies;
mod migrate_security_policies;
mod migrate_waypoints;
mod mint;
mod misnamed;
mod mistakes;
mod mounted;
mod native;
mod output;
mod parts;
mod patches;
mod policy_test;
mod push;
mod report;
mod resources;
mod revocations;
mod revoke;
mod routing;
mod samples;
mod senders;
mod served;
mod served_by_router;
mod sessions;
mod sign;
mod signed;
mod signed_check;
mod statuses;
mod tail;
mod unmet;
mod upgrades;
mod used;
mod world;
mod written;
