//! What the guest says on its serial console, where its kernel talks as well.

use std::fmt;
use std::time::Duration;

/// What tells a line of the guest's from one of the kernel's.
const MARK: &str = "@zt ";

/// A line of the guest's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Init runs.
    Init {
        /// The kernel's release, as `uname -r` says it.
        release: String,
    },
    /// A case begins.
    Case {
        /// Its name.
        name: String,
    },
    /// Something worth knowing about the case that runs.
    Note {
        /// What it is.
        text: String,
    },
    /// A case passed.
    Pass {
        /// Its name.
        name: String,
        /// How long it took in the guest, in whole milliseconds.
        took: Duration,
    },
    /// A case failed.
    Fail {
        /// Its name.
        name: String,
        /// How long it took in the guest, in whole milliseconds.
        took: Duration,
        /// What was wrong.
        reason: String,
    },
    /// All cases have run.
    End {
        /// How many passed.
        passed: usize,
        /// How many failed.
        failed: usize,
    },
}

impl Line {
    /// Reads a line of the console; `None` if it is none of the guest's, or damaged.
    ///
    /// The kernel may have begun the line: what comes before the guest's part is left out.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let (_, said) = line.split_once(MARK)?;
        let (word, rest) = said.trim_end().split_once(' ')?;
        let text = || Some(rest.to_owned()).filter(|rest| !rest.is_empty());
        match word {
            "INIT" => Some(Self::Init { release: text()? }),
            "CASE" => Some(Self::Case { name: text()? }),
            "NOTE" => Some(Self::Note { text: text()? }),
            "PASS" => {
                let (name, took) = name_and_time(rest.strip_suffix(" ms)")?)?;
                Some(Self::Pass { name, took })
            }
            "FAIL" => {
                let (head, reason) = rest.split_once(" ms): ")?;
                let (name, took) = name_and_time(head)?;
                Some(Self::Fail { name, took, reason: reason.to_owned() })
            }
            "END" => {
                let (passed, failed) = rest.split_once(' ')?;
                Some(Self::End { passed: passed.parse().ok()?, failed: failed.parse().ok()? })
            }
            _ => None,
        }
    }
}

/// As it is written to the console, without the end of the line. Texts of several lines become one.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MARK)?;
        match self {
            Self::Init { release } => write!(f, "INIT {release}"),
            Self::Case { name } => write!(f, "CASE {name}"),
            Self::Note { text } => write!(f, "NOTE {}", one_line(text)),
            Self::Pass { name, took } => write!(f, "PASS {name} ({} ms)", took.as_millis()),
            Self::Fail { name, took, reason } => {
                write!(f, "FAIL {name} ({} ms): {}", took.as_millis(), one_line(reason))
            }
            Self::End { passed, failed } => write!(f, "END {passed} {failed}"),
        }
    }
}

fn name_and_time(text: &str) -> Option<(String, Duration)> {
    let (name, millis) = text.rsplit_once(" (")?;
    Some((name.to_owned(), Duration::from_millis(millis.parse().ok()?)))
}

fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(1_234);

    #[test]
    fn lines_are_read_as_they_were_written() {
        let name = || "wireguard (both families)".to_owned();
        for line in [
            Line::Init { release: "6.12.117+deb12-cloud-amd64".to_owned() },
            Line::Case { name: name() },
            Line::Note { text: "3 ms): (4 ms) 5".to_owned() },
            Line::Pass { name: name(), took: TOOK },
            Line::Fail { name: name(), took: TOOK, reason: "at a.rs:3: 4 ms): was 5".to_owned() },
            Line::End { passed: 12, failed: 0 },
        ] {
            assert_eq!(Line::read(&line.to_string()), Some(line.clone()), "{line}");
            let among_others = format!("[    3.1] e1000: link is up{line}\r");
            assert_eq!(Line::read(&among_others), Some(line));
        }
    }

    #[test]
    fn a_reason_of_several_lines_becomes_one() {
        let reason = "assertion failed\n  left: 1\n\n right: 2\n".to_owned();
        let line = Line::Fail { name: "tun".to_owned(), took: TOOK, reason };
        assert_eq!(line.to_string(), "@zt FAIL tun (1234 ms): assertion failed | left: 1 | right: 2");
    }

    #[test]
    fn garbage_is_none_of_the_guests_lines() {
        for line in [
            "",
            "PASS tun (3 ms)",
            "@zt",
            "@zt ",
            "@zt PASS",
            "@zt PASS tun",
            "@zt PASS tun (3",
            "@zt PASS tun (3 ms",
            "@zt PASS tun (three ms)",
            "@zt PA[    4.5] oops",
            "@zt FAIL tun (3 ms)",
            "@zt FAIL tun: no time",
            "@zt END 3",
            "@zt END 3 -1",
            "@zt END three four",
            "@zt INIT ",
            "@zt CASE \r",
            "@zt SKIP tun",
            "\u{fffd}\u{fffd}@z\u{fffd}t CASE tun",
        ] {
            assert_eq!(Line::read(line), None, "{line:?}");
        }
    }
}
