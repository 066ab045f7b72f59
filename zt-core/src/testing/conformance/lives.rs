//! What becomes of sessions and peers: suspended, ended, revoked, replaced, drifted, left behind.

use std::time::Duration;

use super::scene::{DNS, Played, STAYS, Scene, WEB, fail, pair};
use crate::desired::{Pair, PairEnd, Source};
use crate::id::{RegionId, SessionEpoch, SessionId};
use crate::plan::{Add, Cut, Destroy, Step, steps};

pub(super) async fn suspended_sessions_come_back_at_once(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, STAYS]).await?;
    let stays = scene.admitted(2, &[STAYS]).await?;
    scene.talks(&device, DNS).await?;
    scene.apply(device.addresses.map(|address| Step::Cut(Cut::Source(address))).to_vec()).await?;
    let tried = scene.attempts_in_vain(&device, DNS).await?;
    scene.talks(&stays, STAYS).await?;
    scene.converge().await?;
    // The flow goes on: the server may speak first.
    for family in [0, 1] {
        let (_, down) = super::scene::conversation(&device, DNS, family);
        let network = scene.lab.network();
        scene.passes((&network, &device.end), &down).await?;
    }
    scene.dropped((&device, tried), STAYS).await
}

pub(super) async fn ended_sessions_make_room_for_the_next(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, STAYS]).await?;
    scene.talks(&device, DNS).await?;
    let full = scene.elements.clone();
    scene.dismiss(&device);
    scene.converge().await?;
    let tried = scene.attempts(&device, DNS).await;
    scene.elements = full;
    let until = scene.lab.now().after(Duration::from_hours(24));
    for address in device.addresses {
        let source = Source { session: SessionId(1_001), epoch: SessionEpoch(0), until };
        scene.elements.sources.insert(address, source);
    }
    scene.converge().await?;
    let network = scene.lab.network();
    let mut foreign = Vec::new();
    for family in [0, 1] {
        let (_, down) = super::scene::conversation(&device, DNS, family);
        foreign.push((scene.sends(&network, &down).await, "of a flow of the session before"));
    }
    scene.talks_at_last(&device, STAYS).await?;
    scene.never(&device.end, &foreign)?;
    scene.dropped((&device, tried), STAYS).await?;
    scene.talks(&device, DNS).await
}

pub(super) async fn a_revoked_key_reaches_nothing(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, STAYS]).await?;
    let stays = scene.admitted(2, &[STAYS]).await?;
    scene.talks(&device, DNS).await?;
    scene.dismiss(&device);
    scene.converge().await?;
    if scene.observe().await?.elements.peers.contains_key(&device.key) {
        return fail("the peer is still there");
    }
    // Its addresses may go to another; the key gets nothing of that.
    let tried = scene.attempts(&device, DNS).await;
    scene.talks(&stays, STAYS).await?;
    scene.never(&scene.lab.network(), &tried[0])?;
    scene.never(&device.end, &tried[1])
}

pub(super) async fn another_generation_leaves_what_stays_alone(scene: &mut Scene) -> Played {
    let stays = scene.admitted(1, &[STAYS]).await?;
    let goes = scene.admitted(2, &[DNS, STAYS]).await?;
    scene.talks(&goes, DNS).await?;
    scene.talks(&stays, STAYS).await?;
    let comes = scene.device(3).await;
    scene.dismiss(&goes);
    scene.admit(&comes);
    scene.grant(&comes, &[WEB, STAYS]);
    let observed = scene.observe().await?.elements;
    let changes = steps(&observed, &scene.elements, scene.lab.now());
    let concerns = |step: &Step| match step {
        Step::Cut(Cut::Source(at) | Cut::SourceUntil(at, _)) | Step::Add(Add::Source(at, _)) => {
            stays.addresses.contains(at)
        }
        Step::Cut(Cut::Pair(Pair { source, .. }) | Cut::PairUntil(Pair { source, .. }, _))
        | Step::Add(Add::Pair(Pair { source, .. }, _)) => stays.addresses.contains(source),
        Step::Cut(Cut::AllowedIp(key, _)) | Step::Add(Add::Peer(key) | Add::AllowedIp(key, _)) => {
            *key == stays.key
        }
        Step::Destroy(Destroy::Peer(key)) => *key == stays.key,
        Step::Cut(Cut::Gate | Cut::Cell(_)) | Step::Add(Add::Gate(_) | Add::Cell(..)) => false,
    };
    if let Some(step) = changes.iter().find(|step| concerns(step)) {
        return fail(format!("{step:?} concerns a device for which nothing changes"));
    }
    scene.converge().await?;
    // The server speaks first: the flow and the tunnel are as they were.
    for family in [0, 1] {
        let (_, down) = super::scene::conversation(&stays, STAYS, family);
        let network = scene.lab.network();
        scene.passes((&network, &stays.end), &down).await?;
    }
    let tried = scene.attempts(&goes, DNS).await;
    scene.talks(&comes, WEB).await?;
    scene.talks(&stays, STAYS).await?;
    scene.never(&scene.lab.network(), &tried[0])?;
    scene.never(&goes.end, &tried[1])?;
    if scene.observe().await?.elements != scene.elements {
        return fail("what is installed is not what was to be");
    }
    Ok(())
}

