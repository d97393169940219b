"""Tombstones: a node that was deregistered, and whose name stays taken.

``registry/tombstones/<node type as folders>/<name>.yaml`` is a document of the same strict profile as a NodeSpec,
fulfils ``schemas/tombstone.v1.schema.json``, and is attested by the node's owner with action ``deregister``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nodespec.frozen import frozen
from nodespec.tree import TOMBSTONE_SCHEMA_PATH, tombstone_path

if TYPE_CHECKING:
    from nodespec.spec import NodeSpec


@frozen
class Dangling:
    """Signals that others still waited for when the node went, and why it went all the same."""

    reason: str
    signals: tuple[str, ...]


@frozen
class Tombstone:
    """What a tombstone says; ``version`` is the last that the node had."""

    node_type: str
    name: str
    version: str
    owner: str
    reason: str
    successor: str | None = None
    dangling: Dangling | None = None
    path: str = ""

    @property
    def id(self) -> str:
        """The id that stays taken."""
        return f"{self.node_type}/{self.name}"


def from_value(value: dict[str, Any], path: str) -> Tombstone:
    """Return the typed form of a value that fulfils the tombstone v1 contract."""
    left = value.get("dangling")
    return Tombstone(
        node_type=value["node_type"],
        name=value["name"],
        version=value["version"],
        owner=value["owner_id"],
        reason=value["reason"],
        successor=value.get("successor"),
        dangling=left and Dangling(reason=left["reason"], signals=tuple(left["signals"])),
        path=path,
    )


def of_node(node: NodeSpec, *, reason: str, successor: str | None, dangling: Dangling | None) -> Tombstone:
    """Return the tombstone of a node."""
    return Tombstone(
        node_type=node.node_type,
        name=node.name,
        version=node.version,
        owner=node.owner,
        reason=reason,
        successor=successor,
        dangling=dangling,
        path=tombstone_path(node.id),
    )


def dump(stone: Tombstone) -> bytes:
    """Return the file's bytes: JSON strings are YAML's double-quoted scalars."""
    up = "../" * stone.path.count("/")
    lines = [
        f"# yaml-language-server: $schema={up}{TOMBSTONE_SCHEMA_PATH}",
        "schema_version: tombstone.v1",
        f"node_type: {_scalar(stone.node_type)}",
        f"name: {_scalar(stone.name)}",
        f"version: {_scalar(stone.version)}",
        f"owner_id: {stone.owner}",
        f"reason: {_scalar(stone.reason)}",
    ]
    if stone.successor is not None:
        lines.append(f"successor: {_scalar(stone.successor)}")
    if stone.dangling is not None:
        signals = ", ".join(map(_scalar, stone.dangling.signals))
        lines += ["dangling:", f"  reason: {_scalar(stone.dangling.reason)}", f"  signals: [{signals}]"]
    return ("\n".join(lines) + "\n").encode()


def _scalar(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
