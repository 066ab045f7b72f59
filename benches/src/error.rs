//! Why a measurement could not be made.

use zt_core::grant::Refusal;

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The controller refused an event of the world.
    #[error("entry {seq} was refused: {refusal}")]
    Refused {
        /// The place of the entry.
        seq: u64,
        /// Why.
        refusal: Refusal,
    },
    /// A part of the world is not valid for the engine named.
    #[error("{engine}: {problem}")]
    World {
        /// Which engine.
        engine: &'static str,
        /// What it said.
        problem: String,
    },
    /// Two sides that must agree do not, so that comparing their costs means nothing.
    #[error("{0}")]
    Disagree(String),
    /// The child that runs under valgrind failed.
    #[error("valgrind: {0}")]
    Valgrind(String),
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Something that was printed for the parent process is no JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// What an engine said about a part of the world.
    pub fn world(engine: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::World { engine, problem: problem.to_string() }
    }
}
