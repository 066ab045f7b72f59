//! Changes peers, by `wireguard-uapi`.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use wireguard_uapi::WgSocket;
use wireguard_uapi::err::{NlError, SetDeviceError};
use wireguard_uapi::set::{AllowedIp, Device, Peer, WgPeerF};

use super::batch::{Act, Part};
use super::fault::Fault;

/// Sends one message that changes peers.
///
/// The seam at which the kernel can be made up: the socket of `wireguard-uapi` itself can neither be replaced nor be
/// given a deadline.
pub(super) trait SetPeers: Send {
    /// Changes peers of the device of the link with this index. What precedes a part at fault is done.
    fn set_peers(&mut self, index: u32, parts: &[Part]) -> Result<(), Fault>;
}

/// Opens what changes peers.
pub(super) type Connect = Box<dyn FnMut() -> Result<Box<dyn SetPeers>, Fault> + Send>;

/// Changes peers with blocking calls.
///
/// `wireguard-uapi` takes the first message that comes for the answer, whatever it answers. So after an error nothing
/// of its socket is used any more: an answer that was not read would be taken for that to the next change.
pub(super) struct Writer {
    connect: Connect,
    connected: Option<Box<dyn SetPeers>>,
}

impl Writer {
    /// Opens its socket in the network namespace of the thread that uses it.
    pub(super) fn new() -> Self {
        Self::over(Box::new(|| match WgSocket::connect() {
            Ok(socket) => Ok(Box::new(socket)),
            Err(error) => Err(Fault::Transport(error.to_string())),
        }))
    }

    /// Uses what is opened otherwise.
    pub(super) fn over(connect: Connect) -> Self {
        Self { connect, connected: None }
    }

    /// Changes peers, and tells how long the kernel took: as long as it has held the lock that everybody waits for who
    /// configures networks.
    pub(super) fn set_peers(&mut self, index: u32, parts: &[Part]) -> Result<Duration, Fault> {
        let mut connected = match self.connected.take() {
            Some(connected) => connected,
            None => (self.connect)()?,
        };
        let begun = Instant::now();
        connected.set_peers(index, parts)?;
        let elapsed = begun.elapsed();
        self.connected = Some(connected);
        Ok(elapsed)
    }
}

impl SetPeers for WgSocket {
    fn set_peers(&mut self, index: u32, parts: &[Part]) -> Result<(), Fault> {
        // the crate keeps addresses by reference
        let addresses: Vec<Vec<(IpAddr, u8)>> = parts
            .iter()
            .map(|part| part.allowed_ips.iter().map(|prefix| (prefix.address(), prefix.length())).collect())
            .collect();
        let peers = parts.iter().zip(&addresses).map(|(part, addresses)| peer(part, addresses)).collect();
        let device = Device::from_ifindex(index).peers(peers);
        self.set_device(device).map_err(fault)
    }
}

fn peer<'a>(part: &'a Part, addresses: &'a [(IpAddr, u8)]) -> Peer<'a> {
    let allowed_ip = |(ipaddr, length): &'a (IpAddr, u8)| AllowedIp { ipaddr, cidr_mask: Some(*length) };
    let peer = Peer::from_public_key(part.key.as_bytes())
        .flags(flags(part.act))
        .allowed_ips(addresses.iter().map(allowed_ip).collect());
    let peer = match &part.endpoint {
        Some(endpoint) => peer.endpoint(endpoint),
        None => peer,
    };
    match part.keepalive {
        Some(seconds) => peer.persistent_keepalive_interval(seconds.get()),
        None => peer,
    }
}

/// The flags of an act, each once: the crate adds them up.
fn flags(act: Act) -> Vec<WgPeerF> {
    match act {
        Act::Create => vec![WgPeerF::ReplaceAllowedIps],
        Act::Replace => vec![WgPeerF::ReplaceAllowedIps, WgPeerF::UpdateOnly],
        Act::Extend => vec![WgPeerF::UpdateOnly],
        Act::Remove => vec![WgPeerF::RemoveMe, WgPeerF::UpdateOnly],
    }
}

fn fault(error: SetDeviceError) -> Fault {
    match error {
        SetDeviceError::NlError(NlError::Nlmsgerr(refusal)) => {
            Fault::Refused(std::io::Error::from_raw_os_error(refusal.error.saturating_abs()))
        }
        SetDeviceError::NlError(error) => Fault::Transport(error.to_string()),
        SetDeviceError::NlSerError(error) => Fault::Transport(error.to_string()),
    }
}
