//! Just-in-time access: requests for a resource, and who approved them.
//!
//! An approved request is a fact about a person and a resource, which policies read; it grants nothing by itself. What
//! is granted only because of it is narrowed to the services that were asked for, and ends when it does, at the
//! gateways too.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::ResourceId;
use crate::identity::Subject;
use crate::net::Service;
use crate::time::Timestamp;

/// The most bytes that the reason of a request or a lock may have.
pub const MAX_REASON_BYTES: usize = 1_024;

/// The most requests of one person that may be open at once.
pub const MAX_REQUESTS: usize = 64;

/// Somebody asks to reach a resource for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRequest {
    /// Who asks.
    pub subject: Subject,
    /// For what.
    pub resource: ResourceId,
    /// For which of its services, each as the site declares it; not empty.
    pub services: BTreeSet<Service>,
    /// Why, in their own words; not empty, at most [`MAX_REASON_BYTES`], without control characters.
    pub reason: String,
    /// When the access ends, whatever else happens.
    pub ends_at: Timestamp,
}

/// A request that has not ended, with those who approved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRequest {
    /// What was asked.
    pub request: AccessRequest,
    /// Who has approved it so far; never who asks. An approval stays when its giver leaves the groups that may give it,
    /// and goes when their account is disabled. A lock on them keeps them from giving more; what they gave is taken back
    /// by ending the request.
    pub approved_by: BTreeSet<Subject>,
}

/// Whether a reason is one: not empty, at most [`MAX_REASON_BYTES`], and without what would garble a log.
pub(crate) fn is_reason(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_REASON_BYTES && !text.chars().any(char::is_control)
}
