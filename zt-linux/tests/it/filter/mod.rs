//! The filter, with TUN devices on both sides of it: packets go through a real kernel.

mod conformance;
mod drift;
mod gateway;
mod world;
