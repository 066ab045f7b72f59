//! Whose approval lets somebody reach a resource for a while.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::id::GroupId;

/// The most approvals that a request may need.
pub const MAX_APPROVALS: u32 = 16;

/// How requests for a resource are approved.
///
/// An approval is a fact for policies to read; it grants nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Whoever is in one of these groups may approve, but never their own request; not empty.
    pub approvers: BTreeSet<GroupId>,
    /// How many different approvers it takes, from 1 to [`MAX_APPROVALS`].
    pub count: u32,
    /// The longest span from the request to the end that it names.
    pub longest: Duration,
}
