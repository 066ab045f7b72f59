//! The file that names a distribution and its version (`os-release(5)`).

use std::str;

/// The most bytes of `ID` and of `VERSION_ID`.
pub const MAX_FIELD_BYTES: usize = 64;

/// What names a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsRelease {
    id: String,
    version: Option<String>,
}

/// Why a text is no os-release file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OsReleaseError {
    /// It is not UTF-8.
    #[error("not UTF-8")]
    NotText,
    /// The line of this number, from 1, is no assignment that a shell would take as it stands.
    #[error("line {0} is no assignment")]
    Line(usize),
    /// There is no `ID`.
    #[error("no ID")]
    NoId,
    /// A field is empty, longer than [`MAX_FIELD_BYTES`], or has other characters than letters, digits and `._-+~`.
    #[error("{0} is not well-formed")]
    Field(&'static str),
}

impl OsRelease {
    /// Reads a file. Each line is empty, a comment, or an assignment whose value stands bare, in single or in double
    /// quotes; of two values for one name the last counts.
    ///
    /// # Errors
    /// If any line is something else, or `ID` or `VERSION_ID` is not well-formed.
    pub fn parse(bytes: &[u8]) -> Result<Self, OsReleaseError> {
        let text = str::from_utf8(bytes).map_err(|_| OsReleaseError::NotText)?;
        let mut id = None;
        let mut version = None;
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim_matches([' ', '\t']);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = assignment(line).ok_or(OsReleaseError::Line(number))?;
            match name {
                "ID" => id = Some(value),
                "VERSION_ID" => version = Some(value),
                _ => {}
            }
        }
        let id = field("ID", id.ok_or(OsReleaseError::NoId)?)?;
        let version = version.map(|version| field("VERSION_ID", version)).transpose()?;
        Ok(Self { id, version })
    }

    /// The distribution, such as `debian`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its version, such as `12`; `None` if it has none, as rolling releases do.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Both, such as `debian 12`, or just the distribution if it has no versions.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.id),
            None => self.id.clone(),
        }
    }
}

fn field(name: &'static str, value: String) -> Result<String, OsReleaseError> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"._-+~".contains(&c);
    if value.is_empty() || value.len() > MAX_FIELD_BYTES || !value.bytes().all(fits) {
        return Err(OsReleaseError::Field(name));
    }
    Ok(value)
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let (name, value) = line.split_once('=')?;
    let letters = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !letters {
        return None;
    }
    let value = if let Some(rest) = value.strip_prefix('\'') {
        let inner = rest.strip_suffix('\'')?;
        (!inner.contains('\'')).then(|| inner.to_owned())
    } else if let Some(rest) = value.strip_prefix('"') {
        double_quoted(rest)
    } else {
        let special = |c: char| c.is_whitespace() || c.is_control() || "\"'\\$`;&|<>()".contains(c);
        (!value.contains(special)).then(|| value.to_owned())
    }?;
    Some((name, value))
}

/// What stands before the closing quote, which ends the line; expansions are refused.
fn double_quoted(rest: &str) -> Option<String> {
    let mut value = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return letters.as_str().is_empty().then_some(value),
            '$' | '`' => return None,
            '\\' => match letters.next()? {
                escaped @ ('"' | '$' | '`' | '\\') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
}
