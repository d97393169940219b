"""A NodeSpec as a typed, frozen value: what the schema promises, and no more.

:func:`from_value` is called only with values that fulfil the contract, and copies what rules and
queries ask about; everything else stays in :attr:`NodeSpec.value`.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Any, Literal

from nodespec.frozen import frozen

Lane = Literal["candidate", "core", "lukhas", "products"]

LANES: tuple[Lane, ...] = ("candidate", "core", "lukhas", "products")
"""From the least to the most trusted with users; promotion goes step by step to the right."""

SENSITIVITIES = ("public", "internal", "personal")
"""From the least to the most sensitive; a signal that says nothing is internal."""

DEFAULT_SENSITIVITY = "internal"

MAX_TIER = 7

SEMVER = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?\Z"
)
"""Semantic Versioning 2.0.0."""


@frozen
class Emit:
    """A signal that a node sends; latency in milliseconds, None where the spec does not say."""

    name: str
    latency_target_ms: float | None
    sensitivity: str
    governance_category: str | None


@frozen
class Subscription:
    """A signal that a node receives, and the function that handles it."""

    signal: str
    handler: str


@frozen
class NodeSpec:
    """One node of the system.

    ``path`` is where its file stands (empty for standard input); ``value`` is the whole document as
    mappings, lists, text, numbers and booleans, and must not be changed.
    """

    node_type: str
    name: str
    version: str
    description: str
    created_at: str
    owner: str
    lane: Lane
    lane_reason: str
    tier: int
    roles: tuple[str, ...]
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    emits: tuple[Emit, ...]
    subscribes: tuple[Subscription, ...]
    path: str
    value: dict[str, Any] = field(hash=False)

    @property
    def id(self) -> str:
        """The node's id, ``<node type>/<name>``."""
        return f"{self.node_type}/{self.name}"

    @property
    def signals(self) -> frozenset[str]:
        """Every signal it sends or receives."""
        return frozenset([emit.name for emit in self.emits] + [item.signal for item in self.subscribes])


def from_value(value: dict[str, Any], path: str = "") -> NodeSpec:
    """Return the typed form of a value that fulfils the NodeSpec v1 contract."""
    metadata, identity, interfaces = value["metadata"], value["identity"], value["interfaces"]
    capabilities = identity.get("capabilities_policy", {})
    return NodeSpec(
        node_type=value["node_type"],
        name=metadata["name"],
        version=metadata["version"],
        description=metadata.get("description", ""),
        created_at=metadata["created_at"],
        owner=identity["owner_id"],
        lane=identity["lane"],
        lane_reason=identity.get("lane_reason", ""),
        tier=int(identity["tier"]),
        roles=tuple(identity["roles"]),
        allow=tuple(capabilities.get("allow", ())),
        deny=tuple(capabilities.get("deny", ())),
        inputs=tuple(port["name"] for port in interfaces["inputs"]),
        outputs=tuple(port["name"] for port in interfaces["outputs"]),
        emits=tuple(_emit(item) for item in interfaces["signals"]["emits"]),
        subscribes=tuple(
            Subscription(signal=item["signal"], handler=item["handler"]) for item in interfaces["signals"]["subscribes"]
        ),
        path=path,
        value=value,
    )


def _emit(item: dict[str, Any]) -> Emit:
    return Emit(
        name=item["name"],
        latency_target_ms=item.get("latency_target_ms"),
        sensitivity=item.get("sensitivity", DEFAULT_SENSITIVITY),
        governance_category=item.get("governance_category"),
    )


def semver_order(version: str) -> tuple[Any, ...]:
    """Return a key that sorts versions by SemVer precedence (build metadata does not count).

    >>> sorted(["1.0.0", "1.0.0-rc.10", "1.0.0-rc.2", "0.9.9"], key=semver_order)
    ['0.9.9', '1.0.0-rc.2', '1.0.0-rc.10', '1.0.0']
    """
    match = SEMVER.match(version)
    if not match:
        raise ValueError(f"{version!r} is not a semantic version")
    numbers = tuple(int(part) for part in match.groups()[:3])
    if match[4] is None:
        return (*numbers, 1)
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in match[4].split("."))
    return (*numbers, 0, parts)
