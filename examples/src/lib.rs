//! What the example binaries share: a TCP/IP stack behind the tunnel, site files, and the story of the quickstart.

pub mod netstack;
pub mod report;
pub mod site_files;
pub mod story;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
