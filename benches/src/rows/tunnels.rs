//! Whole tunnels: throughput, revocations, restored access, handshakes and what a peer takes up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;
use zt_backend_userspace::PacketPort;
use zt_backend_userspace::testing::InProcess;
use zt_core::testing::bytes;
use zt_core::testing::conformance::revocations;

use crate::Error;
use crate::clock::Times;
use crate::report::{Bound, Row};
use crate::world::gateway::{Edge, Member, RESOURCE};

/// Long enough that only a failure takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many packets are sent in a round, and how many of them may be on their way.
const PACKETS: u32 = 10_000;
const ROUNDS: usize = 121;
const WINDOW: usize = 256;
/// Their payload, so that they fill the tunnel's 1,420 bytes.
const PAYLOAD: usize = 1_392;

/// The rows.
///
/// # Errors
/// If a gateway or a device refuses something.
pub fn rows() -> Result<Vec<Row>, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut rows = vec![runtime.block_on(throughput())?];
    rows.push(runtime.block_on(after_revocations())?);
    rows.push(runtime.block_on(restored())?);
    rows.push(runtime.block_on(handshakes())?);
    rows.push(bytes_per_peer()?);
    Ok(rows)
}

/// A device that is admitted, and its gateway.
struct Path {
    edge: Edge,
    member: Member,
    _tunnel: zt_backend_userspace::Tunnel,
    device: PacketPort,
}

impl Path {
    async fn open(has_filter: bool) -> Result<Self, Error> {
        let edge = Edge::open_with(1, has_filter).await?;
        let (tunnel, device) = edge.device(0).await?;
        let mut path = Self { edge, member: Member::new(0), _tunnel: tunnel, device };
        path.until_one_arrives(Duration::from_millis(1)).await?;
        Ok(path)
    }

    fn packet(&self, payload: usize) -> Vec<u8> {
        bytes::udp(SocketAddr::new(self.member.address, 40_000), RESOURCE.into(), &vec![0; payload])
    }

    /// Sends a packet, and another one after each `pause`, until one arrives; the time until then.
    async fn until_one_arrives(&mut self, pause: Duration) -> Result<Duration, Error> {
        let packet = self.packet(1);
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            self.device.sender.send(packet.clone()).await.map_err(|error| Error::world("tunnel", error))?;
            if let Ok(Some(_)) = timeout(pause, self.edge.network.receiver.recv()).await {
                let taken = start.elapsed();
                // Those behind it are none of what is measured next.
                while timeout(Duration::from_millis(10), self.edge.network.receiver.recv()).await.is_ok() {}
                return Ok(taken);
            }
        }
        Err(Error::Disagree("no packet of a device arrives".to_owned()))
    }

    /// Has all packets of a round carried from the device; the time that takes.
    async fn round(&mut self) -> Result<Duration, Error> {
        let packet = self.packet(PAYLOAD);
        let window = Semaphore::new(WINDOW);
        let start = Instant::now();
        let send = async {
            for _ in 0..PACKETS {
                window.acquire().await.map_err(|error| Error::world("window", error))?.forget();
                self.device
                    .sender
                    .send(packet.clone())
                    .await
                    .map_err(|error| Error::world("tunnel", error))?;
            }
            Ok::<_, Error>(())
        };
        let receive = async {
            for _ in 0..PACKETS {
                let arrived = timeout(PATIENCE, self.edge.network.receiver.recv()).await;
                if !matches!(arrived, Ok(Some(_))) {
                    return Err(Error::Disagree("packets of a round were lost".to_owned()));
                }
                window.add_permits(1);
            }
            Ok(())
        };
        tokio::try_join!(send, receive)?;
        Ok(start.elapsed())
    }
}

/// In memory, so that it is the processors that are busy; with the filter and without it in turn.
async fn throughput() -> Result<Row, Error> {
    let (mut with, mut without) = (Path::open(true).await?, Path::open(false).await?);
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        // Who comes first changes, so that neither has the other's wake every time.
        rounds.push(if round % 2 == 0 {
            let first = with.round().await?;
            (first, without.round().await?)
        } else {
            let first = without.round().await?;
            (with.round().await?, first)
        });
    }
    // What else the machine does hits both rounds of a pair as a rule, so pairs are compared and not times of all rounds.
    rounds.sort_by(|one, other| slowdown(one).total_cmp(&slowdown(other)));
    let (with, without) = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    let rate = |time: Duration| f64::from(PACKETS) * 1_420.0 * 8.0 / 1e6 / time.as_secs_f64();
    let quartile = |at: usize| rounds.get(at).map_or(f64::NAN, |pair| 1.0 / slowdown(pair));
    let note = format!(
        "the middle pair of {ROUNDS} rounds; quartiles {:.3} and {:.3}",
        quartile(ROUNDS * 3 / 4),
        quartile(ROUNDS / 4)
    );
    let row = Row::ratio("throughput_ratio_with_filter", rate(with), rate(without), "Mbit/s");
    Ok(row.bounded(Bound::AtLeast(0.95)).noted(note))
}

