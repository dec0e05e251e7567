//! A change of a good request, and what must become of a request with it.

use super::bindings::BINDINGS;
use super::claims::CLAIMS;
use super::headers::HEADERS;
use super::keyring::{Base, Keyring};
use super::presentations::{PRESENTATIONS, Request};
use super::signers::SIGNERS;
use super::spellings::SPELLINGS;
use super::targets::TARGETS;
use super::writings::WRITINGS;
use crate::support::random::Random;
use scopegate::base::base64url;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What must become of a request in Scopegate, whatever the native filters make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on, as long as nothing else is wrong with it.
    Passes,
    /// It is refused, whatever else is changed, unless no token is needed.
    Refused,
    /// It is refused on open routes too.
    RefusedEverywhere,
    /// No token is needed, so its flaws do not matter.
    Unasked,
    /// Both would do, for this reason.
    Either(&'static str),
}

impl Fate {
    /// What must become of a request with all of these changes.
    pub(super) fn of(all: &[Self]) -> Self {
        let has = |wanted: Self| all.contains(&wanted);
        if has(Self::RefusedEverywhere) {
            Self::RefusedEverywhere
        } else if has(Self::Refused) {
            if has(Self::Unasked) { Self::Either("what is wrong with it is not asked for") } else { Self::Refused }
        } else {
            let open = all.iter().copied().find(|fate| matches!(fate, Self::Either(_)));
            open.unwrap_or(if has(Self::Unasked) { Self::Unasked } else { Self::Passes })
        }
    }

    /// Whether a request may pass.
    pub(super) const fn lets_pass(self) -> bool {
        !matches!(self, Self::Refused | Self::RefusedEverywhere)
    }

    /// Whether a request may be refused.
    pub(super) const fn lets_refuse(self) -> bool {
        !matches!(self, Self::Passes | Self::Unasked)
    }
}

/// A kind of change.
#[derive(Clone, Copy)]
pub(super) struct Kind<A> {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    pub(super) apply: A,
}

pub(super) const fn passes<A: Copy>(name: &'static str, apply: A) -> Kind<A> {
    Kind { name, fate: Fate::Passes, apply }
}

pub(super) const fn refused<A: Copy>(name: &'static str, apply: A) -> Kind<A> {
    Kind { name, fate: Fate::Refused, apply }
}

pub(super) const fn refused_everywhere<A: Copy>(name: &'static str, apply: A) -> Kind<A> {
    Kind { name, fate: Fate::RefusedEverywhere, apply }
}

pub(super) const fn unasked<A: Copy>(name: &'static str, apply: A) -> Kind<A> {
    Kind { name, fate: Fate::Unasked, apply }
}

pub(super) const fn either<A: Copy>(name: &'static str, why: &'static str, apply: A) -> Kind<A> {
    Kind { name, fate: Fate::Either(why), apply }
}

/// A change of what a token says.
pub(super) type Say = fn(&mut Draft, &Keyring, &mut Random);
/// A change of how header (the first) or claims (the second) are written.
pub(super) type Write = fn(&mut Vec<u8>, &mut Vec<u8>, &mut Random);
/// Another signature for a token, or a change of a signed token.
pub(super) type Spell = fn(&str, &Keyring, &mut Random) -> String;
/// A change of a request.
pub(super) type Send = fn(&mut Request, &mut Random);

#[derive(Clone, Copy)]
pub(super) enum Change {
    Say(Kind<Say>),
    Write(Kind<Write>),
    Sign(Kind<Spell>),
    Spell(Kind<Spell>),
    Send(Kind<Send>),
}

impl Change {
    pub(super) fn all() -> Vec<Self> {
        let says = [CLAIMS, HEADERS, BINDINGS].into_iter().flatten().copied().map(Self::Say);
        let writes = WRITINGS.iter().copied().map(Self::Write);
        let signs = SIGNERS.iter().copied().map(Self::Sign);
        let spells = SPELLINGS.iter().copied().map(Self::Spell);
        let sends = [PRESENTATIONS, TARGETS].into_iter().flatten().copied().map(Self::Send);
        says.chain(writes).chain(signs).chain(spells).chain(sends).collect()
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Say(kind) => kind.name,
            Self::Write(kind) => kind.name,
            Self::Sign(kind) | Self::Spell(kind) => kind.name,
            Self::Send(kind) => kind.name,
        }
    }

    pub(super) const fn fate(self) -> Fate {
        match self {
            Self::Say(kind) => kind.fate,
            Self::Write(kind) => kind.fate,
            Self::Sign(kind) | Self::Spell(kind) => kind.fate,
            Self::Send(kind) => kind.fate,
        }
    }
}

/// What the changes of a request write: of two that write the same, only the last would count.
#[derive(Default)]
pub(super) struct Written {
    by_others: BTreeMap<(&'static str, &'static str), bool>,
    by_this: BTreeMap<(&'static str, &'static str), bool>,
    is_twice: bool,
}

impl Written {
    /// What comes now is written by another change.
    fn next(&mut self) {
        self.by_others.append(&mut self.by_this);
    }

    /// This is written over.
    pub(super) fn over(&mut self, part: &'static str, name: &'static str) {
        self.is_twice |= self.by_others.contains_key(&(part, name));
        self.by_this.insert((part, name), true);
    }

    /// Something is added to this.
    pub(super) fn added(&mut self, part: &'static str, name: &'static str) {
        self.is_twice |= self.by_others.get(&(part, name)) == Some(&true);
        self.by_this.entry((part, name)).or_insert(false);
    }
}

/// A token while it is made.
pub(super) struct Draft {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// Claims of which a [`Value`] does not say how they are to be written.
    texts: Vec<(&'static str, String)>,
    /// Where the token is sent.
    path: &'static str,
    written: Written,
}

impl Draft {
    /// Sets a header parameter, or removes it by null.
    pub(super) fn header(&mut self, name: &'static str, value: Value) {
        self.written.over("header", name);
        set(&mut self.header, name, value);
    }

