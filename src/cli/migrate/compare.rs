//! `scopegate migrate --compare`: what the old filters made of requests and what Scopegate would have made of them, from
//! access logs that have both in one line: Scopegate in report-only in front of the old filters.

mod counts;
mod json;
mod old;
mod text;

use crate::cli::Output;
use crate::cli::log::{Finder, each_record};
use counts::Counts;
use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How files begin that `gzip` has written.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Compares. The answer is no if Scopegate would let through what the old filters refused.
///
/// # Errors
/// When a log cannot be read, or has no request that can be compared.
pub(super) fn run(logs: &[PathBuf], member: Option<&str>, as_json: bool) -> Result<Output, Box<dyn Error>> {
    logs.iter().try_for_each(|log| refuse_compressed(log))?;
    let mut counts = Counts::default();
    let finder = Finder::new(member.map(str::to_owned)).objects();
    let tally = each_record(logs, finder, &mut |record| counts.count(record))?;
    if counts.compared() == 0 {
        return Err(counts.nothing_compared(&tally).into());
    }
    let text = if as_json { json::figures(logs, &tally, &counts) } else { text::tables(&tally, &counts) };
    Ok(Output { text, failed: counts.newly_allowed.requests > 0 })
}

/// Says how to read a log that is compressed. A pipe is not looked into: what is read of it is gone.
fn refuse_compressed(log: &Path) -> Result<(), Box<dyn Error>> {
    let mut start = [0; 2];
    let is_file = std::fs::metadata(log).is_ok_and(|found| found.is_file());
    if is_file && File::open(log)?.read_exact(&mut start).is_ok() && start == GZIP {
        let file = log.display();
        return Err(format!("{file} is compressed: `zcat {file} | scopegate migrate --compare -`").into());
    }
    Ok(())
}
