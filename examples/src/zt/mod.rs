//! The `zt` command.

mod authorize;
mod requests;

pub use authorize::{Authorize, EngineName};

use std::io;
use std::path::PathBuf;

use cedar_policy::EntityUid;
use zt_core::decide::PolicyError;
use zt_policy::{CompileError, PrepareError, StoreError};

/// Why a command ends early. Nothing but [`Failure::Output`] happens after the first line of output.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file is missing, cannot be read, or is no UTF-8.
    #[error("{}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
    /// A file is too large.
    #[error("{}: more than {most} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that it may have.
        most: u64,
    },
    /// A schema, a policy or an entity is not valid.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policies cannot be compiled.
    #[error("{}: {problem}", path.display())]
    Compile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: CompileError,
    },
    /// The entities cannot be compiled.
    #[error("{}: {problem}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: StoreError,
    },
    /// The file of requests is no JSON array.
    #[error("{}: {problem}", path.display())]
    Requests {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: serde_json::Error,
    },
    /// A request is not valid.
    #[error("{}: request {index}: {problem}", path.display())]
    Request {
        /// The file.
        path: PathBuf,
        /// The place of the request, from 0.
        index: usize,
        /// What is wrong.
        problem: RequestError,
    },
    /// The output cannot be written.
    #[error("output: {0}")]
    Output(#[from] io::Error),
}

/// Why a request is not valid.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It has not the four fields.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// A principal, an action or a resource.
    #[error("{field} `{}`: {problem}", value.escape_debug())]
    Uid {
        /// The name of the field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What is wrong.
        problem: String,
    },
    /// The context is none of the schema's for the action.
    #[error("context {value} of {action}: {problem}")]
    Context {
        /// What it says.
        value: String,
        /// The action.
        action: Box<EntityUid>,
        /// What is wrong.
        problem: String,
    },
    /// The parts do not fit together.
    #[error("{0}")]
    Schema(String),
    /// It cannot be compiled.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
}

impl Failure {
    /// Whether the arguments or files are at fault, rather than this machine.
    #[must_use]
    pub const fn is_bad_input(&self) -> bool {
        !matches!(self, Self::Output(_))
    }
}
