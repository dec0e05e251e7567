//! What this worker has counted: a table of fixed size, in which a later pair takes the place of an earlier one.

use std::cell::RefCell;

/// How many pairs are remembered.
const SLOTS: u16 = 4096;

/// That a pair of credential and client has been counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Note {
    /// The tag of the pair.
    pub pair: u64,
    /// The tag of the credential.
    pub credential: u64,
    /// How many clients it had.
    pub clients: u8,
    /// The place of this one.
    pub place: u8,
    /// From when on it has to be counted anew.
    pub until: u32,
}

/// The table, which takes memory from the first note on.
#[derive(Debug, Default)]
pub struct Notes(RefCell<Vec<Note>>);

impl Notes {
    /// What was noted of a pair, while it holds.
    pub fn find(&self, slot: u16, pair: u64, now: u32) -> Option<Note> {
        let note = *self.0.borrow().get(usize::from(slot % SLOTS))?;
        (note.pair == pair && now < note.until).then_some(note)
    }

    /// Notes a pair.
    pub fn keep(&self, slot: u16, note: Note) {
        let mut notes = self.0.borrow_mut();
        if notes.is_empty() {
            notes.resize(SLOTS.into(), Note::default());
        }
        notes.get_mut(usize::from(slot % SLOTS)).into_iter().for_each(|place| *place = note);
    }
}
