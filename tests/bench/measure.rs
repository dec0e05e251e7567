//! Measuring one case: rounds of both contenders in turn, medians of what they gave.

use super::cases::{Caches, Case};
use super::contenders::Contender;
use super::load::{self, Run, Stream};
use super::machine::Cores;
use super::pace::Outcome;
use super::support::envoy::Envoy;
use std::path::Path;
use std::time::Duration;

/// The part of the slower contender's throughput at which latencies are taken.
const PACE: f64 = 0.7;
/// The part of the requests that has to be as the case says of the caches.
const PRACTICALLY_ALL: f64 = 0.97;
/// How long Scopegate's counters of its cache may lag: they are written every second.
const UNTIL_COUNTED: Duration = Duration::from_millis(1_200);
/// A worker that is less busy than this was not what limited a run.
pub const BUSY: f64 = 0.9;

/// What came of one contender.
#[derive(Clone, Debug)]
pub struct Figures {
    pub runs: Vec<Run>,
    /// The latencies at a fixed rate, where they are taken: one for each round.
    pub paced: Vec<Outcome>,
    /// The part of the requests whose token was found in the cache, where it can be told.
    pub found: Option<f64>,
}

impl Figures {
    pub fn rate(&self) -> f64 {
        median(self.runs.iter().map(|run| run.rate))
    }

    pub fn worker_us(&self) -> f64 {
        median(self.runs.iter().map(|run| run.worker_us))
    }

    /// Median over the rounds, in microseconds.
    pub fn p50_us(&self) -> Option<f64> {
        (!self.paced.is_empty()).then(|| median(self.paced.iter().map(|outcome| outcome.p50_us)))
    }

    /// Median over the rounds, in microseconds.
    pub fn p99_us(&self) -> Option<f64> {
        (!self.paced.is_empty()).then(|| median(self.paced.iter().map(|outcome| outcome.p99_us)))
    }

    pub fn busy(&self) -> f64 {
        self.runs.iter().map(|run| run.busy).fold(f64::INFINITY, f64::min)
    }
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Result {
    pub case: Case,
    pub scopegate: Figures,
    pub native: Figures,
    /// At which rates the latencies were taken, one for each round.
    pub rates: Vec<f64>,
}

impl Result {
    /// The median of the ratios of the rounds: both runs of a round are neighbours in time, so what slows the machine
    /// down for a while slows both.
    pub fn ratio(&self) -> f64 {
        median(self.ratios())
    }

    /// The median of the ratios of processor time, which other processes on the machine disturb less.
    pub fn worker_ratio(&self) -> f64 {
        median(
            self.scopegate.runs.iter().zip(&self.native.runs).map(|(ours, native)| native.worker_us / ours.worker_us),
        )
    }

    /// The lowest and the highest ratio of a round.
    pub fn spread(&self) -> (f64, f64) {
        let fold = |with: fn(f64, f64) -> f64, from| self.ratios().fold(from, with);
        (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY))
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.scopegate.runs.iter().zip(&self.native.runs).map(|(ours, native)| ours.rate / native.rate)
    }

    /// The median of the ratios of the rounds' latencies, below 1 where ours is the smaller.
    pub fn p99_ratio(&self) -> Option<f64> {
        let ratios =
            self.scopegate.paced.iter().zip(&self.native.paced).map(|(ours, native)| ours.p99_us / native.p99_us);
        (!self.scopegate.paced.is_empty()).then(|| median(ratios))
    }

    /// At which rate the latencies were taken: the median over the rounds.
    pub fn paced_at(&self) -> Option<f64> {
        (!self.rates.is_empty()).then(|| median(self.rates.iter().copied()))
    }
}

