//! Random schemas, policies, entities and requests.

pub(crate) mod expression;
pub(crate) mod policy;
pub(crate) mod random;
pub(crate) mod schema;
pub(crate) mod value;
