//! The packet filter of gateways whose WireGuard is not in this process, in the kernel's nftables.

mod books;
mod change;
mod config;
mod counts;
mod error;
mod fingerprint;
mod flows;
mod host;
mod installed;
mod layout;
mod note;
mod routing;
mod rules;
mod state;
mod table;

use rustix::thread::{MembarrierCommand, MembarrierQuery, membarrier, membarrier_query};
use tokio::sync::Mutex;
use zt_core::desired::Elements;
use zt_core::plan::{Add, Cut, Gate};
use zt_core::time::Anchor;

pub use config::{FilterConfig, MarkBit, Reserved, Underlay};
pub use counts::{Counts, Reason};
pub use error::{FilterError, InstallError};
pub(crate) use host::boot_clock;
use state::State;

use crate::netlink::Netlink;
use crate::nftables::Nftables;

/// A packet filter in the kernel, closed at first.
///
/// Every packet of a device is asked, in both directions and whatever flow it belongs to: does the lease run, does the
/// session of its address live, and may that address use the region that the flow leads to? Those that are let through
/// get a mark; policy routing refuses what has none, so that nothing is open when the table is gone. Ends are
/// the kernel's: they come when no process of ours lives.
///
/// A cut is one transaction, whatever is cut, and costs what it touches; packets never wait. Calls are served one after
/// the other.
#[derive(Debug)]
pub struct Filter {
    state: Mutex<State>,
    nftables: Nftables,
}

impl Filter {
    /// Installs a filter in the network namespace of the calling thread, or takes over one that was left behind: its
    /// elements stay, and its rules become what they should be.
    ///
    /// # Errors
    /// See [`InstallError`].
    pub async fn install(config: FilterConfig, netlink: &Netlink) -> Result<Self, InstallError> {
        if !membarrier_query().contains(MembarrierQuery::GLOBAL) {
            return Err(InstallError::NoFence);
        }
        let nftables = Nftables::open()?;
        let state = State::install(config, nftables.clone(), netlink.clone()).await?;
        Ok(Self { state: Mutex::new(state), nftables })
    }

    /// Cuts, and returns when no packet passes any more by what was cut. Ends count from `anchor`.
    ///
    /// One transaction, and a wait for packets under way: some ten milliseconds.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub async fn cut(&self, cuts: &[&Cut], anchor: Anchor) -> Result<(), FilterError> {
        self.change(cuts, &[], anchor).await
    }

    /// Adds, in one transaction. Ends count from `anchor`.
    ///
    /// An address that goes to another session than it had last loses the flows that it opened, which costs time in
    /// proportion to all flows of the host.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub async fn add(&self, additions: &[&Add], anchor: Anchor) -> Result<(), FilterError> {
        self.change(&[], additions, anchor).await
    }

    /// Cuts and adds in one transaction, so that nothing that stays is interrupted.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub async fn change(&self, cuts: &[&Cut], additions: &[&Add], anchor: Anchor) -> Result<(), FilterError> {
        let changed = self.state.lock().await.change(cuts, additions, anchor).await;
        if !cuts.is_empty() {
            fence().await?;
        }
        changed
    }

    /// Reads back what is installed, without peers. What nobody can have meant is taken away.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub async fn observe(&self) -> Result<(Gate, Elements), FilterError> {
        self.state.lock().await.observe().await
    }

    /// Looks whether somebody else changed the table, the routing rules or the settings, and puts that right; says what
    /// was wrong. Costs next to nothing if nobody changed any nftables.
    ///
    /// # Errors
    /// See [`InstallError`].
    pub async fn heal(&self) -> Result<Healed, InstallError> {
        self.state.lock().await.heal().await
    }

    /// How many packets were let through, and how many were dropped for which reason, since the table was made.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub async fn counts(&self) -> Result<Counts, FilterError> {
        self.state.lock().await.counts().await
    }

    /// How many transactions were sent to the kernel.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.nftables.transactions()
    }
}

/// What was not as it should have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Healed {
    /// The table, its rules or its elements.
    pub table: bool,
    /// How many routing rules and refusing routes were missing.
    pub routing: usize,
    /// How many settings of the host were others.
    pub settings: usize,
}

/// Waits until every processor has left the rules of before: the kernel says that a transaction is done while packets
/// still run in the old ones.
async fn fence() -> Result<(), FilterError> {
    let passed = tokio::task::spawn_blocking(|| membarrier(MembarrierCommand::Global)).await;
    let passed = passed.map_err(|error| FilterError::Fence(std::io::Error::other(error)))?;
    passed.map_err(|errno| FilterError::Fence(errno.into()))
}
