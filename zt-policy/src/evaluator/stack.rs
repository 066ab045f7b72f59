//! Room for Cedar, which recurses, and which calls a policy failed when the stack runs low.

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
