//! Sending entries to gates at once, as the events of an operator
//! ([RFC 8417](https://www.rfc-editor.org/rfc/rfc8417), [RFC 8935](https://www.rfc-editor.org/rfc/rfc8935)).

use crate::base::base64url;
use crate::base::json;
use crate::base::text::shown;
use crate::base::time::UnixSeconds;
use crate::cli::http::{agent, check_address};
use crate::cli::mint::mint;
use crate::cli::signing::SigningKey;
use crate::revocation::Entry;
use crate::security_event::{REVOCATION_EVENT, SET_TYPE};
use clap::Args;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::thread::{scope, sleep};
use std::time::Duration;
use ureq::Agent;

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often an event is sent to a gate that asks for it again.
const ATTEMPTS: u32 = 4;
/// The longest wait between two attempts, in seconds.
const LONGEST_WAIT: u64 = 5;
/// How many gates are asked at once.
const AT_ONCE: usize = 16;
/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 16_384;
/// The `typ` of a Security Event Token.
const TYPE: &str = "secevent+jwt";
/// The code of what is wrong with one event alone (RFC 8935 section 2.4).
const OF_ONE_EVENT: &str = "invalid_request";

/// Where entries are sent, and how they are signed.
#[derive(Args, Clone, Debug)]
pub struct PushArguments {
    /// Sends the entries at once to the gate with this `events.path`, too; may be given several times. AUD= before it is the audience there
    #[arg(long, value_name = "[AUD=]URL", requires_all = ["key", "operator"])]
    pub push: Vec<String>,
    /// The file with the private JSON Web Key of the operator
    #[arg(long, value_name = "FILE", requires = "push")]
    pub key: Option<PathBuf>,
    /// The name of the operator, as the gates have it in `events.operators`
    #[arg(long, value_name = "NAME", requires = "push")]
    pub operator: Option<String>,
    /// The audience that the gates have there, where --push does not say it
    #[arg(long, value_name = "AUD", requires = "push")]
    pub audience: Option<String>,
}

/// Gates, and what signs the events for them.
pub(super) struct Pusher {
    gates: Vec<Gate>,
    key: SigningKey,
    operator: String,
    agent: Agent,
}

struct Gate {
    url: String,
    audience: String,
}

/// What a gate has made of the events.
struct Told {
    taken: usize,
    /// What became of the first one that it has not taken.
    failure: Option<String>,
}

/// Why a gate has not taken one event.
struct NotTaken {
    why: String,
    /// Whether another event may fare better.
    is_of_one: bool,
}

impl Pusher {
    /// Reads where to send, and the key; `None` where nothing is to be sent.
    ///
    /// # Errors
    /// When an address is none, or has no audience, or the key cannot be used.
    pub(super) fn read(arguments: &PushArguments) -> Result<Option<Self>, Box<dyn Error>> {
        let (Some(key), Some(operator)) = (&arguments.key, &arguments.operator) else { return Ok(None) };
        let gates: Result<Vec<Gate>, String> =
            arguments.push.iter().map(|text| Gate::read(text, arguments.audience.as_deref())).collect();
        let (gates, key) = (gates?, SigningKey::read(key)?);
        Ok(Some(Self { gates, key, operator: operator.clone(), agent: agent(TIMEOUT)? }))
    }

    /// Sends all entries to all gates, and says on standard error what has become of them. Returns whether all were taken.
    ///
    /// # Errors
    /// When an event cannot be signed.
    pub(super) fn send(&self, entries: &[Entry], now: UnixSeconds) -> Result<bool, Box<dyn Error>> {
        let mut signed: Vec<(&str, Vec<String>)> = Vec::new();
        for Gate { audience, .. } in &self.gates {
            if signed.iter().all(|(other, _)| other != audience) {
                let sets: Result<Vec<String>, _> =
                    entries.iter().map(|entry| self.sign(entry, audience, now)).collect();
                signed.push((audience, sets?));
            }
        }
        let sets =
            |gate: &Gate| signed.iter().find(|(audience, _)| *audience == gate.audience).map(|(_, sets)| &**sets);
        let mut told = Vec::new();
        for gates in self.gates.chunks(AT_ONCE) {
            told.extend(scope(|scope| {
                let asked: Vec<_> = gates
                    .iter()
                    .map(|gate| (gate, sets(gate).unwrap_or_default()))
                    .map(|(gate, sets)| scope.spawn(|| gate.send(&self.agent, sets)))
                    .collect();
                asked.into_iter().map(|asked| asked.join().unwrap_or_else(|_| Told::lost())).collect::<Vec<_>>()
            }));
        }
        let count = told.iter().filter(|told| told.failure.is_none()).count();
        let mut lines: Vec<String> = self
            .gates
            .iter()
            .zip(&told)
            .map(|(gate, told)| format!("{}: {}", gate.url, told.words(entries.len())))
            .collect();
        lines.push(format!("{count} of {} gates have taken it", told.len()));
        // If this cannot be written, the exit status still tells.
        let _ = writeln!(std::io::stderr().lock(), "{}", lines.join("\n"));
        Ok(count == told.len())
    }

