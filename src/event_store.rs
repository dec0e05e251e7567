//! What events have revoked, over all workers of a process.
//!
//! It is in shared data, which has no atomic create and no delete. So the number of buckets is fixed; the main thread makes
//! them in `on_configure`, and a worker replaces one only after it has read its last value. Beside them is one value with a
//! number for each bucket, which changes after each change of it: a worker looks at that at each tick
//! ([`SharedEvents::listen`]), and reads the buckets alone that have changed.
//!
//! Nothing of it outlives the process.

use crate::base::shared_data::{OpenError, SharedData, room_of_bucket};
use crate::base::time::UnixSeconds;
use crate::revocation::{Builder, Entry, List, MARK_BYTES, Mark, SpreadList};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// How often a value is read again because another worker wrote it in between.
const ATTEMPTS: usize = 32;
/// The number of buckets. Like their names, it never changes: another configuration would begin anew.
const BUCKETS: u16 = 256;
/// Where the numbers of changes are.
const CHANGES: &str = "scopegate/events/changes";
/// The first bytes of each value.
const FORM: [u8; 4] = *b"sgE1";
/// The bytes of a number of changes.
const NUMBER_BYTES: usize = 4;

/// What events have revoked, as one worker sees it.
pub struct SharedEvents {
    shared: Box<dyn SharedData>,
    /// How many marks one bucket holds.
    room: usize,
    /// What this worker has read of each bucket; nothing before the first time.
    seen: RefCell<Vec<Seen>>,
}

/// A bucket that has been read.
struct Seen {
    /// Its number of changes.
    changes: u32,
    list: Rc<List>,
    /// The earliest time at which one of its marks is over; `None`: none is ever.
    next_over: Option<UnixSeconds>,
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
            for name in (0..usize::from(BUCKETS)).map(bucket_name) {
                if shared.lacks(&name) && !shared.write(&name, &FORM, None) {
                    return Err(OpenError::NotWritten);
                }
            }
            if !shared.write(CHANGES, &write_changes(&vec![0; usize::from(BUCKETS)]), None) {
                return Err(OpenError::NotWritten);
            }
        }
        shared.read(CHANGES).and_then(|(bytes, _)| read_changes(&bytes)).ok_or(OpenError::Unreadable)?;
        let room = room_of_bucket(entries, BUCKETS);
        Ok(Self { shared, room, seen: RefCell::default() })
    }

    /// Enters what has been revoked. Returns whether that is more than was known: an event that comes again changes nothing.
    ///
    /// # Errors
    /// When there is no room, or it cannot be written. What was entered before stays.
    pub fn enter(&self, entries: &[Entry], now: UnixSeconds) -> Result<bool, Full> {
        let mut is_news = false;
        for mark in entries.iter().map(Mark::of).filter(|mark| !mark.is_over(now)) {
            let place = mark.place(usize::from(BUCKETS));
            is_news |= self.enter_one(&mark, place, now)?;
            // Also where it is not new: the worker that entered it may have failed to say so.
            self.count_change(place)?;
        }
        Ok(is_news)
    }

    fn enter_one(&self, mark: &Mark, place: usize, now: UnixSeconds) -> Result<bool, Full> {
        let name = bucket_name(place);
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

    /// Notes a change of a bucket, so that the other workers look.
    fn count_change(&self, place: usize) -> Result<(), Full> {
        for _ in 0..ATTEMPTS {
            let (bytes, seen) = self.shared.read(CHANGES).ok_or(Full)?;
            let mut changes = read_changes(&bytes).ok_or(Full)?;
            let number = changes.get_mut(place).ok_or(Full)?;
            *number = number.wrapping_add(1);
            if self.shared.write(CHANGES, &write_changes(&changes), Some(seen)) {
                return Ok(());
            }
        }
        Err(Full)
    }

    /// What is revoked, if that has changed since the last call, or some of it is over.
    pub fn listen(&self, now: UnixSeconds) -> Option<Rc<SpreadList>> {
        let changes = self.shared.read(CHANGES).and_then(|(bytes, _)| read_changes(&bytes))?;
        let mut seen = self.seen.borrow_mut();
        let mut is_news = seen.is_empty();
        for (place, changes) in changes.into_iter().enumerate() {
            let known = seen.get(place);
            let is_over = |known: &Seen| known.next_over.is_some_and(|at| at <= now);
            if known.is_some_and(|known| known.changes == changes && !is_over(known)) {
                continue;
            }
            let read = self.read(place, changes, now);
            // A list that is the same is not a new one: what has been held against it need not be again.
            is_news |= known.is_none_or(|known| known.list.bytes().pieces() != read.list.bytes().pieces());
            match seen.get_mut(place) {
                Some(known) => *known = read,
                None => seen.push(read),
            }
        }
        is_news.then(|| Rc::new(SpreadList::new(seen.iter().map(|known| Rc::clone(&known.list)).collect())))
    }

    fn read(&self, place: usize, changes: u32, now: UnixSeconds) -> Seen {
        let marks = self.shared.read(&bucket_name(place)).and_then(|(bytes, _)| read_bucket(&bytes));
        let (mut builder, mut next_over) = (Builder::new(now), None);
        for mark in marks.iter().flatten().filter(|mark| !mark.is_over(now)) {
            builder.add_mark(mark);
            next_over = [next_over, mark.over_at()].into_iter().flatten().min();
        }
        Seen { changes, list: Rc::new(builder.finish()), next_over }
    }
}

impl fmt::Debug for SharedEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedEvents").field("room", &self.room).finish_non_exhaustive()
    }
}

fn bucket_name(place: usize) -> String {
    format!("scopegate/events/{place}")
}

fn write_changes(numbers: &[u32]) -> Vec<u8> {
    FORM.into_iter().chain(numbers.iter().flat_map(|number| number.to_le_bytes())).collect()
}

/// As many numbers as there are buckets.
fn read_changes(bytes: &[u8]) -> Option<Vec<u32>> {
    let (numbers, []) = bytes.strip_prefix(&FORM)?.as_chunks::<NUMBER_BYTES>() else { return None };
    (numbers.len() == usize::from(BUCKETS)).then(|| numbers.iter().map(|number| u32::from_le_bytes(*number)).collect())
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
