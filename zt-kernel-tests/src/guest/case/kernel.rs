//! What the kernel has to say about a case.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

use crate::console::note;

/// The bits of `/proc/sys/kernel/tainted` for a kernel that died and went on, and for one that warned.
const DIED_OR_WARNED: u64 = 1 << 7 | 1 << 9;
/// `O_NONBLOCK`: a reader of the kernel's log waits at its end otherwise.
const NONBLOCK: i32 = 0o4000;
/// How many of the log's last lines are told.
const TOLD: usize = 20;

/// Notices whether the kernel finds something wrong with itself while a case runs.
#[derive(Debug)]
pub(super) struct Watch {
    before: u64,
    log: Option<fs::File>,
}

impl Watch {
    pub(super) fn start() -> Self {
        let mut log = fs::OpenOptions::new().read(true).custom_flags(NONBLOCK).open("/dev/kmsg").ok();
        // What was said before is not about this case.
        records(log.as_mut());
        Self { before: tainted(), log }
    }

    /// An error if the kernel has warned.
    pub(super) fn judge(&self) -> Result<(), String> {
        if tainted() & !self.before & DIED_OR_WARNED == 0 {
            return Ok(());
        }
        Err("the kernel warned of itself".to_owned())
    }

    /// Tells the host what the kernel has logged since.
    pub(super) fn tell(mut self) {
        let records = records(self.log.as_mut());
        for record in records.iter().skip(records.len().saturating_sub(TOLD)) {
            note(&format!("kernel: {record}"));
        }
    }
}

fn tainted() -> u64 {
    let text = fs::read_to_string("/proc/sys/kernel/tainted").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// The texts of the records up to the log's end. Each read yields one: `level,number,time,flags;text`.
fn records(log: Option<&mut fs::File>) -> Vec<String> {
    let mut texts = Vec::new();
    let Some(log) = log else { return texts };
    let mut buffer = [0; 8_192];
    while let Ok(length) = log.read(&mut buffer) {
        let record = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        let text = record.split_once(';').map_or("", |(_, text)| text);
        texts.push(text.lines().next().unwrap_or_default().to_owned());
    }
    texts
}
