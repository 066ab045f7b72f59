//! An interface: a link and its device.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::set_ipv6_v6only;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;
use zt_linux::{DeleteWireGuardError, Link, LinkError, LinkName, Netlink, NetlinkError};

use super::device::{Device, Known};
use super::error::{AdoptError, ReadError, SetUpError, StartError, WriteError};
use super::fault::Fault;
use super::peers::NewPeer;
use super::reader::Settings;
use super::status::InterfaceStatus;

/// What an interface is started with.
#[derive(Debug)]
pub struct InterfaceConfig {
    /// The name of its link, which no other link has.
    pub name: LinkName,
    /// Its WireGuard key, which is wiped once the kernel has it.
    pub private_key: PrivateKey,
    /// The UDP port where it listens, on all addresses of the host; `None` if the kernel is to choose one when it is set
    /// up.
    pub listen_port: Option<NonZeroU16>,
    /// The mark of the packets that it sends, for policy routing; `None` if they are to have none.
    pub fwmark: Option<NonZeroU32>,
}

/// An interface of the kernel's WireGuard: a link, and a device with peers.
///
/// It is known by the index and the name of its link and by its public key together. When one of them is another,
/// operations fail with a variant `Gone`, and what is there instead is left alone. What takes allowed IPs away goes to
/// the index without a look at the rest, since that would cost a second message: it fails so only if no WireGuard
/// device has the index any more, and takes away from a device that was renamed or given another key.
///
/// Dropping it leaves the kernel as it is, for [`Interface::adopt`].
#[derive(Debug)]
pub struct Interface {
    link: Link,
    device: Device,
}

impl Interface {
    /// How long a message may take until its outcome is unknown; reading takes several.
    pub const DEADLINE: Duration = Duration::from_secs(5);

    /// Makes an interface. Its link is down and has no peers, addresses or routes: nothing passes until
    /// [`Interface::set_up`], so that a packet filter can come first.
    ///
    /// Everything is about the network namespace of the calling thread, which must be that of `netlink`.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left of the interface. If the future is dropped, the link may stay, down.
    pub async fn start(netlink: &Netlink, config: InterfaceConfig) -> Result<Self, StartError> {
        let InterfaceConfig { name, private_key, listen_port, fwmark } = config;
        if let Some(port) = listen_port.filter(|port| is_taken(*port)) {
            return Err(StartError::PortTaken(port));
        }
        let link = Link::create_wireguard(netlink, &name).await?;
        let public_key = private_key.public_key();
        let settings = Settings { private_key, listen_port, fwmark };
        match Self::set(link.clone(), public_key, settings).await {
            Ok(interface) => Ok(interface),
            Err(fault) => match link.delete_wireguard().await {
                Ok(()) | Err(DeleteWireGuardError::Link(LinkError::Gone { .. })) => Err(match listen_port {
                    Some(port) if fault.errno() == Some(Errno::ADDRINUSE) => StartError::PortTaken(port),
                    _ => StartError::Device(fault),
                }),
                Err(source) => Err(StartError::Stuck { fault, source }),
            },
        }
    }

    async fn set(link: Link, public_key: PublicKey, settings: Settings) -> Result<Self, Fault> {
        let interface = Self::over(link, public_key)?;
        interface.device.set(settings).await?;
        match interface.device.check().await {
            Ok(_) => Ok(interface),
            Err(ReadError::Device(fault)) => Err(fault),
            Err(ReadError::Gone) => Err(Fault::Refused(Errno::NODEV.into())),
            Err(ReadError::NoPermission) => Err(Fault::Refused(Errno::PERM.into())),
        }
    }

    /// Takes on an interface that this program has left behind, with its peers, whether it is up or down.
    ///
    /// # Errors
    /// See [`AdoptError`]. Nothing was changed.
    pub async fn adopt(
        netlink: &Netlink,
        name: &LinkName,
        public_key: PublicKey,
    ) -> Result<Self, AdoptError> {
        let link = Link::find(netlink, name).await?;
        let interface = Self::over(link, public_key).map_err(AdoptError::Device)?;
        let device = &interface.device;
        match device.observe().await {
            Ok(_) => Ok(interface),
            Err(ReadError::NoPermission) => Err(AdoptError::NoPermission),
            Err(ReadError::Device(fault)) => Err(AdoptError::Device(fault)),
            Err(ReadError::Gone) if interface.link.is_wireguard().await.is_ok_and(|is| is) => {
                Err(AdoptError::OtherKey(name.clone()))
            }
            Err(ReadError::Gone) => Err(AdoptError::OtherKind(name.clone())),
        }
    }

