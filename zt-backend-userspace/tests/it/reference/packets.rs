//! Packets of all kinds: recipes, which are put in bytes once it is known what was said before.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use zt_core::testing::bytes;

use super::rules::{device, devices, host, hosts, ports};

/// Part of a conversation between a device and a host, whoever sends it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Talk {
    pub(super) kind: Kind,
    pub(super) device: IpAddr,
    host: IpAddr,
    near: u16,
    far: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Udp,
    Request,
    Reply,
}

#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) from_device: bool,
    talk: Choice,
    report: Option<Report>,
    dress: Dress,
    damage: Damage,
}

#[derive(Debug, Clone)]
enum Choice {
    New(Talk),
    /// One of which something was accepted before; echo then fits the direction.
    Earlier(Index),
}

/// An ICMP error about the conversation in the other direction.
#[derive(Debug, Clone)]
struct Report {
    kind: Index,
    /// From or to these devices and hosts, not to those that it is about.
    near: Option<usize>,
    far: Option<usize>,
    quoted: Dress,
    /// What was reported on was a first fragment.
    in_pieces: bool,
    /// So much is quoted.
    keep: usize,
}

/// What else is in a packet: IPv4 options, IPv6 extension headers with their lengths, and so much payload.
#[derive(Debug, Clone)]
struct Dress {
    options: Vec<u8>,
    extensions: Vec<(u8, u8)>,
    length: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Damage {
    None,
    Cut(Index),
    Longer(usize),
    /// Bytes of its first 80 that are others.
    Bytes(Vec<(Index, u8)>),
}

impl Recipe {
    /// The conversation, if there is one to go on with.
    pub(super) fn talk(&self, earlier: &[Talk]) -> Option<Talk> {
        match &self.talk {
            Choice::New(talk) => Some(*talk),
            Choice::Earlier(_) if earlier.is_empty() => None,
            Choice::Earlier(which) => {
                let mut talk = *which.get(earlier);
                if matches!(talk.kind, Kind::Request | Kind::Reply) {
                    let device_asks = self.from_device == self.report.is_none();
                    talk.kind = if device_asks { Kind::Request } else { Kind::Reply };
                }
                Some(talk)
            }
        }
    }

    pub(super) fn bytes(&self, talk: &Talk) -> Vec<u8> {
        let packet = match &self.report {
            None => message(self.from_device, talk, self.dress.length),
            Some(report) => report.bytes(self.from_device, talk),
        };
        self.damage.done_to(self.dress.put_on(packet))
    }

    /// What is special about it.
    pub(super) fn labels(&self, talk: &Talk) -> Vec<&'static str> {
        let v6 = talk.device.is_ipv6();
        let is_dressed =
            |dress: &Dress| if v6 { !dress.extensions.is_empty() } else { !dress.options.is_empty() };
        let label = |v4, with_v6| if v6 { with_v6 } else { v4 };
        let mut labels = Vec::new();
        match &self.report {
            None => labels.push(label("message v4", "message v6")),
            Some(report) => {
                labels.push(label("error v4", "error v6"));
                if is_dressed(&report.quoted) {
                    labels.push(label("quoted options", "quoted extensions"));
                }
            }
        }
        if is_dressed(&self.dress) {
            labels.push(label("options", "extensions"));
        }
        if !matches!(self.damage, Damage::None) {
            labels.push("damaged");
        }
        labels
    }
}

impl Report {
    fn bytes(&self, from_device: bool, talk: &Talk) -> Vec<u8> {
        let v6 = talk.device.is_ipv6();
        let near = self.near.map_or(talk.device, |near| device(v6, near));
        let far = self.far.map_or(talk.host, |far| host(v6, far));
        let (from, to) = if from_device { (near, far) } else { (far, near) };
        let mut about = self.quoted.put_on(message(!from_device, talk, self.quoted.length));
        if self.in_pieces {
            about = bytes::fragment(&about, 0..16, true, 1);
        }
        let kinds: &[u8] = if v6 { &[1, 2, 3, 4, 4, 137] } else { &[3, 3, 11, 12, 4, 5] };
        bytes::icmp(
            from,
            to,
            *self.kind.get(kinds),
            &[&[0; 4], about.get(..self.keep).unwrap_or(&about)].concat(),
        )
    }
}

impl Dress {
    fn put_on(&self, packet: Vec<u8>) -> Vec<u8> {
        if packet[0] >> 4 == 4 {
            return if self.options.is_empty() {
                packet
            } else {
                bytes::with_options(&packet, &self.options)
            };
        }
        let put_on =
            |packet: Vec<u8>, (kind, more): &(u8, u8)| bytes::with_long_extension(&packet, *kind, *more);
        self.extensions.iter().fold(packet, put_on)
    }
}

impl Damage {
    pub(super) fn done_to(&self, mut packet: Vec<u8>) -> Vec<u8> {
        match self {
            Self::None => {}
            Self::Cut(at) => packet.truncate(at.index(packet.len())),
            Self::Longer(by) => packet.resize(packet.len() + by, 0),
            Self::Bytes(bytes) => {
                let most = packet.len().min(80);
                bytes.iter().for_each(|(at, byte)| packet[at.index(most)] = *byte);
            }
        }
        packet
    }
}

