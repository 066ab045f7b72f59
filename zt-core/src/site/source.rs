//! Texts in TOML: decoded under limits, with errors that name file, line and value.

use std::fmt::{self, Write as _};
use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::printable::Printable;

/// The most bytes that a site file or a directory file may have.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// A fault with its place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFile<F> {
    file: String,
    line: usize,
    fault: F,
}

impl<F> InFile<F> {
    /// The name of the file, as the caller gave it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// What is wrong there.
    #[must_use]
    pub const fn fault(&self) -> &F {
        &self.fault
    }
}

impl<F: fmt::Display> fmt::Display for InFile<F> {
    /// `site.toml:12: what is wrong`, on one line: control characters in names and values are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Printable::line(f), "{}:{}: {}", self.file, self.line, self.fault)
    }
}

impl<F: std::error::Error> std::error::Error for InFile<F> {}

/// Why a text cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It has more than [`MAX_TEXT_BYTES`] bytes.
    #[error("a text of {0} bytes, {MAX_TEXT_BYTES} is the most")]
    TooLong(usize),
    /// It is not TOML.
    #[error("not TOML at `{line}`: {problem}")]
    Syntax {
        /// The start of the line.
        line: String,
        /// What the parser says.
        problem: String,
    },
    /// A field that is not known at this place.
    #[error("unknown field `{0}`")]
    UnknownField(String),
    /// A field is missing, or has a value of the wrong type.
    #[error("at `{line}`: {problem}")]
    Shape {
        /// The start of the line.
        line: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A fault, and the offset of the byte in the text at which it shows.
#[derive(Debug)]
pub(crate) struct At<F> {
    pub(crate) offset: usize,
    pub(crate) fault: F,
}

impl<F> At<F> {
    pub(crate) fn new(offset: usize, fault: impl Into<F>) -> Self {
        Self { offset, fault: fault.into() }
    }

    pub(crate) fn in_file(self, file: &str, text: &str) -> InFile<F> {
        let before = text.as_bytes().iter().take(self.offset);
        let line = before.filter(|byte| **byte == b'\n').count().saturating_add(1);
        InFile { file: file.to_owned(), line, fault: self.fault }
    }
}

/// A text that knows where it stands.
pub(crate) type Text = toml::Spanned<String>;

/// Parses a text of a file; an error stands where the text does.
pub(crate) fn parsed<T, E, F: From<E>>(
    text: &Text,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, At<F>> {
    parse(text.get_ref()).map_err(|error| At::new(text.span().start, error))
}

/// Decodes `text`; fields that `T` does not know are refused by `T`.
pub(crate) fn decode<T: DeserializeOwned, F: From<Malformed>>(text: &str) -> Result<T, At<F>> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(At::new(0, Malformed::TooLong(text.len())));
    }
    let document = toml::de::DeTable::parse(text).map_err(|error| {
        let offset = start(error.span());
        let problem = error.message().to_owned();
        At::new(offset, Malformed::Syntax { line: line_at(text, offset), problem })
    })?;
    T::deserialize(toml::Deserializer::from(document)).map_err(|error| {
        let offset = start(error.span());
        At::new(offset, misshapen(error.message(), line_at(text, offset)))
    })
}

fn misshapen(problem: &str, line: String) -> Malformed {
    let unknown = problem.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "));
    match unknown.or_else(|| problem.strip_prefix("unknown field `")?.split_once("`, there are no fields")) {
        Some((field, _)) => Malformed::UnknownField(excerpt(field)),
        None => Malformed::Shape { line, problem: problem.to_owned() },
    }
}

fn start(span: Option<Range<usize>>) -> usize {
    span.map_or(0, |span| span.start)
}

fn line_at(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let first = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    excerpt(text.get(first..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim())
}

/// The first 64 characters, for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}
