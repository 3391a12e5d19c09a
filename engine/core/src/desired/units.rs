//! Units by id, shared between snapshots.

use std::sync::Arc;

use super::model::Unit;
use crate::ids::{DocumentKind, UnitId};

/// A page that holds so many units is divided.
const FULL: usize = 128;

type Entry = (UnitId, Arc<Unit>);

/// Units by id, in their order. A copy shares all pages with the original; a change of either
/// copies one page. So a snapshot costs what changed in it, not what it holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Units(Vec<Arc<Vec<Entry>>>);

impl Units {
    /// The unit of this id.
    pub fn get(&self, id: &UnitId) -> Option<&Arc<Unit>> {
        let page = self.0.get(self.page_of(id))?;
        let place = place_in(page, id).ok()?;
        page.get(place).map(|(_, unit)| unit)
    }

    /// Whether there is a unit of this id.
    pub fn contains_key(&self, id: &UnitId) -> bool {
        self.get(id).is_some()
    }

    /// Puts a unit in its place, or in that of the one before.
    pub fn insert(&mut self, id: UnitId, unit: Arc<Unit>) {
        let at = self.page_of(&id).min(self.0.len().saturating_sub(1));
        let Some(page) = self.0.get_mut(at) else {
            self.0.push(Arc::new(vec![(id, unit)]));
            return;
        };
        let page = Arc::make_mut(page);
        match place_in(page, &id) {
            Ok(place) => page[place].1 = unit,
            Err(place) => page.insert(place, (id, unit)),
        }
        if page.len() >= FULL {
            let rest = page.split_off(FULL / 2);
            self.0.insert(at + 1, Arc::new(rest));
        }
    }

    /// Takes a unit away.
    pub fn remove(&mut self, id: &UnitId) {
        let at = self.page_of(id);
        let Some(page) = self.0.get_mut(at) else {
            return;
        };
        if let Ok(place) = place_in(page, id) {
            let page = Arc::make_mut(page);
            page.remove(place);
            if page.is_empty() {
                self.0.remove(at);
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flat_map(|page| page.iter())
    }

    /// Those of a kind: kinds stand together.
    pub fn of_kind(&self, kind: DocumentKind) -> impl Iterator<Item = &Entry> {
        let before = |page: &Arc<Vec<Entry>>| page.last().is_some_and(|(id, _)| id.kind < kind);
        let pages = &self.0[self.0.partition_point(before)..];
        let all = pages.iter().flat_map(|page| page.iter());
        all.skip_while(move |(id, _)| id.kind < kind)
            .take_while(move |(id, _)| id.kind == kind)
    }

    /// What is not the very same here as there: first there, then here. Shelves that both share
    /// are not looked into.
    pub fn differences<'a>(
        &'a self,
        before: Option<&'a Self>,
    ) -> Vec<(Option<&'a Unit>, Option<&'a Unit>)> {
        let (mut old, mut new) = (Cursor::of(before), Cursor::of(Some(self)));
        let mut found = Vec::new();
        loop {
            if old.shares_page(&new) {
                old.skip_page();
                new.skip_page();
                continue;
            }
            let (before, after) = match (old.entry(), new.entry()) {
                (Some(before), Some(after)) if before.0 < after.0 => (Some(before), None),
                (Some(before), Some(after)) if before.0 > after.0 => (None, Some(after)),
                (None, None) => return found,
                both => both,
            };
            if before.is_some() {
                old.step();
            }
            if after.is_some() {
                new.step();
            }
            let same = before
                .zip(after)
                .is_some_and(|(a, b)| Arc::ptr_eq(&a.1, &b.1));
            if !same {
                found.push((before.map(|(_, it)| &**it), after.map(|(_, it)| &**it)));
            }
        }
    }

    /// The first page whose last unit is not before this id.
    fn page_of(&self, id: &UnitId) -> usize {
        let before = |page: &Arc<Vec<Entry>>| page.last().is_some_and(|(last, _)| last < id);
        self.0.partition_point(before)
    }
}

fn place_in(page: &[Entry], id: &UnitId) -> Result<usize, usize> {
    page.binary_search_by(|(known, _)| known.cmp(id))
}

/// A place in all pages.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    pages: &'a [Arc<Vec<Entry>>],
    place: usize,
}

