//! Rows for people and for programs.

use std::io::{self, Write};

use crate::story::{Reach, Row};

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table for people.
    Table,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Prints what stands above the rows.
    ///
    /// # Errors
    /// If the output is closed.
    pub fn head(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Json => Ok(()),
            Self::Table => {
                writeln!(out, "   {:<42} {:<10} {:<12} {:>8}  note", "step", "expected", "observed", "ms")
            }
        }
    }

    /// Prints a row.
    ///
    /// # Errors
    /// If the output is closed.
    pub fn row(self, out: &mut impl Write, row: &Row) -> io::Result<()> {
        match self {
            Self::Json => {
                serde_json::to_writer(&mut *out, row)?;
                writeln!(out)?;
            }
            Self::Table => {
                let mark = if row.is_as_expected() { "ok" } else { "NO" };
                let ms = row.ms.map(|ms| format!("{ms:.2}")).unwrap_or_default();
                let (expected, observed) = (word(row.expected), word(row.observed));
                writeln!(out, "{mark} {:<42} {expected:<10} {observed:<12} {ms:>8}  {}", row.step, row.note)?;
            }
        }
        out.flush()
    }
}

const fn word(reach: Reach) -> &'static str {
    match reach {
        Reach::Reachable => "reachable",
        Reach::Blocked => "blocked",
        Reach::Inconclusive => "inconclusive",
    }
}
