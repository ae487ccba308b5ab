//! What the stages start from: a generated town's month, in each of the shapes it takes on its way; and the country's
//! batch, which `country` makes.

use std::collections::HashMap;
use std::fmt::Display;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tallywatt_core::agreement::Agreement;
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::Published;
use tallywatt_core::label::Label;
use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{Issued, RawReading, Source};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::Rejection;
use tallywatt_core::tariff::TariffBook;
use tallywatt_fixtures::documents::{write_contracts, write_documents};
use tallywatt_fixtures::profile::SLOT_COUNT;
use tallywatt_fixtures::region::Region;
use tallywatt_fixtures::town::Town;
use tallywatt_fixtures::write::{ReadingFormat, parts, write_part};
use tallywatt_ingest::decode::decode;
use tallywatt_ingest::documents::{Document, parse_contracts, parse_document};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::{ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_ledger::agreement_bytes::publish_agreement;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::SealKind;
use tallywatt_ledger::tariff_bytes::publish_tariff;
use tallywatt_shards::sealing;
use tallywatt_shards::threads::Threads;

use crate::args::Arguments;
use crate::failure::Failure;

use super::country::Batch;

/// Households: a month of theirs is 1.5 million readings, far more than fits a cache.
const HOUSEHOLD_COUNT: u64 = 1_000;
/// The same for a look.
const HOUSEHOLD_COUNT_QUICK: u64 = 20;
/// Days of the month: bills want a whole one.
const DAY_COUNT: u32 = 31;
/// The region whose files are decoded: four fifths of the town.
const REGION: Region = Region::Yekaterinburg;

/// One stamp a row, one column a usage point.
const WIDE_PROFILE: &str = "format = \"csv\"\nlayout = \"wide\"\nunit = \"Wh\"\nstamp_format = \"YYYY-MM-DD HH:mm\"\n\
                            zone = \"Asia/Yekaterinburg\"\ninterval_minutes = 30\n\n[columns]\nstart = \"start\"\n";

/// A town, and what is made of it when it is first asked for.
pub struct Inputs<'a> {
    /// The command line's.
    pub arguments: &'a Arguments,
    /// Where stages may write.
    pub folder: PathBuf,
    /// Whether inputs are small.
    pub is_quick: bool,
    /// The country's batch, once it is made.
    pub batch: OnceLock<Batch>,
    /// Every household's month.
    pub blocks: Vec<DayBlock>,
    town: Town,
    leaves: OnceLock<Vec<DayLeaf>>,
}

/// A file in memory and how it is read.
pub struct Text {
    profile: Profile,
    bytes: Vec<u8>,
}

/// What bills follow from.
pub struct Documents {
    /// Tariffs, published.
    pub tariffs: TariffBook,
    /// Agreements, published.
    pub agreements: HashMap<Label, Published<Agreement>>,
    /// A contract a household.
    pub contracts: Vec<Contract>,
}

/// What stays the same from call to call is our own doing.
pub fn defect(error: impl Display) -> Failure {
    Failure::usage(error, "this is a defect: report it")
}

impl<'a> Inputs<'a> {
    /// The town of every run: the same readings on every machine.
    pub fn new(is_quick: bool, folder: PathBuf, arguments: &'a Arguments) -> Result<Self, Failure> {
        let household_count = if is_quick { HOUSEHOLD_COUNT_QUICK } else { HOUSEHOLD_COUNT };
        let first_day = "2026-03-01".parse().map_err(defect)?;
        let town = Town::new(7, household_count, DAY_COUNT, first_day).map_err(defect)?;
        let blocks = (0..household_count)
            .flat_map(|index| (0..town.days().len()).map(move |at| (index, at)))
            .map(|(index, at)| block(&town, index, at))
            .collect::<Result<_, _>>()?;
        let (batch, leaves) = (OnceLock::new(), OnceLock::new());
        Ok(Self { arguments, folder, is_quick, batch, blocks, town, leaves })
    }

    /// A new folder that a stage may write to.
    pub fn room(&self, name: &str) -> Result<PathBuf, Failure> {
        let room = self.folder.join(name);
        std::fs::create_dir_all(&room).map_err(|error| Failure::file("create", &room, &error))?;
        Ok(room)
    }

    /// Readings in all blocks.
    pub fn reading_count(&self) -> usize {
        self.blocks.iter().map(DayBlock::interval_count).sum()
    }

    /// The month's leaves in seal order.
    pub fn leaves(&self) -> Result<&[DayLeaf], Failure> {
        if let Some(leaves) = self.leaves.get() {
            return Ok(leaves);
        }
        let secret = BlindingSecret::new([7; 32]);
        let alone = Threads::new(1).map_err(defect)?;
        let leaves = sealing::leaves_of(&self.blocks, SealKind::Period, &secret, |_| 0, &alone);
        Ok(self.leaves.get_or_init(|| leaves))
    }

    /// The leaves of the month's first days, in seal order.
    pub fn leaves_of_days(&self, day_count: usize) -> Result<Vec<DayLeaf>, Failure> {
        let days = &self.town.days()[..day_count.min(self.town.days().len())];
        let own = self.leaves()?.iter().filter(|leaf| days.contains(&leaf.block().key().day));
        Ok(own.cloned().collect())
    }

