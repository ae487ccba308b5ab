"""PostgreSQL: COPY into a table with a primary key, and bills in NUMERIC from that table.

    worker ──psql──▶ a cluster of its own, in a temporary folder, as the user `postgres`, on a socket, never on the network
       └──pipe──▶ a guardian, which stops the cluster and removes the folder when this process ends, however it ends
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import protocol
from bill_sql import Dialect, bill_query
from protocol import Answer, Stopwatch

ARGUMENTS = protocol.arguments()
FOLDER = ARGUMENTS.dir
USER = "postgres"
ROWS_A_STATEMENT = 2_000

FAULTY_METERS = """
SELECT count(*) FROM (
    SELECT meter_id FROM readings GROUP BY meter_id
    HAVING min(wh) < 0 OR max(wh) > 1000000
        OR count(*) <> extract(epoch FROM max(ts) - min(ts))::int / 1800 + 1) faulty"""

# Waits for the end of its input, which is the end of the worker.
GUARDIAN = """
cat > /dev/null
pid=$(head -n 1 "$1/cluster/postmaster.pid" 2> /dev/null) && kill -QUIT "$pid"
for _ in $(seq 100); do [ -n "$pid" ] && kill -0 "$pid" 2> /dev/null || break; sleep 0.1; done
rm -rf "$1"
"""


def programs() -> Path:
    """The folder of the newest installed server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        sys.exit("no PostgreSQL server under /usr/lib/postgresql: setup.sh --postgres installs it")
    return found[-1].parent


class Cluster:
    """A server of our own with one database, spoken to through psql."""

    def __init__(self) -> None:
        self.programs = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="rival-postgresql-"))
        self.guardian = subprocess.Popen(
            ["sh", "-c", GUARDIAN, "sh", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the worker
        )
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER, USER)
        self.run("initdb", "-D", f"{self.folder}/cluster", "-A", "trust", "-E", "UTF8", "--locale=C", "-U", USER)
        with open(self.folder / "cluster/postgresql.conf", "a") as settings:
            settings.writelines(f"{name} = {value}\n" for name, value in self.settings().items())
        self.run("pg_ctl", "-D", f"{self.folder}/cluster", "-l", f"{self.folder}/log", "-s", "-w", "start")

    def settings(self) -> dict[str, str]:
        """What suits a bulk load: much memory, no checkpoint in the middle. Commits stay durable."""
        memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        return {
            "unix_socket_directories": f"'{self.folder}'",
            "listen_addresses": "''",
            "shared_buffers": f"{min(4096, memory_mib // 6)}MB",
            "maintenance_work_mem": "1GB",
            "work_mem": "256MB",
            "max_wal_size": "16GB",
            "checkpoint_timeout": "30min",
            "max_parallel_workers_per_gather": str(ARGUMENTS.threads),
            "jit": "off",
        }

    def run(self, program: str, *options: str) -> str:
        """Runs one of the server's programs as its user and gives what it printed."""
        as_user = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [self.programs / program, *options],
            **as_user,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            # The server, which pg_ctl leaves running, would keep a pipe open; it has its log.
            stdout=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            log = self.folder / "log"
            sys.exit(f"{program}: {done.stdout or (log.read_text() if log.exists() else 'no message')}")
        return done.stdout or ""

    def sql(self, *statements: str) -> tuple[float, list[str]]:
        """Runs statements, each committed. Gives the last one's seconds, as psql measures them, and its row."""
        *before, last = statements
        options = [option for text in (*before, "\\timing on", last) for option in ("-c", text)]
        where = ("-h", str(self.folder), "-U", USER, "-d", "postgres")
        printed = self.run("psql", *where, "-qAtX", "-v", "ON_ERROR_STOP=1", *options)
        time_ms = re.search(r"^Time: ([0-9.]+) ms", printed, re.MULTILINE)
        if time_ms is None:
            sys.exit(f"psql printed no time: {printed}")
        rows = [line for line in printed.splitlines() if line and not line.startswith("Time:")]
        return float(time_ms[1]) / 1000, rows[-1].split("|") if rows else []

    def close(self) -> None:
        """Lets the guardian do its work, and waits for it."""
        self.guardian.communicate()


