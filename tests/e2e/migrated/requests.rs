//! Requests around what a configuration asks for.

use super::configurations::{Old, Provider};
use super::material::Material;
use super::tokens::{Maker, Token};
use crate::support::client::head;
use crate::support::random::Random;

/// How many tokens are made for a configuration: signing takes longer than sending.
const TOKENS: usize = 60;
/// What a client says of itself that it is not.
pub(super) const FORGED: &str = "forged";

/// A request, and what is in it.
pub(super) struct Sent {
    pub(super) bytes: Vec<u8>,
    pub(super) flaws: Vec<&'static str>,
}

impl Sent {
    /// The request as the old filters have to let it through, if they refuse it for one of these exceptions.
    pub(super) fn excepted(&self) -> Vec<(Exception, Vec<u8>)> {
        let single = Exception::ALL.iter().map(|exception| (*exception, self.without(&[*exception])));
        let all: Vec<_> = single.filter_map(|(exception, bytes)| Some((exception, bytes?))).collect();
        let first = all.first().map(|(exception, _)| *exception);
        let together = first.zip(self.without(&Exception::ALL)).filter(|_| all.len() > 1);
        all.into_iter().chain(together).collect()
    }

    /// The request with `Bearer` in these letters, if it has others.
    pub(super) fn in_right_letters(&self) -> Option<Vec<u8>> {
        self.without(&[Exception::OtherLetters])
    }

    /// The request without what these exceptions are about, if it has that.
    fn without(&self, exceptions: &[Exception]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let lines = text
            .split("\r\n")
            .filter_map(|line| exceptions.iter().try_fold(line.to_owned(), |line, exception| exception.applied(&line)));
        let changed = lines.collect::<Vec<_>>().join("\r\n");
        (changed != text).then(|| changed.into_bytes())
    }
}

/// Why a request may pass that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exception {
    /// A token behind another scheme than `Bearer`: the request passes as one without a token.
    OtherScheme,
    /// A good token behind `Bearer` in other letters.
    OtherLetters,
    /// A bad token in a header that is removed.
    Removed,
}

impl Exception {
    const ALL: [Self; 3] = [Self::OtherScheme, Self::OtherLetters, Self::Removed];

    /// A line without what the old filters refuse; none if nothing is left.
    fn applied(self, line: &str) -> Option<String> {
        let bearer = line.strip_prefix("authorization: ").map(|value| {
            let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
            scheme.eq_ignore_ascii_case("bearer").then(|| format!("authorization: Bearer {rest}"))
        });
        match (self, bearer) {
            (Self::OtherScheme, Some(None)) => None,
            (Self::OtherLetters, Some(Some(line))) => Some(line),
            (Self::Removed, None) if line.starts_with("x-forwarded-authorization: ") => None,
            _ => Some(line.to_owned()),
        }
    }
}

/// What makes requests for a configuration.
pub(super) struct Requests<'k> {
    old: &'k Old,
    pub(super) material: Material,
    tokens: Vec<Token>,
}

/// What has been put into a request so far.
#[derive(Default)]
struct Draft {
    headers: Vec<(String, String)>,
    queries: Vec<String>,
    flaws: Vec<&'static str>,
}

impl Draft {
    fn header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }
}

impl<'k> Requests<'k> {
    pub(super) fn new(maker: &Maker<'k>, random: &mut Random) -> Self {
        let material = Material::of(maker.old);
        let providers = maker.old.providers.len();
        let number = if providers == 0 { 0 } else { TOKENS.max(20 * providers) };
        let tokens = (0..number).map(|index| maker.token(index % providers, &material, random)).collect();
        Self { old: maker.old, material, tokens }
    }

