use super::*;
use crate::base::time::Seconds;
use crate::facts::Client;
use crate::policy::MAX_CLIENTS;
use std::collections::HashMap;
use std::rc::Rc;

const START: i64 = 1_700_000_000;

type Values = HashMap<String, (Vec<u8>, u32)>;

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Values>>, Rc<Cell<u32>>);

impl SharedData for Memory {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.1.set(self.1.get() + 1);
        self.0.borrow().get(name).cloned()
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        let mut all = self.0.borrow_mut();
        let mark = all.get(name).map_or(0, |(_, mark)| *mark);
        if seen.is_some_and(|seen| seen != mark) {
            return false;
        }
        all.insert(name.to_owned(), (value.to_vec(), mark + 1));
        true
    }

    fn lacks(&self, name: &str) -> bool {
        !self.0.borrow().contains_key(name)
    }
}

fn worker(memory: &Memory) -> SharedSightings {
    SharedSightings::open(Box::new(memory.clone()), 100_000).unwrap()
}

/// What a worker counts when a client of this agent shows a token, so many seconds after the start.
fn see(worker: &SharedSightings, token: &str, agent: &str, seconds: i64) -> Option<Seen> {
    see_told(worker, token, agent, seconds, None)
}

fn see_told(counts: &dyn Sightings, token: &str, agent: &str, seconds: i64, limit: Option<u8>) -> Option<Seen> {
    let client = || Client { network: None, agent: agent.as_bytes(), tls_version: b"", certificate: None };
    let sighting = Sighting {
        space: [7; 10],
        credential: &[token.as_bytes()],
        came_with: &[b"192.0.2.1:1", agent.as_bytes()],
        client: &client,
        window: Seconds(100),
        limit: limit.unwrap_or(MAX_CLIENTS),
        told_above: limit,
    };
    counts.see(&sighting, UnixSeconds(START + seconds))
}

#[expect(clippy::unnecessary_wraps, reason = "what is compared is an Option")]
fn seen(clients: u8, place: u8, is_new: bool) -> Option<Seen> {
    Some(Seen { clients, place, is_new })
}

#[test]
fn clients_of_a_token_are_counted_over_all_workers() {
    let memory = Memory::default();
    let (one, other) = (worker(&memory), worker(&memory));
    assert_eq!(see(&one, "a", "x", 0), seen(1, 1, true));
    assert_eq!(see(&other, "a", "x", 0), seen(1, 1, false), "the same client, at another worker");
    assert_eq!(see(&other, "a", "y", 1), seen(2, 2, true));
    assert_eq!(see(&other, "b", "y", 1), seen(1, 1, true), "another token");
    assert_eq!(see(&one, "a", "z", 2), seen(3, 3, true));
}

#[test]
fn what_a_worker_has_counted_it_does_not_ask_about_for_a_quarter_of_the_window() {
    let memory = Memory::default();
    let one = worker(&memory);
    see(&one, "a", "x", 0);
    let reads = memory.1.get();
    assert_eq!(see(&one, "a", "x", 24), seen(1, 1, false));
    assert_eq!(memory.1.get(), reads);
    assert_eq!(see(&one, "a", "x", 25), seen(1, 1, false));
    assert_eq!(memory.1.get(), reads + 1);
}

#[test]
fn a_client_counts_for_the_window_after_its_last_request_and_at_most_a_quarter_longer() {
    let memory = Memory::default();
    let one = worker(&memory);
    see(&one, "a", "x", 0);
    // The note of the worker holds: nothing is written.
    see(&one, "a", "x", 24);
    assert_eq!(see(&one, "a", "y", 124), seen(2, 2, true));
    assert_eq!(see(&one, "a", "z", 125), seen(2, 2, true), "the first client is forgotten");
}

