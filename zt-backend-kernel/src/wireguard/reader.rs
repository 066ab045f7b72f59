//! Asks the kernel about a device, and gives it its key: whatever is not about peers.

use std::io;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use rustix::io::Errno;
use zeroize::{Zeroize as _, Zeroizing};
use zt_core::key::PrivateKey;

use super::dump::{Dump, Names};
use super::fault::{Fault, Recovery};
use super::malformed::Malformed;
use super::netlink::{Body, CONTROL, Connect, KernelSocket, Kind, Wire, attributes, messages, request};
use super::status::InterfaceStatus;

/// How often a list is asked for that changes while it is read, or fails in passing.
pub(super) const ATTEMPTS: u32 = 8;

/// Longer than any datagram of a list: the kernel makes them as long as what was last received, 32 KiB at most.
const DATAGRAM: usize = 64 * 1024;

const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const GET_DEVICE: u8 = 0;
const SET_DEVICE: u8 = 1;
const INDEX: u16 = 1;
const PRIVATE_KEY: u16 = 3;
const LISTEN_PORT: u16 = 6;
const FWMARK: u16 = 7;

/// What tells a device from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The name of its link.
    pub(super) name: String,
    /// Its public key, if it has a private one.
    pub(super) public_key: Option<[u8; 32]>,
    /// Where it listens.
    pub(super) listen_port: Option<NonZeroU16>,
}

/// What a device is set up with.
#[derive(Debug)]
pub(super) struct Settings {
    /// Its key.
    pub(super) private_key: PrivateKey,
    /// Where it listens; the kernel's choice if not given.
    pub(super) listen_port: Option<NonZeroU16>,
    /// The mark of what it sends.
    pub(super) fwmark: Option<NonZeroU32>,
}

/// Asks with blocking calls, each over a socket of its own.
pub(super) struct Reader {
    connect: Connect,
    /// How long the sockets wait for an answer.
    patience: Duration,
    family: Option<u16>,
    sequence: u32,
    /// Wiped after each call: lists hold the private key and the preshared keys.
    buffer: Zeroizing<Vec<u8>>,
}

impl Reader {
    /// Opens its sockets in the network namespace of the thread that uses it.
    pub(super) fn new(patience: Duration) -> Self {
        Self::over(Box::new(move || Ok(Box::new(KernelSocket::open(patience)?))), patience)
    }

    /// Uses sockets that are opened otherwise.
    pub(super) fn over(connect: Connect, patience: Duration) -> Self {
        Self { connect, patience, family: None, sequence: 0, buffer: Zeroizing::new(vec![0; DATAGRAM]) }
    }

    /// Reads the device of the link with this index, again if it changed meanwhile.
    pub(super) fn read(&mut self, index: u32, names: &Names) -> Result<InterfaceStatus, Fault> {
        self.attempt(|reader| {
            let (mut wire, sequence) = reader.ask_for_device(index)?;
            let mut dump = Dump::new(Some(sequence));
            while !dump.take(reader.receive(&mut *wire)?)? {}
            Ok(dump.finish(names)?)
        })
    }

    /// Reads what tells the device of the link with this index from others.
    ///
    /// The kernel can only list a device with all its peers, but it says these things first: the rest is not waited
    /// for, so that it costs the same with many peers.
    pub(super) fn identify(&mut self, index: u32) -> Result<Identity, Fault> {
        self.attempt(|reader| {
            let (mut wire, sequence) = reader.ask_for_device(index)?;
            let mut dump = Dump::new(Some(sequence));
            dump.take(reader.receive(&mut *wire)?)?;
            let device = dump.device();
            if device.index() != Some(index) {
                return Err(Malformed::Missing { kind: INDEX }.into());
            }
            let name = device.name().unwrap_or_default().to_owned();
            let listen_port = device.listen_port();
            Ok(Identity { name, public_key: device.public_key().copied(), listen_port })
        })
    }

