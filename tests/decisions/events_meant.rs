//! What events mean, held against a model that is written anew, and what workers make of them together.

use crate::event_world::{LOGOUT, OPERATION, OPERATOR, PATH, SESSION_REVOKED, push_set};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, Token};
use crate::support::random::Random;
use crate::support::shared::Shared;
use crate::world::{Ask, DEMO, NOW, OTHER, get, policy};
use scopegate::base::time::UnixSeconds;
use scopegate::decision::{Decision, Reason};
use scopegate::event_store::{Enters, SharedEvents};
use scopegate::policy::Policy;
use scopegate::revocation::{Entry, EntryKind, Revocable, Revocations, SpreadList};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::rc::Rc;
use std::thread;

const OTHERS: &str = "https://other.example.com/";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// Two issuers that send events, and an operator.
fn both() -> Policy {
    let issuer = |name: &str, iss: &str, keys: Value| json!({ "issuer": iss, "name": name, "audiences": [AUDIENCE], "jwks": { "inline": keys } });
    policy(&json!({
        "issuers": [issuer("demo", ISSUER, DEMO.jwks()), issuer("other", OTHERS, OTHER.jwks())],
        "events": {
            "path": PATH,
            "issuers": { "demo": { "audience": "g" }, "other": { "audience": "g" } },
            "operators": { "ops": { "audience": "g", "signed_by": OPERATOR.jwks() } },
        },
    }))
}

/// A token, as the model sees it.
#[derive(Clone, Debug)]
struct Shown {
    iss: &'static str,
    sub: &'static str,
    sid: Option<&'static str>,
    jti: Option<&'static str>,
    iat: Option<i64>,
}

/// Whom an event is about.
#[derive(Clone, Debug)]
enum About {
    User(&'static str, &'static str),
    Token(&'static str, &'static str),
    Session(&'static str),
    SessionOf(&'static str, &'static str, &'static str),
    UserOnDevice(&'static str, &'static str),
    Several(Vec<Self>),
    Mail,
}

#[derive(Clone, Debug)]
enum What {
    Revoked(About),
    LoggedOut {
        sub: Option<&'static str>,
        sid: Option<&'static str>,
    },
    Verified(About),
    /// An operator's: of a user, a session or a token of this issuer.
    Operated(About),
}

#[derive(Clone, Debug)]
struct Event {
    by: &'static str,
    iat: i64,
    what: What,
}

impl About {
    /// Whether it means a token, by the word of `by` at `iat`.
    fn means(&self, token: &Shown, by: &str, iat: i64) -> bool {
        let is_own = |iss: &str| iss == by && token.iss == by;
        let is_older = token.iat.is_none_or(|at| at <= iat);
        match self {
            Self::User(iss, sub) | Self::UserOnDevice(iss, sub) => is_own(iss) && token.sub == *sub && is_older,
            Self::Token(iss, jti) => is_own(iss) && token.jti == Some(*jti),
            Self::Session(sid) | Self::SessionOf(sid, ..) => token.iss == by && token.sid == Some(*sid),
            Self::Several(all) => all.iter().any(|one| one.means(token, by, iat)),
            Self::Mail => false,
        }
    }

    fn written(&self) -> Value {
        let user = |iss: &str, sub: &str| json!({ "format": "iss_sub", "iss": iss, "sub": sub });
        let opaque = |id: &str| json!({ "format": "opaque", "id": id });
        match self {
            Self::User(iss, sub) => user(iss, sub),
            Self::Token(iss, jti) => json!({ "format": "jwt_id", "iss": iss, "jti": jti }),
            Self::Session(sid) => json!({ "format": "complex", "session": opaque(sid) }),
            Self::SessionOf(sid, iss, sub) => json!({ "session": opaque(sid), "user": user(iss, sub) }),
            Self::UserOnDevice(iss, sub) => {
                json!({ "format": "complex", "user": user(iss, sub), "device": opaque("d") })
            }
            Self::Several(all) => {
                json!({ "format": "aliases", "identifiers": all.iter().map(Self::written).collect::<Vec<_>>() })
            }
            Self::Mail => json!({ "format": "email", "email": "u-0@example.com" }),
        }
    }

    fn entry(&self, iat: i64) -> Value {
        match self {
            Self::User(iss, sub) => json!({ "iss": iss, "sub": sub, "issued_before": iat + 1 }),
            Self::Token(iss, jti) => json!({ "iss": iss, "jti": jti }),
            _ => panic!("no entry of an operator"),
        }
    }
}

impl Event {
    fn means(&self, token: &Shown) -> bool {
        match &self.what {
            What::Revoked(about) => about.means(token, self.by, self.iat),
            What::LoggedOut { sid: Some(sid), .. } => token.iss == self.by && token.sid == Some(*sid),
            What::LoggedOut { sub, .. } => {
                token.iss == self.by && Some(token.sub) == *sub && token.iat.is_none_or(|at| at <= self.iat)
            }
            What::Verified(_) => false,
            What::Operated(about) => about.means(token, token.iss, self.iat),
        }
    }

    fn signed(&self) -> Ask {
        let issuer: &'static Issuer = match self.by {
            ISSUER => &DEMO,
            OTHERS => &OTHER,
            _ => &OPERATOR,
        };
        let token = issuer.token(self.iat).header("typ", "secevent+jwt").claim("iss", self.by).claim("aud", "g");
        let token =
            token.claim("jti", "e").claim("sub", Value::Null).claim("exp", Value::Null).claim("scope", Value::Null);
        let about = |token: Token<'static>, typ: &str, about: &About| {
            token.claim("events", json!({ typ: {} })).claim("sub_id", about.written())
        };
        push_set(match &self.what {
            What::Revoked(subject) => about(token, SESSION_REVOKED, subject),
            What::Verified(subject) => about(token, VERIFICATION, subject),
            What::LoggedOut { sub, sid } => {
                token.claim("events", json!({ LOGOUT: {} })).claim("sub", json!(sub)).claim("sid", json!(sid))
            }
            What::Operated(about) => token.claim("events", json!({ OPERATION: about.entry(self.iat) })),
        })
    }
}

