//! Why the tier cannot run, or failed before a guest could.

use std::io;
use std::path::{Path, PathBuf};

use crate::modules::NoModule;

/// What is not on this host, so that the tier is skipped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Missing {
    /// A program.
    #[error("no program `{program}`; the Debian package {package} has it")]
    Program { program: &'static str, package: &'static str },
    /// The target that guests are built for.
    #[error("no Rust target {0}; `rustup target add {0}` installs it")]
    Target(&'static str),
    /// A kernel, in the apt index.
    #[error("no package {0} in the apt index; `apt-get update` may bring it")]
    Package(String),
    /// A kernel, which is in the apt index.
    #[error("the package {package} cannot be downloaded: {said}")]
    Download { package: String, said: String },
    /// KVM, which was asked for.
    #[error("/dev/kvm does not open within {0} s")]
    Kvm(u64),
}

/// Why the tier did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something is not on this host.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A file or folder could not be used.
    #[error("cannot {act} {}: {source}", path.display())]
    Io { act: &'static str, path: PathBuf, source: io::Error },
    /// A program could not be run, or failed.
    #[error("`{command}` failed: {said}")]
    Command { command: String, said: String },
    /// The kernel's package is not as expected.
    #[error(transparent)]
    NoModule(#[from] NoModule),
    /// This program is not where cargo puts it.
    #[error("{} is not in a target folder of cargo's", .0.display())]
    NoTargetFolder(PathBuf),
}

impl Error {
    pub(crate) fn io(act: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { act, path: path.to_owned(), source }
    }
}
