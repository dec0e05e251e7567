//! Requests that wait for what an issuer says of their opaque tokens.
//!
//! One callout is for all requests with a token that wait at the same moment. Any client can make tokens up, and each of
//! them is a question to the issuer: only so many are asked at once and in a second, and client networks have their
//! questions asked in turn.

use super::super::feed::{Answer, Failure, FailureKind};
use super::super::host::{Counter, Host};
use super::super::introspection::{self, ANSWER_BYTES, InactiveTokens};
use super::super::metrics;
use super::super::turns::{Network, Turns};
use super::waiting::Parked;
use super::{Gate, StreamRequest, fetch};
use crate::base::time::UnixSeconds;
use crate::crypto::KeyedDigest;
use crate::decision::{Denial, Inquiry, Need, Pending};
use crate::facts::{Awaited, Introspected, Introspections, KeyRing, TokenName};
use crate::policy::{Introspection, IssuerId, Limits, Policy, Uses};
use crate::token_cache::TokenCache;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// How many callouts are under way at once.
const AT_ONCE: usize = 64;
/// How many are made in a second.
const IN_A_SECOND: u32 = 100;
/// How long after its timeout an answer is taken for lost, in milliseconds. The host ends a callout at its timeout.
const GRACE_MS: u64 = 1000;
const MILLIS_PER_SECOND: u64 = 1000;

/// The questions to issuers, and what is remembered of their answers beside the active tokens.
pub(super) struct Inquiries {
    digest: KeyedDigest,
    questions: RefCell<Questions>,
    inactive: RefCell<InactiveTokens>,
    meters: Meters,
}

struct Questions {
    /// Those that have been asked.
    asked: Vec<Asked>,
    /// Those that wait for their turn.
    turns: Turns<Question>,
    /// Those that gave way to others: they are ended at the next tick, since the stream of another request is effective now.
    over: Vec<Question>,
    /// How many have been asked in this second.
    second: u64,
    in_second: u32,
}

/// A question that has been asked.
struct Asked {
    /// The number under which the answer comes.
    call: u32,
    /// From when on it is taken for lost.
    deadline: u64,
    question: Question,
}

/// What is to be asked, and for whom.
struct Question {
    name: TokenName,
    inquiry: Inquiry,
    /// Until when it waits for its turn.
    deadline: u64,
    waiting: Vec<WaitingRequest>,
}

/// A request that waits for an answer.
struct WaitingRequest {
    request: Weak<StreamRequest>,
    /// What decides if no answer comes.
    pending: Pending,
    /// When it began to wait, in milliseconds.
    since: u64,
}

/// What is counted of the answers, and whether each issuer answers now.
#[derive(Default)]
struct Meters {
    active: Option<Counter>,
    inactive: Option<Counter>,
    failed: Vec<(FailureKind, Counter)>,
    troubles: Vec<Cell<Trouble>>,
}

/// Whether an issuer fails to answer, and since when that has been known, in milliseconds.
#[derive(Clone, Copy, Default)]
struct Trouble {
    is_failing: bool,
    told_at: u64,
}

/// What issuers have said, to one request: what it has waited for counts for it, even where nothing is remembered.
pub(super) struct Answers<'a> {
    pub(super) inquiries: &'a Inquiries,
    pub(super) cache: &'a TokenCache,
    pub(super) keys: &'a KeyRing,
    pub(super) own: &'a RefCell<Option<(TokenName, Introspected)>>,
}

impl Introspections for Answers<'_> {
    fn recall(&self, issuer: IssuerId, token: &[u8], now: UnixSeconds) -> Option<Introspected> {
        let name = self.inquiries.name(issuer, token);
        if let Some((_, own)) = self.own.borrow().as_ref().filter(|(of, _)| *of == name) {
            return Some(own.clone());
        }
        if let Some(known) = self.cache.look(name, now, self.keys) {
            return Some(Introspected::Active(known));
        }
        let is_inactive = self.inquiries.inactive.borrow().holds(name, seconds(now));
        is_inactive.then_some(Introspected::Inactive)
    }
}

