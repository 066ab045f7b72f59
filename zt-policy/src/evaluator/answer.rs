//! What a decision leaves behind.

use cedar_policy::Decision;
use zt_core::decide::PolicyIndex;

use crate::evaluator::index::Search;
use crate::evaluator::run::Scratch;

/// A decision and its reasons, in memory that the next decision uses again.
///
/// Before the first decision it is a denial without reason.
#[derive(Debug)]
pub struct Answer {
    pub(super) decision: Decision,
    pub(super) reason: Vec<PolicyIndex>,
    pub(super) errors: Vec<PolicyIndex>,
    pub(super) permits: Vec<PolicyIndex>,
    pub(super) lowered: bool,
    pub(super) search: Search,
    pub(super) scratch: Scratch,
}

impl Answer {
    /// Memory for decisions.
    #[must_use]
    pub fn new() -> Self {
        Self {
            decision: Decision::Deny,
            reason: Vec::new(),
            errors: Vec::new(),
            permits: Vec::new(),
            lowered: false,
            search: Search::default(),
            scratch: Scratch::default(),
        }
    }

    /// Cedar's decision, in which a policy that fails counts as not there.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.decision
    }

    /// [`Decision::Allow`] only if Cedar allows and no policy failed.
    #[must_use]
    pub const fn fail_closed(&self) -> Decision {
        if self.errors.is_empty() { self.decision } else { Decision::Deny }
    }

    /// The policies that made the decision, in ascending order: all permits that hold, or all forbids that do, or none.
    #[must_use]
    pub fn reason(&self) -> &[PolicyIndex] {
        &self.reason
    }

    /// The policies that failed, in ascending order.
    #[must_use]
    pub fn errors(&self) -> &[PolicyIndex] {
        &self.errors
    }

    /// Whether all policies whose scopes hold are lowered, so that [`Engine::Lowered`](crate::Engine::Lowered) does
    /// without Cedar.
    #[must_use]
    pub const fn is_lowered(&self) -> bool {
        self.lowered
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self::new()
    }
}
