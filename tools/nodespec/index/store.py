"""The index's file: one SQLite database, made by us, for this rule set, or made anew.

========  =============================================================================================================
table     a row is
========  =============================================================================================================
meta      a name and a value: the rule set, and up to which fact was last looked for dead ones
fact      a blob: the packed value and what is asked about it, or the line and the reason why it is no node
signal    a signal that a fact emits or subscribes to; likewise ``role`` and ``permit`` (what is allowed)
file      a fact at a path; ``base`` says whether it stands at the base, ``placed`` whether the path is its id's
document  the value of a file that is no node: registry.yaml
tree      a tree that was asked about; tree 1 is the base. Of a work tree, ``seen`` is how far its monitor had seen
delta     where a tree differs from the base: at ``path`` it has ``file`` (null: nothing)
folder    of a work tree: a folder's files as they were, and what each of them was
verdict   what was found when a commit was judged, with a tag by which its writer knows it again
merkle    a folder's entries by its Merkle digest, and in which turn others took its place (null: it stands)
========  =============================================================================================================

``folder_state`` holds all that a question needs of a folder that has not changed, so that its files are not read.

Writers are atomic and readers never wait for them (write-ahead log). A writer that is killed leaves what it had
committed; facts are true by themselves, and a tree is written whole.

A file that is not ours, or of another rule set, is made anew; where the user named it, a file that is not ours is
refused instead. A file that turns out to be damaged is thrown away, with a notice. Where nothing can be written, the
index is in memory.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nodespec.encoding import printable
from nodespec.errors import UsageError
from nodespec.index.facts import rule_set
from nodespec.tree import ROOTS
from nodespec.worktree import git_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

APPLICATION_ID = 0x6E64_7370
"""``ndsp``, at offset 68 of the file (SQLite file format, section 1.3)."""
PATIENCE = 10.0
"""Seconds to wait for another writer, who writes a batch and lets go; after that, reading the files is quicker."""
MEMORY = ":memory:"
NOTHING = "nothing yet"
"""The name of the base before the first tree; a commit without a folder of nodes is called by an empty text."""

_TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact(
    id INTEGER PRIMARY KEY, blob TEXT NOT NULL UNIQUE, value BLOB, line INTEGER NOT NULL, reason TEXT NOT NULL,
    node_type TEXT NOT NULL, name TEXT NOT NULL, lane TEXT NOT NULL, tier INTEGER NOT NULL, owner TEXT NOT NULL,
    words TEXT NOT NULL);
CREATE INDEX fact_owner ON fact(owner);
CREATE INDEX fact_type ON fact(node_type);
CREATE INDEX fact_none ON fact(id) WHERE value IS NULL;
CREATE TABLE signal(name TEXT NOT NULL, emitted INTEGER NOT NULL, fact INTEGER NOT NULL,
    PRIMARY KEY(name, emitted, fact)) WITHOUT ROWID;
CREATE TABLE role(name TEXT NOT NULL, fact INTEGER NOT NULL, PRIMARY KEY(name, fact)) WITHOUT ROWID;
CREATE TABLE permit(head TEXT NOT NULL, verb TEXT NOT NULL, fact INTEGER NOT NULL,
    PRIMARY KEY(head, verb, fact)) WITHOUT ROWID;
CREATE TABLE file(id INTEGER PRIMARY KEY, fact INTEGER NOT NULL, path TEXT NOT NULL, placed INTEGER NOT NULL,
    base INTEGER NOT NULL, UNIQUE(fact, path));
CREATE INDEX file_path ON file(path);
CREATE INDEX file_astray ON file(id) WHERE placed = 0;
CREATE TABLE document(blob TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE tree(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seen TEXT);
CREATE TABLE delta(tree INTEGER NOT NULL, path TEXT NOT NULL, file INTEGER, PRIMARY KEY(tree, path)) WITHOUT ROWID;
CREATE TABLE folder(id INTEGER PRIMARY KEY, tree INTEGER NOT NULL, path TEXT NOT NULL, state BLOB, files BLOB NOT NULL,
    UNIQUE(tree, path));
CREATE INDEX folder_state ON folder(tree, path, state);
CREATE TABLE verdict(id INTEGER PRIMARY KEY, circumstances TEXT NOT NULL, folders TEXT NOT NULL,
    body BLOB NOT NULL, tag BLOB NOT NULL);
CREATE TABLE merkle(digest BLOB PRIMARY KEY, entries BLOB NOT NULL, replaced INTEGER);
CREATE INDEX merkle_replaced ON merkle(replaced) WHERE replaced IS NOT NULL;
INSERT INTO tree(id, name) VALUES (1, 'nothing yet');
"""


