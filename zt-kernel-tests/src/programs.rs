//! Programs of the host.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Missing};

/// Where programs are that the search path of ordinary users leaves out.
const FOR_ROOT: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A program that the tier needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    AptCache,
    AptGet,
    Depmod,
    DpkgDeb,
    Qemu,
    Xz,
}

impl Program {
    pub(crate) const ALL: [Self; 6] =
        [Self::Qemu, Self::AptCache, Self::AptGet, Self::DpkgDeb, Self::Depmod, Self::Xz];

    /// Its name, and the Debian package that has it.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::AptCache => ("apt-cache", "apt"),
            Self::AptGet => ("apt-get", "apt"),
            Self::Depmod => ("depmod", "kmod"),
            Self::DpkgDeb => ("dpkg-deb", "dpkg"),
            Self::Qemu => ("qemu-system-x86_64", "qemu-system-x86"),
            Self::Xz => ("xz", "xz-utils"),
        }
    }

    /// Finds it.
    pub(crate) fn find(self) -> Result<PathBuf, Missing> {
        let (program, package) = self.names();
        let path = env::var_os("PATH").unwrap_or_default();
        let mut folders = env::split_paths(&path).chain(FOR_ROOT.map(PathBuf::from));
        let found = folders.find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file()));
        found.ok_or(Missing::Program { program, package })
    }

    /// A call of it, with texts in English.
    pub(crate) fn command(self) -> Result<Command, Missing> {
        let mut command = Command::new(self.find()?);
        command.env("LC_ALL", "C.UTF-8");
        Ok(command)
    }
}

/// Runs a command to its end, and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, Error> {
    let said = match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => return Ok(output.stdout),
        Ok(output) => format!("{}; {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => error.to_string(),
    };
    Err(Error::Command { command: shown(command), said })
}

/// As [`output`], as text.
pub(crate) fn text(command: &mut Command) -> Result<String, Error> {
    output(command).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A command as one would type it, without quotes.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
