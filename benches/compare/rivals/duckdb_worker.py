"""DuckDB: bills in DECIMAL straight from Parquet, and loads into a table of a database file."""

import duckdb
import protocol
from bill_sql import Dialect, bill_query
from protocol import Answer, Stopwatch

ARGUMENTS = protocol.arguments()
FOLDER = ARGUMENTS.dir
DATABASE = FOLDER / "rival.duckdb"
CSV = f"read_csv('{FOLDER}/readings.csv', header = true, columns = {{'meter_id': 'INT', 'ts': 'TIMESTAMP', 'wh': 'INT'}})"
PARQUET = f"read_parquet('{FOLDER}/readings.parquet')"

# A meter-day is whole when its 48 half-hours are 48 different ones; the limit is that of a household's reading in Wh.
FAULTY_DAYS = """
SELECT count(*) FROM (
    SELECT meter_id, ts::DATE AS day FROM readings GROUP BY ALL
    HAVING min(wh) < 0 OR max(wh) > 1000000 OR count(*) <> 48
        OR bit_count(bit_or(1::BIGINT << (hour(ts) * 2 + minute(ts) // 30))) <> 48)"""


def connect(database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """A connection with the settings that suit it best here."""
    connection = duckdb.connect(database)
    connection.execute(f"SET threads = {ARGUMENTS.threads}")
    connection.execute("SET preserve_insertion_order = false")
    return connection


def small_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Calendar, meters and tariffs as tables, prices as DECIMAL roubles; and the one way to round."""
    for name in ("calendar", "meters"):
        connection.execute(f"CREATE TABLE {name} AS FROM '{FOLDER}/{name}.parquet'")
    prices = ("price_1", "price_2", "price_3", "adder_1", "adder_2", "demand", "day")
    roubles = ", ".join(f"(CAST({price} AS DECIMAL(10, 0)) * 0.00001)::DECIMAL(8, 5) AS {price}" for price in prices)
    connection.execute(
        f"CREATE TABLE tariffs AS SELECT * REPLACE ({roubles}) FROM '{FOLDER}/tariffs.parquet'"
    )
    # Widths are chosen so that every product fits a DECIMAL of 64 bits.
    connection.execute("CREATE MACRO thousandths(x) AS (CAST(x AS DECIMAL(12, 0)) * 0.001)::DECIMAL(10, 3)")
    # round() takes ties away from zero: a tie above an even kopeck stays below.
    connection.execute("""
        CREATE MACRO half_even(x) AS CAST(CASE
            WHEN x - trunc(x, 2) = 0.005 AND CAST(trunc(x, 2) * 100 AS BIGINT) % 2 = 0 THEN trunc(x, 2)
            ELSE round(x, 2) END AS DECIMAL(12, 2))""")


def bill_parquet() -> "protocol.Task":
    """The bills from the Parquet file, the small tables prepared."""
    connection = connect()
    small_tables(connection)
    dialect = Dialect(
        readings=PARQUET,
        calendar="calendar",
        meters="meters",
        tariffs="tariffs",
        line=lambda quantity, price: f"half_even(thousandths({quantity}) * {price})",
        days_line=lambda days: f"half_even({days} * day)",
        tax=lambda subtotal: f"half_even(CAST({subtotal} AS DECIMAL(12, 2)) * 0.20)",
        kopecks=lambda amount: f"CAST({amount} * 100 AS HUGEINT)",
        # Without this its optimizer alone takes a tenth of a second, over the many roundings.
        bills="bills AS MATERIALIZED",
    )
    connection.execute(f"PREPARE bills AS {bill_query(dialect, protocol.days(FOLDER))}")

    def task() -> Answer:
        with Stopwatch() as watch:
            row = connection.execute("EXECUTE bills").fetchone()
        return Answer(watch.seconds, protocol.bill_totals(row))

    return task


def load(source: str, validates: bool) -> "protocol.Task":
    """A load into a new database file, committed; with `validates`, the faulty meter-days counted in the time too."""

    def task() -> Answer:
        forget()
        connection = connect(str(DATABASE))
        connection.execute("CREATE TABLE readings (meter_id INT NOT NULL, ts TIMESTAMP NOT NULL, wh INT NOT NULL)")
        found = {}
        with Stopwatch() as watch:
            connection.execute(f"INSERT INTO readings SELECT meter_id, ts, wh FROM {source}")
            if validates:
                found["faulty_days"] = connection.execute(FAULTY_DAYS).fetchone()[0]
        readings, energy_wh = connection.execute("SELECT count(*), sum(wh) FROM readings").fetchone()
        connection.close()
        forget()
        return Answer(watch.seconds, {"readings": int(readings), "energy_wh": int(energy_wh), **found})

    return task


def forget() -> None:
    """Removes the database and its log."""
    for suffix in ("", ".wal"):
        DATABASE.with_name(DATABASE.name + suffix).unlink(missing_ok=True)


protocol.serve(
    "duckdb",
    duckdb.__version__,
    {
        "bill-parquet": bill_parquet(),
        "load-csv": load(CSV, validates=False),
        "load-csv-validate": load(CSV, validates=True),
    },
)
