r"""What folders hold, by their Merkle digest (:mod:`nodespec.merkle`): a checkpoint starts from the last one's.

A row's bytes are a folder's entries in order of name, each::

    kind  "f" or "d"      digest(32)      name  0x00

Kind and digest have fixed lengths, and a name ends at its NUL, so bytes read one way only. Nothing here is believed:
:mod:`nodespec.manifest_update` hashes what it loads, so a manipulated row can only make a checkpoint slower.

>>> unpack(pack({b"a": (FILE_KIND, bytes(32)), b"b": (FOLDER_KIND, b"\n" * 32)}))[b"b"] == (FOLDER_KIND, b"\n" * 32)
True
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from nodespec.index.store import Store, UnusableError
from nodespec.merkle import FILE_KIND, FOLDER_KIND

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from nodespec.merkle import Entries

KEPT = 100
"""Turns for which a list is kept after others took its place: checkpoints of that many commits can be followed quickly.

A turn leaves a path behind, some 30 KB where folders hold 200 files."""

_KINDS = {FILE_KIND: b"f", FOLDER_KIND: b"d"}
_MEANINGS = {letter: kind for kind, letter in _KINDS.items()}
_ENTRY = re.compile(rb"([fd])(.{32})([^\x00]+)\x00", re.DOTALL)


class KnownFolders:
    """The folder lists of an index that is opened on first use (:class:`nodespec.manifest_update.Folders`)."""

    def __init__(self, path: str, notice: Callable[[str], None]) -> None:
        self._path = path
        self._notice = notice

    @cached_property
    def _store(self) -> Store:
        return Store(self._path, self._notice)

    def entries(self, digest: bytes) -> Entries | None:
        """Return what the folder with this digest is said to hold, or None."""
        with suppress(UnusableError), self._store.using() as database:
            row = database.execute("SELECT entries FROM merkle WHERE digest = ?", (digest,)).fetchone()
            return unpack(row[0]) if row else None
        return None

    def grow(self, added: Mapping[bytes, Entries], replaced: Collection[bytes]) -> None:
        """Keep some lists, which take the place of others."""
        with suppress(UnusableError), self._store.writing() as database:
            turn = _next_turn(database)
            marks = [(turn, digest) for digest in replaced]
            database.executemany("UPDATE merkle SET replaced = ? WHERE digest = ?", marks)
            _keep(database, added.items())

    def renew(self, found: Sequence[tuple[bytes, Entries]]) -> None:
        """Keep the lists of a whole tree, which take the place of all others."""
        with suppress(UnusableError), self._store.writing() as database:
            database.execute("UPDATE merkle SET replaced = ? WHERE replaced IS NULL", (_next_turn(database),))
            _keep(database, found)


def _next_turn(database: sqlite3.Connection) -> int:
    """Return the number of a new turn, after forgetting what was replaced long ago."""
    (last,) = database.execute("SELECT max(replaced) FROM merkle WHERE replaced IS NOT NULL").fetchone()
    turn = last + 1 if isinstance(last, int) and last < 1 << 62 else 1
    database.execute("DELETE FROM merkle WHERE replaced <= ?", (turn - KEPT,))
    return turn


def _keep(database: sqlite3.Connection, found: Iterable[tuple[bytes, Entries]]) -> None:
    rows = ((digest, pack(entries)) for digest, entries in found)
    database.executemany("INSERT OR REPLACE INTO merkle VALUES (?, ?, NULL)", rows)


def pack(entries: Entries) -> bytes:
    """Return a folder's entries as bytes."""
    return b"".join(_KINDS[kind] + digest + name + b"\0" for name, (kind, digest) in sorted(entries.items()))


def unpack(data: object) -> Entries | None:
    """Return the entries that were packed; None for anything else."""
    if not isinstance(data, bytes):
        return None
    entries, end = {}, 0
    for match in _ENTRY.finditer(data):
        if match.start() != end:
            return None
        entries[match[3]] = (_MEANINGS[match[1]], match[2])
        end = match.end()
    return entries if end == len(data) else None
