"""Append-only chains of signed records: what the trust root and every owner's history have in common.

A chain is a folder of files ``0001.dsse.json``, ``0002.dsse.json`` …, each a DSSE envelope of canonical JSON. Every
record holds its own number and ``previous``, the hex SHA-256 of the payload before it (null in the first), so that
none can be changed, taken out or put in between without breaking all that follow.

This module knows files and links; who must sign, and what a record says, is for :mod:`nodespec.trust` and
:mod:`nodespec.owner`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nodespec import claims, envelope
from nodespec.encoding import canonical_json, strict_json
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.envelope import Envelope

SUFFIX = ".dsse.json"
_RECORD = re.compile(r"[0-9]{4}\.dsse\.json\Z")
MAX_NUMBER = 9999
"""The largest number that four digits hold: two centuries of weekly rotation."""


class BrokenChainError(ValueError):
    """A record that does not follow from those before it; ``path`` is the record's file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path


@frozen
class Link:
    """One record's file, and its envelope."""

    path: str
    number: int
    envelope: Envelope


def record_path(folder: str, number: int) -> str:
    """Return where record ``number`` of the chain in ``folder`` stands.

    >>> record_path("registry/trust/", 7)
    'registry/trust/0007.dsse.json'
    """
    return f"{folder}{number:04d}{SUFFIX}"


def links(files: Sequence[tuple[str, bytes]], folder: str, payload_type: str, *, first: int) -> list[Link]:
    """Read a chain's files, in order of path; raise :class:`BrokenChainError` at a gap or a file that is no record."""
    found = []
    for number, (path, data) in enumerate(files, first):
        expected = record_path(folder, number)
        if path != expected and not _RECORD.match(path.removeprefix(folder)):
            raise BrokenChainError(path, "a file that is no record stands among the records of a chain")
        if path != expected:
            raise BrokenChainError(path, f"the chain has a gap: {expected} should come before this record")
        try:
            found.append(Link(path=path, number=number, envelope=envelope.parse_exact(data, payload_type)))
        except ValueError as error:
            raise BrokenChainError(path, f"not a signed record: {error}") from None
    return found


ANY = "any"
"""Stands for a record before that is not looked at."""


def digest_of(link: Link | None) -> str | None:
    """Return what the record after this one calls ``previous``."""
    return link.envelope.digest if link else None


def fields(link: Link, keys: Sequence[str], number_key: str, previous: str | None) -> dict[str, Any]:
    """Return a record's fields; raise ``ValueError`` unless they are canonical and stand in their place.

    That is, they carry the file's number and name ``previous``, which may be ANY.
    """
    value = claims.members(strict_json(link.envelope.payload), (number_key, "previous", *keys), "the record")
    if canonical_json(value) != link.envelope.payload:
        raise ValueError("its payload is not canonical JSON (RFC 8785)")
    if claims.count(value[number_key], number_key, most=MAX_NUMBER) != link.number:
        raise ValueError(f"its {number_key} is {value[number_key]}; the file's name says {link.number}")
    if value["previous"] != previous and previous != ANY:
        raise ValueError(f"its previous is not {'the SHA-256 of the record before' if previous else 'null'}")
    return value
