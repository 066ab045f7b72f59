//! Carrying out the steps of a plan, in the filter and in WireGuard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::{JoinSet, yield_now};
use zt_core::backend::BackendError;
use zt_core::key::PublicKey;
use zt_core::net::Prefix;
use zt_core::plan::{Add, Phase, Step};
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

/// The additions of a phase that can be carried out.
struct Staging<'a> {
    sound: &'a [&'a Add],
    /// The allowed IPs of the peers that are new or changed.
    changed: BTreeMap<PublicKey, BTreeSet<Prefix>>,
    /// The addition behind the sound ones, and why it is none of them.
    refusal: Option<BackendError>,
}

impl Running {
    /// Carries out a phase. The first error ends it; what precedes the step at fault is done then.
    pub(super) async fn carry_out(&mut self, phase: &Phase<'_>, anchor: Anchor) -> Result<(), BackendError> {
        while self.handshakes.try_join_next().is_some() {}
        let lost = phase.lost_allowed_ips();
        self.filter.cut_rules(&phase.cuts, anchor);
        // As nothing passes from or to an address without a source, it does not matter then which peer has it. So new
        // cells and pairs need not wait for WireGuard, and what is reached before and after is reached meanwhile.
        let recuts =
            self.peers.is_some() && phase.recuts() && !self.filter.has_source(lost.values().flatten());
        if !recuts {
            self.filter.cut_cells(&phase.cuts);
        }
        let mut peers = match self.peers.take() {
            Some(peers) => peers,
            None => self.read().await.into_iter().map(|(key, config)| (key, config.allowed_ips)).collect(),
        };
        let cut = peers.lose(&lost, &phase.destroyed);
        let staging = recuts.then(|| self.stage(&peers, phase));
        if let Some(Staging { sound, .. }) = &staging {
            let is_pair = |add: &&Add| matches!(add, Add::Pair(..));
            let pairs: Vec<&Add> = sound.iter().copied().filter(is_pair).collect();
            self.filter.add_rules(&pairs, anchor);
        }
        self.remember_endpoints(phase).await;
        self.cut_allowed_ips(cut).await?;
        let Staging { sound, changed, refusal } = staging.unwrap_or_else(|| self.stage(&peers, phase));
        self.filter.add_rules(sound, anchor);
        self.change_peers(&mut peers, changed).await?;
        if refusal.is_none() {
            for key in
                phase.destroyed.iter().filter(|key| peers.get(key).is_some()).copied().collect::<Vec<_>>()
            {
                self.remove(&key).await?;
                peers.remove(&key);
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

    async fn cut_allowed_ips(
        &mut self,
        cut: BTreeMap<PublicKey, Option<BTreeSet<Prefix>>>,
    ) -> Result<(), BackendError> {
        for (key, kept) in cut {
            match kept {
                Some(kept) => self.wireguard.change(&key, &kept, None).await.map_err(BackendError::Gone)?,
                None => self.remove(&key).await?,
            }
        }
        Ok(())
    }

    /// Finds the additions before the first that is refused, and changes cells.
    fn stage<'a>(&self, peers: &Peers, phase: &'a Phase<'_>) -> Staging<'a> {
        let mut sound = phase.additions.as_slice();
        let mut refusal = None;
        loop {
            let mut staged = Staged::new(self.own, peers);
            let refused = match staged.add(sound) {
                Ok(()) => {
                    let recut = self.filter.recut(&phase.cuts, sound);
                    recut.map_err(|error| (error.at, error.problem.to_owned()))
                }
                Err(refused) => Err(refused),
            };
            match refused {
                Ok(()) => return Staging { sound, changed: staged.into_changed(), refusal },
                Err((at, problem)) => {
                    refusal = sound
                        .get(at)
                        .map(|add| BackendError::Step { step: Box::new(Step::Add((*add).clone())), problem });
                    sound = sound.get(..at).unwrap_or_default();
                }
            }
        }
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

    async fn remove(&mut self, key: &PublicKey) -> Result<(), BackendError> {
        self.wireguard.remove(key).await.map_err(BackendError::Gone)?;
        self.names.remove(key.as_bytes());
        Ok(())
    }
}
