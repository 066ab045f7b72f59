//! What the example binaries share: a TCP/IP stack behind the tunnel, site files, the story of the quickstart, and the `zt`
//! command.

pub mod netstack;
pub mod report;
pub mod site_files;
pub mod story;
pub mod zt;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
