"""Questions in SQL: which nodes may be the answer. Each of them is then asked the question itself."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from nodespec import spec
from nodespec.capability import parts
from nodespec.index.facts import unpack
from nodespec.index.store import UnusableError
from nodespec.reading import Unreadable, astray

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodespec.index.store import Store
    from nodespec.question import Question
    from nodespec.spec import NodeSpec

_PRESENT = (
    "FROM fact CROSS JOIN file ON file.fact = fact.id LEFT JOIN delta ON delta.tree = ? AND delta.path = file.path "
    "WHERE CASE WHEN delta.path IS NULL THEN file.base ELSE delta.file IS file.id END "
)
_PRESENT_FILES = _PRESENT.replace("fact CROSS JOIN file", "file CROSS JOIN fact")
_PRESENT_PATHS = _PRESENT.replace("fact CROSS JOIN file ON file.fact = fact.id", "file")
"""The same without the facts: their values are large, and reading past them takes most of the time."""


def nodes(store: Store, tree: str, question: Question) -> Iterator[NodeSpec]:
    """Yield the nodes of a tree that pass a question, in order of path."""
    yield from filter(question.matches, _nodes(store, tree, *_narrowed(question)))


def touching(store: Store, tree: str, names: Sequence[str]) -> Iterator[NodeSpec]:
    """Yield the nodes of a tree that send or receive one of these signals, in order of path."""
    wanted = "SELECT fact FROM signal WHERE name IN (SELECT value FROM json_each(?))"
    yield from _nodes(store, tree, f"AND fact.id IN ({wanted})", [json.dumps(names)])


def at_paths(store: Store, tree: str, paths: Sequence[str]) -> Iterator[NodeSpec]:
    """Yield the nodes of a tree whose files are at these paths, in order of path."""
    where = "AND file.path IN (SELECT value FROM json_each(?))"
    return _nodes(store, tree, where, [json.dumps(paths)], present=_PRESENT_FILES)


def _nodes(
    store: Store, tree: str, where: str, values: Sequence[Any], *, present: str = _PRESENT
) -> Iterator[NodeSpec]:
    query = (
        f"SELECT file.path, fact.value {present} AND fact.value IS NOT NULL AND file.placed {where} ORDER BY file.path"
    )
    with store.reading(tree) as (database, tree_id):
        rows = database.execute(query, (tree_id, *values)).fetchall()
    for path, packed in rows:
        try:
            yield spec.from_value(unpacked(store, packed), path)
        except (KeyError, TypeError, AttributeError) as error:
            store.throw_away(f"a value is no node: {error}")
            raise UnusableError("a value is no node") from error


def unpacked(store: Store, packed: bytes) -> dict[str, Any]:
    """Return a value; a store that holds anything else is damaged."""
    try:
        value: dict[str, Any] = unpack(packed)
        if not isinstance(value, dict):
            raise TypeError("it is no mapping")
    except (ValueError, TypeError, zlib.error) as error:
        store.throw_away(str(error))
        raise UnusableError(f"a value cannot be read: {error}") from error
    return value


def unreadable(store: Store, tree: str) -> list[Unreadable]:
    """Return the files of a tree that are no nodes, in order of path."""
    found = []
    with store.reading(tree) as (database, tree_id):
        query = f"SELECT file.path, fact.line, fact.reason {_PRESENT} AND fact.value IS NULL"
        for path, line, reason in database.execute(query, (tree_id,)):
            found.append(Unreadable(path=path, line=line, reason=reason))
        query = f"SELECT file.path, fact.node_type, fact.name {_PRESENT_FILES} AND file.placed = 0"
        for path, node_type, name in database.execute(query, (tree_id,)):
            found.append(Unreadable(path=path, line=1, reason=astray(f"{node_type}/{name}")))
    return sorted(found, key=lambda item: item.path.encode("utf-8", "surrogateescape"))


def signals(store: Store, tree: str) -> list[str]:
    """Return every signal that a node of a tree sends or receives, in order."""
    query = f"SELECT DISTINCT name FROM signal WHERE fact IN (SELECT fact.id {_PRESENT} AND file.placed) ORDER BY name"
    with store.reading(tree) as (database, tree_id):
        return [name for (name,) in database.execute(query, (tree_id,))]


def groups(store: Store, tree: str) -> dict[tuple[Any, ...], int]:
    """Return how many nodes of a tree have each (lane, tier, owner, type): one pass over the facts."""
    columns = "fact.lane, fact.tier, fact.owner, fact.node_type"
    query = f"SELECT {columns}, count(*) {_PRESENT} AND fact.value IS NOT NULL AND file.placed GROUP BY 1, 2, 3, 4"
    with store.reading(tree) as (database, tree_id):
        return {row[:-1]: row[-1] for row in database.execute(query, (tree_id,))}


def one_sided(store: Store, tree: str) -> tuple[list[str], list[str]]:
    """Return the signals that nobody emits and those that nobody subscribes to, each in order."""
    query = (
        "SELECT name, max(emitted), min(emitted) FROM signal "
        f"WHERE fact IN (SELECT file.fact {_PRESENT_PATHS} AND file.placed) GROUP BY name ORDER BY name"
    )
    with store.reading(tree) as (database, tree_id):
        rows = database.execute(query, (tree_id,)).fetchall()
    return [name for name, most, _ in rows if not most], [name for name, _, least in rows if least]


def apart(store: Store, one: str, other: str) -> list[str]:
    """Return every path at which two trees may differ: no other does."""
    with store.reading(one) as (database, first):
        row = database.execute("SELECT id FROM tree WHERE name = ?", (other,)).fetchone()
        if row is None:
            raise UnusableError("the tree was forgotten")
        query = (
            "SELECT path FROM delta WHERE tree IN (?, ?) GROUP BY path "
            "HAVING count(*) = 1 OR count(file) <> 2 OR min(file) <> max(file)"
        )
        return [path for (path,) in database.execute(query, (first, row[0]))]


def _narrowed(question: Question) -> tuple[str, list[Any]]:
    """Return conditions that every answer fulfils, and their values."""
    terms: list[str] = []
    values: list[Any] = []

    def narrow(term: str, *given: Any) -> None:
        terms.append(f"AND {term}")
        values.extend(given)

    for name in question.signal:
        narrow("fact.id IN (SELECT fact FROM signal WHERE name = ?)", name)
    for emitted, names in ((1, question.emits), (0, question.subscribes)):
        for name in names:
            narrow("fact.id IN (SELECT fact FROM signal WHERE name = ? AND emitted = ?)", name, emitted)
    for role in question.role:
        narrow("fact.id IN (SELECT fact FROM role WHERE name = ?)", role)
    for wanted in question.capability:
        narrow(*_permitted(wanted))
    if question.lane:
        narrow("fact.lane = ?", question.lane)
    if question.tier is not None:
        narrow(f"fact.tier IN ({','.join('?' * len(question.tier))})", *sorted(question.tier))
    if question.owner:
        narrow("fact.owner >= ? AND fact.owner < ?", question.owner, question.owner + "g")  # after the last hex digit
    if question.type.endswith(".*"):
        narrow("fact.node_type >= ? AND fact.node_type < ?", question.type[:-1], question.type[:-2] + "/")
    elif question.type and question.type != "*":
        narrow("fact.node_type = ?", question.type)
    if question.text:
        narrow("instr(fact.words, ?)", question.text)
    return " ".join(terms), values


def _permitted(wanted: str) -> tuple[Any, ...]:
    """Return a condition that whoever has this capability fulfils: something is allowed that begins alike."""
    verb, segments, _ = parts(wanted)
    terms, values = [], []
    if segments:
        terms.append("head IN (?, '*')")
        values.append(segments[0])
    if verb:
        terms.append("verb = ?")
        values.append(verb)
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    return (f"fact.id IN (SELECT fact FROM permit{where})", *values)
