"""Where a tree stands: which fact is at which path, by the difference to what is known already.

One tree is the **base**: the newest that was asked about as the present. Every other tree is a **stand**: what differs
from the base, path by path. So a commit a thousand back costs its difference once, and nothing the second time; and a
new commit moves the base by its own changes, however large the registry is.

- A commit's stand is named by the object id of its ``registry/nodes`` folder, so commits that change no node share one.
- A work tree's stand is named by its place. Its files are known by their state (size, times, inode): a folder whose
  states are all as they were is not looked into, and of any other only the files whose state differs are read. A file
  that was changed within two seconds of being read is read again the next time, for its times cannot tell ("racy git").
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodespec.index import answer
from nodespec.index.commits import KnownCommit
from nodespec.index.facts import Fact, identify, learn_all, pack
from nodespec.index.states import digest, digests
from nodespec.index.store import UnusableError, many
from nodespec.question import Question
from nodespec.tree import ATTESTATION_SUFFIX, EXECUTABLE, NODES, REGULAR, SETTINGS_PATH, Entry, is_node_path
from nodespec.worktree import WorkTree

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nodespec.git import CommitTree
    from nodespec.index.store import Store
    from nodespec.reading import Unreadable
    from nodespec.spec import NodeSpec
    from nodespec.tree import Progress, Tree
    from nodespec.worktree import FileState

BASE = 1
MAX_STANDS = 32
"""Trees that are remembered; the oldest is forgotten."""
_COLUMNS = len(Fact._fields) - 3
"""The parts of a fact that are its row; the others are rows of their own."""
BATCH = 20_000
"""Files that are read before what they say is written down: what an interrupted first run keeps."""
PARALLEL_FROM = 2_000
"""Files from which a second process is worth its start."""
RACY_NS = 2_000_000_000
"""The coarsest time stamps of a file system in use (FAT: 2 s)."""

_TOP = NODES.rstrip("/")
Changes = dict[str, str | None]
"""Path to blob; None where nothing is."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A tree that is known to a store."""

    store: Store
    id: int
    tree: CommitTree | KnownCommit | WorkTree

    def nodes(self, question: Question | None = None) -> Iterator[NodeSpec]:
        """Yield the nodes that pass a question, by default all, in order of path."""
        return answer.nodes(self.store, self.id, question or Question())

    def touching(self, signals: Sequence[str]) -> Iterator[NodeSpec]:
        """Yield the nodes that send or receive one of these signals, in order of path."""
        return answer.touching(self.store, self.id, signals)

    def unreadable(self) -> list[Unreadable]:
        """Return the files that are no nodes, in order of path."""
        return answer.unreadable(self.store, self.id)

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
            return answer.unpacked(self.store, known[0])
        value = read()
        with self.store.writing() as database:
            database.execute("INSERT OR IGNORE INTO document VALUES (?, ?)", (blob, pack(value)))
        return value

    def signals(self) -> list[str]:
        """Return every signal that a node sends or receives, in order."""
        return answer.signals(self.store, self.id)

    def counts(self, by: str) -> dict[Any, int]:
        """Return how many nodes have each lane, tier, owner or type."""
        return answer.counts(self.store, self.id, by)

    def one_sided(self) -> tuple[list[str], list[str]]:
        """Return the signals that nobody emits, and those that nobody subscribes to."""
        return answer.one_sided(self.store, self.id)

    def apart(self, other: Stand) -> list[str] | None:
        """Return every path at which the two may differ; None when they are not of one index."""
        return answer.apart(self.store, self.id, other.id) if self.store is other.store else None


