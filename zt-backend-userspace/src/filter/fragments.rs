//! Fragments that wait for the rest of their packet. Forgetting one only ever drops its packet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use zt_core::time::BootInstant;

use super::Direction;
use super::flows::Owner;
use crate::packet::{Fragment, FragmentKey, fragment};

/// How long fragments wait (RFC 8200 section 4.5 has 60 seconds for hosts; a gateway need not wait for the slowest).
const PATIENCE: Duration = Duration::from_secs(10);
/// The most packets of one device and direction whose fragments wait.
const MAX_PACKETS_PER_DEVICE: usize = 8;
/// The most packets whose fragments wait.
const MAX_PACKETS: usize = 256;
/// The most fragments of one packet.
const MAX_FRAGMENTS: usize = 64;

/// Whose fragments: of which device, in which session, in which direction.
pub(super) type Whose = (IpAddr, Owner, Direction);
/// Which packet. Fragments of two sessions never make one.
type Key = (Whose, FragmentKey);

/// The fragments that wait, by their packets.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    packets: BTreeMap<Key, Parts>,
    by_age: BTreeSet<(BootInstant, Key)>,
}

#[derive(Debug)]
struct Parts {
    since: BootInstant,
    /// The fragments by their offsets, as they came.
    parts: BTreeMap<usize, Part>,
}

#[derive(Debug)]
struct Part {
    bytes: Vec<u8>,
    end: usize,
    more: bool,
}

/// What becomes of a fragment.
#[derive(Debug)]
pub(super) enum Taken {
    /// It waits.
    Waits,
    /// It does not fit the others, which are dropped with it.
    Spoilt,
    /// All of its packet is there.
    Complete {
        /// The packet, put together.
        packet: Vec<u8>,
        /// Its fragments, in order.
        parts: Vec<Vec<u8>>,
    },
}

impl Fragments {
    /// Takes a fragment from or to a device, whose session must be known to live.
    ///
    /// Fragments that overlap spoil their packet (RFC 5722): whoever puts it together behind the gateway could see
    /// another packet than the one that was judged.
    pub(super) fn take(
        &mut self,
        whose: Whose,
        (bytes, piece): (&[u8], &Fragment<'_>),
        now: BootInstant,
    ) -> Taken {
        self.forget_old(now);
        if piece.is_all() {
            return Taken::Complete { packet: piece.whole(piece.payload), parts: vec![bytes.to_vec()] };
        }
        let key = (whose, piece.key);
        if !self.packets.contains_key(&key) {
            self.make_room(whose);
            self.by_age.insert((now, key));
        }
        let packet = self.packets.entry(key).or_insert_with(|| Parts { since: now, parts: BTreeMap::new() });
        if !packet.add(bytes, piece) {
            self.forget(&key);
            return Taken::Spoilt;
        }
        match packet.whole() {
            None => Taken::Waits,
            Some(whole) => {
                let parts = self.forget(&key).into_iter().flat_map(|packet| packet.parts.into_values());
                Taken::Complete { packet: whole, parts: parts.map(|part| part.bytes).collect() }
            }
        }
    }

    fn forget_old(&mut self, now: BootInstant) {
        while let Some((since, key)) = self.by_age.first().copied()
            && now.since(since) >= PATIENCE
        {
            self.forget(&key);
        }
    }

    /// Of one device the packet that waits longest goes, so that nobody pushes out what others wait for; of all only if
    /// there are too many devices.
    fn make_room(&mut self, (device, _, direction): Whose) {
        let of_device =
            |(_, ((other, _, way), _)): &&(BootInstant, Key)| (*other, *way) == (device, direction);
        if self.by_age.iter().filter(of_device).count() >= MAX_PACKETS_PER_DEVICE
            && let Some((_, oldest)) = self.by_age.iter().find(of_device).copied()
        {
            self.forget(&oldest);
        }
        if self.by_age.len() >= MAX_PACKETS
            && let Some((_, oldest)) = self.by_age.first().copied()
        {
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, key: &Key) -> Option<Parts> {
        let packet = self.packets.remove(key)?;
        self.by_age.remove(&(packet.since, *key));
        Some(packet)
    }
}

impl Parts {
    /// Whether the fragment fits.
    fn add(&mut self, bytes: &[u8], piece: &Fragment<'_>) -> bool {
        let end = piece.offset.saturating_add(piece.payload.len());
        let before = self.parts.range(..=piece.offset).next_back();
        let after = self.parts.range(piece.offset..).next();
        let fits = before.is_none_or(|(_, part)| part.end <= piece.offset && part.more)
            && after.is_none_or(|(offset, _)| end <= *offset && piece.more);
        if fits && self.parts.len() < MAX_FRAGMENTS {
            self.parts.insert(piece.offset, Part { bytes: bytes.to_vec(), end, more: piece.more });
            return true;
        }
        false
    }

    /// The packet, if all of it is there.
    fn whole(&self) -> Option<Vec<u8>> {
        if self.parts.last_key_value()?.1.more {
            return None;
        }
        let mut payload = Vec::new();
        for (offset, part) in &self.parts {
            if *offset != payload.len() {
                return None;
            }
            payload.extend_from_slice(fragment(&part.bytes).ok()?.payload);
        }
        let first = fragment(&self.parts.first_key_value()?.1.bytes).ok()?;
        Some(first.whole(&payload))
    }
}
