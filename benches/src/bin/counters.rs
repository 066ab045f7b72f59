//! Prints what `zt` costs, and fails if a bound is missed. See `docs/performance.md`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use zt_benches::report::{Row, is_good};
use zt_benches::rows::{changes, decision, edit, enforcement, filter, load, noop, reevaluation, tunnels};
use zt_benches::{Error, valgrind};

/// Counts and times what zt costs, and checks the bounds.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// 100,000 sessions instead of a million.
    #[arg(long)]
    quick: bool,
    /// Only the rows of this part.
    #[arg(long)]
    only: Option<Only>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// One decision.
    Decision,
    /// Changes of one session among many, and what sessions take up.
    Changes,
    /// Events that change nothing.
    Noop,
    /// One session on all resources.
    Reevaluation,
    /// An edited policy.
    Edit,
    /// Loading policies.
    Load,
    /// The packet filter.
    Filter,
    /// Changes of a gateway with many peers.
    Enforcement,
    /// Tunnels to a gateway.
    Tunnels,
}

/// What a child under callgrind does.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum Part {
    /// Decides once, at so many policies.
    Decision {
        /// How many.
        policies: usize,
    },
    /// Changes sessions, of which there are so many.
    Changes {
        /// How many.
        sessions: usize,
        /// Without callgrind.
        #[arg(long)]
        bare: bool,
    },
    /// Judges packets, at so many grants.
    Filter {
        /// How many.
        grants: u32,
    },
    /// Changes peers of a gateway, of which there are so many.
    Enforcement {
        /// How many.
        peers: u32,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.part {
        Some(part) => child(part).map(|()| true),
        None => report(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn child(part: &Part) -> Result<(), Error> {
    match part {
        Part::Decision { policies } => {
            decision::run(*policies)?;
            println!("null");
        }
        Part::Changes { sessions, bare } => {
            let bytes = changes::run(*sessions, !bare)?;
            println!("{}", serde_json::to_string(&bytes)?);
        }
        Part::Filter { grants } => {
            filter::run(*grants)?;
            println!("null");
        }
        Part::Enforcement { peers } => {
            enforcement::run(*peers)?;
            println!("null");
        }
    }
    Ok(())
}

/// Prints the rows; true if they are good.
fn report(arguments: &Arguments) -> Result<bool, Error> {
    let require_all = std::env::var("ZT_REQUIRE_ALL").is_ok_and(|value| value == "1");
    let sessions = if arguments.quick { 100_000 } else { 1_000_000 };
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    let printer = &mut Printer { json: arguments.json, rows: Vec::new() };
    let valgrind = valgrind::is_there();
    if let Err(reason) = &valgrind {
        eprintln!("warning: {reason}; what is counted in instructions is left out");
    }
    let counted = |printer: &mut Printer, scratch: Option<&Scratch>| {
        if wanted(Only::Decision) {
            printer.print(decisions(scratch, &valgrind)?)?;
        }
        if wanted(Only::Noop) {
            printer.print(noop::rows()?)?;
        }
        if wanted(Only::Decision) {
            printer.print(decision::rows()?)?;
        }
        Ok::<_, Error>(())
    };
    let scratch = valgrind.is_ok().then(Scratch::new).transpose()?;
    match scratch.as_ref() {
        Some(scratch) if wanted(Only::Changes) => {
            // The million takes minutes, on a core of its own; what is judged by a time alone comes when it has ended.
            let (many, few) = std::thread::scope(|scope| {
                let many = scope.spawn(|| scratch.measure("changes", sessions));
                let few = scratch.measure("changes", 1_000)?;
                counted(printer, Some(scratch))?;
                let many =
                    many.join().map_err(|_| Error::Valgrind("nobody waited for the child".to_owned()))??;
                Ok::<_, Error>((many, few))
            })?;
            printer.print(changes::rows(&many, &few)?)?;
        }
        None if wanted(Only::Changes) => {
            counted(printer, None)?;
            printer.print(changes::unavailable(valgrind.as_ref().err().map_or("", String::as_str)))?;
            printer.print(changes::run(sessions, false)?.rows())?;
        }
        scratch => counted(printer, scratch)?,
    }
    if wanted(Only::Reevaluation) {
        printer.print([reevaluation::row()?])?;
    }
    if wanted(Only::Edit) {
        printer.print(edit::rows(100_000)?)?;
    }
    if wanted(Only::Load) {
        printer.print([load::row(10_000)?])?;
    }
    let gateways = [Only::Filter, Only::Enforcement, Only::Tunnels];
    for part in gateways.into_iter().filter(|part| wanted(*part)) {
        printer.print(of_gateways(part, scratch.as_ref(), &valgrind)?)?;
    }
    Ok(is_good(&printer.rows, require_all))
}

/// The rows of a part that is about gateways.
fn of_gateways(
    part: Only,
    scratch: Option<&Scratch>,
    valgrind: &Result<(), String>,
) -> Result<Vec<Row>, Error> {
    let reason = valgrind.as_ref().err().map_or("", String::as_str);
    match (part, scratch) {
        (Only::Filter, scratch) => {
            let counted = match scratch {
                Some(scratch) => filter::instructions(
                    &scratch.measure("filter", 100_000)?,
                    &scratch.measure("filter", 10)?,
                )?,
                None => filter::unavailable(reason),
            };
            Ok(vec![counted, filter::times()?])
        }
        (Only::Enforcement, Some(scratch)) => {
            let (many, few) = (scratch.measure("enforcement", 10_000)?, scratch.measure("enforcement", 100)?);
            Ok(vec![enforcement::row(&many, &few)?])
        }
        (Only::Enforcement, None) => Ok(vec![enforcement::unavailable(reason)]),
        (_, _) => tunnels::rows(),
    }
}

/// The row of the instructions of a decision.
fn decisions(scratch: Option<&Scratch>, valgrind: &Result<(), String>) -> Result<[Row; 1], Error> {
    match (scratch, valgrind) {
        (Some(scratch), _) => {
            let (many, few) = (scratch.measure("decision", 10_000)?, scratch.measure("decision", 10)?);
            Ok([decision::instructions(&many, &few)?])
        }
        (None, valgrind) => Ok([decision::unavailable(valgrind.as_ref().err().map_or("", String::as_str))]),
    }
}

/// Prints rows as they come, and keeps them.
struct Printer {
    json: bool,
    rows: Vec<Row>,
}

impl Printer {
    fn print(&mut self, rows: impl IntoIterator<Item = Row>) -> Result<(), Error> {
        let mut out = std::io::stdout().lock();
        for row in rows {
            if self.json {
                writeln!(out, "{}", serde_json::to_string(&row)?)?;
            } else {
                writeln!(out, "{row}")?;
            }
            self.rows.push(row);
        }
        Ok(out.flush()?)
    }
}

/// A folder for the files of callgrind, which goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("zt-counters-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Runs a child under callgrind, with files in a folder of its own.
    fn measure(&self, part: &str, number: usize) -> Result<valgrind::Measured, Error> {
        let number = number.to_string();
        let folder = self.0.join(Path::new(&format!("{part}-{number}")));
        std::fs::create_dir(&folder)?;
        valgrind::measure(&[part, &number], &folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it; the system empties this folder some day.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
