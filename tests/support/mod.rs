//! What the tests and the demo share: an issuer, a real Envoy, servers and a client that send and show exact bytes.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod client;
pub mod envoy;
pub mod issuer;
pub mod server;
