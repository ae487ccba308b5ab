//! Profiles: what a source's files look like, said in TOML, so that no decoder has to guess.
//!
//! ```toml
//! format = "csv"                      # csv, json-lines, nem12, nem13, 80020, greenbutton, mscons, p1, sml, dlms,
//!                                     # reads, meters, frames, packs, parquet
//! layout = "long"                     # long: one value a row; wide: one column a usage point; day: one row a day
//! encoding = "utf-8"                  # or windows-1251
//! delimiter = ";"                     # , ; | or a tab
//! decimal = ","                       # or a point
//! unit = "kWh"                        # Wh, kWh, MWh, varh, kvarh, Mvarh
//! multiplier = "40"                   # of a transformer; written as text, so that it stays exact
//! stamp = "end"                       # start (default) or end of the interval
//! stamp_format = "DD.MM.YYYY HH:mm"   # YYYY MM M DD D HH H mm ss, or rfc3339, or epoch; Parquet: utc, local
//! zone = "Asia/Yekaterinburg"         # of the stamps and of the delivery day
//! interval_minutes = 30
//! obis = "1-0:1.8.0"
//! source = "automated"                # automated, manual, synthetic
//! round_to_wh = false                 # true: values finer than 1 Wh are rounded, and counted
//! usage_point_from = "file"           # or usage_point = "NAME", or a column; of telegrams also "meter"
//! max_power_w = 15000
//! frame = "required"                 # nem12, nem13: or optional, for files without records 100 and 900
//! class = "80020"                     # of an 80020 message: 80020 or 80040; both if it is not said
//! groups = false                      # true: its groups and flows between areas are usage points of their own
//!
//! [columns]
//! start = "time"
//! value = "kWh"
//! ignore = ["temperature"]
//! ```
//!
//! Telegrams (p1, sml, dlms) have keys of their own:
//!
//! ```toml
//! read_at_from = "file"               # NAME@20260301T120000Z.bin; or read_at = "2026-03-01T12:00:00Z"
//! crc = "required"                    # or optional: p1 telegrams from before version 4 have none
//! clock = "stated"                    # or zone: a dlms meter's deviation from UTC is not believed
//! ```
//!
//! The text is part of what a batch rests on, so [`Profile::content`] is always the whole of it.

use std::sync::Arc;

use tallywatt_core::calendar::Zone;
use tallywatt_core::reading::Source;

use crate::foreign::ForeignFile;
use crate::format::{self, Format};
use crate::profile_text::Text;

/// What the files of one source look like.
#[derive(Debug, Clone)]
pub struct Profile {
    name: String,
    content: String,
    zone: Zone,
    source: Source,
    max_power_w: Option<i64>,
    /// What is particular to its format.
    format: Arc<dyn Format>,
}

/// Why a profile cannot be taken. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, or a key that no profile has.
    #[error("line {line}: {message}")]
    Toml {
        /// Where.
        line: u64,
        /// What the TOML reader says.
        message: String,
    },
    /// A key whose value is none of those it may have.
    #[error("line {line}: `{key}` is {value:?}, need {expected}")]
    Value {
        /// Where.
        line: u64,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A key that this format or layout needs.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A key that this format or layout does not use, or that another key already settles.
    #[error("line {line}: `{key}` has no meaning in this format and layout")]
    Unused {
        /// Where.
        line: u64,
        /// The key.
        key: &'static str,
    },
    /// Larger than a profile may be.
    #[error("profile of {size} bytes, at most 65536")]
    TooLong {
        /// Its size.
        size: usize,
    },
    /// No profile of this name comes with the program.
    #[error("{0:?} is not a built-in profile")]
    Unknown(String),
}

impl Profile {
    /// Reads a profile. `name` is for messages and the record of a batch.
    ///
    /// # Errors
    /// [`ProfileError`] names the key and its line.
    ///
    /// ```
    /// use tallywatt_ingest::profile::Profile;
    /// let error = Profile::parse("mine", "format = \"csv\"\nlayuot = \"wide\"\n").unwrap_err();
    /// assert!(error.to_string().starts_with("line 2: unknown field `layuot`"));
    /// ```
    pub fn parse(name: &str, toml_text: &str) -> Result<Self, ProfileError> {
        let text = Text(toml_text);
        let document = text.parse()?;
        let common = document.common(text)?;
        let format = document.into_format(text)?.into();
        Ok(Self {
            name: name.to_owned(),
            content: toml_text.to_owned(),
            zone: common.zone,
            source: common.source,
            max_power_w: common.max_power_w,
            format,
        })
    }

    /// A profile that comes with the program.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`].
    pub fn builtin(name: &str) -> Result<Self, ProfileError> {
        let found = format::profiles().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| ProfileError::Unknown(name.chars().take(80).collect()))?;
        Self::parse(name, text)
    }

    /// The names of the profiles that come with the program.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        format::profiles().map(|(name, _)| name)
    }

    /// The same profile for another zone. Its content names that zone.
    ///
    /// # Errors
    /// [`ProfileError::Value`] if it is not a zone.
    pub fn with_zone(&self, zone: &str) -> Result<Self, ProfileError> {
        let quoted = toml::Value::String(zone.to_owned());
        let mut content = format!("zone = {quoted}\n");
        let mut in_table = false;
        for line in self.content.lines() {
            in_table |= line.trim_start().starts_with('[');
            let key = line.split('=').next().unwrap_or_default().trim();
            if in_table || !matches!(key, "zone" | "\"zone\"" | "'zone'") {
                content.push_str(line);
                content.push('\n');
            }
        }
        Self::parse(&self.name, &content)
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its whole TOML text.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }

    /// The zone of local stamps and of the delivery day.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Where the values come from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// The connection's ceiling in watts, if the profile names one.
    #[must_use]
    pub const fn max_power_w(&self) -> Option<i64> {
        self.max_power_w
    }

    /// How a helper reads its files, for a format that is not read in this process.
    #[must_use]
    pub fn foreign(&self) -> Option<&ForeignFile> {
        self.format.foreign()
    }

    /// Whether the name of a file says which usage point its values are of.
    #[must_use]
    pub fn is_named_by_file(&self) -> bool {
        self.format.is_named_by_file()
    }

    /// Whether the senders of its files await a reply, as [`crate::layout80020_reply`] writes it.
    #[must_use]
    pub fn is_replied_to(&self) -> bool {
        self.format.is_replied_to()
    }

    pub(crate) fn format(&self) -> &dyn Format {
        &*self.format
    }
}
