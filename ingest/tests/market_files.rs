//! Price series and lists of hours as files: what is taken, and every mistake with its line.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use tallywatt_core::hour_list::{HourList, HourNeed};
use tallywatt_core::price_series::PriceSeries;
use tallywatt_ingest::documents::{Document, DocumentError, MARKET_SIZE_MAX, parse_document};

const SERIES: &str = "#kind,price-series
#name,se3
#title,Day-ahead, SE3
#source,illustrative
#unit,EUR/MWh
#zone,Europe/Stockholm
#minutes,60
#valid_from,2026-03-29
#valid_to,2026-03-30
start,price
";

const HOURS: &str = "#kind,hour-list
#name,so-ural
#title,Peak hours
#source,illustrative
#zone,Asia/Yekaterinburg
#valid_from,2026-03-01
#valid_to,2026-04-01
day,hour
2026-03-02,9
2026-03-03,18
2026-03-04,9
";

/// The day of the spring clock change: 23 hours from 23:00 UTC on; the price is the number of the hour less 3.
fn series_text() -> String {
    let hour = |at: i32| match at {
        0 => "2026-03-28T23:00:00Z,-3".to_owned(),
        // With the offset of the wall, before the change and after it.
        1 => "2026-03-29T01:00:00+01:00,-2.00001".to_owned(),
        2 => "2026-03-29T03:00:00+02:00,-1".to_owned(),
        _ => format!("2026-03-29T{:02}:00:00Z,{}", at - 1, at - 3),
    };
    let rows: Vec<String> = (0..23).map(hour).collect();
    format!("{SERIES}{}\n", rows.join("\n"))
}

/// The same as a supplier may publish it: with the end of each interval, the newest first.
fn newest_first() -> String {
    let at = |hours: i32| match hours {
        0 => "2026-03-28T23:00:00Z".to_owned(),
        _ => format!("2026-03-29T{:02}:00:00Z", hours - 1),
    };
    let rows: Vec<String> =
        (0..23).rev().map(|hour| format!("{},{},{}", at(hour), at(hour + 1), hour - 3)).collect();
    let head =
        SERIES.replace("start,price", "valid_from,valid_to,value_exc_vat").replace("EUR/MWh", "0.01 GBP/kWh");
    format!("{head}{}\n", rows.join("\n"))
}

fn series(text: &str) -> PriceSeries {
    match parse_document("f", text) {
        Ok(Document::PriceSeries(series)) => *series,
        other => panic!("{other:?}"),
    }
}

fn hours(text: &str) -> HourList {
    match parse_document("f", text) {
        Ok(Document::HourList(hours)) => *hours,
        other => panic!("{other:?}"),
    }
}

