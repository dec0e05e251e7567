//! Measuring one case: rounds of all contenders in turn, medians of what they gave.

use super::cases::{Caches, Case};
use super::contenders::{Contender, MODULE_STATISTICS};
use super::load::{self, Run, Stream};
use super::machine::Cores;
use super::pace::Outcome;
use super::settings::Settings;
use super::support::envoy::Envoy;
use std::path::Path;
use std::time::Duration;

/// The part of the throughput of Envoy's own filters at which latencies are taken.
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
    pub module: Figures,
    pub native: Figures,
    /// The same requests without a filter, and with one route.
    pub bare: Vec<Run>,
    /// At which rates the latencies were taken, one for each round.
    pub rates: Vec<f64>,
}

impl Result {
    /// Begins a case.
    pub fn new(case: &Case) -> Self {
        let none = Figures { runs: Vec::new(), paced: Vec::new(), found: None };
        let [scopegate, module, native] = [none.clone(), none.clone(), none];
        Self { case: case.clone(), scopegate, module, native, bare: Vec::new(), rates: Vec::new() }
    }

    /// What came of this contender.
    pub const fn of(&mut self, who: Contender) -> &mut Figures {
        match who {
            Contender::Scopegate => &mut self.scopegate,
            Contender::Module => &mut self.module,
            Contender::Native => &mut self.native,
        }
    }

    /// The median of the ratios of the rounds: both runs of a round are neighbours in time, so what slows the machine
    /// down for a while slows both.
    pub fn ratio(&self) -> f64 {
        median(self.ratios(&self.scopegate))
    }

    /// The same of the native module.
    pub fn module_ratio(&self) -> f64 {
        median(self.ratios(&self.module))
    }

    /// The same of the native module.
    pub fn module_worker_ratio(&self) -> f64 {
        self.worker_ratio_of(&self.module)
    }

    /// The median of the ratios of processor time, which other processes on the machine disturb less.
    pub fn worker_ratio(&self) -> f64 {
        self.worker_ratio_of(&self.scopegate)
    }

    fn worker_ratio_of(&self, ours: &Figures) -> f64 {
        median(ours.runs.iter().zip(&self.native.runs).map(|(ours, native)| native.worker_us / ours.worker_us))
    }

    /// Microseconds of the worker for such a request without a filter.
    pub fn bare_us(&self) -> f64 {
        median(self.bare.iter().map(|run| run.worker_us))
    }

    /// The ratio of processor time that a filter would reach that costs nothing: no target above it can be met.
    pub fn ceiling(&self) -> f64 {
        median(self.native.runs.iter().zip(&self.bare).map(|(native, bare)| native.worker_us / bare.worker_us))
    }

    /// The lowest and the highest ratio of a round.
    pub fn spread(&self) -> (f64, f64) {
        let fold = |with: fn(f64, f64) -> f64, from| self.ratios(&self.scopegate).fold(from, with);
        (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY))
    }

    fn ratios(&self, ours: &Figures) -> impl Iterator<Item = f64> {
        ours.runs.iter().zip(&self.native.runs).map(|(ours, native)| ours.rate / native.rate)
    }

    /// The median of the ratios of the rounds' latencies, below 1 where ours is the smaller.
    pub fn p99_ratio(&self) -> Option<f64> {
        self.p99_ratio_of(&self.scopegate)
    }

    /// The same of the native module.
    pub fn module_p99_ratio(&self) -> Option<f64> {
        self.p99_ratio_of(&self.module)
    }

    fn p99_ratio_of(&self, ours: &Figures) -> Option<f64> {
        let ratios = ours.paced.iter().zip(&self.native.paced).map(|(ours, native)| ours.p99_us / native.p99_us);
        (!ours.paced.is_empty()).then(|| median(ratios))
    }

    /// At which rate the latencies were taken: the median over the rounds.
    pub fn paced_at(&self) -> Option<f64> {
        (!self.rates.is_empty()).then(|| median(self.rates.iter().copied()))
    }
}

/// Measures a case in one Envoy, the `start`-th, and adds to what came of it in those before.
pub fn case(envoy: &Envoy, cores: &Cores, result: &mut Result, start: usize) {
    let case = result.case.clone();
    let requests = load::write_requests(case.name, &case.requests());
    let settings = &case.settings;
    // Once without counting: caches fill, code is loaded. The contender that is last in one round is first in the next.
    for who in Contender::ALL {
        result.of(who).found = warm_up(envoy, cores, &case, who, &requests);
    }
    for round in 0..settings.rounds {
        let order = order(start * settings.rounds + round);
        for who in order {
            let run = load::full_speed(envoy, cores, &who.listener(case.name), &requests, settings.seconds);
            result.of(who).runs.push(run);
        }
        result.bare.push(load::full_speed(envoy, cores, "bare", &requests, settings.seconds));
        if !case.is_paced {
            continue;
        }
        // Of this round: a machine that has become slower since the first would not keep up with the rate of that one.
        let native = result.native.runs.last().map_or(f64::NAN, |run| run.rate);
        let rate = (PACE * native).floor();
        for who in order {
            let address = envoy.listener(&who.listener(case.name));
            let stream = Stream { address, requests: &requests, rate };
            result.of(who).paced.extend(load::paced(cores, &[stream], settings.seconds));
        }
        result.rates.push(rate);
    }
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
    let ours = |namespace: &str| ["hits", "misses"].map(|what| format!("{namespace}.scopegate.cache.{what}"));
    let names = match who {
        Contender::Scopegate => ours("wasmcustom"),
        Contender::Module => ours(MODULE_STATISTICS),
        Contender::Native => ["hit", "miss"].map(|what| format!("http.{listener}.jwt_authn.jwt_cache_{what}")),
    };
    if who != Contender::Native {
        std::thread::sleep(UNTIL_COUNTED);
    }
    Some((envoy.stat(&names[0])?, envoy.stat(&names[1])?))
}

/// The order of all contenders in a round: in every other one it is reversed.
pub const fn order(round: usize) -> [Contender; 3] {
    let [first, middle, last] = Contender::ALL;
    if round.is_multiple_of(2) { [first, middle, last] } else { [last, middle, first] }
}

/// The order of two in a round: each is first in every other round.
pub const fn in_turn(round: usize) -> [usize; 2] {
    if round.is_multiple_of(2) { [0, 1] } else { [1, 0] }
}

/// Two in turn, each once without counting and then `rounds` times; `run` runs one of them for so many seconds.
pub fn two_in_turn(settings: &Settings, run: impl Fn(usize, u64) -> Run) -> [Vec<Run>; 2] {
    let mut runs: [Vec<Run>; 2] = Default::default();
    for index in 0..runs.len() {
        run(index, 1);
    }
    for number in 0..settings.rounds {
        for index in in_turn(number) {
            runs[index].push(run(index, settings.seconds));
        }
    }
    runs
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
