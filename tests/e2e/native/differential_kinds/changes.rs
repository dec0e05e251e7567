//! A request while it is made, and what is changed of it.

use super::Kind;
use crate::support::client::head;
use crate::support::issuer::Issuer;
use crate::support::random::Random;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

/// The header in which the upstream reads who sent a request.
pub(super) const CLIENT: &str = "x-auth-subject";
/// The header of tokens, and what stands before one.
pub(super) const HEADER: &str = "x-partner-token";
pub(super) const PREFIX: &str = "Token ";
/// The keys of clients.
pub(super) const KEYS: [(&str, &str); 2] = [("acme", "acme-0123456789abcdef"), ("other", "other-0123456789abcdef")];
/// The passwords of users: with colons, of which base64 has `/`, `+` or padding, and none.
pub(super) const PASSWORDS: [(&str, &str); 3] = [("ann", "correct:horse:?>?e"), ("bob", "~>~>~>"), ("eve", "x y")];

/// What must become of a request in Scopegate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It passes, and the upstream reads who sent it.
    Passes,
    /// It is refused for this reason.
    Refused(&'static str),
    /// It is refused, by Envoy or by Scopegate.
    RefusedBySomebody,
}

/// What is changed of a good request.
pub(super) struct Change {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    pub(super) apply: fn(&mut Request, &mut Random),
}

const fn passes(name: &'static str, apply: fn(&mut Request, &mut Random)) -> Change {
    Change { name, fate: Fate::Passes, apply }
}

const fn refused(name: &'static str, reason: &'static str, apply: fn(&mut Request, &mut Random)) -> Change {
    Change { name, fate: Fate::Refused(reason), apply }
}

const fn refused_by_somebody(name: &'static str, apply: fn(&mut Request, &mut Random)) -> Change {
    Change { name, fate: Fate::RefusedBySomebody, apply }
}

/// A request while it is made.
pub(super) struct Request {
    kind: Kind,
    who: String,
    /// The key, the password with its user, or the token.
    secret: String,
    target: String,
    lines: Vec<(String, String)>,
}

impl Request {
    /// A good one.
    pub(super) fn good(kind: Kind, issuer: &Issuer, now: i64, random: &mut Random) -> Self {
        let (who, secret) = match kind {
            Kind::Key => random.of(&KEYS.map(|(who, key)| (who, key.to_owned()))),
            Kind::Password => random.of(&PASSWORDS.map(|(who, password)| (who, format!("{who}:{password}")))),
            Kind::Header => ("alice", issuer.token(now).claim("jti", format!("{:x}", random.next())).sign()),
        };
        let mut request = Self { kind, who: who.to_owned(), secret, target: "/orders".to_owned(), lines: Vec::new() };
        request.present(&request.secret.clone());
        request
    }

    /// Who sent it.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    fn line(&mut self, name: &str, value: impl Into<String>) {
        self.lines.push((name.to_owned(), value.into()));
    }

    /// What the one line says that has the credential.
    fn value(&mut self, value: impl Into<String>) {
        let name = self.header().to_owned();
        self.lines.retain(|(other, _)| *other != name);
        self.line(&name, value);
    }

    /// The header of the credential.
    const fn header(&self) -> &'static str {
        match self.kind {
            Kind::Key => "x-api-key",
            Kind::Password => "authorization",
            Kind::Header => HEADER,
        }
    }

    /// How a secret is sent.
    fn written(&self, secret: &str) -> String {
        match self.kind {
            Kind::Key => secret.to_owned(),
            Kind::Password => format!("Basic {}", STANDARD.encode(secret)),
            Kind::Header => format!("{PREFIX}{secret}"),
        }
    }

    fn present(&mut self, secret: &str) {
        self.value(self.written(secret));
    }

    /// What the line says now.
    fn sent(&self) -> String {
        let of_header = self.lines.iter().find(|(name, _)| name == self.header());
        of_header.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Adds what changes nothing; whether it has.
    pub(super) fn disguise(&mut self, random: &mut Random) -> bool {
        match random.below(4) {
            0 => self.line("accept", "*/*"),
            1 => self.line("cookie", "a=1; b=2"),
            2 => self.target.push_str(if self.target.contains('?') { "&b=2" } else { "?b=2" }),
            _ => return false,
        }
        true
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let lines: Vec<(&str, &str)> = self.lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        head("GET", &self.target, &lines)
    }
}

