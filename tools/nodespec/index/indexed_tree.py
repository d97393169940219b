"""One tree in the index: which fact is at which path, by the difference to what is known already.

One tree is the **base**: the newest that was asked about as the present. Of every other tree, the index holds what
differs from the base, path by path. So a commit a thousand back costs its difference once, and nothing the second time;
and a new commit moves the base by its own changes, however large the registry is.

- A commit's tree is named by the object id of its ``registry/nodes`` folder, so commits that change no node share one.
- A work tree is named by its place. Its files are known by their state (size, times, inode): a folder whose
  states are all as they were is not looked into, and of any other only the files whose state differs are read. A file
  that was changed within two seconds of being read is read again the next time, for its times cannot tell ("racy git").
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nodespec.encoding import printable
from nodespec.errors import RegistryError
from nodespec.index import queries
from nodespec.index.facts import Fact, identify, learn_all, pack
from nodespec.index.file_states import digest, digests
from nodespec.index.rows import (
    BASE,
    Changes,
    forget_some,
    move_base,
    number,
    prune,
    select_in,
    write_delta,
    write_facts,
    write_tree,
)
from nodespec.index.store import NOTHING, OddError, UnusableError, many
from nodespec.question import Question
from nodespec.tree import ATTESTATION_SUFFIX, EXECUTABLE, NODES, REGULAR, Entry, is_node_path
from nodespec.worktree import WorkTree

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nodespec.commit import CommitTree
    from nodespec.index.store import Store
    from nodespec.reading import Unreadable
    from nodespec.spec import NodeSpec
    from nodespec.tree import Progress, Tree
    from nodespec.worktree import FileState

BATCH = 20_000
"""Files that are read before what they say is written down: what an interrupted first run keeps."""
PARALLEL_FROM = 2_000
"""Files from which a second process is worth its start."""
RACY_NS = 2_000_000_000
"""The coarsest time stamps of a file system in use (FAT: 2 s)."""

_TOP = NODES.rstrip("/")


class IndexedTree:
    """A tree that a store knows by this name. Its number may change at any time, so every answer looks it up."""

    def __init__(self, store: Store, name: str, tree: CommitTree | WorkTree) -> None:
        self.store = store
        self.name = name
        self.tree = tree

    def nodes(self, question: Question | None = None) -> Iterator[NodeSpec]:
        """Yield the nodes that pass a question, by default all, in order of path."""
        return queries.nodes(self.store, self.name, question or Question())

    def touching(self, signals: Sequence[str]) -> Iterator[NodeSpec]:
        """Yield the nodes that send or receive one of these signals, in order of path."""
        return queries.touching(self.store, self.name, signals)

    def at_paths(self, paths: Sequence[str]) -> Iterator[NodeSpec]:
        """Yield the nodes whose files are at these paths, in order of path."""
        return queries.at_paths(self.store, self.name, paths)

    def unreadable(self) -> list[Unreadable]:
        """Return the files that are no nodes, in order of path."""
        return queries.unreadable(self.store, self.name)

    def document(self, path: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the value of another document of the tree, which is ``read`` once ever."""
        entry = self.tree.entry(path)
        try:
            blob = (entry.blob or identify(self.tree, entry)) if entry else ""
        except OSError:
            blob = ""
        if not blob:
            return read()  # it will say what is wrong
        with self.store.using() as database:
            known = database.execute("SELECT value FROM document WHERE blob = ?", (blob,)).fetchone()
        if known is not None:
            return queries.unpacked(self.store, known[0])
        value = read()
        if not entry or (not entry.blob and identify(self.tree, entry) != blob):
            return value  # it changed meanwhile
        with self.store.writing() as database:
            database.execute("INSERT OR IGNORE INTO document VALUES (?, ?)", (blob, pack(value)))
        return value

    def signals(self) -> list[str]:
        """Return every signal that a node sends or receives, in order."""
        return queries.signals(self.store, self.name)

    def groups(self) -> dict[tuple[Any, ...], int]:
        """Return how many nodes have each (lane, tier, owner, type)."""
        return queries.groups(self.store, self.name)

    def one_sided(self) -> tuple[list[str], list[str]]:
        """Return the signals that nobody emits, and those that nobody subscribes to."""
        return queries.one_sided(self.store, self.name)

    def apart(self, other: IndexedTree) -> list[str] | None:
        """Return every path at which the two may differ; None when they are not of one index."""
        return queries.apart(self.store, self.name, other.name) if self.store is other.store else None


def indexed(
    store: Store,
    tree: CommitTree | WorkTree,
    *,
    present: Callable[[], CommitTree | None],
    jobs: int | None = None,
    progress: Progress | None = None,
) -> IndexedTree:
    """Make a tree known; raise :class:`UnusableError` when it is odd, or the store fails.

    ``present`` says which commit is checked out. It is asked for once, before a work tree is looked into for the first
    time, or when a commit is not known yet: the base moves there.
    """
    work = _Work(store, tree, jobs, progress)
    try:
        if isinstance(tree, WorkTree):
            return IndexedTree(store, _of_work_tree(work, tree, present), tree)
        name = _of_commit(work, tree, present)
    except RegistryError as error:  # an object is missing
        raise OddError(str(error)) from error
    return IndexedTree(store, name, tree)