    /// Gives a device its key and settings. Its peers stay, but for one with the key itself.
    pub(super) fn set(&mut self, index: u32, settings: &Settings) -> Result<(), Fault> {
        let family = self.family()?;
        let sequence = self.next();
        let listen_port = settings.listen_port.map_or(0, NonZeroU16::get);
        let fwmark = settings.fwmark.map_or(0, NonZeroU32::get);
        let message = request(family, SET_DEVICE, (Kind::Acknowledged, sequence), |attributes| {
            attributes
                .with(INDEX, &index.to_ne_bytes())
                .with(PRIVATE_KEY, settings.private_key.expose_bytes())
                .with(LISTEN_PORT, &listen_port.to_ne_bytes())
                .with(FWMARK, &fwmark.to_ne_bytes())
        });
        let mut wire = (self.connect)()?;
        wire.send(&message)?;
        answer(self.receive(&mut *wire)?, sequence, |_| Err(Malformed::Unasked))
    }

    fn ask_for_device(&mut self, index: u32) -> Result<(Box<dyn Wire>, u32), Fault> {
        let family = self.family()?;
        let sequence = self.next();
        let mut wire = (self.connect)()?;
        wire.send(&request(family, GET_DEVICE, (Kind::List, sequence), |attributes| {
            attributes.with(INDEX, &index.to_ne_bytes())
        }))?;
        Ok((wire, sequence))
    }

    /// The number of WireGuard's family, which the kernel gives out when the module is loaded.
    fn family(&mut self) -> Result<u16, Fault> {
        if let Some(family) = self.family {
            return Ok(family);
        }
        let sequence = self.next();
        let mut wire = (self.connect)()?;
        wire.send(&request(CONTROL, GET_FAMILY, (Kind::Acknowledged, sequence), |attributes| {
            attributes.with(FAMILY_NAME, b"wireguard\0")
        }))?;
        let mut family = None;
        answer(self.receive(&mut *wire)?, sequence, |bytes| {
            for attribute in attributes(bytes) {
                let attribute = attribute?;
                if attribute.kind == FAMILY_ID {
                    family = Some(u16::from_ne_bytes(attribute.array()?));
                }
            }
            Ok(())
        })?;
        self.family = family;
        family.ok_or(Fault::Malformed(Malformed::Missing { kind: FAMILY_ID }))
    }

    fn receive(&mut self, wire: &mut dyn Wire) -> Result<&[u8], Fault> {
        let patience = self.patience;
        wire.receive(&mut self.buffer).map_err(|error| {
            let is_late = error.kind() == io::ErrorKind::WouldBlock;
            if is_late { Fault::Deadline(patience) } else { Fault::Refused(error) }
        })
    }

    /// What is left of what was received.
    #[cfg(test)]
    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    fn next(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn attempt<T>(&mut self, mut call: impl FnMut(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut attempts: u32 = 1;
        loop {
            let outcome = call(self);
            self.buffer.as_mut_slice().zeroize();
            let fault = match outcome {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            if fault.errno() == Some(Errno::NOENT) {
                self.family = None; // the module may have been loaded anew
            }
            let in_passing = fault.when_reading() == Recovery::Retry && !matches!(fault, Fault::Deadline(_));
            if attempts >= ATTEMPTS || !in_passing {
                let interrupted = matches!(fault, Fault::Interrupted { .. });
                return Err(if interrupted { Fault::Interrupted { attempts } } else { fault });
            }
            attempts = attempts.saturating_add(1);
        }
    }
}

/// Reads a datagram that answers a request to the end, or begins to: what is wanted comes first.
fn answer(
    datagram: &[u8],
    sequence: u32,
    mut take: impl FnMut(&[u8]) -> Result<(), Malformed>,
) -> Result<(), Fault> {
    let mut answered = false;
    for message in messages(datagram) {
        let message = message?;
        if message.sequence != sequence {
            return Err(Malformed::Unasked.into());
        }
        answered = true;
        match message.body {
            Body::Attributes(bytes) => take(bytes)?,
            Body::End(outcome) => outcome?,
            Body::Overrun => return Err(Fault::Incomplete),
            Body::Nothing => {}
        }
    }
    if answered { Ok(()) } else { Err(Fault::Incomplete) }
}
