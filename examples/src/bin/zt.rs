//! The `zt` command.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use zt_examples::zt::{Authorize, Failure};

/// Zero-trust access on WireGuard.
///
/// Exit status: 0 if it was done, 1 if the output could not be written, 2 if arguments or files are not valid.
#[derive(Debug, Parser)]
#[command(name = "zt", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work with Cedar policies.
    #[command(subcommand)]
    Cedar(Cedar),
}

#[derive(Debug, Subcommand)]
enum Cedar {
    Authorize(Authorize),
}

fn main() -> ExitCode {
    let Command::Cedar(Cedar::Authorize(authorize)) = Arguments::parse().command;
    match authorize.run(io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    // Nothing is left to be done if even this cannot be printed.
    let _ = writeln!(io::stderr(), "error: {failure}");
    ExitCode::from(if failure.is_bad_input() { 2 } else { 1 })
}
