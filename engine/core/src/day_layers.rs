//! What is known of a register-day: a set of layers, and the one block that follows from it.
//!
//! ```text
//!   delivered, issue 0   ▒▒▒▒▒▒▒▒▒▒▒▒        a plain day is this layer alone, and needs nothing of what is here
//!   delivered, issue 7       ▓▓▓▓            outranks at equal quality
//!   withdrawn, issue 7         ✕             strikes that value
//!   ─────────────────────────────────
//!   stands               ▒▒▒▒▓▓▒▓▒▒▒▒        fold: a pure function of the set
//! ```
//!
//! Of an interval stands, among delivered values that no withdrawal strikes: the highest rank of quality; at equal rank
//! the latest issue; at equal issue the smaller value, marked questionable.
//!
//! Putting values in is a union, so order, splitting and repetition of deliveries do not show. The set has one form: under
//! one head the values of an interval stand in one layer each, the best in the first. Under
//! [`LayerHead::BASE`] only the best rank of an interval is kept: there, a lower rank leaves no trace, as in a plain block.
//! Of more than [`VALUE_COUNT_MAX`] values of one interval those are kept that come first when one is to stand: which these
//! are does not depend on the order of arrival either.

use std::cmp::Ordering;
use std::ops::Range;

use crate::day_block::{BlockKey, DayBlock, DayBlockError, join};
use crate::layer::{Layer, LayerHead, LayerKind};
use crate::quality::Quality;
use crate::reading::{Issued, Source};

/// The most values of one interval that are kept, and as many that are taken back: a source that says more of one interval
/// is at fault itself.
pub const VALUE_COUNT_MAX: usize = 64;

/// The layers of one register-day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayLayers {
    /// The day without a value; its source is the greatest of all layers, and theirs.
    empty: DayBlock,
    /// By head; under one head the best values first.
    layers: Vec<Layer>,
}

/// What became of a value that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Nothing changed: it was known.
    Known,
    /// It is one of the set's values now.
    New,
    /// It is not kept: [`VALUE_COUNT_MAX`] others of its interval come before it.
    Full,
}

impl DayLayers {
    /// No layers yet, on the grid of a block.
    #[must_use]
    pub fn on_grid_of(block: &DayBlock) -> Self {
        Self { empty: block.emptied(), layers: Vec::new() }
    }

    /// The values of a block, delivered in one issue.
    #[must_use]
    pub fn of(block: DayBlock, issued: Issued) -> Self {
        let empty = block.emptied();
        let is_blank = block.present_count() == 0;
        let layer = Layer { head: LayerHead::delivered(issued), block };
        Self { empty, layers: if is_blank { Vec::new() } else { vec![layer] } }
    }

    /// The union of layers, if they are of one day and grid; `None` of none.
    ///
    /// # Errors
    /// [`DayBlockError`] as [`DayLayers::unite`] gives it.
    pub fn union_of(layers: &[Layer]) -> Result<Option<Self>, DayBlockError> {
        let Some(first) = layers.first() else { return Ok(None) };
        let mut all = Self::on_grid_of(&first.block);
        layers.iter().try_for_each(|layer| all.unite_layer(layer))?;
        Ok(Some(all))
    }

    /// What it is known of.
    #[must_use]
    pub const fn key(&self) -> BlockKey {
        self.empty.key()
    }

    /// Its layers, by head, under one head the best values first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The issue of its only layer, if that says nothing else: then the block and this are all that is known.
    #[must_use]
    pub fn only_issue(&self) -> Option<Issued> {
        match self.layers.as_slice() {
            [only] if only.head == LayerHead::delivered(only.head.issued) => Some(only.head.issued),
            [] => Some(Issued::UNSAID),
            _ => None,
        }
    }

    /// Whether all of it was delivered without a word of its issue.
    #[must_use]
    pub fn is_base_only(&self) -> bool {
        self.layers.iter().all(|layer| layer.head == LayerHead::BASE)
    }

    /// The latest issue known, of any layer.
    #[must_use]
    pub fn last_issue(&self) -> Issued {
        self.layers.iter().map(|layer| layer.head.issued).max().unwrap_or_default()
    }

