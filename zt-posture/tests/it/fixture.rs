//! Sysroots from text tables, and facts as one line of text.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use zt_core::device::{FactValue, PostureFact, Tier};
use zt_core::time::Timestamp;
use zt_posture::collect;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// A directory that holds a sysroot, `root`, and whatever may lie outside of it; removed in the end.
pub(crate) struct Fixture {
    outer: PathBuf,
}

impl Fixture {
    /// Builds a sysroot from lines of `file PATH CONTENT`, `link PATH TARGET`, `dir PATH`, `fifo PATH` or
    /// `zeros PATH BYTES`. In contents, `\n` is a newline and `\0` to `\9` are these bytes.
    pub(crate) fn new(tables: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let fixture = Self { outer: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name) };
        fs::create_dir_all(fixture.root()).unwrap();
        for line in
            tables.iter().flat_map(|table| table.lines()).map(str::trim).filter(|line| !line.is_empty())
        {
            fixture.add(line);
        }
        fixture
    }

    fn add(&self, line: &str) {
        let mut words = line.splitn(3, ' ');
        let (what, path, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or(""));
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match what {
            "file" => fs::write(path, content(rest)).unwrap(),
            "link" => symlink(rest, path).unwrap(),
            "dir" => fs::create_dir_all(path).unwrap(),
            "fifo" => mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap(),
            "zeros" => fs::write(path, vec![b'0'; rest.parse().unwrap()]).unwrap(),
            other => panic!("`{other}` in a fixture"),
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.outer.join("root")
    }

    pub(crate) fn outer(&self) -> &Path {
        &self.outer
    }

    /// Where a path of the sysroot is on this machine.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.outer);
    }
}

fn content(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut letters = text.bytes();
    while let Some(letter) = letters.next() {
        bytes.push(match letter {
            b'\\' => match letters.next().unwrap() {
                b'n' => b'\n',
                digit @ b'0'..=b'9' => digit - b'0',
                other => other,
            },
            other => other,
        });
    }
    bytes
}

/// A fact as `STATUS VALUE: SOURCE`.
pub(crate) fn shown(fact: &PostureFact) -> String {
    let value = match &fact.value {
        FactValue::Bool(value) => value.to_string(),
        FactValue::Long(value) => value.to_string(),
        FactValue::String(value) => format!("{value:?}"),
    };
    format!("{} {value}: {}", fact.status.as_str(), fact.source)
}

/// Collects from a sysroot of these tables, and compares one of the facts with its golden line.
pub(crate) fn check(case: &str, name: &str, tables: &[&str], expected: &str) {
    let fixture = Fixture::new(tables);
    let facts = collect(&fixture.root(), NOW);
    check_shape(&facts);
    let fact = facts.iter().find(|fact| fact.name.as_str() == name).unwrap();
    assert_eq!(shown(fact), expected, "{case}");
}

/// Whether facts are what `collect` promises, whatever the machine is like.
pub(crate) fn check_shape(facts: &[PostureFact]) {
    let names: Vec<&str> = facts.iter().map(|fact| fact.name.as_str()).collect();
    assert_eq!(names, ["disk_encrypted", "kernel_version", "os_version", "reboot_required", "secure_boot"]);
    for fact in facts {
        let string = fact.name.as_str().ends_with("_version");
        assert_eq!(matches!(fact.value, FactValue::String(_)), string, "{fact:?}");
        assert_eq!(matches!(fact.value, FactValue::Bool(_)), !string, "{fact:?}");
        let found = matches!(fact.status.as_str(), "pass" | "fail");
        assert!(found || fact.value == fact.value.kind().zero(), "{fact:?}");
        assert!(!found || fact.value != FactValue::String(String::new()), "{fact:?}");
        assert!(!fact.source.is_empty() && !fact.source.contains(char::is_control), "{fact:?}");
        assert_eq!((fact.tier, fact.observed_at), (Tier::SelfAsserted, NOW), "{fact:?}");
    }
}
