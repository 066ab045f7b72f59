//! Named windows: spans of time that recur by the clock of a place.

/// A span of time that recurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {}
/// Why a window is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("x")]
pub struct WindowError;
