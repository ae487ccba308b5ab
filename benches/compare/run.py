#!/usr/bin/env python3
"""Ours and the rivals over the same files in the same run: equal totals asserted, ratios with their spread.

    for every comparison:  start both workers ─▶ read the files once ─▶ one untimed repetition each
                           ─▶ pairs, who goes first alternating ─▶ totals held against all others ─▶ a line of the table

Exit code: 0 all compared; 1 totals differ or a worker failed; 3 something asked for is not there.
"""

import argparse
import datetime
import json
import os
import shlex
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

import report
from comparisons import BILL, COMPARISONS, GROUPS, LOAD, MERKLE, RIVALS, Comparison, sums_of
from dataset import write_dataset
from town import HALF_HOURS, KNOWN_DAYS, known_totals
from worker import Lacking, Worker, WorkerFailed

HERE = Path(__file__).resolve().parent
TARGET = Path("target/compare")


class TotalsDiffer(Exception):
    """Two that computed the same arrived at different sums: no time of theirs means anything."""


def command_line() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Compare with other engines on the same files.")
    parser.add_argument("--ours", default="target/release/tallywatt-measure", help="command of our worker")
    parser.add_argument("--rivals-only", action="store_true", help="leave ours out")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="which rivals, by comma")
    parser.add_argument("--groups", default=",".join(GROUPS), help="which groups of tasks, by comma")
    parser.add_argument("--tasks", default="", help="only these tasks of ours, by comma")
    parser.add_argument("--meters", type=int, default=100_000, help="the town whose bills are computed")
    parser.add_argument("--load-meters", type=int, default=6_944, help="the town that is loaded: 10 M readings")
    parser.add_argument("--days", type=int, default=KNOWN_DAYS)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5, help="timed pairs")
    parser.add_argument("--data", type=Path, default=TARGET / "data", help="where the towns are kept or made")
    parser.add_argument("--rs-merkle", type=Path, default=TARGET / "rs_merkle/release/rs-merkle-worker")
    parser.add_argument("--limit-s", type=float, default=600, help="the longest one repetition may take")
    parser.add_argument("--json", type=Path, default=TARGET / "compare.json")
    options = parser.parse_args()
    for given, known in ((options.rivals, RIVALS), (options.groups, GROUPS)):
        for name in given.split(","):
            if name not in known:
                parser.error(f"{name} is none of {', '.join(known)}")
    if options.repeat < 1:
        parser.error("--repeat: at least 1")
    return options


