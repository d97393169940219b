"""registry.yaml: what this registry is called, and its knobs. Never code.

The file is a document of the same strict profile, and fulfils ``schemas/registry.v1.schema.json``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nodespec.frozen import frozen
from nodespec.spec import SENSITIVITIES

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Newcomers:
    """What an owner may publish to whom the trust root has delegated nothing."""

    lanes: tuple[str, ...]
    max_tier: int
    max_nodes: int


@frozen
class Quotas:
    """How many nodes one change may touch and one owner may hold; None where that is not bounded."""

    nodes_per_change: int | None = None
    nodes_per_owner: int | None = None


UNBOUNDED = Quotas()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A registry's own settings; the defaults are those of an empty file and grant nothing."""

    registry_id: str = ""
    example: bool = False
    sensitive_signals: Mapping[str, str] = field(default_factory=dict)
    external_signals: frozenset[str] = frozenset()
    required_schemes: tuple[str, ...] = ("ml-dsa-44", "ed25519")
    newcomers: Newcomers | None = None
    quotas: Quotas = UNBOUNDED
    protected: tuple[str, ...] = ()


def narrower(base: Settings, head: Settings) -> Settings:
    """Return head's settings as far as base's grant them, too: base is believed, and head is on trial.

    What a change opens is open for the next one. What it closes is closed at once.

    >>> some, more = (Newcomers(lanes=("candidate",), max_tier=tier, max_nodes=3) for tier in (1, 2))
    >>> narrower(Settings(newcomers=some), Settings(newcomers=more)).newcomers.max_tier
    1
    """
    labels = dict(head.sensitive_signals)
    for name, label in base.sensitive_signals.items():
        labels[name] = max(label, labels.get(name, label), key=SENSITIVITIES.index)
    return replace(
        head,
        example=base.example and head.example,
        sensitive_signals=labels,
        external_signals=base.external_signals & head.external_signals,
        newcomers=_fewer(base.newcomers, head.newcomers),
        quotas=Quotas(
            nodes_per_change=_least(base.quotas.nodes_per_change, head.quotas.nodes_per_change),
            nodes_per_owner=_least(base.quotas.nodes_per_owner, head.quotas.nodes_per_owner),
        ),
    )


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _fewer(one: Newcomers | None, other: Newcomers | None) -> Newcomers | None:
    if one is None or other is None:
        return None
    return Newcomers(
        lanes=tuple(lane for lane in one.lanes if lane in other.lanes),
        max_tier=min(one.max_tier, other.max_tier),
        max_nodes=min(one.max_nodes, other.max_nodes),
    )


def from_value(value: dict[str, Any]) -> Settings:
    """Return the typed form of a value that fulfils the registry v1 contract."""
    defaults = Settings()
    newcomers = value.get("newcomers")
    quotas = value.get("quotas", {})
    return Settings(
        registry_id=value["registry_id"],
        example=value.get("example", False),
        sensitive_signals=dict(value.get("sensitive_signals", {})),
        external_signals=frozenset(value.get("external_signals", ())),
        required_schemes=tuple(value.get("required_schemes", defaults.required_schemes)),
        newcomers=newcomers
        and Newcomers(
            lanes=tuple(newcomers["lanes"]),
            max_tier=int(newcomers["max_tier"]),
            max_nodes=int(newcomers["max_nodes"]),
        ),
        quotas=Quotas(
            nodes_per_change=_count(quotas.get("nodes_per_pull_request")),
            nodes_per_owner=_count(quotas.get("nodes_per_owner")),
        ),
        protected=tuple(value.get("protected", ())),
    )


def _count(value: Any) -> int | None:
    return None if value is None else int(value)
