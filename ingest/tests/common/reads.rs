//! Register reads told in words, and formats of register reads under malformed files.

use tallywatt_core::meter::RegisterRead;
use tallywatt_ingest::decode::decode;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::Collected;

use super::bend::{Watch, bend};

/// Malformed files made of the sound ones of a format.
const BENT_COUNT: u64 = 10_000;

/// What became of a file, a word each: `point register at=dial meter by@line; R03×2@7 raw`, or the refusal.
pub fn tell_reads(profile: &Profile, name: &str, bytes: &[u8]) -> String {
    match super::run(profile, name, bytes) {
        Err(refusal) => {
            assert!(!refusal.next_step().is_empty());
            format!("refused: {refusal}")
        }
        Ok((found, summary)) => {
            assert_eq!(summary.register_read_count, found.register_reads.len() as u64);
            assert_eq!(summary.installation_count, found.installations.len() as u64);
            let reads = found.register_reads.iter().map(|(read, origin)| {
                let meter = read.meter.map_or(String::new(), |meter| format!(" {meter}"));
                let who = origin.who.map_or(String::new(), |who| format!(" by {who}"));
                let quality = match read.quality.name() {
                    "valid" => String::new(),
                    name => format!(" {name}"),
                };
                let (point, register) = (read.usage_point, read.register);
                format!("{point} {register} {}={}{quality}{meter}{who}@{}", read.at, read.dial, origin.line)
            });
            let readings = found.readings.iter().map(|reading| {
                let (point, register, quality) = (reading.usage_point, reading.register, reading.quality);
                format!(
                    "{point} {register} {}={} {quality}@{}",
                    reading.start, reading.energy_wh, reading.line
                )
            });
            let rejections = found.rejections.iter().map(|rejection| {
                let (code, count, line) = (rejection.code, rejection.reading_count, rejection.line);
                format!("{code}×{count}@{line} {}", rejection.raw)
            });
            reads.chain(readings).chain(rejections).collect::<Vec<_>>().join("; ")
        }
    }
}

/// No malformed file makes the decoder panic or dawdle, and all it says has a reason and a place. Calls `look` with what
/// each file gave.
pub fn bend_all(
    profile: &Profile,
    name: &str,
    sounds: &[Vec<u8>],
    seed: u64,
    look: &mut dyn FnMut(&Collected),
) {
    println!("seed {seed}");
    for number in 0..BENT_COUNT {
        let at = |number: u64| &sounds[usize::try_from(number).unwrap() % sounds.len()];
        let bytes = bend(at(number), at(number / 7 + 1), seed + number);
        let mut found = Collected::default();
        let watch = Watch::start();
        let decoded = decode(profile, name, &mut &bytes[..], &mut found);
        watch.stop(&|| format!("file {number} of seed {seed}"));
        for rejection in &found.rejections {
            let has_place = rejection.line > 0 && rejection.line <= bytes.len() as u64 + 1;
            assert!(has_place && !rejection.code.reason().is_empty(), "{rejection:?}, file {number}");
        }
        match decoded {
            Ok(_) => look(&found),
            Err(refusal) => assert!(!refusal.next_step().is_empty() && !refusal.to_string().is_empty()),
        }
    }
}

/// The reads of sound files: what a format with check sums may find in malformed ones, and no more.
pub fn reads_of(profile: &Profile, name: &str, sounds: &[Vec<u8>]) -> Vec<RegisterRead> {
    let found = sounds.iter().map(|sound| super::run(profile, name, sound).unwrap().0);
    found.flat_map(|found| found.register_reads).map(|(read, _)| read).collect()
}
