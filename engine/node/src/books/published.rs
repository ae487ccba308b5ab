//! Books: documents as they are published.

use tallywatt_ledger::command::DocumentKind;
use tallywatt_ledger::{agreement_bytes, penalty_bytes, rule_pack_bytes, sharing_bytes, tariff_bytes};

use crate::books::{Books, BooksError, market};

impl Books {
    /// Takes a published document of a kind in.
    pub(super) fn absorb_document(&mut self, kind: DocumentKind, bytes: &[u8]) -> Result<(), BooksError> {
        match kind {
            DocumentKind::Tariff => {
                let tariff = tariff_bytes::decode_tariff(bytes)
                    .map_err(|source| BooksError::Codec { what: "tariff", source })?;
                self.tariffs
                    .publish(tariff_bytes::publish_tariff(tariff))
                    .map_err(|error| BooksError::Conflict(error.to_string()))
            }
            DocumentKind::Agreement => {
                let agreement = agreement_bytes::decode_agreement(bytes)
                    .map_err(|source| BooksError::Codec { what: "agreement", source })?;
                self.agreements.push(agreement_bytes::publish_agreement(agreement));
                self.agreements.sort_by_key(|known| (known.body.id, known.body.validity));
                Ok(())
            }
            DocumentKind::RulePack => {
                let pack = rule_pack_bytes::decode_rule_pack(bytes)
                    .map_err(|source| BooksError::Codec { what: "rule pack", source })?;
                self.rule_packs.push(rule_pack_bytes::publish_rule_pack(pack));
                Ok(())
            }
            DocumentKind::PenaltyTable => {
                let table = penalty_bytes::decode_penalty_table(bytes)
                    .map_err(|source| BooksError::Codec { what: "penalty table", source })?;
                self.penalty_tables.push(penalty_bytes::publish_penalty_table(table));
                Ok(())
            }
            DocumentKind::SharingGroup => {
                let group = sharing_bytes::decode_sharing_group(bytes)
                    .map_err(|source| BooksError::Codec { what: "sharing group", source })?;
                self.sharing_groups.push(sharing_bytes::publish_sharing_group(group));
                Ok(())
            }
            DocumentKind::Access => self.absorb_access(bytes),
            DocumentKind::PriceSeries | DocumentKind::HourList | DocumentKind::PlanSeries => {
                market::publish(&mut self.market, kind, bytes)
            }
        }
    }
}
