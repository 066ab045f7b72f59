//! Things at places that stay.

use super::Slot;

/// How many things stand in one block: no growth moves more than one block.
const BLOCK: usize = 1_024;
const BLOCK_BITS: u32 = 10;

/// Things at places that stay, in blocks. A place that was freed last is given first.
#[derive(Debug, Clone)]
pub(crate) struct Slab<T> {
    blocks: Vec<Vec<Option<T>>>,
    free: Vec<Slot>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        let (block, place) = split(slot)?;
        self.blocks.get(block)?.get(place)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let (block, place) = split(slot)?;
        self.blocks.get_mut(block)?.get_mut(place)?.as_mut()
    }

    /// Takes a thing in; `None` if there is no place left, after four thousand million.
    pub(crate) fn insert(&mut self, thing: T) -> Option<Slot> {
        if let Some(slot) = self.free.pop() {
            let (block, place) = split(slot)?;
            *self.blocks.get_mut(block)?.get_mut(place)? = Some(thing);
            return Some(slot);
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            let room = if self.blocks.is_empty() { 0 } else { BLOCK };
            self.blocks.push(Vec::with_capacity(room));
        }
        let before = self.blocks.len().saturating_sub(1).saturating_mul(BLOCK);
        let block = self.blocks.last_mut()?;
        let slot = Slot::new(u32::try_from(before.saturating_add(block.len())).ok()?)?;
        block.push(Some(thing));
        Some(slot)
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<T> {
        let (block, place) = split(slot)?;
        let thing = self.blocks.get_mut(block)?.get_mut(place)?.take()?;
        self.free.push(slot);
        Some(thing)
    }

    /// All things with their places, in the order of the places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let places = (0..).map_while(Slot::new);
        places.zip(self.blocks.iter().flatten()).filter_map(|(slot, thing)| Some((slot, thing.as_ref()?)))
    }

    /// All things, in the order of the places.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.blocks.iter_mut().flatten().flatten()
    }
}

fn split(slot: Slot) -> Option<(usize, usize)> {
    let number = slot.number();
    let block = number.checked_shr(BLOCK_BITS)?;
    Some((usize::try_from(block).ok()?, usize::try_from(number & 0x3ff).ok()?))
}
