//! Which filesystem is mounted on `/` (`/proc/self/mountinfo`, `proc_pid_mountinfo(5)`).

/// The filesystem on `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootMount {
    /// The number of its device's driver; 0 if it has no block device of its own.
    pub major: u32,
    /// The number of its device among those of the driver.
    pub minor: u32,
    /// Its type, such as `ext4`; what is not UTF-8 is replaced.
    pub filesystem: String,
    /// What it was mounted from, such as `/dev/sda1`; what is not UTF-8 is replaced.
    pub source: String,
}

/// Why the filesystem on `/` could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MountInfoError {
    /// The line of this number, from 1, is about `/` and is not well-formed.
    #[error("line {0} is not well-formed")]
    Line(usize),
    /// Nothing is mounted on `/`, as under `chroot`.
    #[error("no mount on `/`")]
    NoRoot,
    /// Several filesystems are mounted on `/`, one over the other.
    #[error("several filesystems on `/`")]
    SeveralRoots,
}

impl RootMount {
    /// Finds the filesystem on `/`; lines about other places are not looked at.
    ///
    /// # Errors
    /// If there is none, more than one, or its line is not well-formed.
    pub fn parse(bytes: &[u8]) -> Result<Self, MountInfoError> {
        let mut found: Option<Self> = None;
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            if fields.get(4).copied() != Some(b"/") {
                continue;
            }
            let mount = mount(&fields).ok_or(MountInfoError::Line(number))?;
            if found.replace(mount).is_some_and(|other| Some(other) != found) {
                return Err(MountInfoError::SeveralRoots);
            }
        }
        found.ok_or(MountInfoError::NoRoot)
    }
}

/// `ID PARENT MAJOR:MINOR ROOT PLACE OPTIONS [OPTIONAL..] - TYPE SOURCE OPTIONS`
fn mount(fields: &[&[u8]]) -> Option<RootMount> {
    let (major, minor) = str::from_utf8(fields.get(2)?).ok()?.split_once(':')?;
    let mut tail = fields.get(6..)?.iter().skip_while(|field| **field != b"-").skip(1);
    let filesystem = tail.next().filter(|text| !text.is_empty())?;
    let source = tail.next()?;
    Some(RootMount {
        major: number(major)?,
        minor: number(minor)?,
        filesystem: String::from_utf8_lossy(filesystem).into_owned(),
        source: String::from_utf8_lossy(source).into_owned(),
    })
}

fn number(digits: &str) -> Option<u32> {
    // `u32::from_str` takes a sign, too
    digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