/// What is changed of the requests of a kind.
pub(super) fn changes(kind: Kind) -> Vec<Change> {
    let (no_credential, malformed) = match kind {
        Kind::Key | Kind::Password => ("no_credential", "malformed_credential"),
        Kind::Header => ("no_credential", "malformed_header"),
    };
    let mut all = vec![
        passes("nothing", |_, _| {}),
        passes("there is white space around", |request, random| {
            let value = request.sent();
            request.value(random.of(&[format!("  {value}"), format!("{value}  "), format!("\t{value} \t")]));
        }),
        passes("it says who it is", |request, random| request.line(CLIENT, random.of(&["admin", "", "ann"]))),
        passes("it says who it is, with underscores", |request, _| request.line("x_auth_subject", "admin")),
        passes("another cookie has it too", |request, _| {
            request.line("cookie", format!("a={}", request.secret.replace([' ', ':'], "")));
        }),
        refused("it is not there", no_credential, |request, _| request.lines.clear()),
        refused("it is there twice", "multiple_credentials", |request, _| {
            let value = request.sent();
            let name = request.header();
            request.line(name, value);
        }),
        refused("it is in another header", no_credential, |request, random| {
            let value = request.sent();
            request.lines.clear();
            request
                .line(random.of(&["proxy-authorization", "x-authorization", "x-token", "x-forwarded-api-key"]), value);
        }),
        refused("its header has underscores", no_credential, |request, _| {
            let (name, value) =
                (request.header().replace('-', "_").replace("authorization", "author_ization"), request.sent());
            request.lines.clear();
            request.line(&name, value);
        }),
        refused(
            "its header is empty",
            if kind == Kind::Password { "malformed_header" } else { malformed },
            |request, random| {
                request.value(random.of(&["", " "]));
            },
        ),
        refused_by_somebody("there is a NUL", |request, random| {
            let mut value = request.sent();
            value.insert(random.below(value.len()), '\0');
            request.value(value);
        }),
    ];
    all.extend(match kind {
        Kind::Key => of_keys(),
        Kind::Password => of_passwords(),
        Kind::Header => of_headers(),
    });
    all
}

fn of_keys() -> Vec<Change> {
    vec![
        refused("a character is another", "unknown_identity", |request, random| {
            let place = random.below(request.secret.len());
            let key = format!("{}~{}", &request.secret[..place], &request.secret[place + 1..]);
            request.present(&key);
        }),
        refused("it is cut, or goes on", "unknown_identity", |request, random| {
            let key = request.secret.clone();
            request.present(&random.of(&[key[1..].to_owned(), key[..key.len() - 1].to_owned(), format!("{key}0")]));
        }),
        refused("it is upper case", "unknown_identity", |request, _| request.present(&request.secret.to_uppercase())),
        refused("it is in quotes", "unknown_identity", |request, _| {
            request.present(&format!("\"{}\"", request.secret));
        }),
        refused("it is encoded", "unknown_identity", |request, random| {
            let key = &request.secret;
            request.present(&random.of(&[STANDARD.encode(key), key.replace('-', "%2D"), format!("{key}%00")]));
        }),
        refused("there is white space in it", "malformed_credential", |request, random| {
            let space = random.of(&[" ", "\t"]);
            request.present(&format!("{}{space}{}", &request.secret[..4], &request.secret[4..]));
        }),
        refused("a scheme is before it", "malformed_credential", |request, random| {
            request.present(&format!("{} {}", random.of(&["Bearer", "Basic", "ApiKey"]), request.secret));
        }),
        refused("two are joined", "malformed_credential", |request, _| {
            request.present(&format!("{}, {}", KEYS[0].1, KEYS[1].1));
        }),
        refused("there are two", "multiple_credentials", |request, random| {
            let [first, second] = random.of(&[[0, 1], [1, 0]]);
            request.lines.clear();
            request.line("x-api-key", KEYS[first].1);
            request.line("x-api-key", KEYS[second].1);
        }),
        refused("it is in the query", "token_in_query", |request, random| {
            request.lines.clear();
            request.target = format!("/orders?{}={}", random.of(&["api_key", "x-api-key", "APIKEY"]), request.secret);
        }),
        refused("it is in the query too", "token_in_query", |request, random| {
            request.target = format!("/orders?{}={}", random.of(&["api_key", "x-api-key", "api-key"]), request.secret);
        }),
        passes("a token is beside it that is not asked for", |request, random| {
            request.line("authorization", random.of(&["Bearer a.b.c", "Basic dTpw"]));
        }),
    ]
}

