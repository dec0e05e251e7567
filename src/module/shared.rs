//! What all threads of the process share: values under names, each name within the space of one filter name.

use crate::base::shared_data::SharedData;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A value, and the mark of this value. Never 0, which means that the writer has seen none.
type Marked = (Arc<[u8]>, u32);

static VALUES: Mutex<Option<HashMap<String, Marked>>> = Mutex::new(None);

/// How often something has been written that gates have to know before they judge: an event, or a document.
static NEWS: AtomicU64 = AtomicU64::new(0);

/// How much news there has been: a gate that has seen less has to look.
pub fn news() -> u64 {
    NEWS.load(Ordering::Acquire)
}

fn is_news(name: &str) -> bool {
    let is_event = name.strip_prefix("scopegate/events/").is_some_and(|rest| !rest.starts_with("poll/"));
    is_event || name.ends_with("/state")
}

/// The values of a space.
#[derive(Debug)]
pub struct Space {
    prefix: String,
}

impl Space {
    /// The space of the filters of this name.
    pub fn new(name: &str) -> Self {
        Self { prefix: format!("{name}\0") }
    }

    fn within<R>(&self, name: &str, act: impl FnOnce(&mut HashMap<String, Marked>, String) -> R) -> R {
        let full = [&self.prefix, name].concat();
        let mut values = VALUES.lock().unwrap_or_else(PoisonError::into_inner);
        act(values.get_or_insert_with(HashMap::new), full)
    }
}

impl SharedData for Space {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        // A long value is copied when the others may go on.
        let (value, mark) = self.within(name, |values, name| values.get(&name).cloned())?;
        Some((value.to_vec(), mark))
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        let new = Arc::from(value);
        let is_written = self.within(name, |values, name| match (values.get_mut(&name), seen) {
            (Some((_, mark)), Some(seen)) if *mark != seen => false,
            (Some(held), _) => {
                *held = (new, held.1.checked_add(1).unwrap_or(1));
                true
            }
            (None, _) => values.insert(name, (new, 1)).is_none(),
        });
        if is_written && is_news(name) {
            NEWS.fetch_add(1, Ordering::AcqRel);
        }
        is_written
    }

    fn lacks(&self, name: &str) -> bool {
        self.within(name, |values, name| !values.contains_key(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_replaced_only_by_one_who_has_seen_it() {
        let space = Space::new("replaced");
        assert!(space.lacks("a") && space.read("a").is_none());
        assert!(space.write("a", b"1", None));
        let (value, mark) = space.read("a").expect("a value");
        assert_eq!(value, b"1");
        assert!(space.write("a", b"2", Some(mark)));
        assert!(!space.write("a", b"3", Some(mark)), "another has written since");
        assert!(space.write("a", b"4", None), "without a mark it is written over");
        assert_eq!(space.read("a").expect("a value").0, b"4");
        assert!(!space.lacks("a"));
    }

    #[test]
    fn events_and_documents_are_news_and_what_each_request_writes_is_none() {
        for name in ["scopegate/events/changes", "scopegate/events/7", "https://idp.example.com/keys/state"] {
            assert!(is_news(name), "{name}");
        }
        for name in
            ["scopegate/replay/jti/4", "scopegate/reuse/4", "scopegate/events/poll/a/lease", "a/lease", "a/body/0"]
        {
            assert!(!is_news(name), "{name}");
        }
        let before = news();
        assert!(Space::new("news").write("scopegate/events/changes", b"1", None));
        assert!(news() > before);
    }

    #[test]
    fn filters_of_another_name_see_nothing_of_it() {
        assert!(Space::new("one").write("a", b"1", None));
        assert!(Space::new("two").lacks("a"));
        assert!(!Space::new("one").lacks("a"));
    }
}
