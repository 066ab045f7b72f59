//! Reading a bundle from a folder: the only input and output of this crate.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zt_core::event::PolicySource;

use crate::caps::MAX_BUNDLE_BYTES;

/// Why a folder could not be read as a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The operating system refused.
    #[error("`{}` cannot be read: {error}", path.display())]
    Read {
        /// The folder or the file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// Something with the name of a policy or schema file is none.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// The name of a file is no text.
    #[error("the name of `{}` is not UTF-8", .0.display())]
    Name(PathBuf),
    /// A file is no text.
    #[error("`{}` is not UTF-8", .0.display())]
    NotText(PathBuf),
    /// With this file, the bundle is larger than [`MAX_BUNDLE_BYTES`].
    #[error("with `{}` the bundle has more than {MAX_BUNDLE_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
}

/// Reads the files `*.cedar` and `*.cedarschema` of the folder `dir`, but not of its folders; other files are ignored.
///
/// A folder without such files gives an empty bundle. It loads and allows nothing;
/// [`PolicyEngine::is_empty`](crate::PolicyEngine::is_empty) tells.
///
/// # Errors
/// If the folder does not exist, or a file in it cannot be taken. Nothing is left out silently.
pub fn read_bundle(dir: &Path) -> Result<PolicySource, BundleError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| BundleError::Read { path, error }
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed(dir))? {
        paths.push(entry.map_err(failed(dir))?.path());
    }
    paths.sort();
    let mut source = PolicySource::default();
    let mut left = MAX_BUNDLE_BYTES;
    for path in paths {
        let files = match path.extension().and_then(|extension| extension.to_str()) {
            Some("cedar") => &mut source.policies,
            Some("cedarschema") => &mut source.schema,
            Some(_) | None => continue,
        };
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else {
            return Err(BundleError::Name(path));
        };
        let text = read_file(&path, left)?;
        left = left.saturating_sub(text.len());
        files.insert(name, text);
    }
    Ok(source)
}

fn read_file(path: &Path, most: usize) -> Result<String, BundleError> {
    let failed = |error| BundleError::Read { path: path.to_owned(), error };
    // Asked before opening: to open a pipe would wait for its writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(BundleError::NotAFile(path.to_owned()));
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(BundleError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| BundleError::NotText(path.to_owned()))
}
