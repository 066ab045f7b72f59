//! Locks: what nobody gets past, whatever policies say.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, GroupId, ResourceId};
use crate::identity::Subject;
use crate::key::PublicKey;
use crate::time::Timestamp;

/// The most locks that may be in force at once.
pub const MAX_LOCKS: usize = 65_536;

/// What a lock shuts. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LockTarget {
    /// A person: none of their sessions has a grant.
    User(Subject),
    /// A device: its session has no grant.
    Device(DeviceId),
    /// A resource: no session is granted it.
    Resource(ResourceId),
    /// A group: no session of anybody in it has a grant.
    Group(GroupId),
    /// A key: no session with it has a grant.
    Key(PublicKey),
}

impl fmt::Display for LockTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(subject) => write!(f, "user {subject:?}"),
            Self::Device(device) => write!(f, "device `{device}`"),
            Self::Resource(resource) => write!(f, "resource `{resource}`"),
            Self::Group(group) => write!(f, "group `{group}`"),
            Self::Key(key) => write!(f, "key {key}"),
        }
    }
}

/// How long a lock holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockEnd {
    /// Until somebody lifts it.
    WhenLifted,
    /// Until then, unless somebody lifts it before.
    At(Timestamp),
}

/// A lock in force: it dominates every grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Why it was set, in the operator's words.
    pub reason: String,
    /// How long it holds.
    pub end: LockEnd,
}
