//! The world that is measured in: a site, policies, people and their devices, all made up from numbers.
//!
//! 100 groups and 100 segments; a permit is for one group in one segment and has seven conditions; two forbids are for
//! everybody. A person is in five groups. Resources differ in segment and sensitivity: 700 classes from 1,000 up.

pub mod fleet;
pub mod gateway;
pub mod policies;
pub mod rego;
pub mod site;
pub mod stock;

/// How many groups of people there are.
pub const GROUPS: usize = 100;

/// How many segments of resources there are.
pub const SEGMENTS: usize = 100;

/// How many steps of sensitivity resources have, from 0.
pub const SENSITIVITIES: usize = 7;

/// How many groups a person is in.
pub const GROUPS_OF_PERSON: usize = 5;

/// The provider that everybody comes from.
pub const ISSUER: &str = "https://idp.example";

/// When the world begins, in milliseconds since 1970: 2026-01-01.
pub const BEGIN: i64 = 1_767_225_600_000;

/// The name of a group.
#[must_use]
pub fn group(index: usize) -> String {
    format!("g{index:02}")
}

/// The name of a segment.
#[must_use]
pub fn segment(index: usize) -> String {
    format!("s{index:02}")
}

/// The name of a resource.
#[must_use]
pub fn resource(index: usize) -> String {
    format!("r{index:05}")
}

/// The segment of a resource.
#[must_use]
pub const fn segment_of(resource: usize) -> usize {
    resource % SEGMENTS
}

/// How sensitive a resource is.
#[must_use]
pub const fn sensitivity_of(resource: usize) -> usize {
    resource / SEGMENTS % SENSITIVITIES
}
