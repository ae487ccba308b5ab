//! `tariff check --cap`: tariffs beside what a regulator lets them cost.

use std::path::{Path, PathBuf};

use tallywatt_core::market::MarketBook;
use tallywatt_ingest::documents::{Document, check_price_cap, parse_document, parse_price_cap};

use crate::failure::Failure;
use crate::output::Report;
use crate::tariffs::{read_market, read_text};

/// Compares the tariffs among the files with the cap; the series among them are what prices of series are taken from.
pub fn check(cap: &Path, files: &[PathBuf], report: &mut Report) -> Result<(), Failure> {
    let cap = parse_price_cap(&cap.display().to_string(), &read_text(cap)?)?;
    report.fact("cap", format!("{}, {}, {}", cap.name, cap.region, cap.validity));
    report.fact("source of the cap", cap.source.clone());
    let (mut market, mut tariffs) = (MarketBook::new(), Vec::new());
    for file in files {
        let (name, text) = (file.display().to_string(), read_text(file)?);
        match parse_document(&name, &text)? {
            Document::Tariff(_) => tariffs.push((name, text)),
            Document::PriceSeries(_) => read_market(file, &mut market)?,
            _ => {}
        }
    }
    report.fact("tariffs compared", tariffs.len());
    for (name, text) in tariffs {
        let left_out = check_price_cap(&name, &text, &cap, &market)?;
        report.notes.extend(left_out.into_iter().map(|left_out| format!("{name}: {left_out}")));
    }
    Ok(())
}
