//! The form in which a roster is sent: sets of regions that sessions share are written once.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Cell, Holder, Reach, Roster, Seat};
use crate::id::RegionId;

/// A roster in lists.
#[derive(Serialize, Deserialize)]
struct Written {
    cells: Vec<(Cell, RegionId)>,
    /// What sessions may reach, in the order of the first that does.
    reaches: Vec<Arc<Reach>>,
    /// The sessions in the order of their start, each with the place of what it may reach.
    seats: Vec<(Holder, usize)>,
}

impl Serialize for Roster {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut reaches, mut seats) = (Vec::new(), Vec::new());
        let mut places: BTreeMap<&Reach, usize> = BTreeMap::new();
        for Seat { holder, reach } in self.seats() {
            let place = *places.entry(reach).or_insert_with(|| {
                reaches.push(Arc::clone(reach));
                reaches.len().saturating_sub(1)
            });
            seats.push((**holder, place));
        }
        let cells = self.cells().iter().map(|(cell, region)| (*cell, *region)).collect();
        Written { cells, reaches, seats }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Roster {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { cells, reaches, seats } = Written::deserialize(deserializer)?;
        let mut roster = Self::new(cells.into_iter().collect());
        for (number, (holder, place)) in (0..).zip(seats) {
            let no_such = || serde::de::Error::custom("a session that reaches what is not in the list");
            let reach = Arc::clone(reaches.get(place).ok_or_else(no_such)?);
            roster.set_seat(number, Some(Seat { holder: Arc::new(holder), reach }));
        }
        Ok(roster)
    }
}