impl<'a> Cursor<'a> {
    fn of(units: Option<&'a Units>) -> Self {
        Self {
            pages: units.map_or(&[], |units| &units.0),
            place: 0,
        }
    }

    fn entry(&self) -> Option<&'a Entry> {
        self.pages.first()?.get(self.place)
    }

    fn step(&mut self) {
        self.place += 1;
        if self
            .pages
            .first()
            .is_some_and(|page| self.place >= page.len())
        {
            self.skip_page();
        }
    }

    fn skip_page(&mut self) {
        self.pages = self.pages.get(1..).unwrap_or_default();
        self.place = 0;
    }

    /// Whether both stand at the beginning of one and the same page.
    fn shares_page(&self, other: &Self) -> bool {
        let both = self.pages.first().zip(other.pages.first());
        self.place == 0 && other.place == 0 && both.is_some_and(|(a, b)| Arc::ptr_eq(a, b))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::fixture::Repository;
    use super::*;

    fn id(number: u16) -> UnitId {
        let kind = if number.is_multiple_of(7) {
            DocumentKind::Queue
        } else {
            DocumentKind::PodDefaults
        };
        UnitId::plain(kind, crate::ids::Name::new(&format!("n{number}")).unwrap())
    }

    proptest! {
        /// It is a map, and what differs from a copy is what was changed in it since.
        #[test]
        fn it_is_a_map_that_knows_what_changed(
            first in prop::collection::vec(0u16..600, 0..500),
            then in prop::collection::vec((0u16..600, any::<bool>()), 0..20),
        ) {
            let desired = Repository::new().load().unwrap();
            let unit = Arc::new(desired.units().next().unwrap().clone());
            let (mut units, mut map) = (Units::default(), BTreeMap::new());
            for number in first {
                units.insert(id(number), Arc::clone(&unit));
                map.insert(id(number), Arc::clone(&unit));
            }
            let (old_units, old_map) = (units.clone(), map.clone());
            for (number, stays) in then {
                if stays {
                    let unit = Arc::new(Unit::clone(&unit));
                    units.insert(id(number), Arc::clone(&unit));
                    map.insert(id(number), unit);
                } else {
                    units.remove(&id(number));
                    map.remove(&id(number));
                }
            }
            let pointers = |(id, unit): (&UnitId, &Arc<Unit>)| (id.clone(), Arc::as_ptr(unit));
            let listed: Vec<_> = units.iter().map(|(id, unit)| pointers((id, unit))).collect();
            prop_assert_eq!(listed, map.iter().map(pointers).collect::<Vec<_>>());
            for kind in [DocumentKind::Cluster, DocumentKind::PodDefaults, DocumentKind::Queue] {
                let of_kind = map.keys().filter(|id| id.kind == kind).count();
                prop_assert_eq!(units.of_kind(kind).count(), of_kind);
            }
            for number in 0..600 {
                prop_assert_eq!(units.get(&id(number)).map(Arc::as_ptr), map.get(&id(number)).map(Arc::as_ptr));
            }
            let all: std::collections::BTreeSet<&UnitId> = map.keys().chain(old_map.keys()).collect();
            let pointer = |map: &BTreeMap<UnitId, Arc<Unit>>, id: &UnitId| map.get(id).map(Arc::as_ptr);
            let expected: Vec<_> = all
                .into_iter()
                .map(|id| (pointer(&old_map, id), pointer(&map, id)))
                .filter(|(old, new)| old != new)
                .collect();
            let found: Vec<_> = units
                .differences(Some(&old_units))
                .into_iter()
                .map(|(old, new)| (old.map(std::ptr::from_ref), new.map(std::ptr::from_ref)))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
