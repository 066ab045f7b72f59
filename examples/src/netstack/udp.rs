//! UDP sockets.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp;
use smoltcp::wire::IpEndpoint;

use super::Shared;

const PACKETS: usize = 256;
const PACKET_BYTES: usize = 64;

/// A UDP socket.
pub struct UdpSocket {
    shared: Arc<Shared>,
    handle: SocketHandle,
}

impl UdpSocket {
    pub(super) const fn new(shared: Arc<Shared>, handle: SocketHandle) -> Self {
        Self { shared, handle }
    }

    /// Sends a datagram; it is lost if the send buffer is full.
    pub fn send_to(&self, bytes: &[u8], to: SocketAddr) {
        let _ = self.shared.lock().sockets.get_mut::<udp::Socket<'_>>(self.handle).send_slice(bytes, to);
        self.shared.kick.notify_one();
    }

    /// Waits for a datagram.
    pub async fn receive(&self) -> (Vec<u8>, IpEndpoint) {
        poll_fn(|context| {
            let mut inner = self.shared.lock();
            let socket = inner.sockets.get_mut::<udp::Socket<'_>>(self.handle);
            if let Ok((bytes, from)) = socket.recv() {
                return Poll::Ready((bytes.to_vec(), from.endpoint));
            }
            socket.register_recv_waker(context.waker());
            Poll::Pending
        })
        .await
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.shared.lock().sockets.remove(self.handle);
    }
}

pub(super) fn socket() -> udp::Socket<'static> {
    let metadata = || vec![udp::PacketMetadata::EMPTY; PACKETS];
    let buffer = || udp::PacketBuffer::new(metadata(), vec![0; PACKETS.saturating_mul(PACKET_BYTES)]);
    udp::Socket::new(buffer(), buffer())
}
