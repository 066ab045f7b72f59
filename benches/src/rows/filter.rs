//! What the filter costs a packet at many grants and at few.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use zt_backend_userspace::clock::ManualClock;
use zt_backend_userspace::filter::{Direction, Filter, Verdict};
use zt_core::desired::{Cell, Pair, PairEnd, Source};
use zt_core::id::{RegionId, SessionEpoch, SessionId};
use zt_core::net::{PortRange, Prefix, Protocol};
use zt_core::plan::Add;
use zt_core::testing::bytes;
use zt_core::time::{Anchor, BootInstant, Timestamp};

use crate::Error;
use crate::clock::in_turn;
use crate::report::{Bound, Row};
use crate::valgrind::{self, Measured, measured_call};

/// How many grants a device has.
const GRANTS_OF_DEVICE: u32 = 20;
/// How many resources there are at the most.
const RESOURCES: u32 = 1_000;
const ROUNDS: u32 = 20;

const INSTRUCTIONS: &str = "filter_instructions_100k_vs_10_grants";

/// A filter, and a packet from each device to one of its resources, with the answer.
struct World {
    filter: Filter,
    packets: Vec<[Vec<u8>; 2]>,
    refused: Vec<u8>,
}

impl World {
    fn new(grants: u32) -> Result<Self, Error> {
        // The host's own clock, which costs the same at any number of grants, cannot be read under valgrind.
        let filter = Filter::new(Arc::new(ManualClock::new(BootInstant::from_millis(5_000))));
        let now = Timestamp::from_millis(0);
        let until = now.after(Duration::from_hours(24));
        let anchor = Anchor { at: now, boot: BootInstant::from_millis(5_000) };
        let resources = grants.min(RESOURCES);
        let mut additions = vec![Add::Gate(until)];
        for resource in 0..resources {
            let host = Prefix::host(server(resource));
            let cell =
                Cell { addresses: host.range(), protocol: Protocol::Tcp, ports: PortRange::single(443) };
            additions.push(Add::Cell(cell, RegionId(resource)));
        }
        let mut packets = Vec::new();
        for device in 0..grants.div_ceil(GRANTS_OF_DEVICE) {
            let source = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a40_0000 + device));
            let session = SessionId(u64::from(device));
            additions.push(Add::Source(source, Source { session, epoch: SessionEpoch(0), until }));
            for grant in 0..grants.min(GRANTS_OF_DEVICE) {
                let region = RegionId((device * 7 + grant) % resources);
                additions.push(Add::Pair(Pair { source, region }, PairEnd::WithSource));
            }
            let (near, far) = conversation(source, device * 7 % resources);
            let (up, down) = (bytes::tcp(near, far, bytes::ACK, &[]), bytes::tcp(far, near, bytes::ACK, &[]));
            packets.push([up, down]);
        }
        let additions: Vec<&Add> = additions.iter().collect();
        filter.add(&additions, anchor).map_err(|error| Error::world("filter", error))?;
        // Of no resource at all.
        let (near, far) = conversation(IpAddr::from([10, 64, 0, 0]), RESOURCES + 1);
        let world = Self { filter, packets, refused: bytes::tcp(near, far, bytes::ACK, &[]) };
        if (0..world.packets.len()).any(|at| world.pass(at) != [Verdict::Accept; 2]) {
            return Err(Error::Disagree("the filter refuses what is granted".to_owned()));
        }
        Ok(world)
    }

    /// Has a packet each way judged, which carry no payload.
    fn pass(&self, at: usize) -> [Verdict; 2] {
        let judge = |packet: Option<&Vec<u8>>, direction| {
            self.filter
                .pass(direction, packet.map_or(&[], Vec::as_slice), |packet| !black_box(packet).is_empty())
        };
        let packets = self.packets.get(at);
        let [up, down] = [0, 1].map(|way| packets.and_then(|ways| ways.get(way)));
        [judge(up, Direction::FromDevice), judge(down, Direction::ToDevice)]
    }
}

fn server(resource: u32) -> IpAddr {
    std::net::Ipv4Addr::from_bits(0x0ac8_0000 + resource * 3).into()
}

fn conversation(source: IpAddr, resource: u32) -> (SocketAddr, SocketAddr) {
    (SocketAddr::new(source, 40_000), SocketAddr::new(server(resource), 443))
}

/// Counts the instructions of a packet each way, and of one that is refused, in a child under callgrind.
///
/// # Errors
/// If the filter refuses the world.
pub fn run(grants: u32) -> Result<(), Error> {
    let world = World::new(grants)?;
    let middle = world.packets.len() / 2;
    let refuse = || world.filter.pass(Direction::FromDevice, &world.refused, |_| true);
    if refuse() == Verdict::Accept {
        return Err(Error::Disagree("the filter lets through what is not granted".to_owned()));
    }
    valgrind::instrument()?;
    measured_call(&mut || {
        black_box(world.pass(middle));
    });
    measured_call(&mut || {
        black_box(refuse());
    });
    Ok(())
}

/// The row of instructions, from children with many grants and with few: the worse of both kinds of packets.
///
/// # Errors
/// If a child counted nothing.
pub fn instructions(many: &Measured, few: &Measured) -> Result<Row, Error> {
    let count = |measured: &Measured, kind: usize| {
        let count = measured.instructions.get(kind).and_then(|count| u32::try_from(*count).ok());
        count.map(f64::from).ok_or_else(|| Error::Valgrind("no packet was counted".to_owned()))
    };
    let (passed, refused) = ([count(many, 0)?, count(few, 0)?], [count(many, 1)?, count(few, 1)?]);
    let [worse, note] =
        if passed[0] / passed[1] >= refused[0] / refused[1] { [passed, refused] } else { [refused, passed] };
    let note = format!("the other kind of packet: {} beside {}", note[0], note[1]);
    Ok(Row::ratio(INSTRUCTIONS, worse[0], worse[1], "instructions").bounded(Bound::AtMost(1.2)).noted(note))
}

/// The same row where it cannot be measured.
#[must_use]
pub fn unavailable(reason: &str) -> Row {
    Row::unavailable(INSTRUCTIONS, reason).bounded(Bound::AtMost(1.2))
}

/// The row of times: one packet each way, of all devices in turn.
///
/// # Errors
/// If the filter refuses the world.
pub fn times() -> Result<Row, Error> {
    let (many, few) = (World::new(100_000)?, World::new(10)?);
    let (mut at_many, mut at_few) = (0, 0);
    let (of_many, of_few) =
        in_turn(ROUNDS, || pass_next(&many, &mut at_many), || pass_next(&few, &mut at_few));
    let nanos = |time: Duration| time.as_secs_f64() * 1e9 / 2.0;
    let note = format!("medians {:.0} ns and {:.0} ns", nanos(of_many.median), nanos(of_few.median));
    Ok(Row::ratio("filter_ns_100k_vs_10_grants", nanos(of_many.min), nanos(of_few.min), "ns").noted(note))
}

/// Devices far apart, so that what they have is not next to each other.
fn pass_next(world: &World, at: &mut usize) {
    *at = (*at + 1_009) % world.packets.len().max(1);
    let _ = black_box(world.pass(*at));
}
