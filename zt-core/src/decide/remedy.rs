//! What would turn a denial into an allow.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::{FactStatus, FactValue, Tier};
use crate::id::{FactName, WindowId};

/// The most remedies that are told for one denial.
pub const MAX_REMEDIES: usize = 16;

/// One way out of a denial: with all its needs met, and all else as it is, the answer is an allow.
///
/// There is at least one need, and none that follows from another. Whatever is newly found or shown for it is so at the
/// instant of the decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Remedy {
    /// What has to be, all of it together.
    pub needs: BTreeSet<Need>,
}

/// Something that a person can see to, so that they are let in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Step-up: a login of this class, as the provider names it; a value for `acr_values`.
    Acr(String),
    /// Step-up: a second factor, whenever it was shown.
    SecondFactor,
    /// Step-up: a second factor that was shown so long ago at most.
    SecondFactorWithin(Duration),
    /// Step-up: a login, and a session since, so long ago at most; a value for `max_age`.
    LoginWithin(Duration),
    /// Posture: that a fact of the device is like this.
    Fact {
        /// Which fact.
        name: FactName,
        /// What it is to be like.
        test: FactTest,
    },
    /// An approved request for the resource.
    Approval,
    /// That this window is open.
    Window(WindowId),
}

/// What a fact is to be like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactTest {
    /// It has this status.
    Status(FactStatus),
    /// It has this tier or a higher one.
    Tier(Tier),
    /// It was found just there.
    Source(String),
    /// Its value compares so with a constant.
    Value {
        /// How the value is to compare.
        comparison: Comparison,
        /// With what.
        constant: FactValue,
    },
    /// Its value is a text of this pattern: `*` stands for any text, `\*` for an asterisk.
    Like(String),
    /// It was found so long ago at most.
    Age(Duration),
}

/// How a value compares with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// It is the same.
    Equal,
    /// It is another.
    NotEqual,
    /// It is less.
    Less,
    /// It is less or the same.
    LessOrEqual,
    /// It is greater.
    Greater,
    /// It is greater or the same.
    GreaterOrEqual,
}
