//! placeholder
use tallywatt_core::calendar::Zone;
use crate::{profile::Layout80020Profile, refusal::FileRefusal, tally::Tally};
pub(crate) fn decode(_: &Layout80020Profile, _: &Zone, _: &[u8], _: &mut Tally<'_>) -> Result<(), FileRefusal> { Ok(()) }
