//! Scopegate: a token gate for Envoy and Istio.
//!
//! A functional core in an imperative shell. Each room, and the rooms that it uses; a room uses only rooms above it:
//!
//! ```text
//! base
//! crypto -> base
//! jose -> base, crypto
//! revocation -> base, crypto, jose
//! request
//! mcp -> base
//! security_event -> base, jose, mcp, request, revocation
//! signature -> base, crypto, request
//! policy -> base, crypto, jose, mcp, request, revocation, security_event
//! decision -> base, crypto, mcp, policy, revocation, security_event
//! facts -> base, crypto, decision, jose, policy, revocation
//! credential -> base, decision, policy, request, signature
//! checks -> base, credential, crypto, decision, facts, jose, mcp, policy, request, revocation, security_event, signature
//! challenge -> base, decision, policy, security_event
//! audit -> base, checks, decision, policy
//! token_cache -> base, crypto, facts, jose, policy
//! replay_store -> base, crypto, facts, policy
//! sightings -> base, crypto, facts, policy
//! event_store -> base, revocation
//! config -> base, credential, crypto, jose, mcp, policy, revocation, security_event
//! engine -> base, checks, credential, decision, facts, mcp, policy, request, security_event
//! shell -> audit, base, challenge, config, crypto, decision, engine, event_store, facts, jose, mcp, policy, replay_store,
//!     request, revocation, security_event, sightings, token_cache
//! module -> base, config, shell
//! cli -> audit, base, challenge, checks, config, credential, crypto, decision, engine, facts, jose, policy, request,
//!     revocation, security_event, signature, token_cache
//! ```
//!
//! | room | what is in it |
//! |---|---|
//! | [`base`] | leaf types: time, base64url, JSON without duplicates |
//! | [`crypto`] | algorithms, keys, the [`crypto::Verifier`] |
//! | [`jose`] | compact serialization, JOSE header, claims, key sets |
//! | [`revocation`] | what has been revoked: entries, lists, looking a token up |
//! | [`request`] | what the core is told of a request |
//! | [`mcp`] | what an MCP message says: syntax only |
//! | [`security_event`] | what a Security Event Token says, and what that revokes: syntax only |
//! | [`signature`] | what a request says of its signature, and the string to sign: syntax only |
//! | [`policy`] | compiled rules, issuers, scopes: immutable |
//! | [`config`] | what the operator writes, compiled into a policy, or refused with every problem |
//! | [`credential`] | one file for each kind of credential: syntax only |
//! | [`checks`] | one file for each check: takes a proof, gives the next |
//! | [`decision`], [`facts`] | what the engine answers, and what it is told beside the request |
//! | [`token_cache`] | the verified-token cache, behind a trait of `facts` |
//! | [`replay_store`] | what has been used that is good once, behind a trait of `facts` |
//! | [`sightings`] | which clients have shown a credential, behind a trait of `facts` |
//! | [`event_store`] | what events have revoked, over all workers |
//! | [`engine`] | [`engine::decide`]: the ordered list of checks |
//! | [`challenge`] | a refusal as status, `WWW-Authenticate` and body: the only place with status codes |
//! | [`audit`] | a decision as record, log line and counter |
//! | `shell` | the only room that calls the host |
//! | `module` | the shell in Envoy's own process instead of a VM (cargo feature `module`) |
//! | `cli` | the native command |
//!
//! The core asks for nothing: time, keys and requests come in as arguments, and effects go out as data. `tests/house`
//! holds the list and the table above against the source.

pub mod audit;
pub mod base;
pub mod challenge;
pub mod checks;
pub mod config;
pub mod credential;
pub mod crypto;
pub mod decision;
pub mod engine;
pub mod event_store;
pub mod facts;
pub mod jose;
pub mod mcp;
pub mod policy;
pub mod replay_store;
pub mod request;
pub mod revocation;
pub mod security_event;
pub mod sightings;
pub mod signature;
pub mod token_cache;

// What it exports is for the conformance tests, which run the verifier of the filter in Envoy.
#[cfg(target_arch = "wasm32")]
pub mod shell;
#[cfg(not(target_arch = "wasm32"))]
#[cfg_attr(
    not(any(test, feature = "module")),
    expect(dead_code, reason = "called by the module only; tested natively")
)]
mod shell;

#[cfg(feature = "module")]
mod module;

#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
