//! From what a link has to what it is to have.

use rtnetlink::packet_route::RouteNetlinkMessage;
use rustix::io::Errno;

use super::config::{LinkConfig, Route};
use super::diff::Diff;
use super::error::{ApplyError, LinkError};
use super::observed::ObservedRoute;
use super::{Link, messages};

/// How many changes were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Addresses that were added.
    pub addresses_added: usize,
    /// Addresses that were removed.
    pub addresses_removed: usize,
    /// Routes that were added.
    pub routes_added: usize,
    /// Routes that were removed.
    pub routes_removed: usize,
}

impl Changes {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.addresses_added
            .saturating_add(self.addresses_removed)
            .saturating_add(self.routes_added)
            .saturating_add(self.routes_removed)
    }
}

impl Link {
    /// Gives the link the addresses and routes that it is to have, and takes away others of ours.
    ///
    /// Observes first, so that applying the same again changes nothing and says so. What is there is taken as it is,
    /// whoever made it, and what does not carry [`PROTOCOL`](crate::PROTOCOL) is never removed.
    ///
    /// Routes are removed first and added last. In between, addresses are added before others are removed: from a link
    /// that loses its last IPv4 address the kernel takes all IPv4 routes, those of others too. Those that are wanted
    /// are added again.
    ///
    /// An IPv6 address that is new can be sent from at once, and takes packets a moment later: the kernel finishes it
    /// in the background.
    ///
    /// Kernels before 5.18 do not keep who made an address; there, addresses stay until the link goes.
    ///
    /// # Errors
    /// See [`ApplyError`], which says what was changed.
    pub async fn apply(&self, wanted: &LinkConfig) -> Result<Changes, ApplyError> {
        if let Some(address) = wanted.unusable() {
            return Err(ApplyError::Unusable(address));
        }
        let mut changes = Changes::default();
        let mut listed = self.list().await?;
        let mut diff = Diff::new(wanted, &listed.addresses, &listed.routes);
        for &place in &diff.remove_routes {
            if let Some(message) = listed.messages.get(place) {
                let removed = self.change_unless(messages::del_route(message), 0, Errno::SRCH).await?;
                count(&mut changes.routes_removed, removed);
            }
        }
        for &address in &diff.add_addresses {
            let request = messages::new_address(self.index(), address);
            count(
                &mut changes.addresses_added,
                self.change_unless(request, messages::NEW, Errno::EXIST).await?,
            );
        }
        for &address in &diff.remove_addresses {
            let request = messages::del_address(self.index(), address);
            let removed = self.change_unless(request, 0, Errno::ADDRNOTAVAIL).await?;
            count(&mut changes.addresses_removed, removed);
        }
        if changes.addresses_removed > 0 {
            listed = self.list().await?;
            diff = Diff::new(wanted, &listed.addresses, &listed.routes);
        }
        changes.routes_added = self.add_routes(&diff.add_routes).await?;
        Ok(changes)
    }

    /// Adds routes, and says how many were not there.
    async fn add_routes(&self, routes: &[Route]) -> Result<usize, ApplyError> {
        let (mut added, mut present) = (0, Vec::new());
        for &route in routes {
            let request = messages::new_route(self.index(), route);
            match self.change_unless(request, messages::NEW, Errno::EXIST).await {
                Ok(true) => count(&mut added, true),
                Ok(false) => present.push(route),
                Err(error) if error.is(Errno::NETDOWN) => return Err(ApplyError::Down),
                Err(error) => return Err(error.into()),
            }
        }
        if !present.is_empty() {
            // there since the list was made, or not what is wanted
            let listed = self.list().await?;
            let serves = |found: &ObservedRoute, route| found.plain && found.route == route;
            let there = |route: Route| listed.routes.iter().any(|found| serves(found, route));
            if let Some(taken) = present.into_iter().find(|&route| !there(route)) {
                return Err(ApplyError::Taken(taken));
            }
        }
        Ok(added)
    }

    /// Whether a change was made; not if the kernel answers that it is as wanted already.
    async fn change_unless(
        &self,
        request: RouteNetlinkMessage,
        flags: u16,
        already: Errno,
    ) -> Result<bool, LinkError> {
        match self.change(request, flags).await {
            Ok(()) => Ok(true),
            Err(error) if error.is(already) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn count(number: &mut usize, one_more: bool) {
    *number = number.saturating_add(one_more.into());
}