    /// The Security Event Token with this entry.
    fn sign(&self, entry: &Entry, audience: &str, now: UnixSeconds) -> Result<String, Box<dyn Error>> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| format!("there are no random numbers: {error}"))?;
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), self.operator.as_str().into());
        claims.insert("aud".to_owned(), audience.into());
        claims.insert("iat".to_owned(), now.0.into());
        claims.insert("jti".to_owned(), base64url::encode(&random).into());
        claims.insert("events".to_owned(), json!({ REVOCATION_EVENT: entry.to_members() }));
        Ok(mint(&self.key, TYPE, &claims)?)
    }
}

impl Gate {
    /// Reads `URL`, or `AUD=URL`.
    fn read(text: &str, audience: Option<&str>) -> Result<Self, String> {
        let at = ["=https://", "=http://"].into_iter().find_map(|start| text.find(start));
        let (own, url) = match at.and_then(|at| text.split_at_checked(at)) {
            Some((own, rest)) => (Some(own), rest.strip_prefix('=').unwrap_or(rest)),
            None => (None, text),
        };
        check_address(url).map_err(|why| format!("--push: {why}"))?;
        let audience = own.or(audience).filter(|audience| !audience.is_empty());
        let audience =
            audience.ok_or_else(|| format!("--push {url}: say the audience of that gate with --audience"))?;
        Ok(Self { url: url.to_owned(), audience: audience.to_owned() })
    }

    fn send(&self, agent: &Agent, sets: &[String]) -> Told {
        let mut told = Told { taken: 0, failure: None };
        for set in sets {
            match self.send_one(agent, set) {
                Ok(()) => told.taken = told.taken.saturating_add(1),
                Err(NotTaken { why, is_of_one }) => {
                    told.failure.get_or_insert(why);
                    if !is_of_one {
                        break;
                    }
                }
            }
        }
        told
    }

    /// Sends one event, again if the gate asks for that.
    fn send_one(&self, agent: &Agent, set: &str) -> Result<(), NotTaken> {
        let failed = |why: String| NotTaken { why, is_of_one: false };
        let mut attempt = 1;
        loop {
            let request = agent.post(&self.url).header("content-type", SET_TYPE).header("accept", "application/json");
            let mut response = request.send(set.as_bytes()).map_err(|error| match error {
                ureq::Error::Timeout(_) => failed("not reached: no answer in time".to_owned()),
                error => failed(format!("not reached: {}", shown(error.to_string().as_bytes()))),
            })?;
            let status = response.status().as_u16();
            let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            match status {
                202 => return Ok(()),
                503 if attempt < ATTEMPTS => {
                    attempt = attempt.saturating_add(1);
                    sleep(Duration::from_secs(wait.unwrap_or(1).min(LONGEST_WAIT)));
                    continue;
                }
                503 => return Err(failed(format!("not taken: status 503, {ATTEMPTS} times"))),
                _ => {}
            }
            let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().unwrap_or_default();
            return Err(refusal(&answer).filter(|_| status == 400).unwrap_or_else(|| {
                failed(format!("not taken: status {status} in place of 202: is this the path of its `events`?"))
            }));
        }
    }
}

/// What a gate says of an event that it refuses.
fn refusal(answer: &[u8]) -> Option<NotTaken> {
    let members = json::parse_object(answer)?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(|text| shown(text.as_bytes()));
    let code = text("err")?;
    let is_of_one = code == OF_ONE_EVENT;
    let why = text("description").map_or_else(String::new, |text| format!(": {text}"));
    Some(NotTaken { why: format!("refused: {code}{why}"), is_of_one })
}

impl Told {
    /// A thread that has failed has told nothing.
    fn lost() -> Self {
        Self { taken: 0, failure: Some("not reached".to_owned()) }
    }

    fn words(&self, of: usize) -> String {
        match (&self.failure, of) {
            (None, 1) => "taken".to_owned(),
            (None, of) => format!("taken, all {of}"),
            (Some(why), 1) => why.clone(),
            (Some(why), of) => format!("taken, {} of {of}; the first that was not: {why}", self.taken),
        }
    }
}
