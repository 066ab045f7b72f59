//! Cuts while packets flow: nothing that is sent after `apply` returned is delivered.

use std::net::{IpAddr, SocketAddr};

use zt_core::backend::Backend as _;
use zt_core::desired::{Pair, PairEnd};
use zt_core::id::{RegionId, SessionId};
use zt_core::net::Prefix;
use zt_core::plan::{Add, Cut, Step};
use zt_core::testing::bytes::{echo_reply, echo_request, tcp, udp};

use crate::lab::{DNS, Device, Lab, OTHER, PATIENCE, PING, WEB, address, socket};
use crate::streams::{Seen, Stream, payload};

/// How many packets are sent before a cut, after it, and meanwhile by the one who is not cut.
const MANY: u64 = 300;

const PROBE: u8 = 100;

fn far(port: u16) -> SocketAddr {
    (address("10.100.5.10"), port).into()
}

/// TCP, UDP and echo between a device and the server, driven from both ends: six streams from `first` on.
fn all_streams(first: u8, lab: &Lab, device: &Device) -> Vec<Stream> {
    let near: IpAddr = device.addresses[0];
    let port: SocketAddr = (near, 40_000).into();
    let (up, down) = (&device.port.sender, &lab.network.sender);
    vec![
        Stream::start(first, up, move |data| tcp(port, far(443), 0x18, data)),
        Stream::start(first + 1, up, move |data| udp(port, far(5_000), data)),
        Stream::start(first + 2, up, move |data| echo_request(near, far(0).ip(), 9, data)),
        Stream::start(first + 3, down, move |data| tcp(far(443), port, 0x18, data)),
        Stream::start(first + 4, down, move |data| udp(far(5_000), port, data)),
        Stream::start(first + 5, down, move |data| echo_reply(far(0).ip(), near, 9, data)),
    ]
}

