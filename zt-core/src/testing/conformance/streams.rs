//! Numbered packets, sent without end while something else happens, and who saw which of them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, join_all, select};

use super::scene::{Device, Played, Scene, Service, Wrap, conversation, fail, number, payload};
use super::{End, Failure, Lab};

/// The bits of a packet's number that count within its stream.
const COUNT_BITS: u32 = 40;
/// After so many packets a stream makes a pause, so that paths without room do not lose all of them.
const BURST: u64 = 8;

/// Packets of one flow in one direction. Their numbers begin with the stream's own.
pub(super) struct Stream {
    id: u64,
    from: Arc<dyn End>,
    to: Arc<dyn End>,
    wrap: Wrap,
    sent: AtomicU64,
    /// The counts of the packets that have arrived while it flowed.
    arrived: Mutex<BTreeSet<u64>>,
}

impl Stream {
    /// The four streams between a device and a service: both ways, in both families. `round` tells them from others of
    /// the same flows.
    pub(super) fn of(device: &Device, network: &Arc<dyn End>, service: Service, round: u64) -> Vec<Self> {
        let mut streams = Vec::new();
        let of_device = u64::from(device.addresses.iter().any(|address| address.to_string().ends_with('2')));
        for family in [0, 1] {
            let (up, down) = conversation(device, service, family);
            let ends = [(&device.end, network, up), (network, &device.end, down)];
            for ((from, to, wrap), way) in ends.into_iter().zip(0_u64..) {
                let place = u64::try_from(family).unwrap_or(0);
                let id = round << 16 | u64::from(service.region) << 8 | of_device << 4 | place << 1 | way;
                let (from, to) = (Arc::clone(from), Arc::clone(to));
                let (sent, arrived) = (AtomicU64::new(0), Mutex::default());
                streams.push(Self { id, from, to, wrap, sent, arrived });
            }
        }
        streams
    }

    /// The number of the last packet that may have been sent.
    pub(super) fn mark(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Waits until so many of its packets have been sent.
    pub(super) async fn sent(&self, lab: &dyn Lab, count: u64) -> Played {
        until(lab, || self.mark() >= count, "a stream should go on to be sent").await
    }

    /// Waits until so many of its packets have arrived.
    pub(super) async fn seen(&self, lab: &dyn Lab, count: u64) -> Played {
        until(lab, || self.count_seen() >= count, "a stream should arrive").await
    }

    /// Waits until a packet with this number or a higher one has arrived.
    pub(super) async fn seen_beyond(&self, lab: &dyn Lab, number: u64) -> Played {
        let beyond = || self.arrived().last().is_some_and(|highest| *highest >= number);
        until(lab, beyond, "a stream should go on to arrive").await
    }

    /// How many packets have arrived while it flowed.
    pub(super) fn count_seen(&self) -> u64 {
        u64::try_from(self.arrived().len()).unwrap_or(u64::MAX)
    }

    /// How many packets have arrived, then or later, that were sent after the one with this number.
    pub(super) fn count_beyond(&self, scene: &Scene, mark: u64) -> u64 {
        let beyond = mark.saturating_add(1);
        let (first, end) = (self.id << COUNT_BITS | beyond, (self.id + 1) << COUNT_BITS);
        let late = scene.arrived(&self.to, first, end).map(|number| number & ((1 << COUNT_BITS) - 1));
        let all: BTreeSet<u64> = self.arrived().range(beyond..).copied().chain(late).collect();
        u64::try_from(all.len()).unwrap_or(u64::MAX)
    }

    fn arrived(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends without end.
    async fn pump(&self, lab: &dyn Lab) -> Infallible {
        loop {
            let count = self.sent.fetch_add(1, Ordering::SeqCst).saturating_add(1);
            self.from.send((self.wrap)(&payload(self.id << COUNT_BITS | count, 16))).await;
            if count.is_multiple_of(BURST) {
                lab.pause().await;
            }
        }
    }

    fn note(&self, number: u64) {
        if number >> COUNT_BITS == self.id {
            self.arrived().insert(number & ((1 << COUNT_BITS) - 1));
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {:x}", self.id)
    }
}

/// Does `act` while all streams flow, and notes what arrives of them.
pub(super) async fn flow<T>(
    lab: &dyn Lab,
    streams: &[&Stream],
    act: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    let mut ends: Vec<&Arc<dyn End>> = Vec::new();
    for stream in streams {
        if !ends.iter().any(|end| Arc::ptr_eq(end, &stream.to)) {
            ends.push(&stream.to);
        }
    }
    let pumps = join_all(streams.iter().map(|stream| stream.pump(lab)));
    let drains = join_all(ends.into_iter().map(|end| drain(end, streams)));
    let traffic = std::pin::pin!(select(pumps, drains));
    match select(std::pin::pin!(act), traffic).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => fail("traffic ended"),
    }
}

async fn drain(end: &Arc<dyn End>, streams: &[&Stream]) -> Infallible {
    loop {
        if let Some(number) = number(&end.receive().await) {
            streams.iter().for_each(|stream| stream.note(number));
        }
    }
}

async fn until(lab: &dyn Lab, holds: impl Fn() -> bool, what: &str) -> Played {
    let waiting = async {
        while !holds() {
            lab.pause().await;
        }
    };
    match select(std::pin::pin!(waiting), lab.patience()).await {
        Either::Left(_) => Ok(()),
        Either::Right(_) => fail(what),
    }
}
