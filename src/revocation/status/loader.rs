//! From a Status List Token to a status list (draft-ietf-oauth-status-list sections 5.1 and 8.3), in steps that delay no
//! request.

use super::inflate::Inflater;
use super::list::StatusList;
use crate::base::base64url;
use crate::base::json::Value;
use crate::base::members::Raw;
use crate::base::time::{Seconds, UnixSeconds};
use crate::crypto::{AlgorithmSet, Verifier};
use crate::jose::{Claims, Compact, KeySet};
use crate::revocation::signed::{self, LEEWAY};
use crate::revocation::{Chunks, ListError, Signature};
use std::rc::Rc;

/// The `typ` of a Status List Token.
pub const STATUS_LIST_TYPE: &str = "statuslist+jwt";

/// What a status list must be to be used.
#[derive(Clone, Debug)]
pub struct StatusTerms {
    /// Whose tokens it is about: its `iss`, where it has one.
    pub issuer: String,
    /// Its address: its `sub`.
    pub uri: String,
    /// The longest document, and the longest list that comes out of it, in bytes.
    pub max_bytes: usize,
    /// What may sign it. A list that is signed with a secret is refused, whatever is here.
    pub algorithms: AlgorithmSet,
    /// The keys of which one must have signed it; `None` while they are not there.
    pub keys: Option<Rc<KeySet>>,
}

/// Reads a Status List Token, step by step.
#[derive(Debug)]
pub struct StatusLoader {
    bits: u64,
    signature: Signature,
    inflater: Inflater,
}

impl StatusLoader {
    /// Begins to read a document, of which the signature and the claims are checked at once.
    ///
    /// `in_use` is the signature of the list that this one is to replace: one that was signed earlier does not.
    ///
    /// # Errors
    /// When it is no Status List Token, or none for these terms.
    pub fn begin(
        bytes: &Chunks,
        terms: &StatusTerms,
        in_use: Option<Signature>,
        verifier: &dyn Verifier,
        now: UnixSeconds,
    ) -> Result<Self, ListError> {
        if bytes.len() > terms.max_bytes {
            return Err(ListError::TooLarge(terms.max_bytes));
        }
        let keys = terms.keys.as_ref().ok_or(ListError::Status("the keys of its issuer are not there"))?;
        let document = bytes.pieces().concat();
        let compact = Compact::parse(document.trim_ascii()).map_err(|malformed| ListError::Status(malformed.0))?;
        let may_sign = |algorithm| terms.algorithms.contains(algorithm);
        signed::verify(&compact, STATUS_LIST_TYPE, "its `typ` is not statuslist+jwt", keys, &may_sign, verifier)?;
        let signature = about(&compact.claims, terms, now)?;
        if in_use.is_some_and(|in_use| signature.issued_at < in_use.issued_at) {
            return Err(ListError::Older);
        }
        let list = compact.claims.value("status_list").ok_or(ListError::Status("it has no `status_list`"))?;
        let bits = list.member("bits").and_then(|bits| bits.to_value().as_u64());
        let bits = bits.filter(|bits| matches!(bits, 1 | 2 | 4 | 8));
        let bits = bits.ok_or(ListError::Status("its `bits` is not 1, 2, 4 or 8"))?;
        let deflated = list.member("lst").and_then(Raw::as_text).and_then(|text| base64url::decode(text.as_bytes()));
        let deflated = deflated.ok_or(ListError::Status("its `lst` is not base64url"))?;
        Ok(Self { bits, signature, inflater: Inflater::new(deflated, terms.max_bytes) })
    }

    /// Does the next piece of work. Returns the list when that was the last.
    ///
    /// # Errors
    /// When the document is no status list. It is not to be asked again then.
    pub fn step(&mut self) -> Result<Option<StatusList>, ListError> {
        let Some(bytes) = self.inflater.step()? else { return Ok(None) };
        Ok(StatusList::new(self.bits, bytes, self.signature))
    }
}

/// Checks what a list says about itself.
fn about(claims: &Claims, terms: &StatusTerms, now: UnixSeconds) -> Result<Signature, ListError> {
    let wrong = ListError::Status;
    if claims.subject().is_none_or(|subject| subject != terms.uri) {
        return Err(wrong("its `sub` is not its address"));
    }
    if claims.issuer().is_some_and(|issuer| issuer != terms.issuer) {
        return Err(wrong("its `iss` is not the issuer of the tokens"));
    }
    let issued_at = claims.issued_at.ok_or(wrong("it has no `iat`"))?;
    if now.plus(LEEWAY) < issued_at || claims.not_before.is_some_and(|not_before| now.plus(LEEWAY) < not_before) {
        return Err(wrong("it is of the future"));
    }
    let ttl = match claims.value("ttl").map(Raw::to_value) {
        None => None,
        Some(Value::Number(number)) if number.as_f64().is_some_and(|seconds| seconds > 0.0) => {
            let seconds = UnixSeconds::from_numeric_date(&number).and_then(|whole| u32::try_from(whole.0).ok());
            Some(Seconds(seconds.unwrap_or(u32::MAX)))
        }
        Some(_) => return Err(wrong("its `ttl` is not a positive number")),
    };
    let signature = Signature { issued_at, expires_at: claims.expires_at, ttl };
    if signature.is_over(now) {
        return Err(wrong("it has expired"));
    }
    Ok(signature)
}

#[cfg(test)]
mod tests;
