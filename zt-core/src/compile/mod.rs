//! From grants to the three artefacts: cryptokey entries, filter pairs, device routes.

mod artefacts;
mod regions;

pub(crate) use artefacts::Artefacts;
pub(crate) use regions::cut;
pub use regions::{MAX_CELLS, TooManyCells};
