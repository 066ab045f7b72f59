//! Revocations one after the other, while packets of all protocols flow both ways.

use std::net::IpAddr;
use std::time::Duration;

use super::cuts::{self, USED};
use super::scene::{DNS, Device, PING, STAYS, Scene, WEB};
use super::streams::Stream;
use super::{Failure, Labs};
use crate::desired::{Pair, PairEnd, Source};
use crate::id::{SessionEpoch, SessionId};
use crate::key::PrivateKey;
use crate::net::Prefix;
use crate::plan::{Step, steps};

/// What became of packets that were sent while revocations were carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revocations {
    /// How many revocations there were.
    pub runs: u64,
    /// How many packets had arrived before `apply` returned, at the least.
    pub delivered_before: u64,
    /// How many packets were sent after `apply` had returned.
    pub sent_after: u64,
    /// How many of these arrived: none, if the backend keeps its promise.
    pub delivered_after: u64,
}

/// Revokes a device's session and key `runs` times over, 250 at the most, where so many idle peers are installed too.
///
/// Before each, packets of three protocols, in both families and both ways arrive. Each lets another device's packets
/// go on. Each is looked at once packets that were sent later, by the same ways, have arrived.
///
/// # Errors
/// What the backend did wrong, apart from delivering what was sent after a revocation: that is counted.
pub async fn revocations(labs: &dyn Labs, idle: u32, runs: u8) -> Result<Revocations, Failure> {
    let mut scene = Scene::new(labs.open().await);
    install_idle(&mut scene, idle);
    let device = scene.admitted(1, &[STAYS]).await?;
    let other = scene.admitted(2, &[STAYS]).await?;
    let mut sum = Revocations::default();
    for run in 1..=u64::from(runs) {
        scene.grant(&device, &[WEB, DNS, PING]);
        scene.admit(&device);
        scene.converge().await?;
        for service in USED {
            scene.talks_at_last(&device, service).await?;
        }
        scene.talks_at_last(&other, STAYS).await?;
        let streams = revoke_while_packets_flow(&mut scene, (&device, &other), run).await?;
        scene.admit(&device);
        scene.grant(&device, &[STAYS]);
        scene.converge().await?;
        scene.talks_at_last(&device, STAYS).await?;
        for (stream, mark) in streams {
            sum.delivered_before = sum.delivered_before.saturating_add(stream.count_seen());
            sum.sent_after = sum.sent_after.saturating_add(stream.mark().saturating_sub(mark));
            sum.delivered_after = sum.delivered_after.saturating_add(stream.count_beyond(&scene, mark));
        }
        sum.runs = run;
    }
    Ok(sum)
}

async fn revoke_while_packets_flow(
    scene: &mut Scene,
    devices: (&Device, &Device),
    run: u64,
) -> Result<Vec<(Stream, u64)>, Failure> {
    let before = scene.elements.clone();
    scene.dismiss(devices.0);
    let revocation: Vec<Step> = steps(&before, &scene.elements, scene.lab.now());
    cuts::apply_while_packets_flow(scene, devices, (revocation, true), run).await
}

/// Peers that nobody uses, each with a session and a grant.
fn install_idle(scene: &mut Scene, idle: u32) {
    let until = scene.lab.now().after(Duration::from_hours(24));
    let (cell, region) = STAYS.cell(0);
    scene.elements.cells.insert(cell, region);
    for number in 0..idle {
        let [_, a, b, c] = number.to_be_bytes();
        let mut secret = [7; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        let key = PrivateKey::from_bytes(secret).public_key();
        let address = IpAddr::from([10, 96 | a, b, c]);
        scene.elements.peers.entry(key).or_default().allowed_ips.insert(Prefix::host(address));
        let session = SessionId(1_000_000_u64.saturating_add(number.into()));
        scene.elements.sources.insert(address, Source { session, epoch: SessionEpoch(0), until });
        scene.elements.pairs.insert(Pair { source: address, region }, PairEnd::WithSource);
    }
}