/// How many times as long a round takes with the filter.
fn slowdown((with, without): &(Duration, Duration)) -> f64 {
    with.as_secs_f64() / without.as_secs_f64()
}

/// One peer a hundred times, and one beside 10,000 others twenty times.
async fn after_revocations() -> Result<Row, Error> {
    let (mut runs, mut sent, mut delivered) = (0, 0, 0);
    for (idle, times) in [(0, 100), (10_000, 20)] {
        let labs: InProcess = InProcess::new(PATIENCE);
        let done = revocations(&labs, idle, times).await.map_err(|error| Error::world("gateway", error))?;
        runs += done.runs;
        sent += done.sent_after;
        delivered += done.delivered_after;
    }
    let note = format!("{sent} packets were sent after {runs} revocations had returned");
    let delivered = f64::from(u32::try_from(delivered).unwrap_or(u32::MAX));
    Ok(Row::value("packets_after_revoke", delivered, "").bounded(Bound::AtMost(0.0)).noted(note))
}

/// The end of a session and the next one with the same key: once by a gateway that knows where the device was, once by
/// one that does not, so that it is the device that has to find out.
async fn restored() -> Result<Row, Error> {
    let mut times = Vec::new();
    let mut path = Path::open(true).await?;
    for _ in 0..5 {
        path.edge.apply(path.member.end()).await?;
        let start = Instant::now();
        path.edge.apply(path.member.admission()).await?;
        let applied = start.elapsed();
        times.push(applied + path.until_one_arrives(Duration::from_millis(1)).await?);
    }
    let restored = Times::of(times);
    path.edge.restart(&[path.member]).await?;
    let naive = path.until_one_arrives(Duration::from_millis(10)).await?;
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let row = Row::ratio("restore_vs_naive_readd", millis(restored.median), millis(naive), "ms");
    Ok(row.bounded(Bound::AtMost(1.0 / 50.0)).noted("median of five, beside one"))
}

/// So few that gotatun, which takes 100 a second, asks none of them for a cookie.
const DEVICES: u32 = 80;

/// One after the other, since both ends of each are on the same processors.
async fn handshakes() -> Result<Row, Error> {
    let mut edge = Edge::open(DEVICES).await?;
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        devices.push((Member::new(number), edge.device(number).await?));
    }
    let mut times = Vec::new();
    for (member, (_, port)) in &devices {
        let packet = bytes::udp(SocketAddr::new(member.address, 40_000), RESOURCE.into(), b"first");
        let start = Instant::now();
        port.sender.send(packet).await.map_err(|error| Error::world("tunnel", error))?;
        let arrived = timeout(PATIENCE, edge.network.receiver.recv()).await;
        if !matches!(arrived, Ok(Some(_))) {
            return Err(Error::Disagree("a device's first packet did not arrive".to_owned()));
        }
        times.push(start.elapsed());
    }
    // The first of them waits until all devices have been started.
    let median = Times::of(times).median.as_secs_f64();
    let note = format!("by the median of {DEVICES}, each with its first packet; both ends here");
    Ok(Row::value("handshakes_per_s", 1.0 / median, "").noted(note))
}

/// Live heap bytes of a peer without a WireGuard session, with its session and its grant in the filter.
fn bytes_per_peer() -> Result<Row, Error> {
    const PEERS: u32 = 10_000;
    // One thread, since allocations are counted by thread.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let edge = runtime.block_on(Edge::open(0))?;
    let steps: Vec<_> = (0..PEERS).flat_map(|number| Member::new(number).admission()).collect();
    let mut done = Ok(());
    let info = allocation_counter::measure(|| done = runtime.block_on(edge.apply(steps)));
    done?;
    let bytes = f64::from(i32::try_from(info.bytes_current).unwrap_or(i32::MAX));
    Ok(Row::value("bytes_per_peer", bytes / f64::from(PEERS), "bytes").noted(format!("{PEERS} idle peers")))
}
