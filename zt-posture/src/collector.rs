//! One question about a device, and what can come of it.

use zt_core::device::{FactKind, FactValue};

use crate::sysroot::Sysroot;

/// Finds out one thing about the machine.
pub trait Collector: Send + Sync {
    /// The name of its fact; a name that [`FactName`](zt_core::id::FactName) refuses makes no fact.
    fn name(&self) -> &str;

    /// The kind of value that it finds; a value of another kind counts as unknown.
    fn kind(&self) -> FactKind;

    /// Looks, reading files only through `sysroot`.
    fn find(&self, sysroot: &Sysroot) -> Finding;
}

/// What came of looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Pass {
        /// What was found.
        value: FactValue,
        /// The file that says so.
        source: String,
    },
    /// It is not.
    Fail {
        /// What was found.
        value: FactValue,
        /// The file that says so.
        source: String,
    },
    /// It could not be told; the text says why.
    Unknown(String),
    /// The platform cannot have it; the text says why.
    Unsupported(String),
}

impl Finding {
    /// All is well, as `source` says.
    #[must_use]
    pub fn pass(value: FactValue, source: &str) -> Self {
        Self::Pass { value, source: source.to_owned() }
    }

    /// All is not well, as `source` says.
    #[must_use]
    pub fn fail(value: FactValue, source: &str) -> Self {
        Self::Fail { value, source: source.to_owned() }
    }
}
