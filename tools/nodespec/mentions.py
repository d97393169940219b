"""A text search for the files that may name a signal or an owner, so that only those are parsed.

A name that a document holds stands in its bytes letter by letter, unless it is written with an escape; so a file that
holds neither one of the names nor a backslash has nothing to do with any of them. Every file is read: nothing is taken
from an index, for what is looked for is often that there is *nobody else*, and of that no index can convince whoever
must judge.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from nodespec import workers
from nodespec.text import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nodespec.tree import Entry, Progress, Tree


def mentioning(
    tree: Tree, entries: Sequence[Entry], names: Iterable[str], *, jobs: int = 1, progress: Progress | None = None
) -> list[Entry]:
    """Return those of ``entries`` that may hold one of ``names``; raise ``OSError`` when a file cannot be read."""
    wanted = tuple(sorted(names))
    if not wanted:
        return []
    start = partial(_reader, tree, wanted)
    found = workers.each(entries, start(), jobs=jobs, progress=progress, start=start)
    return [entry for entry, holds in zip(entries, found, strict=True) if holds]


def _reader(tree: Tree, names: tuple[str, ...]) -> Callable[[Entry], bool]:
    pattern = re.compile(b"|".join([rb"\\", *(re.escape(name.encode()) for name in names)]))
    return lambda entry: tree.size(entry) <= MAX_BYTES and pattern.search(tree.read(entry)) is not None
