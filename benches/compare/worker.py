"""The other end of the workers' protocol: start one, ask it, end it."""

import json
import subprocess
import tempfile
import threading
import time
from typing import Any

HELLO_LIMIT_S = 120
STDERR_TAIL = 600


class WorkerFailed(Exception):
    """A worker that ended early, took too long or answered nonsense."""


class Lacking(Exception):
    """A worker that is not there, or has no such task."""


class Worker:
    """A process that answers a line for a line."""

    def __init__(self, name: str, command: list[str], limit_s: float) -> None:
        self.name, self.limit_s = name, limit_s
        self.stderr = tempfile.TemporaryFile("w+", errors="replace")
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, text=True
            )
        except OSError as error:
            raise Lacking(f"{name}: cannot start {command[0]}: {error.strerror}") from error

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, cause: type[BaseException] | None, *_: object) -> None:
        """Ends the input, which ends the worker; it may still have to clean up. One at work is not waited for."""
        if cause is KeyboardInterrupt:
            self.process.terminate()
        try:
            self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        except BrokenPipeError:
            self.process.wait()
        self.stderr.close()

    def hello(self) -> dict[str, Any]:
        """Name, version and tasks."""
        try:
            return self.reply("hello", HELLO_LIMIT_S)
        except Lacking:
            return {"name": self.name, "version": "?"}

    def ask(self, task: str) -> dict[str, Any]:
        """One repetition of a task: the answer, and under `wall_s` how long it took with all that is not timed."""
        start = time.perf_counter()
        answer = self.reply(task, self.limit_s)
        return {**answer, "wall_s": time.perf_counter() - start}

    def reply(self, line: str, limit_s: float) -> dict[str, Any]:
        """Sends a line, waits for the next."""
        timer = threading.Timer(limit_s, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            text = self.process.stdout.readline()
        except BrokenPipeError:
            text = ""
        finally:
            timer.cancel()
        if not text:
            raise WorkerFailed(f"{self.name}: ended at {line} (limit {limit_s:.0f} s): {self.complaint()}")
        try:
            answer = json.loads(text)
        except json.JSONDecodeError as error:
            raise WorkerFailed(f"{self.name}: {line} answered with no JSON: {text[:200]!r}") from error
        if answer.get("unsupported"):
            raise Lacking(f"{self.name} has no task {line}")
        return answer

    def complaint(self) -> str:
        """The end of what it wrote to its standard error."""
        self.process.wait()
        self.stderr.seek(0)
        return self.stderr.read().strip()[-STDERR_TAIL:] or f"exit code {self.process.returncode}, no message"
