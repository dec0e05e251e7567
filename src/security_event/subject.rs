//! Whom an event is about: subject identifiers ([RFC 9493](https://www.rfc-editor.org/rfc/rfc9493)), and those of the Shared
//! Signals Framework 1.0 section 3.

use super::meaning::{Cut, Found};
use crate::base::members::Raw;

/// Adds what of an issuer's tokens a subject identifier means: nothing where they cannot be told by it. Of an event about
/// sessions, what has no format but its own names one.
///
/// # Errors
/// When it is none; the text says why.
pub(super) fn collect(
    subject: Raw<'_>,
    is_of_sessions: bool,
    cut: &Cut<'_>,
    found: &mut Found,
) -> Result<(), &'static str> {
    if subject.members().is_none() {
        return Err("its subject is no object");
    }
    match format(subject).as_deref() {
        Some("complex") | None => complex(subject, cut, found),
        Some("opaque") if is_of_sessions => opaque(subject).iter().for_each(|id| found.add(cut.session(id))),
        Some(_) => of_one(subject, cut, found),
    }
    Ok(())
}

/// A subject of several members: what is absent may be any. A session is named by its `id`. A user alone, or with what a
/// token does not tell, such as a device, means all tokens of the user: more is revoked than was asked, and never less.
fn complex(subject: Raw<'_>, cut: &Cut<'_>, found: &mut Found) {
    let session = subject.member("session").filter(|session| format(*session).as_deref() == Some("opaque"));
    let (session, mut of_user) = (session.and_then(opaque).map(|id| cut.session(&id)), Found::default());
    subject.member("user").into_iter().for_each(|user| of_one(user, cut, &mut of_user));
    match (session, cut.is_of_users() && !of_user.is_empty()) {
        (Some(session), false) => found.add(session),
        (None, _) | (Some(_), true) => found.extend(of_user),
    }
}

/// An identifier, or several of the same subject: those have no others in them (RFC 9493 section 3.2.8).
fn of_one(subject: Raw<'_>, cut: &Cut<'_>, found: &mut Found) {
    if format(subject).as_deref() == Some("aliases") {
        let identifiers = subject.member("identifiers").and_then(Raw::items).unwrap_or_default();
        identifiers.into_iter().for_each(|one| identifier(one, cut, found));
    } else {
        identifier(subject, cut, found);
    }
}

fn identifier(subject: Raw<'_>, cut: &Cut<'_>, found: &mut Found) {
    // An issuer speaks of its own subjects.
    if text(subject, "iss").is_none_or(|issuer| issuer != cut.issuer) {
        return;
    }
    match format(subject).as_deref() {
        Some("iss_sub" | "id_token_claims") => text(subject, "sub").iter().for_each(|sub| found.add(cut.user(sub))),
        Some("jwt_id") => text(subject, "jti").iter().for_each(|jti| found.add(cut.token(jti))),
        _ => {}
    }
}

/// Drafts of the framework wrote `subject_type`, with hyphens.
fn format(subject: Raw<'_>) -> Option<String> {
    let format = text(subject, "format").or_else(|| text(subject, "subject_type"))?;
    Some(format.replace('-', "_"))
}

fn opaque(subject: Raw<'_>) -> Option<String> {
    text(subject, "id")
}

fn text(subject: Raw<'_>, name: &str) -> Option<String> {
    subject.member(name).and_then(Raw::as_text).filter(|text| !text.is_empty()).map(Into::into)
}
