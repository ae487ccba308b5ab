//! What does not come as a file: a delivery that a program hands over, and the word of a person.
//!
//! ```text
//!   deliver                          findings as a decoder gives them                ─┐
//!   edit, withdraw, exchange, approve   values or meters, who, why, when             ─┴─▶ one chunk ─▶ one record
//! ```
//!
//! Each is one record: acknowledged whole or not at all, and known by its content, so that doing it twice is doing it once.

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::layer::{CorrectionReason, Layer, Origin};
use tallywatt_core::meter::Installation;
use tallywatt_core::meter_event::{Approval, MeterEvent};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{Issued, Source};
use tallywatt_core::register::Register;
use tallywatt_ingest::sink::ReadingSink;
use tallywatt_ledger::codec::Writer;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::meter_event_bytes::{encode_event, pending_hash};
use tallywatt_shards::lane::{Chunk, Intent, Mark, RunHead};
use tallywatt_shards::pipeline::{self, Feeder, PipelineError, PipelineLimits};
use tallywatt_shards::shard::Rules;

use crate::books::Books;
use crate::intake::chunk::{Acknowledged, BlockSink, Wanted, Work};
use crate::intake::import::{Committer, Halt};
use crate::intake::report::{ImportEnd, ImportReport, OfRun, report};
use crate::intake::sealed::SealedDays;
use crate::intake::{Intake, IntakeError, printable_name};
use crate::quarantine;

/// A delivery that a program hands over.
pub struct Delivery<'a> {
    /// What is sealed already.
    pub books: &'a Books,
    /// What it is known by: the same again is not looked at.
    pub id: ContentHash,
    /// What people call it.
    pub name: &'a str,
    /// The zone whose local days its usage points follow.
    pub zone: &'a Zone,
    /// Where its values came from.
    pub source: Source,
    /// The clock: readings after it are in the future.
    pub now: UtcSeconds,
}

/// A person at work on readings.
pub struct ByHand<'a> {
    /// What is sealed already.
    pub books: &'a Books,
    /// The zone whose local days the usage point follows.
    pub zone: &'a Zone,
    /// Who.
    pub who: Label,
    /// When.
    pub at: UtcSeconds,
}

/// Consecutive intervals of one register.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// Where.
    pub usage_point: UsagePointId,
    /// Which register.
    pub register: Register,
    /// First instant of the first interval.
    pub start: UtcSeconds,
    /// Length of each.
    pub interval_minutes: u8,
    /// Energy in each.
    pub values_wh: &'a [i64],
}

