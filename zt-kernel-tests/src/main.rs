//! Boots kernels of Debian and runs the cases in them. See the library's documentation.

mod error;
mod initramfs;
mod kernel;
mod machine;
mod modules;
mod newc;
mod programs;
mod report;
mod transcript;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

use clap::Parser;

use error::Error;
use initramfs::Guest;
use kernel::{Kernel, Series};
use machine::{Accelerator, Machine, after};
use programs::Program;
use report::Report;
use transcript::Ending;

/// Runs tests on kernels of Debian, in virtual machines.
///
/// Exits with 0 if all passed, or if something is missing; with ZT_REQUIRE_ALL=1, what is missing is a failure.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Which kernels to boot.
    #[arg(long, default_value = "all")]
    kernel: Which,
    /// Only the cases that have this in their name.
    #[arg(long, default_value = "", hide_default_value = true)]
    filter: String,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// How many seconds each kernel has.
    #[arg(long, default_value_t = 480)]
    timeout: u64,
    /// What executes the guest's instructions.
    #[arg(long, default_value = "tcg")]
    accel: Accelerator,
}

/// A choice of kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// The one of Debian 12.
    #[value(name = "6.1")]
    V6_1,
    /// The backported one of Debian 12.
    #[value(name = "6.12")]
    V6_12,
    /// Both.
    All,
}

impl Which {
    fn series(self) -> &'static [Series] {
        match self {
            Self::V6_1 => &[Series::V6_1],
            Self::V6_12 => &[Series::V6_12],
            Self::All => &Series::ALL,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let require_all = env::var("ZT_REQUIRE_ALL").is_ok_and(|value| value == "1");
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Err(Error::Missing(missing)) if !require_all => {
            eprintln!("SKIPPED kernel tier: {missing}");
            ExitCode::SUCCESS
        }
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// True if nothing failed. All that can be missing is looked for first.
fn run(arguments: &Arguments) -> Result<bool, Error> {
    for program in Program::ALL {
        program.find()?;
    }
    Guest::check()?;
    arguments.accel.check()?;
    let target_folder = target_folder()?;
    let cache = target_folder.join("kernel-tests");
    fs::create_dir_all(&cache).map_err(|source| Error::io("create", &cache, source))?;
    let series = arguments.kernel.series().iter();
    let kernels = series.map(|series| Kernel::fetch(*series, &cache)).collect::<Result<Vec<_>, _>>()?;

    let guest = Guest::build(&target_folder)?;
    let mut report = Report::new(arguments.json);
    for kernel in &kernels {
        let modules = modules::read(&kernel.tree, kernel.release())?;
        let initramfs = cache.join(format!("{}.cpio", kernel.release()));
        let initramfs = guest.pack(&modules, &arguments.filter, initramfs)?;
        let machine = Machine { accelerator: arguments.accel, image: kernel.image(), initramfs };
        report.kernel(kernel, &machine);
        boot(kernel, &machine, Duration::from_secs(arguments.timeout), &mut report)?;
    }
    Ok(report.conclude())
}

/// Boots a kernel and reports what it shows. A boot that ends before init is repeated once: emulated kernels die early
/// now and then, and nothing of ours has run by then.
fn boot(kernel: &Kernel, machine: &Machine, timeout: Duration, report: &mut Report) -> Result<(), Error> {
    let deadline = after(Instant::now(), timeout);
    let once = |report: &Report| machine.boot(deadline, |line| report.line(kernel, line));
    let (mut transcript, mut ending) = once(report)?;
    if let Ending::BeforeInit(reason) = &ending {
        report.repeated(kernel, reason);
        (transcript, ending) = once(report)?;
    }
    let wrong = match &ending {
        Ending::Whole => None,
        Ending::BeforeInit(wrong) | Ending::Broken(wrong) => Some(wrong.as_str()),
    };
    report.boot(kernel, &transcript, wrong);
    Ok(())
}

/// The target folder that this program was built in.
fn target_folder() -> Result<PathBuf, Error> {
    let program =
        env::current_exe().map_err(|source| Error::io("find", Path::new("this program"), source))?;
    program.ancestors().nth(2).map(Path::to_owned).ok_or_else(|| Error::NoTargetFolder(program.clone()))
}
