//! What events have revoked, over all workers of a process.
//!
//! It is in shared data, which has no atomic create and no delete. So the number of buckets is fixed; the main thread makes
//! them in `on_configure`, and a worker replaces one only after it has read its last value. Beside them is one value with a
//! number for each bucket, which changes after each change of it: a worker looks at that at each tick
//! ([`SharedEvents::listen`]), and reads the buckets alone that have changed.
//!
//! What another plugin writes over it cannot be read: a worker keeps what it has seen, and nothing is entered there. Nothing of
//! it outlives the process.

use crate::base::shared_data::{OpenError, SharedData, room_of_bucket};
use crate::base::time::UnixSeconds;
use crate::revocation::{Builder, Entry, List, MARK_BYTES, Mark, SpreadList};
use std::cell::{Cell, RefCell};
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
/// Which part of the room there is beside for operators.
const RESERVE: usize = 8;

/// What events have revoked, as one worker sees it.
pub struct SharedEvents {
    shared: Box<dyn SharedData>,
    /// How many marks one bucket holds.
    room: usize,
    /// How many it holds beside, of operators.
    reserve: usize,
    /// What this worker has read of each bucket; nothing before the first time.
    seen: RefCell<Vec<Seen>>,
    /// Whether some of it could not be read.
    damage: Cell<Damage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Damage {
    #[default]
    None,
    /// There is some, which has yet to be told.
    Untold,
    Told,
}

/// A bucket that has been read.
struct Seen {
    /// Its number of changes; `None`: it, or the number, could not be read, and it has to be read again.
    changes: Option<u32>,
    /// When it was read.
    at: UnixSeconds,
    list: Rc<List>,
    /// The earliest time at which one of its marks is over; `None`: none is ever.
    next_over: Option<UnixSeconds>,
}

/// Who enters something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enters {
    /// Anyone who may. A user who signs in and out all day long has an issuer fill the room.
    Anyone,
    /// An operator, who has room beside.
    Operator,
}

/// There is no room for one more, or it cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl SharedEvents {
    /// Opens the store, with room for about `entries` entries, and some more for operators. The main thread makes what is missing.
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
        let room = room_of_bucket(entries, BUCKETS);
        let reserve = room.div_ceil(RESERVE);
        let store = Self { shared, room, reserve, seen: RefCell::default(), damage: Cell::default() };
        let is_readable =
            store.changes().is_some() && (0..usize::from(BUCKETS)).all(|place| store.marks(place).is_some());
        if is_readable { Ok(store) } else { Err(OpenError::Unreadable) }
    }

    /// Enters what has been revoked. Returns whether that is more than was known: an event that comes again changes nothing.
    ///
    /// # Errors
    /// When there is no room, or it cannot be written. What was entered before stays.
    pub fn enter(&self, entries: &[Entry], who: Enters, now: UnixSeconds) -> Result<bool, Full> {
        let room = match who {
            Enters::Anyone => self.room,
            Enters::Operator => self.room.saturating_add(self.reserve),
        };
        let mut is_news = false;
        for mark in entries.iter().map(Mark::of).filter(|mark| !mark.is_over(now)) {
            let place = mark.place(usize::from(BUCKETS));
            is_news |= self.enter_one(&mark, place, (room, now))?;
            // Also where it is not new: the worker that entered it may have failed to say so.
            self.count_change(place)?;
        }
        Ok(is_news)
    }

    /// Whether all that is revoked is here: what comes again has come before.
    pub fn knows(&self, entries: &[Entry], now: UnixSeconds) -> bool {
        let is_known = |mark: Mark| {
            let marks = self.marks(mark.place(usize::from(BUCKETS))).unwrap_or_default();
            let known = marks.into_iter().find(|known| known.is_about(&mark));
            known.is_some_and(|mut known| !known.extend(&mark))
        };
        entries.iter().map(Mark::of).filter(|mark| !mark.is_over(now)).all(is_known)
    }

    fn enter_one(&self, mark: &Mark, place: usize, (room, now): (usize, UnixSeconds)) -> Result<bool, Full> {
        let name = bucket_name(place);
        for _ in 0..ATTEMPTS {
            let read = self.shared.read(&name).and_then(|(bytes, seen)| Some((read_bucket(&bytes)?, seen)));
            let Some((mut marks, seen)) = read else {
                // It is found out at the next look, too.
                self.seen.borrow_mut().get_mut(place).into_iter().for_each(|known| known.changes = None);
                return Err(Full);
            };
            // What is over stays while there is room: a clock that was ahead may be set back.
            if marks.len() >= room {
                marks.retain(|mark| !mark.is_over(now));
            }
            let has_room = marks.len() < room;
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
        let changes = self.changes();
        let mut seen = self.seen.borrow_mut();
        let (mut is_news, mut is_damaged) = (seen.is_empty(), changes.is_none());
        for place in 0..usize::from(BUCKETS) {
            let changes = changes.as_ref().and_then(|all| all.get(place).copied());
            let known = seen.get(place);
            if known.is_some_and(|known| known.changes == changes && changes.is_some() && known.holds(now)) {
                continue;
            }
            let read = match (self.read(place, changes, now), known) {
                (Some(read), _) => read,
                (None, known) => {
                    is_damaged = true;
                    // What was seen stays revoked.
                    let list = known.map(|known| Rc::clone(&known.list)).unwrap_or_default();
                    Seen { changes: None, at: now, list, next_over: None }
                }
            };
            // A list that is the same is not a new one: what has been held against it need not be again.
            is_news |= known.is_none_or(|known| known.list.bytes().pieces() != read.list.bytes().pieces());
            match seen.get_mut(place) {
                Some(known) => *known = read,
                None => seen.push(read),
            }
        }
        let is_known = self.damage.get() != Damage::None;
        self.damage.set(match (is_damaged, is_known) {
            (false, _) => Damage::None,
            (true, false) => Damage::Untold,
            (true, true) => self.damage.get(),
        });
        is_news.then(|| Rc::new(SpreadList::new(seen.iter().map(|known| Rc::clone(&known.list)).collect())))
    }

    /// Whether some of it can no longer be read, once for each time that this begins.
    pub fn tells_damage(&self) -> bool {
        let is_untold = self.damage.get() == Damage::Untold;
        if is_untold {
            self.damage.set(Damage::Told);
        }
        is_untold
    }

    fn changes(&self) -> Option<Vec<u32>> {
        self.shared.read(CHANGES).and_then(|(bytes, _)| read_changes(&bytes))
    }

    fn marks(&self, place: usize) -> Option<Vec<Mark>> {
        self.shared.read(&bucket_name(place)).and_then(|(bytes, _)| read_bucket(&bytes))
    }

    fn read(&self, place: usize, changes: Option<u32>, now: UnixSeconds) -> Option<Seen> {
        let marks = self.marks(place)?;
        let (mut builder, mut next_over) = (Builder::new(now), None);
        for mark in marks.iter().filter(|mark| !mark.is_over(now)) {
            builder.add_mark(mark);
            next_over = [next_over, mark.over_at()].into_iter().flatten().min();
        }
        Some(Seen { changes, at: now, list: Rc::new(builder.finish()), next_over })
    }
}

impl Seen {
    /// Whether what was read then is the same now: no mark is over since, and the clock was not set back.
    fn holds(&self, now: UnixSeconds) -> bool {
        self.at <= now && self.next_over.is_none_or(|at| now < at)
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
mod tests;