impl Intake {
    /// Takes in what `fill` hands over, as one step.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn deliver(
        &mut self,
        delivery: &Delivery<'_>,
        fill: &mut dyn FnMut(&mut dyn ReadingSink),
    ) -> Result<ImportReport, IntakeError> {
        self.step(delivery, |chunk| {
            fill(&mut BlockSink::new(chunk, Wanted { after: 0, only: None }));
        })
    }

    /// Sets values: what stood there is taken back, and these stand, as edited.
    ///
    /// # Errors
    /// [`IntakeError`]. A value that breaks a rule is no error but set aside, and counted in the report.
    pub fn edit(
        &mut self,
        by: &ByHand<'_>,
        values: &Values<'_>,
        why: CorrectionReason,
    ) -> Result<ImportReport, IntakeError> {
        self.edit_all(by, std::slice::from_ref(values), why)
    }

    /// The same of several runs of values, as one step.
    ///
    /// # Errors
    /// As [`Intake::edit`].
    pub fn edit_all(
        &mut self,
        by: &ByHand<'_>,
        runs: &[Values<'_>],
        why: CorrectionReason,
    ) -> Result<ImportReport, IntakeError> {
        let mark = Mark { intent: Intent::Edit, issued: by.issued(), origin: by.origin(why) };
        let bytes: Vec<u8> = runs.iter().flat_map(|values| values.bytes(&mark)).collect();
        self.by_hand(by, "edit", &bytes, |chunk| {
            runs.iter().for_each(|values| values.put(chunk, mark, Quality::Edited));
        })
    }

    /// Takes values back that were delivered in an issue, or, if it is unsaid, these values of any issue.
    ///
    /// # Errors
    /// As [`Intake::edit`].
    pub fn withdraw(
        &mut self,
        by: &ByHand<'_>,
        values: &Values<'_>,
        issued: Issued,
        why: CorrectionReason,
    ) -> Result<ImportReport, IntakeError> {
        let mark = Mark { intent: Intent::Withdraw, issued, origin: by.origin(why) };
        self.by_hand(by, "withdrawal", &values.bytes(&mark), |chunk| values.put(chunk, mark, Quality::Valid))
    }

    /// Notes which meters counted, from when to when: of an exchange the one taken out and the one put in.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn exchange(
        &mut self,
        by: &ByHand<'_>,
        installations: &[Installation],
    ) -> Result<ImportReport, IntakeError> {
        let events: Vec<MeterEvent> = installations.iter().copied().map(MeterEvent::Installed).collect();
        let bytes: Vec<u8> = events.iter().flat_map(encode_event).collect();
        self.by_hand(by, "exchange", &bytes, |chunk| {
            events.into_iter().for_each(|event| chunk.push_event(event));
        })
    }

    /// Meters of a usage point that are noted and not sealed yet.
    pub fn unsealed_installations(&self, usage_point: &UsagePointId) -> impl Iterator<Item = &Installation> {
        let events = self.shards.iter().flat_map(|shard| shard.layered().events());
        events.filter_map(move |event| match event {
            MeterEvent::Installed(one) if one.usage_point == *usage_point => Some(one),
            _ => None,
        })
    }

    /// The corrections that wait, sealed or not, by what they are known by.
    #[must_use]
    pub fn pending(&self, books: &Books) -> Vec<(ContentHash, Layer)> {
        let own = || self.shards.iter().flat_map(|shard| shard.layered().events());
        let mut pending: Vec<(ContentHash, Layer)> =
            books.pending().map(|(hash, layer)| (*hash, layer.clone())).collect();
        pending.extend(own().filter_map(|event| match event {
            MeterEvent::Pending(layer) => Some((pending_hash(layer), layer.clone())),
            _ => None,
        }));
        let is_approved = |hash: &ContentHash| {
            own().any(|event| matches!(event, MeterEvent::Approved(approval) if approval.layer == *hash))
        };
        pending.retain(|(hash, _)| !is_approved(hash));
        pending.sort_by(|a, b| a.1.cmp(&b.1));
        pending.dedup();
        pending
    }

    /// Lets a correction pass that waits: its values become layers of their day. `None` if no such correction waits.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn approve(
        &mut self,
        by: &ByHand<'_>,
        layer: &ContentHash,
    ) -> Result<Option<ImportReport>, IntakeError> {
        let waits = self.pending(by.books).into_iter().find(|(hash, _)| hash == layer);
        let Some((hash, layer)) = waits else { return Ok(None) };
        let approval = MeterEvent::Approved(Approval { layer: hash, who: by.who, at: by.at });
        // A source that tells no issues has no later word, and the person's is one: else the smaller value would stand.
        let issued = match layer.head.issued {
            Issued::UNSAID => by.issued(),
            of_its_source => of_its_source,
        };
        // Who approved it is remembered with the value, unless somebody had set it.
        let origin = match layer.head.origin {
            Origin::DELIVERY => by.origin(CorrectionReason::Redelivery),
            set => set,
        };
        let mark = Mark { intent: Intent::Approve, issued, origin };
        let bytes = encode_event(&approval);
        let done = self.by_hand(by, "approval", &bytes, |chunk| {
            put_layer(chunk, mark, &layer);
            chunk.push_event(approval);
        });
        done.map(Some)
    }

    fn by_hand(
        &mut self,
        by: &ByHand<'_>,
        what: &str,
        bytes: &[u8],
        fill: impl FnOnce(&mut Chunk<Work>),
    ) -> Result<ImportReport, IntakeError> {
        let ByHand { books, zone, who, at } = *by;
        let mut writer = Writer::default();
        writer.text(what).text(zone.name()).label(&who).i64(at.0).bytes(bytes);
        let (id, name) = (content_hash(&writer.finish()), format!("{what} by {who}"));
        let delivery = Delivery { books, id, name: &name, zone, source: Source::Manual, now: at };
        self.step(&delivery, fill)
    }

    /// One chunk through the shards into one record.
    fn step(
        &mut self,
        delivery: &Delivery<'_>,
        fill: impl FnOnce(&mut Chunk<Work>),
    ) -> Result<ImportReport, IntakeError> {
        self.check()?;
        let Delivery { books, id, zone, source, now, .. } = *delivery;
        let name = printable_name(delivery.name);
        if let Some(known) = self.imports.get(&id).filter(|known| known.is_finished) {
            return Ok(report(&name, known, OfRun::default(), None, ImportEnd::Repeated));
        }
        let rules = Rules { zone, source, limits: books.limits(now) };
        let (sealed, acknowledged) = (SealedDays(books), Acknowledged::default());
        let mut committer = Committer {
            write_ahead: &mut self.write_ahead,
            imports: &mut self.imports,
            id,
            file_name: &name,
            is_last: true,
            acknowledged: &acknowledged,
        };
        let mut commit = |chunks: &mut [Chunk<Work>]| committer.commit(chunks, &mut |_| Ok(()));
        let source = |feeder: &mut Feeder<'_, Work>| {
            if let Some(mut chunk) = feeder.take() {
                fill(&mut chunk);
                chunk.cursor = 1;
                feeder.send(chunk);
            }
        };
        // Until it has ended well, the shards may hold days that are not durable.
        self.is_failed = true;
        let limits = PipelineLimits { chunk_count: 2, decoder_count: 0 };
        let decoder = &|| -> pipeline::Decode<'_, Work> { Box::new(|_| {}) };
        let piped = pipeline::run(&mut self.shards, (&rules, &sealed), limits, source, decoder, &mut commit);
        match piped {
            Ok(()) => self.is_failed = false,
            Err(PipelineError::Shard(error)) => return Err(error.into()),
            Err(PipelineError::Commit(Halt::Failed(error))) => return Err(error),
            Err(PipelineError::Commit(_)) => unreachable!("only a file is refused"),
        }
        let import = self.imports.get(&id).cloned().unwrap_or_default();
        quarantine::ensure(&self.quarantine, &id, &name, &import.rejections)?;
        Ok(report(&name, &import, OfRun::default(), None, ImportEnd::Finished))
    }
}

