"""What an attestation says: the format.

Beside ``<name>.yaml`` stands ``<name>.dsse.json``: one canonical DSSE envelope (:mod:`nodespec.envelope`) of an in-toto
Statement (:mod:`nodespec.statement`) with the predicate type ``urn:nodespec:attestation:v1``, one subject, the path and
the SHA-256 of the file's bytes, and this predicate::

    registry_id    the registry it was made for
    node_id        <node type>/<name>
    version        the node's version
    action         register | update | transfer | deregister
    owner          {handle, record}: who signs, and which record of the owner's chain was current
    from_owner     null, or in a transfer {handle, record} of the owner who gives the node away and signs, too
    verifier       null, or {handle, record} of the second signature
    sequence       0 with action register, and one more with each attestation of the node
    previous       null with sequence 0, else the hex SHA-256 of the payload of the node's attestation before
    issued_at      UTC, for people; nothing is decided by it
    nonce          32 hex digits, so that no two payloads are alike

Only the latest attestation is in the tree; Git's history holds the chain, and a comparison with a base (family C)
checks the link.

>>> from datetime import UTC, datetime
>>> claim = Attestation(
...     path="registry/nodes/lab/probe.yaml",
...     sha256="00" * 32,
...     registry_id="acme",
...     node_id="lab/probe",
...     version="1.0.0",
...     action="register",
...     owner=Party(handle="GLYMPH:" + "ab" * 32, record=0),
...     from_owner=None,
...     verifier=None,
...     sequence=0,
...     previous=None,
...     issued_at=datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC),
...     nonce="0" * 32,
... )
>>> claim.payload.decode()[:119]
'{"_type":"https://in-toto.io/Statement/v1","predicate":{"action":"register","from_owner":null,"issued_at":"2026-03-14T0'
>>> claim.digest
'554f9f436a2290c2367b4ab54b4429797925a18784f4eda6a757c7643e52bd29'
>>> Attestation.parse(claim.payload) == claim
True
"""

from __future__ import annotations

import re
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec import claims, envelope, statement
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from nodespec.envelope import Envelope

PREDICATE = "urn:nodespec:attestation:v1"
ACTIONS = ("register", "update", "transfer", "deregister")

_FIELDS = (
    "registry_id",
    "node_id",
    "version",
    "action",
    "owner",
    "from_owner",
    "verifier",
    "sequence",
    "previous",
    "issued_at",
    "nonce",
)
_NONCE = re.compile(r"[0-9a-f]{32}\Z")


@frozen
class Party:
    """An owner, and the record of its chain that was current."""

    handle: str
    record: int

    def fields(self) -> dict[str, Any]:
        """Return it as the payload holds it."""
        return {"handle": self.handle, "record": self.record}


@frozen(slots=False)
class Attestation:
    """What an attestation says; ``path`` and ``sha256`` are its subject's."""

    path: str
    sha256: str
    registry_id: str
    node_id: str
    version: str
    action: str
    owner: Party
    from_owner: Party | None
    verifier: Party | None
    sequence: int
    previous: str | None
    issued_at: datetime
    nonce: str

    @property
    def parties(self) -> tuple[Party, ...]:
        """Everybody who must sign."""
        return tuple(party for party in (self.owner, self.from_owner, self.verifier) if party is not None)

    @cached_property
    def payload(self) -> bytes:
        """The canonical JSON that is signed."""
        predicate = {
            "registry_id": self.registry_id,
            "node_id": self.node_id,
            "version": self.version,
            "action": self.action,
            "owner": self.owner.fields(),
            "from_owner": self.from_owner.fields() if self.from_owner else None,
            "verifier": self.verifier.fields() if self.verifier else None,
            "sequence": self.sequence,
            "previous": self.previous,
            "issued_at": claims.moment(self.issued_at),
            "nonce": self.nonce,
        }
        return statement.payload([statement.subject(self.path, sha256=self.sha256)], PREDICATE, predicate)

    @cached_property
    def digest(self) -> str:
        """The hex SHA-256 of the payload: what the next attestation calls ``previous``."""
        return sha256(self.payload).hexdigest()

    @classmethod
    def parse(cls, payload: bytes) -> Attestation:
        """Read a payload; raise ``ValueError`` unless it is exactly what :attr:`payload` writes."""
        subjects, predicate = statement.parse(payload, PREDICATE)
        fields = claims.members(predicate, _FIELDS, "the predicate")
        subject = claims.members(claims.items(subjects, "subject", least=1, most=1)[0], ("name", "digest"), "a subject")
        digests = claims.members(subject["digest"], ("sha256",), "the subject's digest")
        previous, nonce = fields["previous"], claims.text(fields["nonce"], "nonce")
        found = cls(
            path=claims.text(subject["name"], "the subject's name"),
            sha256=claims.digest(digests["sha256"], "the subject's sha256"),
            registry_id=claims.text(fields["registry_id"], "registry_id"),
            node_id=claims.text(fields["node_id"], "node_id"),
            version=claims.text(fields["version"], "version"),
            action=claims.one_of(fields["action"], ACTIONS, "action"),
            owner=_party(fields["owner"], "owner"),
            from_owner=None if fields["from_owner"] is None else _party(fields["from_owner"], "from_owner"),
            verifier=None if fields["verifier"] is None else _party(fields["verifier"], "verifier"),
            sequence=claims.count(fields["sequence"], "sequence"),
            previous=None if previous is None else claims.digest(previous, "previous"),
            issued_at=claims.parse_moment(fields["issued_at"], "issued_at"),
            nonce=nonce,
        )
        if not _NONCE.match(nonce):
            raise ValueError("nonce must be 32 lower-case hex digits")
        if (found.sequence == 0, found.previous is None) != (found.action == "register",) * 2:
            raise ValueError("sequence 0, previous null and action register belong together")
        if (found.action == "transfer") != (found.from_owner is not None):
            raise ValueError("action transfer and from_owner belong together")
        if found.from_owner is not None and found.from_owner.handle == found.owner.handle:
            raise ValueError("from_owner and owner are one; a transfer is between two")
        if found.payload != payload:
            raise ValueError("it is not written canonically (RFC 8785)")
        return found


def _party(value: Any, name: str) -> Party:
    fields = claims.members(value, ("handle", "record"), name)
    return Party(handle=claims.handle(fields["handle"], name), record=claims.count(fields["record"], f"{name}.record"))


def read(data: bytes) -> tuple[Envelope, Attestation]:
    """Return an attestation as a registry keeps it, its signatures not verified; raise ``ValueError``."""
    sealed = envelope.parse_exact(data, statement.PAYLOAD_TYPE)
    return sealed, Attestation.parse(sealed.payload)
