//! Fragments (RFC 791, RFC 8200 section 4.5), and the packets that they make up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ParseError, icmp, ipv4, ipv6, quote, version};

/// A piece of a packet that was taken apart on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    /// Of which packet.
    pub(crate) key: FragmentKey,
    /// Where in that packet's payload the piece begins, in bytes.
    pub(crate) offset: usize,
    /// Whether more comes after it.
    pub(crate) more: bool,
    /// The piece.
    pub(crate) payload: &'a [u8],
    /// The headers before the fragment's own.
    head: &'a [u8],
    /// In IPv6, what the payload begins with.
    next: u8,
}

/// What the fragments of one packet have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FragmentKey {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    id: u32,
    /// In IPv4 packets of different protocols may have the same id.
    protocol: u8,
}

const V4_FIXED: usize = 20;
const V6_FIXED: usize = 40;
const V6_FRAGMENT: usize = 8;

/// Reads a fragment, whose IP headers must be in order.
///
/// # Errors
/// If it is not understood in full, or is no fragment; if it is the first one, and not all headers are in it. In IPv6 the
/// fragment header must be the first.
pub(crate) fn fragment(bytes: &[u8]) -> Result<Fragment<'_>, ParseError> {
    let fragment = match version(bytes)? {
        4 => v4(bytes)?,
        6 => v6(bytes)?,
        _ => return Err(ParseError::Malformed),
    };
    let end = fragment.offset.saturating_add(fragment.payload.len());
    let cut_well = !fragment.more || fragment.payload.len().is_multiple_of(8);
    if fragment.payload.is_empty() || !cut_well || end > usize::from(u16::MAX) {
        return Err(ParseError::Malformed);
    }
    if fragment.offset == 0 && fragment.more {
        fragment.tell()?;
    }
    Ok(fragment)
}

impl Fragment<'_> {
    /// Whether it is all of its packet, so that no other fragment has to do with it (RFC 8200 section 4.5).
    pub(crate) const fn is_all(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// Checks that a first fragment holds all that is judged of its packet (RFC 8200 section 4.5, for both families).
    ///
    /// Behind the gateway a later fragment may get lost, and that of another packet, of the same id, take its place:
    /// headers that reach into it would then be others than those that were judged. So ICMP errors, which are judged by
    /// what they quote, are not taken apart; they are too short to need it.
    fn tell(&self) -> Result<(), ParseError> {
        quote(icmp::Family::of(self.key.source), &self.whole(self.payload)).map(|_| ())
    }

    /// The packet that begins with this fragment, with its whole payload in place of the piece.
    pub(crate) fn whole(&self, payload: &[u8]) -> Vec<u8> {
        let mut packet = self.head.to_vec();
        let is_v4 = self.key.source.is_ipv4();
        let counted = if is_v4 { self.head.len() } else { self.head.len().saturating_sub(V6_FIXED) };
        let length = u16::try_from(counted.saturating_add(payload.len())).unwrap_or(0).to_be_bytes();
        let fields: &[(usize, u8)] = if is_v4 {
            &[(2, length[0]), (3, length[1]), (6, 0), (7, 0)]
        } else {
            &[(4, length[0]), (5, length[1]), (6, self.next)]
        };
        for (place, byte) in fields {
            if let Some(slot) = packet.get_mut(*place) {
                *slot = *byte;
            }
        }
        packet.extend_from_slice(payload);
        packet
    }
}

fn v4(bytes: &[u8]) -> Result<Fragment<'_>, ParseError> {
    let header = ipv4::header_length(bytes)?;
    let (fixed, _) = bytes.split_first_chunk::<V4_FIXED>().ok_or(ParseError::Malformed)?;
    #[rustfmt::skip]
    let [
        _, _, _, _,
        id_high, id_low, place_high, place_low,
        _, protocol, _, _,
        s0, s1, s2, s3,
        d0, d1, d2, d3,
    ] = *fixed;
    let place = u16::from_be_bytes([place_high, place_low]);
    if place & 0x8000 != 0 || place & 0x3fff == 0 {
        return Err(ParseError::Malformed);
    }
    let (head, payload) = bytes.split_at_checked(header).ok_or(ParseError::Malformed)?;
    let key = FragmentKey {
        source: Ipv4Addr::new(s0, s1, s2, s3).into(),
        destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        id: u32::from(u16::from_be_bytes([id_high, id_low])),
        protocol,
    };
    let (offset, more) = (usize::from(place & 0x1fff).saturating_mul(8), place & 0x2000 != 0);
    Ok(Fragment { key, offset, more, payload, head, next: 0 })
}

fn v6(bytes: &[u8]) -> Result<Fragment<'_>, ParseError> {
    let (source, destination) = ipv6::fragmented(bytes)?;
    let (head, rest) = bytes.split_at_checked(V6_FIXED).ok_or(ParseError::Malformed)?;
    let (header, payload) = rest.split_first_chunk::<V6_FRAGMENT>().ok_or(ParseError::Malformed)?;
    let [next, _, place_high, place_low, id @ ..] = *header;
    let place = u16::from_be_bytes([place_high, place_low]);
    let key = FragmentKey {
        source: Ipv6Addr::into(source),
        destination: Ipv6Addr::into(destination),
        id: u32::from_be_bytes(id),
        protocol: 0,
    };
    Ok(Fragment { key, offset: usize::from(place & 0xfff8), more: place & 1 != 0, payload, head, next })
}
