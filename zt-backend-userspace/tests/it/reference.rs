//! The filter against a judge that scans lists. They share no code, not even the reading of packets.

use std::cell::Cell as Count;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use zt_backend_userspace::clock::{BootClock as _, ManualClock};
use zt_backend_userspace::filter::{Direction, Filter, Verdict};
use zt_core::desired::{Cell, Elements, Pair, PairEnd, Pairs, Source};
use zt_core::id::{RegionId, SessionEpoch, SessionId};
use zt_core::net::{AddressRange, PortRange, Protocol};
use zt_core::plan::{Add, Cut, Step, steps};
use zt_core::time::{Anchor, BootInstant, Timestamp};

use crate::lab::address;
use crate::packets::{echo_reply, echo_request, tcp, udp, unreachable};

const DEVICES: [&str; 4] = ["10.0.0.3", "10.99.0.2", "fd00::3", "fd99::2"];
const HOSTS: [[&str; 6]; 2] = [
    ["0.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "255.255.255.255"],
    ["::", "fd00::1", "fd00::2", "fd00::3", "fd00::4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
];
const PORTS: [u16; 6] = [0, 1, 2, 3, 4, 65_535];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
    Request,
    Reply,
}

impl Kind {
    fn protocol(self) -> Protocol {
        match self {
            Self::Tcp => Protocol::Tcp,
            Self::Udp => Protocol::Udp,
            Self::Request | Self::Reply => Protocol::Echo,
        }
    }
}

/// Part of a conversation between a device and a host, whoever sends it.
#[derive(Debug, Clone, Copy)]
struct Talk {
    kind: Kind,
    device: IpAddr,
    host: IpAddr,
    near: u16,
    far: u16,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    Message,
    /// An error about the same conversation in the other direction; from or to these addresses, if given.
    Error(Option<IpAddr>, Option<IpAddr>),
}

#[derive(Debug, Clone)]
enum Act {
    Packet(bool, Talk, Content),
    /// More of an earlier conversation: which, whether the device sends, and whether it is an error.
    More(prop::sample::Index, bool, bool),
    Wait(u64),
    Install(Elements),
    OpenGate(u64),
    CloseGate,
}

/// What the packet looks like on its way from or to the device.
fn bytes(from_device: bool, talk: &Talk, content: Content) -> Vec<u8> {
    match content {
        Content::Message => message(from_device, talk),
        Content::Error(near, far) => {
            let (near, far) = (near.unwrap_or(talk.device), far.unwrap_or(talk.host));
            let about = message(!from_device, talk);
            if from_device { unreachable(near, far, &about) } else { unreachable(far, near, &about) }
        }
    }
}

fn message(from_device: bool, talk: &Talk) -> Vec<u8> {
    let near = SocketAddr::from((talk.device, talk.near));
    let far = SocketAddr::from((talk.host, talk.far));
    let (from, to) = if from_device { (near, far) } else { (far, near) };
    match talk.kind {
        Kind::Tcp => tcp(from, to, 0x10, b"data"),
        Kind::Udp => udp(from, to, b"data"),
        Kind::Request => echo_request(from.ip(), to.ip(), talk.near, b"data"),
        Kind::Reply => echo_reply(from.ip(), to.ip(), talk.near, b"data"),
    }
}

struct Flow {
    talk: (Protocol, IpAddr, IpAddr, u16, u16),
    session: (SessionId, SessionEpoch),
    used: Timestamp,
}

#[derive(Default)]
struct Judge {
    now: Timestamp,
    gate: Option<Timestamp>,
    elements: Elements,
    flows: Vec<Flow>,
}

impl Judge {
    fn judge(&mut self, from_device: bool, talk: &Talk, content: Content) -> bool {
        if self.gate.is_none_or(|until| until <= self.now) {
            return false;
        }
        let Some(source) = self.elements.sources.get(&talk.device).filter(|source| self.now < source.until)
        else {
            return false;
        };
        let session = (source.session, source.epoch);
        let far = if talk.kind.protocol() == Protocol::Echo { 0 } else { talk.far };
        let granted = self.elements.cells.iter().any(|(cell, region)| {
            cell.addresses.first.is_ipv4() == talk.host.is_ipv4()
                && cell.addresses.first <= talk.host
                && talk.host <= cell.addresses.last
                && cell.protocol == talk.kind.protocol()
                && (cell.ports.first..=cell.ports.last).contains(&far)
                && match self.elements.pairs.end(&Pair { source: talk.device, region: *region }) {
                    None => false,
                    Some(PairEnd::WithSource) => true,
                    Some(PairEnd::At(until)) => self.now < until,
                }
        });
        let key = (talk.kind.protocol(), talk.device, talk.host, talk.near, far);
        let idle = match talk.kind {
            Kind::Tcp => 7_200,
            Kind::Udp => 180,
            Kind::Request | Kind::Reply => 30,
        };
        let now = self.now;
        let known = self.flows.iter_mut().find(|flow| {
            flow.talk == key && flow.session == session && now.since(flow.used) < Duration::from_secs(idle)
        });
        let device_sends = talk.kind != Kind::Reply;
        let device_receives = talk.kind != Kind::Request;
        match (from_device, content) {
            (true, Content::Message) if granted && device_sends => {
                match known {
                    Some(flow) => flow.used = now,
                    None => {
                        self.flows.retain(|flow| flow.talk != key);
                        self.flows.push(Flow { talk: key, session, used: now });
                    }
                }
                true
            }
            (false, Content::Message) if granted && device_receives => {
                known.map(|flow| flow.used = now).is_some()
            }
            // the quoted packet went to the device, so the device sends the error, and to the quoted sender
            (true, Content::Error(near, far)) => {
                let fits =
                    near.is_none_or(|near| near == talk.device) && far.is_none_or(|far| far == talk.host);
                fits && granted && device_receives && known.is_some()
            }
            (false, Content::Error(near, _)) => {
                near.is_none_or(|near| near == talk.device) && granted && device_sends && known.is_some()
            }
            _ => false,
        }
    }
}

fn family(v6: bool) -> usize {
    usize::from(v6)
}

fn talks() -> impl Strategy<Value = Talk> {
    let kinds = prop::sample::select(vec![Kind::Tcp, Kind::Udp, Kind::Request, Kind::Reply]);
    let ports = prop::sample::select(PORTS.to_vec());
    (kinds, any::<bool>(), 0..2_usize, 0..6_usize, 0..2_u16, ports).prop_map(
        |(kind, v6, device, host, near, far)| {
            let device = address(DEVICES[2 * family(v6) + device]);
            Talk { kind, device, host: address(HOSTS[family(v6)][host]), near, far }
        },
    )
}

fn contents() -> impl Strategy<Value = (Talk, Content)> {
    let error = (talks(), prop::option::weighted(0.2, 0..2_usize), prop::option::weighted(0.3, 0..6_usize));
    let error = error.prop_map(|(talk, near, far)| {
        let v6 = family(talk.device.is_ipv6());
        let near = near.map(|near| address(DEVICES[2 * v6 + near]));
        let far = far.map(|far| address(HOSTS[v6][far]));
        (talk, Content::Error(near, far))
    });
    prop_oneof![3 => talks().prop_map(|talk| (talk, Content::Message)), 1 => error]
}

fn cells() -> impl Strategy<Value = Vec<(Cell, RegionId)>> {
    let bounds = || (0..6_usize, 0..6_usize).prop_map(|(one, two)| (one.min(two), one.max(two)));
    let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Echo]);
    let cell = (any::<bool>(), bounds(), bounds(), protocol, 1..5_u32);
    let cell = cell.prop_map(|(v6, hosts, ports, protocol, region)| {
        let host = |at: usize| address(HOSTS[family(v6)][at]);
        let addresses = AddressRange { first: host(hosts.0), last: host(hosts.1) };
        let ports = PortRange { first: PORTS[ports.0], last: PORTS[ports.1] };
        let ports = if protocol == Protocol::Echo { PortRange::single(0) } else { ports };
        (Cell { addresses, protocol, ports }, RegionId(region))
    });
    prop::collection::vec(cell, 0..24)
}

