use super::*;
use crate::revocation::{EntryKind, Revocable, Revocations};
use std::borrow::Cow;
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
    assert_eq!(one.enter(&entry("a"), Enters::Anyone, NOW), Ok(true));
    assert_eq!(other.listen(NOW).map(|list| list.entries()), Some(1));
    assert_eq!(one.enter(&entry("a"), Enters::Anyone, NOW), Ok(false), "it is known");
    assert!(other.listen(NOW).is_none(), "nothing has changed");
    assert_eq!(other.listen(UnixSeconds(2_000)).map(|list| list.entries()), Some(0), "it is over");
}

#[test]
fn an_event_that_comes_again_after_a_failure_is_told_to_all() {
    let shared = Shared::default();
    let (one, other, third) = (worker(&shared), worker(&shared), worker(&shared));
    other.listen(NOW);
    shared.broken.replace(Some(CHANGES));
    assert_eq!(one.enter(&entry("a"), Enters::Anyone, NOW), Err(Full), "the others do not know of it");
    assert!(other.listen(NOW).is_none());
    shared.broken.replace(None);
    assert_eq!(third.enter(&entry("a"), Enters::Anyone, NOW), Ok(false));
    assert_eq!(other.listen(NOW).map(|list| list.entries()), Some(1));
}

#[test]
fn what_says_more_than_was_entered_is_not_known() {
    let shared = Shared::default();
    let (one, other) = (worker(&shared), worker(&shared));
    let user = |before, until| [Entry::subject("i".into(), "u".into(), UnixSeconds(before)).until(UnixSeconds(until))];
    assert!(!one.knows(&user(500, 2_000), NOW));
    assert_eq!(one.enter(&user(500, 2_000), Enters::Anyone, NOW), Ok(true));
    let known = [(500, 2_000), (400, 2_000), (501, 2_000), (500, 2_001)];
    assert_eq!(known.map(|(before, until)| other.knows(&user(before, until), NOW)), [true, true, false, false]);
    assert!(!other.knows(&[user(500, 2_000), entry("a")].concat(), NOW), "one of two");
    assert!(other.knows(&[], NOW) && other.knows(&entry("a"), UnixSeconds(2_000)), "what revokes nothing");
}

#[test]
fn a_full_store_refuses_and_keeps_what_it_has() {
    let shared = Shared::default();
    let store = worker(&shared);
    let names = (0..10_000).map(|number| number.to_string());
    let kept = names.filter(|name| store.enter(&entry(name), Enters::Anyone, NOW).is_ok()).count();
    assert!((100..10_000).contains(&kept), "{kept}");
    assert_eq!(store.listen(NOW).map(|list| list.entries()), Some(kept));
    assert_eq!(store.enter(&entry("0"), Enters::Anyone, NOW), Ok(false), "what is known finds its room");
}

#[test]
fn a_store_that_others_have_filled_has_room_for_operators_and_not_without_end() {
    let shared = Shared::default();
    let store = worker(&shared);
    let filled = |who, from: u32| {
        (from..from + 10_000).filter(|number| store.enter(&entry(&number.to_string()), who, NOW).is_ok()).count()
    };
    let others = filled(Enters::Anyone, 0);
    assert!(filled(Enters::Anyone, 10_000) == 0, "it is full");
    let operators = filled(Enters::Operator, 20_000);
    assert!(operators >= usize::from(BUCKETS) && operators <= others / 4, "{operators} beside {others}");
    assert_eq!(store.enter(&entry("x"), Enters::Operator, NOW), Err(Full));
    assert_eq!(filled(Enters::Anyone, 30_000), 0);
}

/// A token of a session, or of a user since some time.
struct Holder<'n>(EntryKind, &'n str, Option<UnixSeconds>);

impl Revocable for Holder<'_> {
    fn iss(&self) -> &'static str {
        "i"
    }

    fn name(&self, kind: EntryKind) -> Option<Cow<'_, str>> {
        (kind == self.0).then_some(self.1.into())
    }

    fn issued_at(&self) -> Option<UnixSeconds> {
        self.2
    }
}

