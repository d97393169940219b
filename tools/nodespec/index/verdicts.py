"""Storage of sealed reports as bytes; whether they can be believed is for :mod:`nodespec.verdict_cache` to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nodespec.index.store import Store

KEPT = 16
"""Verdicts that are remembered; the oldest is forgotten."""


class Sealed(NamedTuple):
    """A verdict on the tree with these folders, by their object ids, and the tag that proves who wrote it."""

    folders: str
    body: bytes
    tag: bytes


def newest(store: Store, circumstances: str) -> Sealed | None:
    """Return the verdict that was come to last in these circumstances."""
    columns = "CAST(folders AS TEXT), CAST(body AS BLOB), CAST(tag AS BLOB)"
    query = f"SELECT {columns} FROM verdict WHERE circumstances = ? ORDER BY id DESC LIMIT 1"
    with store.using() as database:
        row = database.execute(query, (circumstances,)).fetchone()
    return Sealed(*row) if row else None


def keep(store: Store, circumstances: str, sealed: Sealed) -> None:
    """Write a verdict down."""
    with store.writing() as database:
        columns = "circumstances, folders, body, tag"
        database.execute(f"INSERT INTO verdict({columns}) VALUES (?, ?, ?, ?)", (circumstances, *sealed))
        database.execute("DELETE FROM verdict WHERE id <= (SELECT max(id) FROM verdict) - ?", (KEPT,))
