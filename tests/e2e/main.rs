//! End-to-end tests: the module as shipped, in a real Envoy, in front of a real upstream.
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

mod artifacts;
mod authlib;
mod certificates;
mod chain;
mod claims;
mod clients;
mod compose;
mod configuration;
mod crashed;
mod credentials;
mod cross_site;
mod dashboards;
mod dynamic;
mod event_polls;
mod events;
mod events_bodies;
mod events_gates;
mod feeds;
mod fields;
mod filters;
mod fleet;
mod forms;
mod forwarded;
mod forwarded_by_nginx;
mod gate;
mod gateway;
mod host_calls;
mod hostile;
mod hostile_messages;
mod identities;
mod introspection;
mod istio;
mod keys;
mod kubernetes;
mod kubernetes_tls;
mod leaked;
mod lists;
mod login;
mod long_lists;
mod mcp_clients;
mod mcp_conformance;
mod messages;
mod metadata;
mod migrated;
mod moving;
mod native;
mod natively;
mod normalise;
mod open_streams;
mod opentelemetry;
mod opinion;
mod outages;
mod passwords;
mod paths;
mod places;
mod prometheus;
mod proofs;
mod provider;
mod provider_logout;
mod pushed;
mod quotas;
mod read_logs;
mod record;
mod redirects;
mod remembered;
mod reporting;
mod reuse;
mod revocation;
mod revoked_streams;
mod rewriting;
mod rollout;
mod router;
mod routing;
mod seal;
mod served;
mod sessions;
mod shipped;
mod shipped_dynamic;
mod shipped_native;
mod signatures;
mod signed;
mod signed_clients;
mod single_use;
mod status;
mod tenants;
mod tls;
mod upgrade;
mod versions;
