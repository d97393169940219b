"""Work trees in the index: each is known by the state of its files.

A work tree is named by its place. A folder whose files are all in the state (size, times, inode) in which they were is
not looked into, and of any other only the files whose state differs are read. A file that was changed within two
seconds of being read is read again the next time, for its times cannot tell ("racy git"). Where Git's file system
monitor is running (:mod:`nodespec.fsmonitor`), it says which folders to look at.
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from nodespec.encoding import printable
from nodespec.errors import RegistryError
from nodespec.fsmonitor import changed_since
from nodespec.index.facts import identify
from nodespec.index.file_states import RACY_NS, digest, digests, digests_since
from nodespec.index.rows import Changes, forget_some, number, prune, select_in, write_delta
from nodespec.index.store import OddError, UnusableError, many
from nodespec.tree import NODES, REGULAR, Entry, is_node_path

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nodespec.commit import CommitTree
    from nodespec.fsmonitor import Seen
    from nodespec.index.learning import Learning
    from nodespec.index.store import Store
    from nodespec.worktree import FileState, WorkTree

_LONG = 100
"""Paths that a monitor may list again each time, before it is worth writing down that they were looked at."""
_TOP = NODES.rstrip("/")


class _Known(NamedTuple):
    """What is known of a work tree before its files are looked at.

    ``version`` changes with whatever other processes write into the store. ``token`` is how far a monitor had seen when
    the files were last looked at. ``began`` is the time.
    """

    name: str
    tree_id: int
    version: int
    token: object
    began: int


def of_work_tree(work: Learning, tree: WorkTree, present: Callable[[], CommitTree | None]) -> str:
    """Make a work tree known as it is now, and before it the commit that is checked out; return its name."""
    known = _known(work, f"work tree {os.path.realpath(tree.root)}")
    if not known.tree_id:
        from nodespec.index.commit_trees import of_commit  # late: this is the first time

        with suppress(UnusableError, RegistryError):
            head = present()
            if head is not None:
                of_commit(work.of(head), head, lambda: head)
        known = _known(work, known.name)
    seen = changed_since(tree.root, known.token)  # before any file is looked at, which may change again
    with work.store.using() as database:
        query = "SELECT path, state FROM folder WHERE tree = ?"
        settled = dict(database.execute(query, (known.tree_id,)).fetchall())
    try:
        fresh, gone = _looked_at(tree, settled, seen)
        stale = {path: tree.state(path) for path, state in fresh.items() if settled.get(path) != state}
    except OSError as error:
        raise UnusableError(f"a folder cannot be read: {error}") from error
    if not known.tree_id or stale or gone:
        _renew(work, known, seen, stale, gone)
    elif seen is not None and seen.token != known.token and (seen.paths is None or len(seen.paths) > _LONG):
        work.store.write_at_once(lambda database: _write_seen(database, known.tree_id, known, seen))
    return known.name


def _known(work: Learning, name: str) -> _Known:
    began = time.time_ns()
    with work.store.using() as database:
        version = _version(database)  # before anything is read: what is written from here on will be noticed
        row = database.execute("SELECT id, seen FROM tree WHERE name = ?", (name,)).fetchone()
    tree_id, token = row or (0, None)
    return _Known(name, tree_id, version, token, began)


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA data_version").fetchone()
    return int(version)


def _looked_at(
    tree: WorkTree, settled: Mapping[str, bytes | None], seen: Seen | None
) -> tuple[dict[str, bytes], list[str]]:
    """Return the digests of the folders that were looked at, and the known folders that are gone.

    A monitor spares looking at most; where it does not serve, all are looked at.
    """
    if seen is not None and settled:
        with suppress(OSError):
            found = digests_since(tree, _TOP, seen, settled)
            if found is not None:
                return found
    fresh = digests(tree, _TOP, expected=len(settled))
    return fresh, [path for path in settled if path not in fresh]


def _write_seen(database: sqlite3.Connection, tree_id: int, known: _Known, seen: Seen | None) -> None:
    """Write down how far the monitor had seen when the files were looked at.

    Where another process has written meanwhile, nobody knows when the files were looked at that it wrote of.
    """
    token = seen.token if seen is not None and _version(database) == known.version else None
    database.execute("UPDATE tree SET seen = ? WHERE id = ?", (token, tree_id))


def _remembered(
    store: Store, database: sqlite3.Connection, tree_id: int, folders: Sequence[str]
) -> dict[str, dict[str, tuple[FileState, str]]]:
    """Return what is remembered of these folders' files: the state of each, and its blob."""
    found = {}
    for some in many(folders):
        query = f"SELECT path, files FROM folder WHERE tree = {tree_id} AND path IN"
        for path, packed in select_in(database, query, some):
            found[path] = _unpacked(store, packed)
    return found


