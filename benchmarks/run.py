"""Measure the promises in one run, and print them beside what was measured.

    python -m benchmarks.run [--full] [--write FILE]

Exits 0 even when a bar is missed, since a busy machine is not a defect; with BENCH_STRICT=1 in the environment a missed
bar exits 1, and so does a contender that is not installed. With BENCH=full, questions are asked of 100,000 nodes
instead of 10,000, checkpoints are made of as many, everything is validated, and slow contenders have all their turns.
BENCH_NPM names a folder with other validators (see benchmarks/validators.py). A contender that fails exits 2: then
nothing was measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import memory, policies, rates
from benchmarks.checkpoints import checkpoints
from benchmarks.gates import gates
from benchmarks.measure import SLOW, BenchmarkError, side_by_side
from benchmarks.promises import provenance, start_up, validation
from benchmarks.questions import FULL, git_watches, next_commit, questions, watched
from benchmarks.shapes import past, shapes
from benchmarks.validators import AJV, SOURCEMETA, validators
from benchmarks.whole import again, everything

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measure import Timing
    from benchmarks.promises import Promise, Round

_COLUMNS = ("work", "ours", "other", "ratio", "bar", "verdict")
_COMPARED = ("check-jsonschema", "jsonschema", "PyYAML", "click", "pygit2", "cryptography")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One promise beside its measurement, as text in the order of the columns."""

    cells: tuple[str, ...]
    met: bool


def rounds(folder: Path, nodes: int) -> Iterator[Round]:
    """Yield what is measured; each round's registry is made when its turn comes. ``nodes`` is how many are asked."""
    yield start_up()
    yield validation(folder, 1_000, jobs=1, bar=5, naive_bar=60)
    yield validation(folder, 10_000, jobs=2, bar=12, share=1 if nodes >= FULL else 5)
    yield provenance(folder, 10_000)
    yield everything(folder, nodes)
    yield shapes(folder, nodes)
    yield past(folder)
    yield gates(folder, nodes)
    yield again(folder, nodes)
    yield questions(folder, nodes)
    if git_watches():
        with watched(folder, nodes) as asked:
            yield asked
    yield next_commit(folder, nodes)


def measure(chosen: Round, *, full: bool) -> list[Row]:
    """Run one round and compare it with its promises."""
    times = side_by_side(chosen.contenders, turns=chosen.turns, slow_turns=chosen.turns if full else 1)
    return compared(chosen.promises, times)


def compared(promises: Sequence[Promise], times: dict[str, Timing]) -> list[Row]:
    """Put each promise beside what was measured."""
    return [
        Row(
            cells=(
                promise.work,
                f"{promise.ours}: {times[promise.ours]}",
                f"{promise.other}: {times[promise.other]}",
                f"{promise.ratio(times):.1f}",
                promise.wanted,
                "" if promise.bar is None else "met" if promise.met(times) else "MISSED",
            ),
            met=promise.met(times),
        )
        for promise in promises
    ]


def rate_rows() -> list[Row]:
    """Measure attestations inside this process, and compare them with the promises."""
    found = rates.measure()
    full, bare = f"full verification: {found.full:,.0f}/s", f"bare ML-DSA-44 verify: {found.bare:,.0f}/s"
    work = "verify an attestation"
    return [
        _rate_row(work, full, bare, found.full / found.bare, "at least 0.5", met=found.full >= 0.5 * found.bare),
        _rate_row(work, full, "1,000/s", found.full / 1_000, "at least 1", met=found.full >= 1_000),
        _rate_row(
            work,
            f"p95 {found.verify_p95:.2f} ms",
            "10 ms",
            found.verify_p95 / 10,
            "at most 1",
            met=found.verify_p95 <= 10,
        ),
        _rate_row(
            "sign one",
            f"p95 {found.sign_p95:.2f} ms",
            "50 ms",
            found.sign_p95 / 50,
            "at most 1",
            met=found.sign_p95 <= 50,
        ),
    ]


