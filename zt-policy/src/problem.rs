//! Errors in words for the author of a policy.

use std::error::Error;

use zt_core::decide::PolicyError;

/// The most problems that one error tells of.
const MAX_REPORTED: usize = 20;

/// What is wrong at a place.
pub(crate) fn at(place: impl Into<String>, problem: impl Into<String>) -> PolicyError {
    PolicyError { place: place.into(), problem: problem.into() }
}

/// All problems as one error, at the place of the first.
pub(crate) fn all(problems: Vec<PolicyError>) -> Result<(), PolicyError> {
    let total = problems.len();
    let mut problems = problems.into_iter();
    let Some(mut error) = problems.next() else { return Ok(()) };
    for more in problems.by_ref().take(MAX_REPORTED.saturating_sub(1)) {
        error.problem.push_str(&format!("\n{more}"));
    }
    if total > MAX_REPORTED {
        error.problem.push_str(&format!("\nand {} more", total.saturating_sub(MAX_REPORTED)));
    }
    Err(error)
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
