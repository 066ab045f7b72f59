//! The engine through its public face: what loads, what is decided, and for how long.

mod determinism;
mod fail_open;
mod invariants;
mod load_errors;
mod scenarios;
mod validity;
mod world;
