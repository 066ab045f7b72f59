//! Numbered packets, sent without a pause, and who saw which of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::lab::PATIENCE;

/// Packets that carry the stream's name and a number that grows.
pub(crate) struct Stream {
    pub(crate) name: u8,
    sent: Arc<AtomicU64>,
    halt: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Stream {
    /// Sends what `packet` makes of each payload.
    pub(crate) fn start(
        name: u8,
        port: &mpsc::Sender<Vec<u8>>,
        packet: impl Fn(&[u8]) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let (sent, halt) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, halted, port) = (Arc::clone(&sent), Arc::clone(&halt), port.clone());
        let task = tokio::spawn(async move {
            while !halted.load(Ordering::SeqCst) {
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                port.send(packet(&payload(name, number))).await.unwrap();
                if number % 8 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await; // pace, or the sockets overflow
                }
            }
        });
        Self { name, sent, halt, task }
    }

    /// The number of the last packet that may have been sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    pub(crate) async fn wait_for_sent(&self, number: u64) {
        let sent = async {
            while self.sent() < number {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, sent).await.expect("the sender goes on");
    }

    pub(crate) async fn halt(self) {
        self.halt.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
    }
}

pub(crate) fn payload(name: u8, number: u64) -> Vec<u8> {
    let mut payload = vec![name];
    payload.extend(number.to_be_bytes());
    payload
}

/// What arrived, by stream: how many packets, and the highest number.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    streams: Arc<Mutex<BTreeMap<u8, (u64, u64)>>>,
    changed: Arc<Notify>,
}

impl Seen {
    /// Notes all that comes out of a port until it ends.
    pub(crate) fn watch(&self, mut port: mpsc::Receiver<Vec<u8>>) {
        let seen = self.clone();
        tokio::spawn(async move {
            while let Some(packet) = port.recv().await {
                let (_, tail) = packet.split_at(packet.len() - 9);
                let number = u64::from_be_bytes(tail[1..].try_into().unwrap());
                let mut streams = seen.streams.lock().await;
                let (count, highest) = streams.entry(tail[0]).or_default();
                *count += 1;
                *highest = number.max(*highest);
                seen.changed.notify_waiters();
            }
        });
    }

    /// How many packets of a stream arrived, and the highest number among them.
    pub(crate) async fn of(&self, name: u8) -> (u64, u64) {
        self.streams.lock().await.get(&name).copied().unwrap_or_default()
    }

    pub(crate) async fn wait_for(&self, name: u8, what: impl Fn((u64, u64)) -> bool) {
        let happens = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if what(self.of(name).await) {
                    break;
                }
                changed.await;
            }
        };
        timeout(PATIENCE, happens).await.unwrap_or_else(|_| panic!("stream {name} should have gone on"));
    }
}
