//! What policies read of sessions is looked at again; where it has changed, decisions are made and grants follow.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decide::{Decide, PolicyVersion, Validity};
use crate::grant::{Grant, GrantScope};
use crate::id::{GatewayGroupId, ResourceId};
use crate::store::Slot;

use super::Controller;
use super::classes::SessionClass;
use super::round::{Mark, Round};
use super::rows::{Answers, Granted, Row, RowChange};
use super::state::State;
use super::timers::Timer;

impl<D: Decide> Controller<D> {
    /// Looks again at every session that the round has marked.
    pub(super) fn redecide(&mut self, round: &mut Round) {
        let marks = round.take_marks();
        if let Some(version) = self.state.policy.as_ref().map(|(_, version)| *version) {
            for mark in &marks {
                self.look_again(mark, version, round);
            }
        }
        self.room = Round::room(marks);
    }

    /// Brings what a session is granted up to date, if it still lives. It keeps nothing if it is locked, or if what it
    /// may keep cannot be told.
    fn look_again(&mut self, mark: &Mark, version: PolicyVersion, round: &mut Round) {
        let live = self.state.sessions.get(mark.slot);
        if live.is_none_or(|live| live.session.id != mark.session) {
            return;
        }
        let is_locked = self.state.lock_on(mark.slot).is_some();
        if is_locked || self.follow_view(mark, version, round).is_none() {
            self.state.strip(mark, round);
        }
    }

    /// Brings a session into the class of its view; a class that is new is decided on.
    fn follow_view(&mut self, mark: &Mark, version: PolicyVersion, round: &mut Round) -> Option<()> {
        let slot = mark.slot;
        let live = self.state.sessions.get(slot)?;
        let facts = self.state.facts(slot)?;
        let valid = self.decide.view(&facts, &mut self.view);
        let present = live.class.and_then(|class| self.state.classes.get(class));
        let is_same = present.and_then(SessionClass::view) == Some(&self.view);
        match valid {
            Validity::Until(at) => self.state.timers.set(&Timer::Decide(slot), at),
            Validity::Unlimited => self.state.timers.stop(&Timer::Decide(slot)),
        }
        if !is_same {
            let class = match self.state.classes.find(&self.view) {
                Some(class) => class,
                None => {
                    let row = self.decide_row(slot, version, round)?;
                    self.state.classes.add(self.view.clone(), row)?
                }
            };
            self.state.move_session(mark, class, round);
        }
        self.follow_approvals(mark, version, round)
    }

    /// What sessions with the view at hand are granted. Decides only on what the way from the session's present view
    /// can have changed; on everything if it has none.
    fn decide_row(&mut self, slot: Slot, version: PolicyVersion, round: &mut Round) -> Option<Arc<Row>> {
        let (facts, resources) = (self.state.facts(slot)?, self.decide.classes());
        let class = self.state.sessions.get(slot)?.class.and_then(|class| self.state.classes.get(class));
        let present = class.and_then(|class| Some((class.view()?, class.row())));
        self.affected.clear();
        match present {
            Some((view, _)) => self.decide.affected(view, &self.view, &mut self.affected),
            None => self.affected.extend(resources.iter().map(|(class, _)| class)),
        }
        if let Some((_, row)) = present.filter(|_| self.affected.is_empty()) {
            return Some(Arc::clone(row));
        }
        let is_kept = |granted: &&Granted| {
            let class = resources.class_of(granted.index);
            class.is_some_and(|class| self.affected.binary_search(&class).is_err())
        };
        let kept = present.into_iter().flat_map(|(_, row)| &row.granted).filter(is_kept);
        let mut answers =
            Answers { site: facts.site, classes: resources, granted: kept.cloned().collect(), count: 0 };
        self.decide.decide(&facts, &self.affected, &mut answers);
        let Answers { mut granted, count, .. } = answers;
        granted.retain(|granted| self.state.lock_on_resource(&granted.resource).is_none());
        round.outcome.decisions = round.outcome.decisions.saturating_add(count);
        granted.sort_unstable_by_key(|granted| granted.index);
        Some(Arc::new(self.state.compile(granted, version)))
    }
}