/// Runs one cut of all that device A uses but for its grant of `OTHER`, and checks that B's streams go on if `b_stays`.
async fn cut_while_packets_flow(b_stays: bool, cut: impl FnOnce(&Lab, &Device) -> Vec<Cut>) {
    let mut lab = Lab::open().await;
    let mut a = lab.device(1, &["10.99.0.2"], &[WEB, DNS, PING, OTHER]).await;
    let mut b = lab.device(2, &["10.99.0.3"], &[OTHER]).await;
    let seen = Seen::default();
    let b_port = socket("10.99.0.3:40000");
    let cut_streams = all_streams(1, &lab, &a);
    let other_streams = vec![
        Stream::start(50, &b.port.sender, move |data| udp(b_port, far(7_000), data)),
        Stream::start(51, &lab.network.sender, move |data| udp(far(7_000), b_port, data)),
    ];
    for port in [&mut lab.network, &mut a.port, &mut b.port] {
        let (_, unused) = tokio::sync::mpsc::channel(1);
        seen.watch(std::mem::replace(&mut port.receiver, unused));
    }
    for stream in cut_streams.iter().chain(&other_streams) {
        seen.wait_for(stream.name, |(count, _)| count >= MANY).await;
    }

    lab.steps(cut(&lab, &a).into_iter().map(Step::Cut).collect()).await;
    let marks: Vec<u64> = cut_streams.iter().map(Stream::sent).collect();
    let other_marks: Vec<u64> = other_streams.iter().map(Stream::sent).collect();

    for (stream, mark) in cut_streams.iter().zip(&marks) {
        stream.wait_for_sent(mark + MANY).await;
    }
    for (stream, mark) in other_streams.iter().zip(other_marks).filter(|_| b_stays) {
        seen.wait_for(stream.name, |(_, highest)| highest >= mark + MANY).await;
    }
    let names: Vec<u8> = cut_streams.iter().map(|stream| stream.name).collect();
    for stream in cut_streams.into_iter().chain(other_streams) {
        stream.halt().await;
    }

    // what was cut is given back; probes behind all the packets above arrive on the very same ways
    lab.converge().await;
    lab.gate(PATIENCE).await;
    let port = socket("10.99.0.2:40000");
    a.port.sender.send(udp(port, far(5_000), &payload(PROBE, 1))).await.unwrap();
    seen.wait_for(PROBE, |(count, _)| count == 1).await;
    lab.network.sender.send(udp(far(5_000), port, &payload(PROBE + 1, 1))).await.unwrap();
    seen.wait_for(PROBE + 1, |(count, _)| count == 1).await;

    for (name, mark) in names.into_iter().zip(marks) {
        let (_, highest) = seen.of(name).await;
        assert!(highest <= mark, "packet {highest} of stream {name} was sent after the cut at {mark}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inv_v4_nothing_passes_after_the_cut_of_pairs() {
    let cut = |_: &Lab, device: &Device| {
        let pair = |region| Cut::Pair(Pair { source: device.addresses[0], region: RegionId(region) });
        [1, 2, 3].map(pair).to_vec()
    };
    cut_while_packets_flow(true, cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inv_v4_nothing_passes_after_the_end_of_a_pair_comes_sooner() {
    let cut = |lab: &Lab, device: &Device| {
        let pair = |region| Pair { source: device.addresses[0], region: RegionId(region) };
        let end = PairEnd::At(lab.now());
        [1, 2, 3].map(|region| Cut::PairUntil(pair(region), end)).to_vec()
    };
    cut_while_packets_flow(true, cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inv_v4_nothing_passes_after_the_cut_of_a_source() {
    cut_while_packets_flow(true, |_, device| vec![Cut::Source(device.addresses[0])]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inv_v4_nothing_passes_after_the_cut_of_cells() {
    cut_while_packets_flow(true, |_, _| [WEB, DNS, PING].map(|cell| Cut::Cell(cell.cell())).to_vec()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inv_v4_nothing_passes_after_the_end_of_a_source_comes_sooner() {
    let cut = |lab: &Lab, device: &Device| {
        let mut source = lab.elements.sources[&device.addresses[0]];
        source.until = lab.now();
        vec![Cut::SourceUntil(device.addresses[0], source)]
    };
    cut_while_packets_flow(true, cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inv_v4_nothing_passes_after_the_cut_of_allowed_ips() {
    let cut = |_: &Lab, device: &Device| {
        vec![Cut::AllowedIp(device.tunnel.public_key(), Prefix::host(device.addresses[0]))]
    };
    cut_while_packets_flow(true, cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inv_v4_nothing_passes_after_the_cut_of_the_gate() {
    cut_while_packets_flow(false, |_, _| vec![Cut::Gate]).await;
}

#[tokio::test]
async fn a_cut_takes_one_grant_and_leaves_the_others_of_the_device() {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS, OTHER]).await;
    let near = socket("10.99.0.2:40000");
    let dns = Pair { source: near.ip(), region: RegionId(DNS.region) };
    lab.steps(vec![Step::Cut(Cut::Pair(dns))]).await;
    device.send(udp(near, far(5_000), b"cut")).await;
    device.send(udp(near, far(7_000), b"kept")).await;
    assert_eq!(lab.arrives().await, udp(near, far(7_000), b"kept"));
    lab.steps(vec![Step::Add(Add::Pair(dns, PairEnd::WithSource))]).await;
    device.send(udp(near, far(5_000), b"given back")).await;
    assert_eq!(lab.arrives().await, udp(near, far(5_000), b"given back"));
}

#[tokio::test]
async fn flows_of_an_ended_session_are_not_the_next_ones() {
    let mut lab = Lab::open().await;
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let near = socket("10.99.0.2:40000");
    device.send(udp(near, far(5_000), b"opens")).await;
    lab.arrives().await;
    lab.reply(udp(far(5_000), near, b"first session")).await;
    assert_eq!(device.arrives().await, udp(far(5_000), near, b"first session"));
    lab.admit(&device, 77);
    lab.converge().await;
    lab.reply(udp(far(5_000), near, b"of the session before")).await;
    let next = socket("10.99.0.2:40001");
    device.send(udp(next, far(5_000), b"opens")).await;
    lab.arrives().await;
    lab.reply(udp(far(5_000), next, b"second session")).await;
    assert_eq!(device.arrives().await, udp(far(5_000), next, b"second session"));
}

#[tokio::test]
async fn a_source_of_another_session_than_the_one_that_ends_sooner_is_ended() {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let mut sooner = lab.elements.sources[&device.addresses[0]];
    sooner.session = SessionId(99);
    lab.steps(vec![Step::Cut(Cut::SourceUntil(device.addresses[0], sooner))]).await;
    assert!(lab.gateway.observe().await.unwrap().elements.sources.is_empty());
}
