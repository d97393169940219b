"""What a signed payload may say, read strictly: exact keys, text, whole numbers, digests, moments.

Every reader here raises ``ValueError`` with a sentence that names the part and what was expected. A format built
from them is closed: what its writer would not write is not read.

>>> moment(parse_moment("2026-03-14T09:26:53Z"))
'2026-03-14T09:26:53Z'
>>> members({"a": 1, "b": 2}, ("a",), "the record")
Traceback (most recent call last):
ValueError: the record must have exactly the keys a; unknown: b
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nodespec.encoding import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_HEX = re.compile(r"[0-9a-f]+\Z")
_HANDLE = re.compile(r"GLYMPH:[0-9a-f]{64}\Z")

MAX_NAME = 200
"""Characters of what people call an owner."""


def members(value: Any, keys: Sequence[str], what: str) -> dict[str, Any]:
    """Return an object that has exactly these keys."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object with the keys {', '.join(keys)}")
    if value.keys() != set(keys):
        unknown, missing = sorted(value.keys() - set(keys)), sorted(set(keys) - value.keys())
        parts = [f"unknown: {', '.join(map(_bare, unknown))}"] * bool(unknown)
        parts += [f"missing: {', '.join(missing)}"] * bool(missing)
        raise ValueError(f"{what} must have exactly the keys {', '.join(keys)}; {'; '.join(parts)}")
    return value


def _bare(name: str) -> str:
    return quoted(name)[1:-1]


def items(value: Any, name: str, *, least: int = 0, most: int = 10_000) -> list[Any]:
    """Return a list of ``least`` to ``most`` items."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise ValueError(f"{name} must be a list of {least:,} to {most:,} items")
    return value


def text(value: Any, name: str) -> str:
    """Return text."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, not {quoted(value)}")
    return value


def title(value: Any, name: str) -> str:
    """Return a name for people: 1 to 200 characters, no space at the ends, nothing unprintable."""
    found = text(value, name)
    if (
        not found.isprintable()
        or printable(found) != found
        or found != found.strip()
        or not 1 <= len(found) <= MAX_NAME
    ):
        raise ValueError(f"{name} must be 1 to {MAX_NAME} printable characters, not {quoted(found)}")
    return found


def one_of(value: Any, choices: Sequence[str], name: str) -> str:
    """Return one of these words."""
    if value not in choices or not isinstance(value, str):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {quoted(value)}")
    return value


def words(value: Any, choices: Sequence[str], name: str, *, least: int = 0) -> tuple[str, ...]:
    """Return different words out of ``choices``, in order of the choices."""
    found = [one_of(item, choices, name) for item in items(value, name, least=least)]
    if found != [choice for choice in choices if choice in found]:
        raise ValueError(f"{name} must name each word once, in the order {', '.join(choices)}")
    return tuple(found)


def count(value: Any, name: str, *, least: int = 0, most: int = 2**53 - 1) -> int:
    """Return a whole number from ``least`` to ``most``."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least:,} to {most:,}, not {quoted(value)}")
    return value


def digest(value: Any, name: str, *, digits: int = 64) -> str:
    """Return the hex digits of a digest, by default a SHA-256."""
    if not isinstance(value, str) or len(value) != digits or not _HEX.match(value):
        raise ValueError(f"{name} must be {digits} lower-case hex digits, not {quoted(value)}")
    return value


def handle(value: Any, name: str) -> str:
    """Return an owner's handle."""
    if not isinstance(value, str) or not _HANDLE.match(value):
        raise ValueError(f"{name} must be GLYMPH: and 64 lower-case hex digits, not {quoted(value)}")
    return value


def moment(value: datetime) -> str:
    """Return a moment in UTC, in whole seconds."""
    return value.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def parse_moment(value: Any, name: str = "the moment") -> datetime:
    """Return a moment that is written in its one form."""
    try:
        if isinstance(value, str) and _MOMENT.match(value):
            return datetime.fromisoformat(value[:-1]).replace(tzinfo=UTC)
    except ValueError:
        pass  # a day that no calendar has
    raise ValueError(f"{name} must be a moment such as 2026-03-14T09:26:53Z, not {quoted(value)}")
