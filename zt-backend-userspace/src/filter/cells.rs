//! The cut of the address space into regions, in a form that finds a destination's region in logarithmic time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use zt_core::desired::Cell;
use zt_core::id::RegionId;
use zt_core::net::{PortRange, Protocol};

/// More places than this, a place being a cell within a slab, are not held: about 16 MB.
const MAX_PLACES: usize = 1 << 20;

/// Disjoint cells with their regions.
///
/// Per family and protocol the addresses are cut into slabs at every bound of a cell; a slab holds the port ranges of
/// the cells that cover it. Cells whose address ranges cross fall into several slabs.
#[derive(Debug, Default)]
pub(super) struct CellMap {
    regions: BTreeMap<Cell, RegionId>,
    slabs: BTreeMap<(Family, Protocol), Vec<Slab>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    V4,
    V6,
}

#[derive(Debug)]
struct Slab {
    first: u128,
    last: u128,
    ports: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    ports: PortRange,
    region: RegionId,
    cell: usize,
}

/// Why cells were not added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CellProblem {
    /// The place in the list of the first cell at fault; those before it may still be at fault for something else.
    pub(super) at: usize,
    /// What is wrong with it.
    pub(super) problem: &'static str,
}

impl CellMap {
    /// All cells.
    pub(super) const fn regions(&self) -> &BTreeMap<Cell, RegionId> {
        &self.regions
    }

    /// The region of a destination.
    pub(super) fn find(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<RegionId> {
        let (family, number) = place(address);
        let slabs = self.slabs.get(&(family, protocol))?;
        let slab = last_of(slabs, |slab| slab.first <= number).filter(|slab| number <= slab.last)?;
        let place = last_of(&slab.ports, |place| place.ports.first <= port)?;
        (port <= place.ports.last).then_some(place.region)
    }

    /// The same without some cells.
    pub(super) fn without(&self, gone: &BTreeSet<Cell>) -> Self {
        self.changed(gone, &[]).unwrap_or_default() // cells of a map that was built can be built
    }

    /// The same without some cells and with others. Those that are there already, in the same region, change nothing.
    pub(super) fn changed(
        &self,
        gone: &BTreeSet<Cell>,
        added: &[(Cell, RegionId)],
    ) -> Result<Self, CellProblem> {
        let kept = self.regions.iter().filter(|(cell, _)| !gone.contains(cell));
        let mut regions: BTreeMap<Cell, RegionId> = kept.map(|(cell, region)| (*cell, *region)).collect();
        let mut cells: Vec<(Cell, RegionId)> =
            regions.iter().map(|(cell, region)| (*cell, *region)).collect();
        let mut added_at = vec![0; cells.len()];
        for (at, (cell, region)) in added.iter().enumerate() {
            if !is_box(cell) {
                return Err(CellProblem { at, problem: "a cell whose bounds are not in order" });
            }
            match regions.insert(*cell, *region) {
                Some(present) if present == *region => {}
                Some(_) => return Err(CellProblem { at, problem: "the cell lies in another region" }),
                None => {
                    cells.push((*cell, *region));
                    added_at.push(at);
                }
            }
        }
        Self::build(&cells).map_err(|CellProblem { at, problem }| {
            let at = added_at.get(at).copied().unwrap_or(0);
            CellProblem { at, problem }
        })
    }

    /// Builds the map; a problem's place is one in `cells`, and the later one of two that overlap.
    fn build(cells: &[(Cell, RegionId)]) -> Result<Self, CellProblem> {
        let mut groups: BTreeMap<(Family, Protocol), Vec<usize>> = BTreeMap::new();
        for (at, (cell, _)) in cells.iter().enumerate() {
            groups.entry((place(cell.addresses.first).0, cell.protocol)).or_default().push(at);
        }
        let mut budget = MAX_PLACES;
        let slabs = groups
            .into_iter()
            .map(|(group, members)| Ok((group, slabs(cells, &members, &mut budget)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { regions: cells.iter().copied().collect(), slabs })
    }
}

/// Cuts the address space at every bound of the `members` among `cells`.
fn slabs(
    cells: &[(Cell, RegionId)],
    members: &[usize],
    budget: &mut usize,
) -> Result<Vec<Slab>, CellProblem> {
    let members: Vec<(usize, &Cell, RegionId)> =
        members.iter().filter_map(|at| cells.get(*at).map(|(cell, region)| (*at, cell, *region))).collect();
    let mut starts = BTreeSet::new();
    for (_, cell, _) in &members {
        let (first, last) = bounds(cell);
        starts.insert(first);
        starts.extend(last.checked_add(1));
    }
    let ends = starts.iter().skip(1).map(|start| start.saturating_sub(1)).chain([u128::MAX]);
    let mut slabs: Vec<Slab> = starts
        .iter()
        .zip(ends)
        .map(|(first, last)| Slab { first: *first, last, ports: Vec::new() })
        .collect();
    for (at, cell, region) in members {
        let (first, last) = bounds(cell);
        let from = slabs.partition_point(|slab| slab.first < first);
        for slab in slabs.iter_mut().skip(from).take_while(|slab| slab.first <= last) {
            *budget = budget.checked_sub(1).ok_or(CellProblem { at, problem: "too many crossing cells" })?;
            slab.ports.push(Place { ports: cell.ports, region, cell: at });
        }
    }
    slabs.retain(|slab| !slab.ports.is_empty());
    for slab in &mut slabs {
        slab.ports.sort_unstable_by_key(|place| place.ports.first);
        let overlap = slab.ports.array_windows().find(|[low, high]| low.ports.last >= high.ports.first);
        if let Some([low, high]) = overlap {
            return Err(CellProblem {
                at: low.cell.max(high.cell),
                problem: "the cell overlaps another one",
            });
        }
    }
    Ok(slabs)
}

/// The last of some sorted items for which `holds` is true, where it is true for all before.
fn last_of<T>(items: &[T], holds: impl Fn(&T) -> bool) -> Option<&T> {
    items.get(items.partition_point(holds).checked_sub(1)?)
}

fn is_box(cell: &Cell) -> bool {
    let (first, last) = (place(cell.addresses.first), place(cell.addresses.last));
    first.0 == last.0 && first.1 <= last.1 && cell.ports.first <= cell.ports.last
}

fn bounds(cell: &Cell) -> (u128, u128) {
    (place(cell.addresses.first).1, place(cell.addresses.last).1)
}

fn place(address: IpAddr) -> (Family, u128) {
    match address {
        IpAddr::V4(v4) => (Family::V4, v4.to_bits().into()),
        IpAddr::V6(v6) => (Family::V6, v6.to_bits()),
    }
}
