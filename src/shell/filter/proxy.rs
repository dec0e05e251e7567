//! A proxy around a filter, for tests: it calls the filter's callbacks as Envoy does, sends upstream what the filter
//! lets go on, and checks what must be true of every request at every moment.

use super::super::pairs;
use super::super::scripted::{HostStream, Script, ScriptedHost};
use super::{Action, Filter};
use crate::base::base64url;
use crate::crypto::test_key;
use serde_json::json;
use std::rc::Rc;

pub(super) const ROOT: u32 = 1;
/// Midnight of a day, in milliseconds.
pub(super) const START: u64 = 1_700_006_400_000;
/// The longest wait for keys, in milliseconds.
pub(super) const TIMEOUT: u64 = 2000;
/// The address of the status list.
pub(super) const STATUS_LIST: &str = "https://status.example.com/lists/1";
/// Header that only the filter may set.
pub(super) const IDENTITY: &str = "x-auth-subject";

/// What a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// A good token.
    Good,
    /// A good token whose issuer keeps its status, at the first place of a list.
    WithStatus,
    /// A good token with this number for its `jti`.
    Once(u8),
    /// A good token whose `kid` no key set has: it waits for newer keys.
    UnknownKid,
    /// A token with the signature of another token.
    Forged,
    /// An expired token.
    Expired,
    /// Nothing.
    NoToken,
    /// An opaque token of this number.
    Opaque(u32),
    /// A token in the query.
    InQuery,
    /// A request to a public path.
    Public,
    /// The user of this number with this password: `alice` is user 1, whose password is 1; the others are unknown.
    User(u8, u8),
    /// What a test writes.
    Own,
}

pub(super) const CLIENTS: [Client; 7] = [
    Client::Good,
    Client::UnknownKid,
    Client::Forged,
    Client::Expired,
    Client::NoToken,
    Client::InQuery,
    Client::Public,
];

impl Client {
    /// Whether the request may ever go upstream.
    pub(super) const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Good | Self::Once(_) | Self::Opaque(_) | Self::WithStatus | Self::Public | Self::User(1, 1)
        )
    }

    /// Whether it sends `authorization`.
    pub(super) const fn sends_header(self) -> bool {
        !matches!(self, Self::NoToken | Self::Public | Self::InQuery)
    }

    fn token(self) -> Option<String> {
        let now = START / 1000;
        let expires = if self == Self::Expired { now - 100 } else { now + 3600 };
        let kid = if self == Self::UnknownKid { "unknown" } else { "a" };
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
        let mut claims = json!({
            "iss": "https://idp.example.com/", "aud": "api", "sub": "alice", "iat": now - 10, "exp": expires,
        });
        if self == Self::WithStatus {
            claims["status"] = json!({ "status_list": { "idx": 0, "uri": STATUS_LIST } });
        }
        if let Self::Once(number) = self {
            claims["jti"] = number.to_string().into();
        }
        let input = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
        let signed = if self == Self::Forged { "another" } else { &input };
        match self {
            Self::NoToken | Self::Public | Self::User(..) => None,
            Self::Opaque(number) => Some(format!("opaque_{number}")),
            _ => Some(format!("{input}.{}", base64url::encode(&test_key::sign(signed.as_bytes())))),
        }
    }

    /// The request's headers. Each client sends an identity header.
    fn headers(self) -> Vec<(String, String)> {
        let token = self.token();
        let path = match (self, &token) {
            (Self::Public, _) => "/open".to_owned(),
            (Self::InQuery, Some(token)) => format!("/orders?access_token={token}"),
            _ => "/orders".to_owned(),
        };
        let mut headers = vec![
            (":method".to_owned(), "POST".to_owned()),
            (":path".to_owned(), path),
            (":authority".to_owned(), "api.example.com".to_owned()),
            (IDENTITY.to_owned(), "root".to_owned()),
        ];
        if let Self::User(user, password) = self {
            use base64::Engine as _;
            let name = if user == 1 { "alice".to_owned() } else { format!("user{user}") };
            let text = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
            headers.push(("authorization".to_owned(), format!("Basic {text}")));
        }
        if let (true, Some(token)) = (self != Self::InQuery, token) {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        headers
    }
}

