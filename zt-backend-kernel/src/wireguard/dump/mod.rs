//! A device with all its peers, as the kernel lists it (`wg_get_device_dump` in drivers/net/wireguard/netlink.c).
//!
//! The kernel makes the list in parts of some 8 to 32 KiB, and lets go of its locks in between. What changed meanwhile
//! may be missing, stand twice or end a list early, all of it without an error: only a flag on one of the messages says
//! so, and it may be the last. So a list counts if it has its end, and no message of it has the flag.

mod device;
mod peer;

use std::collections::BTreeMap;
use std::io;

use zt_core::key::PublicKey;

use self::device::Device;
use super::malformed::Malformed;
use super::netlink::{Body, DUMP_INTERRUPTED, messages};
use super::status::InterfaceStatus;

/// The keys that are known, by their bytes: to make one anew costs a multiplication on the curve.
pub(crate) type Names = BTreeMap<[u8; 32], PublicKey>;

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// It changed while it was made, or a part of it was lost.
    #[error("the list changed while it was made")]
    Interrupted,
    /// It has no end.
    #[error("the list is cut short")]
    Incomplete,
    /// The kernel ended it with an error.
    #[error("the kernel refused")]
    Refused(#[source] io::Error),
    /// It is no list of a device.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Reads a list of one device: all messages that answer a request, one after the other, without pauses at the ends of
/// datagrams.
///
/// Of the private key and the preshared keys nothing is kept, not even while reading. Attributes that are not known are
/// passed over. Costs N log N for N peers, and a multiplication on the curve for each.
///
/// # Errors
/// See [`DumpError`]. There is no partial list.
pub fn decode(bytes: &[u8]) -> Result<InterfaceStatus, DumpError> {
    let mut dump = Dump::new(None);
    dump.take(bytes)?;
    dump.finish(&Names::new())
}

/// A list of which some datagrams have come.
#[derive(Debug, Default)]
pub(crate) struct Dump {
    /// The number of the request; none if any will do.
    sequence: Option<u32>,
    device: Device,
    interrupted: bool,
    repeated: bool,
    ended: bool,
}

impl Dump {
    /// Waits for the list that answers the request of this number; any, if none is given.
    pub(crate) fn new(sequence: Option<u32>) -> Self {
        Self { sequence, ..Self::default() }
    }

    /// Takes in a datagram; whether it was the last one.
    pub(crate) fn take(&mut self, datagram: &[u8]) -> Result<bool, DumpError> {
        for message in messages(datagram) {
            let message = message?;
            if self.ended || self.sequence.is_some_and(|sequence| sequence != message.sequence) {
                return Err(Malformed::Unasked.into());
            }
            // any message may say so, the last one included
            self.interrupted |= message.flags & DUMP_INTERRUPTED != 0;
            match message.body {
                Body::Attributes(bytes) => self.repeated |= self.device.take(bytes)?,
                Body::End(outcome) => {
                    outcome.map_err(DumpError::Refused)?;
                    self.ended = true;
                }
                Body::Overrun => self.interrupted = true,
                Body::Nothing => {}
            }
        }
        Ok(self.ended)
    }

    /// The device as far as it is known; its own attributes come first.
    pub(crate) const fn device(&self) -> &Device {
        &self.device
    }

    /// What was listed.
    pub(crate) fn finish(self, names: &Names) -> Result<InterfaceStatus, DumpError> {
        match (self.ended, self.interrupted, self.repeated) {
            (false, ..) => Err(DumpError::Incomplete),
            (true, true, _) => Err(DumpError::Interrupted),
            (true, false, true) => Err(Malformed::Repeated.into()),
            (true, false, false) => Ok(self.device.finish(names)?),
        }
    }
}
