//! The UDP socket that WireGuard uses: bound once, before WireGuard starts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gotatun::packet::{Packet, PacketBufPool};
use gotatun::udp::socket::{SockOpt, UdpSocket};
use gotatun::udp::{UdpRecv, UdpTransportFactory, UdpTransportFactoryParams};

/// A bound socket, and whether it still works.
///
/// WireGuard would bind to every address of the host; this one stays with the address it was bound to.
#[derive(Clone)]
pub(crate) struct Socket {
    socket: UdpSocket,
    failed: Arc<AtomicBool>,
}

impl Socket {
    /// Binds to an address; port 0 takes a free one, and `[::]` takes IPv4 too.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let only_v6 = address.is_ipv6().then_some(!address.ip().is_unspecified());
        let options = SockOpt { only_v6, ..SockOpt::default() };
        let socket = UdpSocket::bind(address, options)?;
        let _ = socket.enable_udp_gro(); // only makes receiving faster
        Ok(Self { socket, failed: Arc::default() })
    }

    /// Where it listens.
    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Whether receiving failed, after which WireGuard receives nothing more.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl UdpTransportFactory for Socket {
    type Send = UdpSocket;
    type Recv = Self;

    async fn bind(&mut self, _: &UdpTransportFactoryParams) -> io::Result<(UdpSocket, Self)> {
        Ok((self.socket.clone(), self.clone()))
    }
}

impl UdpRecv for Socket {
    type RecvManyBuf = <UdpSocket as UdpRecv>::RecvManyBuf;

    async fn recv_from(&mut self, pool: &mut PacketBufPool) -> io::Result<(Packet, SocketAddr)> {
        let received = self.socket.recv_from(pool).await;
        self.note(received)
    }

    async fn recv_many_from(
        &mut self,
        buffer: &mut Self::RecvManyBuf,
        pool: &mut PacketBufPool,
        packets: &mut Vec<(Packet, SocketAddr)>,
    ) -> io::Result<()> {
        let received = self.socket.recv_many_from(buffer, pool, packets).await;
        self.note(received)
    }
}