class _Work:
    """What is being learned of a tree."""

    def __init__(self, store: Store, tree: Tree, jobs: int | None, progress: Progress | None) -> None:
        self.store = store
        self.tree = tree
        self.jobs = jobs
        self.progress = progress

    def learn(self, entries: list[Entry]) -> list[Fact]:
        """Read files that nothing is known of, and write down what they say."""
        from nodespec.workers import check_jobs

        jobs = check_jobs(0 if len(entries) >= PARALLEL_FROM else 1) if self.jobs is None else self.jobs
        facts: list[Fact] = []
        for batch in many(entries, BATCH):
            try:
                found = learn_all(self.tree, batch, jobs, self._progress(len(facts), len(entries)))
            except OSError as error:
                raise UnusableError(f"a file cannot be read: {error}") from error
            with self.store.writing() as database:
                write_facts(database, found)
            facts += found
        return facts

    def _progress(self, before: int, total: int) -> Progress | None:
        progress = self.progress
        return None if progress is None else lambda done, _: progress(before + done, total)


# Commits.


def _of_commit(work: _Work, tree: CommitTree, present: Callable[[], CommitTree | None]) -> str:
    """Make a commit known, and the one that is checked out before it; return its name."""
    folder = _folder(tree)
    if _is_known(work, folder):
        return folder
    head = present()
    top = _folder(head) if head is not None else folder
    if head is not None and top != folder and not _is_known(work, top):
        _of_commit(_Work(work.store, head, work.jobs, work.progress), head, lambda: head)
    base = _base(work)
    changes = _since_base(work, tree, base, folder)
    _learn_missing(work, changes)
    with work.store.writing() as database:
        if _base_in(work.store, database) != base:
            raise UnusableError("another process moved the base")
        if top == folder or base == NOTHING:
            move_base(database, folder, changes)
        else:
            write_tree(database, folder, changes)
    return folder


def _base(work: _Work) -> str:
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


def _is_known(work: _Work, tree: str) -> bool:
    with work.store.using() as database:
        return database.execute("SELECT 1 FROM tree WHERE name = ?", (tree,)).fetchone() is not None


def _since_base(work: _Work, tree: CommitTree, base: str, folder: str) -> Changes:
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


def _learn_missing(work: _Work, changes: Changes) -> None:
    """Read every blob that is not known yet, each once."""
    wanted = {blob: path for path, blob in changes.items() if blob is not None}
    with work.store.using() as database:
        for some in many(list(wanted)):
            for (blob,) in select_in(database, "SELECT blob FROM fact WHERE blob IN", some):
                del wanted[blob]
    if wanted:
        work.learn([Entry(path, REGULAR, blob) for blob, path in wanted.items()])


# Work trees.


def _of_work_tree(work: _Work, tree: WorkTree, present: Callable[[], CommitTree | None]) -> str:
    """Make a work tree known as it is now, and before it the commit that is checked out; return its name."""
    began = time.time_ns()
    name = f"work tree {os.path.realpath(tree.root)}"
    if not _is_known(work, name):
        with suppress(UnusableError, RegistryError):
            head = present()
            if head is not None:
                _of_commit(_Work(work.store, head, work.jobs, work.progress), head, lambda: head)
    with work.store.using() as database:
        tree_id = number(database, name)
        settled = dict(database.execute("SELECT path, state FROM folder WHERE tree = ?", (tree_id,)).fetchall())
    try:
        fresh = digests(tree, _TOP, expected=len(settled))
        stale = [path for path, state in fresh.items() if settled.get(path) != state]
        gone = [path for path in settled if path not in fresh]
        if not tree_id or stale or gone:
            _renew(work, name, tree_id, {path: tree.state(path) for path in stale}, gone, began)
    except OSError as error:
        raise UnusableError(f"a folder cannot be read: {error}") from error
    return name


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
    work: _Work, name: str, tree_id: int, stale: Mapping[str, tuple[FileState, ...]], gone: list[str], began: int
) -> None:
    """Look into the folders that are not as they were, and write down what the work tree holds now."""
    with work.store.using() as database:
        before = _remembered(work.store, database, tree_id, [*stale, *gone])
    unknown: list[Entry] = []
    now: dict[str, dict[str, tuple[FileState, str]]] = {path: {} for path in stale}
    for folder, files in stale.items():
        for state in files:
            path = f"{folder}/{state[0]}"
            if not stat.S_ISREG(state[1]) or not is_node_path(path):
                raise OddError(f"{printable(path)} is no node's file")
            known = before.get(folder, {}).get(state[0])
            if known is not None and known[0] == state:
                now[folder][state[0]] = known
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
            "INSERT OR REPLACE INTO folder VALUES (?, ?, ?, ?)",
            (
                (tree_id, folder, _settled(stale[folder], began), json.dumps(_steady(files, began)).encode())
                for folder, files in now.items()
            ),
        )
        prune(database)


def _blobs(folders: Mapping[str, Mapping[str, tuple[FileState, str]]], *, gone: bool = False) -> Changes:
    return {
        f"{folder}/{name}": None if gone else blob
        for folder, files in folders.items()
        for name, (_, blob) in files.items()
    }


def _identify(work: _Work, entries: list[Entry]) -> dict[str, str]:
    """Return the blob of each file by path; what is not known yet is read, and written down."""
    try:
        blobs = {entry.path: identify(work.tree, entry) for entry in entries}
    except OSError as error:
        raise UnusableError(f"a file cannot be read: {error}") from error
    missing = {blob: path for path, blob in blobs.items()}
    with work.store.using() as database:
        for some in many(list(missing)):
            for (blob,) in select_in(database, "SELECT blob FROM fact WHERE blob IN", some):
                del missing[blob]
    wanted = [Entry(path, REGULAR) for path in missing.values()]
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
