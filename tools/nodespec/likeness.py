"""Whether a file that is gone may be one that was added: whatever Git would take for a move, and more.

Git compares files by pieces: a piece ends at a line's end, or after 64 bytes, and is known by a number below 107,927
only (diffcore-delta), for which anybody can find another piece. How alike two files are is the part of the larger one
that both have in common; from one half on, Git takes the one for the other. Hosts may ask for less, so a quarter is
enough here. The numbers are computed as Git does, since two files that it takes for one must be alike here as well.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodespec.commit import Objects
    from nodespec.tree import Entry

ENOUGH = 0.25
"""The part that two files have in common from which one may be the other, moved."""

MOST_BYTES = 256 << 10
"""The size of a file from which on any two of like size are alike."""

MOST = 20_000_000
"""Steps after which nobody goes on comparing; a step is some tenths of a microsecond."""

_EACH_PAIR, _EACH_BYTE, _EACH_PIECE = 40, 3, 5
"""Steps for two files before any is read, for a byte that is read, and for a piece that is kept."""

_PIECE = re.compile(rb"[^\n]{0,63}\n|[^\n]{1,64}")
_NUMBERS, _WORD = 107_927, 0xFFFF_FFFF


class EndlessError(Exception):
    """There are more files than can be compared."""


class Moves:
    """Where files may be that are gone, among those that were ``added``."""

    def __init__(self, objects: Objects, added: Sequence[Entry]) -> None:
        self._objects = objects
        self._left = MOST
        self._known: dict[str, tuple[Counter[int], ...]] = {}
        self._added: dict[tuple[int, str], list[str]] = {}
        for entry in added:
            self._added.setdefault((entry.mode >> 12, entry.blob), []).append(entry.path)
        self._sizes: dict[str, int | None] = {}

    def __bool__(self) -> bool:
        return bool(self._added)

    def of(self, gone: Entry) -> Iterator[str]:
        """Yield where a file may be; raise :class:`EndlessError` where that would take too long.

        Git compares those of one kind only: files, links, submodules.
        """
        for (kind, blob), paths in self._added.items():
            self._spend(_EACH_PAIR)
            if kind == gone.mode >> 12 and self._are_alike(gone.blob, blob):
                self._spend(len(paths) * _EACH_PAIR)
                yield from paths

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise EndlessError

    def _are_alike(self, one: str, other: str) -> bool:
        if one == other:
            return True
        sizes = self._size(one), self._size(other)
        if None in sizes:
            return True
        small, large = sorted(size for size in sizes if size is not None)
        if small < large * ENOUGH:
            return False
        if large > MOST_BYTES:
            return True
        return any(self._share(mine, theirs) for mine in self._pieces(one) for theirs in self._pieces(other))

    def _share(self, one: Counter[int], other: Counter[int]) -> bool:
        self._spend(len(one) + len(other))
        return alike(one, other) >= ENOUGH

    def _size(self, blob: str) -> int | None:
        if blob not in self._sizes:
            try:
                self._sizes[blob] = self._objects.size(blob)
            except LookupError:
                self._sizes[blob] = None
        return self._sizes[blob]

    def _pieces(self, blob: str) -> tuple[Counter[int], ...]:
        """Return the pieces of a file, and those without the CR of its line ends, which Git skips in what is text."""
        if blob not in self._known:
            data = self._objects.read(blob)[1]
            self._spend(len(data) * _EACH_BYTE)
            texts = [data, data.replace(b"\r\n", b"\n")] if b"\r\n" in data else [data]
            self._known[blob] = tuple(map(pieces, texts))
            self._spend(sum(map(len, self._known[blob])) * _EACH_PIECE)
        return self._known[blob]


def pieces(data: bytes) -> Counter[int]:
    r"""Return how many bytes of a file are in the pieces of each number.

    >>> sorted(pieces(b"a\nbc\na\n").values())
    [3, 4]
    """
    counts: Counter[int] = Counter()
    for piece in _PIECE.findall(data):
        counts[number(piece)] += len(piece)
    return counts


@lru_cache(maxsize=100_000)
def number(piece: bytes) -> int:
    r"""Return the number by which Git knows a piece (diffcore-delta).

    >>> number(b"a\n"), number(b"\n")
    (12426, 10)
    """
    one = other = 0
    for byte in piece:
        one, other = ((one << 7 & _WORD) ^ (other >> 25)) + byte & _WORD, (other << 7 & _WORD) ^ (one >> 25)
    return (one + other * 0x61 & _WORD) % _NUMBERS


def alike(one: Counter[int], other: Counter[int]) -> float:
    r"""Return the part of the larger file that both have in common, from 0 to 1.

    >>> alike(pieces(b"a\nb\n"), pieces(b"a\nc\nd\ne\n"))
    0.25
    """
    return (one & other).total() / max(one.total(), other.total(), 1)
