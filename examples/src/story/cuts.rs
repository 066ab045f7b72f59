//! Access that is cut while it is in use, and given back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use zt_core::control::{Ended, Receipt};
use zt_core::event::Event;
use zt_core::time::Timestamp;

use super::stage::{Stage, StageError};
use super::traffic::Sender;
use super::{Reach, Row, milliseconds};

/// How many records must have come before a cut, and be sent after it.
pub(super) const ENOUGH: usize = 100;

const EVER: Timestamp = Timestamp::from_millis(0);

pub(super) async fn posture_degraded_cuts_established_flow(stage: &mut Stage) -> Result<Row, StageError> {
    let cast = &stage.cast;
    let (dana, devon) = (stage.device(&cast.dana)?, stage.device(&cast.devon)?);
    let stream = stage.traffic.upload(&dana.stack, cast.staging);
    let from = SocketAddr::new(dana.address, 0);
    let datagrams = stage.traffic.datagrams(&dana.stack, from, cast.wiki_udp);
    let control = stage.traffic.upload(&devon.stack, cast.staging);
    let cut = Cut {
        step: "posture-degraded-cuts-established-flow",
        cut: &[&stream, &datagrams],
        control: &control,
    };
    cut.under(stage, stage.report(&cast.dana, false)).await
}

pub(super) async fn posture_restored_returns_access(stage: &mut Stage) -> Result<Row, StageError> {
    let (from, began) = (stage.now(), Instant::now());
    let _receipt = stage.report(&stage.cast.dana, true).await?;
    stage.push_routes().await?;
    let stream = stage.traffic.upload(&stage.device(&stage.cast.dana)?.stack, stage.cast.staging);
    let first = stream.meter.wait_delivered(from, 1).await;
    let span = began.elapsed();
    let came = first && stream.meter.wait_delivered(from, ENOUGH).await;
    Ok(Row {
        step: "posture-restored-returns-access",
        expected: Reach::Reachable,
        observed: if came { Reach::Reachable } else { Reach::Blocked },
        ms: Some(milliseconds(span)),
        note: "from the report to the first byte of a new connection".into(),
    })
}

pub(super) async fn group_removed_cuts_only_that_resource(stage: &mut Stage) -> Result<Row, StageError> {
    let cast = &stage.cast;
    let oscar = stage.device(&cast.oscar)?;
    let stream = stage.traffic.download(&oscar.stack, cast.grafana);
    let control = stage.traffic.upload(&oscar.stack, cast.wiki);
    let claims = |kept: fn(&str) -> bool| {
        let claims: BTreeSet<String> =
            cast.oscar.claims.iter().filter(|claim| kept(claim)).cloned().collect();
        Event::IdentityObserved { subject: cast.oscar.subject.clone(), claims, attributes: BTreeMap::new() }
    };
    let without = claims(|claim| !claim.contains("operations"));
    let cut = Cut { step: "group-removed-cuts-only-that-resource", cut: &[&stream], control: &control };
    let row = cut.under(stage, stage.submit(without)).await?;
    let _receipt = stage.submit(claims(|_| true)).await?;
    stage.push_routes().await?;
    Ok(row)
}

/// Streams that are to be cut, and one that is to go on.
pub(super) struct Cut<'a> {
    pub(super) step: &'static str,
    pub(super) cut: &'a [&'a Sender],
    pub(super) control: &'a Sender,
}

impl Cut<'_> {
    /// Has `act` take access away under full traffic, and counts what was sent after its receipt and yet came.
    pub(super) async fn under(
        &self,
        stage: &Stage,
        act: impl Future<Output = Result<Receipt, StageError>>,
    ) -> Result<Row, StageError> {
        let mut before = self.control.meter.wait_delivered(EVER, ENOUGH).await;
        for sender in self.cut {
            before = before && sender.meter.wait_delivered(EVER, ENOUGH).await;
        }
        if !before {
            return Ok(self.judge(false, stage.now()));
        }
        let began = Instant::now();
        let receipt = act.await?;
        let span = began.elapsed();
        let cuts: Vec<Timestamp> = receipt.iter().filter_map(|(_, ended)| cut_at(ended)).collect();
        let at = cuts.iter().copied().max().unwrap_or_else(|| stage.now());
        let after = self.enough_after(at).await;
        let mut row = self.judge(after && !cuts.is_empty(), at);
        row.ms = Some(milliseconds(span));
        row.note.push_str("; until every gateway had acknowledged");
        Ok(row)
    }

    /// Whether enough was sent after `at` by every sender, and enough of the control's came.
    pub(super) async fn enough_after(&self, at: Timestamp) -> bool {
        let mut enough = self.control.meter.wait_delivered(at, ENOUGH).await;
        for sender in self.cut {
            enough = enough && sender.meter.wait_sent(at, ENOUGH).await;
        }
        enough
    }

    /// What the counts show about a cut at `at`; `meaningful` says whether there was enough traffic to show anything.
    pub(super) fn judge(&self, meaningful: bool, at: Timestamp) -> Row {
        let meters = || self.cut.iter().map(|sender| sender.meter.as_ref());
        let late: usize = meters().map(|meter| meter.delivered_of_after(at)).sum();
        let sent: usize = meters().map(|meter| meter.sent_after(at)).sum();
        Row {
            step: self.step,
            expected: Reach::Blocked,
            observed: match (late, meaningful) {
                (1.., _) => Reach::Reachable,
                (0, true) => Reach::Blocked,
                (0, false) => Reach::Inconclusive,
            },
            ms: None,
            note: format!(
                "{late} of {sent} records sent after the cut came, {} of the stream that goes on",
                self.control.meter.delivered_of_after(at)
            ),
        }
    }
}

const fn cut_at(ended: Ended) -> Option<Timestamp> {
    match ended {
        Ended::Cut { at } => Some(at),
        Ended::Unreachable { .. } => None,
    }
}
