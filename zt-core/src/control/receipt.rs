//! What gateways said to a change.

use std::collections::BTreeMap;

use crate::id::GatewayId;
use crate::time::Timestamp;

use super::Clock;

/// What each gateway that a change concerns has said to it, and each that had not carried out an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    gateways: BTreeMap<GatewayId, Ended>,
}

/// How access ends at one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The gateway has acknowledged its cuts: no packet sent after `at` passes by what was cut.
    Cut {
        /// When the acknowledgement came.
        at: Timestamp,
    },
    /// The gateway has not answered, or is not attached here. It drops everything at the end of its lease.
    Unreachable {
        /// The end of the last lease that it can have.
        access_ends_by: Timestamp,
    },
}

impl Receipt {
    pub(super) const fn new(gateways: BTreeMap<GatewayId, Ended>) -> Self {
        Self { gateways }
    }

    /// The gateways with their answers; none if the change concerned no gateway.
    pub fn iter(&self) -> impl Iterator<Item = (&GatewayId, Ended)> {
        self.gateways.iter().map(|(id, ended)| (id, *ended))
    }

    /// Whether every gateway has acknowledged.
    #[must_use]
    pub fn is_cut_everywhere(&self) -> bool {
        self.gateways.values().all(|ended| matches!(ended, Ended::Cut { .. }))
    }

    /// The instant by which access has ended at every gateway; `None` if the change concerned no gateway.
    #[must_use]
    pub fn ended_by(&self) -> Option<Timestamp> {
        let instant = |ended: &Ended| match ended {
            Ended::Cut { at } => *at,
            Ended::Unreachable { access_ends_by } => *access_ends_by,
        };
        self.gateways.values().map(instant).max()
    }

    /// Returns once access has ended at every gateway: waits out the leases of those that have not answered.
    pub async fn all_ended(&self, clock: &dyn Clock) {
        while let Some(left) =
            self.ended_by().map(|end| end.since(clock.now())).filter(|left| !left.is_zero())
        {
            clock.sleep(left).await;
        }
    }
}
