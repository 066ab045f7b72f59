//! Sessions and leases end.

use std::time::Duration;

use zt_core::event::{Event, IdentityEvent};
use zt_core::time::Timestamp;

use super::cuts::{Cut, ENOUGH};
use super::stage::{Stage, StageError};
use super::traffic::Sender;
use super::{Reach, Row, milliseconds};

const EVER: Timestamp = Timestamp::from_millis(0);
const SHORT: Duration = Duration::from_secs(2);

/// Whether access lasted to shortly before `ends_at`: otherwise something else ended it.
fn lasted(stream: &Sender, ends_at: Timestamp) -> bool {
    let shortly_before = Timestamp::from_millis(ends_at.as_millis().saturating_sub(1_000));
    stream.meter.delivered_of_after(shortly_before) > 0
}

pub(super) async fn identity_session_revoked_removes_peer(stage: &mut Stage) -> Result<Row, StageError> {
    let cast = &stage.cast;
    let (dana, devon) = (stage.device(&cast.dana)?, stage.device(&cast.devon)?);
    let stream = stage.traffic.upload(&devon.stack, cast.staging);
    let control = stage.traffic.upload(&dana.stack, cast.staging);
    let cut = Cut { step: "identity-session-revoked-removes-peer", cut: &[&stream], control: &control };
    let subject = cast.devon.subject.clone();
    let revoked = Event::Identity(IdentityEvent::SessionRevoked { subject });
    let mut row = cut.under(stage, stage.submit(revoked)).await?;
    let peers = stage.peers().await;
    if peers.contains(&devon.public_key) {
        row.observed = Reach::Reachable;
        row.note.push_str("; the peer is still there");
    } else if !peers.contains(&dana.public_key) {
        row.observed = Reach::Inconclusive;
    }
    Ok(row)
}

pub(super) async fn session_expires_on_its_deadline(stage: &mut Stage) -> Result<Row, StageError> {
    let olga = stage.cast.olga.clone();
    stage.log_in(&olga, SHORT).await?;
    let ends_at = stage.session_end(&olga).await?;
    let cast = &stage.cast;
    let stream = stage.traffic.upload(&stage.device(&olga)?.stack, cast.grafana);
    let control = stage.traffic.upload(&stage.device(&cast.dana)?.stack, cast.staging);
    let cut = Cut { step: "session-expires-on-its-deadline", cut: &[&stream], control: &control };
    let before = stream.meter.wait_delivered(EVER, ENOUGH).await;
    stage.reach_instant(ends_at).await;
    let after = before && cut.enough_after(ends_at).await;
    Ok(cut.judge(after && lasted(&stream, ends_at), ends_at))
}

pub(super) async fn control_plane_silent_lease_ends_access(stage: &mut Stage) -> Result<Row, StageError> {
    let stream = stage.traffic.upload(&stage.device(&stage.cast.dana)?.stack, stage.cast.staging);
    let before = stream.meter.wait_delivered(EVER, ENOUGH).await;
    stage.silence();
    let (silent_at, ends_at) = (stage.now(), stage.access_ends().await);
    stage.reach_instant(ends_at).await;
    let after = before && stream.meter.wait_sent(ends_at, ENOUGH).await;
    let (late, sent) = (stream.meter.delivered_of_after(ends_at), stream.meter.sent_after(ends_at));
    let last = stream.meter.last_delivery().unwrap_or(silent_at);
    let was_open = lasted(&stream, ends_at);
    drop(stream);
    stage.resume();
    let control = stage.traffic.upload(&stage.device(&stage.cast.dana)?.stack, stage.cast.staging);
    let alive = after && control.meter.wait_delivered(EVER, ENOUGH).await;
    Ok(Row {
        step: "control-plane-silent-lease-ends-access",
        expected: Reach::Blocked,
        observed: match (late, alive && was_open) {
            (1.., _) => Reach::Reachable,
            (0, true) => Reach::Blocked,
            (0, false) => Reach::Inconclusive,
        },
        ms: Some(milliseconds(last.since(silent_at))),
        note: format!(
            "{late} of {sent} records sent after the lease's end came; from silence to the last record"
        ),
    })
}