/// What the filter only reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reports {
    Nothing,
    /// What its default requirement refuses.
    Default,
    Everything,
}

pub(super) const REPORTS: [Reports; 2] = [Reports::Default, Reports::Everything];

impl Reports {
    pub(super) fn members(self) -> serde_json::Value {
        match self {
            Self::Nothing => json!({}),
            Self::Default => json!({ "default": { "report_only": true } }),
            Self::Everything => json!({ "report_only": true }),
        }
    }

    /// Whether a request may ever go upstream.
    pub(super) const fn let_pass(self, client: Client) -> bool {
        match self {
            Self::Nothing => client.may_pass(),
            Self::Default => !matches!(client, Client::InQuery),
            Self::Everything => true,
        }
    }
}

/// A proxy with one filter in it.
pub(super) struct Proxy {
    pub(super) host: ScriptedHost,
    pub(super) filter: Rc<Filter<ScriptedHost>>,
    reports: Reports,
    clients: Vec<(u32, Client)>,
}

impl Proxy {
    /// A filter whose keys have to be fetched.
    pub(super) fn new() -> Self {
        Self::configured(&json!({}))
    }

    /// A filter whose keys have to be fetched, with further fields.
    pub(super) fn configured(more: &serde_json::Value) -> Self {
        let host = Self::host(more);
        let filter = Rc::new(Filter::new(host.clone()));
        filter.on_context_create(ROOT, 0);
        host.enter(ROOT);
        assert!(filter.on_configure(ROOT), "a good configuration");
        Self { host, filter, reports: Reports::Nothing, clients: Vec::new() }
    }

    /// The host of a filter with further fields.
    pub(super) fn host(more: &serde_json::Value) -> ScriptedHost {
        let mut configuration = json!({
            "issuers": [{
                "issuer": "https://idp.example.com/", "audiences": ["api"],
                "jwks": { "uri": "https://idp.example.com/jwks", "cluster": "idp", "timeout": "2s" },
            }],
            "rules": [{ "match": { "path": "/open" }, "public": true }],
            "forward": { "headers": { IDENTITY: "sub" } },
            "limits": { "wasm_crypto_percent": 100 },
        });
        for (name, value) in more.as_object().unwrap() {
            configuration[name] = value.clone();
        }
        ScriptedHost::new(&configuration.to_string(), START)
    }

    /// One that only reports.
    pub(super) fn reporting(reports: Reports) -> Self {
        Self::reporting_with(reports, &reports.members())
    }

    /// One that only reports, with these fields.
    pub(super) fn reporting_with(reports: Reports, members: &serde_json::Value) -> Self {
        Self { reports, ..Self::configured(members) }
    }

    /// One whose keys are there.
    pub(super) fn with_keys() -> Self {
        Self::new().fetched()
    }

    /// A report-only filter, with its keys.
    pub(super) fn fetched(self) -> Self {
        self.tick(0);
        self.answer_all(200);
        self.tick(1000);
        self
    }

    pub(super) fn script(&self) -> &Script {
        self.host.script()
    }

    /// A stream begins; its headers have not come.
    pub(super) fn begin(&mut self, client: Client) -> u32 {
        let context = 10 + u32::try_from(self.clients.len()).unwrap();
        let stream = HostStream {
            headers: client.headers(),
            trailers: vec![(IDENTITY.to_owned(), "root".to_owned()), ("x-sum".to_owned(), "1".to_owned())],
            ..HostStream::default()
        };
        self.script().streams.borrow_mut().insert(context, stream);
        self.filter.on_context_create(context, ROOT);
        self.clients.push((context, client));
        context
    }

    /// The headers of a stream come.
    pub(super) fn headers(&self, context: u32, ends: bool) -> Action {
        self.host.enter(context);
        let action = self.filter.on_request_headers(context, ends);
        if action == Action::Continue {
            self.change(context, HostStream::go_on);
        }
        self.host.enter(ROOT);
        self.check();
        action
    }

    /// A stream without a body.
    pub(super) fn request(&mut self, client: Client) -> u32 {
        let context = self.begin(client);
        self.headers(context, true);
        context
    }

    /// The headers of this stream went on alone, for a body that is judged: it may be answered even so.
    pub(super) fn allow_answers_after_headers(&self, context: u32) {
        self.change(context, |stream| stream.is_listened_to = true);
    }

