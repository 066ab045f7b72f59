//! Grants, and what the fold says about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::access::{MAX_REASON_BYTES, MAX_REQUESTS};
use crate::compile::TooManyCells;
use crate::decide::{DenyCause, Effect, PolicyError, PolicyIndex, PolicyVersion, Remedy, Validity};
use crate::id::{DeviceId, GatewayId, Generation, RequestId, ResourceId, Seq, SessionId};
use crate::identity::Subject;
use crate::key::PublicKey;
use crate::lock::{Lock, LockEnd, LockTarget, MAX_LOCKS};
use crate::net::Service;
use crate::session::EndReason;
use crate::site::SiteError;
use crate::time::Timestamp;

/// The right of a session to reach a resource, with its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The session.
    pub session: SessionId,
    /// The resource.
    pub resource: ResourceId,
    /// The policies by which it was last decided.
    pub version: PolicyVersion,
    /// The permits that gave it, by their place in that version.
    pub because: Arc<[PolicyIndex]>,
    /// How much of the resource it gives, and for how long.
    pub scope: GrantScope,
}

/// How much of a resource a grant gives, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantScope {
    /// All of it, as long as the session.
    Whole,
    /// What an approved request asked for.
    Requested {
        /// The request.
        request: RequestId,
        /// The services.
        services: BTreeSet<Service>,
        /// When it ends, at the gateways too.
        ends_at: Timestamp,
    },
}

/// Why a session may reach a resource at this instant, or may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// May it?
    pub effect: Effect,
    /// The policies that led to the answer, by their place in the version.
    pub because: Vec<PolicyIndex>,
    /// What would turn a denial into an allow; see [`Decide::remedies`](crate::decide::Decide::remedies).
    pub remedies: Vec<Remedy>,
    /// How long the answer holds if no fact changes.
    pub valid: Validity,
    /// The policies in force.
    pub version: PolicyVersion,
    /// The lock that denies, whatever policies say.
    pub lock: Option<(LockTarget, Lock)>,
}

impl Explanation {
    pub(crate) fn locked(version: PolicyVersion, (target, lock): (LockTarget, Lock)) -> Self {
        let valid = match lock.end {
            LockEnd::WhenLifted => Validity::Unlimited,
            LockEnd::At(at) => Validity::Until(at),
        };
        let effect = Effect::Deny(DenyCause::Locked);
        Self { effect, because: Vec::new(), remedies: Vec::new(), valid, version, lock: Some((target, lock)) }
    }
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// The entry.
    pub seq: Seq,
    /// The instant as of which it was handled.
    pub at: Timestamp,
    /// Why the event changed nothing, if it was refused. Deadlines that had come were handled all the same.
    pub refusal: Option<Refusal>,
    /// The session that the event started.
    pub started: Option<SessionId>,
    /// The sessions that ended, and why.
    pub ended_sessions: BTreeMap<SessionId, EndReason>,
    /// The grants that were issued, in the order of session and resource.
    pub issued: Vec<Grant>,
    /// The grants that ended, and why.
    pub ended: BTreeMap<(SessionId, ResourceId), EndReason>,
    /// The gateways whose desired state changed, with its new generation.
    pub gateways: BTreeMap<GatewayId, Generation>,
    /// How many group claims of an observed identity no declared group names.
    pub ignored_claims: usize,
    /// How many decisions were made, each for one class of sessions and one class of resources.
    pub decisions: u64,
}

/// Why an event was refused. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The entry's place does not follow the last one.
    #[error("entry {got} came where entry {expected} was due")]
    OutOfOrder {
        /// The place it has.
        got: Seq,
        /// The place it should have.
        expected: Seq,
    },
    /// The site's description is not valid.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The site's resources cannot be compiled.
    #[error(transparent)]
    Cells(#[from] TooManyCells),
    /// The policies are not valid, or do not fit the site.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// No site is loaded.
    #[error("no site is loaded")]
    NoSite,
    /// The site declares no such gateway, or not at this endpoint.
    #[error("the site declares no gateway `{gateway}` at {endpoint}")]
    UndeclaredGateway {
        /// The gateway.
        gateway: GatewayId,
        /// Where it says it listens.
        endpoint: std::net::SocketAddr,
    },
    /// Nobody has told of this person.
    #[error("no such person: {0:?}")]
    UnknownSubject(Subject),
    /// No such device is enrolled.
    #[error("no device `{0}` is enrolled")]
    UnknownDevice(DeviceId),
    /// The device is enrolled already, for someone else or with another key.
    #[error("device `{0}` is enrolled differently")]
    DeviceConflict(DeviceId),
    /// No such session lives.
    #[error("no session {0} lives")]
    UnknownSession(SessionId),
    /// The account is disabled.
    #[error("the account of {0:?} is disabled")]
    AccountDisabled(Subject),
    /// The device belongs to somebody else.
    #[error("device `{0}` belongs to somebody else")]
    NotOwner(DeviceId),
    /// The key was revoked.
    #[error("key {0} was revoked")]
    KeyRevoked(PublicKey),
    /// The key belongs to another device or to a gateway.
    #[error("key {0} belongs to somebody else")]
    KeyTaken(PublicKey),
    /// The device is bound to another key.
    #[error("key {0} is not the one that the device is bound to")]
    KeyNotPinned(PublicKey),
    /// The session would be over before it began, or last longer than the site allows.
    #[error("a session until {0} is over, or too long")]
    SessionEnd(Timestamp),
    /// No address is left in a pool.
    #[error("no address is left")]
    PoolExhausted,
    /// The login is older than the last revocation of the person's sessions.
    #[error("a login of {0}, from before the person's sessions were revoked")]
    LoginRevoked(Timestamp),
    /// The reason of a request or a lock is empty, too long or has control characters.
    #[error("a reason that is empty, has more than {MAX_REASON_BYTES} bytes or control characters")]
    Reason,
    /// A lock or a request would be over before it began, or the request would last longer than the site allows.
    #[error("an end at {0} is past, or too far")]
    Over(Timestamp),
    /// There are [`MAX_LOCKS`].
    #[error("{MAX_LOCKS} locks are in force, which is the most")]
    TooManyLocks,
    /// There is no such lock.
    #[error("no lock on {0} is in force")]
    NotLocked(LockTarget),
    /// The site declares no such resource, or nobody who could approve a request for it.
    #[error("no requests can be made for `{0}`")]
    NotRequestable(ResourceId),
    /// The resource does not have the service.
    #[error("`{resource}` has no service `{service}` of just these ports")]
    NoSuchService {
        /// The resource.
        resource: ResourceId,
        /// The service.
        service: Service,
    },
    /// A request names no service.
    #[error("a request for no service of `{0}`")]
    NoServices(ResourceId),
    /// The person has an open request for the resource, or [`MAX_REQUESTS`] in all.
    #[error("a request for `{0}` is open, or {MAX_REQUESTS} others are")]
    AlreadyRequested(ResourceId),
    /// There is no such request, or it has ended.
    #[error("no request {0} is open")]
    UnknownRequest(RequestId),
    /// The person is not among those who may approve the request.
    #[error("{0:?} may not approve this request")]
    NotAnApprover(Subject),
    /// A report names a fact twice, or exceeds [`MAX_REPORT_FACTS`](crate::device::MAX_REPORT_FACTS) or
    /// [`MAX_FACT_BYTES`](crate::device::MAX_FACT_BYTES).
    #[error("a report on device `{0}` that names a fact twice, has too many facts or too long ones")]
    MalformedReport(DeviceId),
}
