//! The rows of the report, by what they measure.

pub mod changes;
pub mod decision;
pub mod edit;
pub mod enforcement;
pub mod filter;
pub mod load;
pub mod noop;
pub mod reevaluation;
pub mod tunnels;
