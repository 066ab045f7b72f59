//! A thread for calls that block.

use std::fmt;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::fault::Fault;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that makes blocking calls, one after the other, in the order in which they were asked for.
///
/// It is in the network namespace of the thread that started it, and so are the sockets that it opens. It ends after the
/// call that it is in when this is dropped.
pub(super) struct Worker<S> {
    jobs: Sender<Job<S>>,
    deadline: Duration,
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl<S: Send + 'static> Worker<S> {
    /// Starts a thread that makes its calls with this state.
    pub(super) fn start(name: &str, mut state: S, deadline: Duration) -> io::Result<Self> {
        let (jobs, queue) = channel::<Job<S>>();
        Builder::new().name(name.to_owned()).spawn(move || {
            for job in queue {
                job(&mut state);
            }
        })?;
        Ok(Self { jobs, deadline })
    }

    /// Makes a call, and waits for its outcome until the deadline.
    ///
    /// A call that has begun by the deadline, or by when the future is dropped, is carried out; one that has not is
    /// not made any more.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut S) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let job = move |state: &mut S| {
            if !answer.is_closed() {
                drop(answer.send(call(state)));
            }
        };
        self.jobs.send(Box::new(job)).map_err(|_| Fault::Ended)?;
        let answered = timeout(self.deadline, answered).await.map_err(|_| Fault::Deadline(self.deadline))?;
        answered.map_err(|_| Fault::Ended)?
    }

    /// Waits until no call is being made, those that were given up included.
    pub(super) async fn settle(&self) -> Result<(), Fault> {
        self.call(|_| Ok(())).await
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_call_that_hangs_is_given_up_and_those_behind_it_are_not_made() {
        let worker = Worker::start("test", 0_u32, Duration::from_millis(50)).unwrap();
        let (release, hang) = mpsc::channel::<()>();
        let hung = worker.call(move |calls| {
            *calls += 1;
            assert!(hang.recv().is_err());
            Ok(())
        });
        assert!(matches!(hung.await, Err(Fault::Deadline(_))));
        let behind = worker.call(|calls| {
            *calls += 100;
            Ok(())
        });
        assert!(matches!(behind.await, Err(Fault::Deadline(_))));
        assert!(matches!(worker.settle().await, Err(Fault::Deadline(_))));
        drop(release);
        worker.settle().await.unwrap();
        assert_eq!(worker.call(|calls| Ok(*calls)).await.unwrap(), 1);
    }
}
