//! Numbered packets, sent without end while something else happens, and who saw which of them.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    seen: AtomicU64,
    highest: AtomicU64,
}

impl Stream {
    /// The four streams between a device and a service: both ways, in both families.
    pub(super) fn of(device: &Device, network: &Arc<dyn End>, service: Service) -> Vec<Self> {
        let mut streams = Vec::new();
        let of_device = u64::from(device.addresses.iter().any(|address| address.to_string().ends_with('2')));
        for family in [0, 1] {
            let (up, down) = conversation(device, service, family);
            let ends = [(&device.end, network, up), (network, &device.end, down)];
            for ((from, to, wrap), way) in ends.into_iter().zip(0_u64..) {
                let place = u64::try_from(family).unwrap_or(0);
                let id = u64::from(service.region) << 8 | of_device << 4 | place << 1 | way;
                let (sent, seen, highest) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
                streams.push(Self {
                    id,
                    from: Arc::clone(from),
                    to: Arc::clone(to),
                    wrap,
                    sent,
                    seen,
                    highest,
                });
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
        until(lab, || self.seen.load(Ordering::SeqCst) >= count, "a stream should arrive").await
    }

    /// Waits until a packet with this number or a higher one has arrived.
    pub(super) async fn seen_beyond(&self, lab: &dyn Lab, number: u64) -> Played {
        until(lab, || self.highest.load(Ordering::SeqCst) >= number, "a stream should go on to arrive").await
    }

    /// Fails if a packet has arrived that was sent after the one with this number.
    pub(super) fn nothing_beyond(&self, scene: &Scene, mark: u64) -> Played {
        let late = scene.highest(&self.to, self.id << COUNT_BITS, (self.id + 1) << COUNT_BITS);
        let late = late.map_or(0, |late| late & ((1 << COUNT_BITS) - 1));
        let highest = self.highest.load(Ordering::SeqCst).max(late);
        if highest > mark {
            return fail(format!(
                "packet {highest} of stream {:x} arrived, though it was sent after the cut at {mark}",
                self.id
            ));
        }
        Ok(())
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
            self.seen.fetch_add(1, Ordering::SeqCst);
            self.highest.fetch_max(number & ((1 << COUNT_BITS) - 1), Ordering::SeqCst);
        }
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
