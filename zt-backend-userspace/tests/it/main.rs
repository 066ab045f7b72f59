//! Real packets through real tunnels, and the filter against a naive judge.

mod lab;
mod packets;
mod traffic;