    /// A part of the body comes. A part may go on only after the headers went on.
    pub(super) fn body(&self, context: u32) -> Action {
        self.part(context, b"part", false)
    }

    /// This part of the body comes.
    pub(super) fn part(&self, context: u32, part: &[u8], ends: bool) -> Action {
        self.host.enter(context);
        self.change(context, |stream| stream.body.extend_from_slice(part));
        let size = self.stream(context).body.len();
        let action = self.filter.on_request_body(context, size, ends);
        self.host.enter(ROOT);
        self.check_part(context, action);
        action
    }

    /// The trailers come.
    pub(super) fn trailers(&self, context: u32) -> Action {
        self.host.enter(context);
        let action = self.filter.on_request_trailers(context);
        self.host.enter(ROOT);
        self.check_part(context, action);
        if action == Action::Continue {
            let trailers = self.stream(context).trailers;
            assert!(trailers.iter().all(|(name, _)| name != IDENTITY), "trailers carry no identity: {trailers:?}");
        }
        action
    }

    /// The headers of the response come, or of an answer in its place.
    pub(super) fn respond(&self, context: u32, headers: &[(&str, &str)]) -> Action {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.change(context, |stream| stream.response = headers);
        self.host.enter(context);
        let action = self.filter.on_response_headers(context, false);
        self.host.enter(ROOT);
        action
    }

    /// This part of the response's body comes. Returns what goes on to the client.
    pub(super) fn response_part(&self, context: u32, part: &[u8], ends: bool) -> Vec<u8> {
        self.change(context, |stream| stream.response_body.extend_from_slice(part));
        let size = self.stream(context).response_body.len();
        self.host.enter(context);
        let action = self.filter.on_response_body(context, size, ends);
        self.host.enter(ROOT);
        if action == Action::Continue { self.take_response_body(context) } else { Vec::new() }
    }

    /// The response's trailers come, and with them all that was held of its body. Returns what goes on of that.
    pub(super) fn response_trailers(&self, context: u32) -> Vec<u8> {
        self.host.enter(context);
        self.filter.on_response_trailers(context);
        self.host.enter(ROOT);
        self.take_response_body(context)
    }

    fn take_response_body(&self, context: u32) -> Vec<u8> {
        let mut body = Vec::new();
        self.change(context, |stream| body = std::mem::take(&mut stream.response_body));
        body
    }

    /// A stream ends.
    pub(super) fn end(&self, context: u32) {
        self.change(context, |stream| stream.is_gone = true);
        self.filter.on_delete(context);
    }

    /// Time passes, and the timer calls.
    pub(super) fn tick(&self, milliseconds: u64) {
        self.script().now_ms.set(self.script().now_ms.get() + milliseconds);
        self.host.enter(ROOT);
        self.filter.on_tick(ROOT);
        self.check();
    }

    /// The answer to a callout comes, with this status; with 200, the keys.
    pub(super) fn answer(&self, token: u32, status: u16) {
        self.answer_with(token, status, if status == 200 { jwks() } else { String::new() });
    }

    /// The answer to a callout comes, with this status and this body.
    pub(super) fn answer_with(&self, token: u32, status: u16, body: String) {
        self.script().callouts.borrow_mut().remove(&token);
        *self.script().answer.borrow_mut() = (pairs::serialise(&[(":status", &status.to_string())]), body.into());
        let size = self.script().answer.borrow().1.len();
        self.host.enter(ROOT);
        self.filter.on_http_call_response(ROOT, token, 1, size);
        self.check();
    }

