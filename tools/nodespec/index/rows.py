"""Rows of the index: what a change writes, one statement for each step, however many paths it is about.

Every change is a table of its own for a moment (``change``): what is at each path now, and what is there at the base.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec.index.facts import Fact
from nodespec.index.store import NOTHING, UnusableError, many
from nodespec.tree import NODES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

BASE = 1
MAX_TREES = 32
"""Trees that are remembered; the oldest is forgotten."""
SPARE_FACTS = 1_000
"""Blobs that are remembered, beyond twice as many as stand at the base; then those that stand nowhere are forgotten."""
_COLUMNS = len(Fact._fields) - 3
"""The parts of a fact that are its row; the others are rows of their own."""
Changes = dict[str, str | None]
"""Path to blob; None where nothing is."""


def number(database: sqlite3.Connection, name: str) -> int:
    """Return the number that a tree has now; 0 for none."""
    row = database.execute("SELECT id FROM tree WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def select_in(database: sqlite3.Connection, query: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Run a query that ends in IN, for these values."""
    listed = list(values)
    return database.execute(f"{query} ({','.join('?' * len(listed))})", listed).fetchall()


def write_facts(database: sqlite3.Connection, facts: Iterable[Fact]) -> None:
    """Write facts down that nobody has written down yet; a fact's number is the next one."""
    new = {fact.blob: fact for fact in facts}
    for some in many(list(new)):
        for (blob,) in select_in(database, "SELECT blob FROM fact WHERE blob IN", some):
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


def enter(database: sqlite3.Connection, changes: Changes) -> None:
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


def write_delta(database: sqlite3.Connection, tree_id: int, changes: Changes) -> None:
    """Write where a tree differs from the base at these paths."""
    enter(database, changes)
    database.execute("DELETE FROM delta WHERE tree = ? AND path IN (SELECT path FROM change)", (tree_id,))
    database.execute("INSERT INTO delta SELECT ?, path, file FROM change WHERE was IS NOT file", (tree_id,))


def write_tree(database: sqlite3.Connection, tree: str, changes: Changes) -> None:
    """Write a tree down as its difference to the base."""
    if number(database, tree):  # another process was quicker
        return
    forget_some(database)
    tree_id = int(database.execute("INSERT INTO tree(name) VALUES (?)", (tree,)).lastrowid or 0)
    write_delta(database, tree_id, changes)
    prune(database)


def move_base(database: sqlite3.Connection, tree: str, changes: Changes) -> None:
    """Let the base be where these paths have these blobs; all other trees, and what it was, stay what they are."""
    enter(database, changes)
    database.execute("DELETE FROM change WHERE was IS file")
    forget(database, "SELECT id FROM tree WHERE name = ? AND id <> ?", tree, BASE)
    forget_some(database)
    (left,) = database.execute("SELECT name FROM tree WHERE id = ?", (BASE,)).fetchone()
    database.execute("UPDATE tree SET name = ? WHERE id = ?", (tree, BASE))
    if left != NOTHING:
        database.execute("INSERT INTO tree(name) VALUES (?)", (left,))
    database.execute(
        "INSERT OR IGNORE INTO delta SELECT tree.id, path, was FROM tree, change WHERE tree.id <> ?", (BASE,)
    )
    database.execute(
        "DELETE FROM delta WHERE tree IN (SELECT id FROM tree) AND path IN (SELECT path FROM change) "
        "AND file IS (SELECT file FROM change WHERE change.path = delta.path)"
    )
    database.execute("UPDATE file SET base = 0 WHERE id IN (SELECT was FROM change)")
    database.execute("UPDATE file SET base = 1 WHERE id IN (SELECT file FROM change)")
    prune(database)


def forget_some(database: sqlite3.Connection) -> None:
    """Make room for one more tree: the oldest commit goes, and work trees, which are asked most, go last."""
    order = "name LIKE 'work tree %' DESC, id DESC LIMIT -1 OFFSET ?"
    forget(database, f"SELECT id FROM tree WHERE id <> ? ORDER BY {order}", BASE, MAX_TREES - 1)


def prune(database: sqlite3.Connection) -> None:
    """Forget the blobs that no remembered tree holds, once they are many; counts them when enough have come."""
    (last,) = database.execute("SELECT coalesce(max(id), 0) FROM fact").fetchone()
    (seen,) = database.execute(
        "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE name = 'pruned'"
    ).fetchone()
    if last - seen <= SPARE_FACTS:
        return
    database.execute("INSERT OR REPLACE INTO meta VALUES ('pruned', ?)", (str(last),))
    counts = ("SELECT count(*) FROM fact", "SELECT count(*) FROM file WHERE base = 1")
    (facts,), (standing,) = (database.execute(query).fetchone() for query in counts)
    if facts <= 2 * standing + SPARE_FACTS:
        return
    database.execute("DELETE FROM file WHERE base = 0 AND id NOT IN (SELECT file FROM delta WHERE file IS NOT NULL)")
    for table, column in (("signal", "fact"), ("role", "fact"), ("permit", "fact"), ("fact", "id")):
        database.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT fact FROM file)")


def forget(database: sqlite3.Connection, chosen: str, *values: Any) -> None:
    """Forget the trees that a query chooses."""
    for table, column in (("delta", "tree"), ("folder", "tree"), ("tree", "id")):
        database.execute(f"DELETE FROM {table} WHERE {column} IN ({chosen})", values)
