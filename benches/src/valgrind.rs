//! Counting the instructions of single calls, by running this very program under callgrind.
//!
//! The child prepares its world uninstrumented, which is some five times slower than without valgrind instead of fifty
//! times, has instrumentation switched on, and then calls [`measured_call`], during which alone callgrind collects. It
//! writes one file for each such call, and their totals are the figures.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Error;

/// What a child under callgrind found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The instructions of each measured call, in order.
    pub instructions: Vec<u64>,
    /// What the child printed.
    pub printed: Value,
}

/// Whether valgrind can be started, or why not.
///
/// # Errors
/// The reason, in words.
pub fn is_there() -> Result<(), String> {
    for program in ["valgrind", "vgdb"] {
        let found = Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Err(format!("{program} cannot be started; install valgrind"));
        }
    }
    Ok(())
}

/// Runs this program with `arguments`, which are to make it call [`measured_call`], under callgrind; files go to
/// `scratch`, which should be empty.
///
/// # Errors
/// If the child fails.
pub fn measure(arguments: &[&str], scratch: &Path) -> Result<Measured, Error> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no", "--quiet"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--dump-after={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", scratch.join("out").display()))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(Error::Valgrind(format!("`{}` ended with {}", arguments.join(" "), output.status)));
    }
    let printed = serde_json::from_slice(&output.stdout)?;
    let mut instructions = Vec::new();
    loop {
        let part = scratch.join(format!("out.{}", instructions.len() + 1));
        if !part.exists() {
            return Ok(Measured { instructions, printed });
        }
        let text = std::fs::read_to_string(&part)?;
        let total = total(&text)
            .ok_or_else(|| Error::Valgrind(format!("{} has no count of instructions", part.display())))?;
        instructions.push(total);
    }
}

/// The function whose instructions are collected, as callgrind names it.
const MEASURED: &str = "zt_benches::valgrind::measured_call";

/// Makes a call, and has callgrind count its instructions if the program runs under it.
///
/// Not generic, so that callgrind has one name for it: patterns do not do for `--dump-after`.
#[inline(never)]
pub fn measured_call(call: &mut dyn FnMut()) {
    call();
    std::hint::black_box(());
}

/// Switches instrumentation on, in a child under callgrind.
///
/// # Errors
/// If valgrind does not hear.
pub fn instrument() -> Result<(), Error> {
    let mut control = Command::new("vgdb")
        .arg(format!("--pid={}", std::process::id()))
        .args(["instrumentation", "on"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // Not `wait`: valgrind listens only between this program's own steps.
    loop {
        if let Some(status) = control.try_wait()? {
            let problem = || Error::Valgrind(format!("vgdb ended with {status}"));
            return status.success().then_some(()).ok_or_else(problem);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The instructions that a file of callgrind counts in all; `None` if it is no such file, or counts other events.
#[must_use]
pub fn total(text: &str) -> Option<u64> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    (field("events:")? == "Ir").then(|| field("totals:"))??.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# callgrind format\nversion: 1\npart: 1\n\npositions: line\nevents: Ir\nsummary: 5569\n\n\
                        fn=(1) main\n16 400\ncfn=(2) f\ncalls=1 0\n16 5006\n\ntotals: 5568\n";

    #[test]
    fn totals_are_read() {
        assert_eq!(total(FILE), Some(5_568));
    }

    #[test]
    fn what_is_no_count_of_instructions_is_none() {
        assert_eq!(total(""), None);
        assert_eq!(total(&FILE.replace("events: Ir", "events: Dr")), None);
        assert_eq!(total(&FILE.replace("events: Ir", "events: Ir Dr")), None);
        assert_eq!(total(&FILE.replace("totals: 5568", "totals: many")), None);
        assert_eq!(total(FILE.split("totals").next().unwrap_or_default()), None);
    }
}
