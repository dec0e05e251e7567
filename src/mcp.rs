//! What an MCP message says: syntax only. Whether it may be said is for [`crate::engine`].
//!
//! The server that executes a message reads it with another parser. So [`message::read`] refuses every text that two
//! parsers could read differently where it matters, and a message that is let through names what the server will execute.

pub mod header;
pub mod list;
pub mod media;
pub mod message;
pub mod method;
pub mod sse;
pub mod version;

mod judged;
mod names;
mod scan;
