//! Which source may reach which region.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Pair, PairEnd, Reach};
use crate::id::RegionId;

/// A set of pairs, each with its end; sources that may reach the same share what they reach.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs {
    by_source: BTreeMap<IpAddr, Arc<Reach>>,
}

impl Pairs {
    /// Whether a pair is in the set.
    #[must_use]
    pub fn contains(&self, pair: &Pair) -> bool {
        self.end(pair).is_some()
    }

    /// Until when a pair lets anything through; `None` if it is not in the set.
    #[must_use]
    pub fn end(&self, pair: &Pair) -> Option<PairEnd> {
        self.by_source.get(&pair.source)?.end(pair.region)
    }

    /// All pairs with their ends, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (Pair, PairEnd)> {
        self.by_source.iter().flat_map(|(source, reach)| of(*source, reach))
    }

    /// How many pairs there are. Costs time in proportion to the number of sources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_source.values().map(|reach| reach.len()).fold(0, usize::saturating_add)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_source.is_empty()
    }

    /// Whether every pair of these is among `others`, with no sooner end.
    #[must_use]
    pub fn is_subset(&self, others: &Self) -> bool {
        self.beyond(others).next().is_none()
    }

    /// Takes a pair in, or gives one another end.
    pub fn insert(&mut self, pair: Pair, end: PairEnd) {
        self.change(pair, Some(end));
    }

    /// Takes a pair out; whether it was there.
    pub fn remove(&mut self, pair: &Pair) -> bool {
        let was_there = self.contains(pair);
        if was_there {
            self.change(*pair, None);
        }
        was_there
    }

    /// Lets a source reach just this.
    pub(super) fn set(&mut self, source: IpAddr, reach: Arc<Reach>) {
        if reach.is_empty() {
            self.by_source.remove(&source);
        } else {
            self.by_source.insert(source, reach);
        }
    }

    /// The pairs that are not among `others`, or end later here, in ascending order; shared sets are passed over.
    pub(crate) fn beyond(&self, others: &Self) -> impl Iterator<Item = (Pair, PairEnd)> {
        self.by_source.iter().flat_map(|(source, reach)| {
            let other = others.by_source.get(source);
            let same = other.is_some_and(|other| Arc::ptr_eq(other, reach));
            let pairs = (!same).then(|| of(*source, reach)).into_iter().flatten();
            pairs.filter(move |(pair, end)| other.and_then(|other| other.end(pair.region)) < Some(*end))
        })
    }

    fn change(&mut self, pair: Pair, end: Option<PairEnd>) {
        let reach = self.by_source.get(&pair.source);
        let others = reach.into_iter().flat_map(|reach| reach.iter());
        let others = others.filter(|(region, _)| *region != pair.region);
        let reach = Reach::new(others.chain(end.map(|end| (pair.region, end))));
        self.set(pair.source, reach.into());
    }
}

fn of(source: IpAddr, reach: &Reach) -> impl Iterator<Item = (Pair, PairEnd)> {
    reach.iter().map(move |(region, end)| (Pair { source, region }, end))
}

impl FromIterator<(Pair, PairEnd)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (Pair, PairEnd)>>(pairs: I) -> Self {
        let mut regions: BTreeMap<IpAddr, Vec<(RegionId, PairEnd)>> = BTreeMap::new();
        for (Pair { source, region }, end) in pairs {
            regions.entry(source).or_default().push((region, end));
        }
        let by_source = regions.into_iter().map(|(source, regions)| (source, Reach::new(regions).into()));
        Self { by_source: by_source.collect() }
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<(Pair, PairEnd)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}
