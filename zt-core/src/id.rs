//! Names and numbers that identify things, each a type of its own.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most bytes an id or another named string may have.
pub const MAX_NAME_BYTES: usize = 256;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("an empty name")]
    Empty,
    /// The text has more than [`MAX_NAME_BYTES`] bytes.
    #[error("a name of {0} bytes, {MAX_NAME_BYTES} is the most")]
    TooLong(usize),
    /// The text has a control character, which would garble logs.
    #[error("the control character {0:?} in a name")]
    Control(char),
}

/// Checks that `text` may serve as a name: not empty, at most [`MAX_NAME_BYTES`] bytes, no control characters.
///
/// Names are compared byte by byte; no Unicode normalisation takes place.
///
/// # Errors
/// The first rule that `text` breaks.
pub fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong(text.len()));
    }
    text.chars().find(|c| c.is_control()).map_or(Ok(()), |c| Err(NameError::Control(c)))
}

macro_rules! name {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text for an id.
            ///
            /// # Errors
            /// See [`check_name`].
            pub fn new(text: &str) -> Result<Self, NameError> {
                check_name(text).map(|()| Self(Arc::from(text)))
            }

            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

name! {
    /// A gateway: the place where packets are let through or dropped.
    GatewayId;
    /// A set of gateways that hold the same grants.
    GatewayGroupId;
    /// A group of people, as declared by the site.
    GroupId;
    /// Something behind a gateway that can be reached.
    ResourceId;
    /// A named set of resources.
    SegmentId;
    /// A named span of time that recurs.
    WindowId;
    /// A device that may hold a session.
    DeviceId;
    /// A kind of posture fact, such as `disk_encrypted`.
    FactName;
    /// An identity provider, as its issuer URL.
    Issuer;
}

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The number after this one; the greatest stays as it is.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

number! {
    /// A place in the event log; the first entry has 1.
    Seq(u64);
    /// A session, named by the place in the log at which it started.
    SessionId(u64);
    /// A request for access, named by the place in the log at which it was made.
    RequestId(u64);
    /// How often the desired state of one gateway has changed.
    Generation(u64);
    /// A set of cells of the address space that the same resources cover; never used again for another set.
    RegionId(u32);
    /// How often a session was cut; what was issued under a lower epoch is void.
    SessionEpoch(u32);
    /// A number that a gateway uses once, to bind an answer to its question.
    Nonce(u64);
}