fn means(list: &Rc<SpreadList>, holder: &Holder<'_>) -> bool {
    Revocations::none().followed_by(Vec::new(), Some(Rc::clone(list)), true).find(holder).is_some()
}

/// Whether a token of this session is revoked.
fn has(list: &Rc<SpreadList>, session: &str) -> bool {
    means(list, &Holder(EntryKind::Session, session, None))
}

fn bucket_of(name: &str) -> String {
    bucket_name(Mark::of(&entry(name)[0]).place(usize::from(BUCKETS)))
}

fn write_over(shared: &Shared, name: &str, bytes: &[u8]) {
    assert!(shared.write(name, bytes, None));
}

#[test]
fn what_another_plugin_wrote_over_un_revokes_nothing_and_is_told_once() {
    for bytes in [&b""[..], b"sgE", b"sgE1short", b"another plugin's, longer than any of ours", &[0; 33]] {
        let shared = Shared::default();
        let (one, other) = (worker(&shared), worker(&shared));
        assert_ne!(bucket_of("a"), bucket_of("b"));
        one.enter(&entry("a"), Enters::Anyone, NOW).expect("room");
        for worker in [&one, &other] {
            assert!(has(&worker.listen(NOW).expect("a list"), "a"));
        }
        write_over(&shared, &bucket_of("a"), bytes);
        assert!(one.listen(NOW).is_none() && !one.tells_damage(), "no worker has looked");
        assert_eq!(
            one.enter(&entry("a"), Enters::Anyone, NOW),
            Err(Full),
            "not stored again, and the sender is told so"
        );
        assert_eq!(one.enter(&entry("b"), Enters::Anyone, NOW), Ok(true), "another bucket is another matter");
        let list = one.listen(NOW).expect("there is more");
        assert!(has(&list, "a") && has(&list, "b") && list.entries() == 2);
        assert!(one.tells_damage() && !one.tells_damage());
        assert_eq!(shared.read(&bucket_of("a")).expect("a value").0, bytes, "it is left as it is");
        one.enter(&entry("b"), Enters::Anyone, NOW).expect("room");
        assert!(one.listen(NOW).is_none() && !one.tells_damage(), "it is as before");
        assert!(has(&other.listen(UnixSeconds(1_999)).expect("there is more"), "a"));
        assert!(
            other.listen(UnixSeconds(2_000)).is_some_and(|list| has(&list, "a")),
            "when it cannot be read, it stays"
        );
        assert!(other.tells_damage());
        let opened = SharedEvents::open(Box::new(shared.clone()), 100);
        assert_eq!(opened.map(drop), Err(OpenError::Unreadable), "a worker that has seen nothing does not begin");
    }
}

#[test]
fn where_the_numbers_of_changes_are_written_over_workers_look_each_time_and_nothing_is_answered_as_stored() {
    let shared = Shared::default();
    let (one, other) = (worker(&shared), worker(&shared));
    other.listen(NOW);
    one.enter(&entry("a"), Enters::Anyone, NOW).expect("room");
    write_over(&shared, CHANGES, b"?");
    assert!(has(&other.listen(NOW).expect("a list"), "a"), "what had been answered as stored");
    assert!(other.tells_damage());
    assert_eq!(one.enter(&entry("b"), Enters::Anyone, NOW), Err(Full));
    assert!(has(&other.listen(NOW).expect("a list"), "b"), "stored all the same");
    assert!(other.listen(NOW).is_none() && !other.tells_damage());
    assert_eq!(SharedEvents::open(Box::new(shared), 100).map(drop), Err(OpenError::Unreadable));
}

#[test]
fn what_is_read_again_after_damage_is_told_when_it_breaks_again() {
    let shared = Shared::default();
    let store = worker(&shared);
    store.listen(NOW);
    for _ in 0..2 {
        write_over(&shared, &bucket_of("a"), b"?");
        assert_eq!(store.enter(&entry("a"), Enters::Anyone, NOW), Err(Full));
        store.listen(NOW);
        assert!(store.tells_damage());
        write_over(&shared, &bucket_of("a"), &FORM);
        store.listen(NOW);
        assert!(!store.tells_damage());
    }
}

