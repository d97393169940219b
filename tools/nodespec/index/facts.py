"""What one blob says: a node's value, or why it is none. It depends on the bytes and on this tool, and on nothing else.

The rule set is part of the key: whatever decides how bytes become a value is digested into :func:`rule_set`, and an
index of another rule set is made anew.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from functools import cache, partial
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from nodespec import builtin, spec, workers
from nodespec.capability import parts
from nodespec.reading import Unreadable, checked_value
from nodespec.tree import NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, TOMBSTONE_SCHEMA_PATH, Entry, blob_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodespec.spec import NodeSpec
    from nodespec.tree import Progress, Tree


class Fact(NamedTuple):
    """What a blob says. ``value`` is packed JSON, and None when it is no node: ``line`` and ``reason`` say why.

    ``signals`` are (name, whether it is emitted), ``grants`` (verb, first segment or ``*``) of what is allowed.
    """

    blob: str
    value: bytes | None
    line: int = 1
    reason: str = ""
    node_type: str = ""
    name: str = ""
    lane: str = ""
    tier: int = 0
    owner: str = ""
    words: str = ""
    signals: tuple[tuple[str, bool], ...] = ()
    roles: tuple[str, ...] = ()
    grants: tuple[tuple[str, str], ...] = ()


@cache
def rule_set() -> str:
    """Return the digest of whatever decides how bytes become facts: this code, its contracts, and its parsers."""
    package = os.path.dirname(os.path.dirname(__file__))
    digest = sha256(sys.version.encode())
    for contract in (NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, TOMBSTONE_SCHEMA_PATH):
        digest.update(builtin.contract(contract))
    houses = [entry.path for entry in os.scandir(package) if entry.is_dir() and entry.name != "cli"]
    for path in sorted(path for folder in (package, *houses) for path in _files(folder) if path.endswith(".py")):
        with open(path, "rb", buffering=0) as file:
            digest.update(file.read())
    for name in ("yaml", "jsonschema_rs", "cryptography", "cel_expr_python", "regorus"):
        found = find_spec(name)
        places = found.submodule_search_locations if found is not None else ()
        for path in sorted(path for folder in places or () for path in _files(folder)):
            digest.update(f"{os.path.basename(path)} {os.stat(path).st_size}".encode())
    return digest.hexdigest()


def _files(folder: str) -> list[str]:
    """Return the paths of the files right in a folder."""
    return [entry.path for entry in os.scandir(folder) if entry.is_file()]


def identify(tree: Tree, entry: Entry) -> str:
    """Return the blob id of a file in a work tree; one that is too large to be a node is known by its size alone."""
    from nodespec.text import MAX_BYTES

    size = tree.size(entry)
    return blob_id(tree.read(entry)) if size <= MAX_BYTES else _large(size)


def _large(size: int) -> str:
    return f"{size} bytes"


def learn(tree: Tree, entry: Entry) -> Fact:
    """Read one file; raises ``OSError`` when it cannot be read, which is no fact about the blob.

    Without a blob id, as in a work tree, the fact carries the one that Git would give.
    """
    from nodespec import document, text

    size = tree.size(entry)
    if size > text.MAX_BYTES:
        problem = text.too_large(size)
        return Fact(entry.blob or _large(size), None, problem.span.line, problem.message)
    data = tree.read(entry)
    blob = entry.blob or blob_id(data)
    found = checked_value(document.parse(data), NODE_SCHEMA_PATH, entry.path)
    if isinstance(found, Unreadable):
        return Fact(blob, None, found.line, found.reason)
    return _of(spec.from_value(found), blob)


def _of(node: NodeSpec, blob: str) -> Fact:
    grants = {(verb, segments[0] if segments else "*") for verb, segments, _ in map(parts, node.allow)}
    return Fact(
        blob=blob,
        value=pack(node.value),
        node_type=node.node_type,
        name=node.name,
        lane=node.lane,
        tier=node.tier,
        owner=node.owner,
        words="\n".join((node.id, node.description, *node.roles)).casefold(),
        signals=tuple(
            sorted({(emit.name, True) for emit in node.emits} | {(item.signal, False) for item in node.subscribes})
        ),
        roles=tuple(sorted(set(node.roles))),
        grants=tuple(sorted(grants)),
    )


def pack(value: dict[str, Any]) -> bytes:
    """Return a value in a third of its size."""
    return zlib.compress(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def unpack(data: bytes) -> Any:
    """Return the value; raise ``ValueError`` or ``zlib.error`` when these are not the bytes that were packed."""
    return json.loads(zlib.decompress(data))


def learn_all(tree: Tree, entries: Sequence[Entry], jobs: int, progress: Progress | None) -> list[Fact]:
    """Read many files, in up to ``jobs`` processes."""
    start = partial(_learner, tree)
    return workers.each(entries, partial(learn, tree), jobs=jobs, progress=progress, start=start)


def _learner(tree: Tree) -> Callable[[Entry], Fact]:
    return partial(learn, tree)
