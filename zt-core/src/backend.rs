//! The seam between a plan and the WireGuard implementation and packet filter that carry it out.

use async_trait::async_trait;

use crate::plan::{ObservedState, Plan, Step};

/// A peer writer and a packet filter that belong together.
///
/// A backend that cannot enforce pairs in both directions, or cannot end access by itself at the gate's end, refuses
/// every addition. `testing::FakeBackend` shows what each step does to packets, in the plainest way.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Reads back what is installed.
    ///
    /// # Errors
    /// If it cannot be told. Nothing has changed then.
    async fn observe(&self) -> Result<ObservedState, BackendError>;

    /// Carries out the steps of a plan in their order.
    ///
    /// Returns once every cut is effective: no packet sent after that passes by what was cut, new flow or
    /// established, in either direction. Destructions may follow later.
    ///
    /// # Errors
    /// If a step failed. Some of the steps have been carried out then, in order; what is let through is still within
    /// the observed or the desired state. Observe, plan and apply again.
    async fn apply(&self, plan: &Plan) -> Result<(), BackendError>;
}

/// Why a backend failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// It is gone: the link, the device or the task behind it ended. Nothing passes there.
    #[error("the backend is gone: {0}")]
    Gone(String),
    /// What is installed cannot be read. Reading changed nothing: what passed before may pass still.
    #[error("what is installed cannot be read: {0}")]
    Unreadable(String),
    /// A step could not be carried out; the steps before it were.
    #[error("step {step:?} failed: {problem}")]
    Step {
        /// The step.
        step: Box<Step>,
        /// What went wrong, in the backend's words.
        problem: String,
    },
}
