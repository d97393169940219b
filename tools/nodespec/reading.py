"""One file of a tree to a typed value: a node, a tombstone, the settings; or why it is none.

Nodes are typed by the contract that this version of the tool was built with. A registry may carry a narrower one under
``schemas/`` (``nodespec validate`` applies both); it cannot widen what code relies on.

The parser and the contract are loaded when a file is read: an answer from the index reads none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec import spec, tombstone
from nodespec.errors import RegistryError
from nodespec.frozen import frozen
from nodespec.tree import (
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    NODES,
    REGULAR,
    TOMBSTONE_SCHEMA_PATH,
    Entry,
    is_node_path,
    node_path,
    tombstone_path,
)

if TYPE_CHECKING:
    from nodespec.document import Document
    from nodespec.spec import NodeSpec
    from nodespec.tombstone import Tombstone
    from nodespec.tree import Tree


@frozen
class Unreadable:
    """A file that should be a NodeSpec and is not; ``reason`` is its first problem."""

    path: str
    line: int
    reason: str


def may_hold_nodes(entry: Entry) -> bool:
    """Say whether an entry is a node, or may hide one: a link, a submodule, a closed folder, another suffix."""
    if entry.mode not in (REGULAR, EXECUTABLE):
        return entry.path.startswith(NODES) or entry.path in _ABOVE_NODES
    return entry.path.startswith(NODES) and not entry.path.endswith(".dsse.json")


_ABOVE_NODES = ("registry", "registry/nodes")


def concerns_nodes(path: str) -> bool:
    """Say whether a malformed name may hide a node, or show another: at the top, in ``registry/``, or below nodes."""
    return "/" not in path or path.rpartition("/")[0] == "registry" or path.startswith(NODES)


def read_document(tree: Tree, entry: Entry) -> Document:
    """Parse one file, without reading what is too large; raises ``OSError`` when it cannot be read."""
    from nodespec import document, text

    size = tree.size(entry)
    if size > text.MAX_BYTES:
        return document.Document(None, (text.too_large(size),), None)
    return document.parse(tree.read(entry))


def read_checked(tree: Tree, path: str, contract_path: str) -> dict[str, Any]:
    """Return the value of a document that fulfils the built-in contract; raise ``RegistryError`` otherwise."""
    entry = tree.entry(path)
    if entry is None:
        raise RegistryError(f"{path} is missing in {tree.label}", hint="nodespec init DIR writes one")
    return _checked(tree, entry, contract_path)


def _checked(tree: Tree, entry: Entry, contract_path: str) -> dict[str, Any]:
    found = _read_value(tree, entry, contract_path)
    if isinstance(found, Unreadable):
        raise RegistryError(f"{entry.path}:{found.line}: {found.reason}", hint="run: nodespec validate")
    return found


def load(tree: Tree, entry: Entry) -> NodeSpec | Unreadable:
    """Read one node's file."""
    value = _read_value(tree, entry, NODE_SCHEMA_PATH)
    if isinstance(value, Unreadable):
        return value
    node = spec.from_value(value, entry.path)
    if node_path(node.id) != entry.path:
        return Unreadable(path=entry.path, line=1, reason=astray(node.id))
    return node


def astray(identifier: str) -> str:
    """Say what is wrong with a node at a path that is not its id's."""
    return f"its id is {identifier}, which belongs at another path"


def load_tombstone(tree: Tree, entry: Entry) -> Tombstone:
    """Read one tombstone; raise ``RegistryError`` when it is none, or belongs at another path."""
    stone = tombstone.from_value(_checked(tree, entry, TOMBSTONE_SCHEMA_PATH), entry.path)
    if tombstone_path(stone.id) != entry.path:
        raise RegistryError(
            f"{entry.path}: its id is {stone.id}, which belongs at another path", hint="run: nodespec validate"
        )
    return stone


def _read_value(tree: Tree, entry: Entry, contract_path: str) -> dict[str, Any] | Unreadable:
    if entry.mode not in (REGULAR, EXECUTABLE):
        return Unreadable(path=entry.path, line=1, reason="it is not a regular file that can be read")
    if contract_path == NODE_SCHEMA_PATH and not is_node_path(entry.path):
        return Unreadable(path=entry.path, line=1, reason="a node's file ends in .yaml")
    try:
        read = read_document(tree, entry)
    except OSError as error:
        return Unreadable(path=entry.path, line=1, reason=error.strerror or str(error))
    return checked_value(read, contract_path, entry.path)


def checked_value(read: Document, contract_path: str, path: str) -> dict[str, Any] | Unreadable:
    """Return the value of a text that follows the profile and fulfils the built-in contract, or why it does not."""
    from nodespec import schema

    if read.value is None or read.problems:
        problem = read.problems[0]
        return Unreadable(path=path, line=problem.span.line, reason=problem.message)
    contract = schema.builtin(contract_path)
    if not contract.accepts(read.value):
        hit = contract.violations(read.value)[0]
        line = read.locate(hit.at or (), on_key=hit.on_key).line
        return Unreadable(path=path, line=line, reason=hit.message)
    return read.value