fn of_passwords() -> Vec<Change> {
    vec![
        passes("the scheme is in another case", |request, random| {
            let text = STANDARD.encode(&request.secret);
            request.value(format!("{} {text}", random.of(&["basic", "BASIC", "bAsIc"])));
        }),
        passes("there are more spaces", |request, random| {
            let text = STANDARD.encode(&request.secret);
            request.value(format!("Basic{}{text}", random.of(&["  ", "    "])));
        }),
        refused("the password is another", "wrong_secret", |request, random| {
            let user = request.who.clone();
            let password = random.of(&["", "wrong", "correct", "correct:horse", ":", "correct:horse:?>?E"]);
            request.present(&format!("{user}:{password}"));
        }),
        refused("the password is that of another user", "wrong_secret", |request, _| {
            let at = PASSWORDS.iter().position(|(user, _)| *user == request.who).unwrap();
            let (_, password) = PASSWORDS[(at + 1) % PASSWORDS.len()];
            request.present(&format!("{}:{password}", request.who.clone()));
        }),
        refused("the user is unknown", "unknown_identity", |request, random| {
            let (_, password) = request.secret.split_once(':').unwrap();
            let user = random.of(&["nobody", "ANN", "ann ", " ann", "*", "ann\u{e9}"]);
            request.present(&format!("{user}:{password}"));
        }),
        refused("there is no user name", "malformed_credential", |request, _| {
            let (_, password) = request.secret.split_once(':').unwrap();
            request.present(&format!(":{password}"));
        }),
        refused("there is no colon", "malformed_credential", |request, _| request.present(&request.who.clone())),
        refused("a control character is in the password", "malformed_credential", |request, random| {
            request.present(&format!("{}{}", request.secret, random.of(&["\0", "\n", "\r", "\u{7f}"])));
        }),
        refused("it is not UTF-8", "malformed_credential", |request, _| {
            let text = [request.secret.as_bytes(), b"\xff"].concat();
            request.value(format!("Basic {}", STANDARD.encode(text)));
        }),
        refused("it is 60 kB", "malformed_credential", |request, _| {
            request.present(&format!("{}{}", request.secret, "x".repeat(43_000)));
        }),
        refused("it is not padded", "malformed_credential", |request, _| {
            request.value(format!("Basic {}", STANDARD_NO_PAD.encode(good_with_padding())));
        }),
        refused("it is padded once more", "malformed_credential", |request, _| {
            request.value(format!("Basic {}=", STANDARD.encode(&request.secret)));
        }),
        refused("it is in base64 of URLs", "malformed_credential", |request, _| {
            request.value(format!("Basic {}", URL_SAFE.encode(format!("{}:{}", PASSWORDS[0].0, PASSWORDS[0].1))));
        }),
        refused("it is not encoded", "malformed_credential", |request, _| {
            request.value(format!("Basic {}", request.secret));
        }),
        refused("something stands behind it", "malformed_credential", |request, random| {
            let value = request.sent();
            request.value(format!("{value}{}", random.of(&[" x", ";q=1", "\"", "!"])));
        }),
        refused("another credential is joined to it", "multiple_credentials", |request, random| {
            let value = request.sent();
            request.value(format!("{value}, {}", random.of(&["Basic dTpw", "Bearer a.b.c"])));
        }),
        refused("the scheme is another", "no_credential", |request, random| {
            let text = STANDARD.encode(&request.secret);
            request.value(format!("{} {text}", random.of(&["Bearer", "Digest", "NotBasic", "xBasic"])));
        }),
        refused("something stands between the scheme and it", "malformed_credential", |request, random| {
            let text = STANDARD.encode(&request.secret);
            request.value(format!("Basic{}{text}", random.of(&[": ", "\t", " \t", " \" ", " = "])));
        }),
        refused("no space is after the scheme", "no_credential", |request, _| {
            request.value(format!("Basic{}", STANDARD.encode("ann:correct")));
        }),
        refused("only the scheme is there", "malformed_credential", |request, random| {
            request.value(random.of(&["Basic", "Basic ", "Basic ="]));
        }),
        refused("another line is beside it", "multiple_credentials", |request, random| {
            request.line("authorization", random.of(&["Basic dTpw", "Bearer a.b.c", "Digest a=b"]));
        }),
    ]
}

