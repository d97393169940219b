"""Time whole processes, side by side: what a person waits for, start-up and all.

Contenders for the same work take turns, so that a machine which slows down slows down for each of
them; the median forgives single interruptions. A contender that needs longer than ``SLOW`` seconds
runs fewer times, and the count stands beside every number.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SLOW = 20.0
"""Seconds. Five turns of the naive loop would take three minutes and tell nothing that one does not."""


class BenchmarkError(Exception):
    """A contender failed, so its time means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A command, and what to undo before each run so that it does its work every time."""

    name: str
    command: Sequence[str]
    folder: Path
    before: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of every run of one contender."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.seconds)

    def __str__(self) -> str:
        """Return the median with its number of runs, such as ``0.412 s (5)``."""
        return f"{self.median:.3f} s ({len(self.seconds)})"


def side_by_side(contenders: Sequence[Contender], *, turns: int, slow_turns: int) -> dict[str, Timing]:
    """Run each contender ``turns`` times, a slow one ``slow_turns`` times; return the times by name."""
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for turn in range(turns):
        for contender in contenders:
            taken = seconds[contender.name]
            if turn < (slow_turns if taken and taken[0] > SLOW else turns):
                taken.append(_run(contender))
    return {name: Timing(seconds=tuple(taken)) for name, taken in seconds.items()}


def _run(contender: Contender) -> float:
    if contender.before is not None:
        contender.before()
    begin = time.perf_counter()
    try:
        process = subprocess.run(
            contender.command,
            cwd=contender.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise BenchmarkError(f"{contender.name}: {error}") from error
    taken = time.perf_counter() - begin
    if process.returncode != 0:
        output = (process.stdout + process.stderr).decode(errors="replace")[-2000:]
        raise BenchmarkError(f"{contender.name}: exit code {process.returncode}\n{output}")
    return taken
