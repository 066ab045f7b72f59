//! The regions that a source may reach.

use serde::{Deserialize, Serialize};

use crate::id::RegionId;
use crate::time::Timestamp;

/// Until when a pair lets anything through. An end that comes sooner is the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PairEnd {
    /// Until then, or until its source ends if that is sooner.
    At(Timestamp),
    /// Until its source ends.
    WithSource,
}

impl PairEnd {
    /// Whether it has come by `now`.
    #[must_use]
    pub fn has_come(self, now: Timestamp) -> bool {
        matches!(self, Self::At(at) if at <= now)
    }
}

/// A set of regions; some of them may end sooner than the source that reaches them.
///
/// Sources that may reach the same share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Lists")]
pub struct Reach {
    /// Those that end with the source, in ascending order.
    plain: Box<[RegionId]>,
    /// Those that end sooner, in ascending order; none of them is among the others.
    timed: Box<[(RegionId, Timestamp)]>,
}

impl Reach {
    /// The set of these regions; of two ends of one region the later one holds.
    #[must_use]
    pub fn new(regions: impl IntoIterator<Item = (RegionId, PairEnd)>) -> Self {
        let mut all: Vec<_> = regions.into_iter().collect();
        all.sort_unstable_by(|one, two| (one.0, two.1).cmp(&(two.0, one.1)));
        all.dedup_by_key(|(region, _)| *region);
        let plain = all.iter().filter(|(_, end)| *end == PairEnd::WithSource).map(|(region, _)| *region);
        let timed = all.iter().filter_map(|(region, end)| match end {
            PairEnd::At(at) => Some((*region, *at)),
            PairEnd::WithSource => None,
        });
        Self { plain: plain.collect(), timed: timed.collect() }
    }

    /// Until when a region may be reached; `None` if it is not in the set.
    #[must_use]
    pub fn end(&self, region: RegionId) -> Option<PairEnd> {
        if self.plain.binary_search(&region).is_ok() {
            return Some(PairEnd::WithSource);
        }
        let timed = self.timed.binary_search_by_key(&region, |(timed, _)| *timed).ok();
        timed.and_then(|place| self.timed.get(place)).map(|(_, at)| PairEnd::At(*at))
    }

    /// All regions, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (RegionId, PairEnd)> {
        let (mut plain, mut timed) = (self.plain.iter().peekable(), self.timed.iter().peekable());
        std::iter::from_fn(move || match (plain.peek(), timed.peek()) {
            (Some(one), Some((two, _))) if *one > two => timed.next().map(timed_entry),
            (Some(_), _) => plain.next().map(|region| (*region, PairEnd::WithSource)),
            (None, _) => timed.next().map(timed_entry),
        })
    }

    /// How many regions there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.plain.len().saturating_add(self.timed.len())
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The lists of a set as they were sent, in any order.
#[derive(Deserialize)]
struct Lists {
    plain: Vec<RegionId>,
    timed: Vec<(RegionId, Timestamp)>,
}

impl From<Lists> for Reach {
    fn from(lists: Lists) -> Self {
        let plain = lists.plain.into_iter().map(|region| (region, PairEnd::WithSource));
        Self::new(plain.chain(lists.timed.iter().map(timed_entry)))
    }
}

fn timed_entry((region, at): &(RegionId, Timestamp)) -> (RegionId, PairEnd) {
    (*region, PairEnd::At(*at))
}
