//! Which series, type and usage point a block belongs to: by its links, or where an entry has none by what stands before it.
//!
//! ```text
//!   block ─ up    …/MeterReading/01/IntervalBlock ─▶ series that has it under `related`, or whose own link it continues
//!   series ─ related …/ReadingType/07             ─▶ type whose own link it is
//!   series ─ up   …/UsagePoint/1/MeterReading     ─▶ point that has it under `related`, or whose own link it continues
//! ```

use std::collections::HashMap;

use tallywatt_core::label::UsagePointId;

use super::feed::Feed;
use super::resource::{Links, ReadingType, UsagePoint};

/// The most lists that one link is taken to lead through, from its end: no sender nests its own lists.
const LIST_COUNT_MAX: usize = 4;

/// Links of a feed, by what they say. Asked, never gone through.
#[derive(Debug)]
pub(super) struct Ties<'a> {
    feed: &'a Feed,
    /// A series by its own link and by those of its lists of blocks.
    series: HashMap<&'a str, usize>,
    types: HashMap<&'a str, usize>,
    /// A point by its own link and by those of its lists of series.
    points: HashMap<&'a str, usize>,
}

/// What a block belongs to, as far as the feed says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tied<'a> {
    pub(super) reading_type: Option<&'a ReadingType>,
    pub(super) point: Option<(&'a UsagePoint, &'a Links)>,
    /// Of the series, if the point has no entry.
    pub(super) series: Option<&'a Links>,
    pub(super) block: &'a Links,
}

/// A link without slashes at its end.
fn plain(href: &str) -> &str {
    href.trim_end_matches('/')
}

impl<'a> Ties<'a> {
    pub(super) fn of(feed: &'a Feed) -> Self {
        let mut ties = Self { feed, series: HashMap::new(), types: HashMap::new(), points: HashMap::new() };
        for (index, series) in feed.meter_readings.iter().enumerate() {
            insert(&mut ties.series, &feed.entries[series.entry], index, "IntervalBlock");
        }
        for (index, point) in feed.usage_points.iter().enumerate() {
            insert(&mut ties.points, &feed.entries[point.entry], index, "MeterReading");
        }
        for (index, of_type) in feed.reading_types.iter().enumerate() {
            if let Some(own) = &feed.entries[of_type.entry].own {
                ties.types.entry(plain(own)).or_insert(index);
            }
        }
        ties
    }

    /// What the blocks of an entry belong to.
    pub(super) fn tied(&self, entry: usize) -> Tied<'a> {
        let (feed, links) = (self.feed, &self.feed.entries[entry]);
        let series = self.series_of(entry, links);
        let series_links = series.map(|index| &feed.entries[feed.meter_readings[index].entry]);
        let reading_type = self.type_of(entry, links, series_links);
        let point = self.point_of(entry, links, series, series_links);
        Tied {
            reading_type: reading_type.map(|index| &feed.reading_types[index]),
            point: point.map(|index| {
                let point = &feed.usage_points[index];
                (point, &feed.entries[point.entry])
            }),
            series: series_links,
            block: links,
        }
    }

    fn series_of(&self, entry: usize, links: &Links) -> Option<usize> {
        let before = last_before(&self.feed.meter_readings, |series| series.entry, entry);
        match before {
            // In one entry with its series.
            Some(index) if self.feed.meter_readings[index].entry == entry => Some(index),
            _ if links.is_empty() => before,
            _ => find(&self.series, links, "IntervalBlock"),
        }
    }

    fn type_of(&self, entry: usize, block: &Links, series: Option<&Links>) -> Option<usize> {
        let links = series.unwrap_or(block);
        let by_link = links.related.iter().find_map(|href| self.types.get(plain(href)).copied());
        let is_told = links.related.iter().any(|href| href.contains("ReadingType"));
        let is_elsewhere = series.is_none() && !block.is_empty() || links.is_cut;
        match by_link.filter(|_| !links.is_cut) {
            Some(index) => Some(index),
            None if is_told || is_elsewhere => None,
            None => last_before(&self.feed.reading_types, |of_type| of_type.entry, entry),
        }
    }

    fn point_of(
        &self,
        block_entry: usize,
        block: &Links,
        series: Option<usize>,
        links: Option<&Links>,
    ) -> Option<usize> {
        let entry = series.map(|index| self.feed.meter_readings[index].entry);
        let before = last_before(&self.feed.usage_points, |point| point.entry, entry.unwrap_or(block_entry));
        match (links, entry) {
            (Some(_), Some(entry)) if before.is_some_and(|at| self.feed.usage_points[at].entry == entry) => {
                before
            }
            (Some(links), _) if !links.is_empty() => find(&self.points, links, "MeterReading"),
            (None, _) if !block.is_empty() => find(&self.points, block, "MeterReading"),
            _ => before,
        }
    }
}

