//! What messages of the kernel cannot be like.

/// Why a message was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A message or an attribute is longer than what holds it, or shorter than its own header.
    #[error("a torn message")]
    Torn,
    /// The value of an attribute has a length that it cannot have.
    #[error("an attribute of kind {kind} with {length} bytes")]
    Length {
        /// The attribute's number.
        kind: u16,
        /// How long the value is.
        length: usize,
    },
    /// The value of an attribute is none that it can have.
    #[error("an attribute of kind {kind} with a value out of range")]
    Value {
        /// The attribute's number.
        kind: u16,
    },
    /// An attribute is missing that is always there.
    #[error("an attribute of kind {kind} is missing")]
    Missing {
        /// The attribute's number.
        kind: u16,
    },
    /// A peer is listed twice, and no list was going on that it could be the rest of.
    #[error("a peer is listed twice")]
    Repeated,
    /// A message is of another kind than was asked for.
    #[error("a message that answers something else")]
    Unasked,
}
