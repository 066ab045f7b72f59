//! An underlay in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::underlay::{Datagram, DatagramPort};

/// How many datagrams may wait on either side of a port.
const QUEUE: usize = 1_024;

/// An underlay without any host: every port reaches every other one. Nothing is lost as long as queues have room.
#[derive(Debug, Clone, Default)]
pub struct MemoryNetwork {
    ports: Arc<Mutex<BTreeMap<SocketAddr, mpsc::Sender<Datagram>>>>,
}

impl MemoryNetwork {
    /// A port at an address, which is taken from whoever had it. To be called within a tokio runtime.
    #[must_use]
    pub fn attach(&self, local_address: SocketAddr) -> DatagramPort {
        let (sender, mut sent) = mpsc::channel::<Datagram>(QUEUE);
        let (arrive, receiver) = mpsc::channel(QUEUE);
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).insert(local_address, arrive);
        let network = self.clone();
        tokio::spawn(async move {
            while let Some(Datagram { peer, payload }) = sent.recv().await {
                if let Some(port) = network.port(peer) {
                    let _ = port.try_send(Datagram { peer: local_address, payload });
                }
            }
        });
        DatagramPort { local_address, sender, receiver }
    }

    fn port(&self, address: SocketAddr) -> Option<mpsc::Sender<Datagram>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).get(&address).cloned()
    }
}
