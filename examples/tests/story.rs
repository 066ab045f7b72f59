//! The story holds, and falls apart without any one of the mechanisms behind it.

#![allow(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use zt_backend_userspace::{Gateway, GatewayConfig, StartError};
use zt_core::backend::{Backend, BackendError};
use zt_core::plan::{Add, ObservedState, Plan, Step};
use zt_core::time::Timestamp;
use zt_examples::site_files::SiteFiles;
use zt_examples::story::cast::Cast;
use zt_examples::story::play;
use zt_examples::story::stage::{Stage, StartedGateway};

/// Plays the story on the example site with a gateway of the caller's; the names of the steps that failed.
async fn failures(
    start: impl AsyncFnOnce(GatewayConfig) -> Result<StartedGateway, StartError>,
) -> BTreeSet<&'static str> {
    let files = SiteFiles::embedded();
    let (cast, directory) = Cast::read(&files).unwrap();
    let mut stage = Stage::set(&files, (cast, &directory), Vec::new(), start).await.unwrap();
    let rows = play(&mut stage, |row| println!("{row:?}")).await.unwrap();
    assert_eq!(rows.len(), 16);
    rows.iter().filter(|row| !row.is_as_expected()).map(|row| row.step).collect()
}

/// A backend whose plans are edited before they are carried out.
struct Edited {
    inner: Arc<dyn Backend>,
    edit: fn(&mut Vec<Step>),
}

#[async_trait]
impl Backend for Edited {
    async fn observe(&self) -> Result<ObservedState, BackendError> {
        self.inner.observe().await
    }

    async fn apply(&self, plan: &Plan) -> Result<(), BackendError> {
        let mut plan = plan.clone();
        (self.edit)(&mut plan.steps);
        self.inner.apply(&plan).await
    }
}

async fn edited(config: GatewayConfig, edit: fn(&mut Vec<Step>)) -> Result<StartedGateway, StartError> {
    let started = StartedGateway::new(Gateway::start(config).await?);
    Ok(StartedGateway { backend: Arc::new(Edited { inner: Arc::clone(&started.backend), edit }), ..started })
}

#[tokio::test(flavor = "multi_thread")]
async fn story_holds() {
    let failed = failures(async |config| Ok(StartedGateway::new(Gateway::start(config).await?))).await;
    assert_eq!(failed, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn story_fails_without_the_filter() {
    let failed = failures(async |config| {
        Ok(StartedGateway::new(Gateway::dangerously_start_without_filter(config).await?))
    });
    let expected = [
        "developer-blocked-from-neighbour-host",
        "developer-blocked-from-other-port",
        "operator-blocked-from-staging-api",
        "policy-edit-applies-without-restart",
        "widened-device-config-gains-nothing",
        "posture-degraded-cuts-established-flow",
        "group-removed-cuts-only-that-resource",
        "control-plane-silent-lease-ends-access",
    ];
    let failed = failed.await;
    assert!(failed.is_superset(&expected.into()), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn story_fails_without_cuts() {
    let failed = failures(async |config| {
        edited(config, |steps| steps.retain(|step| matches!(step, Step::Add(_)))).await
    });
    let expected = [
        "posture-degraded-cuts-established-flow",
        "group-removed-cuts-only-that-resource",
        "identity-session-revoked-removes-peer",
    ];
    let failed = failed.await;
    assert!(failed.is_superset(&expected.into()), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn story_fails_without_leases() {
    let failed = failures(async |config| {
        edited(config, |steps| {
            for step in steps {
                if let Step::Add(Add::Gate(until)) = step {
                    *until = Timestamp::from_millis(i64::MAX);
                }
            }
        })
        .await
    });
    assert_eq!(failed.await, ["control-plane-silent-lease-ends-access"].into());
}