impl State {
    /// A row of these grants, which are in the order of their resources.
    fn compile(&mut self, granted: Vec<Granted>, version: PolicyVersion) -> Row {
        let site = self.site.as_ref();
        let mut behind: BTreeMap<&GatewayGroupId, Vec<&ResourceId>> = BTreeMap::new();
        for granted in &granted {
            if let Some(resource) = site.and_then(|site| site.resource(granted.index)) {
                behind.entry(&resource.gateways).or_default().push(&granted.resource);
            }
        }
        let reaches = behind.into_iter().filter_map(|(group, resources)| {
            let artefacts = self.groups.get_mut(group)?;
            Some((group.clone(), artefacts.reach(resources.into_iter())))
        });
        let reaches = reaches.collect();
        self.rows = self.rows.saturating_add(1);
        Row { serial: self.rows, version, granted: granted.into(), reaches }
    }

    /// Brings a session into another class, with the grants and the seats of that class.
    fn move_session(&mut self, mark: &Mark, class: Slot, round: &mut Round) {
        let Some(new) = self.classes.get(class).map(|class| Arc::clone(class.row())) else { return };
        let old = self.row(mark.slot).map(Arc::clone);
        let is_same = old.as_ref().is_some_and(|old| Arc::ptr_eq(old, &new));
        if !is_same {
            let key = (old.as_ref().map(|old| old.serial), new.serial);
            let between = || Arc::new(RowChange::between(old.as_deref(), &new));
            let change = Arc::clone(round.changes.entry(key).or_insert_with(between));
            let lost = change.lost.iter().map(|resource| ((mark.session, resource.clone()), mark.reason));
            round.outcome.ended.extend(lost);
            let (session, version) = (mark.session, new.version);
            round.outcome.issued.extend(change.gained.iter().map(|Granted { resource, because, .. }| {
                let (resource, because, scope) = (resource.clone(), Arc::clone(because), GrantScope::Whole);
                Grant { session, resource, version, because, scope }
            }));
            self.reseat(mark.slot, old.as_deref(), &new, round.rosters_before.is_some());
        }
        self.classes.enter(class);
        let left = self.sessions.get_mut(mark.slot).and_then(|live| live.class.replace(class));
        left.into_iter().for_each(|left| self.classes.leave(left));
    }

    /// Takes everything from a session, and leaves it alive.
    fn strip(&mut self, mark: &Mark, round: &mut Round) {
        let approved = self.drop_approved(mark.slot);
        let row = self.row(mark.slot).map(Arc::clone);
        let granted = row.iter().flat_map(|row| row.granted.iter().map(|granted| granted.resource.clone()));
        let lost = granted.chain(approved).map(|resource| ((mark.session, resource), mark.reason));
        round.outcome.ended.extend(lost);
        for (group, _) in row.iter().flat_map(|row| &row.reaches) {
            if let Some(artefacts) = self.groups.get_mut(group) {
                artefacts.unseat(mark.slot);
            }
        }
        self.timers.stop(&Timer::Decide(mark.slot));
        if let Some(live) = self.sessions.get_mut(mark.slot) {
            live.holder = None;
            live.class.take().into_iter().for_each(|class| self.classes.leave(class));
        }
    }

    /// Gives a session the seats of its new row in place of those of the old one; all of them if it lost those.
    fn reseat(&mut self, slot: Slot, old: Option<&Row>, new: &Row, lost_all: bool) {
        let old = old.filter(|_| !lost_all).map_or(&[][..], |row| &row.reaches);
        for (group, _) in old.iter().filter(|(group, _)| new.reach(group).is_none()) {
            if let Some(artefacts) = self.groups.get_mut(group) {
                artefacts.unseat(slot);
            }
        }
        if new.reaches.is_empty() {
            if let Some(live) = self.sessions.get_mut(slot) {
                live.holder = None;
            }
            return;
        }
        let Some(holder) = self.holder(slot) else { return };
        for (group, reach) in &new.reaches {
            let is_same =
                |(known, present): &(GatewayGroupId, _)| known == group && Arc::ptr_eq(present, reach);
            if !old.iter().any(is_same)
                && let Some(artefacts) = self.groups.get_mut(group)
            {
                artefacts.seat(slot, &holder, reach);
            }
        }
    }
}
