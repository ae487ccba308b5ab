"""Polars: bills by its lazy, streaming engine straight from Parquet, money in whole kopecks of 64 bits."""

import os

import protocol
from protocol import Answer, Stopwatch

ARGUMENTS = protocol.arguments()
os.environ["POLARS_MAX_THREADS"] = str(ARGUMENTS.threads)  # read once, when the package is imported

import polars as pl  # noqa: E402
from bill_sql import LINES  # noqa: E402

DAYS = protocol.days(ARGUMENTS.dir)


def scan(name: str) -> pl.LazyFrame:
    """One of the four files."""
    return pl.scan_parquet(ARGUMENTS.dir / f"{name}.parquet")


def half_even(amount: pl.Expr, unit: int) -> pl.Expr:
    """An amount that is never negative, in units, ties to the even unit."""
    quotient, rest = amount // unit, amount % unit
    is_up = (rest > unit // 2) | ((rest == unit // 2) & (quotient % 2 == 1))
    return quotient + is_up.cast(pl.Int64)


def sums() -> pl.LazyFrame:
    """Energy by zone and the largest peak half-hour of every meter."""
    wh, zone = pl.col("wh"), pl.col("zone")
    zones = [
        wh.filter(zone == index).cast(pl.Int64).sum().alias(name)
        for index, name in enumerate(("peak_wh", "shoulder_wh", "night_wh"))
    ]
    peak_max = wh.filter(zone == 0).max().fill_null(0).cast(pl.Int64).alias("peak_max_wh")
    return scan("readings").join(scan("calendar"), on="ts").group_by("meter_id").agg(
        pl.len().cast(pl.Int64).alias("readings"), *zones, peak_max
    )


def quantities() -> pl.LazyFrame:
    """What each line of each bill is for."""
    peak, shoulder, night, energy = (pl.col(f"{name}_wh") for name in ("peak", "shoulder", "night", "energy"))
    zones, tier_1, tier_2 = pl.col("zones"), pl.col("tier_1_wh"), pl.col("tier_2_wh")
    none = pl.lit(0, pl.Int64)
    meters = scan("meters").with_columns(pl.col("tariff_id").cast(pl.Int64))
    tariffed = sums().join(meters, on="meter_id").join(scan("tariffs"), on="tariff_id")
    return tariffed.with_columns(energy_wh=peak + shoulder + night).with_columns(
        first_wh=pl.when(zones == 1).then(energy).when(zones == 2).then(peak + shoulder).otherwise(peak),
        second_wh=pl.when(zones == 1).then(none).when(zones == 2).then(night).otherwise(shoulder),
        third_wh=pl.when(zones == 3).then(night).otherwise(none),
        above_1_wh=pl.max_horizontal(none, pl.min_horizontal(energy, tier_2) - tier_1),
        above_2_wh=pl.max_horizontal(none, energy - tier_2),
        demand_w=2 * pl.col("peak_max_wh"),
    )


def bills() -> pl.LazyFrame:
    """The totals over all bills, one row."""
    lines = [half_even(pl.col(quantity) * pl.col(price), 1_000_000) for quantity, price in LINES]
    subtotal = pl.sum_horizontal(*lines, half_even(DAYS * pl.col("day"), 1_000))
    bill = pl.col("bill")
    weight = pl.col("meter_id").cast(pl.Int64) % 1009 + 1
    return (
        quantities()
        .with_columns(subtotal=subtotal)
        .with_columns(bill=pl.col("subtotal") + half_even(pl.col("subtotal") * 20, 100))
        .select(
            meters=pl.len(),
            readings=pl.col("readings").sum(),
            energy_wh=pl.col("energy_wh").sum(),
            total_kop=bill.sum(),
            checksum=(weight * bill).sum(),
        )
    )


def bill_parquet() -> Answer:
    """The bills, everything read from Parquet."""
    with Stopwatch() as watch:
        row = bills().collect(engine="streaming").row(0)
    return Answer(watch.seconds, protocol.bill_totals(row))


protocol.serve("polars", pl.__version__, {"bill-parquet": bill_parquet})
