//! The device itself (`WGDEVICE_A_*` in include/uapi/linux/wireguard.h).

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};

use zt_core::key::PublicKey;

use super::Names;
use super::peer::Peer;
use crate::wireguard::malformed::Malformed;
use crate::wireguard::netlink::{Attribute, attributes};
use crate::wireguard::status::InterfaceStatus;

const INDEX: u16 = 1;
const NAME: u16 = 2;
const PUBLIC_KEY: u16 = 4;
const LISTEN_PORT: u16 = 6;
const FWMARK: u16 = 7;
const PEERS: u16 = 8;

/// A device, as far as its messages have come.
#[derive(Debug, Default)]
pub(crate) struct Device {
    index: Option<u32>,
    name: Option<String>,
    public_key: Option<[u8; 32]>,
    listen_port: u16,
    fwmark: u32,
    peers: BTreeMap<[u8; 32], Peer>,
    /// The peer that was listed last: its allowed IPs may go on in the next message.
    last: Option<[u8; 32]>,
}

impl Device {
    /// The index of its link.
    pub(crate) const fn index(&self) -> Option<u32> {
        self.index
    }

    /// The name of its link.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its public key, if it has one.
    pub(crate) const fn public_key(&self) -> Option<&[u8; 32]> {
        self.public_key.as_ref()
    }

    /// The UDP port where it listens.
    pub(crate) const fn listen_port(&self) -> Option<NonZeroU16> {
        NonZeroU16::new(self.listen_port)
    }

    /// Takes in a message; whether it lists a peer again.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<bool, Malformed> {
        let mut repeated = false;
        for attribute in attributes(bytes) {
            let attribute = attribute?;
            match attribute.kind {
                INDEX => self.index = Some(u32::from_ne_bytes(attribute.array()?)),
                NAME => self.name = Some(text(attribute)?),
                PUBLIC_KEY => self.public_key = Some(attribute.array()?),
                LISTEN_PORT => self.listen_port = u16::from_ne_bytes(attribute.array()?),
                FWMARK => self.fwmark = u32::from_ne_bytes(attribute.array()?),
                PEERS => repeated |= self.take_peers(attribute)?,
                _ => {} // among them the private key, which nobody is to have
            }
        }
        Ok(repeated)
    }

    fn take_peers(&mut self, list: Attribute<'_>) -> Result<bool, Malformed> {
        let mut repeated = false;
        for (place, peer) in list.nested().enumerate() {
            let (key, peer) = Peer::read(peer?)?;
            // only the first of a message can go on with what the one before it began
            let goes_on = place == 0 && self.last == Some(key);
            match self.peers.get_mut(&key) {
                Some(begun) if goes_on => begun.allowed_ips.extend(peer.allowed_ips),
                Some(_) => repeated = true,
                None => drop(self.peers.insert(key, peer)),
            }
            self.last = Some(key);
        }
        Ok(repeated)
    }

    /// What was listed.
    pub(super) fn finish(self, names: &Names) -> Result<InterfaceStatus, Malformed> {
        let name_of =
            |bytes: [u8; 32]| names.get(&bytes).copied().or_else(|| PublicKey::from_bytes(bytes).ok());
        let listen_port = self.listen_port();
        let mut status = InterfaceStatus {
            index: self.index.ok_or(Malformed::Missing { kind: INDEX })?,
            name: self.name.ok_or(Malformed::Missing { kind: NAME })?,
            public_key: self.public_key.and_then(name_of),
            listen_port,
            fwmark: NonZeroU32::new(self.fwmark),
            ..InterfaceStatus::default()
        };
        for (bytes, peer) in self.peers {
            let (peer, is_whole) = peer.finish();
            let key = name_of(bytes);
            if key.is_none() || !is_whole {
                status.strays.insert(bytes);
            }
            if let Some(key) = key {
                status.peers.insert(key, peer);
            }
        }
        Ok(status)
    }
}

/// A text that ends with a zero.
fn text(attribute: Attribute<'_>) -> Result<String, Malformed> {
    let text = attribute.value.strip_suffix(&[0]).and_then(|bytes| str::from_utf8(bytes).ok());
    let text = text.filter(|text| !text.contains(char::is_control));
    text.map(str::to_owned).ok_or(Malformed::Value { kind: attribute.kind })
}
