//! The files of a site: those in a folder, or the example's own, which are part of the binary.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zt_core::event::{PolicySource, SiteSource};
use zt_policy::{BundleError, read_bundle};

const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The texts of a site.
#[derive(Debug, Clone)]
pub struct SiteFiles {
    /// `site.toml`.
    pub site: SiteSource,
    /// The name and the text of `directory.toml`.
    pub directory: (String, String),
    /// What is in `policy/`.
    pub policy: PolicySource,
}

/// Why a site's files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file is missing or cannot be read.
    #[error("{}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
    /// A file is too large.
    #[error("{}: more than {MAX_FILE_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    /// The policy folder cannot be read.
    #[error(transparent)]
    Policy(#[from] BundleError),
}

impl SiteFiles {
    /// The example's own files.
    #[must_use]
    pub fn embedded() -> Self {
        macro_rules! policies {
            ($($name:literal),* $(,)?) => {
                [$(($name.to_owned(), include_str!(concat!("../site/policy/", $name)).to_owned())),*].into()
            };
        }
        Self {
            site: SiteSource { file: "site.toml".into(), text: include_str!("../site/site.toml").into() },
            directory: ("directory.toml".into(), include_str!("../site/directory.toml").into()),
            policy: PolicySource {
                policies: policies![
                    "access.cedar",
                    "contractors.cedar",
                    "production.cedar",
                    "quarantine.cedar"
                ],
                schema: [].into(),
            },
        }
    }

    /// The files of the folder `dir`.
    ///
    /// # Errors
    /// If one of them is missing, too large, or no UTF-8.
    pub fn read(dir: &Path) -> Result<Self, FilesError> {
        Ok(Self {
            site: SiteSource { file: "site.toml".into(), text: read(&dir.join("site.toml"))? },
            directory: ("directory.toml".into(), read(&dir.join("directory.toml"))?),
            policy: read_bundle(&dir.join("policy"))?,
        })
    }
}

fn read(path: &Path) -> Result<String, FilesError> {
    let error = |problem| FilesError::Read { path: path.to_owned(), problem };
    if fs::metadata(path).map_err(error)?.len() > MAX_FILE_BYTES {
        return Err(FilesError::TooLarge(path.to_owned()));
    }
    fs::read_to_string(path).map_err(error)
}
