//! Cedar as the policy engine.

mod bundle;
mod caps;
mod constants;
mod context;
mod engine;
mod entities;
mod evaluate;
mod lex;
mod loaded;
mod policies;
mod problem;
mod rules;
mod schedule;
mod schema;
mod time;
mod version;

pub use bundle::{BundleError, read_bundle};
pub use caps::{MAX_BUNDLE_BYTES, MAX_DEPTH, MAX_POLICIES, MAX_POLICY_BYTES, MAX_SCHEMA_BYTES, MAX_STEPS};
pub use engine::PolicyEngine;
pub use entities::user_id;
pub use schema::schema_text;
