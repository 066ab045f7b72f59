//! Carrying out the steps of a plan, in the filter and in WireGuard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::{JoinSet, yield_now};
use zt_core::backend::BackendError;
use zt_core::key::PublicKey;
use zt_core::net::Prefix;
use zt_core::plan::{Add, Cut, Destroy, Step};
use zt_core::time::Anchor;
use zt_linux::Endpoints;

use super::peers::{Peers, Staged};
use crate::filter::Filter;
use crate::wireguard::{PeerConfig, WireGuard};

/// More peers than this are not added at once: packets have to wait meanwhile.
const CHUNK: usize = 32;

/// The parts of a gateway that steps change.
pub(super) struct Running {
    pub(super) own: PublicKey,
    pub(super) filter: Arc<Filter>,
    pub(super) wireguard: Arc<WireGuard<Filter>>,
    /// What WireGuard has; none while that is being changed, and so after a change that failed or was cancelled.
    pub(super) peers: Option<Peers>,
    /// The keys of all peers: to make one anew from its bytes costs a multiplication on the curve.
    pub(super) names: BTreeMap<[u8; 32], PublicKey>,
    pub(super) left: Endpoints,
    pub(super) handshakes: JoinSet<()>,
}

/// Steps that may be carried out together: cuts, then additions, then destructions.
#[derive(Default)]
pub(super) struct Phase<'a> {
    cuts: Vec<&'a Cut>,
    additions: Vec<&'a Add>,
    destroyed: BTreeSet<PublicKey>,
}

impl<'a> Phase<'a> {
    /// Splits steps wherever one that takes away follows one that gives; a plan is one phase as a rule.
    pub(super) fn of(steps: &'a [Step]) -> impl Iterator<Item = Self> {
        steps.chunk_by(|one, next| rank(one) <= rank(next)).map(|steps| {
            let mut phase = Self::default();
            for step in steps {
                match step {
                    Step::Cut(cut) => phase.cuts.push(cut),
                    Step::Add(add) => phase.additions.push(add),
                    Step::Destroy(Destroy::Peer(key)) => {
                        phase.destroyed.insert(*key);
                    }
                }
            }
            phase
        })
    }

    /// Its cuts.
    pub(super) fn cuts(&self) -> &[&'a Cut] {
        &self.cuts
    }
}

const fn rank(step: &Step) -> u8 {
    match step {
        Step::Cut(_) => 0,
        Step::Add(_) => 1,
        Step::Destroy(_) => 2,
    }
}

impl Running {
    /// Carries out a phase. The first error ends it; what precedes the step at fault is done then.
    pub(super) async fn carry_out(&mut self, phase: &Phase<'_>, anchor: Anchor) -> Result<(), BackendError> {
        while self.handshakes.try_join_next().is_some() {}
        self.filter.cut(&phase.cuts, anchor);
        let mut peers = match self.peers.take() {
            Some(peers) => peers,
            None => self.read().await.into_iter().map(|(key, config)| (key, config.allowed_ips)).collect(),
        };
        self.remember_endpoints(phase).await;
        self.cut_allowed_ips(&mut peers, phase).await?;
        let refusal = self.add(&mut peers, &phase.additions, anchor).await?;
        if refusal.is_none() {
            for key in
                phase.destroyed.iter().filter(|key| peers.get(key).is_some()).copied().collect::<Vec<_>>()
            {
                self.remove(&mut peers, &key).await?;
            }
        }
        self.peers = Some(peers);
        self.check()?;
        refusal.map_or(Ok(()), Err)
    }

    /// Whether it still works.
    pub(super) fn check(&self) -> Result<(), BackendError> {
        match (self.wireguard.is_alive(), self.filter.is_sound()) {
            (true, true) => Ok(()),
            (false, _) => Err(BackendError::Gone("its socket failed".into())),
            (true, false) => Err(BackendError::Gone("its filter failed".into())),
        }
    }

    /// Reads back the peers.
    pub(super) async fn read(&self) -> BTreeMap<PublicKey, PeerConfig> {
        let name = |bytes| self.names.get(&bytes).copied().or_else(|| PublicKey::from_bytes(bytes).ok());
        self.wireguard.peers(name).await
    }