    fn over(link: Link, public_key: PublicKey) -> Result<Self, Fault> {
        let known = Known { index: link.index(), name: link.name().clone(), public_key };
        let workers = (Device::start_reader(Self::DEADLINE)?, Device::start_writer(Self::DEADLINE)?);
        Ok(Self { link, device: Device::new(known, workers) })
    }

    /// Sets the link up: from now on WireGuard listens.
    ///
    /// # Errors
    /// See [`SetUpError`].
    pub async fn set_up(&self) -> Result<(), SetUpError> {
        self.link
            .set_up()
            .await
            .map_err(|error| if is_port_taken(&error) { SetUpError::PortTaken } else { error.into() })
    }

    /// Deletes the link, and with it all peers.
    ///
    /// # Errors
    /// If it is gone already, or was not deleted.
    pub async fn delete(&self) -> Result<(), DeleteWireGuardError> {
        self.link.delete_wireguard().await
    }

    /// Its link, for addresses and routes.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// The key by which peers know it.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.device.known().public_key
    }

    /// Whether it is still there with its index, name and key; and the UDP port where it listens, `None` before it was
    /// first set up if the kernel is to choose. Costs the same however many peers there are.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn check(&self) -> Result<Option<NonZeroU16>, ReadError> {
        self.device.check().await
    }

    /// Reads the device with all its peers, and remembers what they are. Costs in proportion to the peers, and waits for
    /// additions and removals that are under way; cuts do not wait for it.
    ///
    /// # Errors
    /// See [`ReadError`]. There is no partial list.
    pub async fn observe(&self) -> Result<InterfaceStatus, ReadError> {
        self.device.observe().await
    }

    /// Adds peers that are not there, a few at a time. All of them are looked at before the first is sent.
    ///
    /// The kernel acknowledges it: that is not read back, which would cost as much as there are peers. What others take
    /// away meanwhile is seen by [`Interface::observe`].
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn add(&self, peers: &[(PublicKey, NewPeer)]) -> Result<(), WriteError> {
        self.device.add(peers).await
    }

    /// Makes these the allowed IPs of peers that are there.
    ///
    /// What takes away goes first, in one message for some hundred peers, ahead of additions and removals that wait or
    /// are under way; once it is acknowledged, nothing passes by what was taken away, and additions of these peers that
    /// were asked for earlier are not made. What gives comes after that, in its turn, and leaves alone what the peers
    /// keep. A prefix may go from one of these peers to another.
    ///
    /// While allowed IPs are taken away from a peer that keeps others, it has none of them for an instant, and packets
    /// of those it keeps may be lost. To take all away is sent whatever is known of the peer.
    ///
    /// # Errors
    /// See [`WriteError`]. If it is not known what the peers are, those that are to have nothing have lost everything
    /// before an [`WriteError::Unread`] or a refusal.
    pub async fn set_allowed_ips(&self, wanted: &[(PublicKey, BTreeSet<Prefix>)]) -> Result<(), WriteError> {
        self.device.set_allowed_ips(wanted).await
    }

    /// Removes peers with their WireGuard sessions, if they are there, a few at a time.
    ///
    /// The kernel waits for all its processors for each of them. To end access, take their allowed IPs away first.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn remove(&self, keys: &BTreeSet<PublicKey>) -> Result<(), WriteError> {
        self.device.remove(keys).await
    }
}

fn is_port_taken(error: &LinkError) -> bool {
    let LinkError::Netlink(NetlinkError::Refused(refusal)) = error else { return false };
    Errno::from_io_error(refusal) == Some(Errno::ADDRINUSE)
}

/// Whether somebody else has a UDP port, on any address: the kernel tells it of a link that is down only when it is set
/// up. What cannot be found out, as for ports that take another privilege, is found out then.
fn is_taken(port: NonZeroU16) -> bool {
    let bound = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port.get()));
    let v4_taken = bound.is_err_and(|error| Errno::from_io_error(&error) == Some(Errno::ADDRINUSE));
    let v6_taken = || {
        let socket = socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        set_ipv6_v6only(&socket, true)?;
        bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.get())))
    };
    v4_taken || v6_taken() == Err(Errno::ADDRINUSE)
}
