//! A stream of bytes, line by line, within bounds.

use zeroize::Zeroizing;

use super::reply::ReplyError;

/// The most bytes that a line of a reply may have. Those that are understood have 80 at most; of others, gotatun's
/// descriptions of cover traffic have some thousands.
pub const MAX_LINE: usize = 16 * 1024;

/// The most bytes that a reply may have: 1,024 for each of 2^16 peers, more than which wireguard-go does not have. It
/// writes some 430 for a peer with two prefixes.
pub const MAX_REPLY: usize = 64 << 20;

/// Puts lines together. What it holds is wiped in the end.
pub(super) struct Lines {
    /// The beginning of a line, without its end.
    held: Zeroizing<Vec<u8>>,
    /// How many whole lines there were.
    count: usize,
    bytes: usize,
}

impl Lines {
    pub(super) fn new() -> Self {
        // never grows, so that no copy is left behind
        Self { held: Zeroizing::new(Vec::with_capacity(MAX_LINE)), count: 0, bytes: 0 }
    }

    /// Hands on each line that is whole, with its number, until `take` says that it was the last; whether it did.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(usize, &[u8]) -> Result<bool, ReplyError>,
    ) -> Result<bool, ReplyError> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MAX_REPLY {
            return Err(ReplyError::TooLong);
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            bytes = rest.get(1..).unwrap_or_default();
            self.hold(line)?;
            self.count = self.count.saturating_add(1);
            let last = take(self.count, &self.held)?;
            self.held.clear();
            if last {
                return Ok(true);
            }
        }
        self.hold(bytes)?;
        Ok(false)
    }

    /// How many whole lines there were.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), ReplyError> {
        if self.held.len().saturating_add(bytes.len()) > MAX_LINE {
            return Err(ReplyError::LongLine { line: self.count.saturating_add(1) });
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }
}
