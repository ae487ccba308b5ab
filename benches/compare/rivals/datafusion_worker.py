"""Apache DataFusion: bills by SQL straight from Parquet, money in whole kopecks of 64 bits."""

import datafusion
import protocol
from bill_sql import bill_query, whole_kopecks
from protocol import Answer, Stopwatch

ARGUMENTS = protocol.arguments()
TABLES = ("readings", "calendar", "meters", "tariffs")


def bill_parquet() -> "protocol.Task":
    """The bills, everything read from Parquet; the files are registered, and so their schemas known, beforehand."""
    config = datafusion.SessionConfig().with_target_partitions(ARGUMENTS.threads)
    context = datafusion.SessionContext(config)
    for table in TABLES:
        context.register_parquet(table, str(ARGUMENTS.dir / f"{table}.parquet"))
    dialect = whole_kopecks(lambda amount, unit: f"(({amount}) / {unit})", **{table: table for table in TABLES})
    query = bill_query(dialect, protocol.days(ARGUMENTS.dir))

    def task() -> Answer:
        with Stopwatch() as watch:
            (batch,) = (batch for batch in context.sql(query).collect() if batch.num_rows)
        row = tuple(column[0].as_py() for column in batch.columns)
        return Answer(watch.seconds, protocol.bill_totals(row))

    return task


protocol.serve("datafusion", datafusion.__version__, {"bill-parquet": bill_parquet()})
