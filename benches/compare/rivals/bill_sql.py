"""The month's bills as one query, for the rivals that speak SQL.

    readings ⋈ calendar ──▶ sums by zone ──▶ ⋈ tariff ──▶ quantities ──▶ lines, each rounded ──▶ + tax, rounded ──▶ totals

The engines differ in where the tables are and in how they say money, so both are given by a dialect.
"""

from collections.abc import Callable
from dataclasses import dataclass

# What is bought, and its price, line by line.
LINES = (
    ("first_wh", "price_1"),
    ("second_wh", "price_2"),
    ("third_wh", "price_3"),
    ("above_1_wh", "adder_1"),
    ("above_2_wh", "adder_2"),
    ("demand_w", "demand"),
)


@dataclass(frozen=True)
class Dialect:
    """How an engine names the four tables and writes money; an amount is in the engine's own unit until `kopecks`."""

    readings: str
    calendar: str
    meters: str
    tariffs: str
    line: Callable[[str, str], str]
    days_line: Callable[[int], str]
    tax: Callable[[str], str]
    kopecks: Callable[[str], str]
    bills: str = "bills AS"


def bill_query(dialect: Dialect, days: int) -> str:
    """One row: meters, readings, energy in Wh, total in kopecks, checksum."""
    def total(zone: int) -> str:
        # Sums of integers are wider than 64 bits in some engines, and then everything after them is slow.
        return f"CAST(coalesce(sum(r.wh) FILTER (WHERE c.zone = {zone}), 0) AS BIGINT)"

    lines = " + ".join([dialect.line(*line) for line in LINES] + [dialect.days_line(days)])
    return f"""
WITH sums AS (
    SELECT r.meter_id AS meter_id, count(*) AS readings,
        {total(0)} AS peak_wh, {total(1)} AS shoulder_wh, {total(2)} AS night_wh,
        CAST(coalesce(max(r.wh) FILTER (WHERE c.zone = 0), 0) AS BIGINT) AS peak_max_wh
    FROM {dialect.readings} r JOIN {dialect.calendar} c ON r.ts = c.ts
    GROUP BY r.meter_id
), energies AS (
    SELECT *, peak_wh + shoulder_wh + night_wh AS energy_wh FROM sums
), quantities AS (
    SELECT e.meter_id AS meter_id, e.readings AS readings, e.energy_wh AS energy_wh,
        CASE t.zones WHEN 1 THEN energy_wh WHEN 2 THEN peak_wh + shoulder_wh ELSE peak_wh END AS first_wh,
        CASE t.zones WHEN 1 THEN 0 WHEN 2 THEN night_wh ELSE shoulder_wh END AS second_wh,
        CASE t.zones WHEN 3 THEN night_wh ELSE 0 END AS third_wh,
        greatest(least(energy_wh, t.tier_2_wh) - t.tier_1_wh, 0) AS above_1_wh,
        greatest(energy_wh - t.tier_2_wh, 0) AS above_2_wh,
        2 * peak_max_wh AS demand_w,
        t.price_1, t.price_2, t.price_3, t.adder_1, t.adder_2, t.demand, t.day
    FROM energies e
    JOIN {dialect.meters} m ON e.meter_id = m.meter_id
    JOIN {dialect.tariffs} t ON m.tariff_id = t.tariff_id
), subtotals AS (
    SELECT meter_id, readings, energy_wh, {lines} AS subtotal FROM quantities
), {dialect.bills} (
    SELECT meter_id, readings, energy_wh, subtotal + {dialect.tax("subtotal")} AS bill FROM subtotals
)
SELECT count(*), sum(readings), sum(energy_wh),
    {dialect.kopecks("sum(bill)")}, {dialect.kopecks("sum((meter_id % 1009 + 1) * bill)")}
FROM bills"""


def whole_kopecks(divide: Callable[[str, int], str], **tables: str) -> Dialect:
    """Money in whole kopecks of 64 bits. `divide` writes the whole part of a quotient, nothing here is negative."""

    def half_even(amount: str, unit: int) -> str:
        quotient, rest = divide(amount, unit), f"({amount}) % {unit}"
        is_odd = f"{quotient} % 2 = 1"
        up = f"{rest} > {unit // 2} OR ({rest} = {unit // 2} AND {is_odd})"
        return f"({quotient} + CASE WHEN {up} THEN 1 ELSE 0 END)"

    return Dialect(
        line=lambda quantity, price: half_even(f"{quantity} * {price}", 1_000_000),
        days_line=lambda days: half_even(f"{days} * day", 1_000),
        tax=lambda subtotal: half_even(f"{subtotal} * 20", 100),
        kopecks=lambda amount: amount,
        **tables,
    )