    /// Puts a value in.
    ///
    /// # Panics
    /// If there is no such interval, the value is negative, or it is missing.
    pub fn put(&mut self, head: LayerHead, at: usize, (value_wh, quality): (i32, Quality)) -> Put {
        assert!(quality != Quality::Missing, "what is missing is not put in");
        let withdrawn = head.kind == LayerKind::Withdrawn;
        let mut carried = (value_wh, if withdrawn { Quality::Valid } else { quality });
        let group = self.group(&head);
        if head == LayerHead::BASE
            && let Some(best) = self.layers[group.clone()].first().map(|layer| layer.block.interval(at))
        {
            match best.1.rank().cmp(&carried.1.rank()) {
                Ordering::Greater => return Put::Known,
                Ordering::Less if best.1 != Quality::Missing => self.clear_interval(group.clone(), at),
                _ => (),
            }
        }
        if !self.holds_place(&head, at, carried) && !self.make_room(&head, at, carried) {
            return Put::Full;
        }
        let group = self.group(&head);
        for layer in &mut self.layers[group.clone()] {
            let here = layer.block.interval(at);
            match (here.1, compare(here, carried)) {
                (Quality::Missing, _) => {
                    layer.block.set(at, carried);
                    return Put::New;
                }
                (_, Ordering::Less) => (),
                (_, Ordering::Equal) => {
                    let joined = join(here, carried);
                    layer.block.set(at, joined);
                    return if joined == here { Put::Known } else { Put::New };
                }
                (_, Ordering::Greater) => {
                    layer.block.set(at, carried);
                    carried = here;
                }
            }
        }
        let mut block = self.empty.clone();
        block.set(at, carried);
        self.layers.insert(group.end, Layer { head, block });
        Put::New
    }

    /// Whether a value of that rank and size has its place under a head already.
    fn holds_place(&self, head: &LayerHead, at: usize, value: (i32, Quality)) -> bool {
        self.layers[self.group(head)]
            .iter()
            .map(|layer| layer.block.interval(at))
            .any(|here| here.1 != Quality::Missing && compare(here, value) == Ordering::Equal)
    }

    /// Lets go of the last value of an interval if there are as many as may be; says whether a new one comes before it.
    fn make_room(&mut self, head: &LayerHead, at: usize, value: (i32, Quality)) -> bool {
        let own = self.layers.iter().enumerate().filter(|(_, layer)| layer.head.kind == head.kind);
        let places = own.map(|(place, layer)| (place, layer.head, layer.block.interval(at)));
        let places: Vec<_> = places.filter(|(_, _, here)| here.1 != Quality::Missing).collect();
        if places.len() < VALUE_COUNT_MAX {
            return true;
        }
        let last = places.iter().min_by_key(|(_, head, here)| precedence(head, *here));
        let Some(&(place, of, here)) = last else { return true };
        if precedence(head, value) < precedence(&of, here) {
            return false;
        }
        // It is the last under its head too, so the others stay in their places.
        self.layers[place].block.set(at, (0, Quality::Missing));
        if self.layers[place].block.present_count() == 0 {
            self.layers.remove(place);
        }
        true
    }

    /// Whether such a value is in the set: then putting it in changes nothing.
    #[must_use]
    pub fn holds(&self, head: &LayerHead, at: usize, value: (i32, Quality)) -> bool {
        let value = if head.kind == LayerKind::Withdrawn { (value.0, Quality::Valid) } else { value };
        self.layers[self.group(head)].iter().map(|layer| layer.block.interval(at)).any(|here| {
            here.1 != Quality::Missing && compare(here, value) == Ordering::Equal && join(here, value) == here
        })
    }

    /// Unites it with all that another set of the same day holds.
    ///
    /// # Errors
    /// [`DayBlockError`] when the grids differ: nothing is changed then.
    ///
    /// # Panics
    /// If they are of two days.
    pub fn unite(&mut self, other: &Self) -> Result<(), DayBlockError> {
        self.empty.same_grid(&other.empty)?;
        self.raise_source(other.empty.source());
        other.layers.iter().try_for_each(|layer| self.unite_layer(layer))
    }

    fn unite_layer(&mut self, layer: &Layer) -> Result<(), DayBlockError> {
        self.empty.same_grid(&layer.block)?;
        self.raise_source(layer.block.source());
        for at in 0..layer.block.interval_count() {
            let value = layer.block.interval(at);
            if value.1 != Quality::Missing {
                // What is full is full of what outranks it.
                self.put(layer.head, at, value);
            }
        }
        Ok(())
    }

    /// Raises the source of all to `source`, if that is greater; says whether it was.
    pub fn raise_source(&mut self, source: Source) -> bool {
        let is_greater = source > self.empty.source();
        if is_greater {
            self.empty.set_source(source);
            self.layers.iter_mut().for_each(|layer| layer.block.set_source(source));
        }
        is_greater
    }

