//! The only way to a file: paths that cannot leave the sysroot, reads that cannot block or grow.

mod error;

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;

pub use error::{ReadError, ReadFault};

/// The most bytes a file may have.
pub const MAX_FILE_BYTES: u64 = 1 << 20; // room for a mountinfo of thousands of lines; os-release has a few hundred bytes
/// The most entries a directory may have.
pub const MAX_ENTRIES: usize = 1_024;

/// How often a path is tried again that was renamed while the kernel resolved it.
const ATTEMPTS: usize = 16;

/// A directory that stands for `/`.
///
/// Paths are resolved by `openat2` with `RESOLVE_IN_ROOT`: absolute links and `..` start and end at the sysroot, links
/// are counted, and the magic links of `/proc` are not followed.
#[derive(Debug)]
pub struct Sysroot {
    root: OwnedFd,
}

impl Sysroot {
    /// Takes a directory for `/`; links on the way to it are followed as usual.
    ///
    /// # Errors
    /// If it is no directory that we may search.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map(|root| Self { root })
            .map_err(|errno| ReadError::new(&path.to_string_lossy(), errno.into()))
    }

    /// The bytes of a regular file.
    ///
    /// # Errors
    /// If it is not there, not regular, larger than [`MAX_FILE_BYTES`] or not readable.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.bytes(path).map_err(|fault| ReadError::new(path, fault))
    }

    /// The text of a regular file.
    ///
    /// # Errors
    /// As [`Self::read`], or if it is not UTF-8.
    pub fn read_text(&self, path: &str) -> Result<String, ReadError> {
        String::from_utf8(self.read(path)?).map_err(|_| ReadError::new(path, ReadFault::NotText))
    }

    /// The names of the entries of a directory, sorted.
    ///
    /// # Errors
    /// If it is not there, no directory, has more than [`MAX_ENTRIES`] entries, or names that are not UTF-8.
    pub fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        self.entries(path).map_err(|fault| ReadError::new(path, fault))
    }

    /// Whether there is anything at a path; a link that leads nowhere is nothing.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn exists(&self, path: &str) -> Result<bool, ReadError> {
        match self.resolve(path, OFlags::PATH) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(ReadError::new(path, errno.into())),
        }
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, ReadFault> {
        let file = File::from(self.typed(path, FileType::RegularFile)?);
        let mut bytes = Vec::new();
        let limit = MAX_FILE_BYTES.saturating_add(1);
        let read = file.take(limit).read_to_end(&mut bytes).map_err(|error| os_fault(&error))?;
        if u64::try_from(read).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
            return Err(ReadFault::TooLarge);
        }
        Ok(bytes)
    }

    fn entries(&self, path: &str) -> Result<Vec<String>, ReadFault> {
        let mut names = Vec::new();
        for entry in Dir::new(self.typed(path, FileType::Directory)?)? {
            let entry = entry?;
            let name = entry.file_name().to_str().map_err(|_| ReadFault::NotText)?;
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == MAX_ENTRIES {
                return Err(ReadFault::TooMany);
            }
            names.push(name.to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Opens what is of the type `wanted`. The type is looked at before, for opening a device may set it off, and
    /// after, for it may have been exchanged.
    fn typed(&self, path: &str, wanted: FileType) -> Result<OwnedFd, ReadFault> {
        let check = |file: &OwnedFd| {
            let found = FileType::from_raw_mode(fstat(file)?.st_mode);
            if found == wanted { Ok(()) } else { Err(ReadFault::WrongType(error::type_name(found))) }
        };
        check(&self.resolve(path, OFlags::PATH)?)?;
        let file = self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        check(&file)?;
        Ok(file)
    }

    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..ATTEMPTS {
            match openat2(self.root.as_fd(), path, flags, Mode::empty(), within) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done,
            }
        }
        Err(Errno::AGAIN)
    }
}

fn os_fault(error: &std::io::Error) -> ReadFault {
    error.raw_os_error().map_or(ReadFault::Os(0), |number| Errno::from_raw_os_error(number).into())
}
