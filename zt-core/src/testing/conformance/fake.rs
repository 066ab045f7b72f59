//! The lab of the fake backend, which is the suite's own example.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use super::{End, Lab, Labs};
use crate::backend::Backend;
use crate::key::{PrivateKey, PublicKey};
use crate::testing::{FakeBackend, Fault, Reassembly, Side, Verdict, read};
use crate::time::Timestamp;

/// Labs around [`FakeBackend`], in which packets take no time.
#[derive(Debug, Clone, Copy, Default)]
pub struct FakeLabs {
    /// What the backend does wrong; nothing if there is none.
    pub fault: Option<Fault>,
}

#[async_trait]
impl Labs for FakeLabs {
    async fn open(&self) -> Box<dyn Lab> {
        let backend = self.fault.map_or_else(FakeBackend::default, FakeBackend::with_fault);
        let ways = Ways { backend, state: Mutex::default() };
        let ways = Arc::new(ways);
        let network = Arc::new(FakeEnd { side: Side::Network, ways: Arc::clone(&ways) });
        Box::new(FakeLab { ways, network })
    }
}

struct FakeLab {
    ways: Arc<Ways>,
    network: Arc<FakeEnd>,
}

/// The gateway, and what waits at the ends.
struct Ways {
    backend: FakeBackend,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    now: Timestamp,
    owners: BTreeMap<IpAddr, PublicKey>,
    network: Queue,
    devices: BTreeMap<PublicKey, Queue>,
    dropped: u64,
    from_network: Reassembly,
    from_devices: BTreeMap<PublicKey, Reassembly>,
}

#[derive(Default)]
struct Queue {
    packets: VecDeque<Vec<u8>>,
    waiting: Option<Waker>,
}

impl Queue {
    fn push(&mut self, packet: Vec<u8>) {
        self.packets.push_back(packet);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}

struct FakeEnd {
    side: Side,
    ways: Arc<Ways>,
}

#[async_trait]
impl Lab for FakeLab {
    fn backend(&self) -> &dyn Backend {
        &self.ways.backend
    }

    fn now(&self) -> Timestamp {
        self.ways.with(|state| state.now)
    }

    async fn advance(&mut self, by: Duration) {
        self.ways.with(|state| state.now = state.now.after(by));
    }

    async fn device(&mut self, key: PrivateKey, addresses: &[IpAddr]) -> Arc<dyn End> {
        let key = key.public_key();
        self.ways.with(|state| state.owners.extend(addresses.iter().map(|address| (*address, key))));
        Arc::new(FakeEnd { side: Side::Device(key), ways: Arc::clone(&self.ways) })
    }

    fn network(&self) -> Arc<dyn End> {
        Arc::<FakeEnd>::clone(&self.network)
    }

    async fn dropped(&self) -> u64 {
        self.ways.with(|state| state.dropped)
    }

    async fn restart(&mut self) {
        self.ways.backend.forget_flows();
    }

    async fn pause(&self) {
        yield_once().await;
    }

    /// Ends when everything has had a thousand turns: nothing is on its way for longer.
    async fn patience(&self) {
        for _ in 0..1_000 {
            yield_once().await;
        }
    }
}

#[async_trait]
impl End for FakeEnd {
    async fn send(&self, packet: Vec<u8>) {
        self.ways.carry(self.side, &packet);
        yield_once().await;
    }

    fn receive<'a, 's>(&'a self) -> std::pin::Pin<Box<dyn Future<Output = Vec<u8>> + Send + 's>>
    where
        'a: 's,
    {
        Box::pin(poll_fn(|context| {
            self.ways.with(|state| {
                let queue = match self.side {
                    Side::Network => &mut state.network,
                    Side::Device(key) => state.devices.entry(key).or_default(),
                };
                queue.packets.pop_front().map_or_else(
                    || {
                        queue.waiting = Some(context.waker().clone());
                        Poll::Pending
                    },
                    Poll::Ready,
                )
            })
        }))
    }
}

impl Ways {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the backend judge a packet, and puts it where it goes to if it passes.
    fn carry(&self, side: Side, bytes: &[u8]) {
        self.with(|state| {
            let pieces = match side {
                Side::Network => &mut state.from_network,
                Side::Device(key) => state.from_devices.entry(key).or_default(),
            };
            let Some(whole) = pieces.take(bytes).whole() else { return };
            let Some(packet) = read(side, &whole) else {
                state.dropped = state.dropped.saturating_add(1);
                if self.backend.has(Fault::FilterOff) && side != Side::Network {
                    state.network.push(whole);
                }
                return;
            };
            if self.backend.judge(&packet, state.now) == Verdict::Drop {
                state.dropped = state.dropped.saturating_add(1);
                return;
            }
            let queue = match side {
                Side::Device(_) => &mut state.network,
                Side::Network => match state.owners.get(&packet.destination) {
                    Some(key) => state.devices.entry(*key).or_default(),
                    None => return,
                },
            };
            queue.push(whole);
        });
    }
}

/// Lets the others have a turn.
async fn yield_once() {
    let mut is_second = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
