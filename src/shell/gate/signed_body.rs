//! Bodies that have been signed by their digest, in a header. They go on part by part, and never whole if they are not the ones
//! that were signed.

use super::super::body_check::BodyCheck;
use super::super::host::{Buffer, Host};
use super::message::BodyEnd;
use super::outcome::keep_for_records;
use super::{Gate, RequestState, StreamRequest};
use crate::decision::{Basis, Decision, Denial, Grant, Refusal, TokenTrace, Trace};
use crate::request::RequestView;

/// How much of a part is read at once, in bytes: our memory never shrinks.
const READ_BYTES: usize = 131_072;

/// Trailers change nothing of the body, and are not signed with it.
const TRAILERS: Denial = Denial::BodyUnsigned("trailers follow the body, and are not signed");

/// A body that goes on.
pub struct PassingBody {
    check: BodyCheck,
    report_only: bool,
    /// What decided on the request, for the record of its body.
    trace: Trace,
    token: Option<TokenTrace>,
}

impl StreamRequest {
    /// Whether its body is reported, if it is another one than the one that was signed: such a report has all reasons.
    pub(super) fn is_reported_later(&self) -> bool {
        self.signed.borrow().as_ref().is_some_and(|body| body.report_only)
    }
}

impl<H: Host> Gate<H> {
    /// Begins to compare the body of a request that is let through. What has come of it is compared before the headers go on.
    /// Returns what is kept until the rest has come; `None` if nothing is.
    ///
    /// # Errors
    /// Why the request is refused.
    pub(super) fn begin_body(
        &self,
        request: &StreamRequest,
        grant: &mut Grant,
    ) -> Result<Option<Box<PassingBody>>, Denial> {
        match grant.signed_body.take() {
            // A request without a body has been compared.
            Some(wanted) if !request.ends_with_headers => {
                let length = Self::view(request, content_length).ok_or(Denial::HostFailure)??;
                let report_only = wanted.report_only;
                let mut check = BodyCheck::new(&wanted, length);
                self.take_part(&mut check, request.body.shown.get().unwrap_or_default())?;
                let judged = match request.body.end.get() {
                    BodyEnd::Open => check.judge(false),
                    BodyEnd::Ended => check.judge(true),
                    BodyEnd::Trailers => Err(TRAILERS),
                };
                match judged {
                    Ok(()) if request.body.end.get() == BodyEnd::Open => {
                        // What has been told once is not told of the body again.
                        let trace = Trace { reuse: None, ..grant.trace.clone() };
                        Ok(Some(Box::new(PassingBody { check, report_only, trace, token: grant.token.clone() })))
                    }
                    Err(denial) if report_only => {
                        grant.basis = Basis::ReportOnly(denial);
                        Ok(None)
                    }
                    judged => judged.map(|()| None),
                }
            }
            _ => Ok(None),
        }
    }

    /// A part of the body of a request that goes on is here, `size` bytes. Returns the state of the request.
    pub(super) fn on_signed_part(&self, request: &StreamRequest, size: usize, ends: bool) -> RequestState {
        let Some(mut body) = request.signed.take() else { return request.state.get() };
        match self.take_part(&mut body.check, size).and_then(|()| body.check.judge(ends)) {
            Ok(()) if ends => keep_for_records(request),
            Ok(()) => drop(request.signed.replace(Some(body))),
            Err(denial) => return self.end_body(request, *body, denial),
        }
        request.state.get()
    }

    /// The body of a request that goes on ends with trailers. Returns the state of the request.
    pub(super) fn on_signed_trailers(&self, request: &StreamRequest) -> RequestState {
        match request.signed.take() {
            Some(body) => self.end_body(request, *body, TRAILERS),
            None => request.state.get(),
        }
    }

    /// Refuses a request for its body, or reports it once. The host has to show the body even there.
    fn end_body(&self, request: &StreamRequest, body: PassingBody, denial: Denial) -> RequestState {
        let PassingBody { report_only, trace, token, .. } = body;
        if !report_only || denial == Denial::HostFailure {
            return self.refuse_late(request, Refusal { denial, trace, token });
        }
        self.report(request, &Decision::Allow(Grant::reported(denial, trace, token)), None);
        keep_for_records(request);
        request.state.get()
    }

    /// Takes in a part of the body, `size` bytes.
    fn take_part(&self, check: &mut BodyCheck, size: usize) -> Result<(), Denial> {
        let mut taken: usize = 0;
        while taken < size {
            let left = size.saturating_sub(taken).min(READ_BYTES);
            match self.host.buffer(Buffer::RequestBody, taken, left) {
                Ok(bytes) if bytes.len() == left => check.take(&bytes),
                _ => {
                    log::error!("scopegate: the body of a request cannot be read");
                    return Err(Denial::HostFailure);
                }
            }
            taken = taken.saturating_add(left);
        }
        Ok(())
    }
}

/// The `content-length` of a request, if it has one. The host passes on no other than one number.
fn content_length(request: &RequestView<'_>) -> Result<Option<u64>, Denial> {
    let Some(value) = request.only_value("content-length").map_err(|_| Denial::HostFailure)? else { return Ok(None) };
    let text = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).map(Some).ok_or(Denial::HostFailure)
}
