"""What a policy is asked about: a node, who stands behind it, and the registry around it, as plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec.frozen import frozen
from nodespec.spec import SENSITIVITIES

if TYPE_CHECKING:
    from nodespec.settings import Settings
    from nodespec.spec import NodeSpec

MAX_WHOLE = 2**53 - 1
"""The range in which every JSON reader agrees about whole numbers (RFC 8259, section 6)."""


@frozen
class Standing:
    """Who stands behind a node, as far as signatures show; the defaults are those of a file that nobody signed."""

    verified: bool = False
    attested: bool = False
    delegated: bool = False
    owner: str = ""


def subject(node: NodeSpec, standing: Standing, settings: Settings) -> dict[str, Any]:
    """Return what the expressions of a policy see, except their own variables."""
    return {
        "node": plain(node.value),
        "emits": [
            {
                "name": emit.name,
                "sensitivity": max(
                    emit.sensitivity,
                    settings.sensitive_signals.get(emit.name, SENSITIVITIES[0]),
                    key=SENSITIVITIES.index,
                ),
                "category": emit.governance_category or "",
            }
            for emit in node.emits
        ],
        "provenance": {
            "verified": standing.verified,
            "attested": standing.attested,
            "delegated": standing.delegated,
            "owner": standing.owner,
        },
        "registry": {"id": settings.registry_id, "sensitive": dict(settings.sensitive_signals)},
    }


def plain(value: Any) -> Any:
    """Return a value of a document as JSON means it: 5.0 is 5, as in RFC 8785.

    >>> plain({"tier": 5.0, "scores": [0.5, 1]})
    {'tier': 5, 'scores': [0.5, 1]}
    """
    if value.__class__ is float:
        return int(value) if value.is_integer() and abs(value) <= MAX_WHOLE else value
    if value.__class__ is dict:
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if value.__class__ is list else value