fn insert<'a>(by_link: &mut HashMap<&'a str, usize>, links: &'a Links, index: usize, list: &str) {
    let lists = links.related.iter().filter(|href| plain(href).ends_with(list));
    for href in links.own.iter().chain(lists) {
        by_link.entry(plain(href)).or_insert(index);
    }
}

/// By a list that the owner names, or by the owner's own link, which that of a part continues.
fn find(by_link: &HashMap<&str, usize>, links: &Links, list: &str) -> Option<usize> {
    if links.is_cut {
        return None;
    }
    let own = links.own.as_deref().map(plain);
    for href in links
        .up
        .as_deref()
        .map(plain)
        .into_iter()
        .chain(own)
        .chain(links.related.iter().map(|href| plain(href)))
    {
        if let Some(&index) = by_link.get(href) {
            return Some(index);
        }
        let (mut rest, mut list_count) = (href, 0);
        while let Some((owner, last)) = rest.rsplit_once('/').filter(|_| list_count < LIST_COUNT_MAX) {
            if last == list {
                list_count += 1;
                if let Some(&index) = by_link.get(rest).or_else(|| by_link.get(plain(owner))) {
                    return Some(index);
                }
            }
            rest = owner;
        }
    }
    None
}

/// The last of `items`, which are in the order of their entries, whose entry is `entry` or before it.
fn last_before<T>(items: &[T], entry_of: impl Fn(&T) -> usize, entry: usize) -> Option<usize> {
    items.partition_point(|item| entry_of(item) <= entry).checked_sub(1)
}

impl Tied<'_> {
    /// The usage point's name by the feed.
    pub(super) fn name(&self) -> Result<UsagePointId, String> {
        let of_point = self.point.map(|(_, links)| links);
        let hrefs = [of_point, self.series, Some(self.block)].into_iter().flatten();
        let mut hrefs = hrefs.flat_map(|links| links.own.iter().chain(&links.up));
        let name = match hrefs.find_map(|href| name_in(href)) {
            Some(name) => name,
            None => {
                let id = of_point.map_or("", |links| links.id.as_str());
                id.rsplit(':').next().unwrap_or_default().replace('-', "")
            }
        };
        UsagePointId::new(name.as_bytes()).map_err(|_| name)
    }
}

/// `5/1` of `…/RetailCustomer/5/UsagePoint/1/…`; `1` if nothing stands before.
fn name_in(href: &str) -> Option<String> {
    let (before, after) = href.rsplit_once("UsagePoint/")?;
    let point = after.split(['/', '?']).next().filter(|point| !point.is_empty())?;
    let owner = match before.strip_suffix('/') {
        Some(path) => path.rsplit('/').next().unwrap_or_default(),
        None if before.is_empty() => "",
        // Another word that ends so.
        None => return None,
    };
    Some(if owner.is_empty() { point.to_owned() } else { format!("{owner}/{point}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_points() {
        let table = [
            ("https://a/espi/RetailCustomer/5/UsagePoint/1", Some("5/1")),
            ("https://a/Subscription/7/UsagePoint/NB6/MeterReading/01/IntervalBlock/3", Some("7/NB6")),
            ("UsagePoint/1402026", Some("1402026")),
            ("/UsagePoint/8?from=1", Some("8")),
            ("https://a/RetailCustomer/5/UsagePoint", None),
            ("https://a/RetailCustomer/5/UsagePoint/", None),
            ("https://a/OldUsagePoint/5", None),
        ];
        for (href, want) in table {
            assert_eq!(name_in(href).as_deref(), want, "{href}");
        }
    }
}