fn elements() -> impl Strategy<Value = Elements> {
    let source =
        prop::option::weighted(0.9, (1..3_u64, 0..2_u32, prop_oneof![0..400_i64, 10_000..20_000_i64]));
    let end = prop_oneof![
        3 => Just(PairEnd::WithSource),
        1 => prop_oneof![0..400_i64, 10_000..20_000_i64]
            .prop_map(|seconds| PairEnd::At(Timestamp::from_millis(seconds * 1_000))),
    ];
    let pairs = prop::collection::vec(prop::option::weighted(0.7, end), 16);
    (cells(), prop::collection::vec(source, 4), pairs).prop_map(|(cells, sources, pairs)| {
        let mut elements = Elements::default();
        for (cell, region) in cells {
            let crosses = |other: &Cell| {
                other.protocol == cell.protocol
                    && other.addresses.overlaps(&cell.addresses)
                    && other.ports.first <= cell.ports.last
                    && cell.ports.first <= other.ports.last
            };
            if !elements.cells.keys().any(crosses) {
                elements.cells.insert(cell, region);
            }
        }
        for (device, source) in DEVICES.iter().zip(sources) {
            if let Some((session, epoch, until)) = source {
                let until = Timestamp::from_millis(until * 1_000);
                let (session, epoch) = (SessionId(session), SessionEpoch(epoch));
                elements.sources.insert(address(device), Source { session, epoch, until });
            }
        }
        let places =
            DEVICES.iter().flat_map(|device| (1..5).map(|region| (address(device), RegionId(region))));
        let granted = places.zip(pairs).filter_map(|(place, end)| Some((place, end?)));
        elements.pairs = granted.map(|((source, region), end)| (Pair { source, region }, end)).collect();
        elements
    })
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        40 => (any::<bool>(), contents()).prop_map(|(from, (talk, content))| Act::Packet(from, talk, content)),
        80 => (any::<prop::sample::Index>(), any::<bool>(), prop::bool::weighted(0.3))
            .prop_map(|(which, from, error)| Act::More(which, from, error)),
        3 => prop::sample::select(vec![1_u64, 1, 10, 29, 30, 179, 7_200]).prop_map(Act::Wait),
        2 => elements().prop_map(Act::Install),
        6 => (0..10_000_u64).prop_map(Act::OpenGate),
        1 => Just(Act::CloseGate),
    ];
    (elements(), prop::collection::vec(act, 0..200)).prop_map(|(elements, acts)| {
        [Act::Install(elements), Act::OpenGate(1_000)].into_iter().chain(acts).collect()
    })
}