fn message(from_device: bool, talk: &Talk, length: usize) -> Vec<u8> {
    let near = SocketAddr::from((talk.device, talk.near));
    let far = SocketAddr::from((talk.host, talk.far));
    let (from, to) = if from_device { (near, far) } else { (far, near) };
    let payload = vec![0x5a; length];
    match talk.kind {
        Kind::Tcp => bytes::tcp(from, to, bytes::ACK, &payload),
        Kind::Udp => bytes::udp(from, to, &payload),
        Kind::Request => bytes::echo_request(from.ip(), to.ip(), talk.near, &payload),
        Kind::Reply => bytes::echo_reply(from.ip(), to.ip(), talk.near, &payload),
    }
}

/// `lengths` are those of payloads, `earlier` is the share of packets that go on with a conversation.
pub(super) fn recipes(
    lengths: impl Strategy<Value = usize> + Clone + 'static,
    earlier: f64,
) -> impl Strategy<Value = Recipe> {
    let talk = (prop::bool::weighted(earlier), talks(), any::<Index>());
    let talk = talk.prop_map(
        |(earlier, talk, which)| {
            if earlier { Choice::Earlier(which) } else { Choice::New(talk) }
        },
    );
    let report = prop::option::weighted(0.25, reports());
    (any::<bool>(), talk, report, dresses(lengths), damages()).prop_map(
        |(from_device, talk, report, dress, damage)| Recipe { from_device, talk, report, dress, damage },
    )
}

fn talks() -> impl Strategy<Value = Talk> {
    let kinds = select(vec![Kind::Tcp, Kind::Udp, Kind::Request, Kind::Reply]);
    (kinds, any::<bool>(), devices(), hosts(), 0..2_u16, ports()).prop_map(
        |(kind, v6, near_host, far_host, near, far)| Talk {
            kind,
            device: device(v6, near_host),
            host: host(v6, far_host),
            near,
            far,
        },
    )
}

fn reports() -> impl Strategy<Value = Report> {
    let near = prop::option::weighted(0.1, devices());
    let far = prop::option::weighted(0.2, hosts());
    let keep = prop_oneof![2 => Just(1_000), 1 => 0..100_usize];
    let quoted = (dresses(8..40_usize), prop::bool::weighted(0.1), keep);
    (any::<Index>(), near, far, quoted).prop_map(|(kind, near, far, (quoted, in_pieces, keep))| Report {
        kind,
        near,
        far,
        quoted,
        in_pieces,
        keep,
    })
}

fn dresses(lengths: impl Strategy<Value = usize>) -> impl Strategy<Value = Dress> {
    let padded =
        prop_oneof![12 => Just(60_u8), 1 => Just(43), 1 => select(vec![0_u8, 44, 50, 51, 59, 135, 253])];
    let padded = (padded, prop_oneof![4 => Just(0_u8), 1 => 0..4_u8]);
    let hop_by_hop = prop::option::weighted(0.3, 0..3_u8);
    let count = prop_oneof![60 => 0..3_usize, 1 => 7..10_usize];
    let extensions = count.prop_flat_map(move |count| prop::collection::vec(padded.clone(), count));
    let extensions = (extensions, hop_by_hop).prop_map(|(mut extensions, hop_by_hop)| {
        extensions.extend(hop_by_hop.map(|more| (0, more)));
        extensions
    });
    let extensions = prop_oneof![1 => Just(Vec::new()), 1 => extensions];
    (options(), extensions, lengths).prop_map(|(options, extensions, length)| Dress {
        options,
        extensions,
        length,
    })
}

/// None, some that pass, source routes, and anything.
pub(super) fn options() -> impl Strategy<Value = Vec<u8>> {
    let padding = Just(vec![1_u8]);
    let router_alert = Just(vec![0x94, 4, 0, 0]);
    let record_route = Just(vec![7, 7, 4, 0, 0, 0, 0]);
    let timestamp = Just(vec![68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let end = Just(vec![0]);
    let source_route = select(vec![131_u8, 137]).prop_map(|kind| vec![kind, 7, 4, 10, 0, 0, 1]);
    let option = prop_oneof![
        6 => padding,
        3 => router_alert,
        3 => record_route,
        3 => timestamp,
        1 => end,
        1 => source_route,
        1 => prop::collection::vec(any::<u8>(), 1..8),
    ];
    prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(option, 1..4).prop_map(|all| all.concat())]
}

fn damages() -> impl Strategy<Value = Damage> {
    prop_oneof![12 => Just(Damage::None), 1 => some_damage()]
}

pub(super) fn some_damage() -> impl Strategy<Value = Damage> {
    let byte = (any::<Index>(), any::<u8>());
    prop_oneof![
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (1..20_usize).prop_map(Damage::Longer),
        3 => prop::collection::vec(byte, 1..4).prop_map(Damage::Bytes),
    ]
}
