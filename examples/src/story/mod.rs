//! The story: login, enforced access, and every way in which access ends.

pub mod cast;
mod cuts;
mod device;
mod ends;
mod lan;
pub mod meter;
mod reach;
pub mod stage;
pub mod traffic;

use std::time::Duration;

use serde::Serialize;

use self::stage::{Stage, StageError};

/// How long an ordinary session of the story may last.
const SESSION: Duration = Duration::from_mins(10);

/// Whether bytes of a probe came to a socket behind the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// They came.
    Reachable,
    /// They did not, though others sent later on an allowed path did.
    Blocked,
    /// They did not, and nothing shows that they could have.
    Inconclusive,
}

/// What one step of the story was to show, and what it showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The name of the step.
    pub step: &'static str,
    /// What it was to show.
    pub expected: Reach,
    /// What it showed.
    pub observed: Reach,
    /// The time that was measured, in milliseconds; what it spans is said in `note`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
    /// The counts behind it, in words.
    pub note: String,
}

impl Row {
    /// Whether the step showed what it was to show.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.observed == self.expected
    }
}

/// A time in milliseconds, to the microsecond.
fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

/// Plays the whole story, one step after the other; `tell` hears of each step when it is over.
///
/// # Errors
/// If the stage breaks down; steps that merely show something unexpected are rows.
pub async fn play(stage: &mut Stage, mut tell: impl FnMut(&Row)) -> Result<Vec<Row>, StageError> {
    let mut rows = Vec::new();
    macro_rules! steps {
        ($($step:path),* $(,)?) => {$(
            let row = $step(stage).await?;
            tell(&row);
            rows.push(row);
        )*};
    }
    steps![
        reach::developer_reaches_staging_api,
        reach::developer_blocked_from_neighbour_host,
        reach::developer_blocked_from_other_port,
        reach::operator_reaches_grafana,
        reach::operator_reaches_prometheus,
        reach::operator_blocked_from_staging_api,
        reach::two_users_share_one_resource,
        device::widened_device_config_gains_nothing,
        device::spoofed_source_dropped,
        cuts::posture_degraded_cuts_established_flow,
        cuts::posture_restored_returns_access,
        cuts::group_removed_cuts_only_that_resource,
        reach::policy_edit_applies_without_restart,
        ends::identity_session_revoked_removes_peer,
        ends::session_expires_on_its_deadline,
        ends::control_plane_silent_lease_ends_access,
    ];
    Ok(rows)
}
