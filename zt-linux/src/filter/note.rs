//! What the kernel keeps with an element for us: what the controller calls its end, and the boot clock's reading then.
//!
//! The kernel itself knows only how long an element lives.

use zt_core::desired::{PairEnd, Source};
use zt_core::id::{SessionEpoch, SessionId};
use zt_core::time::{BootInstant, Timestamp};

use super::change::End;

/// A kind that nft does not know, and so passes over (`NFTNL_UDATA_SET_ELEM_*`).
const KIND: u8 = 0x7a;

pub(super) fn of_gate(end: End<Timestamp>) -> Vec<u8> {
    note(&[&millis(end.until), &boot(end.ends)])
}

pub(super) fn gate(bytes: &[u8]) -> Option<End<Timestamp>> {
    let mut fields = fields(bytes)?;
    let until = Timestamp::from_millis(i64::from_be_bytes(fields.take()?));
    Some(End { until, ends: BootInstant::from_millis(u64::from_be_bytes(fields.last()?)) })
}

pub(super) fn of_source(end: End<Source>) -> Vec<u8> {
    let Source { session, epoch, until } = end.until;
    note(&[&session.0.to_be_bytes(), &epoch.0.to_be_bytes(), &millis(until), &boot(end.ends)])
}

pub(super) fn source(bytes: &[u8]) -> Option<End<Source>> {
    let mut fields = fields(bytes)?;
    let session = SessionId(u64::from_be_bytes(fields.take()?));
    let epoch = SessionEpoch(u32::from_be_bytes(fields.take()?));
    let until = Timestamp::from_millis(i64::from_be_bytes(fields.take()?));
    let ends = BootInstant::from_millis(u64::from_be_bytes(fields.last()?));
    Some(End { until: Source { session, epoch, until }, ends })
}

pub(super) fn of_pair(end: End<PairEnd>) -> Vec<u8> {
    match end.until {
        PairEnd::At(until) => note(&[&millis(until), &boot(end.ends)]),
        PairEnd::WithSource => note(&[&boot(end.ends)]),
    }
}

pub(super) fn pair(bytes: &[u8]) -> Option<End<PairEnd>> {
    if let Some(End { until, ends }) = gate(bytes) {
        return Some(End { until: PairEnd::At(until), ends });
    }
    let ends = BootInstant::from_millis(u64::from_be_bytes(fields(bytes)?.last()?));
    Some(End { until: PairEnd::WithSource, ends })
}

fn millis(at: Timestamp) -> [u8; 8] {
    at.as_millis().to_be_bytes()
}

fn boot(at: BootInstant) -> [u8; 8] {
    at.as_millis().to_be_bytes()
}

fn note(fields: &[&[u8]]) -> Vec<u8> {
    let value = fields.concat();
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [&[KIND, length], value.as_slice()].concat()
}

/// What is still to be read of a note.
struct Fields<'a>(&'a [u8]);

fn fields(bytes: &[u8]) -> Option<Fields<'_>> {
    let (&[kind, length], value) = bytes.split_first_chunk()?;
    (kind == KIND && value.len() == usize::from(length)).then_some(Fields(value))
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn last<const N: usize>(mut self) -> Option<[u8; N]> {
        let field = self.take()?;
        self.0.is_empty().then_some(field)
    }
}
