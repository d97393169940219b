"""What an attestation must be about: a file, as the file itself says, and the digest of its bytes."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from nodespec.frozen import frozen
from nodespec.keys import SCHEME_ALIASES
from nodespec.spec import LANES

if TYPE_CHECKING:
    from nodespec.spec import NodeSpec
    from nodespec.tombstone import Tombstone

VERIFIED_TIER = 4
"""From this tier on, and in lane core, somebody else must sign as well."""


@frozen
class Subject:
    """What an attestation must be about, as the file itself says; ``sha256`` of its bytes.

    A tombstone has no tier, lane or scheme to answer for: ``is_node`` is false.
    """

    path: str
    node_id: str
    node_type: str
    version: str
    owner: str
    sha256: str
    is_node: bool = True
    tier: int = 0
    lane: str = LANES[0]
    scheme: str = ""
    verifier: str | None = None
    verified: bool = False

    @classmethod
    def of_node(cls, node: NodeSpec, data: bytes, path: str = "") -> Subject:
        """Return what must be attested about a node's file."""
        attested = node.value["security"].get("attestation", {})
        scheme = node.value["provenance_manifest"]["signing_scheme"]
        return cls(
            path=path or node.path,
            node_id=node.id,
            node_type=node.node_type,
            version=node.version,
            owner=node.owner,
            sha256=sha256(data).hexdigest(),
            tier=node.tier,
            lane=node.lane,
            scheme=SCHEME_ALIASES.get(scheme, scheme),
            verifier=attested.get("verifier"),
            verified=attested.get("verified", False),
        )

    @classmethod
    def of_tombstone(cls, stone: Tombstone, data: bytes) -> Subject:
        """Return what must be attested about a tombstone's file."""
        return cls(
            path=stone.path,
            node_id=stone.id,
            node_type=stone.node_type,
            version=stone.version,
            owner=stone.owner,
            sha256=sha256(data).hexdigest(),
            is_node=False,
        )

    @property
    def needs_verifier(self) -> bool:
        """Whether a second signature is needed: from tier 4 on, in lane core, where ``verified: true`` is claimed."""
        return self.is_node and (self.tier >= VERIFIED_TIER or self.lane == "core" or self.verified)
