//! The event log: the only thing that has to be kept.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::event::Entry;
use crate::id::Seq;

/// An ordered, durable list of entries.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends an entry whose place is the next one; it is durable when this returns.
    ///
    /// # Errors
    /// If another entry has that place, or the log cannot be written; the log is as it was then.
    async fn append(&self, entry: &Entry) -> Result<(), LogError>;

    /// The entries from place `from` on, in order; at most `limit`.
    ///
    /// # Errors
    /// If the log cannot be read.
    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<Entry>, LogError>;
}

#[async_trait]
impl<L: EventLog + ?Sized> EventLog for Arc<L> {
    async fn append(&self, entry: &Entry) -> Result<(), LogError> {
        self.as_ref().append(entry).await
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.as_ref().read(from, limit).await
    }
}

/// Why a log failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The entry's place is not the next one: somebody else was first, or an entry was skipped.
    #[error("the next place in the log is {next}")]
    Conflict {
        /// The next free place.
        next: Seq,
    },
    /// The storage failed.
    #[error("the log's storage failed: {0}")]
    Storage(String),
}

/// A log that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryLog {
    entries: Mutex<Vec<Entry>>,
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, entry: &Entry) -> Result<(), LogError> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let next = entries.last().map_or(Seq(1), |last| last.seq.next());
        if entry.seq != next {
            return Err(LogError::Conflict { next });
        }
        entries.push(entry.clone());
        Ok(())
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<Entry>, LogError> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let first = entries.partition_point(|entry| entry.seq < from);
        Ok(entries.iter().skip(first).take(limit).cloned().collect())
    }
}
