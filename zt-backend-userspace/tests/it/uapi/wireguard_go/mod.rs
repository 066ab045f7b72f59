//! The real wireguard-go, each time in a process and a network namespace of its own. Needs root.

mod conformance;
mod peers;
mod process;
mod traffic;
mod trouble;