class Bench:
    """The tasks over one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.is_ready = False
        self.csv = cluster.folder / "readings.csv"

    def reach_csv(self) -> None:
        """The server opens the file itself, so it needs one that its user may read: a link if it can be one."""
        if self.csv.exists():
            return
        source = FOLDER / "readings.csv"
        try:
            os.link(source, self.csv)
        except OSError:
            shutil.copyfile(source, self.csv)
        self.csv.chmod(0o644)
        with open(self.csv, "rb") as file:
            while file.read(1 << 22):
                pass

    def copy(self) -> float:
        """COPY into an empty table with the primary key, logged and durable."""
        self.reach_csv()
        seconds, _ = self.cluster.sql(
            "DROP TABLE IF EXISTS readings",
            "CREATE TABLE readings (meter_id int, ts timestamp, wh int NOT NULL, PRIMARY KEY (meter_id, ts))",
            "CHECKPOINT",
            f"COPY readings FROM '{self.csv}' CSV HEADER",
        )
        self.is_ready = False
        return seconds

    def sums(self) -> dict[str, int]:
        """What is in the table."""
        readings, energy_wh = self.cluster.sql("SELECT count(*), sum(wh) FROM readings")[1]
        return {"readings": int(readings), "energy_wh": int(energy_wh)}

    def load_csv(self) -> Answer:
        """The load alone."""
        return Answer(self.copy(), self.sums())

    def load_csv_validate(self) -> Answer:
        """The load, then the search for meters with a gap or a reading out of range; the key refuses duplicates."""
        seconds = self.copy()
        more, (faulty,) = self.cluster.sql(FAULTY_METERS)
        return Answer(seconds + more, {**self.sums(), "faulty_days": int(faulty)})

    def bill_table(self) -> Answer:
        """The bills from the loaded table; loads it first, outside the time, if nobody has."""
        if not self.is_ready:
            self.copy()
            self.make_small_tables()
            self.cluster.sql("VACUUM ANALYZE")
            self.is_ready = True
        seconds, row = self.cluster.sql(self.query())
        return Answer(seconds, protocol.bill_totals(tuple(row)))

    def make_small_tables(self) -> None:
        """Calendar, meters and tariffs, and the one way to round."""
        import pyarrow.parquet

        kinds = {"ts": "timestamp", "zone": "int", "meter_id": "int", "tariff_id": "int", "zones": "int"}
        for name, key in (("calendar", "ts"), ("meters", "meter_id"), ("tariffs", "tariff_id")):
            table = pyarrow.parquet.read_table(FOLDER / f"{name}.parquet")
            rows = ["(" + ", ".join(f"'{value}'" for value in row.values()) + ")" for row in table.to_pylist()]
            columns = ", ".join(f"{column} {kinds.get(column, 'bigint')}" for column in table.column_names)
            self.cluster.sql(f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({key}))")
            for first in range(0, len(rows), ROWS_A_STATEMENT):
                some = ", ".join(rows[first : first + ROWS_A_STATEMENT])
                self.cluster.sql(f"INSERT INTO {name} VALUES {some}")
        self.cluster.sql(
            """CREATE OR REPLACE FUNCTION half_even(x numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
                SELECT CASE WHEN x - trunc(x, 2) = 0.005 AND mod(trunc(x, 2) * 100, 2) = 0
                    THEN trunc(x, 2) ELSE round(x, 2) END $$"""
        )

    def query(self) -> str:
        """The bills in NUMERIC."""
        dialect = Dialect(
            readings="readings",
            calendar="calendar",
            meters="meters",
            tariffs="tariffs",
            line=lambda quantity, price: f"half_even({quantity} * ({price} * 0.00000001))",
            days_line=lambda days: f"half_even({days} * (day * 0.00001))",
            tax=lambda subtotal: f"half_even({subtotal} * 0.20)",
            kopecks=lambda amount: f"(({amount}) * 100)::bigint",
        )
        return bill_query(dialect, protocol.days(FOLDER))


CLUSTER = Cluster()
try:
    BENCH = Bench(CLUSTER)
    protocol.serve(
        "postgresql",
        CLUSTER.sql("SHOW server_version")[1][0].split()[0],
        {
            "load-csv": BENCH.load_csv,
            "load-csv-validate": BENCH.load_csv_validate,
            "bill-table": BENCH.bill_table,
        },
        has_rss=False,
    )
finally:
    CLUSTER.close()
