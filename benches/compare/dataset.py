#!/usr/bin/env python3
"""Writes the files that everybody reads.

    dataset.py --meters 10000 --out DIR [--days 30] [--csv]    write the files, print what is in them
    dataset.py --check                                         hold the formula against the oracle, write nothing

The files are described in README.md.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

import oracle
from town import HALF_HOURS, KNOWN, KNOWN_DAYS, TARIFFS, Tariff, half_hour_starts, known_totals, readings_wh, zone_of

ROW_GROUP_METERS = 1_000


def write_readings(out: Path, meters: int, days: int, with_csv: bool) -> int:
    """Writes the readings, a row group for every thousand meters. Gives their sum in Wh."""
    fields = [("meter_id", pa.int32()), ("ts", pa.timestamp("ms")), ("wh", pa.int32())]
    starts = half_hour_starts(days)
    energy_wh = 0
    parquet = pa.parquet.ParquetWriter(
        out / "readings.parquet", pa.schema(fields), compression="zstd", use_dictionary=["meter_id", "ts"]
    )
    csv = open(out / "readings.csv", "wb") if with_csv else None
    if csv:
        csv.write(b"meter_id,ts,wh\n")
    for first in range(0, meters, ROW_GROUP_METERS):
        group = range(first, min(first + ROW_GROUP_METERS, meters))
        wh = readings_wh(group, days)
        energy_wh += int(wh.sum(dtype=np.int64))
        ids = np.repeat(np.arange(group.start, group.stop, dtype=np.int32), len(starts))
        ts = pa.array(np.tile(starts, len(group))).cast(pa.timestamp("ms"))
        rows = pa.table([pa.array(ids), ts, pa.array(wh.reshape(-1))], schema=pa.schema(fields))
        parquet.write_table(rows, row_group_size=rows.num_rows)
        if csv:
            seconds = rows.set_column(1, "ts", ts.cast(pa.timestamp("s")))
            pa.csv.write_csv(seconds, csv, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
    if csv:
        csv.close()
    parquet.close()
    return energy_wh


def write_small_tables(out: Path, meters: int, days: int) -> None:
    """Writes who has which tariff, which half-hour lies in which zone, and the tariffs."""
    ids = np.arange(meters, dtype=np.int32)
    zones = [zone_of(day, half_hour) for day in range(days) for half_hour in range(HALF_HOURS)]
    tables = {
        "meters": {"meter_id": ids, "tariff_id": (ids % len(TARIFFS)).astype(np.int8)},
        "calendar": {
            "ts": pa.array(half_hour_starts(days)).cast(pa.timestamp("ms")),
            "zone": np.array(zones, dtype=np.int8),
        },
        "tariffs": {
            field: pa.array([getattr(tariff, field) for tariff in TARIFFS], pa.int64())
            for field in Tariff.__dataclass_fields__
        },
    }
    for name, columns in tables.items():
        pa.parquet.write_table(pa.table(columns), out / f"{name}.parquet")


def write_dataset(out: Path, meters: int, days: int, with_csv: bool) -> int:
    """Writes every file of the town and gives its energy in Wh. The footer of the readings comes last: it says all is there."""
    out.mkdir(parents=True, exist_ok=True)
    write_small_tables(out, meters, days)
    energy_wh = write_readings(out, meters, days, with_csv)
    known = known_totals(meters, days)
    if known and known.energy_wh != energy_wh:
        sys.exit(f"{meters} meters, {days} days: {energy_wh} Wh made, {known.energy_wh} Wh known")
    return energy_wh


def check() -> None:
    """Holds the formula and the known totals against the oracle, which shares no arithmetic with them."""
    meters = 1_000
    found = oracle.totals(meters, KNOWN_DAYS)
    print(f"oracle:  {found}")
    print(f"known:   {KNOWN[meters]}")
    wrong = [found != KNOWN[meters]]
    for first in (0, 6_943, 99_999):
        ours = readings_wh(range(first, first + 1), KNOWN_DAYS)[0].tolist()
        wrong.append(ours != oracle.readings_wh(first, KNOWN_DAYS))
    energy_wh = int(readings_wh(range(meters), KNOWN_DAYS).sum(dtype=np.int64))
    print(f"formula: energy_wh={energy_wh}")
    wrong.append(energy_wh != found.energy_wh)
    sys.exit("the formula, the known totals and the oracle differ" if any(wrong) else None)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="The deterministic dataset of the comparison.")
    parser.add_argument("--meters", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=KNOWN_DAYS)
    parser.add_argument("--out", type=Path, help="folder to write to")
    parser.add_argument("--csv", action="store_true", help="write readings.csv too, about 30 bytes a reading")
    parser.add_argument("--check", action="store_true", help="compare with the oracle, write nothing")
    arguments = parser.parse_args()
    if arguments.check:
        return check()
    if arguments.out is None:
        parser.error("--out or --check")
    start = time.perf_counter()
    energy_wh = write_dataset(arguments.out, arguments.meters, arguments.days, arguments.csv)
    readings = arguments.meters * arguments.days * HALF_HOURS
    size = (arguments.out / "readings.parquet").stat().st_size
    print(
        f"{arguments.meters} meters, {arguments.days} days, {readings} readings, energy_wh={energy_wh}, "
        f"{size / readings:.3f} bytes a reading in Parquet, {time.perf_counter() - start:.1f} s"
    )


if __name__ == "__main__":
    main()
