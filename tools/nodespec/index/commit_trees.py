"""Commits in the index: each is known by the difference of its tree to the base.

A commit's tree is named by the object id of its ``registry/nodes`` folder, so commits that change no node share one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nodespec.encoding import printable
from nodespec.errors import RegistryError
from nodespec.index.rows import BASE, Changes, move_base, write_tree
from nodespec.index.store import NOTHING, OddError, UnusableError
from nodespec.tree import ATTESTATION_SUFFIX, EXECUTABLE, NODES, REGULAR, Entry, is_node_path

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from nodespec.commit import CommitTree
    from nodespec.index.learning import Learning
    from nodespec.index.store import Store

_TOP = NODES.rstrip("/")


def of_commit(work: Learning, tree: CommitTree, present: Callable[[], CommitTree | None]) -> str:
    """Make a commit known, and the one that is checked out before it; return its name."""
    folder = _folder(tree)
    if work.is_known(folder):
        return folder
    head = present()
    top = _folder(head) if head is not None else folder
    if head is not None and top != folder and not work.is_known(top):
        of_commit(work.of(head), head, lambda: head)
    base = _base(work)
    changes = _since_base(work, tree, base, folder)
    wanted = {blob: path for path, blob in changes.items() if blob is not None}  # each is read once
    work.learn([Entry(wanted[blob], REGULAR, blob) for blob in sorted(work.missing(wanted), key=wanted.__getitem__)])
    with work.store.writing() as database:
        if _base_in(work.store, database) != base:
            raise UnusableError("another process moved the base")
        if top == folder or base == NOTHING:
            move_base(database, folder, changes)
        else:
            write_tree(database, folder, changes)
    return folder


def _base(work: Learning) -> str:
    with work.store.using() as database:
        return _base_in(work.store, database)


def _base_in(store: Store, database: sqlite3.Connection) -> str:
    row = database.execute("SELECT name FROM tree WHERE id = ?", (BASE,)).fetchone()
    if row is None:
        store.throw_away("it has no base")
        raise UnusableError("it has no base")
    return str(row[0])


def _folder(tree: CommitTree) -> str:
    folder, defects = tree.folder(_TOP)
    if defects:
        raise OddError(f"{printable(defects[0].path)}: {defects[0].what}")
    return folder


def _since_base(work: Learning, tree: CommitTree, base: str, folder: str) -> Changes:
    """Return what differs from the base.

    Where Git has no folders of the base any more (they were pruned, or are another repository's), that is every file,
    and whatever the index has there is gone; what it knows of blobs stays.
    """
    if base != NOTHING:
        with suppress(RegistryError):
            return _difference(tree, base, folder)
    with work.store.using() as database:
        there = [path for (path,) in database.execute("SELECT path FROM file WHERE base = 1")]
    gone: Changes = dict.fromkeys(there)
    return gone | _difference(tree, "", folder)


def _difference(tree: CommitTree, base: str, folder: str) -> Changes:
    pairs, defects = tree.changes(_TOP, base, folder)
    if defects:
        raise OddError(f"{printable(defects[0].path)}: {defects[0].what}")
    changes: Changes = {}
    for before, after in pairs:
        if before is not None and is_node_path(before.path):
            changes[before.path] = None
        if after is not None and not (after.path.endswith(ATTESTATION_SUFFIX) and after.mode == REGULAR):
            if after.mode not in (REGULAR, EXECUTABLE) or not is_node_path(after.path):
                raise OddError(f"{printable(after.path)} is no node's file")
            changes[after.path] = after.blob
    return changes