pub(super) async fn drift_is_repaired(scene: &mut Scene) -> Played {
    let device = scene.admitted(1, &[DNS, STAYS]).await?;
    let stranger = scene.device(2).await;
    scene.talks(&device, DNS).await?;
    // Somebody takes a grant away, and lets another in.
    let wanted = scene.elements.clone();
    scene.elements.pairs.remove(&pair(&device, &DNS, 0));
    scene
        .elements
        .pairs
        .insert(Pair { source: device.addresses[1], region: RegionId(77) }, PairEnd::WithSource);
    scene.admit(&stranger);
    scene.grant(&stranger, &[DNS]);
    scene.grant(&device, &[WEB]);
    scene.converge().await?;
    scene.talks(&stranger, DNS).await?;
    scene.talks(&device, WEB).await?;
    scene.elements = wanted;
    scene.converge().await?;
    if scene.observe().await?.elements != scene.elements {
        return fail("what is installed is not what was to be");
    }
    let tried = scene.attempts(&stranger, DNS).await;
    let widened = scene.attempts(&device, WEB).await;
    scene.dropped((&device, widened), DNS).await?;
    scene.never(&scene.lab.network(), &tried[0])?;
    scene.never(&stranger.end, &tried[1])?;
    let observed = scene.observe().await?;
    match steps(&observed.elements, &scene.elements, scene.lab.now()).as_slice() {
        [] => Ok(()),
        left => fail(format!("what is as it should be still has steps: {left:?}")),
    }
}

pub(super) async fn a_failed_step_leaves_nothing_foreign(scene: &mut Scene) -> Played {
    let one = scene.admitted(1, &[DNS, STAYS]).await?;
    let two = scene.device(2).await;
    let before = scene.elements.clone();
    scene.dismiss(&one);
    scene.admit(&two);
    scene.grant(&two, &[WEB]);
    let mut all = steps(&before, &scene.elements, scene.lab.now());
    // In the midst of the additions, a peer that is not there gets a prefix.
    let stranger = crate::key::PrivateKey::from_bytes([99; 32]).public_key();
    let bad = Step::Add(Add::AllowedIp(stranger, crate::net::Prefix::host([10, 99, 0, 99].into())));
    let place = all.iter().position(|step| matches!(step, Step::Add(Add::Pair(..)))).unwrap_or(0);
    all.insert(place, bad);
    if scene.try_apply(all).await.is_ok() {
        return fail("a prefix was given to a peer that is not there");
    }
    let found = scene.observe().await?.elements;
    let foreign_peer = found.peers.iter().any(|(key, peer)| {
        let of = |elements: &crate::desired::Elements| {
            elements.peers.get(key).is_some_and(|known| peer.allowed_ips.is_subset(&known.allowed_ips))
        };
        !of(&before) && !of(&scene.elements)
    });
    let allowed = |pair: &Pair| before.pairs.end(pair).is_some() || scene.elements.pairs.end(pair).is_some();
    if foreign_peer || found.pairs.iter().any(|(pair, _)| !allowed(&pair)) {
        return fail("after a failed step something is installed that neither state has");
    }
    let tried = scene.attempts(&one, DNS).await;
    scene.converge().await?;
    scene.talks(&two, WEB).await?;
    scene.never(&scene.lab.network(), &tried[0])?;
    scene.never(&one.end, &tried[1])
}

pub(super) async fn what_was_left_behind_is_brought_in_line(scene: &mut Scene) -> Played {
    let stays = scene.admitted(1, &[DNS, STAYS]).await?;
    let goes = scene.admitted(2, &[DNS]).await?;
    scene.talks(&stays, DNS).await?;
    scene.talks(&goes, DNS).await?;
    scene.lab.restart().await;
    scene.dismiss(&goes);
    for family in [0, 1] {
        scene.elements.pairs.remove(&pair(&stays, &DNS, family));
    }
    scene.converge().await?;
    scene.open(Duration::from_hours(1)).await?;
    let tried = scene.attempts(&goes, DNS).await;
    scene.talks_at_last(&stays, STAYS).await?;
    scene.never(&scene.lab.network(), &tried[0])?;
    scene.never(&goes.end, &tried[1])?;
    let narrowed = scene.attempts(&stays, DNS).await;
    scene.dropped((&stays, narrowed), STAYS).await?;
    if scene.observe().await?.elements != scene.elements {
        return fail("what is installed is not what was to be");
    }
    Ok(())
}
