//! What the first process has to do for all others: file systems, kernel modules, and the end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot, uname};
use zt_kernel_tests::layout;

/// File systems, and where they belong.
const MOUNTS: [(&str, &str); 4] =
    [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/tmp")];
/// How much the kernel says on the console: panics only, so that it does not write into our lines.
const CONSOLE_LEVELS: &str = "1 4 1 7";

/// Why the guest is not ready for cases.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// A file system cannot be mounted.
    #[error("cannot mount {0}: {1}")]
    Mount(&'static str, Errno),
    /// A module cannot be loaded.
    #[error("cannot load {}: {}", .0.display(), .1)]
    Module(PathBuf, Errno),
    /// A file cannot be used.
    #[error("cannot {0} {path}: {2}", path = .1.display())]
    Io(&'static str, PathBuf, io::Error),
}

impl InitError {
    pub(crate) fn io(act: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io(act, path.to_owned(), source)
    }
}

/// Mounts what every program expects, and makes the console ours.
pub(crate) fn mount_all() -> Result<(), InitError> {
    for (kind, target) in MOUNTS {
        mount(kind, target, kind, MountFlags::empty(), None)
            .map_err(|error| InitError::Mount(kind, error))?;
    }
    let levels = Path::new("/proc/sys/kernel/printk");
    fs::write(levels, CONSOLE_LEVELS).map_err(|source| InitError::io("write", levels, source))
}

/// Loads the kernel modules that the host has packed.
pub(crate) fn load_modules() -> Result<(), InitError> {
    let order = Path::new("/").join(layout::MODULE_ORDER);
    let names = fs::read_to_string(&order).map_err(|source| InitError::io("read", &order, source))?;
    for name in names.lines() {
        let path = Path::new("/").join(layout::MODULES).join(name);
        let file = File::open(&path).map_err(|source| InitError::io("open", &path, source))?;
        match finit_module(&file, c"", 0) {
            // Another module may have asked for it.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(InitError::Module(path, error)),
        }
    }
    Ok(())
}

/// The kernel's release.
pub(crate) fn release() -> String {
    uname().release().to_string_lossy().into_owned()
}

/// Ends the machine, when all that was said has left it. Returns only if that fails.
pub(crate) fn power_off() -> Errno {
    let _ = rustix::termios::tcdrain(io::stdout()); // a console that does not drain is no reason to stay
    match reboot(RebootCommand::PowerOff) {
        Ok(()) => Errno::AGAIN,
        Err(error) => error,
    }
}
