//! What every backend must do to packets, in cases that drive real inner packets through it.
//!
//! A backend's tests bring a [`Lab`]: a gateway with the backend, devices with tunnels to it, and a network behind it.
//! The cases install elements by way of [`Backend`], send packets at one end and look for them at another. That a
//! packet is dropped is shown by one that is sent after it on the same way and arrives.
//!
//! ```
//! use zt_core::testing::conformance::{CASES, Labs};
//!
//! async fn conforms(labs: &dyn Labs) {
//!     for case in CASES {
//!         if let Err(failure) = case.run(labs).await {
//!             panic!("{}: {failure}", case.name);
//!         }
//!     }
//! }
//! ```

mod cuts;
mod ends;
mod fake;
mod grants;
mod lives;
mod packets;
mod revocations;
mod scene;
mod streams;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::backend::Backend;
use crate::key::PrivateKey;
use crate::time::Timestamp;

pub use fake::FakeLabs;
pub use revocations::{Revocations, revocations};
use scene::Scene;

/// The prefixes of the resources: a lab's network receives what goes there.
pub const NETWORK: [&str; 2] = ["10.100.0.0/16", "fd10:100::/32"];
/// The prefixes of the devices' addresses: a lab's network sends there by way of the gateway.
pub const POOL: [&str; 2] = ["10.99.0.0/24", "fd99::/64"];

/// Opens labs, each with a gateway that has nothing installed.
#[async_trait]
pub trait Labs: Send + Sync {
    /// A new lab.
    async fn open(&self) -> Box<dyn Lab>;
}

/// A gateway with the backend that is tested, and both ends of the paths through it.
///
/// Each path hands packets on in the order in which they were sent. It may lose some under load.
#[async_trait]
pub trait Lab: Send + Sync {
    /// The backend.
    fn backend(&self) -> &dyn Backend;

    /// The controller's time.
    fn now(&self) -> Timestamp;

    /// Lets so much time pass, for the controller and for the gateway.
    async fn advance(&mut self, by: Duration);

    /// Brings a device into being, which sends all that it is given into its tunnel to the gateway.
    async fn device(&mut self, key: PrivateKey, addresses: &[IpAddr]) -> Arc<dyn End>;

    /// The network behind the gateway.
    fn network(&self) -> Arc<dyn End>;

    /// How many packets that came to the gateway, out of a tunnel or from the network, it has dropped so far.
    async fn dropped(&self) -> u64;

    /// Ends the gateway's process as a crash would, and starts it again on what it left behind.
    async fn restart(&mut self);

    /// Waits a moment, so that what was sent can get on its way.
    async fn pause(&self);

    /// Waits for so long that only a failure takes it.
    async fn patience(&self);
}

/// Where whole inner packets go in and come out.
#[async_trait]
pub trait End: Send + Sync {
    /// Sends a packet on its way.
    async fn send(&self, packet: Vec<u8>);

    /// The next packet that arrives. Does not end if none does. Nothing is lost if it is dropped before it ends.
    async fn receive(&self) -> Vec<u8>;
}

/// What a backend did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

type Running<'s> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 's>>;

/// One thing that every backend must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    play: for<'s> fn(&'s mut Scene) -> Running<'s>,
}

impl Case {
    /// Runs it in a lab of its own.
    ///
    /// # Errors
    /// What the backend did wrong.
    pub async fn run(&self, labs: &dyn Labs) -> Result<(), Failure> {
        let mut scene = Scene::new(labs.open().await);
        (self.play)(&mut scene).await
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// The cases named in a list of functions.
macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$(Case { name: stringify!($name), play: |scene| Box::pin($module::$name(scene)) }),*]
    };
}

/// All of them.
pub const CASES: &[Case] = cases![
    grants::nothing_passes_at_first,
    grants::what_is_granted_passes_and_nothing_else,
    grants::a_device_has_its_own_addresses_only,
    grants::the_network_opens_no_flows,
    grants::one_grant_of_several_goes_and_comes_back,
    grants::overlapping_resources_are_cut_apart,
    grants::a_prefix_has_one_owner,
    packets::errors_pass_if_what_they_quote_would,
    packets::fragments_pass_if_the_packet_would,
    packets::extension_headers_pass_but_routes_do_not,
    packets::what_is_no_packet_is_dropped,
    ends::everything_ends_with_the_lease,
    ends::a_source_ends_by_itself,
    ends::a_pair_ends_by_itself,
    lives::suspended_sessions_come_back_at_once,
    lives::ended_sessions_make_room_for_the_next,
    lives::a_revoked_key_reaches_nothing,
    lives::another_generation_leaves_what_stays_alone,
    lives::drift_is_repaired,
    lives::a_failed_step_leaves_nothing_foreign,
    lives::what_was_left_behind_is_brought_in_line,
    cuts::nothing_passes_after_a_pair_is_cut,
    cuts::nothing_passes_after_a_source_is_cut,
    cuts::nothing_passes_after_a_cell_is_cut,
    cuts::nothing_passes_after_an_allowed_ip_is_cut,
    cuts::nothing_passes_after_the_gate_is_cut,
    cuts::nothing_passes_after_a_source_ends_sooner,
    cuts::nothing_passes_after_a_pair_ends_sooner,
];
