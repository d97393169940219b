"""Tables and progress bars: the only importer of rich, which is loaded when first needed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

PATIENCE = 1.0
"""Seconds of silence before a progress bar appears (Nielsen: the limit for an uninterrupted flow of thought)."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, color: bool) -> str:
    """Return an aligned table: cut to fit on a terminal, whole when piped."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    width = None if on_terminal else sum(max(len(row[i]) for row in [columns, *rows]) + 3 for i in range(len(columns)))
    console = Console(width=width, force_terminal=color, no_color=not color, color_system="standard" if color else None)
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        grid.add_column(column, no_wrap=True, overflow="ellipsis" if number else "fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    with console.capture() as capture:
        console.print(grid)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join(line for line in lines if line) + "\n"


class Progress:
    """A bar on standard error, for work over a second, on a terminal only; gone when all is done.

    It starts no thread, because workers are forked beside it.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._start = time.monotonic()
        self._shown = 0.0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` are finished."""
        now = time.monotonic()
        if done >= total:
            self._end()
            return
        if not sys.stderr.isatty() or now - self._start < PATIENCE or now - self._shown < 0.1:
            return
        self._shown = now
        if self._bar is None:
            self._begin(total)
        self._bar.update(self._task, completed=done, total=total)
        self._bar.refresh()

    def _begin(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
        self._bar.start()
        self._task = self._bar.add_task(self._what, total=total)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
