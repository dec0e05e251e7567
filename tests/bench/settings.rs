//! What the bench was asked to do, and what the module under it understands.

use super::{before, cases, edits, flood, footprint, held, looked_up, made_of, recorded, scaling, stolen};
use scopegate::config::{self, Node};
use serde_json::json;
use std::fmt;
use std::rc::Rc;

/// The settings of one run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often Envoy is started.
    pub starts: usize,
    /// How often each contender is measured in each of them.
    pub rounds: usize,
    /// How long each time, in seconds.
    pub seconds: u64,
    /// Whether nothing is left out: results of a part do not take the place of whole ones.
    pub is_whole: bool,
    /// Whether to show where the time goes.
    pub profile: bool,
    /// The cases, and what compares nothing with the native filters.
    pub parts: Vec<String>,
    /// The fields of the plugin configuration that may be used, of those that are not in every version.
    fields: Rc<[&'static str]>,
}

/// The parts that compare nothing with the native filters.
const OTHERS: [&str; 11] = [
    flood::TOKENS.name,
    flood::PASSWORDS.name,
    made_of::NAME,
    looked_up::NAME,
    edits::NAME,
    recorded::NAME,
    stolen::NAME,
    before::NAME,
    held::NAME,
    scaling::NAME,
    footprint::NAME,
];

/// An argument that is not understood.
#[derive(Debug)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}; write [--quick] [--profile] [--starts N] [--rounds N] [--seconds N] [--cases NAME,…]",
            self.0
        )
    }
}

impl std::error::Error for UsageError {}

impl Settings {
    /// Reads the arguments. Empty values count as missing, so that a Makefile can always pass all.
    ///
    /// # Errors
    /// For an argument that is not known, and a name that is none.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, UsageError> {
        let all = || cases::NAMES.into_iter().chain(OTHERS).map(str::to_owned).collect();
        let mut settings = Self {
            starts: 3,
            rounds: 2,
            seconds: 2,
            is_whole: true,
            profile: false,
            parts: all(),
            fields: known_fields(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_default();
            match argument.as_str() {
                // Cargo says that this is a bench.
                "--bench" => {}
                "--profile" => settings.profile = true,
                "--quick" => {
                    (settings.starts, settings.rounds, settings.seconds) = (1, 1, 1);
                    settings.is_whole = false;
                }
                "--starts" => replace(&mut settings.starts, &value())?,
                "--rounds" => replace(&mut settings.rounds, &value())?,
                "--seconds" => replace(&mut settings.seconds, &value())?,
                "--cases" => {
                    let names = value();
                    let names: Vec<String> =
                        names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
                    if !names.is_empty() {
                        settings.parts = names;
                        settings.is_whole = false;
                    }
                }
                other => return Err(UsageError(format!("{other} is not known"))),
            }
        }
        let known: Vec<String> = all();
        match settings.parts.iter().find(|part| !known.contains(part)) {
            Some(other) => Err(UsageError(format!("{other} is no case; the cases are {}", known.join(", ")))),
            None => Ok(settings),
        }
    }

    /// Whether this part is to be run.
    pub fn wants(&self, part: &str) -> bool {
        self.parts.iter().any(|wanted| wanted == part)
    }

    /// Whether the plugin configuration may have this field.
    pub fn has(&self, field: &str) -> bool {
        self.fields.contains(&field)
    }
}

fn replace<T: std::str::FromStr>(into: &mut T, text: &str) -> Result<(), UsageError> {
    if !text.is_empty() {
        *into = text.parse().map_err(|_| UsageError(format!("{text} is no number")))?;
    }
    Ok(())
}

/// Given the configuration's own reader.
fn known_fields() -> Rc<[&'static str]> {
    let fields = ["cache", "crypto"].into_iter().filter(|field| {
        let example = if *field == "cache" { json!({ "entries": 100 }) } else { json!("auto") };
        let configuration = json!({
            "issuers": [{ "issuer": "a", "audiences": ["b"], "jwks": { "uri": "https://a.example/", "cluster": "a" } }],
            *field: example,
        });
        config::compile(&Node::from(configuration), &|_| None).is_ok()
    });
    fields.collect()
}