_MAGIC, _HEADER_BYTES = b"SQLite format 3\0", 100
"""How a database begins, and how long its header is (sqlite.org/fileformat.html); a new one is empty for a moment."""


class UnusableError(Exception):
    """The index cannot serve here, and the files must be read instead; ``str()`` says why."""


class OddError(UnusableError):
    """A tree is none that could be indexed, and is read as it stands."""


class Store:
    """An open index. ``notice`` is told, in a line, what the user should know."""

    def __init__(self, path: str, notice: Callable[[str], None]) -> None:
        self.path = path
        self.notice = notice
        self._gone = False
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not _is_damage(error):
                return self._in_memory(error)
            self._discard(f"the index was damaged ({error}), and is made anew")
            try:
                return self._connect()
            except sqlite3.DatabaseError as again:
                return self._in_memory(again)
        except OSError as error:
            return self._in_memory(error)

    def _connect(self) -> sqlite3.Connection:
        if self.path != MEMORY:
            os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        self._rules = rule_set()
        _check_kind(self.path)
        if _is_cut(self.path):
            raise sqlite3.DatabaseError("it was cut short")
        database = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        database.execute("PRAGMA temp_store = MEMORY")  # a full disk elsewhere is nothing to us
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA cache_size = -65536")
        if not self._is_ours(database):
            self._create(database)
        with suppress(sqlite3.OperationalError):  # while others use it, it cannot be changed; the next command will
            database.execute("PRAGMA journal_mode = WAL")
        return database

    def _is_ours(self, database: sqlite3.Connection) -> bool:
        """Say whether the file was made by us, for this rule set."""
        (ours,) = database.execute("PRAGMA application_id").fetchone()
        (known,) = database.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").fetchone()
        if ours != APPLICATION_ID or not known:
            return False
        row = database.execute("SELECT value FROM meta WHERE name = 'rules'").fetchone()
        return bool(row == (self._rules,))

    def _create(self, database: sqlite3.Connection) -> None:
        """Make the tables, after throwing away whatever there is; unless another process was quicker."""
        database.execute("BEGIN IMMEDIATE")
        if self._is_ours(database):
            database.execute("ROLLBACK")
            return
        rows = database.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall()
        (owner,) = database.execute("PRAGMA application_id").fetchone()
        if rows and owner != APPLICATION_ID:
            self.notice(f"note: {printable(self.path)} was no index of nodespec, and is made anew")
        for kind, name in sorted(rows, reverse=True):  # views before the tables that they are about
            if kind in ("table", "view"):
                quoted = name.replace('"', '""')
                database.execute(f'DROP {kind} IF EXISTS "{quoted}"')
        for statement in _TABLES.split(";\n"):
            database.execute(statement)
        database.execute("INSERT INTO meta VALUES ('rules', ?)", (self._rules,))
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute("COMMIT")

    def _in_memory(self, error: Exception) -> sqlite3.Connection:
        """Return an index in memory: a copy of the file, where that can be read, or a new one."""
        copy, shown = self._copied(), printable(self.path)
        how = "working without a file" if copy is None else "working on a copy of it in memory"
        self.notice(f"note: the index {shown} cannot be used ({error}); {how}")
        self.path = MEMORY
        return copy or self._connect()

    def _copied(self) -> sqlite3.Connection | None:
        """Return what a whole file of ours holds, without writing beside it as a reader of a log does; else None."""
        from pathlib import Path  # late: this is seldom needed

        logs = (self.path + suffix for suffix in ("-wal", "-journal"))
        if self.path == MEMORY or any(os.path.exists(log) and os.path.getsize(log) for log in logs):
            return None
        with suppress(sqlite3.DatabaseError, OSError):
            _check_kind(self.path)
            address = f"{Path(self.path).absolute().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(address, uri=True)) as source:
                if self._is_ours(source):
                    database = sqlite3.connect(MEMORY, isolation_level=None)
                    source.backup(database)
                    return database
        return None

    def _discard(self, why: str) -> None:
        self.notice(f"note: {why}")
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(self.path + suffix)

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """Give the database to a reader or a writer; raise :class:`UnusableError` when it fails them.

        A damaged file is thrown away, so that the next command begins anew.
        """
        if self._gone:
            raise UnusableError("the index was thrown away")
        try:
            yield self._db
        except UnicodeEncodeError as error:  # a name that is not UTF-8
            with suppress(sqlite3.Error):
                self._db.rollback()
            raise UnusableError(f"a name is not UTF-8: {error.reason}") from error
        except sqlite3.DatabaseError as error:
            with suppress(sqlite3.Error):
                self._db.rollback()
            if _is_damage(error):
                self.throw_away(str(error))
            else:
                self.notice(f"note: the index cannot be used now ({error}); the files are read instead")
            raise UnusableError(str(error)) from error

    def throw_away(self, why: str) -> None:
        """Delete a file that turned out to be damaged; the next command makes another."""
        self._gone = True
        if self.path != MEMORY:
            self._discard(f"the index was damaged ({why}); it is thrown away, and the files are read instead")

    @contextmanager
    def reading(self, tree: str) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Give the database, as it is at one moment, and the number that a tree has in it at that moment.

        Raises :class:`UnusableError` when the tree was forgotten meanwhile.
        """
        with self.using() as database:
            database.execute("BEGIN")
            try:
                self._check_rules(database)
                row = database.execute("SELECT id FROM tree WHERE name = ?", (tree,)).fetchone()
                if row is None:
                    raise UnusableError("the tree was forgotten")
                yield database, int(row[0])
            finally:
                with suppress(sqlite3.Error):
                    database.rollback()

    def _check_rules(self, database: sqlite3.Connection) -> None:
        """Raise :class:`UnusableError` when another version has made the file anew since it was opened."""
        row = database.execute("SELECT value FROM meta WHERE name = 'rules'").fetchone()
        if row != (self._rules,):
            raise UnusableError("another version of nodespec made the index anew")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the database to one writer, who writes all or nothing."""
        with self.using() as database:
            database.execute("BEGIN IMMEDIATE")
            with self._whole(database):
                yield database

    def write_at_once(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Let something be written that is of use and not needed: nothing is, while another process writes."""
        with self.using() as database:
            database.execute("PRAGMA busy_timeout = 0")
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if _is_damage(error):
                    raise
                return
            finally:
                database.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
            with self._whole(database):
                work(database)

    @contextmanager
    def _whole(self, database: sqlite3.Connection) -> Iterator[None]:
        """End a transaction that was begun: with all that is written in it, or nothing."""
        try:
            self._check_rules(database)
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                database.rollback()
            raise
        database.execute("COMMIT")

    @property
    def is_kept(self) -> bool:
        """Whether what is written outlives this process."""
        return self.path != MEMORY

    def trace(self, listener: Callable[[str], None] | None) -> None:
        """Tell ``listener`` every statement from now on; for counting work."""
        self._db.set_trace_callback(listener)

    def close(self) -> None:
        """Let the file go."""
        self._db.close()


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Say whether the file is not what it should be; a full disk, a lock or a lost race is no damage."""
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in codes:
        return True
    return str(error).startswith(("no such ", "Could not decode", "malformed"))


def place_of(start: str, chosen: str | None) -> str:
    """Return where the index of the registry in the folder ``start`` is: as chosen, or in its Git folder.

    Raises ``UsageError`` when the chosen file is something else, and :class:`UnusableError` without a Git folder.
    """
    if chosen:
        inside = os.path.relpath(os.path.realpath(chosen), os.path.realpath(start)).split(os.sep)[0]
        if inside in ROOTS:
            raise UsageError(f"{printable(chosen)} is among the files of the registry", hint="keep the index elsewhere")
        _refuse_foreign(chosen)
        return chosen
    folder = git_folder(start)
    if folder is None:
        raise UnusableError("there is no Git folder")
    path = os.path.join(folder, "nodespec", "index.sqlite3")
    if not os.path.exists(path) and os.stat(folder).st_uid != os.geteuid():
        raise UnusableError("the Git folder belongs to somebody else")  # who could not use what we would leave there
    return path


def _is_cut(path: str) -> bool:
    """Say whether a file is too short for a database; an empty one may be new, and begun by another process."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    return status.st_size < _HEADER_BYTES and (status.st_size > 0 or time.time() - status.st_mtime > PATIENCE)


def _check_kind(path: str) -> None:
    """Raise ``OSError`` for what is no plain file: whoever opens a pipe waits for ever."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError("it is no plain file")


def _refuse_foreign(path: str) -> None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"{printable(path)} is no file that could hold an index")
        with open(path, "rb") as file:
            head = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{printable(path)} cannot be read: {error.strerror}") from None
    begun = not head or (len(head) < _HEADER_BYTES and head.startswith(_MAGIC))  # by a writer that was killed
    if not begun and head[68:72] != APPLICATION_ID.to_bytes(4, "big"):
        hint = "name a file that does not exist yet, or an index that nodespec made"
        raise UsageError(f"{printable(path)} is no index of nodespec, and will not be overwritten", hint=hint)


def many(values: Sequence[Any], size: int = 500) -> Iterator[Sequence[Any]]:
    """Yield slices that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