fn seconds(now: UnixSeconds) -> u64 {
    u64::try_from(now.0).unwrap_or_default()
}

impl Inquiries {
    /// No question, yet. A policy that needs random numbers is refused where there are none.
    pub(super) fn open(host: &impl Host, policy: &Policy, limits: Limits) -> Option<Self> {
        let is_used = policy.uses.has(Uses::INTROSPECTION);
        let digest = if is_used { KeyedDigest::random() } else { Some(KeyedDigest::with_key([0; 16])) };
        let Some(digest) = digest else {
            log::error!("scopegate: configuration refused: introspection: this host has no random numbers");
            return None;
        };
        let questions = Questions {
            asked: Vec::new(),
            turns: Turns::new(limits.waiting_requests),
            over: Vec::new(),
            second: 0,
            in_second: 0,
        };
        Some(Self {
            digest,
            questions: RefCell::new(questions),
            inactive: RefCell::default(),
            meters: if is_used { Meters::define(host, policy) } else { Meters::default() },
        })
    }

    fn name(&self, issuer: IssuerId, token: &[u8]) -> TokenName {
        TokenName(self.digest.of_parts(&[&issuer.0.to_le_bytes(), token]))
    }

    /// How many requests wait.
    pub(super) fn count_waiting(&self) -> usize {
        self.questions.borrow_mut().all().map(|question| question.waiting.len()).sum()
    }

    /// Whether there is something to do at the next tick.
    pub(super) fn are_busy(&self) -> bool {
        let questions = self.questions.borrow();
        questions.turns.len() > 0 || !questions.over.is_empty()
    }
}

impl Questions {
    fn all(&mut self) -> impl Iterator<Item = &mut Question> {
        let asked = self.asked.iter_mut().map(|asked| &mut asked.question);
        asked.chain(self.turns.iter_mut()).chain(&mut self.over)
    }

    /// Whether one more may be asked at this moment.
    fn has_room(&mut self, now: u64) -> bool {
        let second = now / MILLIS_PER_SECOND;
        if second != self.second {
            (self.second, self.in_second) = (second, 0);
        }
        self.asked.len() < AT_ONCE && self.in_second < IN_A_SECOND
    }
}

impl<H: Host> Gate<H> {
    /// Asks an issuer about the token of a request, and lets the request wait for the answer.
    pub(super) fn ask_issuer(&self, request: &Rc<StreamRequest>, pending: Pending, inquiry: Inquiry) -> Parked {
        let waiting = WaitingRequest { request: Rc::downgrade(request), pending, since: self.now_ms() };
        if let Some((waiting, denial)) = self.enter(waiting, inquiry) {
            return Parked::Decided(Box::new(self.end_wait(request, waiting.pending, denial)));
        }
        if self.inquiries.are_busy() {
            self.hurry();
        }
        self.show_waiting();
        Parked::Waiting
    }

    /// Lets a request wait with others for the answer to their question, or asks, or lets the question wait for its turn.
    /// Gives the request back if it cannot wait.
    fn enter(&self, waiting: WaitingRequest, inquiry: Inquiry) -> Option<(WaitingRequest, Denial)> {
        let Some(terms) = self.terms_of(inquiry.issuer) else {
            return Some((waiting, Denial::IntrospectionUnavailable));
        };
        let now = waiting.since;
        let name = self.inquiries.name(inquiry.issuer, &inquiry.token);
        let has_place = self.inquiries.count_waiting() < self.settings.limits.waiting_requests;
        let mut questions = self.inquiries.questions.borrow_mut();
        if let Some(question) = questions.all().find(|question| question.name == name) {
            if !has_place {
                return Some((waiting, Denial::TooBusy));
            }
            question.waiting.push(waiting);
            return None;
        }
        let deadline = now.saturating_add(u64::from(terms.timeout_ms));
        let question = Question { name, inquiry, deadline, waiting: vec![waiting] };
        let (left, denial) = if has_place && questions.turns.len() == 0 && questions.has_room(now) {
            let failed = self.send(&mut questions, question, now).err();
            (failed.map(|(question, failure)| self.failed(question, &failure)), Denial::IntrospectionUnavailable)
        } else {
            let address = self.host.property(&["source", "address"]).ok().flatten().unwrap_or_default();
            (questions.turns.enter(Network::of(&address), question), Denial::TooBusy)
        };
        match left {
            Some(mut own) if own.name == name => own.waiting.pop().map(|waiting| (waiting, denial)),
            left => {
                questions.over.extend(left);
                None
            }
        }
    }