def stand_at(
    store: Store,
    tree: CommitTree | KnownCommit | WorkTree,
    *,
    present: Callable[[], CommitTree | None],
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Stand:
    """Make a tree known; raise :class:`UnusableError` when it is odd, or the store fails.

    ``present`` says which commit is checked out. It is asked for once, before a work tree is looked into for the first
    time, or when a commit is not known yet: the base moves there.
    """
    if isinstance(tree, WorkTree):
        return Stand(store, _of_work_tree(_Work(store, tree, jobs, progress), tree, present), tree)
    stand = _of_commit(_Work(store, tree, jobs, progress), tree, present)
    if not isinstance(tree, KnownCommit):
        _remember(store, tree)
    return Stand(store, stand, tree)


@dataclass(frozen=True, slots=True)
class _Work:
    store: Store
    tree: Tree
    jobs: int | None
    progress: Progress | None

    def learn(self, entries: list[Entry]) -> list[Fact]:
        """Read files that nothing is known of, and write down what they say."""
        from nodespec.crew import check_jobs

        jobs = check_jobs(0 if len(entries) >= PARALLEL_FROM else 1) if self.jobs is None else self.jobs
        facts: list[Fact] = []
        for batch in many(entries, BATCH):
            try:
                found = learn_all(self.tree, batch, jobs, self._progress(len(facts), len(entries)))
            except OSError as error:
                raise UnusableError(f"a file cannot be read: {error}") from error
            with self.store.writing() as database:
                _write_facts(database, found)
            facts += found
        return facts

    def _progress(self, before: int, total: int) -> Progress | None:
        progress = self.progress
        return None if progress is None else lambda done, _: progress(before + done, total)


# Commits.


def _of_commit(work: _Work, tree: CommitTree | KnownCommit, present: Callable[[], CommitTree | None]) -> int:
    folder = _folder(tree)
    known = _known(work, folder)
    if known is not None:
        return known
    head = present()
    current = head is not None and _folder(head) == folder
    if head is not None and not current and _known(work, _folder(head)) != BASE:
        _of_commit(_Work(work.store, head, work.jobs, work.progress), head, present)
    with work.store.using() as database:
        (base,) = database.execute("SELECT tree FROM stand WHERE id = ?", (BASE,)).fetchone()
    changes = _difference(tree, base, folder)
    _learn_missing(work, changes)
    with work.store.writing() as database:
        row = database.execute("SELECT tree FROM stand WHERE id = ?", (BASE,)).fetchone()
        if row != (base,):
            raise UnusableError("another process moved the base")
        if current or not base:
            _move_base(database, folder, changes)
            return BASE
        return _write_stand(database, folder, changes)


def _remember(store: Store, tree: CommitTree) -> None:
    settings = tree.entry(SETTINGS_PATH)
    if settings is not None and settings.mode == REGULAR:
        with store.writing() as database:
            seen = (tree.commit.id, _folder(tree), settings.blob)
            database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", seen)


def _folder(tree: CommitTree | KnownCommit) -> str:
    folder, defects = tree.folder(_TOP)
    if defects:
        raise UnusableError(defects[0].what)
    return folder


def _known(work: _Work, tree: str) -> int | None:
    with work.store.using() as database:
        row = database.execute("SELECT id FROM stand WHERE tree = ?", (tree,)).fetchone()
    return int(row[0]) if row else None


def _difference(tree: CommitTree | KnownCommit, base: str, folder: str) -> Changes:
    from nodespec.errors import RegistryError

    try:
        pairs, defects = tree.changes(_TOP, base, folder)
    except RegistryError as error:  # the base's objects were pruned
        raise UnusableError(str(error)) from error
    if defects:
        raise UnusableError(defects[0].what)
    changes: Changes = {}
    for before, after in pairs:
        if before is not None and is_node_path(before.path):
            changes[before.path] = None
        if after is not None and not after.path.endswith(ATTESTATION_SUFFIX):
            if after.mode not in (REGULAR, EXECUTABLE) or not is_node_path(after.path):
                raise UnusableError(f"{after.path} is no node's file")
            changes[after.path] = after.blob
    return changes


def _learn_missing(work: _Work, changes: Changes) -> None:
    """Read every blob that is not known yet, each once."""
    wanted = {blob: path for path, blob in changes.items() if blob is not None}
    with work.store.using() as database:
        for some in many(list(wanted)):
            for (blob,) in _select_in(database, "SELECT blob FROM fact WHERE blob IN", some):
                del wanted[blob]
    if wanted:
        work.learn([Entry(path, REGULAR, blob) for blob, path in wanted.items()])


# Work trees.


def _of_work_tree(work: _Work, tree: WorkTree, present: Callable[[], CommitTree | None]) -> int:
    began = time.time_ns()
    name = f"work tree {os.path.realpath(tree.root)}"
    stand = _known(work, name) or 0
    if not stand and (head := present()) is not None:
        with suppress(UnusableError):
            _of_commit(_Work(work.store, head, work.jobs, work.progress), head, present)
    with work.store.using() as database:
        settled = dict(database.execute("SELECT path, state FROM folder WHERE stand = ?", (stand,)).fetchall())
    try:
        fresh = digests(tree, _TOP, expected=len(settled))
        stale = [path for path, state in fresh.items() if settled.get(path) != state]
        gone = [path for path in settled if path not in fresh]
        if stand and not stale and not gone:
            return stand
        files = {path: tree.state(path) for path in stale}
    except OSError as error:
        raise UnusableError(f"a folder cannot be read: {error}") from error
    return _renew(work, name, stand, files, gone, began)


def _unpacked(store: Store, packed: bytes) -> dict[str, tuple[FileState, str]]:
    """Return what is remembered of a folder's files; a store that holds anything else is damaged."""
    try:
        return {str(name): (tuple(state), str(blob)) for name, (state, blob) in json.loads(packed).items()}
    except (ValueError, TypeError, AttributeError) as error:
        store.throw_away(str(error))
        raise UnusableError(f"a folder cannot be read: {error}") from error


def _renew(
    work: _Work, name: str, stand: int, stale: Mapping[str, tuple[FileState, ...]], gone: list[str], began: int
) -> int:
    """Look into the folders that are not as they were, and write down where the work tree stands now."""
    before: dict[str, dict[str, tuple[FileState, str]]] = {}
    with work.store.using() as database:
        for some in many([*stale, *gone]):
            query = f"SELECT path, files FROM folder WHERE stand = {stand} AND path IN"
            for path, packed in _select_in(database, query, some):
                before[path] = _unpacked(work.store, packed)
    unknown: list[Entry] = []
    now: dict[str, dict[str, tuple[FileState, str]]] = {path: {} for path in stale}
    for folder, files in stale.items():
        for state in files:
            path = f"{folder}/{state[0]}"
            if not stat.S_ISREG(state[1]) or not is_node_path(path):
                raise UnusableError(f"{path} is no node's file")
            known = before.get(folder, {}).get(state[0])
            if known is not None and tuple(known[0]) == state:
                now[folder][state[0]] = known
            else:
                unknown.append(Entry(path, REGULAR))
    states = {f"{folder}/{state[0]}": state for folder, files in stale.items() for state in files}
    for path, blob in _identify(work, unknown).items():
        folder, _, file = path.rpartition("/")
        now[folder][file] = (states[path], blob)
    changes: Changes = {f"{folder}/{file}": None for folder, files in before.items() for file in files}
    changes |= {f"{folder}/{file}": blob for folder, files in now.items() for file, (_, blob) in files.items()}
    with work.store.writing() as database:
        if not stand:
            _forget_some(database)
            database.execute("INSERT OR IGNORE INTO stand(tree) VALUES (?)", (name,))
            (stand,) = database.execute("SELECT id FROM stand WHERE tree = ?", (name,)).fetchone()
            present = database.execute("SELECT path FROM file WHERE base = 1")
            changes = {**dict.fromkeys((path for (path,) in present), None), **changes}
        _write_delta(database, stand, changes)
        database.executemany("DELETE FROM folder WHERE stand = ? AND path = ?", ((stand, path) for path in gone))
        database.executemany(
            "INSERT OR REPLACE INTO folder VALUES (?, ?, ?, ?)",
            (
                (stand, folder, _settled(stale[folder], began), json.dumps(_steady(files, began)).encode())
                for folder, files in now.items()
            ),
        )
    return stand


def _identify(work: _Work, entries: list[Entry]) -> dict[str, str]:
    """Return the blob of each file by path; what is not known yet is read, and written down."""
    try:
        blobs = {entry.path: identify(work.tree, entry) for entry in entries}
    except OSError as error:
        raise UnusableError(f"a file cannot be read: {error}") from error
    missing = {blob: path for path, blob in blobs.items()}
    with work.store.using() as database:
        for some in many(list(missing)):
            for (blob,) in _select_in(database, "SELECT blob FROM fact WHERE blob IN", some):
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


# Rows: every change is a table of its own for a moment, and each step one statement, however many paths it is about.


def _select_in(database: sqlite3.Connection, query: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
    listed = list(values)
    return database.execute(f"{query} ({','.join('?' * len(listed))})", listed).fetchall()


def _write_facts(database: sqlite3.Connection, facts: Iterable[Fact]) -> None:
    """Write facts down that nobody has written down yet; a fact's number is the next one."""
    new = {fact.blob: fact for fact in facts}
    for some in many(list(new)):
        for (blob,) in _select_in(database, "SELECT blob FROM fact WHERE blob IN", some):
            del new[blob]
    (last,) = database.execute("SELECT coalesce(max(id), 0) FROM fact").fetchone()
    numbered = list(enumerate(new.values(), last + 1))
    database.executemany(
        "INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((number, *fact[:_COLUMNS]) for number, fact in numbered),
    )
    signals = ((name, emitted, number) for number, fact in numbered for name, emitted in fact.signals)
    database.executemany("INSERT INTO signal VALUES (?, ?, ?)", signals)
    roles = ((name, number) for number, fact in numbered for name in fact.roles)
    database.executemany("INSERT INTO role VALUES (?, ?)", roles)
    permits = ((head, verb, number) for number, fact in numbered for verb, head in fact.grants)
    database.executemany("INSERT INTO permit VALUES (?, ?, ?)", permits)


def _enter(database: sqlite3.Connection, changes: Changes) -> None:
    """Fill the table ``change``: what is at each path now (``file``) and at the base (``was``); null is nothing."""
    database.execute(
        "CREATE TEMP TABLE IF NOT EXISTS change(path TEXT PRIMARY KEY, blob TEXT, file INTEGER, was INTEGER)"
    )
    database.execute("DELETE FROM change")
    database.executemany("INSERT INTO change(path, blob) VALUES (?, ?)", changes.items())
    database.execute(
        "INSERT OR IGNORE INTO file(fact, path, placed, base) "
        "SELECT fact.id, path, value IS NULL OR ? || replace(node_type, '.', '/') || '/' || name || '.yaml' = path, 0 "
        "FROM change JOIN fact USING (blob)",
        (NODES,),
    )
    database.execute(
        "UPDATE change SET was = (SELECT id FROM file WHERE file.path = change.path AND base = 1), file = "
        "(SELECT file.id FROM fact JOIN file ON file.fact = fact.id AND file.path = change.path "
        "WHERE fact.blob = change.blob)"
    )
    if database.execute("SELECT 1 FROM change WHERE blob IS NOT NULL AND file IS NULL").fetchone():
        raise UnusableError("a blob is not known any more")


def _write_delta(database: sqlite3.Connection, stand: int, changes: Changes) -> None:
    """Write where a stand differs from the base at these paths."""
    _enter(database, changes)
    database.execute("DELETE FROM delta WHERE stand = ? AND path IN (SELECT path FROM change)", (stand,))
    database.execute("INSERT INTO delta SELECT ?, path, file FROM change WHERE was IS NOT file", (stand,))


def _write_stand(database: sqlite3.Connection, tree: str, changes: Changes) -> int:
    _forget_some(database)
    stand = int(database.execute("INSERT INTO stand(tree) VALUES (?)", (tree,)).lastrowid or 0)
    _write_delta(database, stand, changes)
    return stand


def _move_base(database: sqlite3.Connection, tree: str, changes: Changes) -> None:
    """Let the base be where these paths have these blobs; every other stand keeps its meaning."""
    _enter(database, changes)
    database.execute("DELETE FROM change WHERE was IS file")
    _forget(database, "SELECT id FROM stand WHERE tree = ? AND id <> ?", tree, BASE)
    database.execute(
        "INSERT OR IGNORE INTO delta SELECT stand.id, path, was FROM stand, change WHERE stand.id <> ?", (BASE,)
    )
    database.execute(
        "DELETE FROM delta WHERE stand IN (SELECT id FROM stand) AND path IN (SELECT path FROM change) "
        "AND file IS (SELECT file FROM change WHERE change.path = delta.path)"
    )
    database.execute("UPDATE file SET base = 0 WHERE id IN (SELECT was FROM change)")
    database.execute("UPDATE file SET base = 1 WHERE id IN (SELECT file FROM change)")
    database.execute("UPDATE stand SET tree = ? WHERE id = ?", (tree, BASE))


def _forget_some(database: sqlite3.Connection) -> None:
    """Make room for one more stand: the oldest goes."""
    _forget(database, "SELECT id FROM stand WHERE id <> ? ORDER BY id DESC LIMIT -1 OFFSET ?", BASE, MAX_STANDS - 1)


def _forget(database: sqlite3.Connection, chosen: str, *values: Any) -> None:
    for table, column in (("delta", "stand"), ("folder", "stand"), ("stand", "id")):
        database.execute(f"DELETE FROM {table} WHERE {column} IN ({chosen})", values)
