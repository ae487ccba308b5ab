//! What a reading, a tariff, a bill and a split *are*: pure functions over plain values.
//!
//! Nothing here reads a clock, a file, a socket, an environment variable or a random number, and nothing
//! uses a float between a reading and a receipt; the test `purity` reads the sources and holds that. Floor 1 of
//! the house: every other crate may depend on this one.
//!
//! ```
//! use tallywatt_core::{energy::Energy, money::PricePerKwh};
//! let price: PricePerKwh = "4.87".parse()?;
//! let exact = price.charge(Energy::from_wh(1_250));
//! assert_eq!(exact.to_string(), "6.0875");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod access;
pub mod account;
pub mod accrual;
pub mod agreement;
pub mod bill;
pub mod bill_change;
pub mod bill_match;
pub mod calendar;
pub mod carried;
pub mod columns;
pub mod contract;
pub mod correction;
pub mod day_block;
pub mod day_layers;
pub mod day_sheet;
pub mod decimal;
pub mod determinants;
pub mod energy;
pub mod estimated;
pub mod explain;
pub mod hash;
pub mod hour_list;
pub mod label;
pub mod layer;
pub mod market;
pub mod meter;
pub mod meter_event;
pub mod money;
pub mod payment_book;
pub mod payment_terms;
pub mod penalty;
pub mod placed_payment;
pub mod plan_series;
pub mod price_series;
pub mod proportion;
pub mod quality;
pub mod rate;
pub mod reading;
pub mod register;
pub mod rejection;
pub mod reserve;
pub mod settle_error;
pub mod sharing;
pub mod split;
pub mod suspense;
pub mod tariff;
pub mod transfer;
pub mod validity;
pub mod vee;
