//! Who reaches what, and what nobody does.

use std::net::SocketAddr;
use std::time::Instant;

use zt_core::event::Event;
use zt_core::time::Timestamp;

use super::cast::Person;
use super::stage::{Stage, StageError};
use super::{Reach, Row, SESSION, milliseconds};

/// How many records a control stream must deliver after a probe.
const CONTROLS: usize = 20;

/// When records are counted from if all of them count.
const EVER: Timestamp = Timestamp::from_millis(0);

pub(super) async fn developer_reaches_staging_api(stage: &mut Stage) -> Result<Row, StageError> {
    let (dana, to, began) = (stage.cast.dana.clone(), stage.cast.staging, Instant::now());
    stage.log_in(&dana, SESSION).await?;
    let mut row = reaches(stage, "developer-reaches-staging-api", &dana, to).await?;
    row.ms = Some(milliseconds(began.elapsed()));
    row.note = "from login to the first byte at the server, handshake included".into();
    Ok(row)
}

pub(super) async fn developer_blocked_from_neighbour_host(stage: &mut Stage) -> Result<Row, StageError> {
    let (dana, to, control) = (stage.cast.dana.clone(), stage.cast.neighbour, stage.cast.staging);
    blocked(stage, "developer-blocked-from-neighbour-host", &dana, [to, control]).await
}

pub(super) async fn developer_blocked_from_other_port(stage: &mut Stage) -> Result<Row, StageError> {
    let (dana, to, control) = (stage.cast.dana.clone(), stage.cast.other_port, stage.cast.staging);
    blocked(stage, "developer-blocked-from-other-port", &dana, [to, control]).await
}

pub(super) async fn operator_reaches_grafana(stage: &mut Stage) -> Result<Row, StageError> {
    let (oscar, to) = (stage.cast.oscar.clone(), stage.cast.grafana);
    stage.log_in(&oscar, SESSION).await?;
    reaches(stage, "operator-reaches-grafana", &oscar, to).await
}

pub(super) async fn operator_reaches_prometheus(stage: &mut Stage) -> Result<Row, StageError> {
    let (oscar, to) = (stage.cast.oscar.clone(), stage.cast.prometheus);
    reaches(stage, "operator-reaches-prometheus", &oscar, to).await
}

pub(super) async fn operator_blocked_from_staging_api(stage: &mut Stage) -> Result<Row, StageError> {
    let (oscar, to, control) = (stage.cast.oscar.clone(), stage.cast.staging, stage.cast.grafana);
    blocked(stage, "operator-blocked-from-staging-api", &oscar, [to, control]).await
}

pub(super) async fn two_users_share_one_resource(stage: &mut Stage) -> Result<Row, StageError> {
    let (dana, devon, to) = (stage.cast.dana.clone(), stage.cast.devon.clone(), stage.cast.staging);
    stage.log_in(&devon, SESSION).await?;
    let one = stage.traffic.upload(&stage.device(&dana)?.stack, to);
    let two = stage.traffic.upload(&stage.device(&devon)?.stack, to);
    let both =
        one.meter.wait_delivered(EVER, CONTROLS).await && two.meter.wait_delivered(EVER, CONTROLS).await;
    let now = stage.now();
    let still =
        one.meter.wait_delivered(now, CONTROLS).await && two.meter.wait_delivered(now, CONTROLS).await;
    Ok(Row {
        step: "two-users-share-one-resource",
        expected: Reach::Reachable,
        observed: if both && still { Reach::Reachable } else { Reach::Blocked },
        ms: None,
        note: "two devices, two streams to one address at the same time".into(),
    })
}

pub(super) async fn policy_edit_applies_without_restart(stage: &mut Stage) -> Result<Row, StageError> {
    const STEP: &str = "policy-edit-applies-without-restart";
    let (dana, to, control) = (stage.cast.dana.clone(), stage.cast.prometheus, stage.cast.staging);
    let before = blocked(stage, STEP, &dana, [to, control]).await?.observed;
    let mut edited = stage.policy.clone();
    edited.policies.insert("story.cedar".into(), EDIT.into());
    let began = Instant::now();
    let _receipt = stage.submit(Event::PolicyLoaded(edited)).await?;
    stage.push_routes().await?;
    let mut row = reaches(stage, STEP, &dana, to).await?;
    row.ms = Some(milliseconds(began.elapsed()));
    row.note = format!("{before:?} before the edit; from new text to the first byte").to_lowercase();
    if before != Reach::Blocked {
        row.observed = Reach::Inconclusive;
    }
    let _receipt = stage.submit(Event::PolicyLoaded(stage.policy.clone())).await?;
    stage.push_routes().await?;
    Ok(row)
}

const EDIT: &str = r#"
@id("story-developers-reach-prometheus")
permit (
    principal in Zt::Group::"developers",
    action == Zt::Action::"connect",
    resource == Zt::Resource::"prometheus"
);
"#;

/// Probes an address that is to be reached.
async fn reaches(
    stage: &Stage,
    step: &'static str,
    person: &Person,
    to: SocketAddr,
) -> Result<Row, StageError> {
    let began = Instant::now();
    let probe = stage.traffic.upload(&stage.device(person)?.stack, to);
    let came = probe.meter.wait_delivered(EVER, 1).await;
    Ok(Row {
        step,
        expected: Reach::Reachable,
        observed: if came { Reach::Reachable } else { Reach::Blocked },
        ms: Some(milliseconds(began.elapsed())),
        note: "from the first packet to the first byte at the server".into(),
    })
}

/// Probes an address that is not to be reached, by TCP and UDP, and then one that is.
///
/// The device sends everything into the tunnel meanwhile: what stops it is to be the gateway, not its own routes.
async fn blocked(
    stage: &Stage,
    step: &'static str,
    person: &Person,
    [to, allowed]: [SocketAddr; 2],
) -> Result<Row, StageError> {
    let device = stage.device(person)?;
    device.use_routes(&stage.widened_routes(device).await).await?;
    let stream = stage.traffic.upload(&device.stack, to);
    let datagrams = stage.traffic.datagrams(&device.stack, SocketAddr::new(device.address, 0), to);
    let control = stage.traffic.upload(&device.stack, allowed);
    let alive = control.meter.wait_delivered(EVER, 1).await
        && control.meter.wait_delivered(stage.now(), CONTROLS).await
        && datagrams.meter.sent_after(EVER) > 0;
    let came = [&stream, &datagrams].map(|probe| probe.meter.delivered_of_after(EVER)).iter().sum::<usize>();
    drop((stream, datagrams));
    stage.push_routes().await?;
    let observed = match (came, alive) {
        (1.., _) => Reach::Reachable,
        (0, true) => Reach::Blocked,
        (0, false) => Reach::Inconclusive,
    };
    let note = format!("{CONTROLS} records sent later on an allowed path came");
    Ok(Row { step, expected: Reach::Blocked, observed, ms: None, note })
}