    async fn remember_endpoints(&mut self, phase: &Phase<'_>) {
        if phase.destroyed.is_empty() {
            return;
        }
        for (key, config) in self.read().await {
            if let Some(endpoint) = config.endpoint.filter(|_| phase.destroyed.contains(&key)) {
                self.left.remember(key, endpoint);
            }
        }
    }

    async fn cut_allowed_ips(&mut self, peers: &mut Peers, phase: &Phase<'_>) -> Result<(), BackendError> {
        let mut gone: BTreeMap<PublicKey, BTreeSet<Prefix>> = BTreeMap::new();
        for cut in &phase.cuts {
            match cut {
                Cut::AllowedIp(key, prefix) => {
                    gone.entry(*key).or_default().insert(*prefix);
                }
                Cut::Gate
                | Cut::Source(_)
                | Cut::SourceUntil(..)
                | Cut::Pair(_)
                | Cut::PairUntil(..)
                | Cut::Cell(_) => {}
            }
        }
        for (key, gone) in &gone {
            let Some(allowed_ips) = peers.get(key) else { continue };
            let kept: BTreeSet<Prefix> = allowed_ips.difference(gone).copied().collect();
            if phase.destroyed.contains(key) {
                self.remove(peers, key).await?; // both look at every allowed IP there is: once is enough
            } else if kept.len() < allowed_ips.len() {
                self.wireguard.change(key, &kept, None).await.map_err(BackendError::Gone)?;
                peers.set(*key, kept);
            }
        }
        Ok(())
    }

    /// Carries out additions up to the first that is refused, which is given back.
    async fn add(
        &mut self,
        peers: &mut Peers,
        additions: &[&Add],
        anchor: Anchor,
    ) -> Result<Option<BackendError>, BackendError> {
        let mut sound = additions;
        let mut refusal = None;
        let changed = loop {
            let mut staged = Staged::new(self.own, peers);
            let refused = match staged.add(sound) {
                Ok(()) => {
                    self.filter.add(sound, anchor).map_err(|error| (error.at, error.problem.to_owned()))
                }
                Err(refused) => Err(refused),
            };
            match refused {
                Ok(()) => break staged.into_changed(),
                Err((at, problem)) => {
                    refusal = sound.get(at).map(|add| (Box::new(Step::Add((*add).clone())), problem));
                    sound = sound.get(..at).unwrap_or_default();
                }
            }
        };
        self.change_peers(peers, changed).await?;
        Ok(refusal.map(|(step, problem)| BackendError::Step { step, problem }))
    }

    async fn change_peers(
        &mut self,
        peers: &mut Peers,
        changed: BTreeMap<PublicKey, BTreeSet<Prefix>>,
    ) -> Result<(), BackendError> {
        let (old, new): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(key, _)| peers.get(key).is_some());
        for (key, allowed_ips) in old {
            self.wireguard.change(&key, &allowed_ips, None).await.map_err(BackendError::Gone)?;
            peers.set(key, allowed_ips);
        }
        self.names.extend(new.iter().map(|(key, _)| (*key.as_bytes(), *key)));
        let new: Vec<(PublicKey, PeerConfig)> = new
            .into_iter()
            .map(|(key, allowed_ips)| (key, PeerConfig { allowed_ips, endpoint: self.left.recall(&key) }))
            .collect();
        for (turn, chunk) in new.chunks(CHUNK).enumerate() {
            if turn > 0 {
                yield_now().await;
            }
            if !self.wireguard.add(chunk).await.map_err(BackendError::Gone)? {
                return Err(BackendError::Gone("somebody else adds peers".into()));
            }
        }
        for (key, config) in new {
            peers.set(key, config.allowed_ips);
            if config.endpoint.is_some() {
                let wireguard = Arc::clone(&self.wireguard);
                self.handshakes.spawn(async move { wireguard.shake_hands(&key).await });
            }
        }
        Ok(())
    }

    async fn remove(&mut self, peers: &mut Peers, key: &PublicKey) -> Result<(), BackendError> {
        self.wireguard.remove(key).await.map_err(BackendError::Gone)?;
        self.names.remove(key.as_bytes());
        peers.remove(key);
        Ok(())
    }
}