    /// The status list comes, in which every token has this status. Returns how often it was asked for.
    pub(super) fn answer_with_status(&self, status: u8) -> usize {
        let callouts = self.script().callouts.borrow().clone();
        let asked: Vec<u32> = callouts.into_iter().filter(|(_, cluster)| cluster == "status").map(|it| it.0).collect();
        // One stored block of eight bytes, with its checksum (RFC 1950, RFC 1951).
        let sum = u32::from(status) * 8 + 1;
        let second = (1..=8).map(|count| u32::from(status) * count + 1).sum::<u32>();
        let bytes = [&[0x78, 1, 1, 8, 0, 0xf7, 0xff], &[status; 8][..], &(second << 16 | sum).to_be_bytes()].concat();
        let now = self.script().now_ms.get() / 1000;
        let header = json!({ "alg": "EdDSA", "typ": "statuslist+jwt", "kid": "a" });
        let list = json!({ "bits": 8, "lst": base64url::encode(&bytes) });
        let claims = json!({ "sub": STATUS_LIST, "iat": now, "status_list": list });
        let input = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
        let body = format!("{input}.{}", base64url::encode(&test_key::sign(input.as_bytes())));
        for token in &asked {
            self.script().callouts.borrow_mut().remove(token);
            *self.script().answer.borrow_mut() = (pairs::serialise(&[(":status", "200")]), body.clone().into());
            self.host.enter(ROOT);
            self.filter.on_http_call_response(ROOT, *token, 1, body.len());
            self.check();
        }
        asked.len()
    }

    /// The answer to every callout that is under way.
    pub(super) fn answer_all(&self, status: u16) {
        let tokens: Vec<u32> = self.script().callouts.borrow().keys().copied().collect();
        tokens.into_iter().for_each(|token| self.answer(token, status));
    }

    pub(super) fn stream(&self, context: u32) -> HostStream {
        self.script().streams.borrow()[&context].clone()
    }

    pub(super) fn change(&self, context: u32, change: impl FnOnce(&mut HostStream)) {
        change(self.script().streams.borrow_mut().get_mut(&context).unwrap());
    }

    /// What was answered, by its details.
    pub(super) fn answers(&self, context: u32) -> Vec<String> {
        self.stream(context).answers.into_iter().map(|(_, details)| details).collect()
    }

    /// The value of a metric, by its name below `scopegate`.
    pub(super) fn metric(&self, name: &str) -> i64 {
        self.script().values.borrow().get(&["scopegate", name].join(".")).copied().unwrap_or(0)
    }

    /// What must be true of every request at every moment.
    pub(super) fn check(&self) {
        for (context, client) in &self.clients {
            let stream = self.stream(*context);
            assert!(stream.answers.len() <= 1, "answered twice: {client:?} {stream:?}");
            let mut edits = stream.edits.clone();
            edits.sort_unstable();
            edits.dedup();
            assert_eq!(edits.len(), stream.edits.len(), "edited twice: {client:?} {stream:?}");
            let Some(upstream) = stream.upstream.as_ref().filter(|_| *client != Client::Own) else { continue };
            assert!(stream.answers.is_empty() || stream.is_listened_to, "answered, and went on: {client:?} {stream:?}");
            assert!(self.reports.let_pass(*client), "what must be refused went on: {client:?} {stream:?}");
            let values: Vec<_> =
                upstream.iter().filter(|(name, _)| name == IDENTITY).map(|(_, it)| it.as_str()).collect();
            let has_token = upstream.iter().any(|(name, _)| name == "authorization");
            if self.reports == Reports::Nothing {
                let is_alice = matches!(
                    client,
                    Client::Good | Client::Once(_) | Client::Opaque(_) | Client::WithStatus | Client::User(1, 1)
                );
                let wanted: &[&str] = if is_alice { &["alice"] } else { &[] };
                assert_eq!(values, wanted, "the identity is the token's: {client:?}");
                assert!(!has_token, "the token is stripped: {client:?}");
            } else {
                let is_accepted = matches!(client, Client::Good | Client::Opaque(_)) && values == ["alice"];
                assert!(is_accepted || values.is_empty(), "no other client has an identity: {client:?} {values:?}");
                assert!(is_accepted || has_token == client.sends_header(), "it goes on as it came: {client:?}");
            }
        }
    }

    fn check_part(&self, context: u32, action: Action) {
        if action == Action::Continue {
            let stream = self.stream(context);
            let refuses = self.script().refused.get().is_some();
            let may_go_on = stream.upstream.is_some() || stream.is_listened_to || refuses;
            assert!(may_go_on, "a part went on before the request was decided: {stream:?}");
            // If the host refused to let the headers go on alone, they go on with the next part.
            self.change(context, HostStream::go_on);
        }
        self.check();
    }
}

/// The key set of the issuer.
pub(super) fn jwks() -> String {
    test_key::jwks().replace("\"kty\"", "\"kid\":\"a\",\"kty\"")
}
