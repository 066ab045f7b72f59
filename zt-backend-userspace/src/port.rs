//! The way in and out of a tunnel for inner IP packets: bounded channels, one packet an item.

use std::fmt;
use std::future::pending;
use std::io;
use std::sync::Arc;

use gotatun::packet::{Ip, Packet, PacketBufPool};
use gotatun::tun::{IpRecv, IpSend, MtuWatcher};
use tokio::sync::mpsc;

use crate::filter::{Direction, Filter};

/// The greatest inner packet that a tunnel carries without splitting the outer one on an Ethernet, in bytes.
pub const TUNNEL_MTU: u16 = 1_420;

/// How many packets may wait on either side of a tunnel.
const QUEUE: usize = 1_024;
/// How many packets are taken from the queue at once.
const BATCH: usize = 64;

/// The near end of a tunnel: whole IP packets, header first.
///
/// Dropping the sender or the receiver stops that direction and nothing else.
#[derive(Debug)]
pub struct PacketPort {
    /// Packets to send into the tunnel. Waits while 1,024 of them wait already.
    pub sender: mpsc::Sender<Vec<u8>>,
    /// Packets that came out of the tunnel. Those for which there is no room among 1,024 are dropped.
    pub receiver: mpsc::Receiver<Vec<u8>>,
}

/// Decides about packets between WireGuard and a port.
pub(crate) trait Screen: Send + Sync + fmt::Debug + 'static {
    /// Calls `forward` with what may pass: the packet, or several fragments.
    fn pass(&self, direction: Direction, packet: &[u8], forward: impl FnMut(&[u8]) -> bool);
}

impl Screen for Filter {
    fn pass(&self, direction: Direction, packet: &[u8], forward: impl FnMut(&[u8]) -> bool) {
        let _ = Self::pass(self, direction, packet, forward);
    }
}

/// Lets every packet through: a device does not police itself.
#[derive(Debug)]
pub(crate) struct Unscreened;

impl Screen for Unscreened {
    fn pass(&self, _direction: Direction, packet: &[u8], mut forward: impl FnMut(&[u8]) -> bool) {
        let _ = forward(packet);
    }
}

/// A port, and the two ends of it that WireGuard holds.
pub(crate) fn open<S: Screen>(screen: &Arc<S>) -> (PacketPort, FromTunnel<S>, IntoTunnel<S>) {
    let (sender, outgoing) = mpsc::channel(QUEUE);
    let (incoming, receiver) = mpsc::channel(QUEUE);
    let from_tunnel = FromTunnel { screen: Arc::clone(screen), incoming };
    let into_tunnel = IntoTunnel { screen: Arc::clone(screen), outgoing, batch: Vec::new() };
    (PacketPort { sender, receiver }, from_tunnel, into_tunnel)
}

/// Takes decrypted packets, whose source WireGuard has checked against the peer, to the port.
///
/// WireGuard queues packets before this, none behind it: what it hands on here is what the port receives.
pub(crate) struct FromTunnel<S> {
    screen: Arc<S>,
    incoming: mpsc::Sender<Vec<u8>>,
}

impl<S: Screen> IpSend for FromTunnel<S> {
    async fn send(&mut self, packet: Packet<Ip>) -> io::Result<()> {
        let bytes = packet.into_bytes();
        let bytes: &[u8] = bytes.as_ref();
        self.screen
            .pass(Direction::FromDevice, bytes, |packet| self.incoming.try_send(packet.to_vec()).is_ok());
        Ok(())
    }
}

/// Takes packets from the port to be encrypted.
pub(crate) struct IntoTunnel<S> {
    screen: Arc<S>,
    outgoing: mpsc::Receiver<Vec<u8>>,
    batch: Vec<Vec<u8>>,
}

impl<S: Screen> IpRecv for IntoTunnel<S> {
    async fn recv<'a>(
        &'a mut self,
        _pool: &mut PacketBufPool,
    ) -> io::Result<impl Iterator<Item = Packet<Ip>> + Send + 'a> {
        loop {
            if self.outgoing.recv_many(&mut self.batch, BATCH).await == 0 {
                pending::<()>().await; // an error here would end the other direction too
            }
            let mut passed = Vec::with_capacity(self.batch.len());
            for bytes in self.batch.drain(..) {
                self.screen.pass(Direction::ToDevice, &bytes, |packet| {
                    Packet::copy_from(packet).try_into_ip().is_ok_and(|packet| {
                        passed.push(packet);
                        true
                    })
                });
            }
            if !passed.is_empty() {
                return Ok(passed.into_iter());
            }
        }
    }

    fn mtu(&self) -> MtuWatcher {
        MtuWatcher::new(TUNNEL_MTU)
    }
}
