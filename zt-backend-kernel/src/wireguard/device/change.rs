//! Changing the peers of a device.

use std::collections::{BTreeMap, BTreeSet};

use zt_core::key::PublicKey;
use zt_core::net::Prefix;

use super::{Device, Paces, State, Turn};
use crate::wireguard::batch::{Act, Part, message, parts};
use crate::wireguard::error::WriteError;
use crate::wireguard::peers::{NewPeer, Peers, Refusal, check_keys};

impl Device {
    /// Adds peers.
    pub(crate) async fn add(&self, peers: &[(PublicKey, NewPeer)]) -> Result<(), WriteError> {
        check_keys(self.known.public_key, peers.iter().map(|(key, _)| key))?;
        if peers.is_empty() {
            return Ok(());
        }
        let turn = self.state.lock().await.turn();
        let mut paces = self.lane.lock().await;
        self.check().await?;
        let parts: Vec<Part> = peers
            .iter()
            .flat_map(|(key, new)| {
                parts((*key, Act::Create), &new.allowed_ips, (new.endpoint, new.keepalive))
            })
            .collect();
        check_gifts(&*self.know().await?, &parts)?;
        self.give(&parts, &turn, &mut paces).await
    }

    /// Makes these the allowed IPs of peers that are there: cuts first, then what is given.
    pub(crate) async fn set_allowed_ips(
        &self,
        wanted: &[(PublicKey, BTreeSet<Prefix>)],
    ) -> Result<(), WriteError> {
        check_keys(self.known.public_key, wanted.iter().map(|(key, _)| key))?;
        let mut state = self.state.lock().await;
        let rest: Vec<_>;
        let wanted = if state.peers.is_some() {
            wanted
        } else {
            // whoever is to lose everything does not wait until it is known what there is
            let (emptied, others): (Vec<_>, Vec<_>) =
                wanted.iter().cloned().partition(|(_, prefixes)| prefixes.is_empty());
            let cuts: Vec<Part> = emptied.iter().flat_map(|(key, none)| cut(*key, none)).collect();
            self.cut(&mut state, &cuts).await?;
            if others.is_empty() {
                return Ok(());
            }
            drop(state);
            state = self.know().await?;
            rest = others;
            &rest
        };
        let (cuts, gifts) = plan(&state, wanted)?;
        self.cut(&mut state, &cuts).await?;
        let turn = state.turn();
        drop(state);
        if gifts.is_empty() {
            return Ok(());
        }
        let mut paces = self.lane.lock().await;
        self.check().await?;
        self.give(&gifts, &turn, &mut paces).await
    }

    /// Removes peers, those that are there.
    pub(crate) async fn remove(&self, keys: &BTreeSet<PublicKey>) -> Result<(), WriteError> {
        let all: Vec<Part> =
            keys.iter().flat_map(|key| parts((*key, Act::Remove), &BTreeSet::new(), (None, None))).collect();
        if all.is_empty() {
            return Ok(());
        }
        let mut paces = self.lane.lock().await;
        self.check().await?;
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            let message = message(&mut rest, paces.removals.peers());
            let count = message.len();
            let mut state = self.state.lock().await;
            let elapsed = self.send(&mut state, message).await.map_err(WriteError::of)?;
            paces.removals.learn(count, elapsed);
        }
        Ok(())
    }

    /// Sends what takes away, at once and in as few messages as can be.
    async fn cut(&self, state: &mut State, cuts: &[Part]) -> Result<(), WriteError> {
        if !cuts.is_empty() {
            state.cut(cuts.iter().map(|part| part.key));
        }
        let mut rest = cuts;
        while !rest.is_empty() {
            self.send(state, message(&mut rest, usize::MAX)).await.map_err(WriteError::of)?;
        }
        Ok(())
    }

    /// Sends what gives, a few peers at a time, and lets cuts pass in between. Who was cut since gets nothing.
    async fn give(&self, gifts: &[Part], turn: &Turn, paces: &mut Paces) -> Result<(), WriteError> {
        let mut rest = gifts;
        let mut overtaken = None;
        while !rest.is_empty() {
            let message = message(&mut rest, paces.additions.peers());
            let mut state = self.know().await?;
            let (late, message): (Vec<Part>, Vec<Part>) =
                message.into_iter().partition(|part| state.is_cut_since(turn, &part.key));
            overtaken = overtaken.or_else(|| late.first().map(|part| part.key));
            if message.is_empty() {
                continue;
            }
            check_gifts(&state, &message)?;
            let count = message.len();
            let elapsed = self.send(&mut state, message).await.map_err(WriteError::of)?;
            paces.additions.learn(count, elapsed);
        }
        overtaken.map_or(Ok(()), |key| Err(WriteError::Overtaken(key)))
    }
}

/// The message that leaves a peer only these prefixes.
fn cut(key: PublicKey, kept: &BTreeSet<Prefix>) -> Vec<Part> {
    parts((key, Act::Replace), kept, (None, None))
}

/// What takes away, and what gives afterwards. Prefixes that stay are not touched by what gives.
fn plan(state: &State, wanted: &[(PublicKey, BTreeSet<Prefix>)]) -> Result<(Vec<Part>, Vec<Part>), Refusal> {
    let nobody = Peers::default();
    let peers = state.peers.as_ref().unwrap_or(&nobody);
    let becomes: BTreeMap<&PublicKey, &BTreeSet<Prefix>> = wanted.iter().map(|(key, it)| (key, it)).collect();
    let stays =
        |prefix: &Prefix, owner: &PublicKey| becomes.get(owner).is_none_or(|wanted| wanted.contains(prefix));
    let (mut cuts, mut gifts, mut given) = (Vec::new(), Vec::new(), Peers::default());
    for (key, wanted) in wanted {
        let held = match peers.get(key) {
            Some(held) => held,
            None if wanted.is_empty() => wanted,
            None => return Err(Refusal::Absent(*key)),
        };
        let kept: BTreeSet<Prefix> = held.intersection(wanted).copied().collect();
        if wanted.is_empty() || kept.len() < held.len() {
            cuts.extend(cut(*key, &kept));
        }
        let more: BTreeSet<Prefix> = wanted.difference(held).copied().collect();
        if !more.is_empty() {
            peers.check(*key, &more, stays)?;
            given.check(*key, &more, |_, _| true)?;
            gifts.extend(parts((*key, Act::Extend), &more, (None, None)));
            given.give(*key, more);
        }
    }
    Ok((cuts, gifts))
}

/// Refuses to give peers what they must not have.
fn check_gifts(state: &State, gifts: &[Part]) -> Result<(), Refusal> {
    let nobody = Peers::default();
    let peers = state.peers.as_ref().unwrap_or(&nobody);
    let (mut given, mut created) = (Peers::default(), BTreeSet::new());
    for part in gifts {
        let is_present = peers.get(&part.key).is_some();
        match part.act {
            Act::Create if is_present => return Err(Refusal::Present(part.key)),
            Act::Create => drop(created.insert(part.key)),
            Act::Extend if !is_present && !created.contains(&part.key) => {
                return Err(Refusal::Absent(part.key));
            }
            Act::Extend | Act::Replace | Act::Remove => {}
        }
        peers.check(part.key, &part.allowed_ips, |_, _| true)?;
        given.check(part.key, &part.allowed_ips, |_, _| true)?;
        given.give(part.key, part.allowed_ips.iter().copied());
    }
    Ok(())
}
