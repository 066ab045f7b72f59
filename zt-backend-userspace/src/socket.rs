//! What WireGuard sends and receives datagrams by: opened once, before WireGuard starts.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gotatun::packet::{Packet, PacketBufPool};
use gotatun::udp::socket::{SockOpt, UdpSocket};
use gotatun::udp::{UdpRecv, UdpSend, UdpTransportFactory, UdpTransportFactoryParams};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use tokio::sync::mpsc;

use crate::underlay::{Datagram, DatagramPort, Underlay};
use crate::wireguard::StartError;

/// An open socket, and whether it still works.
///
/// WireGuard would bind to every address of the host; this one stays with the address it was bound to.
#[derive(Clone)]
pub(crate) struct Socket {
    local_address: SocketAddr,
    /// None once it is closed.
    open: Arc<Mutex<Option<Half>>>,
    failed: Arc<AtomicBool>,
}

/// Ends when nobody has the socket any more.
pub(crate) struct Closed(mpsc::Receiver<Infallible>);

/// What one of WireGuard's tasks sends or receives by.
#[derive(Clone)]
pub(crate) struct Half {
    carrier: Carrier,
    failed: Arc<AtomicBool>,
    /// Dropped after the carrier.
    _open: mpsc::Sender<Infallible>,
}

#[derive(Clone)]
enum Carrier {
    Udp(UdpSocket),
    Channels { sender: mpsc::Sender<Datagram>, receiver: Arc<Receiver> },
}

/// One task receives at a time.
type Receiver = tokio::sync::Mutex<mpsc::Receiver<Datagram>>;

impl Socket {
    /// Opens a socket, which for UDP binds it; tells when it will be closed.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub(crate) fn open(underlay: Underlay) -> Result<(Self, Closed), StartError> {
        let (local_address, carrier) = match underlay {
            Underlay::Udp(address) => {
                let only_v6 = address.is_ipv6().then_some(!address.ip().is_unspecified());
                let options = SockOpt { only_v6, ..SockOpt::default() };
                let bound = UdpSocket::bind(address, options)
                    .and_then(|socket| socket.local_addr().map(|address| (address, socket)));
                let (local, socket) = bound.map_err(|source| StartError::Bind { address, source })?;
                let _ = socket.enable_udp_gro(); // only makes receiving faster
                // routers on the way may split IPv4 datagrams: not each of them tells that one is too big
                let _ = set_ip_mtu_discover(socket.socket(), Ipv4PathMtuDiscovery::DONT);
                (local, Carrier::Udp(socket))
            }
            Underlay::Channels(DatagramPort { local_address, sender, receiver }) => {
                (local_address, Carrier::Channels { sender, receiver: Arc::new(Receiver::new(receiver)) })
            }
        };
        let (open, closed) = mpsc::channel(1);
        let failed = Arc::default();
        let half = Half { carrier, failed: Arc::clone(&failed), _open: open };
        Ok((Self { local_address, open: Arc::new(Mutex::new(Some(half))), failed }, Closed(closed)))
    }

    /// Where it listens.
    pub(crate) const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Whether receiving failed, after which WireGuard receives nothing more.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Closes it for WireGuard's tasks that have ended, or will.
    pub(crate) fn close(&self) {
        drop(self.lock().take());
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Half>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Closed {
    /// Waits until nobody has the socket any more.
    pub(crate) async fn wait(&mut self) {
        while self.0.recv().await.is_some() {}
    }
}

impl UdpTransportFactory for Socket {
    type Send = Half;
    type Recv = Half;

    async fn bind(&mut self, _: &UdpTransportFactoryParams) -> io::Result<(Half, Half)> {
        let half = self.lock().clone().ok_or(io::ErrorKind::NotConnected)?;
        Ok((half.clone(), half))
    }
}

impl Half {
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl UdpRecv for Half {
    type RecvManyBuf = <UdpSocket as UdpRecv>::RecvManyBuf;

    async fn recv_from(&mut self, pool: &mut PacketBufPool) -> io::Result<(Packet, SocketAddr)> {
        let received = match &mut self.carrier {
            Carrier::Udp(socket) => socket.recv_from(pool).await,
            Carrier::Channels { receiver, .. } => receive(receiver).await,
        };
        self.note(received)
    }

    async fn recv_many_from(
        &mut self,
        buffer: &mut Self::RecvManyBuf,
        pool: &mut PacketBufPool,
        packets: &mut Vec<(Packet, SocketAddr)>,
    ) -> io::Result<()> {
        let received = match &mut self.carrier {
            Carrier::Udp(socket) => socket.recv_many_from(buffer, pool, packets).await,
            Carrier::Channels { receiver, .. } => receive(receiver).await.map(|one| packets.push(one)),
        };
        self.note(received)
    }
}

impl UdpSend for Half {
    type SendManyBuf = <UdpSocket as UdpSend>::SendManyBuf;

    async fn send_to(&self, packet: Packet, destination: SocketAddr) -> io::Result<()> {
        match &self.carrier {
            Carrier::Udp(socket) => socket.send_to(packet, destination).await,
            Carrier::Channels { sender, .. } => {
                send(sender, &packet, destination);
                Ok(())
            }
        }
    }

    fn max_number_of_packets_to_send(&self) -> usize {
        match &self.carrier {
            Carrier::Udp(socket) => socket.max_number_of_packets_to_send(),
            Carrier::Channels { .. } => BATCH,
        }
    }

    async fn send_many_to(
        &self,
        buffer: &mut Self::SendManyBuf,
        packets: &mut Vec<(Packet, SocketAddr)>,
    ) -> io::Result<()> {
        match &self.carrier {
            Carrier::Udp(socket) => {
                if socket.send_many_to(buffer, packets).await.is_err() {
                    // It ended at a packet that cannot be sent, and does not tell which. What follows is for other
                    // peers, so all are sent again, one by one: a peer drops what it has had.
                    for (packet, destination) in packets.drain(..) {
                        let _ = socket.send_to(packet, destination).await;
                    }
                }
                Ok(())
            }
            Carrier::Channels { sender, .. } => {
                packets.drain(..).for_each(|(packet, destination)| send(sender, &packet, destination));
                Ok(())
            }
        }
    }
}

/// How many datagrams WireGuard gives to channels at once.
const BATCH: usize = 64;

async fn receive(receiver: &Receiver) -> io::Result<(Packet, SocketAddr)> {
    let received = receiver.lock().await.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
    Ok((Packet::copy_from(received.payload.as_slice()), received.peer))
}

fn send(sender: &mpsc::Sender<Datagram>, packet: &Packet, peer: SocketAddr) {
    let payload = AsRef::<[u8]>::as_ref(packet).to_vec();
    let _ = sender.try_send(Datagram { peer, payload });
}

#[cfg(test)]
mod tests;
