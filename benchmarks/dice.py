"""Choices that look random and are the same on every machine and under every Python.

``random`` promises the same floats for a seed, but not the same ``choice`` or ``sample`` from one
Python to the next; commit ids must not depend on that. So a die is read off SHA-512 of its label.

>>> dice = Dice(7, "example")
>>> [dice.roll(6) for _ in range(8)]
[1, 0, 2, 3, 0, 1, 2, 1]
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_BITS = 512  # of one SHA-512 digest
_RESERVE = 1 << 32  # a pool this many times larger than the die leaves a bias below 2**-32


class Dice:
    """A stream of choices that depends on nothing but its label."""

    __slots__ = ("_block", "_label", "_pool", "_room")

    def __init__(self, *label: int | str) -> None:
        self._label = "/".join(map(str, label))
        self._block = 0
        self._pool = 0
        self._room = 1

    def roll(self, sides: int) -> int:
        """Return one of 0 … ``sides`` - 1."""
        if self._room < sides * _RESERVE:
            digest = hashlib.sha512(f"{self._label}/{self._block}".encode()).digest()
            self._block += 1
            self._pool = int.from_bytes(digest, "big")
            self._room = 1 << _BITS
        self._pool, value = divmod(self._pool, sides)
        self._room //= sides
        return value

    def between(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return low + self.roll(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Return true that often."""
        return self.roll(100) < percent

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of ``choices``."""
        return choices[self.roll(len(choices))]

    def some(self, choices: Sequence[T], count: int) -> list[T]:
        """Return ``count`` different ones of ``choices``, or all of them when there are fewer."""
        left = list(choices)
        return [left.pop(self.roll(len(left))) for _ in range(min(count, len(left)))]
