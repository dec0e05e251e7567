//! What would be shared data, where the workers of a process share nothing.

use crate::base::shared_data::SharedData;
use std::cell::RefCell;

/// The data of one worker alone, for a process whose workers share nothing. It holds a few values for each document.
#[derive(Debug, Default)]
pub struct LocalData(RefCell<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    name: String,
    value: Vec<u8>,
    mark: u32,
}

impl SharedData for LocalData {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().iter().find(|entry| entry.name == name).map(|entry| (entry.value.clone(), entry.mark))
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        let mut entries = self.0.borrow_mut();
        match entries.iter_mut().find(|entry| entry.name == name) {
            Some(entry) if seen.is_some_and(|seen| seen != entry.mark) => return false,
            Some(entry) => {
                value.clone_into(&mut entry.value);
                entry.mark = entry.mark.wrapping_add(1).max(1);
            }
            None => entries.push(Entry { name: name.to_owned(), value: value.to_vec(), mark: 1 }),
        }
        true
    }

    fn lacks(&self, name: &str) -> bool {
        !self.0.borrow().iter().any(|entry| entry.name == name)
    }

    fn remove(&self, name: &str) {
        self.0.borrow_mut().retain(|entry| entry.name != name);
    }
}
