//! Sessions: one person on one device with one key, until an end that is known from the start.

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, SessionEpoch, SessionId};
use crate::identity::{Assurance, Subject};
use crate::key::PublicKey;
use crate::time::Timestamp;

/// One person on one device with one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name: the place in the log at which it started.
    pub id: SessionId,
    /// The person.
    pub subject: Subject,
    /// The device.
    pub device: DeviceId,
    /// The WireGuard key that the device uses in this session.
    pub public_key: PublicKey,
    /// How the person proved who they are.
    pub assurance: Assurance,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ends, whatever else happens.
    pub ends_at: Timestamp,
    /// Whether it may have grants.
    pub state: SessionState,
    /// How often it was cut.
    pub epoch: SessionEpoch,
}

/// Whether a live session may have grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionState {
    /// It may.
    Active,
    /// An operator has suspended it; restoring it brings the grants back at once.
    Suspended,
}

/// Why access ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EndReason {
    /// Something outside took it away: a person, an identity provider, a report.
    Revoke,
    /// Its time was up.
    Expire,
    /// The policy or the site no longer gives it.
    Withdraw,
}
