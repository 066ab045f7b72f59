//! What can go wrong on the stage.

use std::io;

use zt_backend_userspace::{RoutesError, StartError};
use zt_core::control::SubmitError;
use zt_core::grant::Refusal;
use zt_core::id::NameError;
use zt_core::log::LogError;

/// What went wrong on the stage; none of it is the site's fault.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The log or the controller refused an event.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// WireGuard did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A device could not take its routes over.
    #[error(transparent)]
    Routes(#[from] RoutesError),
    /// A socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// A name of the story is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A device without a session was to do something.
    #[error("{0} has no session")]
    NoSession(&'static str),
}

impl StageError {
    /// Whether the site's texts are at fault.
    #[must_use]
    pub const fn is_bad_input(&self) -> bool {
        matches!(
            self,
            Self::Submit(SubmitError::Refused(Refusal::Site(_) | Refusal::Policy(_) | Refusal::Cells(_)))
        )
    }
}
