//! Everything that can change a decision or a grant: the only way into the controller.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::access::AccessRequest;
use crate::device::{KeyBinding, PostureFact};
use crate::id::{DeviceId, GatewayId, RequestId, Seq, SessionId};
use crate::identity::{Assurance, AttributeValue, Subject};
use crate::key::PublicKey;
use crate::lock::{Lock, LockTarget};
use crate::time::Timestamp;

/// An event with its place in the log and the instant at which it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place; without gaps, from 1.
    pub seq: Seq,
    /// When it was accepted, on the controller's timeline.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The site's description was loaded or replaced.
    SiteLoaded(SiteSource),
    /// The policies were loaded or replaced.
    PolicyLoaded(PolicySource),
    /// A gateway said which key it uses, and where it listens.
    GatewayEnrolled {
        /// The gateway; the site must declare it.
        gateway: GatewayId,
        /// Its WireGuard key.
        public_key: PublicKey,
        /// Where it listens: the declared endpoint, with the port filled in if the site leaves it open.
        endpoint: SocketAddr,
    },
    /// A directory or provider said what it knows of a person; it replaces what was known.
    IdentityObserved {
        /// The person.
        subject: Subject,
        /// Their group claims.
        claims: BTreeSet<String>,
        /// Their other attributes.
        attributes: BTreeMap<String, AttributeValue>,
    },
    /// An identity provider signalled a change (the names are those of CAEP and RISC).
    Identity(IdentityEvent),
    /// A device was admitted.
    DeviceEnrolled {
        /// The device.
        device: DeviceId,
        /// Who may use it.
        owner: Subject,
        /// Which WireGuard key it may come with.
        key: KeyBinding,
    },
    /// A device is gone for good; its session ends and its addresses are quarantined.
    DeviceRemoved {
        /// The device.
        device: DeviceId,
    },
    /// Facts were found on a device; what is not named, or was found later than what is named here, stays as it was.
    PostureReported {
        /// The device.
        device: DeviceId,
        /// What was found.
        facts: Vec<PostureFact>,
    },
    /// A person logged in on a device that proved to hold the key.
    SessionStarted(Login),
    /// An operator suspended a session: no grants, but the session stays.
    SessionSuspended {
        /// The session.
        session: SessionId,
    },
    /// An operator lifted a suspension.
    SessionRestored {
        /// The session.
        session: SessionId,
    },
    /// A session was ended: the peer goes, a new session may use the key again.
    SessionEnded {
        /// The session.
        session: SessionId,
    },
    /// A key was revoked: it is never accepted again, and the device or gateway that uses it has nothing left.
    KeyRevoked {
        /// The key.
        public_key: PublicKey,
    },
    /// Somebody asks to reach a resource for a while. The request is named by the place of the event in the log; it ends
    /// with the person's sessions if these are revoked.
    AccessRequested(AccessRequest),
    /// Somebody approves a request.
    AccessApproved {
        /// The request.
        request: RequestId,
        /// Who approves: in one of the groups that the site declares for the resource, not locked, and not who asks.
        approver: Subject,
    },
    /// A request was declined, withdrawn or taken back; what it gave ends at once.
    AccessEnded {
        /// The request.
        request: RequestId,
    },
    /// A lock was set, or took the place of the one that was.
    Locked {
        /// What it shuts.
        target: LockTarget,
        /// Why, and for how long.
        lock: Lock,
    },
    /// A lock was lifted.
    Unlocked {
        /// What it shut.
        target: LockTarget,
    },
    /// A deadline has come.
    Tick,
}

/// A login whose evidence was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Who logged in.
    pub subject: Subject,
    /// On which device.
    pub device: DeviceId,
    /// The WireGuard key that the device proved to hold.
    pub public_key: PublicKey,
    /// How the person proved who they are.
    pub assurance: Assurance,
    /// When the session ends, whatever else happens.
    pub ends_at: Timestamp,
}

/// A change that an identity provider signalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdentityEvent {
    /// The provider ended the person's sessions (CAEP session-revoked, back-channel logout).
    SessionRevoked {
        /// The person.
        subject: Subject,
    },
    /// The account was disabled (RISC account-disabled); this counts before anything else is known of the person.
    AccountDisabled {
        /// The person.
        subject: Subject,
    },
    /// The account was enabled again (RISC account-enabled).
    AccountEnabled {
        /// The person.
        subject: Subject,
    },
}

/// The text of a site's description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSource {
    /// The name of the file, for errors.
    pub file: String,
    /// Its text, in TOML.
    pub text: String,
}

/// The texts of a policy bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PolicySource {
    /// The policy files, by name, in Cedar's own syntax.
    pub policies: BTreeMap<String, String>,
    /// The files that extend the schema, by name, in Cedar's own schema syntax.
    pub schema: BTreeMap<String, String>,
}
