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
use std::path::PathBuf;

/// Compares. The answer is no if Scopegate would let through what the old filters refused.
///
/// # Errors
/// When a log cannot be read, or has no request that can be compared.
pub(super) fn run(logs: &[PathBuf], member: Option<&str>, as_json: bool) -> Result<Output, Box<dyn Error>> {
    let mut counts = Counts::default();
    let finder = Finder::new(member.map(str::to_owned)).objects();
    let tally = each_record(logs, finder, &mut |record| counts.count(record))?;
    if counts.compared() == 0 {
        return Err(counts.nothing_compared(&tally).into());
    }
    let text = if as_json { json::figures(logs, &tally, &counts) } else { text::tables(&tally, &counts) };
    Ok(Output { text, failed: counts.newly_allowed.requests > 0 })
}