/// Measures a case.
pub fn case(envoy: &Envoy, cores: &Cores, case: &Case) -> Result {
    let requests = load::write_requests(case.name, &case.requests());
    let settings = &case.settings;
    // Once without counting: caches fill, code is loaded. The contender that is second in one round is first in the
    // next.
    let found = Contender::BOTH.map(|who| warm_up(envoy, cores, case, who, &requests));
    let figures = |found| Figures { runs: Vec::new(), paced: Vec::new(), found };
    let mut both = found.map(figures);
    let mut rates = Vec::new();
    for round in 0..settings.rounds {
        let listeners = Contender::BOTH.map(|who| who.listener(case.name));
        for index in in_turn(round) {
            both[index].runs.push(load::full_speed(envoy, cores, &listeners[index], &requests, settings.seconds));
        }
        if !case.is_paced {
            continue;
        }
        // Of this round: a machine that has become slower since the first would not keep up with the rate of that one.
        let slower =
            both.iter().filter_map(|figures| figures.runs.last()).map(|run| run.rate).fold(f64::INFINITY, f64::min);
        let rate = (PACE * slower).floor();
        for index in in_turn(round) {
            let stream = Stream { address: envoy.listener(&listeners[index]), requests: &requests, rate };
            both[index].paced.extend(load::paced(cores, &[stream], settings.seconds));
        }
        rates.push(rate);
    }
    let [scopegate, native] = both;
    Result { case: case.clone(), scopegate, native, rates }
}

/// One run that is not counted, in which the answers and the caches are looked at.
fn warm_up(envoy: &Envoy, cores: &Cores, case: &Case, who: Contender, requests: &Path) -> Option<f64> {
    let listener = who.listener(case.name);
    let answers = |class: u16| envoy.stat(&format!("http.{listener}.downstream_rq_{class}xx")).unwrap_or_default();
    let classes = [2, 4, 5];
    // Where all tokens have to be in the cache, they have to be seen once before. Each run begins with the first.
    if case.caches == Caches::Hit {
        let mut seconds = 1;
        while load::full_speed(envoy, cores, &listener, requests, seconds).answered < case.credentials.len() as u64 {
            seconds *= 2;
        }
    }
    let looked = || if case.caches == Caches::Apart { None } else { lookups(envoy, who, &listener) };
    let (before, looked_before) = (classes.map(answers), looked());
    load::full_speed(envoy, cores, &listener, requests, 1);
    let counted = classes.map(answers).into_iter().zip(before).map(|(after, before)| after - before);
    for (class, count) in classes.into_iter().zip(counted) {
        assert_eq!(count > 0, class == case.status / 100, "{listener}: {count} answers of {class}xx");
    }
    let (hits, misses) = looked()?;
    let (hits, misses) = (hits - looked_before?.0, misses - looked_before?.1);
    let found = hits as f64 / (hits + misses).max(1) as f64;
    match case.caches {
        Caches::Apart => {}
        Caches::Hit => assert!(found > PRACTICALLY_ALL, "{listener}: {found} of the tokens were in the cache"),
        Caches::Missed => assert!(found < 1.0 - PRACTICALLY_ALL, "{listener}: {found} of the tokens were in the cache"),
    }
    Some(found)
}

/// Hits and misses of a contender's cache so far.
fn lookups(envoy: &Envoy, who: Contender, listener: &str) -> Option<(u64, u64)> {
    let names = match who {
        Contender::Scopegate => {
            ["wasmcustom.scopegate.cache.hits", "wasmcustom.scopegate.cache.misses"].map(str::to_owned)
        }
        Contender::Native => ["hit", "miss"].map(|what| format!("http.{listener}.jwt_authn.jwt_cache_{what}")),
    };
    if who == Contender::Scopegate {
        std::thread::sleep(UNTIL_COUNTED);
    }
    Some((envoy.stat(&names[0])?, envoy.stat(&names[1])?))
}

/// The order of the contenders in a round: each is first in every other round.
pub const fn in_turn(round: usize) -> [usize; 2] {
    if round.is_multiple_of(2) { [0, 1] } else { [1, 0] }
}

/// The middle one; the mean of the two in the middle of an even number.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        None => f64::NAN,
        Some(upper) if values.len() % 2 == 1 => *upper,
        Some(upper) => f64::midpoint(values[middle - 1], *upper),
    }
}
