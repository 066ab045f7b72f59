//! What the kernel says in reply, message by message.

use std::io;

use crate::netlink::NetlinkError;

/// One message of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) number: u32,
    pub(super) body: &'a [u8],
}

/// `NLMSG_ERROR`, which also acknowledges.
const ERROR: u16 = 2;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
const DUMP_INTERRUPTED: u16 = 0x10;
const MULTIPART: u16 = 0x2;
/// Of the header of every message.
const HEADER: usize = 16;
/// Of the header of nfnetlink, before the attributes.
const INNER_HEADER: usize = 4;

/// The messages in some bytes, up to the first that is malformed.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let word = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied();
        let half = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<2>()).copied();
        let length = usize::try_from(u32::from_ne_bytes(word(0)?)).ok()?;
        let (kind, flags) = (u16::from_ne_bytes(half(4)?), u16::from_ne_bytes(half(6)?));
        let number = u32::from_ne_bytes(word(8)?);
        let body = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, flags, number, body })
    })
}

impl Message<'_> {
    /// What it says if it ends an answer: that all is well, or not. Nothing if more is to come.
    pub(super) fn end(&self) -> Option<Result<(), NetlinkError>> {
        match self.kind {
            ERROR | DONE => Some(match self.code() {
                0 => Ok(()),
                code => Err(NetlinkError::Refused(io::Error::from_raw_os_error(code.saturating_abs()))),
            }),
            _ if self.flags & MULTIPART == 0 => Some(Ok(())),
            _ => None,
        }
    }

    /// The attributes, if it is no mere end.
    pub(super) fn attributes(&self) -> Option<&[u8]> {
        let is_end = matches!(self.kind, ERROR | DONE);
        if is_end { None } else { self.body.get(INNER_HEADER..) }
    }

    /// Whether the kernel says that what it lists changed meanwhile.
    pub(super) const fn is_interrupted(&self) -> bool {
        self.flags & DUMP_INTERRUPTED != 0
    }

    /// An end without a code is an end all the same.
    fn code(&self) -> i32 {
        self.body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code))
    }
}
