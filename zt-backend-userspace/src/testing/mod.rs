//! What tests need to have many gateways and devices in one process: a network in memory, and labs for the conformance
//! suite of `zt-core`.

mod labs;
mod memory;

pub use self::labs::{InProcess, Network, PortNetwork};
pub use self::memory::MemoryNetwork;
