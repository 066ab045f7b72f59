//! Packets in pieces, which come in any order, twice, not at all, or as no packet was ever cut.

use proptest::prelude::*;
use proptest::sample::Index;
use zt_core::testing::bytes;

use super::packets::{Damage, Recipe, Talk, options, recipes, some_damage};

#[derive(Debug, Clone)]
pub(super) struct Pieces {
    /// They share an identification.
    recipes: Vec<Recipe>,
    id: u32,
    size: usize,
    twists: Vec<Twist>,
    order: Order,
}

/// What happens to some of the pieces, each being told by its place among them.
#[derive(Debug, Clone)]
enum Twist {
    Lose(Index),
    Repeat(Index),
    /// It says that there is more, or that there is not, unlike before.
    Last(Index),
    /// It says that it belongs so many bytes, a multiple of 8, from the start.
    Move(Index, u16),
    Reserved(Index),
    /// One more, of the first packet: from where, how long, and whether there is more.
    Add(Index, usize, bool),
    /// It has these options, or in IPv6 a header before the fragment's.
    Dress(Index, Vec<u8>),
    Damage(Index, Damage),
    /// It says that it is of TCP, not of UDP, or the other way round.
    Protocol(Index),
    /// It goes in the other direction.
    Turn(Index),
}

#[derive(Debug, Clone)]
enum Order {
    AsCut,
    Reversed,
    Shuffled(Vec<u64>),
}

/// A packet on its way, and what is special about it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) from_device: bool,
    pub(super) bytes: Vec<u8>,
    pub(super) labels: Vec<&'static str>,
}

impl Pieces {
    /// What is sent, if there are conversations to go on with.
    pub(super) fn sent(&self, earlier: &[Talk]) -> Vec<Sent> {
        let mut all = Vec::new();
        let mut first = None;
        for recipe in &self.recipes {
            let Some(talk) = recipe.talk(earlier) else { continue };
            let packet = recipe.bytes(&talk);
            let mut labels = recipe.labels(&talk);
            labels.push(if talk.device.is_ipv6() { "fragment v6" } else { "fragment v4" });
            let pieces = bytes::fragments(&packet, self.size, self.id).into_iter();
            let from_device = recipe.from_device;
            all.extend(pieces.map(|bytes| Sent { from_device, bytes, labels: labels.clone() }));
            first.get_or_insert((packet, from_device, labels));
        }
        for twist in &self.twists {
            match (twist, &first) {
                (Twist::Add(from, length, more), Some((packet, from_device, labels)))
                    if !packet.is_empty() =>
                {
                    let from = from.index(packet.len()) & !7;
                    let bytes = bytes::fragment(packet, from..from + length, *more, self.id);
                    all.push(Sent { from_device: *from_device, bytes, labels: labels.clone() });
                }
                _ => twist.change(&mut all),
            }
        }
        match &self.order {
            Order::AsCut => {}
            Order::Reversed => all.reverse(),
            Order::Shuffled(keys) => {
                let mut keyed: Vec<(u64, Sent)> = keys.iter().copied().cycle().zip(all).collect();
                keyed.sort_by_key(|(key, _)| *key);
                all = keyed.into_iter().map(|(_, sent)| sent).collect();
            }
        }
        all
    }
}

impl Twist {
    fn change(&self, all: &mut Vec<Sent>) {
        let (Self::Lose(which)
        | Self::Repeat(which)
        | Self::Last(which)
        | Self::Move(which, _)
        | Self::Reserved(which)
        | Self::Add(which, ..)
        | Self::Dress(which, _)
        | Self::Damage(which, _)
        | Self::Protocol(which)
        | Self::Turn(which)) = self;
        if all.is_empty() {
            return;
        }
        let at = which.index(all.len());
        let bytes = &mut all[at].bytes;
        let v4 = bytes.first().is_some_and(|first| first >> 4 == 4);
        if bytes.len() < if v4 { 20 } else { 48 } {
            return;
        }
        match self {
            Self::Add(..) => {}
            Self::Lose(_) => drop(all.remove(at)),
            Self::Repeat(_) => all.push(all[at].clone()),
            Self::Last(_) if v4 => bytes[6] ^= 0x20,
            Self::Last(_) => bytes[43] ^= 1,
            Self::Move(_, offset) if v4 => {
                let place = u16::from_be_bytes([bytes[6], bytes[7]]) & 0xe000 | offset >> 3;
                bytes[6..8].copy_from_slice(&place.to_be_bytes());
            }
            Self::Move(_, offset) => {
                let place = u16::from(bytes[43] & 7) | offset & !7;
                bytes[42..44].copy_from_slice(&place.to_be_bytes());
            }
            Self::Reserved(_) if v4 => bytes[6] |= 0x80,
            Self::Reserved(_) => bytes[43] |= 6,
            Self::Dress(_, options) if v4 => *bytes = bytes::with_options(bytes, options),
            Self::Dress(..) => *bytes = bytes::with_extension(bytes, 0),
            Self::Damage(_, damage) => *bytes = damage.done_to(bytes.clone()),
            Self::Protocol(_) => bytes[if v4 { 9 } else { 40 }] ^= bytes::TCP ^ bytes::UDP,
            Self::Turn(_) => all[at].from_device = !all[at].from_device,
        }
    }
}

pub(super) fn pieces() -> impl Strategy<Value = Pieces> {
    let lengths = prop_oneof![1 => 0..40_usize, 2 => 40..200_usize];
    let recipes = prop_oneof![
        3 => prop::collection::vec(recipes(lengths.clone(), 0.7), 1),
        1 => prop::collection::vec(recipes(lengths, 0.7), 2),
    ];
    let small = (recipes, (1..10_usize).prop_map(|words| words * 8));
    // The longest packets that there are, and longer ones.
    let long = (prop::collection::vec(self::recipes(65_440..65_510_usize, 0.7), 1), Just(32_768));
    let packets = prop_oneof![40 => small, 1 => long];
    let order = prop_oneof![
        2 => Just(Order::AsCut),
        1 => Just(Order::Reversed),
        2 => prop::collection::vec(any::<u64>(), 20).prop_map(Order::Shuffled),
    ];
    let twists = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(twists(), 1..4)];
    (packets, 0..3_u32, twists, order).prop_map(|((recipes, size), id, twists, order)| Pieces {
        recipes,
        id,
        size,
        twists,
        order,
    })
}

fn twists() -> impl Strategy<Value = Twist> {
    let offset = prop_oneof![(0..30_u16).prop_map(|words| words * 8), Just(65_528)];
    let length = prop_oneof![2 => (0..6_usize).prop_map(|words| words * 8), 1 => 0..50_usize];
    let any = any::<Index>;
    prop_oneof![
        3 => any().prop_map(Twist::Lose),
        2 => any().prop_map(Twist::Repeat),
        1 => any().prop_map(Twist::Last),
        1 => (any(), offset).prop_map(|(which, offset)| Twist::Move(which, offset)),
        1 => any().prop_map(Twist::Reserved),
        3 => (any(), length, proptest::bool::ANY).prop_map(|(from, length, more)| Twist::Add(from, length, more)),
        2 => (any(), options()).prop_map(|(which, options)| Twist::Dress(which, options)),
        1 => (any(), some_damage()).prop_map(|(which, damage)| Twist::Damage(which, damage)),
        1 => any().prop_map(Twist::Protocol),
        2 => any().prop_map(Twist::Turn),
    ]
}