fn bent(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

fn check(good: &str, table: &[(&str, &str, &str)]) {
    for (from, to, want) in table {
        let error: DocumentError = parse_document("f", &bent(good, from, to)).unwrap_err();
        assert_eq!(error.to_string(), format!("f:{want}"), "{from:?} to {to:?}");
        assert!(!error.next_step().is_empty(), "{to:?}");
    }
}

#[test]
fn a_price_series() {
    let read = series(&series_text());
    let parts = read.parts();
    assert_eq!((parts.prices.len(), parts.start.to_string().as_str()), (23, "2026-03-28T23:00:00Z"));
    assert_eq!((parts.title.as_str(), parts.currency.to_string().as_str()), ("Day-ahead, SE3", "EUR"));
    // A thousandth of what a megawatt-hour costs.
    let prices: Vec<String> = parts.prices.iter().take(5).map(ToString::to_string).collect();
    assert_eq!(prices, ["-0.003", "-0.00200001", "-0.001", "0.00", "0.001"]);
    assert_eq!(read.end().to_string(), "2026-03-29T22:00:00Z");

    let pence = series(&newest_first());
    let prices: Vec<String> = pence.parts().prices.iter().take(4).map(ToString::to_string).collect();
    assert_eq!(prices, ["-0.03", "-0.02", "-0.01", "0.00"]);
    let kwh = bent(&series_text(), "EUR/MWh", "EUR/kWh");
    assert_eq!(series(&kwh).parts().prices[1].to_string(), "-2.00001");
    // Line ends, empty lines and a byte order mark of other systems.
    let other = format!("\u{feff}{}", series_text().replace('\n', "\r\n\r\n"));
    assert_eq!(series(&other), read);
}

#[test]
fn mistakes_in_a_price_series() {
    let first = "2026-03-28T23:00:00Z,-3";
    check(
        &series_text(),
        &[
            ("price-series", "price-serie", "1: kind \"price-serie\" is not known"),
            ("#name,se3", "#name,", "2: name: empty name"),
            ("#name,se3\n", "", "1: no field name"),
            ("#name,se3", "#name,se3\n#name,se4", "3: field name stands twice"),
            ("#name,se3", "#id,se3", "2: unknown field \"id\""),
            ("Day-ahead", &"x".repeat(241), "3: title is longer than 240 bytes or has control characters"),
            (
                "illustrative",
                &"x".repeat(241),
                "4: source is longer than 240 bytes or has control characters",
            ),
            ("EUR/MWh", "EUR/GWh", "5: unit \"EUR/GWh\" is not known"),
            ("EUR/MWh", "eur/MWh", "5: unit \"eur/MWh\" is not known"),
            (
                "Europe/Stockholm",
                "Europe/Lochem",
                "6: zone: \"Europe/Lochem\" is neither a time zone such as Asia/Yekaterinburg nor an offset such as +05:00",
            ),
            ("#minutes,60", "#minutes,20", "7: intervals of 20 minutes, need 15, 30 or 60"),
            ("#minutes,60", "#minutes,hour", "7: minutes: invalid digit found in string"),
            (
                "#minutes,60",
                "#minutes,30",
                "12: no price for 2026-03-28T23:30:00Z: the next is for 2026-03-29T00:00:00Z",
            ),
            (
                "2026-03-29\n",
                "2026-03-32\n",
                "8: valid_from: \"2026-03-32\" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD",
            ),
            ("2026-03-30", "2026-03-29", "9: valid_to 2026-03-29 is not after valid_from 2026-03-29"),
            ("2026-03-30", "2031-03-30", "9: 43848 prices, at most 35136"),
            ("#valid_to,2026-03-30\n", "", "1: no field valid_to"),
            ("2026-03-30", "2026-03-31", "33: no price for 2026-03-29T22:00:00Z: the last is before it"),
            ("start,price", "start,cost", "10: columns \"start,cost\" are not those of prices"),
            ("start,price\n", "start,price\n#minutes,60\n", "11: \"#minutes\" is not an instant"),
            (first, "2026-03-28T23:00:00,-3", "11: \"2026-03-28T23:00:00\" is not an instant"),
            (first, "2026-03-28T23:00:00Z", "11: 1 fields, the table has 2 columns"),
            (first, "2026-03-28T23:00:00Z,-3,1", "11: 3 fields, the table has 2 columns"),
            (first, "2026-03-28T23:00:00Z,-3.000001", "11: price -3.000001 has more than 5 decimals"),
            (first, "2026-03-28T23:00:00Z,1e3", "11: price \"1e3\": not a decimal number"),
            (first, "2026-03-28T23:00:00Z,", "11: price \"\": not a decimal number"),
            // A gap at the front, one within, and one at the end.
            (
                "2026-03-28T23:00:00Z,-3\n",
                "",
                "11: no price for 2026-03-28T23:00:00Z: the next is for 2026-03-29T00:00:00Z",
            ),
            (
                "2026-03-29T04:00:00Z,2\n",
                "",
                "16: no price for 2026-03-29T04:00:00Z: the next is for 2026-03-29T05:00:00Z",
            ),
            ("2026-03-29T21:00:00Z,19\n", "", "32: no price for 2026-03-29T21:00:00Z: the last is before it"),
            (
                "2026-03-29T04:00:00Z,2\n",
                "2026-03-29T04:00:00Z,2\n2026-03-29T04:00:00Z,2\n",
                "17: a second price for 2026-03-29T04:00:00Z",
            ),
            (
                "2026-03-29T04:00:00Z",
                "2026-03-29T02:00:00Z",
                "16: 2026-03-29T02:00:00Z stands behind 2026-03-29T03:00:00Z",
            ),
            (
                "2026-03-29T04:00:00Z",
                "2026-03-29T04:30:00Z",
                "16: 2026-03-29T04:30:00Z does not begin an interval of 60 minutes from 2026-03-28T23:00:00Z on",
            ),
            (
                first,
                "2026-03-28T22:00:00Z,-3",
                "11: 2026-03-28T22:00:00Z is not on the days of the series, 2026-03-28T23:00:00Z to 2026-03-29T22:00:00Z",
            ),
            (
                "2026-03-29T21:00:00Z,19",
                "2026-03-29T22:00:00Z,19",
                "33: 2026-03-29T22:00:00Z is not on the days of the series, 2026-03-28T23:00:00Z to 2026-03-29T22:00:00Z",
            ),
        ],
    );
    check(
        &newest_first(),
        &[
            (
                "2026-03-29T20:00:00Z,2026-03-29T21:00:00Z",
                "2026-03-29T20:00:00Z,2026-03-29T20:30:00Z",
                "12: the price from 2026-03-29T20:00:00Z to 2026-03-29T20:30:00Z is not of 60 minutes: it overlaps or leaves a gap",
            ),
            (
                "2026-03-29T20:00:00Z,2026-03-29T21:00:00Z",
                "2026-03-29T20:00:00Z,later",
                "12: \"later\" is not an instant",
            ),
            ("value_exc_vat", "value_exc_vat,value_inc_vat", "11: 3 fields, the table has 4 columns"),
        ],
    );
    let empty = parse_document("f", SERIES).unwrap_err();
    assert_eq!(empty.to_string(), "f:1: no rows");
    let long = format!("{}{}", series_text(), "\n".repeat(MARKET_SIZE_MAX));
    let error = parse_document("f", &long).unwrap_err();
    assert!(error.to_string().ends_with("bytes, at most 4194304"), "{error}");
}

#[test]
fn a_list_of_hours() {
    let read = hours(HOURS);
    let starts: Vec<String> = read.parts().starts.iter().map(ToString::to_string).collect();
    assert_eq!(starts, ["2026-03-02T04:00:00Z", "2026-03-03T13:00:00Z", "2026-03-04T04:00:00Z"]);
    assert_eq!(read.parts().each, HourNeed::WorkingDay);
    let instants = HOURS
        .replace("day,hour", "#each,month\nstart")
        .replace("2026-03-02,9", "2026-03-02T09:00:00+05:00")
        .replace("2026-03-03,18", "2026-03-03T13:00:00Z")
        .replace("2026-03-04,9", "2026-03-04T04:00:00Z");
    let other = hours(&instants);
    assert_eq!((other.parts().each, &other.parts().starts), (HourNeed::Month, &read.parts().starts));
}

#[test]
fn mistakes_in_a_list_of_hours() {
    let outside = "is not on a quarter-hour of the days that the list holds on";
    check(
        HOURS,
        &[
            ("hour-list", "hours", "1: kind \"hours\" is not known"),
            ("#title,Peak hours\n", "", "1: no field title"),
            ("Peak hours", &"x".repeat(241), "3: title is longer than 240 bytes or has control characters"),
            ("day,hour", "#each,day\nday,hour", "8: each \"day\" is not known"),
            ("day,hour", "hour,day", "8: columns \"hour,day\" are not those of hours"),
            ("2026-03-02,9", "2026-03-02,24", "9: hour \"24\" is not 0 to 23"),
            ("2026-03-02,9", "2026-03-02,9:00", "9: hour \"9:00\" is not 0 to 23"),
            (
                "2026-03-02,9",
                "02.03.2026,9",
                "9: \"02.03.2026\" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD",
            ),
            ("2026-03-03,18", "2026-03-02,9", "10: hour 2026-03-02T04:00:00Z is not after the one before it"),
            ("2026-03-04,9", "2026-03-01,9", "11: hour 2026-03-01T04:00:00Z is not after the one before it"),
            ("2026-03-04,9", "2026-04-01,0", &format!("11: hour 2026-03-31T19:00:00Z {outside}")),
            ("2026-03-02,9", "2026-02-28,9", &format!("9: hour 2026-02-28T04:00:00Z {outside}")),
            ("#valid_to,2026-04-01\n", "", "1: no field valid_to"),
            (
                "#valid_to,2026-04-01\nday",
                "#valid_to,2026-05-01\n#each,month\nday",
                "8: no hour in the month of 2026-04, the list has one for each",
            ),
        ],
    );
    let berlin = HOURS.replace("Asia/Yekaterinburg", "Europe/Berlin");
    check(&berlin, &[("2026-03-04,9", "2026-03-29,2", "11: no hour 2 of 2026-03-29 in Europe/Berlin")]);
    let october = berlin.replace("2026-04-01", "2026-11-01");
    check(
        &october,
        &[("2026-03-04,9", "2026-10-25,2", "11: hour 2 of 2026-10-25 comes twice in Europe/Berlin")],
    );
}

const TARIFF: &str = r#"kind = "tariff"
id = "hourly"
title = "By the hour"
currency = "EUR"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "illustrative"
range_kind = "graduated"
[vat]
rate_percent = "25"
included = false
[[zone]]
name = "day"
windows = ["07:00-23:00"]
[[zone]]
name = "night"
windows = ["23:00-07:00"]
[[range]]
up_to_kwh = "100"
price = { day = { series = "se3", times = "1.0625", plus = "0.04" }, night = "-0.01" }
flat = "2.50"
[[range]]
price = { day = { series = "se3" }, night = "0.05" }
[[demand]]
name = "capacity"
windows = ["00:00-24:00"]
minutes = 60
measure = "mean at published hours"
hours = "so-ural"
ranges = [{ price = "800" }]
"#;

#[test]
fn a_tariff_by_series_packages_and_hours() {
    let Ok(Document::Tariff(tariff)) = parse_document("f", TARIFF) else { panic!("a tariff") };
    let parts = tariff.parts();
    let prices: Vec<String> = parts.series.iter().map(ToString::to_string).collect();
    assert_eq!(prices, ["se3 × 1.0625 + 0.04", "se3"]);
    assert_eq!(parts.ranges[0].prices[1].to_string(), "-0.01");
    // What is written of it is read as the same tariff.
    let written = tallywatt_ingest::documents::render_tariff(&tariff);
    assert_eq!(parse_document("f", &written), Ok(Document::Tariff(tariff)), "{written}");
    let packages = TARIFF
        .replace("range_kind = \"graduated\"", "range_kind = \"package\"\nrange_counting = \"each-zone\"")
        .replace("{ series = \"se3\", times = \"1.0625\", plus = \"0.04\" }", "\"3\"")
        .replace("\"-0.01\"", "\"2\"")
        .replace("{ series = \"se3\" }", "\"0.2\"")
        .replace("flat = \"2.50\"", "package_kwh = \"10.5\"")
        .replace("mean at published hours\"\nhours = \"so-ural\"", "mean of daily highest\"");
    let Ok(Document::Tariff(tariff)) = parse_document("f", &packages) else {
        panic!("{:?}", parse_document("f", &packages))
    };
    assert_eq!(tariff.parts().ranges[0].package_wh, Some(10_500));
    let written = tallywatt_ingest::documents::render_tariff(&tariff);
    assert_eq!(parse_document("f", &written), Ok(Document::Tariff(tariff)), "{written}");
}

#[test]
fn mistakes_in_such_a_tariff() {
    let first = "{ series = \"se3\", times = \"1.0625\", plus = \"0.04\" }";
    check(
        TARIFF,
        &[
            (first, "{ times = \"1\" }", "21: range 1 has a price without a series"),
            (first, "{ series = \"\" }", "21: series: empty name"),
            (first, "{ series = 3 }", "21: series is not text: { series = 3 }"),
            (first, "{ series = \"se3\", minus = \"1\" }", "21: unknown field \"minus\" in a series price"),
            (first, "{ series = \"se3\", times = \"0\" }", "21: times is not above zero and at most 1000"),
            (first, "{ series = \"se3\", times = \"-1\" }", "21: times is not above zero and at most 1000"),
            (
                first,
                "{ series = \"se3\", times = \"1000.000001\" }",
                "21: times is not above zero and at most 1000",
            ),
            (
                first,
                "{ series = \"se3\", times = \"1.0000001\" }",
                "21: times 1.0000001 has more than 6 decimals",
            ),
            (
                first,
                "{ series = \"se3\", plus = \"0.000000001\" }",
                "21: plus 0.000000001 has more than 8 decimals",
            ),
            ("flat = \"2.50\"", "flat = \"-2.50\"", "22: negative price -2.50"),
            ("flat = \"2.50\"", "flat = 2.50", "22: write flat as text, 2.50 loses digits as a number"),
            (
                "flat = \"2.50\"",
                "package_kwh = \"10\"",
                "21: range 1 sells packages at the prices of a series",
            ),
            (
                "range_kind = \"graduated\"",
                "range_kind = \"volume\"",
                "9: series prices in several ranges need ranges that are graduated and counted in order of time, by month or day",
            ),
            (
                "range_kind = \"graduated\"",
                "range_kind = \"package\"",
                "9: range kind package, but no range has a package",
            ),
            ("measure = \"mean at published hours\"\nhours", "hours", "29: hours beside measure \"highest\""),
            ("hours = \"so-ural\"\n", "", "29: measure \"mean at published hours\" without hours"),
            ("mean at published hours", "mean", "29: measure \"mean\" is not known"),
            (
                "mean at published hours",
                "mean of daily highest",
                "29: hours beside measure \"mean of daily highest\"",
            ),
            (
                "minutes = 60",
                "minutes = 30",
                "28: demand charge capacity: published hours are averaged over 60 minutes",
            ),
        ],
    );
    let packages = TARIFF
        .replace(first, "\"3\"")
        .replace("{ series = \"se3\" }", "\"0.2\"")
        .replace("\"-0.01\"", "\"2\"")
        .replace("range_kind = \"graduated\"", "range_kind = \"package\"");
    check(
        &packages,
        &[
            (
                "flat = \"2.50\"",
                "package_kwh = \"10\"",
                "9: packages of several zones together have no one price",
            ),
            (
                "flat = \"2.50\"",
                "package_kwh = \"0\"",
                "22: range 1: a package must be above zero, under range kind package",
            ),
            (
                "flat = \"2.50\"",
                "package_kwh = \"10.0001\"",
                "22: package_kwh 10.0001 has more than 3 decimals",
            ),
            (
                "price = { day = \"3\", night = \"2\" }\nflat = \"2.50\"",
                "price = { day = \"3\", night = \"-2\" }\npackage_kwh = \"10\"",
                "21: negative price -2.00",
            ),
        ],
    );
}
