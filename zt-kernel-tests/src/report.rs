//! What is printed, for people or for programs.

use std::io::{self, Write as _};

use serde_json::json;
use zt_kernel_tests::console::Line;

use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::transcript::Transcript;

/// Prints what happens, and counts.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    passed: usize,
    failed: usize,
}

impl Report {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json, passed: 0, failed: 0 }
    }

    /// A kernel is about to be booted.
    pub(crate) fn kernel(&self, kernel: &Kernel, machine: &Machine) {
        let (package, version) = (&kernel.package, &kernel.version);
        if self.json {
            let series = kernel.series.name();
            print(&json!({ "kernel": series, "package": package, "version": version }).to_string());
        } else {
            let size = std::fs::metadata(&machine.initramfs).map_or(0, |metadata| metadata.len() >> 20);
            print(&format!("\n==> {package} {version}, initramfs of {size} MiB"));
        }
    }

    /// The guest said something.
    pub(crate) fn line(&self, kernel: &Kernel, line: &Line) {
        let kernel = kernel.series.name();
        let text = match (self.json, line) {
            (true, Line::Init { release }) => json!({ "kernel": kernel, "release": release }).to_string(),
            (true, Line::Note { text }) => json!({ "kernel": kernel, "note": text }).to_string(),
            (true, Line::Pass { name, took }) => {
                let ms = took.as_millis() as u64;
                json!({ "kernel": kernel, "case": name, "passed": true, "ms": ms }).to_string()
            }
            (true, Line::Fail { name, took, reason }) => {
                let ms = took.as_millis() as u64;
                json!({ "kernel": kernel, "case": name, "passed": false, "ms": ms, "reason": reason })
                    .to_string()
            }
            (false, Line::Init { release }) => format!("    Linux {release} is up"),
            (false, Line::Note { text }) => format!("    {text}"),
            (false, Line::Pass { name, took }) => format!("pass {:>6} ms  {name}", took.as_millis()),
            (false, Line::Fail { name, took, reason }) => {
                format!("FAIL {:>6} ms  {name}: {}", took.as_millis(), reason.replace(" | ", "\n    "))
            }
            (_, Line::Case { .. } | Line::End { .. }) => return,
        };
        print(&text);
    }

    /// A boot came to nothing, and is repeated.
    pub(crate) fn repeated(&self, kernel: &Kernel, reason: &str) {
        eprintln!("warning: {} did not start ({reason}); it is booted once more", kernel.package);
    }

    /// Counts what a boot showed. What is `wrong` with the boot as a whole is one failure more, and is shown with the
    /// console's last lines.
    pub(crate) fn boot(&mut self, kernel: &Kernel, transcript: &Transcript, wrong: Option<&str>) {
        let failed = transcript.results().iter().filter(|result| result.failure.is_some()).count();
        let passed = transcript.results().len().saturating_sub(failed);
        self.passed = self.passed.saturating_add(passed);
        self.failed = self.failed.saturating_add(failed).saturating_add(usize::from(wrong.is_some()));
        let Some(wrong) = wrong else { return };
        if self.json {
            let kernel = kernel.series.name();
            print(&json!({ "kernel": kernel, "boot": wrong, "passed": false }).to_string());
        } else {
            print(&format!("FAIL {}: {wrong}", kernel.package));
        }
        eprintln!("the console of {} ends with:", kernel.package);
        for line in transcript.tail() {
            eprintln!("| {line}");
        }
    }

    /// Prints the counts; true if nothing failed.
    pub(crate) fn conclude(&self) -> bool {
        if self.json {
            print(&json!({ "passed": self.passed, "failed": self.failed }).to_string());
        } else {
            print(&format!("\n{} passed, {} failed", self.passed, self.failed));
        }
        self.failed == 0
    }
}

/// Prints a line at once, so that a reader sees how far it is. If nobody reads, that is no failure.
fn print(line: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}
