//! Shared data as Envoy has it: one map for all threads, values written over with the mark that was read, nothing deleted.

use scopegate::base::shared_data::SharedData;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// The data, for one thread: clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    values: Arc<Mutex<Values>>,
    /// Lets others come in between at some accesses, by this chance; 0: at none.
    chance: u64,
}

#[derive(Clone, Debug, Default)]
struct Values {
    by_name: HashMap<String, (Vec<u8>, u32)>,
    marks: u32,
    last: String,
}

impl Shared {
    /// The same data, for a thread that others come in between.
    pub fn hesitant(&self, chance: u64) -> Self {
        Self { values: Arc::clone(&self.values), chance }
    }

    /// Other data with the same values.
    pub fn copy(&self) -> Self {
        Self { values: Arc::new(Mutex::new(self.values().clone())), chance: 0 }
    }

    /// The names of all values.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.values().by_name.keys().cloned().collect();
        names.sort();
        names
    }

    /// The value of a name that is there.
    pub fn value(&self, name: &str) -> Vec<u8> {
        self.values().by_name[name].0.clone()
    }

    /// Makes a value never have been there.
    pub fn forget(&self, name: &str) {
        self.values().by_name.remove(name).unwrap();
    }

    /// How often something has been written.
    pub fn written(&self) -> u32 {
        self.values().marks
    }

    /// What was written last.
    pub fn last_written(&self) -> String {
        self.values().last.clone()
    }

    /// The bytes of all names and values.
    pub fn bytes(&self) -> usize {
        self.values().by_name.iter().map(|(name, (value, _))| name.len() + value.len()).sum()
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap()
    }

    fn hesitate(&self) {
        if self.chance != 0 {
            // The place in the sequence of writes is as good a chance as any.
            let turn = (u64::from(self.written()) + self.chance).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (0..turn >> 62).for_each(|_| thread::yield_now());
        }
    }
}

impl SharedData for Shared {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.hesitate();
        self.values().by_name.get(name).cloned()
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        self.hesitate();
        let mut values = self.values();
        let there = values.by_name.get(name).map(|(_, mark)| *mark);
        if seen.is_some() && there.is_some() && there != seen {
            return false;
        }
        values.marks += 1;
        let mark = values.marks;
        name.clone_into(&mut values.last);
        values.by_name.insert(name.to_owned(), (value.to_vec(), mark));
        true
    }

    fn lacks(&self, name: &str) -> bool {
        !self.values().by_name.contains_key(name)
    }
}
