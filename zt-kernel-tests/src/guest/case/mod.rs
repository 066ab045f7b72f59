//! Cases, and how they are run: one after the other, each in a network namespace of its own.

mod kernel;

use std::borrow::Cow;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use zt_kernel_tests::console::Line;

use crate::console::say;
use crate::namespace::Namespace;

/// How long a case may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much longer one has to end that is told to.
const GRACE: Duration = Duration::from_secs(10);

/// The panics of all threads, since the case began.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

type Running = Pin<Box<dyn Future<Output = ()>>>;

/// Something that has to be so on this kernel. What is not so is said by a panic, in whatever thread.
pub(crate) struct Case {
    name: Cow<'static, str>,
    run: Box<dyn FnOnce() -> Running + Send>,
}

impl Case {
    /// A case that runs in a network namespace where nothing is, not even a loopback device that is up.
    pub(crate) fn new<F: Future<Output = ()> + 'static>(
        name: impl Into<Cow<'static, str>>,
        run: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        Self { name: name.into(), run: Box::new(|| Box::pin(run())) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Runs cases, and says how each ended; returns how many passed and how many failed.
pub(crate) fn run_all(cases: Vec<Case>) -> (usize, usize) {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |location| format!(" at {location}"));
        let text = info.payload_as_str().unwrap_or("a panic without a text");
        PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{text}{place}"));
    }));
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for case in cases {
        let name = case.name.clone().into_owned();
        say(&Line::Case { name: name.clone() });
        let watch = kernel::Watch::start();
        let started = Instant::now();
        let outcome = run(case).and_then(|()| watch.judge());
        let took = started.elapsed();
        match outcome {
            Ok(()) => {
                passed = passed.saturating_add(1);
                say(&Line::Pass { name, took });
            }
            Err(reason) => {
                failed = failed.saturating_add(1);
                watch.tell();
                say(&Line::Fail { name, took, reason });
            }
        }
    }
    (passed, failed)
}

/// Runs a case in a thread of its own. One that does not end is left behind.
fn run(case: Case) -> Result<(), String> {
    drop(panics());
    let (end, ended) = mpsc::channel();
    let started = thread::Builder::new().name("case".to_owned()).spawn(move || {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| alone(case)));
        drop(end.send(outcome.unwrap_or_else(|_| Err("it panicked".to_owned()))));
    });
    started.map_err(|error| format!("no thread for it: {error}"))?;
    let deadline = PATIENCE.saturating_add(GRACE);
    let outcome = ended.recv_timeout(deadline).map_err(|error| match error {
        RecvTimeoutError::Timeout => format!("it does not end, not even after {} s", deadline.as_secs()),
        RecvTimeoutError::Disconnected => "its thread is gone".to_owned(),
    });
    match panics() {
        panics if panics.is_empty() => outcome?,
        panics => Err(panics.join(" | ")),
    }
}

fn alone(case: Case) -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace for it: {error}"))?;
    let runtime = Namespace::here().runtime();
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, (case.run)()).await });
    ended.map_err(|_| format!("it did not end within {} s", PATIENCE.as_secs()))
}

/// The panics so far, which are forgotten.
fn panics() -> Vec<String> {
    std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner))
}
