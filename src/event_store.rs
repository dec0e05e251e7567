//! What events have revoked, over all workers of a process.
//!
//! It is in shared data, which has no atomic create and no delete. So the number of buckets is fixed; the main thread makes
//! them in `on_configure`, and a worker replaces one only after it has read its last value. A number beside them changes after
//! each change: a worker looks at it at each tick ([`SharedEvents::listen`]), and reads the rest only then.
//!
//! Nothing of it outlives the process.

use crate::base::shared_data::{OpenError, SharedData, room_of_bucket};
use crate::base::time::UnixSeconds;
use crate::revocation::{Builder, Entry, List, MARK_BYTES, Mark};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// How often a value is read again because another worker wrote it in between.
const ATTEMPTS: usize = 32;
/// The number of buckets. Like their names, it never changes: another configuration would begin anew.
const BUCKETS: u16 = 64;
/// Where the number of changes is.
const CHANGES: &str = "scopegate/events/changes";
/// The first bytes of each value.
const FORM: [u8; 4] = *b"sgE1";

/// What events have revoked, as one worker sees it.
pub struct SharedEvents {
    shared: Box<dyn SharedData>,
    /// How many marks one bucket holds.
    room: usize,
    /// The number of changes that this worker has seen; `None`: it has to look.
    seen: Cell<Option<u64>>,
    /// What it has seen.
    last: RefCell<Option<Rc<List>>>,
    /// The earliest time at which a mark that was seen is over, in seconds since the epoch.
    next_over: Cell<i64>,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl SharedEvents {
    /// Opens the store, with room for about `entries` entries. The main thread makes what is missing.
    ///
    /// # Errors
    /// When it is missing and cannot be made, or cannot be read.
    pub fn open(shared: Box<dyn SharedData>, entries: usize) -> Result<Self, OpenError> {
        if shared.lacks(CHANGES) {
            for name in (0..BUCKETS).map(bucket_name) {
                if shared.lacks(&name) && !shared.write(&name, &FORM, None) {
                    return Err(OpenError::NotWritten);
                }
            }
            if !shared.write(CHANGES, &changes_of(0), None) {
                return Err(OpenError::NotWritten);
            }
        }
        shared.read(CHANGES).and_then(|(bytes, _)| read_changes(&bytes)).ok_or(OpenError::Unreadable)?;
        let room = room_of_bucket(entries, BUCKETS);
        Ok(Self { shared, room, seen: Cell::new(None), last: RefCell::default(), next_over: Cell::new(i64::MAX) })
    }

    /// Enters what has been revoked. Returns whether that is more than was known: an event that comes again changes nothing.
    ///
    /// # Errors
    /// When there is no room, or it cannot be written. What was entered before stays.
    pub fn enter(&self, entries: &[Entry], now: UnixSeconds) -> Result<bool, Full> {
        let marks = || entries.iter().map(Mark::of).filter(|mark| !mark.is_over(now));
        let entered = marks().try_fold(false, |is_news, mark| Ok(self.enter_one(&mark, now)? || is_news));
        // Also where nothing is new: the worker that entered it may have failed to say so.
        let counted = if marks().next().is_some() { self.count_change() } else { Ok(()) };
        entered.and_then(|is_news| counted.map(|()| is_news))
    }

    fn enter_one(&self, mark: &Mark, now: UnixSeconds) -> Result<bool, Full> {
        let name = bucket_name(mark.spread() % BUCKETS);
        for _ in 0..ATTEMPTS {
            let (bytes, seen) = self.shared.read(&name).ok_or(Full)?;
            let mut marks = read_bucket(&bytes).ok_or(Full)?;
            marks.retain(|mark| !mark.is_over(now));
            let has_room = marks.len() < self.room;
            match marks.iter_mut().find(|known| known.is_about(mark)) {
                Some(known) => {
                    if !known.extend(mark) {
                        return Ok(false);
                    }
                }
                None if !has_room => return Err(Full),
                None => marks.push(*mark),
            }
            if self.shared.write(&name, &write_bucket(&marks), Some(seen)) {
                return Ok(true);
            }
        }
        Err(Full)
    }

    /// Notes a change, so that the other workers look.
    fn count_change(&self) -> Result<(), Full> {
        for _ in 0..ATTEMPTS {
            let (bytes, seen) = self.shared.read(CHANGES).ok_or(Full)?;
            let changes = read_changes(&bytes).ok_or(Full)?;
            if self.shared.write(CHANGES, &changes_of(changes.wrapping_add(1)), Some(seen)) {
                return Ok(());
            }
        }
        Err(Full)
    }

    /// What is revoked, if that has changed since the last call, or some of it is over.
    pub fn listen(&self, now: UnixSeconds) -> Option<Rc<List>> {
        let changes = self.shared.read(CHANGES).and_then(|(bytes, _)| read_changes(&bytes))?;
        if self.seen.get() == Some(changes) && now.0 < self.next_over.get() {
            return None;
        }
        let mut builder = Builder::new(now);
        let mut next_over = i64::MAX;
        for name in (0..BUCKETS).map(bucket_name) {
            let marks = self.shared.read(&name).and_then(|(bytes, _)| read_bucket(&bytes)).unwrap_or_default();
            for mark in &marks {
                builder.add_mark(mark);
                next_over = mark.over_at().filter(|at| *at > now).map_or(next_over, |at| next_over.min(at.0));
            }
        }
        self.seen.set(Some(changes));
        self.next_over.set(next_over);
        let list = Rc::new(builder.finish());
        // A list that is the same is not a new one: what has been held against it need not be again.
        let is_same = |last: &Rc<List>| last.bytes().pieces() == list.bytes().pieces();
        if self.last.borrow().as_ref().is_some_and(is_same) {
            return None;
        }
        self.last.replace(Some(Rc::clone(&list)));
        Some(list)
    }
}

impl fmt::Debug for SharedEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedEvents").field("room", &self.room).finish_non_exhaustive()
    }
}

