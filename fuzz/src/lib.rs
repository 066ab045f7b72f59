//! Fuzz bodies: ordinary functions that take any bytes and panic when a promise is broken.
//!
//! Each module is one thing that bytes from outside come into, with one function `body`. It does not only look for
//! crashes: it says what must hold of whatever was accepted, and that what was refused changed nothing. The same
//! functions serve three uses:
//!
//! * `cargo test -p zt-fuzz` replays the corpus, and runs each body on random bytes and on seeds that were damaged;
//! * `cargo +nightly fuzz run --features libfuzzer site` looks for new inputs (see README.md);
//! * whoever has an input that broke something puts it into `corpus/<target>/`, where it stays.
//!
//! | target | the bytes are | what must hold |
//! |---|---|---|
//! | [`site`] | a site file | cells are disjoint, and no protected address is covered unless it is named |
//! | [`directory`] | a directory file for the example site | the controller accepts all that follows from it |
//! | [`policy`] | policies for the example site | an error leaves the old version in force |
//! | [`notation`] | a key, a prefix, a service, a name | what was parsed has one notation, and parses from it |
//! | [`entry`] | entries of the log in JSON, one a line | what was refused changed no gateway |
//! | [`packet`] | an inner packet | what the parser says is in the bytes, and the filter lets through no more |
//! | [`uapi`] | a reply of a WireGuard process | what was read is the same written again, and errors name the line |
//! | [`wireguard_dump`] | a list of a device by the kernel's WireGuard | what lacks its end or changed meanwhile is not believed |
//! | [`script`] | a sequence of events and packets | gateways and the naive reference agree on every packet |
//!
//! ```
//! for (name, body) in zt_fuzz::TARGETS {
//!     assert!(!name.is_empty());
//!     body(b"anything");
//! }
//! ```

mod admission;
pub mod directory;
pub mod entry;
mod example;
mod header;
mod naive;
pub mod notation;
pub mod packet;
pub mod policy;
pub mod script;
pub mod site;
pub mod uapi;
pub mod wireguard_dump;

/// A fuzz body.
pub type Body = fn(&[u8]);

/// All bodies, each with its name.
pub const TARGETS: [(&str, Body); 9] = [
    ("directory", directory::body),
    ("entry", entry::body),
    ("notation", notation::body),
    ("packet", packet::body),
    ("policy", policy::body),
    ("script", script::body),
    ("site", site::body),
    ("uapi", uapi::body),
    ("wireguard_dump", wireguard_dump::body),
];
