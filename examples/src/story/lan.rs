//! The network behind the gateway: one stack that answers on every address, with real listeners.

use std::net::SocketAddr;

use zt_backend_userspace::PacketPort;

use crate::netstack::{Answers, Stack};

use super::traffic::Traffic;

/// How many connections to one address may come at once.
const BACKLOG: usize = 4;

/// The network behind the gateway.
pub(super) struct Lan {
    stack: Stack,
    traffic: Traffic,
}

impl Lan {
    /// Starts the network at the gateway's port.
    #[must_use]
    pub(super) fn start(port: PacketPort, traffic: Traffic) -> Self {
        Self { stack: Stack::start(port, Answers::Everywhere), traffic }
    }

    /// Listens for TCP connections at `at`.
    pub(super) fn listen(&self, at: SocketAddr) {
        for _ in 0..BACKLOG {
            let (stack, traffic) = (self.stack.clone(), self.traffic.clone());
            tokio::spawn(async move {
                while let Ok(stream) = stack.accept(at).await {
                    let traffic = traffic.clone();
                    tokio::spawn(async move { traffic.serve_stream(stream).await });
                }
            });
        }
    }

    /// Receives UDP datagrams at `at`.
    ///
    /// # Errors
    /// If the address is bound already.
    pub(super) fn receive(&self, at: SocketAddr) -> std::io::Result<()> {
        let (socket, traffic) = (self.stack.bind(at)?, self.traffic.clone());
        tokio::spawn(async move {
            loop {
                traffic.serve_datagram(&socket.receive().await.0);
            }
        });
        Ok(())
    }
}
