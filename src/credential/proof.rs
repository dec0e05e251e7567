//! The header `DPoP` ([RFC 9449 section 4.1](https://www.rfc-editor.org/rfc/rfc9449#section-4.1)).

use super::Result;
use crate::decision::Denial;
use crate::request::{RequestView, TwoLines};

/// The one proof of a request; `None` without one.
///
/// # Errors
/// [`Denial::InvalidProof`] when there are several lines, equal ones too (RFC 9449 section 4.3 (1)).
pub fn proof<'a>(request: &RequestView<'a>) -> Result<Option<&'a [u8]>> {
    request.only_value("dpop").map_err(|TwoLines| Denial::InvalidProof("several DPoP header lines"))
}
