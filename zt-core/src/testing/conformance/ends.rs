//! Access that ends by itself.

use std::time::Duration;

use super::scene::{DNS, Played, STAYS, Scene, fail, pair};
use crate::desired::PairEnd;
use crate::plan::{Add, Gate, Step};

pub(super) async fn everything_ends_with_the_lease(scene: &mut Scene) -> Played {
    let device = scene.device(1).await;
    scene.admit(&device);
    scene.grant(&device, &[DNS, STAYS]);
    scene.converge().await?;
    scene.open(Duration::from_secs(60)).await?;
    scene.talks(&device, DNS).await?;
    scene.lab.advance(Duration::from_secs(30)).await;
    scene.talks(&device, DNS).await?;
    // A renewal that comes late and ends sooner shortens nothing.
    scene.open(Duration::from_secs(10)).await?;
    scene.lab.advance(Duration::from_secs(20)).await;
    scene.talks(&device, DNS).await?;
    scene.lab.advance(Duration::from_secs(11)).await;
    let tried = scene.attempts_in_vain(&device, DNS).await?;
    scene.open(Duration::from_secs(60)).await?;
    scene.dropped((&device, tried), STAYS).await?;
    scene.talks(&device, DNS).await
}

pub(super) async fn a_source_ends_by_itself(scene: &mut Scene) -> Played {
    let device = scene.device(1).await;
    let stays = scene.admitted(2, &[STAYS]).await?;
    scene.admit(&device);
    scene.grant(&device, &[DNS, STAYS]);
    let until = scene.lab.now().after(Duration::from_secs(60));
    for address in device.addresses {
        if let Some(source) = scene.elements.sources.get_mut(&address) {
            source.until = until;
        }
    }
    scene.converge().await?;
    scene.talks(&device, DNS).await?;
    scene.lab.advance(Duration::from_secs(61)).await;
    let tried = scene.attempts_in_vain(&device, DNS).await?;
    scene.talks(&stays, STAYS).await?;
    scene.admit(&device);
    scene.converge().await?;
    scene.dropped((&device, tried), STAYS).await
}

pub(super) async fn a_pair_ends_by_itself(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[STAYS]).await?;
    scene.grant(&device, &[DNS]);
    let end = PairEnd::At(scene.lab.now().after(Duration::from_secs(60)));
    for family in [0, 1] {
        scene.elements.pairs.insert(pair(&device, &DNS, family), end);
    }
    scene.converge().await?;
    scene.talks(&device, DNS).await?;
    scene.lab.advance(Duration::from_secs(61)).await;
    let tried = scene.attempts(&device, DNS).await;
    scene.dropped((&device, tried), STAYS).await?;
    let pairs = [0, 1].map(|family| pair(&device, &DNS, family));
    scene.apply(pairs.map(|pair| Step::Add(Add::Pair(pair, PairEnd::WithSource))).to_vec()).await?;
    scene.talks(&device, DNS).await?;
    match scene.observe().await?.gate {
        Gate::OpenUntil(_) => Ok(()),
        Gate::Closed => fail("the gate closed"),
    }
}
