//! `scopegate tail`: the decisions of a log, readable at a glance.

pub(in crate::cli) mod columns;
mod follow;

use super::Output;
use super::log::{Filter, FilterArguments, Finder, Lines, nothing_read, open};
use clap::Args;
use follow::Follower;
use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is looked at that is followed.
const INTERVAL: Duration = Duration::from_millis(200);
/// How much of the end of a file is read first, and how much more each time that it has too few records.
const END_BYTES: u64 = 1 << 20;
const MORE: u64 = 8;

/// The log, and which of its records to show.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A log is an access log in JSON that holds the record as an object or as text, under any key, or Envoy's own log.
Lines without a record are left out. A file is followed, past its rotation too; standard input is read to its end.

Columns: the subject at its issuer and the client; the fingerprint, with a question mark if the token was not
verified. `would` is what report-only would have refused; `reuse` is a token that several clients showed.

Examples:
  scopegate tail access.log
  scopegate tail --no-follow --denied --route orders access.log
  kubectl logs deploy/envoy | scopegate tail --where issuer=demo -"
)]
pub struct TailArguments {
    /// The log; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Follows the file (the default)
    #[arg(long, short, overrides_with = "no_follow")]
    pub follow: bool,
    /// Ends at the end of the file
    #[arg(long)]
    pub no_follow: bool,
    /// How many records of a file to show before what is new
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    pub lines: usize,
    /// Which records to show
    #[command(flatten)]
    pub filter: FilterArguments,
}

/// What shows records.
struct Printer<'o> {
    finder: Finder,
    filter: Filter,
    coloured: bool,
    out: &'o mut dyn Write,
}

impl Printer<'_> {
    /// The lines of the records of a line.
    fn lines(&mut self, line: Option<&[u8]>) -> Vec<String> {
        let mut lines = Vec::new();
        match line {
            None => self.finder.skip(),
            Some(line) => self.finder.read(line, &mut |record| {
                if self.filter.takes(record) {
                    lines.push(columns::line(record, self.coloured));
                }
            }),
        }
        lines
    }

    fn print(&mut self, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }

    fn show(&mut self, line: Option<&[u8]>) -> io::Result<()> {
        let lines = self.lines(line);
        if lines.is_empty() { Ok(()) } else { self.print(lines) }
    }
}

/// Shows the decisions of a log on `out`.
///
/// # Errors
/// When the log cannot be read, or nothing in it is a record.
pub fn run(arguments: &TailArguments, coloured: bool, out: &mut dyn Write) -> Result<Output, Box<dyn Error>> {
    let finder = Finder::new(arguments.filter.record.clone());
    let mut printer = Printer { finder, filter: Filter::new(&arguments.filter), coloured, out };
    match tail(arguments, &mut printer) {
        Err(error) if !is_closed_pipe(&*error) => return Err(error),
        // Or what reads the output has ended, such as `head`.
        Ok(()) | Err(_) => {}
    }
    let tally = printer.finder.tally;
    if tally.records == 0 && tally.lines > 0 {
        return Err(nothing_read(&arguments.file, &tally).into());
    }
    Ok(String::new().into())
}

fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn tail(arguments: &TailArguments, printer: &mut Printer<'_>) -> Result<(), Box<dyn Error>> {
    let file = &arguments.file;
    let is_file = file != Path::new("-") && std::fs::metadata(file).is_ok_and(|found| found.is_file());
    if !is_file {
        let mut lines = open(file)?;
        printer.print([columns::heads(printer.coloured)])?;
        while let Some(line) = lines.next()? {
            printer.show(line)?;
        }
        return Ok(());
    }
    let mut opened = File::open(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let end = last(&mut opened, arguments, printer)?;
    if arguments.no_follow {
        return Ok(());
    }
    let mut follower = Follower::from(file, opened, end)?;
    loop {
        follower.poll(&mut |line| printer.show(line))?;
        std::thread::sleep(INTERVAL);
    }
}

/// Shows the last records of a file, and says where its last whole line ends.
fn last(file: &mut File, arguments: &TailArguments, printer: &mut Printer<'_>) -> Result<u64, Box<dyn Error>> {
    let length = file.metadata()?.len();
    let mut part = END_BYTES;
    loop {
        let start = length.saturating_sub(part);
        file.seek(SeekFrom::Start(start))?;
        let mut lines = Lines::new(BufReader::new(&*file));
        let mut found: VecDeque<String> = VecDeque::new();
        printer.finder = Finder::new(arguments.filter.record.clone());
        // The first line has begun before.
        if start > 0 {
            lines.next()?;
        }
        let mut whole = lines.whole_bytes();
        while let Some(line) = lines.next()? {
            let line = line.map(<[u8]>::to_vec);
            // A last line may be going to have more.
            if lines.whole_bytes() == whole && !arguments.no_follow {
                break;
            }
            whole = lines.whole_bytes();
            found.extend(printer.lines(line.as_deref()));
            while found.len() > arguments.lines {
                found.pop_front();
            }
        }
        if found.len() >= arguments.lines || start == 0 {
            printer.print([columns::heads(printer.coloured)])?;
            printer.print(found)?;
            return Ok(start.saturating_add(whole));
        }
        part = part.saturating_mul(MORE);
    }
}
