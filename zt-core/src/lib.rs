//! Zero-trust access on WireGuard, as a deterministic fold.

pub mod backend;
pub mod compile;
pub mod control;
pub mod controller;
pub mod decide;
pub mod desired;
pub mod device;
pub mod directory;
pub mod event;
pub mod grant;
pub mod id;
pub mod identity;
pub mod key;
pub mod lease;
pub mod log;
pub mod net;
pub mod plan;
pub mod session;
pub mod site;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