impl ByHand<'_> {
    /// The issue of a person's word is when it was given: never unsaid, so that a withdrawal of any issue passes it by.
    fn issued(&self) -> Issued {
        Issued(u64::try_from(self.at.0).unwrap_or_default().max(1))
    }

    const fn origin(&self, reason: CorrectionReason) -> Origin {
        Origin { reason, who: Some(self.who), at: Some(self.at) }
    }
}

impl Values<'_> {
    fn put(&self, chunk: &mut Chunk<Work>, mark: Mark, quality: Quality) {
        let Self { usage_point, register, start, interval_minutes, values_wh } = *self;
        let head =
            RunHead { usage_point, register, start, interval_minutes, quality, first_line: 1, line_step: 1 };
        chunk.mark(mark);
        chunk.push_run(head, values_wh);
    }

    /// What a step with these values is known by.
    fn bytes(&self, mark: &Mark) -> Vec<u8> {
        let Self { usage_point, register, start, interval_minutes, values_wh } = *self;
        let mut writer = Writer::default();
        writer.label(&usage_point).text(&register.to_string()).i64(start.0).u8(interval_minutes);
        writer.u64(mark.issued.0).u8(mark.origin.reason.code()).count(values_wh.len());
        for wh in values_wh {
            writer.i64(*wh);
        }
        writer.finish()
    }
}

/// The values of a layer, as they were delivered.
fn put_layer(chunk: &mut Chunk<Work>, mark: Mark, layer: &Layer) {
    let block = &layer.block;
    for at in 0..block.interval_count() {
        let (value_wh, quality) = block.interval(at);
        if quality != Quality::Missing {
            let values = Values {
                usage_point: block.key().usage_point,
                register: block.key().register,
                start: block.interval_start(at),
                interval_minutes: block.interval_minutes(),
                values_wh: &[value_wh.into()],
            };
            values.put(chunk, mark, quality);
        }
    }
}
