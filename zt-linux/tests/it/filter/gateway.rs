//! Plans that are applied at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use zt_core::backend::{Backend as _, BackendError};
use zt_core::desired::{Pair, PairEnd, Peer};
use zt_core::id::{Generation, RegionId};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;
use zt_core::plan::{Add, Cut, Plan, Step};
use zt_linux::{Gateway, Peers};

use super::world::{World, now};
use crate::namespace::alone;

/// Peers that take their time to be added.
struct Slow {
    reached: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

#[async_trait]
impl Peers for Slow {
    async fn observe(&self) -> Result<BTreeMap<PublicKey, Peer>, BackendError> {
        Ok(BTreeMap::new())
    }

    async fn cut(&self, _: &BTreeMap<PublicKey, BTreeSet<Prefix>>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn add(&self, _: &[&Add]) -> Result<(), BackendError> {
        self.reached.add_permits(1);
        self.go_on.acquire().await.unwrap().forget();
        Ok(())
    }

    async fn remove(&self, _: &BTreeSet<PublicKey>) -> Result<(), BackendError> {
        Ok(())
    }
}

/// A plan that was under way added again what a later plan had cut meanwhile.
#[test]
fn inv_v4_what_is_cut_stays_cut_though_a_plan_before_adds_it() {
    alone(|| async {
        let world = World::open().await;
        let (reached, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let slow = Slow { reached: Arc::clone(&reached), go_on: Arc::clone(&go_on) };
        let gateway = Arc::new(Gateway::new(slow, world.filter));
        let pair = Pair { source: "10.99.0.2".parse().unwrap(), region: RegionId(1) };
        let end = PairEnd::At(now().after(Duration::from_secs(3_600)));
        let key = PrivateKey::from_bytes([1; 32]).public_key();
        let plan = |steps| Plan { generation: Generation(1), now: now(), steps };
        let adds = plan(vec![Step::Add(Add::Peer(key)), Step::Add(Add::Pair(pair, end))]);
        let cuts = plan(vec![Step::Cut(Cut::Pair(pair))]);

        let before = gateway.filter().transactions();
        let adding = tokio::spawn({
            let gateway = Arc::clone(&gateway);
            async move { gateway.apply(&adds).await }
        });
        reached.acquire().await.unwrap().forget();
        let cutting = tokio::spawn({
            let gateway = Arc::clone(&gateway);
            async move { gateway.apply(&cuts).await }
        });
        // the cut is made without waiting
        while gateway.filter().transactions() == before {
            tokio::task::yield_now().await;
        }
        go_on.add_permits(1);
        adding.await.unwrap().unwrap();
        cutting.await.unwrap().unwrap();
        assert!(gateway.observe().await.unwrap().elements.pairs.is_empty());
    });
}
