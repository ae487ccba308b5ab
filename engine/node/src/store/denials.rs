//! Denials in the store: what was asked of this node and not permitted, the newest of each kind of asker.
//!
//! Each kind has a number of its own, and its oldest leave: who knows nobody's key pushes out no denial of a holder's.

use redb::ReadableTable;
use tallywatt_ledger::codec::{CodecError, Reader, Writer};

use super::{ChainStore, StoreError, TableName, seal};
use redb::Durability;

/// The longest text of a denial, bytes; more is cut off.
pub const DENIAL_TEXT_SIZE_MAX: usize = 400;

/// Who was denied something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Asker {
    /// A party: its node, or its operator.
    Party = 1,
    /// Who signed with a key that some list names, or named.
    Holder = 2,
    /// Anybody else.
    Stranger = 3,
}

impl Asker {
    /// All, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::Party, Self::Holder, Self::Stranger];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Party => "party",
            Self::Holder => "holder",
            Self::Stranger => "stranger",
        }
    }

    /// How many of its denials are kept.
    #[must_use]
    pub const fn denial_count_max(self) -> u64 {
        match self {
            Self::Party | Self::Stranger => 1_000,
            Self::Holder => 10_000,
        }
    }
}

/// Something that was not permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Who asked.
    pub asker: Asker,
    /// When, UTC seconds of this node's clock.
    pub at_unix_s: u64,
    /// By name, as it was given.
    pub who: String,
    /// What it asked.
    pub asked: String,
    /// Why not.
    pub why: String,
}

impl Denied {
    /// A denial whose texts are of one line, and cut to [`DENIAL_TEXT_SIZE_MAX`]: who asks may write anything.
    #[must_use]
    pub fn new(asker: Asker, at_unix_s: u64, who: &str, asked: &str, why: &str) -> Self {
        Self { asker, at_unix_s, who: line_of(who), asked: line_of(asked), why: line_of(why) }
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.at_unix_s).text(&self.who).text(&self.asked).text(&self.why);
        writer.finish()
    }

    fn decode(asker: Asker, bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let at_unix_s = reader.u64("time")?;
        let (who, asked, why) = (reader.text("who")?, reader.text("asked")?, reader.text("why")?);
        let denied =
            Self { asker, at_unix_s, who: who.to_owned(), asked: asked.to_owned(), why: why.to_owned() };
        reader.finish()?;
        Ok(denied)
    }
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "denied: {} {} asks {}: {}", self.asker.name(), self.who, self.asked, self.why)
    }
}

fn line_of(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars().map(|found| if found.is_control() { '?' } else { found }) {
        if line.len() + character.len_utf8() > DENIAL_TEXT_SIZE_MAX {
            break;
        }
        line.push(character);
    }
    line
}

/// The kind of asker, then a number that only grows, big-endian.
fn key_of(asker: Asker, number: u64) -> [u8; 9] {
    let mut key = [asker as u8; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

fn number_of(key: &[u8]) -> Option<(Asker, u64)> {
    let (&code, number) = key.split_first()?;
    let asker = Asker::ALL.into_iter().find(|asker| *asker as u8 == code)?;
    Some((asker, u64::from_be_bytes(number.try_into().ok()?)))
}

impl ChainStore {
    /// Keeps denials, in their order; of each kind of asker the oldest leave past [`Asker::denial_count_max`].
    ///
    /// A crash before it returns leaves all of them or none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn store_denials(&self, denials: &[Denied]) -> Result<(), StoreError> {
        self.write("store denials in", Durability::Immediate, |transaction| {
            let mut table = transaction.open_table(TableName::Denials.definition())?;
            for denied in denials {
                let asker = denied.asker;
                let (first, last) = (key_of(asker, 0), key_of(asker, u64::MAX));
                let newest = match table.range::<&[u8]>(&first[..]..=&last[..])?.next_back().transpose()? {
                    Some((key, _)) => number_of(key.value()).map(|(_, number)| number),
                    None => None,
                };
                let number = newest.map_or(0, |number| number.saturating_add(1));
                let key = key_of(asker, number);
                table.insert(&key[..], seal(TableName::Denials, &key, &denied.encode()).as_slice())?;
                if let Some(oldest) = number.checked_sub(asker.denial_count_max()) {
                    table.remove(&key_of(asker, oldest)[..])?;
                }
            }
            Ok(())
        })
    }

    /// The denials that are kept, by kind of asker, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn denials(&self) -> Result<Vec<Denied>, StoreError> {
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let wrong = |what: String| self.damaged(TableName::Denials, &key, what);
            let (asker, _) = number_of(&key).ok_or_else(|| wrong("not the key of a denial".to_owned()))?;
            Denied::decode(asker, &value).map_err(|error| wrong(error.to_string()))
        };
        self.values(TableName::Denials)?.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_a_kind_leave_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chain.redb");
        let store = ChainStore::open(&path).unwrap();
        let most = Asker::Stranger.denial_count_max();
        let of = |asker: Asker, at: u64| Denied::new(asker, at, "who\n\u{7}", &"x".repeat(500), "why");
        store.store_denials(&[of(Asker::Holder, 7), of(Asker::Party, 8)]).unwrap();
        let flood: Vec<Denied> = (0..most + 10).map(|at| of(Asker::Stranger, at)).collect();
        let (one, other) = flood.split_at(500);
        store.store_denials(one).unwrap();
        store.store_denials(other).unwrap();
        drop(store);
        let kept = ChainStore::open(&path).unwrap().denials().unwrap();
        assert_eq!(kept.len() as u64, most + 2);
        assert_eq!((kept[0].asker, kept[1].asker), (Asker::Party, Asker::Holder));
        assert_eq!((kept[2].at_unix_s, kept.last().unwrap().at_unix_s), (10, most + 9));
        assert_eq!((kept[0].who.as_str(), kept[0].asked.len()), ("who??", DENIAL_TEXT_SIZE_MAX));
    }
}
