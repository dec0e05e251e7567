//! What an old configuration asks for, as cases: which requests, and what they need. Every source of a migration is read
//! into these, and every requirement is written from them.
//!
//! Two filters that both have to let a request through, and two policies of which one has to, are combined case by case.
//! What cannot be said in a requirement is [`Access::Unclear`], and whatever depends on it is refused.

mod access;
mod cases;
mod path;
mod region;
mod requirement;
mod rules;

pub use access::{Access, Claim, Identities, Need, Test, Tokens};
pub use cases::Cases;
pub use path::{PathIs, PathKind};
pub use region::{Overlap, Region};
pub use requirement::{Accepted, Issuers, requirement};
pub(in crate::cli) use rules::denied;
pub use rules::{beside, closes_head, rules};
