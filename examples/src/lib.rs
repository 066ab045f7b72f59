//! What the example binaries share: a TCP/IP stack behind the tunnel, site files, and the story of the quickstart.

pub mod clock;
pub mod netstack;
pub mod report;
pub mod site_files;
pub mod story;