/// A good text whose base64 ends with padding.
fn good_with_padding() -> String {
    let texts = PASSWORDS.map(|(user, password)| format!("{user}:{password}"));
    texts.into_iter().find(|text| STANDARD.encode(text).ends_with('=')).unwrap()
}

fn of_headers() -> Vec<Change> {
    vec![
        refused("the prefix is missing", "malformed_header", |request, _| request.value(request.secret.clone())),
        refused("the prefix is another", "malformed_header", |request, random| {
            let prefix = random.of(&["token ", "TOKEN ", "Bearer ", "Token:", "Token\t", "Tok en "]);
            request.value(format!("{prefix}{}", request.secret));
        }),
        refused("something stands before the prefix", "malformed_header", |request, random| {
            let before = random.of(&["x", "Basic dTpw ", "Not", "\"", "a="]);
            request.value(format!("{before}{}", request.sent()));
        }),
        refused("something stands between the prefix and the token", "malformed_header", |request, random| {
            let between = random.of(&[" ", "\"", "token=", "Token ", "!!"]);
            request.value(format!("{PREFIX}{between}{}", request.secret));
        }),
        refused("something stands behind the token", "malformed_header", |request, random| {
            let behind = random.of(&[" x", ";q=1", "\"", " Token"]);
            request.value(format!("{}{behind}", request.sent()));
        }),
        refused("two are joined", "multiple_credentials", |request, random| {
            let value = request.sent();
            request.value(random.of(&[
                format!("{value}, {value}"),
                format!("{value},"),
                format!("{value}, Token a.b.c"),
            ]));
        }),
        refused("it is in authorization", "no_credential", |request, _| {
            let token = request.secret.clone();
            request.lines.clear();
            request.line("authorization", format!("Bearer {token}"));
        }),
        refused("it is in the query", "token_in_query", |request, random| {
            request.lines.clear();
            request.target = format!("/orders?{}={}", random.of(&["access_token", "x", HEADER]), request.secret);
        }),
        refused("it is in the query too", "token_in_query", |request, random| {
            request.target = format!("/orders?{}={}", random.of(&["access_token", "x"]), request.secret);
        }),
        refused("its signature is another", "bad_signature", |request, random| {
            let (input, signature) = request.secret.rsplit_once('.').unwrap();
            let place = random.below(signature.len() - 2);
            let other = if signature[place..].starts_with('A') { "B" } else { "A" };
            let token = format!("{input}.{}{other}{}", &signature[..place], &signature[place + 1..]);
            request.present(&token);
        }),
        refused("it is no token", "malformed_token", |request, random| {
            request.present(random.of(&["a", "a.b", "a.b.c", "a.b.c.d"]));
        }),
        refused("it is another line, with another token", "multiple_credentials", |request, _| {
            request.line(HEADER, "Token a.b.c");
        }),
    ]
}