#[test]
fn the_later_times_hold_whatever_comes_first() {
    let user = |before: i64, until: i64| {
        [Entry::subject("i".into(), "alice".into(), UnixSeconds(before)).until(UnixSeconds(until))]
    };
    for order in [[(500, 2_000), (900, 3_000)], [(900, 3_000), (500, 2_000)], [(900, 2_000), (500, 3_000)]] {
        let shared = Shared::default();
        let (one, other) = (worker(&shared), worker(&shared));
        for (before, until) in order {
            one.enter(&user(before, until), Enters::Anyone, NOW).expect("room");
        }
        let list = other.listen(UnixSeconds(2_999)).expect("a list");
        let holder = |issued_at| Holder(EntryKind::Subject, "alice", issued_at);
        assert!(means(&list, &holder(Some(UnixSeconds(899)))) && means(&list, &holder(None)), "{order:?}");
        assert!(!means(&list, &holder(Some(UnixSeconds(900)))), "{order:?}");
        assert_eq!(other.listen(UnixSeconds(3_000)).map(|list| list.entries()), Some(0), "{order:?}: all is over");
    }
}

#[test]
fn what_is_over_is_not_entered_and_what_has_no_end_stays() {
    let shared = Shared::default();
    let store = worker(&shared);
    assert_eq!(store.enter(&entry("a"), Enters::Anyone, UnixSeconds(2_000)), Ok(false));
    assert_eq!(store.listen(NOW).map(|list| list.entries()), Some(0));
    let for_good = [Entry::session("i".into(), "b".into())];
    assert_eq!(store.enter(&for_good, Enters::Anyone, NOW), Ok(true));
    assert!(store.listen(UnixSeconds(i64::MAX)).is_some_and(|list| has(&list, "b")));
}

#[test]
fn a_clock_that_was_ahead_and_is_set_back_un_revokes_nothing() {
    let shared = Shared::default();
    let (one, other) = (worker(&shared), worker(&shared));
    one.enter(&entry("a"), Enters::Anyone, NOW).expect("room");
    let far = UnixSeconds(5_000);
    assert_eq!(other.listen(far).map(|list| list.entries()), Some(0));
    // What is entered then is written beside it.
    let names = (0..1_000).map(|number| number.to_string()).filter(|name| bucket_of(name) == bucket_of("a"));
    let late: Vec<_> = names.map(|name| Entry::session("i".into(), name).until(UnixSeconds(9_000))).collect();
    assert!(!late.is_empty());
    one.enter(&late, Enters::Anyone, far).expect("room");
    other.listen(far);
    assert!(has(&other.listen(NOW).expect("the clock is another"), "a"));
}

#[test]
fn what_is_over_makes_room() {
    let shared = Shared::default();
    let store = worker(&shared);
    let until = |number: usize, at| [Entry::session("i".into(), number.to_string()).until(UnixSeconds(at))];
    let kept = (0..20_000).filter(|number| store.enter(&until(*number, 2_000), Enters::Anyone, NOW).is_ok()).count();
    let again = (20_000..40_000)
        .filter(|number| store.enter(&until(*number, 4_000), Enters::Anyone, UnixSeconds(2_000)).is_ok());
    assert_eq!(again.count(), kept);
    assert_eq!(store.listen(UnixSeconds(2_000)).map(|list| list.entries()), Some(kept));
}

#[test]
fn of_entries_that_find_no_room_together_those_that_did_are_told_to_all() {
    let shared = Shared::default();
    let (one, other) = (worker(&shared), worker(&shared));
    other.listen(NOW);
    let many: Vec<_> = (0..20_000).map(|number| Entry::session("i".into(), number.to_string())).collect();
    assert_eq!(one.enter(&many, Enters::Anyone, NOW), Err(Full));
    assert!(other.listen(NOW).is_some_and(|list| has(&list, "0")));
}