    fn terms_of(&self, issuer: IssuerId) -> Option<&Introspection> {
        self.policy.issuers.get(issuer.0)?.introspection.as_ref()
    }

    /// Asks a question, or gives it back with the reason why that cannot be done.
    fn send(&self, questions: &mut Questions, question: Question, now: u64) -> Result<(), (Question, Failure)> {
        let Some(terms) = self.terms_of(question.inquiry.issuer) else {
            return Err((question, FailureKind::NoCluster.because("is not asked")));
        };
        let body = introspection::body(&question.inquiry.token);
        let endpoint = &terms.endpoint;
        questions.in_second = questions.in_second.saturating_add(1);
        match self.host.http_call(&endpoint.cluster, &introspection::headers(terms), body.as_bytes(), terms.timeout_ms)
        {
            Ok(call) => {
                let deadline = now.saturating_add(u64::from(terms.timeout_ms)).saturating_add(GRACE_MS);
                questions.asked.push(Asked { call, deadline, question });
                Ok(())
            }
            Err(failure) => Err((question, fetch::not_sent(failure, &endpoint.cluster))),
        }
    }

    /// An issuer has answered, with `headers` headers and a body of `bytes` bytes.
    pub(super) fn on_introspection(&self, call: u32, headers: usize, bytes: usize) {
        let asked = {
            let mut questions = self.inquiries.questions.borrow_mut();
            let place = questions.asked.iter().position(|asked| asked.call == call);
            place.map(|place| questions.asked.swap_remove(place))
        };
        let Some(Asked { question, .. }) = asked else { return };
        let said = self.read_introspection(question.inquiry.issuer, headers, bytes);
        self.tell_of_answer(question.inquiry.issuer, said.as_ref());
        if let Ok(said) = &said {
            self.remember(question.name, said);
        }
        self.answer_all(question, said.as_ref().map_err(|_| &Denial::IntrospectionUnavailable));
        self.ask_next();
        self.return_to_root();
        self.set_tick();
    }

    fn read_introspection(&self, issuer: IssuerId, headers: usize, bytes: usize) -> Result<Introspected, Failure> {
        let (answer, body) = fetch::receive(&self.host, headers, bytes, ANSWER_BYTES, false);
        match (answer, self.terms_of(issuer)) {
            (Answer::Document(_), Some(terms)) => {
                introspection::read(body.pieces().concat(), issuer, terms, self.host.now())
            }
            (Answer::Failed(failure), _) => Err(failure),
            _ => Err(FailureKind::Invalid.because("sent no answer about a token")),
        }
    }

    fn remember(&self, name: TokenName, said: &Introspected) {
        let now = self.host.now();
        match said {
            Introspected::Active(token) if token.has_expired(now) => {}
            Introspected::Active(token) => self.cache.keep(name, Rc::clone(token)),
            Introspected::Inactive => self.inquiries.inactive.borrow_mut().add(name, seconds(now)),
        }
    }