    /// A request.
    pub(super) fn request(&self, random: &mut Random) -> Sent {
        let mut draft = Draft::default();
        self.credential(&mut draft, random);
        let material = &self.material;
        for (name, value) in &material.headers {
            match random.below(6) {
                0..=2 => draft.header(name, value.clone()),
                3 => draft.header(name, format!("{value}x")),
                _ => {}
            }
        }
        for name in &material.identities {
            if random.chance(4) {
                let spelt = if random.chance(3) { name.replace('-', "_") } else { name.clone() };
                draft.header(&spelt, FORGED);
            }
        }
        for query in &material.queries {
            if random.chance(3) {
                draft.queries.push(query.clone());
            }
        }
        if random.chance(12) {
            draft.queries.push("page=2".to_owned());
        }
        let hosts: Vec<&String> = material.hosts.iter().collect();
        let host = if random.chance(20) { "unknown.example.org".to_owned() } else { random.of(&hosts).clone() };
        draft.header("host", host);
        let methods: Vec<&String> = material.methods.iter().collect();
        let others = ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
        let method = if random.chance(6) { random.of(&others).to_owned() } else { random.of(&methods).clone() };
        let mut target = self.path(&mut draft, random);
        for (index, query) in draft.queries.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(query);
        }
        if !["GET", "HEAD"].contains(&method.as_str()) {
            draft.header("content-length", "0");
        }
        let headers: Vec<(&str, &str)> =
            draft.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Sent { bytes: head(&method, &target, &headers), flaws: draft.flaws }
    }

    /// A path that the configuration names, or one near it, or one that can be read in two ways.
    fn path(&self, draft: &mut Draft, random: &mut Random) -> String {
        let paths: Vec<&String> = self.material.paths.iter().collect();
        let path = random.of(&paths).clone();
        let other = random.of(&paths).clone();
        let below = format!("{}/", path.trim_end_matches('/'));
        match random.below(24) {
            0..=9 => path,
            10..=13 => format!("{below}{}", random.of(&["a", "1", "a/b", "users"])),
            14 => below,
            15 => format!("{path}x"),
            16 => path.to_ascii_uppercase(),
            17 => format!("{below}a.{}", random.of(&["json", "html"])),
            18 => format!("/{}", random.of(&["else", "x/y", ""])),
            _ => {
                draft.flaws.push("a path in two ways");
                let way =
                    random.of(&["../", "%2e%2e/", "..%2f", "%252e%252e/", "./", "/", ";a=b/", "..;/", "%5c..%5c"]);
                let rest = other.trim_start_matches('/');
                match random.below(4) {
                    0 => format!("/{way}{rest}"),
                    1 => path.replacen('/', "//", 1),
                    2 if path.len() > 2 => format!("/%{:02x}{}", path.as_bytes()[1], &path[2..]),
                    _ => format!("{below}{way}{rest}"),
                }
            }
        }
    }

    /// The credential of a request, in one of the places for it or in another.
    fn credential(&self, draft: &mut Draft, random: &mut Random) {
        if !self.material.authorizations.is_empty() && !random.chance(4) {
            return draft.header("authorization", random.of(&self.material.authorizations));
        }
        if self.tokens.is_empty() {
            if random.chance(3) {
                draft.header("authorization", "Bearer opaque-token-of-nobody");
            }
            return;
        }
        let token = random.of(&self.tokens);
        match random.below(20) {
            0..=1 => draft.flaws.push("no token"),
            2..=15 => self.in_place(&token, draft, random),
            16 => Self::elsewhere(&token, draft, random),
            17 => {
                draft.flaws.push("two tokens");
                self.in_place(&token, draft, random);
                Self::elsewhere(&random.of(&self.tokens), draft, random);
            }
            // One of each provider that has a place of its own.
            _ => {
                let mut seen = Vec::new();
                for _ in 0..12 {
                    let token = random.of(&self.tokens);
                    if !seen.contains(&token.provider) {
                        self.in_place(&token, draft, random);
                        seen.push(token.provider);
                    }
                }
            }
        }
    }

    /// Where the provider of the token looks for it.
    fn in_place(&self, token: &Token, draft: &mut Draft, random: &mut Random) {
        draft.flaws.extend(&token.flaws);
        let provider = &self.old.providers[token.provider];
        let places = provider.headers.len() + provider.parameters.len() + provider.cookies.len();
        if places == 0 {
            return draft.header("authorization", format!("Bearer {}", token.text));
        }
        let at = random.below(places);
        Self::put(provider, at, token, draft);
        // Each token that is found has to be good.
        if places > 1 && random.chance(4) {
            let other = random.of(&self.tokens);
            draft.flaws.push("a token in another place");
            draft.flaws.extend(&other.flaws);
            Self::put(provider, (at + 1 + random.below(places - 1)) % places, &other, draft);
        }
    }

    /// Puts a token into one of the places of a provider.
    fn put(provider: &Provider, at: usize, token: &Token, draft: &mut Draft) {
        if let Some((name, prefix)) = provider.headers.get(at) {
            draft.header(name, format!("{prefix}{}", token.text));
        } else if let Some(name) = provider.parameters.get(at - provider.headers.len()) {
            draft.queries.push(format!("{name}={}", token.text));
        } else {
            let name = &provider.cookies[at - provider.headers.len() - provider.parameters.len()];
            draft.header("cookie", format!("theme=dark; {name}={}", token.text));
        }
    }

    /// Where clients put tokens that a provider may not look for.
    fn elsewhere(token: &Token, draft: &mut Draft, random: &mut Random) {
        draft.flaws.push("a token elsewhere");
        draft.flaws.extend(&token.flaws);
        let text = &token.text;
        match random.below(8) {
            0 | 1 => draft.queries.push(format!("access_token={text}")),
            2 => draft.header("authorization", format!("bearer {text}")),
            3 => draft.header("authorization", format!("Token {text}")),
            4 => draft.header("authorization", format!("Bearer {text}")),
            5 => draft.header("cookie", format!("access_token={text}")),
            6 => draft.header("authorization", format!("Basic dTpw Bearer {text}")),
            _ => draft.header("x-access-token", text),
        }
    }
}