/// Brings the filter to the elements whose ends are `offset` from now on.
fn install(filter: &Filter, elements: Elements, anchor: Anchor) {
    let (_, observed) = filter.observe();
    let steps = steps(&observed, &elements, anchor.at);
    let cuts: Vec<&Cut> =
        steps.iter().filter_map(|step| if let Step::Cut(cut) = step { Some(cut) } else { None }).collect();
    let adds: Vec<&Add> =
        steps.iter().filter_map(|step| if let Step::Add(add) = step { Some(add) } else { None }).collect();
    filter.cut(&cuts, anchor);
    filter.add(&adds, anchor).unwrap();
}

thread_local! {
    /// How many messages and errors passed, from and to devices.
    static PASSED: Count<[u64; 4]> = const { Count::new([0; 4]) };
}

fn judge_both(
    (filter, judge): (&Filter, &mut Judge),
    from_device: bool,
    talk: &Talk,
    content: Content,
) -> Result<(), TestCaseError> {
    let expected = judge.judge(from_device, talk, content);
    let direction = if from_device { Direction::FromDevice } else { Direction::ToDevice };
    let forwarded = Count::new(false);
    let packet = bytes(from_device, talk, content);
    let verdict = filter.pass(direction, &packet, |_| {
        forwarded.set(true);
        true
    });
    prop_assert_eq!(verdict == Verdict::Accept, expected, "{:?} {:?} {:?}", direction, talk, content);
    prop_assert_eq!(forwarded.get(), expected);
    let mut passed = PASSED.get();
    passed[2 * usize::from(from_device) + usize::from(matches!(content, Content::Error(..)))] +=
        u64::from(expected);
    PASSED.set(passed);
    Ok(())
}

fn run(acts: Vec<Act>) -> Result<(), TestCaseError> {
    let clock = Arc::new(ManualClock::new(BootInstant::from_millis(77)));
    let filter = Filter::new(clock.clone());
    let mut judge = Judge::default();
    let mut talks: Vec<Talk> = Vec::new();
    for act in acts {
        let anchor = Anchor { at: judge.now, boot: clock.now() };
        match act {
            Act::Packet(from_device, talk, content) => {
                talks.push(talk);
                judge_both((&filter, &mut judge), from_device, &talk, content)?;
            }
            Act::More(which, from_device, error) if !talks.is_empty() => {
                let mut talk = talks[which.index(talks.len())];
                if talk.kind.protocol() == Protocol::Echo {
                    talk.kind = if from_device != error { Kind::Request } else { Kind::Reply };
                }
                let content = if error { Content::Error(None, None) } else { Content::Message };
                judge_both((&filter, &mut judge), from_device, &talk, content)?;
            }
            Act::More(..) => {}
            Act::Wait(seconds) => {
                clock.advance(Duration::from_secs(seconds));
                judge.now = judge.now.after(Duration::from_secs(seconds));
            }
            Act::Install(mut elements) => {
                for source in elements.sources.values_mut() {
                    source.until =
                        judge.now.after(Duration::from_millis(source.until.as_millis().unsigned_abs()));
                }
                elements.sources.retain(|_, source| source.until > judge.now);
                let later = |end| match end {
                    PairEnd::At(at) => {
                        PairEnd::At(judge.now.after(Duration::from_millis(at.as_millis().unsigned_abs())))
                    }
                    PairEnd::WithSource => PairEnd::WithSource,
                };
                let pairs = elements.pairs.iter().map(|(pair, end)| (pair, later(end)));
                elements.pairs = pairs.filter(|(_, end)| *end > PairEnd::At(judge.now)).collect::<Pairs>();
                install(&filter, elements.clone(), anchor);
                prop_assert_eq!(&filter.observe().1, &elements);
                judge.elements = elements;
            }
            Act::OpenGate(seconds) => {
                let until = judge.now.after(Duration::from_secs(seconds));
                filter.add(&[&Add::Gate(until)], anchor).unwrap();
                judge.gate = judge.gate.max(Some(until));
            }
            Act::CloseGate => {
                filter.cut(&[&Cut::Gate], anchor);
                judge.gate = None;
            }
        }
    }
    Ok(())
}

#[test]
fn the_filter_judges_like_the_naive_judge() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner.run(&acts(), run).unwrap();
    let passed = PASSED.get();
    println!("messages and errors to devices, then from devices, that passed: {passed:?}");
    assert!(passed.iter().all(|count| *count > 300), "{passed:?}: the test shows little");
}
