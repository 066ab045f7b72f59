//! Room for Cedar, which recurses, and which calls a policy failed when the stack runs low.

use std::num::NonZero;
use std::thread::{self, Builder, ScopedJoinHandle};

/// Enough for any text within the limits, and for what is not lowered because it is longer.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// What a decision wants, so that its outcome cannot depend on whose stack it is made on.
const STACK_FOR_DECISION_BYTES: usize = 16 * 1024 * 1024;

/// Runs what may recurse deep, on a stack of its own, so that it makes no difference who calls.
pub(crate) fn deep<T>(job: impl FnOnce() -> T) -> T {
    stacker::grow(STACK_BYTES, job)
}

/// Runs the evaluation of policies; on a stack of its own, which takes some 20 microseconds, if the caller has no room.
pub(crate) fn with_room<T>(job: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK_FOR_DECISION_BYTES, STACK_BYTES, job)
}

/// Works on the parts of a list at the same time, one for each processor but none shorter than `least`; gives what came
/// of them, in their order. The first is worked on here, the others on stacks as [`deep`] has them.
pub(crate) fn in_parts<T: Sync, R: Send>(list: &[T], least: usize, job: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let mut parts = list.chunks(list.len().div_ceil(processors).max(least).max(1));
    let Some(first) = parts.next() else { return Vec::new() };
    let job = &job;
    thread::scope(|scope| {
        let start = |part| {
            let thread = Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, move || job(part));
            (part, thread.ok())
        };
        let others: Vec<_> = parts.map(start).collect();
        // What no thread could be had for is done here, as is what panicked, to panic here.
        let finish = |(part, thread): (_, Option<ScopedJoinHandle<'_, R>>)| {
            thread.and_then(|thread| thread.join().ok()).unwrap_or_else(|| job(part))
        };
        std::iter::once(job(first)).chain(others.into_iter().map(finish)).collect()
    })
}
