"""Whether a file that is gone may be one that was added: what Git would take for a move, and more.

Git compares files by pieces: a piece ends at a line's end, or after 64 bytes. How alike two files are is the part of
the larger one that both have in common, and from one half on Git takes the one for the other (diffcore-delta). Hosts
may ask for less, so a quarter is enough here; and where comparing would take long, any two are alike.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodespec.commit import Objects
    from nodespec.tree import Entry

ENOUGH = 0.25
"""The part that two files have in common from which one may be the other, moved."""

MOST_BYTES = 256 << 10
"""The size of a file from which on any two of like size are alike."""

MOST_READ, MOST_COMPARED = 8 << 20, 20_000_000
"""Bytes that are read, and pieces that are looked up, after which any two files are alike."""

_EACH = 40
"""What looking at two files costs, in pieces, before any is looked up."""

_PIECE = re.compile(rb"[^\n]{0,63}\n|[^\n]{1,64}")


class Likeness:
    """Compares files of one repository; what was read once is kept."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._bytes_left, self._pieces_left = MOST_READ, MOST_COMPARED
        self._known: dict[str, Counter[bytes] | None] = {}
        self._sizes: dict[str, int] = {}

    def is_moved(self, gone: Entry, added: Entry) -> bool:
        """Say whether one file may be the other; Git compares those of one kind only (files, links, submodules)."""
        if gone.mode >> 12 != added.mode >> 12:
            return False
        if gone.blob == added.blob or self._pieces_left <= 0:
            return True
        self._pieces_left -= _EACH
        try:
            small, large = sorted((self._size(gone.blob), self._size(added.blob)))
            if small < large * ENOUGH:
                return False
            one, other = self._pieces(gone.blob), self._pieces(added.blob)
        except LookupError:
            return True
        if one is None or other is None:
            return True
        self._pieces_left -= len(one)
        return alike(one, other) >= ENOUGH

    def _size(self, blob: str) -> int:
        if blob not in self._sizes:
            self._sizes[blob] = self._objects.size(blob)
        return self._sizes[blob]

    def _pieces(self, blob: str) -> Counter[bytes] | None:
        """Return how often each piece is in a file; None where that is not to be known."""
        if blob not in self._known:
            self._known[blob] = None
            size = self._size(blob)
            if size <= min(MOST_BYTES, self._bytes_left):
                self._bytes_left -= size
                self._known[blob] = pieces(self._objects.read(blob)[1])
        return self._known[blob]


def pieces(data: bytes) -> Counter[bytes]:
    r"""Return how often each piece is in a file.

    >>> sorted(pieces(b"a\nb\na\n").items())
    [(b'a\n', 2), (b'b\n', 1)]
    """
    return Counter(_PIECE.findall(data.replace(b"\r\n", b"\n")))


def alike(one: Counter[bytes], other: Counter[bytes]) -> float:
    r"""Return the part of the larger file that both have in common, from 0 to 1.

    >>> alike(pieces(b"a\nb\n"), pieces(b"a\nc\nd\ne\n"))
    0.25
    """
    common = sum(len(piece) * count for piece, count in (one & other).items())
    return common / max(_size(one), _size(other), 1)


def _size(counts: Counter[bytes]) -> int:
    return sum(len(piece) * count for piece, count in counts.items())
