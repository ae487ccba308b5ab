"""What was measured, as a table for people, and the machine it was measured on."""

import os
import platform
import statistics
import subprocess
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


def machine() -> dict[str, Any]:
    """Processor, cores and memory."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": f"{platform.system()} {platform.release()}",
    }


def commit() -> str:
    """The commit that is checked out, with a plus where files differ from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(REPOSITORY), *words], capture_output=True, text=True)
        return done.stdout.strip()

    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+" if git("status", "--porcelain") else "")


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def seconds(answers: list[dict[str, Any]]) -> str:
    """The median of some repetitions with its spread; microseconds a proof where proofs were counted."""
    if not answers:
        return "-"
    proofs = answers[0].get("proofs") or 0
    scale, unit = (1e6 / proofs, "µs") if proofs else (1, "s")
    found = spread([answer["seconds"] * scale for answer in answers])
    return f"{found['median']:.3g} {unit} [{found['min']:.3g}–{found['max']:.3g}]"


def rate(answers: list[dict[str, Any]]) -> str:
    """Millions of readings, leaves or proofs a second, by the median."""
    first = answers[0]
    count = first.get("readings") or first.get("proofs") or first.get("leaves") or 0
    return f"{count / statistics.median(answer['seconds'] for answer in answers) / 1e6:.3g}"


def memory(answers: list[dict[str, Any]]) -> str:
    """The largest memory held, where the worker knows it."""
    known = [answer["rss_mib"] for answer in answers if answer.get("rss_mib") is not None]
    return str(max(known)) if known else "-"


def row(result: dict[str, Any]) -> list[str]:
    """A comparison's line."""
    ours, theirs = result["ours"], result["theirs"]
    ratio = result.get("ratio")
    return [
        result["task"],
        seconds(ours),
        f"{result['rival']} {result['rival_task']}",
        seconds(theirs),
        f"{ratio['median']:.2f} [{ratio['min']:.2f}–{ratio['max']:.2f}]" if ratio else "-",
        rate(theirs),
        f"{memory(ours) if ours else '-'} / {memory(theirs)}",
        result["lacks"],
    ]


HEADER = ["task", "ours", "rival", "rival's", "ratio", "rival's M/s", "MiB", "the rival: what it lacks, or what differs"]


def table(results: list[dict[str, Any]]) -> str:
    """All comparisons, columns aligned, as Markdown."""
    rows = [HEADER] + [row(result) for result in results]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEADER))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def footer(record: dict[str, Any]) -> str:
    """Machine, commit, versions, command: what it takes to say where a figure comes from."""
    here = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(record["versions"].items()))
    return "\n".join(
        [
            f"machine: {here['cpu']}, {here['cores']} cores, {here['memory_mib']} MiB, {here['system']}; "
            f"load {record['load_before'][0]:.1f} before, {record['load_after'][0]:.1f} after",
            f"commit:  {record['commit']}, {record['date']}",
            f"workers: {versions or 'none'}",
            f"command: {record['command']}",
            "Files were read once before they were timed: the page cache is warm. Times are medians [min–max] of "
            f"{record['repeat']}; a ratio is that of a pair, one after the other, who goes first alternating.",
        ]
    )
