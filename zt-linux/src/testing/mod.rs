//! Network namespaces for tests: each test has one of its own, in a thread of its own. Tests that cannot run here. And
//! labs for the conformance suite.

mod lab;

use std::collections::BTreeSet;
use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use tokio::runtime::Builder;

pub use lab::{FilterLabs, TunEnd, Tunnels};

/// Runs a test in a network namespace that nothing else is in, on a runtime of one thread.
///
/// Where there can be none, because that needs root and `/dev/net/tun`, it says `SKIPPED` once on stderr, and succeeds.
/// A panic of the test goes on in the caller.
///
/// # Errors
/// What is missing, if `ZT_REQUIRE_ALL` is 1; or that the test took longer than `patience`.
pub fn alone<F: Future<Output = ()>>(
    patience: Duration,
    test: impl FnOnce() -> F + Send,
) -> Result<(), String> {
    let run = move || {
        if let Err(missing) = enter() {
            return skip("network namespaces", missing);
        }
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let ended = runtime.block_on(async { tokio::time::timeout(patience, test()).await });
        ended.map_err(|_| "the test did not end".to_owned())
    };
    thread::scope(|scope| match scope.spawn(run).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Says on stderr, once for each `what`, that tests of it are `SKIPPED`, and what is missing.
///
/// # Errors
/// What is missing, if `ZT_REQUIRE_ALL` is 1: nothing is to be skipped then.
pub fn skip(what: &'static str, missing: String) -> Result<(), String> {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if env::var("ZT_REQUIRE_ALL").as_deref() == Ok("1") {
        return Err(missing);
    }
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(what) {
        // Written past the test harness, which shows output of failed tests only.
        let line = format!("SKIPPED {what}: {missing}\n");
        drop(io::stderr().write_all(line.as_bytes()));
    }
    Ok(())
}

/// Leaves the calling thread in a new namespace, if there can be TUN devices in it.
fn enter() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|error| format!("no network namespace can be made, which needs root ({error})"))?;
    let node = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    node.map(drop).map_err(|error| format!("/dev/net/tun cannot be opened ({error})"))
}