class Run:
    """One run: its options, what its answers must agree on, and what was found."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.expected: dict[tuple[Any, ...], tuple[int, str]] = {}
        self.versions: dict[str, str] = {}
        self.results: list[dict[str, Any]] = []
        self.missing: list[str] = []
        self.failed: list[str] = []

    def chosen(self) -> list[Comparison]:
        """The comparisons asked for; with the rivals alone, each of their tasks once."""
        options = self.options
        tasks = set(filter(None, options.tasks.split(",")))
        some = [
            comparison
            for comparison in COMPARISONS
            if comparison.rival in options.rivals.split(",")
            and comparison.group in options.groups.split(",")
            and (not tasks or comparison.ours in tasks)
        ]
        if options.rivals_only:
            first = {}
            for each in some:
                first.setdefault((each.group, each.rival, each.theirs), each)
            some = list(first.values())
        return some

    def meters(self, group: str) -> int:
        """The size of a group's town."""
        return self.options.load_meters if group == LOAD else self.options.meters

    def folder(self, group: str) -> Path:
        """The folder of a group's files, made if it is not there or not whole."""
        if group == MERKLE:
            self.options.data.mkdir(parents=True, exist_ok=True)
            return self.options.data
        meters, days = self.meters(group), self.options.days
        folder = self.options.data / f"{meters}x{days}"
        with_csv = group == LOAD
        if not is_whole(folder, meters * days * HALF_HOURS, with_csv):
            say(f"writing {meters} meters, {days} days to {folder}")
            write_dataset(folder, meters, days, with_csv)
        return folder

    def worker(self, name: str, group: str, folder: Path) -> Worker:
        """Starts ours or a rival's worker and notes its version."""
        options = self.options
        command = shlex.split(options.ours) if name == "ours" else rival_command(name, options)
        threads = 1 if group == MERKLE else options.threads
        command += ["--dir", str(folder), "--threads", str(threads)]
        if group == MERKLE and options.leaves != 1_000_000:
            command += ["--leaves", str(options.leaves)]
        worker = Worker(name, command, options.limit_s)
        self.versions[name] = str(worker.hello().get("version", "?"))
        return worker

    def compare(self, comparison: Comparison) -> None:
        """Runs one comparison and keeps its result, whole or with the rival's side alone."""
        group = comparison.group
        folder = self.folder(group)
        with ExitStack() as stack:
            rival = stack.enter_context(self.worker(comparison.rival, group, folder))
            ours = None if self.options.rivals_only else self.start_ours(stack, comparison, folder)
            warm(folder)
            theirs = lambda: self.repetition(rival, comparison.theirs, group)  # noqa: E731
            mine = lambda: self.repetition(ours, comparison.ours, group)  # noqa: E731
            theirs()
            pairs = []
            for index in range(self.options.repeat):
                if ours is None:
                    pairs.append({"theirs": theirs()})
                elif index % 2:
                    pairs.append({"theirs": theirs(), "ours": mine()})
                else:
                    pairs.append({"ours": mine(), "theirs": theirs()})
        self.keep(comparison, pairs)

    def start_ours(self, stack: ExitStack, comparison: Comparison, folder: Path) -> Worker | None:
        """Our worker, its store prepared and one repetition behind it, or nothing where it lacks the task."""
        try:
            ours = stack.enter_context(self.worker("ours", comparison.group, folder))
            if comparison.ours == "bill-store":
                ours.ask("prepare-store")
            self.repetition(ours, comparison.ours, comparison.group)
            return ours
        except Lacking as lacking:
            self.note(self.missing, str(lacking))
        except WorkerFailed as failure:
            self.note(self.failed, str(failure))
        return None

    def repetition(self, worker: Worker, task: str, group: str) -> dict[str, Any]:
        """One repetition, its sums held against what everybody else has found."""
        answer = worker.ask(task)
        for name in sums_of(task):
            if name not in answer:
                raise WorkerFailed(f"{worker.name}: {task} answers no {name}")
            value = self.known(name, group)
            key = (name, group if group == MERKLE else self.meters(group))
            value, whose = self.expected.setdefault(key, (answer[name], worker.name) if value is None else value)
            if answer[name] != value:
                raise TotalsDiffer(f"{worker.name}: {task}: {name} is {answer[name]}, {value} by {whose}")
        return answer

    def known(self, name: str, group: str) -> tuple[int, str] | None:
        """A sum that is known before anybody computes it, and by whom."""
        if name == "faulty_days":
            return 0, "construction"
        if name == "readings":
            return self.meters(group) * self.options.days * HALF_HOURS, "construction"
        if name == "leaves":
            return self.options.leaves, "construction"
        totals = known_totals(self.meters(group), self.options.days) if group != MERKLE else None
        return (getattr(totals, name), "the table of known totals") if totals else None

    def keep(self, comparison: Comparison, pairs: list[dict[str, Any]]) -> None:
        """Keeps a result and says it, so that a long run shows where it is."""
        result = {
            "group": comparison.group,
            "task": comparison.ours,
            "rival": comparison.rival,
            "rival_task": comparison.theirs,
            "lacks": comparison.lacks,
            "ours": [pair["ours"] for pair in pairs if "ours" in pair],
            "theirs": [pair["theirs"] for pair in pairs],
        }
        if result["ours"]:
            ratios = [pair["theirs"]["seconds"] / pair["ours"]["seconds"] for pair in pairs]
            result["ratio"] = {**report.spread(ratios), "pairs": ratios}
        self.results.append(result)
        say(" | ".join(report.row(result)[:5]))

    def note(self, where: list[str], text: str) -> None:
        """Notes once, and says, what is missing or has failed."""
        if text not in where:
            where.append(text)
            say(text)


def rival_command(name: str, options: argparse.Namespace) -> list[str]:
    """How a rival's worker is started."""
    if name == "rs_merkle":
        return [str(options.rs_merkle)]
    return [sys.executable, str(HERE / f"rivals/{name}_worker.py")]


def is_whole(folder: Path, readings: int, with_csv: bool) -> bool:
    """Whether a town's files are all there: the Parquet file's footer is written last."""
    if with_csv and not (folder / "readings.csv").exists():
        return False
    try:
        return pyarrow.parquet.read_metadata(folder / "readings.parquet").num_rows == readings
    except (OSError, pyarrow.ArrowInvalid):
        return False


def warm(folder: Path) -> None:
    """Reads every file once, so that all find it in the page cache."""
    for path in sorted(folder.glob("*.*")):
        if path.is_file():
            with open(path, "rb") as file:
                while file.read(1 << 22):
                    pass


def say(text: str) -> None:
    """Says where the run is."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Runs what was asked for, prints the table, writes the record."""
    options = command_line()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end from outside keeps what was measured
    run = Run(options)
    record = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.orig_argv),
        "commit": report.commit(),
        "machine": report.machine(),
        "repeat": options.repeat,
        "threads": options.threads,
        "meters": {BILL: options.meters, LOAD: options.load_meters},
        "days": options.days,
        "leaves": options.leaves,
        "load_before": os.getloadavg(),
    }
    for comparison in run.chosen():
        try:
            run.compare(comparison)
        except Lacking as lacking:
            run.note(run.missing, str(lacking))
        except (WorkerFailed, TotalsDiffer) as failure:
            run.note(run.failed, str(failure))
        except KeyboardInterrupt:
            run.note(run.failed, f"interrupted at {comparison.ours}, {comparison.rival}")
            break
    record |= {
        "load_after": os.getloadavg(),
        "versions": run.versions,
        "missing": run.missing,
        "failed": run.failed,
        "comparisons": run.results,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print(report.table(run.results))
    print()
    print(report.footer(record))
    for text in run.missing + run.failed:
        print(f"NOT DONE: {text}")
    return 1 if run.failed else 3 if run.missing else 0


if __name__ == "__main__":
    sys.exit(main())