    /// Sets a claim, or removes it by null.
    pub(super) fn claim(&mut self, name: &'static str, value: Value) {
        self.written.over("claims", name);
        set(&mut self.claims, name, value);
    }

    /// Sets a claim to what is written so.
    pub(super) fn text(&mut self, name: &'static str, text: impl Into<String>) {
        self.claim(name, PLACE.into());
        self.texts.push((name, text.into()));
    }

    /// Sends it there.
    pub(super) fn path(&mut self, path: &'static str) {
        self.written.over("request", "path");
        self.path = path;
    }

    fn in_writing(&self) -> [Vec<u8>; 2] {
        let [header, mut claims] = [&self.header, &self.claims].map(|part| Value::Object(part.clone()).to_string());
        for (name, text) in &self.texts {
            claims = claims.replace(&format!("\"{name}\":\"{PLACE}\""), &format!("\"{name}\":{text}"));
        }
        [header, claims].map(String::into_bytes)
    }
}

/// The placeholder of a text.
const PLACE: &str = "a text";

fn set(object: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}

/// A request with changes in it.
pub(super) struct Made {
    pub(super) request: Request,
    pub(super) fate: Fate,
    /// Who the upstream is to read of, by the token that it has.
    pub(super) subject: Option<String>,
}

/// A good request with these changes, in the order in which they come about; `None` when one of them would undo another.
pub(super) fn made(changes: &[Change], base: Base<'_>, keyring: &Keyring, random: &mut Random) -> Option<Made> {
    let mut fates: Vec<Fate> = Vec::new();
    let token = base.token(keyring.world.now);
    let mut draft = Draft {
        header: token.header,
        claims: token.claims,
        texts: Vec::new(),
        path: "/orders",
        written: Written::default(),
    };
    for change in changes {
        if let Change::Say(kind) = change {
            (kind.apply)(&mut draft, keyring, random);
            draft.written.next();
            fates.push(kind.fate);
        }
    }
    let writes = changes.iter().filter_map(|change| if let Change::Write(kind) = change { Some(*kind) } else { None });
    let write = |apply: Write, [header, claims]: &mut [Vec<u8>; 2]| apply(header, claims, random);
    let texts = in_two_steps(writes.collect(), draft.in_writing(), write, &mut fates);
    let input = texts.map(|part| base64url::encode(&part)).join(".");
    let token = format!("{input}.{}", base64url::encode(&base.issuer.key.sign(input.as_bytes()).unwrap()));
    let mut spell = |apply: Spell, token: &mut String| {
        if is_whole(token) {
            *token = apply(token, keyring, random);
        }
    };
    let signs = changes.iter().filter_map(|change| if let Change::Sign(kind) = change { Some(*kind) } else { None });
    let token = in_two_steps(signs.collect(), token, &mut spell, &mut fates);
    let spells = changes.iter().filter_map(|change| if let Change::Spell(kind) = change { Some(*kind) } else { None });
    let token = in_two_steps(spells.collect(), token, &mut spell, &mut fates);
    let subject = draft.claims.get("sub").and_then(Value::as_str).map(str::to_owned);
    let good = keyring.world.token().claim("jti", format!("good-{:x}", random.next())).sign();
    let mut request = Request::new(token, draft.path, good, draft.written);
    for change in changes {
        if let Change::Send(kind) = change {
            (kind.apply)(&mut request, random);
            request.written.next();
            fates.push(kind.fate);
        }
    }
    let subject = subject.filter(|_| !fates.contains(&Fate::Unasked));
    (!request.written.is_twice).then(|| Made { request, fate: Fate::of(&fates), subject })
}

/// Changes a text: first by what leaves it good, then by the rest. The rest counts only if something is left of it: what
/// is cut off may be what was added.
fn in_two_steps<A: Copy, T: Clone + PartialEq>(
    kinds: Vec<Kind<A>>,
    mut text: T,
    mut apply: impl FnMut(A, &mut T),
    fates: &mut Vec<Fate>,
) -> T {
    let (harmless, harmful): (Vec<Kind<A>>, Vec<Kind<A>>) =
        kinds.into_iter().partition(|kind| kind.fate == Fate::Passes);
    harmless.iter().for_each(|kind| apply(kind.apply, &mut text));
    let before = text.clone();
    harmful.iter().for_each(|kind| apply(kind.apply, &mut text));
    if text != before {
        fates.extend(harmful.iter().map(|kind| kind.fate));
    }
    text
}

/// Whether it is still three parts in base64url, so that a part of it can be changed.
fn is_whole(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| base64url::decode(part.as_bytes()).is_some_and(|bytes| bytes.len() > 1))
}

#[test]
fn nothing_excuses_what_must_be_refused_but_that_it_is_not_asked_for() {
    let with = |other: Fate| [Fate::of(&[Fate::Refused, other]), Fate::of(&[other, Fate::Refused])];
    for other in [Fate::Passes, Fate::Refused, Fate::Either("x")] {
        assert_eq!(with(other), [Fate::Refused; 2], "{other:?}");
    }
    assert!(with(Fate::Unasked).iter().all(|fate| fate.lets_pass() && fate.lets_refuse()));
    for other in [Fate::Passes, Fate::Refused, Fate::Unasked, Fate::Either("x")] {
        assert!(!Fate::of(&[other, Fate::RefusedEverywhere]).lets_pass(), "{other:?}");
    }
    assert!(!Fate::of(&[Fate::Passes, Fate::Unasked]).lets_refuse());
    assert_eq!(Fate::of(&[]), Fate::Passes);
}
