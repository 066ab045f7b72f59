//! One gateway of this process, as the control plane sees it.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};

use crate::backend::{Backend, BackendError};
use crate::controller::Controller;
use crate::decide::Decide;
use crate::id::{GatewayId, Generation, Nonce};
use crate::lease::LeaseHolder;
use crate::plan::{Cut, Plan, Step, plan};
use crate::time::{BootInstant, Timestamp};

use super::receipt::Ended;
use super::{Clock, PATIENCE, RETRY};

pub(super) struct LocalGateway {
    id: GatewayId,
    backend: Arc<dyn Backend>,
    holder: LeaseHolder,
    nonce: Nonce,
    /// What it has installed; `None` if that is not known.
    installed: Option<Generation>,
    /// The end of the last lease that it may have been given.
    lease_end: Timestamp,
    wake_at: Timestamp,
}

impl LocalGateway {
    /// A gateway of which nothing is known but by when the lease ends that it may have from before.
    pub(super) fn new(id: GatewayId, backend: Arc<dyn Backend>, lease_end: Timestamp) -> Self {
        let holder = LeaseHolder::new(id.clone());
        let (nonce, wake_at) = (Nonce::default(), Timestamp::default());
        Self { id, backend, holder, nonce, installed: None, lease_end, wake_at }
    }

    /// When [`advance`](Self::advance) is due.
    pub(super) const fn wake_at(&self) -> Timestamp {
        self.wake_at
    }

    /// The end of the last lease that it may have been given.
    pub(super) const fn lease_end(&self) -> Timestamp {
        self.lease_end
    }

    /// Brings it to its desired state if it is not there, and renews its lease if that is due.
    ///
    /// A lease counts from `heard_at`: whatever was in the log by then is folded. Without it there is none.
    pub(super) async fn advance<D: Decide>(
        &mut self,
        controller: &Controller<D>,
        clock: &dyn Clock,
        heard_at: Option<Timestamp>,
    ) {
        if self.is_behind(controller) || self.installed.is_none() {
            self.enforce(controller, clock).await;
        }
        if self.wake_at <= clock.now() {
            self.wake_at = clock.now().after(RETRY);
            if let Some(heard_at) = heard_at.filter(|_| self.installed.is_some()) {
                self.renew(controller, clock, heard_at).await;
            }
        }
    }

    /// Whether it lacks something of its desired state, as far as is known.
    fn is_behind<D: Decide>(&self, controller: &Controller<D>) -> bool {
        controller.desired(&self.id).is_some_and(|desired| self.installed != Some(desired.generation))
    }

    /// Whether it may let something through that it should not, by an earlier change.
    pub(super) fn owes<D: Decide>(&self, controller: &Controller<D>, clock: &dyn Clock) -> bool {
        self.lease_end > clock.now() && self.is_behind(controller)
    }

    /// Has it catch up with earlier changes, unless it has failed just now.
    pub(super) async fn settle<D: Decide>(&mut self, controller: &Controller<D>, clock: &dyn Clock) -> Ended {
        if self.installed.is_none() && self.wake_at > clock.now() {
            return Ended::Unreachable { access_ends_by: self.lease_end };
        }
        self.enforce(controller, clock).await
    }

    /// Brings it to its desired state.
    pub(super) async fn enforce<D: Decide>(
        &mut self,
        controller: &Controller<D>,
        clock: &dyn Clock,
    ) -> Ended {
        self.installed = None;
        let Some(desired) = controller.desired(&self.id) else {
            self.wake_at = clock.now().after(RETRY);
            return Ended::Unreachable { access_ends_by: self.lease_end };
        };
        let backend = &self.backend;
        let applied = within(clock, async {
            let steps = plan(&backend.observe().await?, &desired, clock.now());
            if steps.steps.is_empty() { Ok(()) } else { backend.apply(&steps).await }
        });
        match applied.await {
            Some(Ok(())) => {
                self.installed = Some(desired.generation);
                self.holder.installed(desired.generation);
                Ended::Cut { at: clock.now() }
            }
            Some(Err(_)) | None => {
                self.wake_at = clock.now().after(RETRY);
                Ended::Unreachable { access_ends_by: self.lease_end }
            }
        }
    }

    /// Has it let nothing through any more; one that does not answer ends with its lease.
    pub(super) async fn close(&self, clock: &dyn Clock) {
        let generation = self.installed.unwrap_or_default();
        let close = Plan { generation, now: clock.now(), steps: vec![Step::Cut(Cut::Gate)] };
        within(clock, self.backend.apply(&close)).await;
    }

    /// Renews the lease. The controller's timeline is carried on by boot-time elapsed, so here it serves as boot clock.
    ///
    /// The backend counts from when it takes the plan, at the latest from when it has answered.
    async fn renew<D: Decide>(&mut self, controller: &Controller<D>, clock: &dyn Clock, asked_at: Timestamp) {
        let boot = |at: Timestamp| BootInstant::from_millis(u64::try_from(at.as_millis()).unwrap_or(0));
        self.nonce = self.nonce.next();
        let request = self.holder.ask(self.nonce, boot(asked_at));
        let Ok(lease) = controller.lease(&request, asked_at) else { return };
        let Ok((open, _)) = self.holder.accept(&lease, boot(clock.now())) else { return };
        let (earlier, end) = (self.lease_end, lease.at.after(lease.remaining));
        self.lease_end = earlier.max(end.after(PATIENCE));
        let applied = within(clock, self.backend.apply(&open)).await;
        self.lease_end = earlier.max(end.after(clock.now().since(open.now)));
        if let Some(Ok(())) = applied {
            self.wake_at = asked_at.after(lease.remaining.checked_div(3).unwrap_or(RETRY));
        }
    }
}

/// The answer of a backend, unless it takes too long.
async fn within<T>(
    clock: &dyn Clock,
    answer: impl Future<Output = Result<T, BackendError>>,
) -> Option<Result<T, BackendError>> {
    match select(pin!(answer), clock.sleep(PATIENCE)).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

impl fmt::Debug for LocalGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalGateway")
            .field("id", &self.id)
            .field("installed", &self.installed)
            .finish_non_exhaustive()
    }
}
