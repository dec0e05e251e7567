//! Decision tables: one engine, a fixed clock, a case a line, the reason asserted. Most are in `cases`, in the form
//! that `scopegate test` gives its users; those in Rust hold what that form cannot express.
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

mod open_streams;
#[path = "../support/mod.rs"]
mod support;
mod world;

mod algorithms;
mod audit;
mod cases;
mod causes;
mod certificate_sets;
mod certificates;
mod claims;
mod combinations;
mod cookies;
mod credential_properties;
mod credentials;
mod cross_site;
mod event_bodies;
mod event_records;
mod event_subjects;
mod event_world;
mod events;
mod events_meant;
mod fleet;
mod format;
mod forward;
mod forwarded;
mod further;
mod host;
mod identities;
mod implied_scopes;
mod introspection;
mod keys;
mod lists;
mod mcp;
mod messages;
mod metadata;
mod model;
mod passwords;
mod presenting;
mod proofs;
mod properties;
mod records;
mod replay_store;
mod replayed_proofs;
mod report_only;
mod reported_use;
mod resources;
mod reuse;
mod revocation;
mod revocation_lists;
mod revoked_for_reuse;
mod revoked_streams;
mod schemes;
mod sessions;
mod shown_by_many;
mod signed;
mod signed_messages;
mod single_use;
mod status;
mod step_up;
mod tenants;
mod token_places;
mod trace;
