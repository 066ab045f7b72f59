//! Cuts while packets flow both ways: nothing that is sent after `apply` returned is delivered.

use std::time::Duration;

use super::Failure;
use super::scene::{DNS, Device, PING, Played, STAYS, Scene, Service, WEB, fail, pair};
use super::streams::{Stream, flow};
use crate::desired::PairEnd;
use crate::net::Prefix;
use crate::plan::{Cut, Step};

/// How many packets of each stream are to be seen before the cut, and sent after it.
const MANY: u64 = 100;

pub(super) const USED: [Service; 3] = [WEB, DNS, PING];

/// Cuts what a device uses, while it and the server send; `others_stay` if another device goes on.
async fn cut_while_packets_flow(
    scene: &mut Scene,
    others_stay: bool,
    cuts: impl Fn(&Scene, &Device) -> Vec<Cut> + Send + Sync,
) -> Played {
    let device = scene.admitted(1, &[WEB, DNS, PING, STAYS]).await?;
    let other = scene.admitted(2, &[STAYS]).await?;
    for service in USED {
        scene.talks(&device, service).await?;
    }
    scene.talks(&other, STAYS).await?;
    let steps = cuts(scene, &device).into_iter().map(Step::Cut).collect();
    let streams = apply_while_packets_flow(scene, (&device, &other), (steps, others_stay), 0).await?;

    // All but what was used is given back; packets that are sent behind all of the others arrive on the same ways. What
    // was used stays away, since packets that wait somewhere would pass once it is back.
    for (service, family) in places() {
        scene.elements.cells.remove(&service.cell(family).0);
        scene.elements.pairs.remove(&pair(&device, &service, family));
    }
    scene.converge().await?;
    scene.open(Duration::from_hours(1)).await?;
    scene.talks_at_last(&device, STAYS).await?;
    streams.iter().try_for_each(|(stream, mark)| match stream.count_beyond(scene, *mark) {
        0 => Ok(()),
        count => fail(format!(
            "{count} packets of {stream:?} arrived, though they were sent after the cut at {mark}"
        )),
    })
}

/// Applies steps while a device uses all and another one uses what stays, and lets packets flow on for a while; `round`,
/// up to 250, tells the streams from earlier ones. The device's streams, each with its last packet before `apply`
/// returned.
pub(super) async fn apply_while_packets_flow(
    scene: &Scene,
    (device, other): (&Device, &Device),
    (steps, others_stay): (Vec<Step>, bool),
    round: u64,
) -> Result<Vec<(Stream, u64)>, Failure> {
    let network = scene.lab.network();
    let of = |device, service: &Service| Stream::of(device, &network, *service, round);
    let cut: Vec<Stream> = USED.iter().flat_map(|service| of(device, service)).collect();
    let kept = of(other, &STAYS);
    let lab = &*scene.lab;
    let act = async {
        for stream in cut.iter().chain(&kept) {
            stream.seen(lab, MANY).await?;
        }
        scene.apply(steps).await?;
        let marks: Vec<u64> = cut.iter().map(Stream::mark).collect();
        let kept_marks: Vec<u64> = kept.iter().map(Stream::mark).collect();
        for (stream, mark) in cut.iter().zip(&marks) {
            stream.sent(lab, mark.saturating_add(MANY)).await?;
        }
        for (stream, mark) in kept.iter().zip(kept_marks).filter(|_| others_stay) {
            stream.seen_beyond(lab, mark.saturating_add(MANY)).await?;
        }
        Ok(marks)
    };
    let streams: Vec<&Stream> = cut.iter().chain(&kept).collect();
    let marks = flow(lab, &streams, act).await?;
    Ok(cut.into_iter().zip(marks).collect())
}

/// The services that are used, in both families.
fn places() -> impl Iterator<Item = (Service, usize)> {
    USED.into_iter().flat_map(|service| [(service, 0), (service, 1)])
}

pub(super) async fn nothing_passes_after_a_pair_is_cut(scene: &mut Scene) -> Played {
    let cut = |_: &Scene, device: &Device| {
        places().map(|(service, family)| Cut::Pair(pair(device, &service, family))).collect()
    };
    cut_while_packets_flow(scene, true, cut).await
}

pub(super) async fn nothing_passes_after_a_pair_ends_sooner(scene: &mut Scene) -> Played {
    let cut = |scene: &Scene, device: &Device| {
        let end = PairEnd::At(scene.lab.now());
        places().map(|(service, family)| Cut::PairUntil(pair(device, &service, family), end)).collect()
    };
    cut_while_packets_flow(scene, true, cut).await
}

pub(super) async fn nothing_passes_after_a_source_is_cut(scene: &mut Scene) -> Played {
    cut_while_packets_flow(scene, true, |_, device| device.addresses.map(Cut::Source).to_vec()).await
}

pub(super) async fn nothing_passes_after_a_source_ends_sooner(scene: &mut Scene) -> Played {
    let cut = |scene: &Scene, device: &Device| {
        let sooner = |address| {
            let source = scene.elements.sources.get(address)?;
            Some(Cut::SourceUntil(*address, crate::desired::Source { until: scene.lab.now(), ..*source }))
        };
        device.addresses.iter().filter_map(sooner).collect()
    };
    cut_while_packets_flow(scene, true, cut).await
}

pub(super) async fn nothing_passes_after_a_cell_is_cut(scene: &mut Scene) -> Played {
    let cut =
        |_: &Scene, _: &Device| places().map(|(service, family)| Cut::Cell(service.cell(family).0)).collect();
    cut_while_packets_flow(scene, true, cut).await
}

pub(super) async fn nothing_passes_after_an_allowed_ip_is_cut(scene: &mut Scene) -> Played {
    let cut = |_: &Scene, device: &Device| {
        device.addresses.map(|address| Cut::AllowedIp(device.key, Prefix::host(address))).to_vec()
    };
    cut_while_packets_flow(scene, true, cut).await
}

pub(super) async fn nothing_passes_after_the_gate_is_cut(scene: &mut Scene) -> Played {
    cut_while_packets_flow(scene, false, |_, _| vec![Cut::Gate]).await
}