const SUBS: [&str; 3] = ["u-0", "u-1", "u-2"];
const SIDS: [&str; 3] = ["s-0", "s-1", "s-2"];
const JTIS: [&str; 3] = ["t-0", "t-1", "t-2"];
const ISSUERS: [&str; 2] = [ISSUER, OTHERS];

fn some(random: &mut Random, names: &[&'static str]) -> Option<&'static str> {
    (!random.chance(3)).then(|| random.of(names))
}

fn a_user(random: &mut Random) -> About {
    About::User(random.of(&ISSUERS), random.of(&SUBS))
}

fn a_token(random: &mut Random) -> About {
    About::Token(random.of(&ISSUERS), random.of(&JTIS))
}

fn about(random: &mut Random) -> About {
    match random.below(8) {
        0 | 1 => a_user(random),
        2 => a_token(random),
        3 => About::Session(random.of(&SIDS)),
        4 => About::SessionOf(random.of(&SIDS), random.of(&ISSUERS), random.of(&SUBS)),
        5 => About::UserOnDevice(random.of(&ISSUERS), random.of(&SUBS)),
        6 => About::Several(vec![a_user(random), About::Mail, a_token(random)]),
        _ => About::Mail,
    }
}

fn event(random: &mut Random) -> Event {
    // Few times, so that many are the same.
    let iat = NOW - i64::try_from(random.below(4)).unwrap();
    let (by, what) = match random.below(8) {
        0..=3 => (random.of(&ISSUERS), What::Revoked(about(random))),
        4 => {
            let (sub, sid) = (random.of(&SUBS), some(random, &SIDS));
            (random.of(&ISSUERS), What::LoggedOut { sub: Some(sub).filter(|_| sid.is_none() || random.chance(2)), sid })
        }
        5 => (random.of(&ISSUERS), What::Verified(about(random))),
        6 => ("ops", What::Operated(a_user(random))),
        _ => ("ops", What::Operated(a_token(random))),
    };
    Event { by, iat, what }
}

fn shown(random: &mut Random) -> Shown {
    Shown {
        iss: random.of(&ISSUERS),
        sub: random.of(&SUBS),
        sid: some(random, &SIDS),
        jti: some(random, &JTIS),
        iat: (!random.chance(5)).then(|| NOW - i64::try_from(random.below(6)).unwrap()),
    }
}

impl Revocable for Shown {
    fn iss(&self) -> &'static str {
        self.iss
    }

    fn name(&self, kind: EntryKind) -> Option<Cow<'_, str>> {
        let name = match kind {
            EntryKind::Subject => Some(self.sub),
            EntryKind::Session => self.sid,
            EntryKind::TokenId => self.jti,
            _ => None,
        };
        name.map(Cow::Borrowed)
    }

    fn issued_at(&self) -> Option<UnixSeconds> {
        self.iat.map(UnixSeconds)
    }
}

impl Shown {
    fn ask(&self) -> Ask {
        let issuer: &Issuer = if self.iss == ISSUER { &DEMO } else { &OTHER };
        let token = issuer.token(NOW).claim("iss", self.iss).claim("sub", self.sub).claim("iat", json!(self.iat));
        get("/orders").bearer(token.claim("sid", json!(self.sid)).claim("jti", json!(self.jti)).sign())
    }
}

fn open(shared: &Shared) -> SharedEvents {
    SharedEvents::open(Box::new(shared.clone()), 10_000).unwrap()
}

fn known(list: &Rc<SpreadList>) -> Revocations {
    Revocations::none().followed_by(Vec::new(), Some(Rc::clone(list)), true)
}

