"""Who is compared with whom at what: one line a comparison, and what the rival is not asked to do in it."""

from dataclasses import dataclass

BILL, LOAD, MERKLE = "bill", "load", "merkle"
GROUPS = (BILL, LOAD, MERKLE)


@dataclass(frozen=True)
class Comparison:
    """A task of ours against a task of a rival, over the files of one group."""

    group: str
    ours: str
    rival: str
    theirs: str
    lacks: str


SAME = "nothing; ours is not asked to join the small tables, nor to take rows in any order"
NO_CHECKS = "no primary key, validation, Merkle tree"
OTHER_FORMAT = "reads Parquet where ours reads its own store, built before: other formats"

COMPARISONS = (
    Comparison(BILL, "bill-parquet", "duckdb", "bill-parquet", SAME),
    Comparison(BILL, "bill-parquet", "datafusion", "bill-parquet", SAME),
    Comparison(BILL, "bill-parquet", "clickhouse", "bill-parquet", SAME),
    Comparison(BILL, "bill-parquet", "polars", "bill-parquet", SAME),
    Comparison(BILL, "bill-store", "duckdb", "bill-parquet", OTHER_FORMAT),
    Comparison(LOAD, "load-csv", "duckdb", "load-csv", NO_CHECKS),
    Comparison(LOAD, "load-csv", "duckdb", "load-csv-validate", "no primary key, Merkle tree"),
    Comparison(LOAD, "load-csv", "clickhouse", "load-csv", NO_CHECKS + ", fsync"),
    Comparison(LOAD, "load-csv", "postgresql", "load-csv", "no validation, Merkle tree"),
    Comparison(LOAD, "load-csv", "postgresql", "load-csv-validate", "no Merkle tree"),
    Comparison(LOAD, "bill-store", "postgresql", "bill-table", "its own table, ours its own store: other formats"),
    Comparison(MERKLE, "merkle-build", "rs_merkle", "merkle-build", "SHA-256, one core, leaves of 200 bytes"),
    Comparison(MERKLE, "merkle-prove", "rs_merkle", "merkle-prove", "the tree in memory"),
    Comparison(MERKLE, "merkle-verify", "rs_merkle", "merkle-verify", "the leaf hashed too"),
)
RIVALS = tuple(dict.fromkeys(comparison.rival for comparison in COMPARISONS))


def sums_of(task: str) -> tuple[str, ...]:
    """What an answer to a task must hold, and must hold alike whoever gives it."""
    if task.startswith("bill-"):
        return ("readings", "energy_wh", "total_kop", "checksum")
    if task.startswith("load-"):
        return ("readings", "energy_wh") + (("faulty_days",) if task.endswith("-validate") else ())
    return ("leaves", "leaf_sum") + (("proofs",) if task != "merkle-build" else ())
