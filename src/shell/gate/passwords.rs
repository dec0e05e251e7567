//! Requests that wait for their passwords to be hashed: in slices of at most 2 ms, within the share of the time that is set
//! aside for cryptography.

use super::super::host::Host;
use super::super::password_line::{PasswordLine, Waiting};
use super::super::password_memory::PasswordMemory;
use super::super::turns::Network;
use super::waiting::{Parked, is_gone};
use super::{Gate, StreamRequest};
use crate::decision::{Denial, Need, PasswordJob, Pending};
use crate::facts::{Awaited, HashesAtOnce, PasswordJudge};
use crate::policy::{Policy, SetKind};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// The time after which no further step of a slice begins, in nanoseconds. A step takes about an eighth of a millisecond.
const SLICE_NS: u64 = 1_700_000;
/// The most steps of a slice, in case the clock does not move.
const SLICE_STEPS: u32 = 64;

/// A request that waits for its password.
#[derive(Debug)]
pub(super) struct WaitingUser {
    request: Weak<StreamRequest>,
    /// What decides if it has to leave.
    pending: Pending,
}

/// What is known of passwords, and the requests that wait for them.
#[derive(Debug)]
pub(super) struct Passwords {
    /// `None` where no set has passwords.
    memory: Option<PasswordMemory>,
    line: RefCell<PasswordLine<WaitingUser>>,
    /// Requests that had to leave the line, each with when it began to wait, and have not been answered.
    turned_away: RefCell<Vec<(WaitingUser, u64)>>,
}

impl Passwords {
    /// Nothing is known yet. Says in the log why there cannot be passwords, where a set has some.
    pub(super) fn open(policy: &Policy, limit: usize) -> Option<Self> {
        let has_some = policy.credentials.iter().any(|set| matches!(set.kind, SetKind::Passwords(_)));
        let memory = if has_some { PasswordMemory::new() } else { None };
        if has_some && memory.is_none() {
            log::error!("scopegate: configuration refused: this host has no random numbers, which passwords need");
            return None;
        }
        Some(Self { memory, line: RefCell::new(PasswordLine::new(limit)), turned_away: RefCell::default() })
    }

    /// Who knows which passwords are right. Without a set of passwords it is not asked.
    pub(super) fn judge(&self) -> &dyn PasswordJudge {
        self.memory.as_ref().map_or(&HashesAtOnce, |memory| memory)
    }

    /// How many requests wait.
    pub(super) fn count_waiting(&self) -> usize {
        self.line.borrow().len()
    }

    /// Whether there is something to be done for a request.
    pub(super) fn are_waited_for(&self) -> bool {
        self.count_waiting() > 0 || !self.turned_away.borrow().is_empty()
    }
}

impl<H: Host> Gate<H> {
    /// Lets a request wait until its password has been hashed.
    pub(super) fn hash(&self, request: &Rc<StreamRequest>, pending: Pending, job: &Rc<PasswordJob>) -> Parked {
        let address = self.host.property(&["source", "address"]).ok().flatten().unwrap_or_default();
        let waiter = WaitingUser { request: Rc::downgrade(request), pending };
        let now = self.now_ms();
        let leaving = self.passwords.line.borrow_mut().enter(Network::of(&address), Rc::clone(job), waiter, now);
        self.hurry();
        let mut own = None;
        let mut others = Vec::new();
        for (waiter, since) in leaving {
            if std::ptr::eq(waiter.request.as_ptr(), Rc::as_ptr(request)) {
                own = Some(waiter);
            } else {
                others.push((waiter, since));
            }
        }
        // Those are answered at the next tick: this stream is the one that the host is in.
        self.passwords.turned_away.borrow_mut().extend(others);
        if let Some(WaitingUser { pending, .. }) = own {
            return Parked::Decided(Box::new(self.end_wait(request, pending, Denial::TooBusy)));
        }
        self.show_waiting();
        Parked::Waiting
    }

    /// Called every tick: hashes for a while, and judges the requests again whose password has been hashed.
    pub(super) fn hash_on(&self) {
        if !self.passwords.are_waited_for() {
            return;
        }
        let mut over = self.passwords.turned_away.take();
        over.extend(self.passwords.line.borrow_mut().end(self.now_ms(), |waiter| is_gone(&waiter.request)));
        for (WaitingUser { request, pending }, since) in over {
            self.go_on(&request, since, |request| self.end_wait(request, pending, Denial::TooBusy));
        }
        let start = self.host.now_ns();
        let mut now = start;
        for _ in 0..SLICE_STEPS {
            if self.passwords.count_waiting() == 0
                || now.saturating_sub(start) >= SLICE_NS
                || !self.crypto.has_some(now)
            {
                break;
            }
            let hashed = self.passwords.line.borrow_mut().step();
            let end = self.host.now_ns();
            self.crypto.spend(end.saturating_sub(now));
            now = end;
            if let Some((waiting, found)) = hashed {
                self.settle_password(waiting, found);
            }
        }
        self.return_to_root();
    }

    fn settle_password(&self, waiting: Waiting<WaitingUser>, found: Option<usize>) {
        let Waiting { job, waiters } = waiting;
        if let Some(memory) = &self.passwords.memory {
            memory.remember(&job, found, self.host.now());
        }
        let need = Need::Password(job);
        for (waiter, since) in waiters {
            self.go_on(&waiter.request, since, |request| {
                request.note(&need, Awaited::Yes);
                self.decide(request)
            });
        }
    }
}
