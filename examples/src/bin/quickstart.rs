//! The main job in one command: login, enforced WireGuard access, its end.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use zt_backend_userspace::Gateway;
use zt_backend_userspace::clock::AnchoredClock;
use zt_core::control::Clock as _;
use zt_examples::report::Format;
use zt_examples::site_files::{FilesError, SiteFiles};
use zt_examples::story::cast::{Cast, CastError};
use zt_examples::story::stage::{Stage, StageError, StartedGateway};
use zt_examples::story::{Row, play};

/// Plays zero-trust access on WireGuard from login to revocation, with real handshakes and packets, without root.
///
/// A gateway, its control plane, four devices and the network behind the gateway run in this process. Each step
/// sends probes through the tunnel and looks at what sockets at the other end received.
///
/// Exit status: 0 if every step showed what it was to show, 1 if one did not, 2 if the site is not valid.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Play on the site in this folder (site.toml, directory.toml, policy/*.cedar) instead of the built-in one.
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// Print one JSON object for each step: step, expected, observed, note, and ms where a time was measured.
    #[arg(long)]
    json: bool,
}

/// Why the story cannot be played.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Cast(#[from] CastError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl Failure {
    /// Whether the site is at fault, rather than this machine.
    fn is_bad_input(&self) -> bool {
        match self {
            Self::Files(_) | Self::Cast(_) => true,
            Self::Stage(error) => error.is_bad_input(),
            Self::Output(_) => false,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(rows) if rows.iter().all(Row::is_as_expected) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(failure) => {
            // Nothing is left to be done if even this cannot be printed.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(if failure.is_bad_input() { 2 } else { 1 })
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Vec<Row>, Failure> {
    let files = arguments.site.as_deref().map_or_else(|| Ok(SiteFiles::embedded()), SiteFiles::read)?;
    let (cast, directory) = Cast::read(&files)?;
    let facts = zt_posture::collect(Path::new("/"), AnchoredClock::start().now());
    let format = if arguments.json { Format::Json } else { Format::Table };
    let mut out = io::stdout();
    if files.policy.policies.is_empty() {
        writeln!(io::stderr(), "note: the policy folder has no policies, so nothing is allowed")?;
    }
    let start = async |config| Ok(StartedGateway::new(Gateway::start(config).await?));
    let mut stage = Stage::set(&files, (cast, &directory), facts.clone(), start).await?;
    if format == Format::Table {
        writeln!(out, "this machine says:")?;
        for fact in &facts {
            writeln!(
                out,
                "   {:<18} {:<12} {} ({})",
                fact.name,
                fact.status.as_str(),
                fact.value,
                fact.source
            )?;
        }
        writeln!(out)?;
    }
    format.head(&mut out)?;
    let mut printed = Ok(());
    let rows = play(&mut stage, |row| {
        if printed.is_ok() {
            printed = format.row(&mut out, row);
        }
    })
    .await?;
    printed?;
    if format == Format::Table {
        let good = rows.iter().filter(|row| row.is_as_expected()).count();
        writeln!(out, "\n{good} of {} steps as expected", rows.len())?;
    }
    Ok(rows)
}
