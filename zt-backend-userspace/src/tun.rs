//! A packet port on a TUN device of this host: for gateways and devices that whole networks or programs use.

use std::time::Duration;

use tokio::select;
use tokio::time::sleep;
use zt_linux::{PacketError, Tun};

use crate::packet::clamp;
use crate::port::PacketPort;

/// How long a device that is down is left alone.
const DOWN: Duration = Duration::from_millis(100);
/// How long a device that gave no packet for a reason of its own is left alone: no longer than its queue has room for.
const REFUSED: Duration = Duration::from_millis(1);

/// What ended the carrying of packets.
#[derive(Debug)]
pub enum CarryEnd {
    /// The gateway or the tunnel was stopped.
    Stopped,
    /// The device is gone.
    Failed(PacketError),
}

/// Carries packets between a port and a TUN device, until either of them is gone; then nothing passes any more.
///
/// TCP connections that are opened, in either direction, are held to segments that fit the device. Packets that the
/// device refuses, for being too long, because it is down, or because the system is short of something, are dropped: no
/// such error, however often it comes, ends the carrying of those that follow.
pub async fn carry(port: PacketPort, tun: &Tun) -> CarryEnd {
    carry_by(port, tun).await
}

/// What gives and takes packets.
trait Device {
    fn mtu(&self) -> u16;
    async fn receive(&self) -> Result<Vec<u8>, PacketError>;
    async fn send(&self, packet: &[u8]) -> Result<(), PacketError>;
}

impl Device for Tun {
    fn mtu(&self) -> u16 {
        Self::mtu(self).bytes()
    }

    async fn receive(&self) -> Result<Vec<u8>, PacketError> {
        Self::receive(self).await
    }

    async fn send(&self, packet: &[u8]) -> Result<(), PacketError> {
        Self::send(self, packet).await
    }
}

async fn carry_by(port: PacketPort, device: &impl Device) -> CarryEnd {
    let PacketPort { sender, mut receiver } = port;
    let mtu = device.mtu();
    let inwards = async {
        loop {
            match device.receive().await {
                Ok(mut packet) => {
                    clamp(&mut packet, mtu);
                    if sender.send(packet).await.is_err() {
                        return CarryEnd::Stopped;
                    }
                }
                Err(PacketError::TooLong(_) | PacketError::NotIp) => {}
                Err(PacketError::Down) => sleep(DOWN).await,
                Err(PacketError::Refused(_)) => sleep(REFUSED).await,
                Err(error) => return CarryEnd::Failed(error),
            }
        }
    };
    let outwards = async {
        while let Some(mut packet) = receiver.recv().await {
            clamp(&mut packet, mtu);
            match device.send(&packet).await {
                Ok(())
                | Err(
                    PacketError::TooLong(_)
                    | PacketError::NotIp
                    | PacketError::Down
                    | PacketError::Refused(_),
                ) => {}
                Err(error) => return CarryEnd::Failed(error),
            }
        }
        CarryEnd::Stopped
    };
    select! {
        end = inwards => end,
        end = outwards => end,
    }
}

#[cfg(test)]
mod tests;