fn bucket_name(number: u16) -> String {
    format!("scopegate/events/{number}")
}

fn changes_of(number: u64) -> Vec<u8> {
    [&FORM[..], &number.to_le_bytes()].concat()
}

fn read_changes(bytes: &[u8]) -> Option<u64> {
    bytes.strip_prefix(&FORM)?.try_into().ok().map(u64::from_le_bytes)
}

fn read_bucket(bytes: &[u8]) -> Option<Vec<Mark>> {
    let (marks, []) = bytes.strip_prefix(&FORM)?.as_chunks::<MARK_BYTES>() else { return None };
    marks.iter().map(Mark::from_bytes).collect()
}

fn write_bucket(marks: &[Mark]) -> Vec<u8> {
    let mut out = Vec::with_capacity(marks.len().saturating_mul(MARK_BYTES).saturating_add(FORM.len()));
    out.extend(FORM);
    marks.iter().for_each(|mark| out.extend(mark.to_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Values by name, each with its mark.
    type Values = BTreeMap<String, (Vec<u8>, u32)>;

    /// What workers share, of which a place can be out of order.
    #[derive(Clone, Default)]
    struct Shared {
        values: Rc<RefCell<Values>>,
        broken: Rc<RefCell<Option<&'static str>>>,
    }

    impl SharedData for Shared {
        fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
            self.values.borrow().get(name).cloned()
        }

        fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
            let mut values = self.values.borrow_mut();
            let mark = values.get(name).map_or(0, |(_, mark)| *mark);
            let is_good = seen.is_none_or(|seen| seen == mark) && *self.broken.borrow() != Some(name);
            if is_good {
                values.insert(name.to_owned(), (value.to_owned(), mark + 1));
            }
            is_good
        }

        fn lacks(&self, name: &str) -> bool {
            !self.values.borrow().contains_key(name)
        }
    }

    const NOW: UnixSeconds = UnixSeconds(1_000);

    fn worker(shared: &Shared) -> SharedEvents {
        SharedEvents::open(Box::new(shared.clone()), 100).expect("a store")
    }

    fn entry(name: &str) -> [Entry; 1] {
        [Entry::session("i".into(), name.into()).until(UnixSeconds(2_000))]
    }

    #[test]
    fn what_one_worker_enters_all_learn_once() {
        let shared = Shared::default();
        let (one, other) = (worker(&shared), worker(&shared));
        assert_eq!(other.listen(NOW).map(|list| list.entries()), Some(0));
        assert_eq!(one.enter(&entry("a"), NOW), Ok(true));
        assert_eq!(other.listen(NOW).map(|list| list.entries()), Some(1));
        assert_eq!(one.enter(&entry("a"), NOW), Ok(false), "it is known");
        assert!(other.listen(NOW).is_none(), "nothing has changed");
        assert_eq!(other.listen(UnixSeconds(2_000)).map(|list| list.entries()), Some(0), "it is over");
    }

    #[test]
    fn an_event_that_comes_again_after_a_failure_is_told_to_all() {
        let shared = Shared::default();
        let (one, other, third) = (worker(&shared), worker(&shared), worker(&shared));
        other.listen(NOW);
        shared.broken.replace(Some(CHANGES));
        assert_eq!(one.enter(&entry("a"), NOW), Err(Full), "the others do not know of it");
        assert!(other.listen(NOW).is_none());
        shared.broken.replace(None);
        assert_eq!(third.enter(&entry("a"), NOW), Ok(false));
        assert_eq!(other.listen(NOW).map(|list| list.entries()), Some(1));
    }

    #[test]
    fn a_full_store_refuses_and_keeps_what_it_has() {
        let shared = Shared::default();
        let store = worker(&shared);
        let names = (0..10_000).map(|number| number.to_string());
        let kept = names.filter(|name| store.enter(&entry(name), NOW).is_ok()).count();
        assert!((100..10_000).contains(&kept), "{kept}");
        assert_eq!(store.listen(NOW).map(|list| list.entries()), Some(kept));
        assert_eq!(store.enter(&entry("0"), NOW), Ok(false), "what is known finds its room");
    }
}
