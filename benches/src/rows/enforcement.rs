//! What a change costs a gateway until it is enforced, at many peers and at few.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::task::coop::{consume_budget, has_budget_remaining};
use zt_core::backend::{Backend as _, BackendError};
use zt_core::plan::Step;

use crate::Error;
use crate::report::{Bound, Row};
use crate::valgrind::{self, Measured, measured_call};
use crate::world::gateway::{Edge, Member, plan};

/// How often each kind of change is measured.
const TIMES: usize = 5;
/// So many members are changed before anything is measured.
const WARM_UP: u32 = 5;

const METRIC: &str = "change_instructions_until_enforced_10k_vs_100_peers";

/// The kinds of changes, in the order of measuring.
const KINDS: [&str; 6] = ["suspension", "resumption", "cut", "grant", "end", "admission"];

/// Changes members of a gateway that has so many, in a child under callgrind.
///
/// # Errors
/// If the gateway refuses something.
pub fn run(members: u32) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let edge = Edge::open(members).await?;
        let middle = members / 2;
        for number in 0..WARM_UP {
            change(&edge, Member::new(middle + number), Count::No).await?;
        }
        valgrind::instrument()?;
        for number in 0..u32::try_from(TIMES).unwrap_or(0) {
            change(&edge, Member::new(middle + WARM_UP + number), Count::Instructions).await?;
        }
        Ok(())
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    No,
    Instructions,
}

/// Makes each kind of change once.
async fn change(edge: &Edge, member: Member, count: Count) -> Result<(), Error> {
    whole(edge, member.suspension(), count).await?;
    whole(edge, member.resumption(), count).await?;
    whole(edge, member.cut(), count).await?;
    whole(edge, vec![Step::Add(member.grant())], count).await?;
    until_enforced(edge, member, count).await?;
    whole(edge, member.admission(), count).await
}

/// Counts all that `apply` does: it waits for nobody, as nobody else changes the gateway.
async fn whole(edge: &Edge, steps: Vec<Step>, count: Count) -> Result<(), Error> {
    let plan = plan(steps);
    let mut apply = edge.gateway.apply(&plan);
    match poll(apply.as_mut(), count).await {
        Poll::Ready(done) => done.map_err(|error| Error::world("gateway", error)),
        Poll::Pending => Err(Error::Disagree("a change waited for something".to_owned())),
    }
}

/// Counts the end of a session until nothing of it passes any more; its peer is removed after that.
///
/// Somebody who looks at the gateway at the same time holds the lock that `apply` takes behind its cuts.
async fn until_enforced(edge: &Edge, member: Member, count: Count) -> Result<(), Error> {
    let plan = plan(member.end());
    let (mut observe, mut apply) = (edge.gateway.observe(), edge.gateway.apply(&plan));
    let observed = poll_tired(observe.as_mut()).await;
    let polled = poll(apply.as_mut(), count).await;
    if observed.is_ready() {
        return Err(Error::Disagree("nothing could be made to hold the lock".to_owned()));
    }
    let elements = observe.await.map_err(|error| Error::world("gateway", error))?.elements;
    let is_cut = !elements.sources.contains_key(&member.address);
    if polled.is_ready() || !is_cut || !elements.peers.contains_key(&member.key) {
        return Err(Error::Disagree("an end is not enforced first and carried out afterwards".to_owned()));
    }
    apply.await.map_err(|error| Error::world("gateway", error))
}

/// Polls once, in a task that has used up what it may do at once: it waits with the first lock in its hands.
async fn poll_tired<T>(mut future: Pin<&mut (dyn Future<Output = T> + Send)>) -> Poll<T> {
    let polled = poll_fn(|context| {
        while has_budget_remaining() {
            let _ = pin!(consume_budget()).poll(context);
        }
        Poll::Ready(future.as_mut().poll(context))
    });
    polled.await
}

/// Polls once.
async fn poll(
    mut apply: Pin<&mut (dyn Future<Output = Result<(), BackendError>> + Send)>,
    count: Count,
) -> Poll<Result<(), BackendError>> {
    // A task that waits may do as much as any other afterwards.
    tokio::task::yield_now().await;
    poll_fn(|context| {
        let mut polled = Poll::Pending;
        let mut call = || polled = apply.as_mut().poll(context);
        match count {
            Count::Instructions => measured_call(&mut call),
            Count::No => call(),
        }
        Poll::Ready(polled)
    })
    .await
}

/// The row, from children with many peers and with few: the worst of all kinds of changes.
///
/// # Errors
/// If a child counted nothing.
pub fn row(many: &Measured, few: &Measured) -> Result<Row, Error> {
    let median = |measured: &Measured, kind: usize| {
        let mut all: Vec<u64> =
            measured.instructions.iter().skip(kind).step_by(KINDS.len()).copied().collect();
        all.sort_unstable();
        let count = all.get(TIMES / 2).and_then(|count| u32::try_from(*count).ok());
        count.map(f64::from).ok_or_else(|| Error::Valgrind("not all changes were counted".to_owned()))
    };
    let mut kinds = Vec::new();
    for (at, kind) in KINDS.into_iter().enumerate() {
        kinds.push((kind, median(many, at)?, median(few, at)?));
    }
    let worst = kinds.iter().copied().max_by(|one, other| (one.1 / one.2).total_cmp(&(other.1 / other.2)));
    let (kind, of_many, of_few) = worst.unwrap_or((METRIC, f64::NAN, 1.0));
    let all: Vec<String> = kinds.iter().map(|(kind, many, few)| format!("{kind} {many} and {few}")).collect();
    let note = format!("worst: {kind}; {}", all.join(", "));
    Ok(Row::ratio(METRIC, of_many, of_few, "instructions").bounded(Bound::AtMost(1.2)).noted(note))
}

/// The same row where it cannot be measured.
#[must_use]
pub fn unavailable(reason: &str) -> Row {
    Row::unavailable(METRIC, reason).bounded(Bound::AtMost(1.2))
}
