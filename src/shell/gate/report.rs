//! Counts, records and logs decisions.

use super::super::host::Host;
use super::outcome::{REQUEST_ID, read_again};
use super::{Gate, StreamRequest};
use crate::audit::{AuditRecord, Outcome, Seen};
use crate::challenge;
use crate::decision::{Basis, Decision, FurtherReasons, Reason};
use crate::engine::further;
use crate::policy::{AuditField, AuditFields, FilterStateScope, LogScope, RECORD, RecordForm};
use crate::request::RequestView;

/// How a decision is told of.
struct Telling {
    outcome: Outcome,
    /// Whether filter state gets its record.
    wanted: bool,
    logged: bool,
    /// The time that the decision was made by, in nanoseconds.
    read_clock: Option<u64>,
    /// The method of the request, where the requirement is of one.
    method: Vec<u8>,
}

impl<H: Host> Gate<H> {
    /// Counts a decision, and records and logs it where the settings ask for it. A record that would not be seen is not
    /// made. `status` is that of the answer, if the request has been answered here.
    pub(super) fn report(&self, request: &StreamRequest, decision: &Decision, status: Option<u16>) {
        let read_clock = self.read_clock.take();
        let Some(outcome) = Outcome::of(decision) else { return };
        let method = if decision.trace().names_method() {
            read_again(request, |view| view.method().to_vec())
        } else {
            Vec::new()
        };
        self.tallies.add(outcome, decision.trace(), &method);
        let event = decision.trace().reuse.map(|_| Reason::Reused);
        if event.is_some() {
            self.reuse.note(&request.sightings);
        }
        let told = outcome.reason().or(event);
        let wanted = self.records(told.is_some());
        let logged = self.logs_decision(told);
        if wanted || logged {
            self.record(request, decision, status, Telling { outcome, wanted, logged, read_clock, method });
        }
    }

    /// Records and logs a decision.
    #[inline(never)]
    fn record(&self, request: &StreamRequest, decision: &Decision, status: Option<u16>, telling: Telling) {
        let Telling { outcome, wanted, logged, read_clock, method } = telling;
        let Some(mut record) = AuditRecord::of(decision, &self.policy, self.settings.audit, &method) else { return };
        if let Outcome::WouldDeny(_) = outcome {
            record.add_further(self.further(request, decision));
            self.read_clock.set(None);
        }
        let fields = self.settings.audit.fields;
        let fields = if logged { fields.of_log_line() } else { fields };
        let status = status.or_else(|| self.status_in_report(decision));
        record.add_seen(self.seen(request, fields, read_clock, status));
        if wanted && self.host.set_filter_state(RECORD, &self.encoded(&record)).is_err() {
            log::warn!("scopegate: the audit record cannot be put into filter state");
        }
        if logged {
            log::info!("scopegate: {}", record.to_line());
        }
    }

    /// The status that report-only spared the client.
    fn status_in_report(&self, decision: &Decision) -> Option<u16> {
        let Decision::Allow(grant) = decision else { return None };
        let Basis::ReportOnly(denial) = &grant.basis else { return None };
        Some(challenge::status(denial, &grant.trace, self.replies.terms()))
    }

    /// Whether a decision has a line in the log: a refusal, and a token that too many clients show, while there is room in this
    /// second, and of the other ones every so many.
    fn logs_decision(&self, told: Option<Reason>) -> bool {
        let audit = self.settings.audit;
        match told {
            Some(reason) => audit.log != LogScope::Off && self.logs.admit(reason),
            None if audit.log == LogScope::All => {
                let passed = self.unlogged.get();
                let is_chosen = passed.saturating_add(1) >= audit.log_sample.0;
                self.unlogged.set(if is_chosen { 0 } else { passed.saturating_add(1) });
                is_chosen
            }
            None => false,
        }
    }

    /// The reasons beyond the first against a request that is only reported.
    #[cold]
    #[inline(never)]
    fn further(&self, request: &StreamRequest, decision: &Decision) -> FurtherReasons {
        let judged =
            |view: &RequestView<'_>| self.with_facts(request, |facts| further(&self.policy, view, facts, decision));
        Self::view(request, judged).unwrap_or_default()
    }

    /// Whether filter state gets a record of a request that is refused, or would be, or of one that is not.
    pub(super) fn records(&self, is_refused: bool) -> bool {
        match self.settings.audit.filter_state {
            FilterStateScope::All => true,
            FilterStateScope::Denials => is_refused,
            FilterStateScope::None => false,
        }
    }

    /// A record in its form for filter state.
    fn encoded(&self, record: &AuditRecord<'_>) -> Vec<u8> {
        match self.settings.audit.record {
            RecordForm::Text => record.to_json().into_bytes(),
            RecordForm::Object => record.to_struct(),
        }
    }

    /// What these fields show of a request beside the decision. The host is asked only for what is shown.
    #[inline(never)]
    fn seen(&self, request: &StreamRequest, fields: AuditFields, read_clock: Option<u64>, status: Option<u16>) -> Seen {
        let mut seen = Seen::default().answered(status);
        let asks = |wanted: &[AuditField]| wanted.iter().any(|field| fields.has(*field));
        // Who has no token is judged without a look at the clock, and has no times to show.
        let now = match read_clock {
            None if asks(&[AuditField::TIME]) => Some(self.host.now_ns()),
            read_clock => read_clock,
        };
        seen = seen.at(now.map(|now| now / super::NANOS_PER_MILLI));
        if asks(&[AuditField::ROUTE, AuditField::VIRTUAL_HOST]) {
            let name = |known: &Option<String>, field: AuditField, property: &str| match known {
                Some(name) => Some(name.clone().into_bytes()),
                None if fields.has(field) => self.host.property(&["xds", property]).ok().flatten(),
                None => None,
            };
            let route = name(&request.route_name, AuditField::ROUTE, "route_name");
            let virtual_host = name(&request.virtual_host, AuditField::VIRTUAL_HOST, "virtual_host_name");
            seen = seen.with_places(route.as_deref(), virtual_host.as_deref());
        }
        if asks(&[AuditField::CLIENT_NETWORK])
            && let Ok(Some(address)) = self.host.property(&["source", "address"])
        {
            seen = seen.with_client(&address);
        }
        if asks(&[AuditField::METHOD, AuditField::REQUEST_ID]) {
            let read = |view: &RequestView<'_>| seen.with_method(view.method()).with_id(view.sole_value(REQUEST_ID));
            seen = read_again(request, read);
        }
        seen
    }
}
