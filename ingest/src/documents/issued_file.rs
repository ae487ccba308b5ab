//! Bills that another system issued, as CSV: `account,total,energy_kwh`; the energy may be left empty.
//!
//! ```
//! use tallywatt_ingest::documents::parse_issued_bills;
//!
//! let list = "account,total,energy_kwh\nA-1,120.50,31.2\nA-2,0.00,\n";
//! let bills = parse_issued_bills("old.csv", list.as_bytes())?;
//! assert_eq!((bills.len(), bills[0].energy_wh, bills[1].energy_wh), (2, Some(31_200), None));
//! # Ok::<(), tallywatt_ingest::documents::DocumentError>(())
//! ```

use std::collections::BTreeMap;
use std::io::Read;

use tallywatt_core::bill_match::IssuedBill;
use tallywatt_core::decimal::Decimal;
use tallywatt_core::label::AccountId;

use super::error::DocumentError;
use super::rows::Rows;

const COLUMNS: [&str; 3] = ["account", "total", "energy_kwh"];
/// Decimals of a kilowatt-hour down to the watt-hour.
const KWH_DECIMALS: u32 = 3;

/// Reads bills issued elsewhere, in order of their accounts; `file` is its name in messages.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_issued_bills(file: &str, input: impl Read) -> Result<Vec<IssuedBill>, DocumentError> {
    let mut rows = Rows::new(file, input);
    let columns = rows.header(COLUMNS)?;
    let mut bills: BTreeMap<AccountId, (u64, IssuedBill)> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        let [account, total, energy] = columns.pick(&rows, &row)?;
        let fail =
            |problem: String| rows.fail(rows.line(), problem, "correct the value, or leave the row out");
        let account: AccountId = account.parse().map_err(|error| fail(format!("account: {error}")))?;
        let total = total.parse().map_err(|error| fail(format!("total {total:?}: {error}")))?;
        let energy_wh = match energy {
            "" => None,
            text => {
                let wh = Decimal::parse(text.as_bytes(), b'.').and_then(|kwh| kwh.scaled(KWH_DECIMALS));
                Some(wh.map_err(|error| fail(format!("energy_kwh {text:?}: {error}")))?)
            }
        };
        let known = bills.insert(account, (rows.line(), IssuedBill { account, total, energy_wh }));
        if let Some((line, _)) = known {
            return Err(fail(format!("account {account} stands on line {line} already")));
        }
    }
    Ok(bills.into_values().map(|(_, bill)| bill).collect())
}
