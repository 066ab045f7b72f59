//! Zero-trust access on WireGuard, as a deterministic fold.

pub mod backend;
pub mod decide;
pub mod desired;
pub mod device;
pub mod directory;
pub mod event;
pub mod id;
pub mod identity;
pub mod key;
pub mod lease;
pub mod log;
pub mod net;
pub mod plan;
pub mod session;
pub mod site;
pub mod time;
