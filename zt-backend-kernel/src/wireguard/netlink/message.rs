//! Messages: a header of 16 bytes, then that of generic netlink, then attributes.

use std::io;

use zeroize::Zeroizing;

use super::attributes::Writer;
use crate::wireguard::malformed::Malformed;

const HEADER: usize = 16;
const NOOP: u16 = 1;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;
/// Kinds below this are netlink's own.
const FIRST_FAMILY: u16 = 0x10;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const LIST: u16 = 0x300;
/// The flag of messages of a list that changed while it was made (`NLM_F_DUMP_INTR`).
pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To list something.
    List,
    /// To change or look up something, and to be told that it is done.
    Acknowledged,
}

/// A message that was received.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    /// Its flags.
    pub(crate) flags: u16,
    /// The number of the request that it answers.
    pub(crate) sequence: u32,
    /// What it says.
    pub(crate) body: Body<'a>,
}

/// What a message says.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// Attributes from a family of generic netlink.
    Attributes(&'a [u8]),
    /// The end of an answer: well, or with an error.
    End(Result<(), io::Error>),
    /// Messages were lost.
    Overrun,
    /// Nothing.
    Nothing,
}

/// The messages of a datagram; ends after the first that is torn.
pub(crate) fn messages(mut rest: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((message, after)) = split(rest) else {
            rest = &[];
            return Some(Err(Malformed::Torn));
        };
        rest = after;
        Some(Ok(message))
    })
}

fn split(bytes: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let &[l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = header;
    let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
    let payload = bytes.get(HEADER..length)?;
    let after = bytes.get(length.checked_next_multiple_of(4)?..).unwrap_or_default();
    let body = match u16::from_ne_bytes([k0, k1]) {
        NOOP => Body::Nothing,
        OVERRUN => Body::Overrun,
        ERROR => Body::End(outcome(payload.first_chunk()?)),
        // kernels before 2.6 say nothing more at the end
        DONE => Body::End(payload.first_chunk().map_or(Ok(()), outcome)),
        FIRST_FAMILY.. => Body::Attributes(payload.get(4..)?),
        _ => return None,
    };
    let flags = u16::from_ne_bytes([f0, f1]);
    let sequence = u32::from_ne_bytes([s0, s1, s2, s3]);
    Some((Message { flags, sequence, body }, after))
}

fn outcome(code: &[u8; 4]) -> Result<(), io::Error> {
    match i32::from_ne_bytes(*code) {
        0.. => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
    }
}

/// A request to a family, in the version 1 of its commands.
pub(crate) fn request(
    family: u16,
    command: u8,
    (kind, sequence): (Kind, u32),
    attributes: impl FnOnce(Writer) -> Writer,
) -> Zeroizing<Vec<u8>> {
    let flags = REQUEST | if kind == Kind::List { LIST } else { ACKNOWLEDGE };
    let mut header = [0; 20];
    let fields = [
        &[0; 4][..],
        &family.to_ne_bytes(),
        &flags.to_ne_bytes(),
        &sequence.to_ne_bytes(),
        &[0; 4], // from whom: the kernel knows
        &[command, 1, 0, 0],
    ];
    for (place, byte) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *byte;
    }
    let mut bytes = attributes(Writer::after(&header)).finish();
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    for (place, byte) in bytes.iter_mut().zip(length.to_ne_bytes()) {
        *place = byte;
    }
    bytes
}