def _unpacked(store: Store, packed: bytes) -> dict[str, tuple[FileState, str]]:
    """Return what is remembered of a folder's files; a store that holds anything else is damaged."""
    try:
        return {str(name): (tuple(state), str(blob)) for name, (state, blob) in json.loads(packed).items()}
    except (ValueError, TypeError, AttributeError) as error:
        store.throw_away(str(error))
        raise UnusableError(f"a folder cannot be read: {error}") from error


def _renew(
    work: Learning, known: _Known, seen: Seen | None, stale: Mapping[str, tuple[FileState, ...]], gone: list[str]
) -> None:
    """Look into the folders that are not as they were, and write down what the work tree holds now."""
    name, tree_id, began = known.name, known.tree_id, known.began
    with work.store.using() as database:
        before = _remembered(work.store, database, tree_id, [*stale, *gone])
    unknown: list[Entry] = []
    now: dict[str, dict[str, tuple[FileState, str]]] = {path: {} for path in stale}
    for folder, files in stale.items():
        for state in files:
            path = f"{folder}/{state[0]}"
            if not stat.S_ISREG(state[1]) or not is_node_path(path):
                raise OddError(f"{printable(path)} is no node's file")
            earlier = before.get(folder, {}).get(state[0])
            if earlier is not None and earlier[0] == state:
                now[folder][state[0]] = earlier
            else:
                unknown.append(Entry(path, REGULAR))
    states = {f"{folder}/{state[0]}": state for folder, files in stale.items() for state in files}
    for path, blob in _identify(work, unknown).items():
        folder, _, file = path.rpartition("/")
        now[folder][file] = (states[path], blob)
    with work.store.writing() as database:
        if number(database, name) != tree_id:
            raise UnusableError("another process was here")
        changes = _blobs(_remembered(work.store, database, tree_id, [*stale, *gone]), gone=True)
        if not tree_id:
            forget_some(database)
            tree_id = int(database.execute("INSERT INTO tree(name) VALUES (?)", (name,)).lastrowid or 0)
            changes = dict.fromkeys(
                (path for (path,) in database.execute("SELECT path FROM file WHERE base = 1")), None
            )
        write_delta(database, tree_id, changes | _blobs(now))
        database.executemany("DELETE FROM folder WHERE tree = ? AND path = ?", ((tree_id, path) for path in gone))
        database.executemany(
            "INSERT OR REPLACE INTO folder(tree, path, state, files) VALUES (?, ?, ?, ?)",
            (
                (tree_id, folder, _settled(stale[folder], began), json.dumps(_steady(files, began)).encode())
                for folder, files in now.items()
            ),
        )
        _write_seen(database, tree_id, known, seen)
        prune(database)


def _blobs(folders: Mapping[str, Mapping[str, tuple[FileState, str]]], *, gone: bool = False) -> Changes:
    return {
        f"{folder}/{name}": None if gone else blob
        for folder, files in folders.items()
        for name, (_, blob) in files.items()
    }


def _identify(work: Learning, entries: list[Entry]) -> dict[str, str]:
    """Return the blob of each file by path; what is not known yet is read, and written down."""
    try:
        blobs = {entry.path: identify(work.tree, entry) for entry in entries}
    except OSError as error:
        raise UnusableError(f"a file cannot be read: {error}") from error
    paths = {blob: path for path, blob in blobs.items()}
    wanted = [Entry(path, REGULAR) for path in sorted(paths[blob] for blob in work.missing(paths))]
    for entry, fact in zip(wanted, work.learn(wanted), strict=True):
        if fact.blob != blobs[entry.path]:
            raise UnusableError(f"{entry.path} changed while it was read")
    return blobs


def _is_racy(state: FileState, began: int) -> bool:
    return max(state[3], state[4]) >= began - RACY_NS


def _settled(files: Iterable[FileState], began: int) -> bytes | None:
    """Return the digest by which a folder is known to be as it was; None while a file in it is too young to tell."""
    return None if any(_is_racy(state, began) for state in files) else digest(files)


def _steady(files: Mapping[str, tuple[FileState, str]], began: int) -> dict[str, tuple[Any, str]]:
    """Return what is remembered of files; of those too young to tell, a state that none has."""
    return {name: ((), blob) if _is_racy(state, began) else (state, blob) for name, (state, blob) in files.items()}