    /// At each tick: ends the waits that are over, and asks what could not be asked before.
    pub(super) fn go_on_asking(&self) {
        if self.inquiries.count_waiting() == 0 {
            return;
        }
        let now = self.now_ms();
        let (lost, late) = {
            let mut questions = self.inquiries.questions.borrow_mut();
            let lost: Vec<Asked> = questions.asked.extract_if(.., |asked| now >= asked.deadline).collect();
            let mut late = std::mem::take(&mut questions.over);
            late.extend(questions.turns.take(|question| now >= question.deadline));
            (lost, late)
        };
        for Asked { question, .. } in lost {
            let failure = FailureKind::Timeout.because("did not answer, and the host did not say so");
            self.answer_all(self.failed(question, &failure), Err(&Denial::IntrospectionUnavailable));
        }
        for question in late {
            self.answer_all(question, Err(&Denial::TooBusy));
        }
        self.ask_next();
        self.return_to_root();
    }

    /// Asks those whose turn it is, as many as may be asked. Nothing is asked for requests that are gone.
    fn ask_next(&self) {
        let now = self.now_ms();
        let mut failed = Vec::new();
        {
            let mut questions = self.inquiries.questions.borrow_mut();
            while questions.has_room(now) {
                let Some(question) = questions.turns.serve() else { break };
                if question.waiting.iter().any(|waiting| waiting.request.strong_count() > 0) {
                    failed.extend(self.send(&mut questions, question, now).err());
                }
            }
        }
        for (question, failure) in failed {
            self.answer_all(self.failed(question, &failure), Err(&Denial::IntrospectionUnavailable));
        }
    }

    /// Tells of a question that has no answer.
    fn failed(&self, question: Question, failure: &Failure) -> Question {
        self.tell_of_answer(question.inquiry.issuer, Err(failure));
        question
    }

    /// Ends the waits for an answer. With one each request is judged again from the start; without one it is refused, and
    /// nothing is judged again.
    fn answer_all(&self, question: Question, said: Result<&Introspected, &Denial>) {
        let Question { name, inquiry, waiting, .. } = question;
        let need = Need::Introspection(inquiry);
        for WaitingRequest { request, pending, since } in waiting {
            self.go_on(&request, since, |request| match said {
                Ok(said) => {
                    request.note(&need, Awaited::Yes);
                    request.introspected.replace(Some((name, said.clone())));
                    self.decide(request)
                }
                Err(denial) => self.end_wait(request, pending, denial.clone()),
            });
        }
    }

    /// Counts an answer, and says in the log when an issuer stops and begins to answer, at most once a second.
    fn tell_of_answer(&self, issuer: IssuerId, said: Result<&Introspected, &Failure>) {
        let Meters { active, inactive, failed, troubles } = &self.inquiries.meters;
        let counter = match said {
            Ok(Introspected::Active(_)) => *active,
            Ok(Introspected::Inactive) => *inactive,
            Err(failure) => failed.iter().find(|(kind, _)| *kind == failure.kind).map(|(_, counter)| *counter),
        };
        counter.into_iter().for_each(|counter| self.host.count(counter, 1));
        let (Some(trouble), Some(issuer)) = (troubles.get(issuer.0), self.policy.issuers.get(issuer.0)) else { return };
        let (known, now) = (trouble.get(), self.now_ms());
        let is_failing = said.is_err();
        if known.is_failing == is_failing || now.saturating_sub(known.told_at) < MILLIS_PER_SECOND {
            return;
        }
        trouble.set(Trouble { is_failing, told_at: now });
        match said {
            Err(failure) => {
                log::warn!("scopegate: introspection: {} {}: its opaque tokens are refused", issuer.name, failure.why);
            }
            Ok(_) => log::info!("scopegate: introspection: {} answers again", issuer.name),
        }
    }
}

impl Meters {
    fn define(host: &impl Host, policy: &Policy) -> Self {
        let counter = |outcome: &str| host.define_counter(&metrics::named(metrics::INTROSPECTION, outcome)).ok();
        Self {
            active: counter("active"),
            inactive: counter("inactive"),
            failed: FailureKind::ALL.into_iter().filter_map(|kind| Some((kind, counter(kind.name())?))).collect(),
            troubles: policy.issuers.iter().map(|_| Cell::default()).collect(),
        }
    }
}