    /// One region's month as it is delivered, read by a built-in profile.
    pub fn text(&self, format: ReadingFormat, profile: &str) -> Result<Text, Failure> {
        let profile = Profile::builtin(profile).and_then(|profile| profile.with_zone(REGION.zone_name()));
        let mut bytes = Vec::new();
        for part in parts(&self.town, format).filter(|part| part.region == REGION) {
            write_part(&self.town, &part, &mut bytes, &mut |_| {}).map_err(defect)?;
        }
        Ok(Text { profile: profile.map_err(defect)?, bytes })
    }

    /// The same readings with a column a usage point.
    pub fn wide_text(&self) -> Result<Text, Failure> {
        let own: Vec<u64> = (0..self.town.household_count())
            .filter(|index| self.town.household(*index).region() == REGION)
            .collect();
        let mut text = "start".to_owned();
        for index in &own {
            write!(text, ",{}", self.town.household(*index).usage_point()).map_err(defect)?;
        }
        text.push('\n');
        for (at, day) in self.town.days().iter().enumerate() {
            let days: Vec<_> = own.iter().map(|index| self.town.household_day(*index, at)).collect();
            for slot in 0..SLOT_COUNT {
                write!(text, "{day} {:02}:{:02}", slot / 2, slot % 2 * 30).map_err(defect)?;
                days.iter().try_for_each(|day| write!(text, ",{}", day[slot])).map_err(defect)?;
                text.push('\n');
            }
        }
        let profile = Profile::parse("wide", WIDE_PROFILE).map_err(defect)?;
        Ok(Text { profile, bytes: text.into_bytes() })
    }

    /// The town's tariffs, agreements and contracts, read from files as a person would hand them in.
    pub fn documents(&self) -> Result<Documents, Failure> {
        let room = self.room("documents")?;
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |error| Failure::file("write", &path, &error)
        };
        let mut documents =
            Documents { tariffs: TariffBook::default(), agreements: HashMap::new(), contracts: Vec::new() };
        for path in write_documents(&self.town, &room).map_err(fail(&room))? {
            if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).map_err(fail(&path))?;
                match parse_document("bench", &text)? {
                    Document::Tariff(tariff) => {
                        documents.tariffs.publish(publish_tariff(*tariff)).map_err(defect)?;
                    }
                    Document::Agreement(agreement) => {
                        let published = publish_agreement(agreement);
                        documents.agreements.insert(published.body.id, published);
                    }
                    Document::RulePack(_)
                    | Document::PenaltyTable(_)
                    | Document::SharingGroup(_)
                    | Document::Access(_)
                    | Document::PriceSeries(_)
                    | Document::PlanSeries(_)
                    | Document::HourList(_) => {}
                }
            }
        }
        let mut contracts = Vec::new();
        write_contracts(&self.town, &mut contracts).map_err(defect)?;
        documents.contracts = parse_contracts("bench", contracts.as_slice())?;
        Ok(documents)
    }
}

fn block(town: &Town, index: u64, at: usize) -> Result<DayBlock, Failure> {
    let household = town.household(index);
    let local = town.local_day(household.region(), town.days()[at]);
    let key = BlockKey { usage_point: household.usage_point(), register: Register::IMPORT, day: local.day };
    let values = town.household_day(index, at).to_vec();
    let qualities = vec![Quality::Valid; values.len()];
    DayBlock::from_parts(key, local.start, 30, Source::Synthetic, values, qualities).map_err(defect)
}

impl Text {
    /// Bytes of the file.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Decodes it into a sink that only counts, and gives the readings found.
    ///
    /// # Errors
    /// A refused file, or a reading set aside: a generated file has neither.
    pub fn decode(&self) -> Result<usize, Failure> {
        let mut counted = Counted::default();
        decode(&self.profile, "bench.csv", &mut self.bytes.as_slice(), &mut counted).map_err(defect)?;
        if counted.rejection_count > 0 || counted.energy_wh <= 0 {
            return Err(defect("a generated file was set aside in part"));
        }
        Ok(counted.reading_count)
    }
}

#[derive(Default)]
struct Counted {
    reading_count: usize,
    energy_wh: i64,
    rejection_count: u64,
}

impl ReadingSink for Counted {
    fn reading(&mut self, reading: RawReading) {
        self.reading_count += 1;
        self.energy_wh = self.energy_wh.wrapping_add(reading.energy_wh);
    }

    fn issued(&mut self, _issued: Issued) {}

    fn register_read(&mut self, read: &RegisterRead, _origin: ReadOrigin) {
        unreachable!("{read:?}: the formats here give interval values only");
    }

    fn installation(&mut self, installation: &Installation, _line: u64) {
        unreachable!("{installation:?}: the formats here give interval values only");
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        unreachable!("{run:?}: the formats here take nothing back");
    }

    fn reject(&mut self, _rejection: Rejection) {
        self.rejection_count += 1;
    }

    fn line_done(&mut self, _line: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
