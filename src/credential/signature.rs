//! Signatures of requests: where they are. What they say is read when they are judged.

use super::{FoundSecret, Result, SentSecret, bearer};
use crate::policy::{AUTHORIZATION, SIGNATURE_HEADERS, SignatureForm, Signatures};
use crate::request::RequestView;
use crate::signature::message;

/// A signature as a request presents it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SentSignature<'r> {
    /// What stands after this scheme in `authorization`.
    Line {
        /// The scheme, as its form spells it.
        scheme: &'static str,
        /// The rest of the line.
        value: &'r [u8],
    },
    /// In the headers of HTTP message signatures.
    Headers,
}

/// Shows nothing of the signature.
impl std::fmt::Debug for SentSignature<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SentSignature(<redacted>)")
    }
}

/// The schemes of a form.
const fn schemes(form: &SignatureForm) -> &'static [&'static str] {
    match form {
        SignatureForm::Sigv4 { .. } => &["AWS4-HMAC-SHA256"],
        SignatureForm::Apinto => &["HMAC-SHA256", "SDK-HMAC-SHA256"],
        SignatureForm::Message { .. } => &[],
    }
}

/// Finds the signature of a set.
///
/// # Errors
/// Those of the header.
pub(super) fn signature<'r>(
    request: &RequestView<'r>,
    signatures: &Signatures,
) -> Result<Option<FoundSecret<'static, 'r>>> {
    if let SignatureForm::Message { tag, .. } = &signatures.terms.form {
        // One without the tag is for others. One that cannot be read is refused when it is judged.
        let is_there = message::is_presented(request)
            && tag.as_deref().is_none_or(|tag| !matches!(message::read(request, Some(tag)), Ok(None)));
        let found =
            FoundSecret { secret: SentSecret::Signature(SentSignature::Headers), headers: SIGNATURE_HEADERS.to_vec() };
        return Ok(is_there.then_some(found));
    }
    let Some(line) = bearer::authorization(request)? else { return Ok(None) };
    let of_scheme = |scheme: &'static str| {
        let value = line.of_scheme(scheme.as_bytes())?;
        Some(SentSignature::Line { scheme, value })
    };
    let found = schemes(&signatures.terms.form).iter().find_map(|scheme| of_scheme(scheme));
    Ok(found.map(|sent| FoundSecret { secret: SentSecret::Signature(sent), headers: vec![AUTHORIZATION] }))
}
