"""ClickHouse in process (chdb): bills by SQL straight from Parquet, and a load into a MergeTree table."""

import json
import shutil

import protocol
from bill_sql import bill_query, whole_kopecks
from chdb import session
from protocol import Answer, Stopwatch

ARGUMENTS = protocol.arguments()
FOLDER = ARGUMENTS.dir
SETTINGS = f"SETTINGS max_threads = {ARGUMENTS.threads}, max_insert_threads = {ARGUMENTS.threads}"
STORE = FOLDER / "rival-clickhouse"
shutil.rmtree(STORE, ignore_errors=True)  # of a worker that was killed
SESSION = session.Session(str(STORE))


def parquet(name: str) -> str:
    """One of the four files as a table."""
    return f"file('{FOLDER}/{name}.parquet', Parquet)"


def row(query: str) -> list[int]:
    """The only row of a query's result, every column a whole number."""
    result = SESSION.query(f"{query} {SETTINGS}", "JSONCompact")
    return [int(value) for value in json.loads(result.bytes())["data"][0]]


def bill_parquet() -> Answer:
    """The bills, everything read from Parquet."""
    tables = {name: parquet(name) for name in ("readings", "calendar", "meters", "tariffs")}
    dialect = whole_kopecks(lambda amount, unit: f"intDiv({amount}, {unit})", **tables)
    query = bill_query(dialect, protocol.days(FOLDER))
    with Stopwatch() as watch:
        totals = row(query)
    return Answer(watch.seconds, protocol.bill_totals(tuple(totals)))


def load(source: str) -> "protocol.Task":
    """A load into an empty table sorted by meter and time."""

    def task() -> Answer:
        SESSION.query("CREATE DATABASE IF NOT EXISTS rival")
        SESSION.query("DROP TABLE IF EXISTS rival.readings SYNC")
        SESSION.query(
            "CREATE TABLE rival.readings (meter_id Int32, ts DateTime('UTC'), wh Int32) "
            "ENGINE = MergeTree ORDER BY (meter_id, ts)"
        )
        with Stopwatch() as watch:
            SESSION.query(f"INSERT INTO rival.readings SELECT meter_id, ts, wh FROM {source} {SETTINGS}")
        readings, energy_wh = row("SELECT count(), sum(wh) FROM rival.readings")
        return Answer(watch.seconds, {"readings": readings, "energy_wh": energy_wh})

    return task


CSV = f"file('{FOLDER}/readings.csv', CSVWithNames, 'meter_id Int32, ts DateTime(\\'UTC\\'), wh Int32')"
try:
    protocol.serve(
        "clickhouse",
        ".".join(str(SESSION.query("SELECT version()")).strip().strip('"').split(".")[:2]),
        {"bill-parquet": bill_parquet, "load-csv": load(CSV)},
    )
finally:
    SESSION.close()
    shutil.rmtree(STORE, ignore_errors=True)
