//! Names of links.

use std::fmt;
use std::str::FromStr;

/// Why a text is no name of a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkNameError {
    /// Nothing was given.
    #[error("a link needs a name")]
    Empty,
    /// It is longer than the kernel keeps.
    #[error("a name that begins with {0:?} has more than 15 bytes")]
    TooLong(String),
    /// It holds a character that names do not have.
    #[error("{0:?} is no name of a link; use letters, digits, `-`, `_` and `.`")]
    Character(String),
}

/// The name of a link: 1 to 15 ASCII letters, digits, `-`, `_` and `.`, but neither `.` nor `..`.
///
/// The kernel takes more than that. A `%` would be a pattern to it, a `/` or `:` is refused, and what else there is
/// makes trouble in logs and files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName(String);

impl LinkName {
    /// How long a name may be, in bytes.
    pub const MAX_LENGTH: usize = 15;

    /// Makes a name of a text.
    ///
    /// # Errors
    /// If it is empty, too long or has a character that names do not have.
    pub fn new(text: &str) -> Result<Self, LinkNameError> {
        if text.is_empty() {
            return Err(LinkNameError::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(LinkNameError::TooLong(text.chars().take(Self::MAX_LENGTH).collect()));
        }
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !text.bytes().all(usual) || matches!(text, "." | "..") {
            return Err(LinkNameError::Character(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkName {
    type Err = LinkNameError;

    fn from_str(text: &str) -> Result<Self, LinkNameError> {
        Self::new(text)
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
