//! The maximum segment size that TCP connections are opened with (RFC 9293 section 3.7.1).

use super::version;

const TCP: u8 = 6;
const SYN: u8 = 0x02;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// Lowers the maximum segment size in a packet that opens a TCP connection to what fits `mtu`; leaves every other packet
/// as it is, and one without the option too, since segments are 536 or 1,220 bytes then.
///
/// Packets that are too long are reported to their sender, but not all senders hear of it.
pub(crate) fn clamp(packet: &mut [u8], mtu: u16) {
    let Some((header, segment)) = segment(packet) else { return };
    let most = mtu.saturating_sub(header).saturating_sub(20);
    let Some(place) = option(segment) else { return };
    let Some([high, low]) = segment.get(place..).and_then(|bytes| bytes.first_chunk()).copied() else {
        return;
    };
    let old = u16::from_be_bytes([high, low]);
    if old <= most {
        return;
    }
    put(segment, place, most);
    // The option may begin at an odd place; its two bytes then count as halves of two words of the checksum.
    let (old, new) =
        if place.is_multiple_of(2) { (old, most) } else { (old.swap_bytes(), most.swap_bytes()) };
    if let Some([high, low]) = segment.get(16..).and_then(|bytes| bytes.first_chunk()).copied() {
        put(segment, 16, updated(u16::from_be_bytes([high, low]), old, new));
    }
}

/// The length of the IP header and the segment of a TCP packet that is no fragment.
fn segment(packet: &mut [u8]) -> Option<(u16, &mut [u8])> {
    let (protocol, header) = match version(packet).ok()? {
        4 => {
            let is_fragment = packet.get(6)? & 0x3f != 0 || *packet.get(7)? != 0;
            let length = usize::from(packet.first()? & 0x0f).saturating_mul(4);
            if is_fragment {
                return None;
            }
            (*packet.get(9)?, length)
        }
        6 => (*packet.get(6)?, 40),
        _ => return None,
    };
    let is_opening = |segment: &[u8]| segment.get(13).is_some_and(|flags| flags & SYN != 0);
    let segment = packet.get_mut(header..).filter(|segment| protocol == TCP && is_opening(segment))?;
    // What the option counts is without the headers of an ordinary packet.
    Some((if header == 40 { 40 } else { 20 }, segment))
}

/// Where the value of the option is in a segment.
fn option(segment: &[u8]) -> Option<usize> {
    let end = usize::from(segment.get(12)? >> 4).saturating_mul(4);
    let mut place = 20_usize;
    while place < end {
        match *segment.get(place)? {
            END_OF_OPTIONS => return None,
            NO_OPERATION => place = place.checked_add(1)?,
            MAXIMUM_SEGMENT_SIZE if *segment.get(place.checked_add(1)?)? == 4 => return place.checked_add(2),
            _ => {
                let length = usize::from(*segment.get(place.checked_add(1)?)?);
                place = place.checked_add(length.max(2))?;
            }
        }
    }
    None
}

fn put(bytes: &mut [u8], place: usize, value: u16) {
    for (slot, byte) in bytes.iter_mut().skip(place).zip(value.to_be_bytes()) {
        *slot = byte;
    }
}

/// A checksum after a word has changed (RFC 1624, equation 3).
const fn updated(checksum: u16, old: u16, new: u16) -> u16 {
    let mut sum = (!checksum as u32).saturating_add(!old as u32 & 0xffff).saturating_add(new as u32);
    sum = (sum & 0xffff).saturating_add(sum >> 16);
    sum = (sum & 0xffff).saturating_add(sum >> 16);
    !(sum & 0xffff) as u16
}
