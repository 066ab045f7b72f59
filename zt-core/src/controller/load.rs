//! Sites and policies are loaded whole or not at all.

use std::collections::BTreeMap;

use crate::compile::{Artefacts, cut};
use crate::decide::{Decide, Validity};
use crate::device::DeviceAddresses;
use crate::event::{PolicySource, SiteSource};
use crate::grant::Refusal;
use crate::id::{GatewayGroupId, WindowId};
use crate::session::EndReason;
use crate::site::{Pools, Site};
use crate::time::Timestamp;

use super::Controller;
use super::groups::ClaimedGroups;
use super::round::Round;
use super::state::{GatewayState, State};
use super::timers::Timer;

impl<D: Decide> Controller<D> {
    /// Puts a site in force, with the policies that are in force compiled for it.
    pub(super) fn load_site(&mut self, source: &SiteSource, round: &mut Round) -> Result<(), Refusal> {
        let site = Site::parse(source)?;
        let groups = self.state.emptied_groups(&site)?;
        let policy = match self.state.policy.take() {
            None => None,
            Some((source, version)) => match self.decide.load(&source, &site) {
                Ok(version) => Some((source, version)),
                Err(error) => {
                    self.state.policy = Some((source, version));
                    return Err(error.into());
                }
            },
        };
        self.state.policy = policy;
        self.state.put_in_force(site, groups, round);
        Ok(())
    }

    /// Puts policies in force.
    pub(super) fn load_policy(&mut self, source: &PolicySource, round: &mut Round) -> Result<(), Refusal> {
        let site = self.state.site.as_ref().ok_or(Refusal::NoSite)?;
        let version = self.decide.load(source, site)?;
        self.state.policy = Some((source.clone(), version));
        self.state.classes.outdate();
        round.mark_all(&self.state, EndReason::Withdraw);
        Ok(())
    }
}

impl State {
    /// The gateway groups of a new site, cut into regions, with nobody in them; and those that are gone, since they may
    /// come back and must not use their regions' ids again.
    fn emptied_groups(&self, site: &Site) -> Result<BTreeMap<GatewayGroupId, Artefacts>, Refusal> {
        let mut groups = BTreeMap::new();
        for gateway in site.gateways.values().map(|gateway| &gateway.group) {
            if !groups.contains_key(gateway) {
                let cells = cut(site, gateway)?;
                let old = self.groups.get(gateway).cloned().unwrap_or_default();
                groups.insert(gateway.clone(), old.emptied(&cells));
            }
        }
        let gone = self.groups.iter().filter(|(id, _)| !groups.contains_key(*id));
        let gone: Vec<_> = gone.map(|(id, gone)| (id.clone(), gone.emptied(&BTreeMap::new()))).collect();
        groups.extend(gone);
        Ok(groups)
    }

    fn put_in_force(&mut self, site: Site, groups: BTreeMap<GatewayGroupId, Artefacts>, round: &mut Round) {
        self.note_changes(round);
        round.rosters_before = Some(self.rosters());
        self.end_sessions_outside(&site.pools, round);
        self.groups = groups;
        self.classes.outdate();
        self.place_gateways(&site);
        self.claimed = ClaimedGroups::of(&site);
        self.regroup_people();
        for enrolled in self.devices.values_mut() {
            enrolled.device.facts.retain(|held| site.facts.contains_key(&held.finding.name));
        }
        let old_windows: Vec<WindowId> =
            self.site.iter().flat_map(|site| site.windows.keys().cloned()).collect();
        old_windows.into_iter().for_each(|window| self.timers.stop(&Timer::Window(window)));
        self.open_windows.clear();
        if let Some(earlier) = &self.site {
            self.earlier_leases_end = self.earlier_leases_end.max(self.now.after(earlier.lease));
        }
        let windows: Vec<WindowId> = site.windows.keys().cloned().collect();
        self.site = Some(site);
        windows.iter().for_each(|window| self.set_window(window, round.outcome.at));
        round.mark_all(self, EndReason::Withdraw);
    }

    /// Ends the sessions of devices whose addresses the new pools do not give, and takes the addresses back.
    fn end_sessions_outside(&mut self, pools: &Pools, round: &mut Round) {
        let outside = |addresses: &DeviceAddresses| {
            let fits =
                |pool: Option<crate::net::Prefix>, address: Option<std::net::IpAddr>| match (pool, address) {
                    (Some(pool), Some(address)) => pool.contains(address),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
            *addresses != DeviceAddresses::default()
                && !(fits(pools.v4, addresses.v4.map(Into::into))
                    && fits(pools.v6, addresses.v6.map(Into::into)))
        };
        let devices = self.devices.iter().filter(|(_, enrolled)| outside(&enrolled.device.addresses));
        for slot in devices.map(|(slot, _)| slot).collect::<Vec<_>>() {
            if let Some(session) = self.devices.get(slot).and_then(|enrolled| enrolled.session) {
                self.end_session(session, EndReason::Withdraw, round);
            }
            if let Some(enrolled) = self.devices.get_mut(slot) {
                self.addresses.release(std::mem::take(&mut enrolled.device.addresses), self.now);
            }
        }
    }

    fn place_gateways(&mut self, site: &Site) {
        for (id, gateway) in &mut self.gateways {
            let declared = site.gateways.get(id);
            gateway.group = declared.map(|declared| declared.group.clone());
            let still = |endpoint| declared.is_some_and(|declared| declared.may_listen_at(endpoint));
            gateway.enrolled = gateway.enrolled.filter(|(_, endpoint)| still(*endpoint));
        }
        for (id, declared) in &site.gateways {
            self.gateways.entry(id.clone()).or_insert_with(|| GatewayState {
                group: Some(declared.group.clone()),
                ..GatewayState::default()
            });
        }
    }

    /// Notes whether a window is open at `at`, and when that changes.
    pub(super) fn set_window(&mut self, id: &WindowId, at: Timestamp) {
        let Some(window) = self.site.as_ref().and_then(|site| site.windows.get(id)) else { return };
        if window.is_open(at) {
            self.open_windows.insert(id.clone());
        } else {
            self.open_windows.remove(id);
        }
        if let Validity::Until(change) = window.next_change(at) {
            self.timers.set(&Timer::Window(id.clone()), change);
        }
    }
}
