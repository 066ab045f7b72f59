//! Counted records on their way through the tunnel, stamped by one clock at both ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use zt_core::time::Timestamp;

/// How long anything that should happen may take before it counts as not happening.
pub const LIMIT: Duration = Duration::from_secs(3);

/// One record: its number and when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 0 without gaps.
    pub seq: u64,
    /// When the sender handed it over.
    pub sent_at: Timestamp,
}

impl Record {
    /// How many bytes a record has.
    pub const BYTES: usize = 16;

    /// The bytes of the record.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        (u128::from(self.seq) << 64 | u128::from(self.sent_at.as_millis().cast_unsigned())).to_be_bytes()
    }

    /// The record of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let both = u128::from_be_bytes(bytes);
        let low = u64::try_from(both & u128::from(u64::MAX)).unwrap_or_default();
        let seq = u64::try_from(both >> 64).unwrap_or_default();
        Self { seq, sent_at: Timestamp::from_millis(low.cast_signed()) }
    }
}

/// What one sender sent, and what of it a socket at the other end received.
#[derive(Debug, Default)]
pub struct Meter {
    sent: Mutex<Vec<Timestamp>>,
    delivered: Mutex<Vec<(Record, Timestamp)>>,
    progress: Notify,
}

impl Meter {
    /// The record to send next, at `now`.
    pub fn send(&self, now: Timestamp) -> Record {
        let mut sent = lock(&self.sent);
        let seq = u64::try_from(sent.len()).unwrap_or(u64::MAX);
        sent.push(now);
        self.progress.notify_waiters();
        Record { seq, sent_at: now }
    }

    /// Notes that a socket received a record at `now`.
    pub fn deliver(&self, record: Record, now: Timestamp) {
        lock(&self.delivered).push((record, now));
        self.progress.notify_waiters();
    }

    /// How many records were sent later than `at`.
    #[must_use]
    pub fn sent_after(&self, at: Timestamp) -> usize {
        lock(&self.sent).iter().filter(|sent_at| **sent_at > at).count()
    }

    /// How many records were delivered that had been sent later than `at`, whenever they came.
    #[must_use]
    pub fn delivered_of_after(&self, at: Timestamp) -> usize {
        lock(&self.delivered).iter().filter(|(record, _)| record.sent_at > at).count()
    }

    /// When the last record came; `None` if none did.
    #[must_use]
    pub fn last_delivery(&self) -> Option<Timestamp> {
        lock(&self.delivered).iter().map(|(_, received_at)| *received_at).max()
    }

    /// Waits until at least `count` records that were sent later than `at` have come; false if [`LIMIT`] passes first.
    pub async fn wait_delivered(&self, at: Timestamp, count: usize) -> bool {
        self.wait(|meter| meter.delivered_of_after(at) >= count).await
    }

    /// Waits until at least `count` records have been sent later than `at`; false if [`LIMIT`] passes first.
    pub async fn wait_sent(&self, at: Timestamp, count: usize) -> bool {
        self.wait(|meter| meter.sent_after(at) >= count).await
    }

    async fn wait(&self, reached: impl Fn(&Self) -> bool) -> bool {
        let waiting = async {
            loop {
                let mut progress = std::pin::pin!(self.progress.notified());
                progress.as_mut().enable();
                if reached(self) {
                    return;
                }
                progress.await;
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.is_ok()
    }
}

/// All meters of a run, by the numbers that go over the wire.
#[derive(Debug, Default)]
pub struct Meters {
    meters: Mutex<BTreeMap<u64, Arc<Meter>>>,
    last: AtomicU64,
}

impl Meters {
    /// A new meter and its number.
    pub fn open(&self) -> (u64, Arc<Meter>) {
        let number = self.last.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let meter = Arc::new(Meter::default());
        lock(&self.meters).insert(number, Arc::clone(&meter));
        (number, meter)
    }

    /// The meter of a number that came over the wire.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<Arc<Meter>> {
        lock(&self.meters).get(&number).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
