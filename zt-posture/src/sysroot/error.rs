//! Why a file of a sysroot was not read.

use rustix::fs::FileType;
use rustix::io::Errno;

use super::{MAX_ENTRIES, MAX_FILE_BYTES};

/// A path that was not read, and why; nothing but the path was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {fault}")]
pub struct ReadError {
    path: String,
    fault: ReadFault,
}

impl ReadError {
    pub(super) fn new(path: &str, fault: ReadFault) -> Self {
        Self { path: path.to_owned(), fault }
    }

    /// The path, from the sysroot's `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn fault(&self) -> ReadFault {
        self.fault
    }

    /// Whether there is no such file, which may be an answer in itself.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self.fault, ReadFault::Missing)
    }
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFault {
    /// There is no such file.
    #[error("is missing")]
    Missing,
    /// We may not read it.
    #[error("may not be read")]
    Denied,
    /// Its links go round in a circle, or there are too many.
    #[error("has too many links")]
    Loop,
    /// It is something else than was asked for, such as a FIFO in place of a file.
    #[error("is a {0}")]
    WrongType(&'static str),
    /// It has more than [`MAX_FILE_BYTES`] bytes.
    #[error("has more than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    /// It has more than [`MAX_ENTRIES`] entries.
    #[error("has more than {MAX_ENTRIES} entries")]
    TooMany,
    /// It, or the name of an entry, is not UTF-8.
    #[error("is not UTF-8")]
    NotText,
    /// The kernel has no `openat2`, or does not let us use it.
    #[error("cannot be opened: no openat2 here")]
    NoOpenat2,
    /// Another error of the operating system, by its number.
    #[error("cannot be read: error {0} of the operating system")]
    Os(i32),
}

impl From<Errno> for ReadFault {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::Missing,
            // a seccomp filter that does not know openat2 answers EPERM; a file that may not be read is EACCES
            Errno::NOSYS | Errno::PERM => Self::NoOpenat2,
            Errno::ACCESS => Self::Denied,
            Errno::LOOP => Self::Loop,
            other => Self::Os(other.raw_os_error()),
        }
    }
}

/// A word for what `kind` is.
pub(super) const fn type_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "regular file",
        FileType::Directory => "directory",
        FileType::Symlink => "link",
        FileType::Fifo => "FIFO",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "file of unknown type",
    }
}
