//! Attributes: length, kind and value, one after the other, each begun at a multiple of four bytes.

use zeroize::Zeroizing;

use crate::wireguard::malformed::Malformed;

/// An attribute's header: its length with the header, and its kind.
const HEADER: usize = 4;
/// The bits of a kind that say how the value is written (`NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`).
const FLAGS: u16 = 0xc000;
const NESTED: u16 = 0x8000;

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute<'a> {
    /// What it is, without the bits that say how it is written.
    pub(crate) kind: u16,
    /// Its value, without padding.
    pub(crate) value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The value, if it has just this many bytes.
    pub(crate) fn array<const N: usize>(self) -> Result<[u8; N], Malformed> {
        self.value.try_into().map_err(|_| Malformed::Length { kind: self.kind, length: self.value.len() })
    }

    /// The attributes in the value.
    pub(crate) fn nested(self) -> impl Iterator<Item = Result<Attribute<'a>, Malformed>> {
        attributes(self.value)
    }
}

/// The attributes in these bytes; ends after the first that is torn.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((attribute, after)) = split(rest) else {
            rest = &[];
            return Some(Err(Malformed::Torn));
        };
        rest = after;
        Some(Ok(attribute))
    })
}

/// The first attribute, and what follows it.
fn split(bytes: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let &[low, high, kind_low, kind_high, ..] = bytes else { return None };
    let length = usize::from(u16::from_ne_bytes([low, high]));
    let value = bytes.get(HEADER..length)?;
    let kind = u16::from_ne_bytes([kind_low, kind_high]) & !FLAGS;
    // the padding of the last one may be left out
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((Attribute { kind, value }, after))
}

/// Writes attributes into a buffer that is wiped, since one of them may be a private key.
///
/// The buffer is as large as a request can be from the start: one that grows would leave copies behind.
#[derive(Debug)]
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// The most bytes that requests of ours have.
    const CAPACITY: usize = 256;

    /// Begins after these bytes.
    pub(crate) fn after(bytes: &[u8]) -> Self {
        let mut buffer = Zeroizing::new(Vec::with_capacity(Self::CAPACITY));
        buffer.extend_from_slice(bytes);
        Self(buffer)
    }

    /// Writes an attribute.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len().saturating_add(HEADER)).unwrap_or(u16::MAX);
        debug_assert!(kind & NESTED == 0 && self.0.len().saturating_add(length.into()) <= Self::CAPACITY);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        let padded = self.0.len().next_multiple_of(4);
        self.0.resize(padded, 0);
        self
    }

    /// What was written.
    pub(crate) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let bytes = Writer::after(&[]).with(1, b"abc").with(2, b"").with(3, b"abcd").finish();
        let read: Vec<(u16, &[u8])> =
            attributes(&bytes).map(|it| it.unwrap()).map(|it| (it.kind, it.value)).collect();
        assert_eq!(read, [(1, b"abc".as_slice()), (2, b""), (3, b"abcd")]);
    }

    #[test]
    fn torn_attributes_are_errors() {
        for bytes in [&[0][..], &[3, 0, 1, 0], &[0, 0, 1, 0], &[8, 0, 1, 0, 1], &[4, 0, 1, 0, 9]] {
            assert!(attributes(bytes).any(|it| matches!(it, Err(Malformed::Torn))), "{bytes:?}");
        }
        assert!(attributes(&[5, 0, 1, 0, 7]).all(|it| it.unwrap().value == [7]));
    }
}
