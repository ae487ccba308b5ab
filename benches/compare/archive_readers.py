#!/usr/bin/env python3
"""Do DuckDB, Polars, PyArrow and pandas find the same in an archive?

    python benches/compare/archive_readers.py ARCHIVE [--report FILE]

ARCHIVE is the folder that `tallywatt export` wrote. Every reader is asked the same questions: counts, sums
and bounds of the whole, of one delivery day, of one shard, and of one usage point, which readers find by
leaving out files and row groups. Exits 1 at the first difference. Writes nothing but the report.

Needs: pip install duckdb polars pyarrow pandas
"""

import argparse
import datetime
import json
import sys

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.compute as compute
import pyarrow.dataset as dataset

COLUMNS = [
    ("usage_point_id", "string"),
    ("obis", "string"),
    ("interval_start", "timestamp[us, tz=UTC]"),
    ("interval_seconds", "int32"),
    ("energy_wh", "int64"),
    ("quality", "string"),
    ("revision", "int32"),
]
KEYS = ["rows", "values", "sum_wh", "points", "registers", "qualities", "first", "last", "seconds", "revisions"]


def answer(values):
    return {key: int(value) for key, value in zip(KEYS, values, strict=True)}


def ask_duckdb(folder, where):
    condition = " AND ".join(f"{column} = {quoted(column, value)}" for column, value in where.items()) or "true"
    return answer(
        duckdb.connect().execute(
            f"""SELECT count(*), count(energy_wh), coalesce(sum(energy_wh), 0), count(DISTINCT usage_point_id),
                count(DISTINCT obis), count(DISTINCT quality), epoch_us(min(interval_start)),
                epoch_us(max(interval_start)), sum(interval_seconds), sum(revision)
                FROM read_parquet('{folder}/reading/**/*.parquet', hive_partitioning = true,
                hive_types = {{'delivery_date': DATE, 'shard': INTEGER}}) WHERE {condition}"""
        ).fetchone()
    )


def quoted(column, value):
    return str(value) if column == "shard" else f"'{value}'"


def ask_polars(folder, where):
    schema = {"delivery_date": polars.Date, "shard": polars.Int64}
    rows = polars.scan_parquet(f"{folder}/reading/**/*.parquet", hive_partitioning=True, hive_schema=schema)
    for column, value in where.items():
        day = datetime.date.fromisoformat(value) if column == "delivery_date" else value
        rows = rows.filter(polars.col(column) == day)
    column = polars.col
    start = column("interval_start").dt.epoch("us")
    return answer(
        rows.select(
            polars.len().alias("rows"),
            column("energy_wh").count().alias("values"),
            column("energy_wh").sum().alias("sum_wh"),
            column("usage_point_id").n_unique().alias("points"),
            column("obis").n_unique().alias("registers"),
            column("quality").n_unique().alias("qualities"),
            start.min().alias("first"),
            start.max().alias("last"),
            column("interval_seconds").cast(polars.Int64).sum().alias("seconds"),
            column("revision").cast(polars.Int64).sum().alias("revisions"),
        )
        .collect()
        .row(0)
    )


def partitioning():
    fields = [("delivery_date", pyarrow.date32()), ("shard", pyarrow.int32())]
    return dataset.partitioning(pyarrow.schema(fields), flavor="hive")


def arrow_rows(folder, where):
    readings = dataset.dataset(f"{folder}/reading", format="parquet", partitioning=partitioning())
    condition = None
    for column, value in where.items():
        day = datetime.date.fromisoformat(value) if column == "delivery_date" else value
        one = dataset.field(column) == day
        condition = one if condition is None else condition & one
    return readings.to_table(filter=condition)


def ask_pyarrow(folder, where):
    rows = arrow_rows(folder, where)
    start = rows["interval_start"].cast(pyarrow.int64())
    distinct = [compute.count_distinct(rows[name]).as_py() for name in ("usage_point_id", "obis", "quality")]
    bounds = compute.min_max(start).as_py()
    sums = [compute.sum(rows[name]).as_py() for name in ("interval_seconds", "revision")]
    values = len(rows) - rows["energy_wh"].null_count
    total = compute.sum(rows["energy_wh"]).as_py() or 0
    return answer([len(rows), values, total, *distinct, bounds["min"], bounds["max"], *sums])


def ask_pandas(folder, where):
    conditions = [
        (column, "==", datetime.date.fromisoformat(value) if column == "delivery_date" else value)
        for column, value in where.items()
    ]
    rows = pandas.read_parquet(
        f"{folder}/reading",
        engine="pyarrow",
        filters=conditions or None,
        partitioning=partitioning(),
        dtype_backend="numpy_nullable",
    )
    start = rows["interval_start"].astype("datetime64[us, UTC]").astype("int64")
    distinct = [rows[name].nunique() for name in ("usage_point_id", "obis", "quality")]
    sums = [rows[name].astype("int64").sum() for name in ("interval_seconds", "revision")]
    energy = rows["energy_wh"]
    return answer([len(rows), energy.count(), energy.sum(), *distinct, start.min(), start.max(), *sums])


READERS = {"duckdb": ask_duckdb, "polars": ask_polars, "pyarrow": ask_pyarrow, "pandas": ask_pandas}


def questions(folder):
    """The whole, and one of each key that readers leave files or row groups out by."""
    source = f"read_parquet('{folder}/reading/**/*.parquet', hive_partitioning = true)"
    day, shard = duckdb.connect().execute(f"SELECT max(delivery_date)::VARCHAR, max(shard::INTEGER) FROM {source}").fetchone()
    points = duckdb.connect().execute(f"SELECT DISTINCT usage_point_id FROM {source} ORDER BY 1").fetchall()
    point = points[len(points) // 2][0]
    return [
        {},
        {"delivery_date": day},
        {"shard": shard},
        {"delivery_date": day, "shard": shard},
        {"usage_point_id": point},
        {"delivery_date": day, "usage_point_id": point},
        {"usage_point_id": "no such usage point"},
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("--report")
    options = parser.parse_args()
    report = {"versions": {module.__name__: module.__version__ for module in (duckdb, polars, pyarrow, pandas)}}
    schema = dataset.dataset(f"{options.archive}/reading", format="parquet").schema
    columns = [(field.name, str(field.type)) for field in schema]
    is_equal = columns == COLUMNS
    report["columns"] = columns
    report["questions"] = []
    for where in questions(options.archive):
        if where.get("usage_point_id") == "no such usage point":
            counts = {
                "duckdb": duckdb.connect().execute(
                    f"SELECT count(*) FROM read_parquet('{options.archive}/reading/**/*.parquet') "
                    f"WHERE usage_point_id = '{where['usage_point_id']}'"
                ).fetchone()[0],
                "polars": polars.scan_parquet(f"{options.archive}/reading/**/*.parquet")
                .filter(polars.col("usage_point_id") == where["usage_point_id"])
                .select(polars.len())
                .collect()
                .item(),
                "pyarrow": len(arrow_rows(options.archive, where)),
            }
            answers = {name: {"rows": count} for name, count in counts.items()}
        else:
            answers = {name: ask(options.archive, where) for name, ask in READERS.items()}
        agree = len({json.dumps(one, sort_keys=True) for one in answers.values()}) == 1
        is_equal &= agree
        report["questions"].append({"where": where, "agree": agree, "answers": answers})
        shown = next(iter(answers.values())) if agree else answers
        print("agree " if agree else "DIFFER", where or "everything", shown)
    report["agree"] = is_equal
    if options.report:
        with open(options.report, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
    print("columns", "as promised" if columns == COLUMNS else columns)
    return 0 if is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
