"""What a worker says and hears: one line in, one line of JSON out.

    run.py  --"hello"-->         worker  --{"name", "version", "tasks"}-->  run.py
    run.py  --"bill-parquet"-->  worker  --{"task", "seconds", …}-->        run.py      once for every repetition

A task that the worker lacks is answered with {"task", "unsupported": true}. The end of the input ends the worker.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What one repetition took, and what it found. A sum that a task does not compute is left out."""

    seconds: float
    found: dict[str, int]


Task = Callable[[], Answer]


class Stopwatch:
    """The seconds spent inside a `with`."""

    seconds = 0.0

    def __enter__(self) -> "Stopwatch":
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.start


@dataclass(frozen=True)
class Arguments:
    """A worker's command line: where the files lie, and how many threads it may use."""

    dir: Path
    threads: int


def arguments() -> Arguments:
    """Reads `--dir DIR --threads N`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    return Arguments(given.dir.resolve(), given.threads)


def bill_totals(row: tuple[Any, ...]) -> dict[str, int]:
    """Names the columns of a bill query's only row; the number of meters is for the reader of the query."""
    _meters, readings, energy_wh, total_kop, checksum = (int(value) for value in row)
    return {"readings": readings, "energy_wh": energy_wh, "total_kop": total_kop, "checksum": checksum}


def days(folder: Path) -> int:
    """The days of the period, from the calendar's length."""
    import pyarrow.parquet

    return pyarrow.parquet.read_metadata(folder / "calendar.parquet").num_rows // 48


def own_stdout() -> Any:
    """Keeps the standard output for answers: whatever a library prints goes to the standard error instead."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def serve(name: str, version: str, tasks: dict[str, Task], has_rss: bool = True) -> None:
    """Answers tasks until the input ends. `has_rss` is false where the work is done in other processes."""
    answers = own_stdout()
    for line in sys.stdin:
        task = line.strip()
        if task == "hello":
            reply: dict[str, Any] = {"name": name, "version": version, "tasks": sorted(tasks)}
        elif task not in tasks:
            reply = {"task": task, "unsupported": True}
        else:
            answer = tasks[task]()
            rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 if has_rss else None
            reply = {"task": task, "seconds": answer.seconds, **answer.found, "rss_mib": rss_mib}
        print(json.dumps(reply), file=answers)
