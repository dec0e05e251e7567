//! Leaf types: no dependency on any other room.

pub mod base64url;
pub mod details;
pub mod json;
pub mod members;
pub mod names;
pub mod network;
pub mod protobuf;
pub mod shared_data;
pub mod text;
pub mod time;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
