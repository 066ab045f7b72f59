//! A packet port on a TUN device of this host: for gateways and devices that whole networks or programs use.

use std::time::Duration;

use tokio::select;
use tokio::time::sleep;
use zt_linux::{PacketError, Tun};

use crate::packet::clamp;
use crate::port::PacketPort;

/// How long a device that is down is left alone.
const DOWN: Duration = Duration::from_millis(100);

/// What ended the carrying of packets.
#[derive(Debug)]
pub enum CarryEnd {
    /// The gateway or the tunnel was stopped.
    Stopped,
    /// The device is gone, or does not work.
    Failed(PacketError),
}

/// Carries packets between a port and a TUN device, until either of them is gone; then nothing passes any more.
///
/// TCP connections that are opened, in either direction, are held to segments that fit the device. Packets that the
/// device refuses, for being too long or because it is down, are dropped.
pub async fn carry(port: PacketPort, tun: &Tun) -> CarryEnd {
    let PacketPort { sender, mut receiver } = port;
    let mtu = tun.mtu().bytes();
    let inwards = async {
        loop {
            match tun.receive().await {
                Ok(mut packet) => {
                    clamp(&mut packet, mtu);
                    if sender.send(packet).await.is_err() {
                        return CarryEnd::Stopped;
                    }
                }
                Err(PacketError::TooLong(_) | PacketError::NotIp) => {}
                Err(PacketError::Down) => sleep(DOWN).await,
                Err(error) => return CarryEnd::Failed(error),
            }
        }
    };
    let outwards = async {
        while let Some(mut packet) = receiver.recv().await {
            clamp(&mut packet, mtu);
            match tun.send(&packet).await {
                Ok(()) | Err(PacketError::TooLong(_) | PacketError::NotIp | PacketError::Down) => {}
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