#[test]
fn what_is_above_the_limit_all_workers_know_when_they_listen() {
    let memory = Memory::default();
    let (one, other) = (worker(&memory), worker(&memory));
    assert_eq!(see_told(&one, "a", "x", 0, Some(1)), seen(1, 1, true));
    assert_eq!(see_told(&other, "a", "y", 0, Some(1)), seen(2, 2, true));
    assert_eq!(see_told(&one, "a", "x", 1, Some(1)), seen(1, 1, false), "it has not listened");
    one.listen(UnixSeconds(START + 1));
    assert_eq!(see_told(&one, "a", "x", 1, Some(1)), seen(2, 1, false));
    assert_eq!(see_told(&one, "b", "x", 1, Some(1)), seen(1, 1, true), "of other tokens nothing was told");
}

#[test]
fn a_client_that_is_alone_again_passes_with_every_request() {
    let memory = Memory::default();
    let one = worker(&memory);
    let alone = |seconds| see_told(&one, "a", "x", seconds, Some(1));
    assert_eq!(alone(0), seen(1, 1, true));
    see_told(&one, "a", "y", 1, Some(1));
    // Each count tells the others anew, until the other client is forgotten.
    for seconds in [25, 50, 75, 100, 125] {
        assert_eq!(alone(seconds), seen(2, 1, false), "{seconds}");
    }
    for seconds in [150, 151, 160] {
        assert_eq!(alone(seconds), seen(1, 1, false), "{seconds}");
    }
}

#[test]
fn one_client_more_is_new_until_a_request_of_it_has_been_told_of() {
    let memory = Memory::default();
    let one = worker(&memory);
    let ask =
        |own: &RequestSightings| see_told(&OfRequest { all: Some(&one), own }, "a", "", 0, Some(0)).unwrap().is_new;
    let [waits, ends, told, later] = [(); 4].map(|()| RequestSightings::default());
    assert!(ask(&waits) && ask(&ends));
    assert!(ask(&told) && ask(&told));
    one.note_told(&told);
    assert!(!ask(&later));
    one.note_told(&waits);
    assert!(!ask(&RequestSightings::default()));
}

#[test]
fn what_has_no_room_is_not_counted_and_that_is_told() {
    let memory = Memory::default();
    let one = SharedSightings { room: 2, ..worker(&memory) };
    let all: Vec<_> = (0..20_000).map(|number| see(&one, &number.to_string(), "x", 0)).collect();
    let uncounted = all.iter().filter(|seen| seen.is_none()).count();
    assert!(uncounted > 0 && all.iter().any(Option::is_some));
    assert_eq!(usize::try_from(one.take_uncounted()).unwrap(), uncounted);
    assert_eq!(one.take_uncounted(), 0);
    let full = all.iter().position(Option::is_none).unwrap().to_string();
    assert!(see(&one, &full, "x", 125).is_some(), "what is over makes room");
}

#[test]
fn bytes_that_another_plugin_wrote_count_nothing() {
    let memory = Memory::default();
    let one = worker(&memory);
    let names: Vec<String> = memory.0.borrow().keys().cloned().collect();
    assert!(names.iter().all(|name| memory.write(name, b"other", None)));
    assert_eq!(see_told(&one, "a", "x", 0, Some(0)), None);
    one.listen(UnixSeconds(START));
    assert_eq!(SharedSightings::open(Box::new(memory), 1).err(), Some(OpenError::Unreadable));
}

#[test]
fn a_request_counts_once_however_often_it_is_judged() {
    let memory = Memory::default();
    let (one, own) = (worker(&memory), RequestSightings::default());
    let of_request = OfRequest { all: Some(&one), own: &own };
    let twice = [0, 1].map(|_| see_told(&of_request, "a", "", 0, None));
    assert_eq!(twice, [seen(1, 1, true); 2]);
    see(&one, "b", "another", 0);
    assert_eq!(see_told(&of_request, "b", "", 0, None), seen(2, 2, true), "for each credential by itself");
    let none = OfRequest { all: None, own: &RequestSightings::default() };
    assert_eq!(see_told(&none, "a", "", 0, None), None);
}

#[test]
fn names_in_shared_data_tell_neither_tokens_nor_clients() {
    let memory = Memory::default();
    see(&worker(&memory), "some-token", "some-agent", 0);
    for (name, (value, _)) in memory.0.borrow().iter() {
        let text = [name.as_bytes(), value].concat();
        assert!(!text.windows(4).any(|part| part == b"some" || part == b"192."), "{name}");
    }
}
