//! `bill qr`: the text of the square code on a bill, by which a bank's till or telephone pays what is open of it.

use std::path::Path;

use tallywatt_core::account::OpenBill;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Period;
use tallywatt_core::label::AccountId;
use tallywatt_core::money::Money;
use tallywatt_ingest::documents::payment_qr::{PAYMENT_QR_SIZE_MAX, PaymentQr, PaymentQrError};
use tallywatt_shards::durable;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::open::{Opened, data_option};
use crate::output::Report;

/// The currency whose hundredths are kopecks.
const CURRENCY: &str = "RUB";
const PAYEE: &str = "write ST00012|Name=…|PersonalAcc=…|BankName=…|BIC=…|CorrespAcc=… into a file";
/// Of services: housing and utilities.
const TECHNICAL_CODE: &str = "02";

/// What is open of an account's month, as a payment order to the payee in the file.
pub fn run(
    opened: &Opened,
    account: &str,
    period: Period,
    payee: &Path,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let account: AccountId =
        account.parse().map_err(|error| Failure::usage(error, "name an account of `bill list`"))?;
    let books = opened.consortium.node(Party::Supplier).books();
    let next = format!("see `tallywatt{} bill list {period}`", data_option(arguments));
    let stands = books.stands(period, &account);
    let stands =
        stands.ok_or_else(|| Failure::usage(format!("account {account} has no bill of {period}"), &next))?;
    let currency = books.genesis().map(|genesis| genesis.currency.to_string()).unwrap_or_default();
    if currency != CURRENCY {
        let problem =
            format!("the ledger's currency is {currency}: a payment order of this kind is in {CURRENCY}");
        return Err(Failure::usage(problem, "send the bill another way"));
    }
    let open: Money = match books.accounts().get(&account) {
        Some(state) => state.bills_of(period).map(OpenBill::open).sum(),
        None => Money::ZERO,
    };
    if open <= Money::ZERO {
        return Err(Failure::usage(format!("nothing is open of account {account} for {period}"), &next));
    }
    let limit = u64::try_from(PAYMENT_QR_SIZE_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read_limited(payee, limit)?;
    let named = |problem: String| Failure::usage(format!("{}: {problem}", payee.display()), PAYEE);
    let text = String::from_utf8(bytes).map_err(|_| named("bytes are not text in UTF-8".into()))?;
    let month = period.to_string();
    let (year, number) = month.split_at(4);
    let number = number.trim_start_matches('-');
    let order = |text: &str| -> Result<PaymentQr, PaymentQrError> {
        PaymentQr::parse(text)?
            .with("PersAcc", account.as_str())?
            .with("PaymPeriod", &format!("{number}{year}"))?
            .with("TechCode", TECHNICAL_CODE)?
            .with("Purpose", &format!("Electricity {period}, account {account}"))?
            // A reader of the code finds the bill by it, and proves it by its receipt.
            .with("BillHash", &stands.hash.to_string())?
            .with("Sum", &open.as_minor().to_string())
    };
    let order = order(text.trim_end()).map_err(|error| named(error.to_string()))?;
    let mut report = Report::default();
    report.fact("account", account.to_string()).fact("period", period.to_string());
    report.fact("open", open.to_string()).fact("text", order.to_string());
    report.then(format!("tallywatt{} prove bill {account} {period}", data_option(arguments)));
    Ok(report)
}