def policy_rows() -> list[Row]:
    """Measure what governance policies cost a node, and compare it with the promise."""
    found = policies.measure()
    work = f"judge a node by {found.policies} policies"
    cost = f"median {found.median:.2f} ms, p95 {found.p95:.2f} ms (the first {found.first:.0f} ms)"
    return [_rate_row(work, cost, "10 ms", found.p95 / 10, "at most 1", met=found.p95 <= 10)]


def memory_rows(folder: Path, nodes: int) -> list[Row]:
    """Measure what commands hold in memory, and compare it with the promise."""
    gib = 1 << 30
    return [
        _rate_row(
            "memory of a process",
            f"{held.name}: {held.most / 2**20:,.0f} MiB",
            "1 GiB",
            held.most / gib,
            "at most 1",
            met=held.most <= gib,
        )
        for held in memory.measure(folder, nodes)
    ]


def _rate_row(work: str, ours: str, other: str, ratio: float, bar: str, *, met: bool) -> Row:
    return Row(cells=(work, ours, other, f"{ratio:.2f}", bar, "met" if met else "MISSED"), met=met)


def machine() -> str:
    """Name the machine and the versions of what was compared."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ", ".join(f"{name} {version(name)}" for name in _COMPARED)
    python = f"Python {platform.python_version()}"
    git = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return f"{platform.platform()}, {_processor()}, {cores} cores, {python}, {git}; {packages}"


def _processor() -> str:
    """Return the processor's own name where the system tells it (Linux), else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    lines = [_COLUMNS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown page."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *(row.cells for row in rows)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# Benchmarks\n\n{machine()}\n\n{_note()}\n\n{body}\n"


def _note() -> str:
    return f"Medians of whole processes in turns, runs in brackets: fewer for what takes over {SLOW:g} s."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure the promises.")
    parser.add_argument("--full", action="store_true", help="give slow contenders as many turns as the others")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the table as Markdown")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 for a bar missed or not measured under BENCH_STRICT=1, or 2 when it broke off."""
    options = _parser().parse_args(arguments)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # whoever installs a package compiles it once, not in each run
    rows = [*rate_rows(), *policy_rows()]
    nodes = FULL if os.environ.get("BENCH") == "full" else 10_000
    try:
        with tempfile.TemporaryDirectory(prefix="nodespec-bench-") as folder:
            os.environ["NODESPEC_HOME"] = f"{folder}/home"  # what is remembered goes with it
            for chosen in rounds(Path(folder), nodes):
                rows += measure(chosen, full=options.full or nodes == FULL)
            rows += memory_rows(Path(folder), nodes)
            made = checkpoints(Path(folder), nodes)
            rows += compared(made.promises, made.times)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    absent = list(missing())
    print("\n\n".join([f"{machine()}\n{_note()}", table(rows), *absent]))
    if options.write is not None:
        options.write.write_text(markdown(rows), encoding="utf-8")
    return ended(rows, absent, strict=os.environ.get("BENCH_STRICT") == "1")


def missing() -> Iterator[str]:
    """Yield with what nothing could be compared, since it is not installed."""
    if shutil.which("rg") is None:
        yield "ripgrep (rg) is not installed, so nothing was compared with it"
    if {name for name, _ in validators()} != {AJV, SOURCEMETA}:
        others = "ajv-cli, ajv-formats and @sourcemeta/jsonschema"
        yield f"BENCH_NPM names no folder with {others}, so nothing was compared with all of them"
    if not git_watches():
        yield "this Git has no file system monitor (on Linux: from 2.55 on), so no work tree was watched"


def ended(rows: Sequence[Row], absent: Sequence[str] = (), *, strict: bool) -> int:
    """Return the exit code: a missed bar, or one that was not measured, counts only where it is meant to."""
    return 1 if strict and (absent or not all(row.met for row in rows)) else 0


if __name__ == "__main__":
    sys.exit(main())
