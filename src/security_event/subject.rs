//! Whom an event is about: subject identifiers ([RFC 9493](https://www.rfc-editor.org/rfc/rfc9493)), and those of the Shared
//! Signals Framework 1.0 section 3.

use super::meaning::Cut;
use crate::base::members::Raw;
use crate::revocation::Entry;

/// How deep aliases and the members of a complex subject may be: neither has others of its kind in it.
const DEEPEST: u8 = 2;

/// What of an issuer's tokens a subject identifier means. Nothing where they cannot be told by it.
pub(super) fn entries(subject: Raw<'_>, cut: &Cut<'_>) -> Vec<Entry> {
    let mut found = Vec::new();
    collect(subject, cut, DEEPEST, &mut found);
    found
}

fn collect(subject: Raw<'_>, cut: &Cut<'_>, depth: u8, found: &mut Vec<Entry>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let text = |name: &str| subject.member(name).and_then(Raw::as_text).filter(|text| !text.is_empty());
    // Drafts of the framework wrote `subject_type`, with hyphens.
    let format = text("format").or_else(|| text("subject_type")).map(|format| format.replace('-', "_"));
    let is_own = || text("iss").is_some_and(|issuer| issuer == cut.issuer);
    match format.as_deref() {
        Some("iss_sub") if is_own() => found.extend(text("sub").map(|sub| cut.user(&sub))),
        Some("jwt_id") if is_own() => found.extend(text("jti").map(|jti| cut.token(&jti))),
        Some("aliases") => {
            let identifiers = subject.member("identifiers").and_then(Raw::items).unwrap_or_default();
            identifiers.into_iter().for_each(|one| collect(one, cut, depth, found));
        }
        Some("complex") | None => complex(subject, cut, depth, found),
        Some(_) => {}
    }
}

/// A subject of several members: what is absent may be any. A session is named by its `sid`. A user alone, or with what a
/// token does not tell, such as a device, means all tokens of the user: more is revoked than was asked, and never less.
fn complex(subject: Raw<'_>, cut: &Cut<'_>, depth: u8, found: &mut Vec<Entry>) {
    let session = subject.member("session").and_then(|session| {
        let is_opaque = session.member("format").or_else(|| session.member("subject_type"))?.as_text()? == "opaque";
        session.member("id").filter(|_| is_opaque)?.as_text().filter(|id| !id.is_empty())
    });
    match (session, subject.member("user")) {
        (Some(session), _) => found.push(cut.session(&session)),
        (None, Some(user)) => collect(user, cut, depth, found),
        (None, None) => {}
    }
}
