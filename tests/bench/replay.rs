//! What a claim costs in the store of what is good once, natively, while so many entries are live: the code of the module over
//! a map behind a lock, as Envoy's shared data is one. `cargo bench --bench replay`. It fails when one claim in a hundred
//! takes more than 100 µs among 1 000 000 live entries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool that stops at what it does not expect, measures time, and prints"
)]

#[path = "../support/mod.rs"]
mod support;

use scopegate::base::time::UnixSeconds;
use scopegate::facts::{Claim, Claimed, Pool, ReplayStore as _};
use scopegate::replay_store::SharedStore;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::shared::Shared;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
/// How many claims are measured.
const CLAIMS: usize = 100_000;
/// How long one claim in a hundred may take.
const LIMIT: Duration = Duration::from_micros(100);

/// The time that a claim takes.
fn timed(store: &SharedStore, id: usize, wanted: Claimed) -> Duration {
    let (id, holder) = (id.to_le_bytes(), (id % 100_000).to_le_bytes());
    let claim = Claim {
        pool: Pool::Tokens,
        id: &[b"enforced", b"jti", b"https://issuer.example.com/", &id],
        principal: &[b"https://issuer.example.com/", &holder],
        until: UnixSeconds(NOW.0 + 300),
        made_at: None,
    };
    let start = Instant::now();
    let claimed = store.claim(&claim, NOW);
    let time = start.elapsed();
    assert_eq!(claimed, wanted, "{:?}", store.take_troubles().collect::<Vec<_>>());
    time
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn main() -> ExitCode {
    let mut is_good = true;
    println!("live entries   first p50   first p99   again p50   again p99   bytes of names and values");
    for entries in [0, 100_000, 1_000_000] {
        let shared = Shared::default();
        let room = (entries + CLAIMS).max(100_000);
        let start = Instant::now();
        let store = SharedStore::open(Box::new(shared.clone()), &[Pool::Tokens], room, NOW).unwrap();
        let opened = start.elapsed();
        for id in 0..entries {
            timed(&store, id, Claimed::First);
        }
        let bytes = shared.bytes();
        let mut first: Vec<_> = (entries..entries + CLAIMS).map(|id| timed(&store, id, Claimed::First)).collect();
        let mut again: Vec<_> = (entries..entries + CLAIMS).map(|id| timed(&store, id, Claimed::Again)).collect();
        let [a, b] = [50, 99].map(|percent| percentile(&mut first, percent));
        let [c, d] = [50, 99].map(|percent| percentile(&mut again, percent));
        println!("{entries:>12} {a:>11.1?} {b:>11.1?} {c:>11.1?} {d:>11.1?} {bytes:>27}   made in {opened:.1?}");
        is_good &= b <= LIMIT && d <= LIMIT;
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
