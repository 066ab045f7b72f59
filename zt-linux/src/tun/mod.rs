//! TUN devices: links whose far end is this process.

mod error;

use std::fmt;

use rtnetlink::packet_core::Nla as _;
use rtnetlink::packet_route::link::{InfoData, LinkAttribute, LinkInfo, LinkMessage};
use tun_rs::{AsyncDevice, DeviceBuilder};

pub use self::error::{CreateError, PacketError};
use crate::link::Link;
use crate::mtu::Mtu;
use crate::name::LinkName;
use crate::netlink::Netlink;

const DEVICE_NODE: &str = "/dev/net/tun";
/// The attribute of a TUN device that says whether it outlives its process.
const IFLA_TUN_PERSIST: u16 = 6;

/// A TUN device: a link whose packets this process receives and sends, whole IP packets, header first.
///
/// The link goes when this is dropped, with its addresses and routes. Its state is for [`Tun::link`] to change: a new
/// device is down, and then has neither addresses nor routes.
///
/// Packets can be sent and received at the same time, by several tasks, each packet by one of them. When the link is
/// up, the kernel sends packets of its own into it, such as IPv6 router solicitations.
pub struct Tun {
    device: AsyncDevice,
    link: Link,
    mtu: Mtu,
}

impl Tun {
    /// Makes a device in the network namespace of the calling thread, which must be that of `netlink`; without a name,
    /// the kernel picks `tun0`, `tun1` and so on.
    ///
    /// Never takes over a device that is there, not even a persistent one without a process.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub async fn create(netlink: &Netlink, name: Option<&LinkName>, mtu: Mtu) -> Result<Self, CreateError> {
        if let Some(name) = name
            && Link::exists(netlink, name).await?
        {
            return Err(CreateError::NameTaken(name.clone()));
        }
        let refused = |error| CreateError::of(error, name);
        // looked for here, because below it would be made
        std::fs::metadata(DEVICE_NODE).map_err(refused)?;
        // flags stay as they are: a new link is down
        let builder = DeviceBuilder::new().inherit_enable_state();
        let builder = if let Some(name) = name { builder.name(name.as_str()) } else { builder };
        let device = builder.build_async().map_err(refused)?;
        let actual = device.name().map_err(refused)?;
        let actual = LinkName::new(&actual).map_err(|error| refused(std::io::Error::other(error)))?;
        let link = Link::find(netlink, &actual).await?;
        if is_persistent(&link.message().await?) {
            return Err(CreateError::NameTaken(actual)); // made by somebody since the first look
        }
        link.set_mtu(mtu).await?;
        Ok(Self { device, link, mtu })
    }

    /// The device as a link: up or down, addresses, routes.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// The MTU that it was made with: no longer packets are sent or received, whatever becomes of the link's.
    #[must_use]
    pub const fn mtu(&self) -> Mtu {
        self.mtu
    }

    /// Waits for the next packet that the kernel sends into the link.
    ///
    /// Nothing is lost if the future is dropped before it is done.
    ///
    /// # Errors
    /// See [`PacketError`].
    pub async fn receive(&self) -> Result<Vec<u8>, PacketError> {
        let mtu = usize::from(self.mtu.bytes());
        // one byte more, so that a packet that does not fit is noticed
        let mut packet = vec![0; mtu.saturating_add(1)];
        let length = self.device.recv(&mut packet).await.map_err(PacketError::of)?;
        if length > mtu {
            return Err(PacketError::TooLong(self.mtu));
        }
        packet.truncate(length);
        Ok(packet)
    }

    /// Sends a packet out of the link, to the kernel, which takes it as one that has arrived; waits until there is room.
    ///
    /// # Errors
    /// See [`PacketError`].
    pub async fn send(&self, packet: &[u8]) -> Result<(), PacketError> {
        if packet.len() > usize::from(self.mtu.bytes()) {
            return Err(PacketError::TooLong(self.mtu));
        }
        if !is_ip(packet) {
            return Err(PacketError::NotIp);
        }
        self.device.send(packet).await.map(drop).map_err(PacketError::of)
    }
}

impl fmt::Debug for Tun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tun").field("link", &self.link).field("mtu", &self.mtu).finish_non_exhaustive()
    }
}

/// Whether it has a whole header of the version that it names.
fn is_ip(packet: &[u8]) -> bool {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => packet.len() >= 20,
        Some(6) => packet.len() >= 40,
        _ => false,
    }
}

/// Whether the device was there before its process, as only a persistent one can be.
fn is_persistent(message: &LinkMessage) -> bool {
    message.attributes.iter().any(|attribute| {
        let LinkAttribute::LinkInfo(infos) = attribute else { return false };
        infos.iter().any(|info| {
            let LinkInfo::Data(InfoData::Tun(details)) = info else { return false };
            details.iter().any(|detail| {
                let mut value = vec![0; detail.value_len()];
                detail.emit_value(&mut value);
                detail.kind() == IFLA_TUN_PERSIST && value.first().is_some_and(|&byte| byte != 0)
            })
        })
    })
}