/// Tells workers of events, each one of them at random, and gives what another one then knows.
fn tell(all: &[Vec<Entry>], random: &mut Random) -> Revocations {
    let shared = Shared::default();
    let workers = [open(&shared), open(&shared), open(&shared)];
    let last = open(&shared);
    for entries in all {
        workers[random.below(3)].enter(entries, Enters::Anyone, UnixSeconds(NOW)).unwrap();
        if random.chance(2) {
            workers[random.below(3)].listen(UnixSeconds(NOW));
        }
    }
    known(&last.listen(UnixSeconds(NOW)).unwrap())
}

#[test]
fn a_token_is_revoked_exactly_where_an_event_means_it_in_whatever_order_and_however_often_they_come() {
    let policy = both();
    let mut random = Random::new(Random::seed(17));
    let mut counts = [0, 0];
    for round in 0..40 {
        let events: Vec<Event> = (0..=random.below(12)).map(|_| event(&mut random)).collect();
        let mut entries = Vec::new();
        for event in &events {
            match event.signed().decide(&policy) {
                Decision::Receive(received) => entries.push(received.entries),
                other => panic!("round {round}: {event:?}: {other:?}"),
            }
        }
        let once = tell(&entries, &mut random);
        let mut again: Vec<Vec<Entry>> = entries.iter().rev().chain(&entries).cloned().collect();
        again.rotate_left(random.below(entries.len()));
        let often = tell(&again, &mut random);
        for number in 0..300 {
            let token = shown(&mut random);
            let wanted = events.iter().any(|event| event.means(&token));
            counts[usize::from(wanted)] += 1;
            for (case, revocations) in [("once", &once), ("often", &often)] {
                assert_eq!(
                    revocations.find(&token).is_some(),
                    wanted,
                    "round {round}, {case}: {token:?} after {events:?}"
                );
                // Signing takes longer than all of this.
                if number >= 10 {
                    continue;
                }
                let ask = Ask { revocations: Some(revocations.clone()), ..token.ask() };
                let is_revoked = match ask.decide(&policy) {
                    Decision::Allow(_) => false,
                    Decision::Deny(refusal) if refusal.denial.reason() == Reason::Revoked => true,
                    other => panic!("{token:?}: {other:?}"),
                };
                assert_eq!(is_revoked, wanted, "round {round}, {case}: {token:?} after {events:?}");
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

/// A token of this kind and name, of the issuer.
struct Holder(EntryKind, String, Option<UnixSeconds>);

impl Revocable for Holder {
    fn iss(&self) -> &'static str {
        ISSUER
    }

    fn name(&self, kind: EntryKind) -> Option<Cow<'_, str>> {
        (kind == self.0).then_some((&self.1).into())
    }

    fn issued_at(&self) -> Option<UnixSeconds> {
        self.2
    }
}

#[test]
fn what_was_answered_as_stored_is_never_lost_however_workers_come_in_between() {
    const THREADS: i64 = 8;
    const NAMES: i64 = 40;
    for seed in 1..=4_i64 {
        let shared = Shared::default();
        open(&shared);
        let workers: Vec<_> = (0..THREADS)
            .map(|number| {
                let shared = shared.hesitant(u64::try_from(seed * 1_000_003 + number).unwrap());
                thread::spawn(move || {
                    let store = open(&shared);
                    let step = [1, 7, 11, 13][usize::try_from((number + seed) % 4).unwrap()];
                    let mut stored = Vec::new();
                    for at in 0..NAMES {
                        let name = (at * step % NAMES).to_string();
                        // Users at times of their own, and sessions that are the same for all.
                        let time = UnixSeconds(NOW + (number * 31 + at * 17) % 97);
                        let user = Entry::subject(ISSUER.into(), name.clone(), time);
                        let session = Entry::session(ISSUER.into(), name.clone());
                        if store.enter(&[user, session], Enters::Anyone, UnixSeconds(NOW)).is_ok() {
                            stored.push((name, time));
                        }
                        if at % 5 == 0 {
                            store.listen(UnixSeconds(NOW));
                        }
                    }
                    stored
                })
            })
            .collect();
        let follower = open(&shared);
        let mut last = follower.listen(UnixSeconds(NOW)).unwrap();
        let mut stored = Vec::new();
        for worker in workers {
            stored.extend(worker.join().unwrap());
            last = follower.listen(UnixSeconds(NOW)).unwrap_or(last);
        }
        assert!(stored.len() > 100, "seed {seed}: {}", stored.len());
        let fresh = open(&shared).listen(UnixSeconds(NOW)).unwrap();
        for (case, list) in [("who followed", last), ("who came later", fresh)] {
            let known = known(&list);
            for (name, time) in &stored {
                let before = UnixSeconds(time.0 - 1);
                let user = Holder(EntryKind::Subject, name.clone(), Some(before));
                assert!(known.find(&user).is_some(), "seed {seed}, {case}: user {name} before {time:?}");
                let session = Holder(EntryKind::Session, name.clone(), None);
                assert!(known.find(&session).is_some(), "seed {seed}, {case}: session {name}");
            }
        }
    }
}
