//! The other side's error numbers.

use std::fmt;

/// Why the other side did not do what it was asked, in its words. Shown with its name, `EINVAL (22)`.
///
/// Some implementations give numbers with a minus sign; they mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// Its name on Linux, if it is one of those that WireGuard is known to give.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0.unsigned_abs() {
            1 => "EPERM",
            2 => "ENOENT",
            5 => "EIO",
            12 => "ENOMEM",
            13 => "EACCES",
            16 => "EBUSY",
            17 => "EEXIST",
            19 => "ENODEV",
            22 => "EINVAL",
            28 => "ENOSPC",
            55 => "ENOANO",
            71 => "EPROTO",
            95 => "EOPNOTSUPP",
            97 => "EAFNOSUPPORT",
            98 => "EADDRINUSE",
            99 => "EADDRNOTAVAIL",
            _ => return None,
        })
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "error {}", self.0),
        }
    }
}
