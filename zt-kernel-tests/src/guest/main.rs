//! What runs in the virtual machine, as its first and only process: init, and the cases.

mod case;
#[expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a case that cannot go on is to fail there"
)]
mod cases;
mod console;
mod init;
#[expect(clippy::expect_used, reason = "a case whose namespaces cannot be set up is to fail there")]
mod namespace;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use zt_kernel_tests::console::Line;
use zt_kernel_tests::layout;

fn main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!("error: this is the first process of a virtual machine, which zt-kernel-tests boots");
        return ExitCode::FAILURE;
    }
    if let Err(error) = run() {
        // The host misses END, and shows this.
        eprintln!("error: init: {error}");
    }
    let error = init::power_off();
    // The kernel panics when init ends, which ends the machine, too.
    eprintln!("error: cannot power off: {error}");
    ExitCode::FAILURE
}

fn run() -> Result<(), init::InitError> {
    init::mount_all()?;
    console::say(&Line::Init { release: init::release() });
    init::load_modules()?;
    let path = Path::new("/").join(layout::FILTER);
    let filter = fs::read_to_string(&path).map_err(|source| init::InitError::io("read", &path, source))?;
    let mut cases = cases::all();
    cases.retain(|case| case.name().contains(&filter));
    let (passed, failed) = case::run_all(cases);
    console::say(&Line::End { passed, failed });
    Ok(())
}
