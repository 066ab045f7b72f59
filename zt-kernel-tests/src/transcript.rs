//! What a boot said on its console, and what follows from that.

use std::collections::VecDeque;
use std::time::Duration;

use zt_kernel_tests::console::Line;

/// How many of the console's last lines are kept, to be shown when something went wrong.
const TAIL: usize = 60;
/// What a kernel says before it stops for good.
const PANIC: &str = "Kernel panic - not syncing";

/// What has been read of a boot's console so far.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    release: Option<String>,
    results: Vec<CaseResult>,
    running: Option<String>,
    end: Option<(usize, usize)>,
    panic: Option<String>,
    tail: VecDeque<String>,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaseResult {
    pub(crate) name: String,
    /// In the guest.
    pub(crate) took: Duration,
    /// Why it failed; none if it passed.
    pub(crate) failure: Option<String>,
}

/// How a boot ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every case that was to run has a result.
    Whole,
    /// Init never ran, so that nothing was tested.
    BeforeInit(String),
    /// It ended too early, or not as it says.
    Broken(String),
}

impl Transcript {
    /// Reads the next line, and returns it if it is the guest's.
    pub(crate) fn read(&mut self, text: &str) -> Option<Line> {
        if !text.trim().is_empty() {
            self.tail.push_back(text.trim_end().to_owned());
        }
        if self.tail.len() > TAIL {
            self.tail.pop_front();
        }
        if text.contains(PANIC) {
            self.panic.get_or_insert_with(|| text.trim().to_owned());
        }
        let line = Line::read(text)?;
        match line.clone() {
            Line::Init { release } => self.release = Some(release),
            Line::Case { name } => self.running = Some(name),
            Line::Pass { name, took } => self.finish(CaseResult { name, took, failure: None }),
            Line::Fail { name, took, reason } => {
                self.finish(CaseResult { name, took, failure: Some(reason) });
            }
            Line::End { passed, failed } => self.end = Some((passed, failed)),
            Line::Note { .. } => {}
        }
        Some(line)
    }

    fn finish(&mut self, result: CaseResult) {
        self.running = None;
        self.results.push(result);
    }

    /// The kernel's release, once init has said it.
    pub(crate) fn release(&self) -> Option<&str> {
        self.release.as_deref()
    }

    /// The cases that have ended, in order.
    pub(crate) fn results(&self) -> &[CaseResult] {
        &self.results
    }

    /// Whether the guest has said that it is done.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// The last lines of the console.
    pub(crate) fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }

    /// How the boot ended, when no more lines come because of `cause`.
    pub(crate) fn ending(&self, cause: &str) -> Ending {
        let cause = self.panic.as_deref().unwrap_or(cause);
        if self.release.is_none() {
            return Ending::BeforeInit(cause.to_owned());
        }
        let failed = self.results.iter().filter(|result| result.failure.is_some()).count();
        let passed = self.results.len().saturating_sub(failed);
        match (self.end, &self.running) {
            _ if self.panic.is_some() => Ending::Broken(cause.to_owned()),
            (None, Some(name)) => Ending::Broken(format!("{cause}, while `{name}` ran")),
            (None, None) => Ending::Broken(format!("{cause}, before the guest said END")),
            (Some(end), _) if end != (passed, failed) => Ending::Broken(format!(
                "the guest says that {} cases passed and {} failed, but {passed} and {failed} were read",
                end.0, end.1
            )),
            (Some((0, 0)), _) => Ending::Broken("no case of this name".to_owned()),
            (Some(_), _) => Ending::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: &str = "the machine stopped";

    fn read(text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        for line in text.lines() {
            transcript.read(line);
        }
        transcript
    }

    const WHOLE: &str = "\
SeaBIOS (version 1.16.2-debian-1.16.2-1)\r
[    0.000000] Linux version 6.1.0-56-cloud-amd64\r
\u{fffd}\u{fffd}\r
@zt INIT 6.1.0-56-cloud-amd64\r
\r
@zt CASE modules\r
@zt NOTE 31 modules\r
@zt PASS modules (3 ms)\r
[    5.1] wireguard: WireGuard 1.0.0 loaded.@zt CASE tun\r
[    5.2] tun: Universal TUN/TAP device driver, 1.6\r
@zt FAIL tun (17 ms): no packet | at tun.rs:3\r
@zt END 1 1\r
";

    #[test]
    fn a_boot_with_all_its_results_is_whole() {
        let transcript = read(WHOLE);
        assert_eq!(transcript.ending(CAUSE), Ending::Whole);
        assert_eq!(transcript.release(), Some("6.1.0-56-cloud-amd64"));
        let result = |name: &str, millis, failure: Option<&str>| CaseResult {
            name: name.to_owned(),
            took: Duration::from_millis(millis),
            failure: failure.map(str::to_owned),
        };
        let expected = [result("modules", 3, None), result("tun", 17, Some("no packet | at tun.rs:3"))];
        assert_eq!(transcript.results(), expected);
    }

    /// However much of it is missing at the end, a boot never passes for a whole one.
    #[test]
    fn a_boot_that_was_cut_off_is_not_whole() {
        let init = WHOLE.find("INIT 6").unwrap();
        let end = WHOLE.find("END 1 1").unwrap() + "END 1 1".len();
        for (at, cut) in (0..end).filter_map(|at| Some((at, WHOLE.get(..at)?))) {
            let ending = read(cut).ending(CAUSE);
            let early = at <= init + "INIT ".len();
            assert_eq!(matches!(ending, Ending::BeforeInit(_)), early, "{cut:?}");
            assert_ne!(ending, Ending::Whole, "{cut:?}");
        }
    }

    #[test]
    fn a_panic_is_an_ending_of_its_own() {
        let panic = "[    2.9] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b";
        let before = read(&format!("[    0.0] Linux version\n{panic}\n"));
        assert_eq!(before.ending(CAUSE), Ending::BeforeInit(panic.to_owned()));
        let amid = read(&format!("{}\n{panic}\n", WHOLE.split("@zt FAIL").next().unwrap()));
        assert_eq!(amid.ending(CAUSE), Ending::Broken(panic.to_owned()));
        let after = read(&format!("{WHOLE}{panic}\n"));
        assert_eq!(after.ending(CAUSE), Ending::Broken(panic.to_owned()));
    }

    #[test]
    fn a_result_that_was_not_read_is_missed() {
        let damaged = WHOLE.replace("PASS modules", "PA[    5.0] tun\nSS modules");
        assert!(matches!(read(&damaged).ending(CAUSE), Ending::Broken(text) if text.contains("but 0 and 1")));
    }

    #[test]
    fn the_case_that_ran_is_named() {
        let cut = read(WHOLE.split("@zt FAIL").next().unwrap());
        let expected = format!("{CAUSE}, while `tun` ran");
        assert_eq!(cut.ending(CAUSE), Ending::Broken(expected));
    }

    #[test]
    fn without_any_case_nothing_passed() {
        assert!(matches!(read("@zt INIT 6.1\n@zt END 0 0\n").ending(CAUSE), Ending::Broken(_)));
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        let many: String = (0..1_000).map(|number| format!("line {number}\r\n")).collect();
        let transcript = read(&many);
        assert_eq!(transcript.tail().count(), TAIL);
        assert_eq!(transcript.tail().last(), Some("line 999"));
    }
}