    /// The value that stands in an interval.
    #[must_use]
    pub fn stands(&self, at: usize) -> (i32, Quality) {
        self.standing(at).map_or((0, Quality::Missing), |(_, value)| value)
    }

    /// The rank and issue of what stands in an interval.
    #[must_use]
    pub fn standing_rank(&self, at: usize) -> Option<(u8, Issued)> {
        self.standing(at).map(|(rank, _)| rank)
    }

    fn standing(&self, at: usize) -> Option<((u8, Issued), (i32, Quality))> {
        let mut best: Option<((u8, Issued), (i32, Quality))> = None;
        for (head, value) in self.unstruck(at) {
            let order = (value.1.rank(), head.issued);
            best = match best {
                Some((other, _)) if other > order => best,
                Some((other, stands)) if other == order => Some((order, join(stands, value))),
                _ => Some((order, value)),
            };
        }
        best
    }

    /// Every delivered value of an interval that no withdrawal strikes, with its head.
    pub fn unstruck(&self, at: usize) -> impl Iterator<Item = (LayerHead, (i32, Quality))> + '_ {
        let delivered = self.layers.partition_point(|layer| layer.head.kind == LayerKind::Delivered);
        let (delivered, withdrawn) = self.layers.split_at(delivered);
        let is_struck = move |head: &LayerHead, value_wh: i32| {
            withdrawn.iter().any(|layer| {
                let struck = layer.block.interval(at);
                struck == (value_wh, Quality::Valid) && layer.head.strikes(head)
            })
        };
        let values = delivered.iter().map(move |layer| (layer.head, layer.block.interval(at)));
        values.filter(move |(head, value)| value.1 != Quality::Missing && !is_struck(head, value.0))
    }

    /// The block that stands.
    #[must_use]
    pub fn fold(&self) -> DayBlock {
        let mut block = self.empty.clone();
        for at in 0..block.interval_count() {
            block.set(at, self.stands(at));
        }
        block
    }

    /// The layers under a head.
    fn group(&self, head: &LayerHead) -> Range<usize> {
        let start = self.layers.partition_point(|layer| layer.head < *head);
        let size = self.layers[start..].iter().take_while(|layer| layer.head == *head).count();
        start..start + size
    }

    /// Empties an interval under a head, and drops layers that have no other.
    fn clear_interval(&mut self, group: Range<usize>, at: usize) {
        for layer in &mut self.layers[group.clone()] {
            layer.block.set(at, (0, Quality::Missing));
        }
        let kept = self.layers[group.clone()].iter().rposition(|layer| layer.block.present_count() > 0);
        self.layers.drain(group.start + kept.map_or(0, |last| last + 1)..group.end);
    }
}

/// What comes last of one interval is let go of first. Of values it is what would stand last; of those taken back the
/// earliest issue, but those of any issue never before others.
fn precedence(head: &LayerHead, (wh, quality): (i32, Quality)) -> impl Ord + use<> {
    let of_kind = match head.kind {
        LayerKind::Delivered => (quality.rank(), head.issued),
        LayerKind::Withdrawn => (u8::from(head.issued == Issued::UNSAID), head.issued),
    };
    (of_kind, std::cmp::Reverse(wh), *head)
}

/// The better value first: the higher rank, then the smaller.
fn compare(a: (i32, Quality), b: (i32, Quality)) -> Ordering {
    b.1.rank().cmp(&a.1.rank()).then(a.0.cmp(&b.0))
}

/// What is known of a day beside the block that stands; of a plain day nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayState {
    /// All of the block was delivered in one issue.
    Stamped(Issued),
    /// The block is what these fold to.
    Layered(DayLayers),
}

impl DayState {
    /// Of all that is known: `None` if the block alone says it.
    #[must_use]
    pub fn of(layers: DayLayers) -> Option<Self> {
        match layers.only_issue() {
            Some(Issued::UNSAID) => None,
            Some(issued) => Some(Self::Stamped(issued)),
            None => Some(Self::Layered(layers)),
        }
    }

    /// All that is known of a day whose block stands.
    #[must_use]
    pub fn layers_of(state: Option<&Self>, block: &DayBlock) -> DayLayers {
        match state {
            None => DayLayers::of(block.clone(), Issued::UNSAID),
            Some(Self::Stamped(issued)) => DayLayers::of(block.clone(), *issued),
            Some(Self::Layered(layers)) => layers.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
