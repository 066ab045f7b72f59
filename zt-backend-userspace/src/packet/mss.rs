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
    let Some((headers, segment)) = segment(packet) else { return };
    let most = mtu.saturating_sub(headers);
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

/// The segment of a TCP packet that opens a connection and is no fragment, and how long the IP and TCP headers are that
/// the option does not count: those without options of their own (RFC 6691).
fn segment(packet: &mut [u8]) -> Option<(u16, &mut [u8])> {
    let (protocol, start, headers) = match version(packet).ok()? {
        4 => {
            const DO_NOT_FRAGMENT: u8 = 0x40;
            let is_fragment = packet.get(6)? & !DO_NOT_FRAGMENT != 0 || *packet.get(7)? != 0;
            let length = usize::from(packet.first()? & 0x0f).saturating_mul(4);
            if is_fragment || length < 20 {
                return None;
            }
            (*packet.get(9)?, length, 40)
        }
        6 => (*packet.get(6)?, 40, 60),
        _ => return None,
    };
    let is_opening = |segment: &&mut [u8]| segment.get(13).is_some_and(|flags| flags & SYN != 0);
    let segment = packet.get_mut(start..).filter(|_| protocol == TCP).filter(is_opening)?;
    Some((headers, segment))
}

/// Where the value of the option is in a segment.
fn option(segment: &[u8]) -> Option<usize> {
    let end = usize::from(segment.get(12)? >> 4).saturating_mul(4);
    let mut options = segment.get(20..end)?;
    loop {
        options = match options {
            [] | [END_OF_OPTIONS, ..] => return None,
            [NO_OPERATION, rest @ ..] => rest,
            [MAXIMUM_SEGMENT_SIZE, 4, value @ ..] if value.len() >= 2 => {
                return end.checked_sub(value.len());
            }
            [_, length, ..] if *length >= 2 => options.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
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

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers")]
mod tests;
