//! Pipeline: a file of readings to a sealed batch that survives a power cut, from end to end.

use tallywatt_ledger::seal::Sealed;
use tallywatt_shards::threads::Threads;

use crate::measure::{Failure, Setup, files, load};

/// A day of a country, as rows of one value, as frames and as packs of frames.
pub struct Case {
    setup: Setup,
}

impl Case {
    /// Writes the files into a folder.
    ///
    /// # Panics
    /// If they cannot be written.
    #[must_use]
    pub fn new(folder: &std::path::Path, meter_count: u64, thread_count: usize) -> Self {
        let threads = Threads::new(thread_count).expect("a pool of few threads starts");
        let (folder, day_count, leaf_count, memory_mib) = (folder.to_owned(), 1, 1, 1_024);
        let setup = Setup { folder, threads, meter_count, day_count, leaf_count, memory_mib };
        for prepare in [files::prepare_csv, files::prepare_frames, files::prepare_packs] {
            prepare(&setup).expect("the folder can be written");
        }
        Self { setup }
    }

    /// How many readings.
    #[must_use]
    pub fn reading_count(&self) -> u64 {
        self.setup.meter_count * 48
    }

    /// Loads the rows.
    ///
    /// # Panics
    /// If a reading is lost.
    #[must_use]
    pub fn run_csv(&self) -> Sealed {
        sealed(load::load_csv(&self.setup))
    }

    /// Loads the frames.
    ///
    /// # Panics
    /// If a reading is lost.
    #[must_use]
    pub fn run_frames(&self) -> Sealed {
        sealed(load::load_frames(&self.setup))
    }

    /// Loads the packs.
    ///
    /// # Panics
    /// If a reading is lost.
    #[must_use]
    pub fn run_packs(&self) -> Sealed {
        sealed(load::load_packs(&self.setup))
    }
}

fn sealed(loaded: Result<load::Loaded, Failure>) -> Sealed {
    loaded.expect("a generated file is sound").sealed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows name meters by number alone, frames by their names: two sets of leaves, each with one root.
    #[test]
    fn one_root_for_any_number_of_threads() {
        let (mut csv, mut frames) = (Vec::new(), Vec::new());
        for thread_count in [1, 2] {
            let folder = tempfile::tempdir().unwrap();
            let case = Case::new(folder.path(), 100, thread_count);
            csv.push(case.run_csv());
            frames.push(case.run_frames());
            assert_eq!(Some(&case.run_packs()), frames.last(), "packs hold the same frames");
        }
        assert_eq!((csv[0], frames[0]), (csv[1], frames[1]));
        assert_eq!(csv[0].totals, frames[0].totals);
        assert_eq!((csv[0].totals.leaf_count, csv[0].totals.reading_count()), (100, 4_800));
        let want = [
            "b6619cf48f1f16708e2b5f9cf845ef8809de8fe2089b35ff3287d7e2a6346b70",
            "03fd8a31c81345ca97dd490e4cdf63a1e0b60860e54ee405e27a819a82f9d6c3",
        ];
        assert_eq!([csv[0], frames[0]].map(|sealed| sealed.root.hash.to_string()), want);
    }
}
