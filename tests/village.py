"""A village of owners in memory: real keys, a real trust root, nodes that their owners signed.

Everything here does what an honest writer would do, with keys made for the occasion. Tests take the files, change what
an attacker would change, and judge the tree. :func:`Village.tree` is what stands there now; :func:`Village.codes` what
families P and C say.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec import document, envelope, keys, owner, schema, seal, spec, statement, tombstone, trust
from nodespec.attestation import Attestation, Party, Subject
from nodespec.chain import record_path
from nodespec.judge import judge
from nodespec.owner import Record, Recovery, Revocation
from nodespec.quorum import Quorum, in_order
from nodespec.seal import Seal
from nodespec.spec import LANES
from nodespec.tree import (
    NODE_SCHEMA_PATH,
    SEAL_PATH,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    TRUST,
    MemoryTree,
    attestation_path,
    node_path,
    tombstone_path,
)
from nodespec.trust import Delegation, Root
from nodespec.verdict import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nodespec.finding import Finding
    from nodespec.keys import PrivateKey

NOW = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)
REGISTRY_ID = "lab.village"
PROVENANCE = Selection.parse(["P", "C"])

SETTINGS = f"""schema_version: registry.v1
registry_id: {REGISTRY_ID}
newcomers:
  lanes: [candidate]
  max_tier: 1
  max_nodes: 2
"""

NODE = """node_type: {node_type}
metadata:
  name: {name}
  version: {version}
  schema_version: nodespec.v1
  authors: [Ada]
  created_at: "2026-01-31"
identity:
  owner_id: {owner}
  lane: {lane}
  tier: {tier}
  roles: [probe]
interfaces:
  inputs: []
  outputs: []
  signals:
    emits:
      - name: {name}_measured
    subscribes: []
contracts: {{}}
provenance_manifest:
  glymph_enabled: true
  signing_scheme: {scheme}
security: {security}
"""

SECURITY = """
  attestation:
    report: urn:lab:evidence
    verifier: {verifier}
    timestamp: "2026-02-19T09:30:00Z"
    nonce: "d1095511c3f24761bf3cd8f4f5a314f6"
    verified: {verified}
    proof_type: tpm
"""


@cache
def key(label: str, scheme: str = "ml-dsa-44") -> PrivateKey:
    """Return a private key by its label: the same one all through a test run."""
    return keys.generate(scheme)


@dataclass
class Owner:
    """An owner with the private keys of each of its records."""

    handle: str
    name: str
    records: list[Record]
    private: list[list[PrivateKey]]

    @property
    def party(self) -> Party:
        """The owner as an attestation names it now."""
        return Party(handle=self.handle, record=len(self.records) - 1)


@dataclass
class Village:
    """A registry under way: ``files`` are what a commit would hold."""

    files: dict[str, bytes] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    roots: list[Root] = field(default_factory=list)
    root_keys: list[list[PrivateKey]] = field(default_factory=list)
    nonces: int = 0

    # What stands there, and what is said about it.

    def tree(self) -> MemoryTree:
        """Return what stands there now."""
        return MemoryTree(dict(self.files))

    def copy(self) -> Village:
        """Return a village that goes its own way from here; keys are shared."""
        return Village(
            files=dict(self.files),
            owners={name: copy.copy(one) for name, one in self._deep_owners()},
            roots=list(self.roots),
            root_keys=list(self.root_keys),
            nonces=self.nonces,
        )

    def _deep_owners(self) -> Iterable[tuple[str, Owner]]:
        for name, one in self.owners.items():
            yield name, Owner(one.handle, one.name, list(one.records), list(one.private))

    def findings(self, base: Village | None = None, now: datetime = NOW) -> tuple[Finding, ...]:
        """Return the findings of families P and C, in order."""
        report = judge(self.tree(), selection=PROVENANCE, base=base.tree() if base else None, now=now)
        return report.findings

    def codes(self, base: Village | None = None, now: datetime = NOW) -> list[str]:
        """Return the codes of the findings, in order."""
        return [finding.code for finding in self.findings(base, now)]

    # Trust.

    def found(self, registry_id: str = REGISTRY_ID, **changes: Any) -> Root:
        """Write version 1 of the trust root: two of three root keys, delegations to Ada and Bob, Vera as verifier."""
        private = [key(f"root {number}") for number in range(3)]
        delegations = [
            Delegation(owner=self.owners["Ada"].handle, node_types=("lab.memory",), lanes=LANES, max_tier=6),
            Delegation(owner=self.owners["Bob"].handle, node_types=("lab.dream",), lanes=LANES, max_tier=6),
        ]
        root = Root(
            version=1,
            previous=None,
            registry_id=registry_id,
            issued_at=NOW - timedelta(days=30),
            expires=NOW + timedelta(days=335),
            roles={
                "root": Quorum(keys=in_order(one.public for one in private), threshold=2),
                "checkpoint": Quorum(keys=(key("checkpoint").public,), threshold=1),
                "maintainer": Quorum(keys=(key("maintainer").public,), threshold=1),
            },
            verifiers=(self.owners["Vera"].handle,),
            checkpoint_schemes=("ml-dsa-44",),
            attestation_schemes=("ml-dsa-44", "ml-dsa-65", "ed25519"),
            delegations=trust.in_order(delegations),
        )
        return self.add_root(replace(root, **changes), private, private[:2])

    def add_root(self, root: Root, private: list[PrivateKey], signers: list[PrivateKey]) -> Root:
        """Write a version of the trust root, signed by ``signers``."""
        self.files[record_path(TRUST, root.version)] = sealed(trust.PAYLOAD_TYPE, root.payload(), signers)
        self.roots.append(root)
        self.root_keys.append(private)
        return root

    def next_root(self, signers: list[PrivateKey] | None = None, **changes: Any) -> Root:
        """Write the next version, by default signed by two of the root keys."""
        last, private = self.roots[-1], self.root_keys[-1]
        previous = sha256(last.payload()).hexdigest()
        root = replace(last, version=last.version + 1, previous=previous, **changes)
        return self.add_root(root, private, signers if signers is not None else private[:2])

    # Owners.

    def owner(self, name: str, private: list[PrivateKey] | None = None, threshold: int = 1) -> Owner:
        """Write the genesis of a new owner; by default with one key of its own."""
        own = private or [key(name)]
        record = Record(sequence=0, previous=None, name=name, quorum=_quorum(own, threshold))
        made = Owner(owner.handle_of(record.payload()), name, [record], [own])
        self.owners[name] = made
        self.files[record_path(owner.folder_of(made.handle), 0)] = sealed(owner.PAYLOAD_TYPE, record.payload(), own)
        return made

    def add_record(self, name: str, private: list[PrivateKey], signers: list[PrivateKey], **changes: Any) -> Record:
        """Write the next record of an owner, signed by ``signers``."""
        one = self.owners[name]
        last = one.records[-1]
        record = Record(
            sequence=last.sequence + 1,
            previous=sha256(last.payload()).hexdigest(),
            name=changes.pop("name", name),
            quorum=_quorum(private, changes.pop("threshold", 1)),
            **changes,
        )
        path = record_path(owner.folder_of(one.handle), record.sequence)
        self.files[path] = sealed(owner.PAYLOAD_TYPE, record.payload(), signers)
        one.records.append(record)
        one.private.append(private)
        return record

    def rotate(self, name: str, label: str) -> Record:
        """Replace an owner's keys by a new one; the old ones and the new one sign."""
        old, new = self.owners[name].private[-1], [key(label)]
        return self.add_record(name, new, [*old, *new])

    def revoke(self, name: str, label: str, *, from_record: int = 0, standing: tuple[str, ...] = ()) -> Record:
        """Revoke an owner's current keys as compromised, and replace them by a new one."""
        old, new = self.owners[name].private[-1], [key(label)]
        gone = tuple(
            Revocation(key_id=one.public.key_id, reason="compromised", from_record=from_record, standing=standing)
            for one in sorted(old, key=lambda one: one.public.key_id)
        )
        return self.add_record(name, new, [*old, *new], revoked=gone)

    def recover(self, name: str, label: str, signers: list[PrivateKey] | None = None, **changes: Any) -> Record:
        """Put an owner back in possession, by two root keys and the new key."""
        new = [key(label)]
        gone = tuple(
            Revocation(key_id=one.public.key_id, reason="compromised", from_record=len(self.owners[name].records) - 1)
            for one in sorted(self.owners[name].private[-1], key=lambda one: one.public.key_id)
        )
        recovery = Recovery(registry_id=REGISTRY_ID, root_version=self.roots[-1].version)
        return self.add_record(
            name,
            new,
            [*(self.root_keys[-1][:2] if signers is None else signers), *new],
            **{"revoked": gone, "recovery": recovery, **changes},
        )

    # Nodes.

    def put(self, identifier: str, name: str, *, signers: list[PrivateKey] | None = None, **fields: Any) -> Attestation:
        """Write a node and its attestation: the first, or the one that follows from the one that stands there."""
        self.files[node_path(identifier)] = self.text(identifier, name, **fields)
        return self.attest(identifier, name, signers=signers)

    def text(self, identifier: str, name: str, **fields: Any) -> bytes:
        """Return a node's file."""
        node_type, _, node_name = identifier.rpartition("/")
        security = "{}"
        if "verifier" in fields:
            verifier = self.owners[fields.pop("verifier")].handle
            security = SECURITY.format(verifier=verifier, verified=str(fields.pop("verified", True)).lower())
        values = {"version": "1.0.0", "lane": "candidate", "tier": 1, "scheme": "ml-dsa-44", **fields}
        text = NODE.format(
            node_type=node_type, name=node_name, owner=self.owners[name].handle, security=security, **values
        )
        return text.encode()

    def attest(
        self, identifier: str, name: str, *, signers: list[PrivateKey] | None = None, **changes: Any
    ) -> Attestation:
        """Write an attestation of what stands there: honest, but for what ``changes`` says."""
        path = node_path(identifier)
        node = self.node(identifier)
        subject = Subject.of_node(node, self.files[path])
        return self._attest(subject, name, self.claim(identifier), signers, changes)

    def node(self, identifier: str) -> spec.NodeSpec:
        """Return what the node's file says."""
        path = node_path(identifier)
        value = document.parse(self.files[path]).value
        assert value is not None
        return spec.from_value(value, path)

    def claim(self, identifier: str) -> Attestation | None:
        """Return the attestation that stands there."""
        for path in (node_path(identifier), tombstone_path(identifier)):
            data = self.files.get(attestation_path(path))
            if data is not None:
                return Attestation.parse(envelope.parse(data).payload)
        return None

    def _attest(
        self,
        subject: Subject,
        name: str,
        before: Attestation | None,
        signers: list[PrivateKey] | None,
        changes: Mapping[str, Any],
    ) -> Attestation:
        self.nonces += 1
        verifier = None
        private = list(self.owners[name].private[-1])
        if subject.needs_verifier and subject.verifier:
            other = next(one for one in self.owners.values() if one.handle == subject.verifier)
            verifier = other.party
            private += [one for one in other.private[-1] if one not in private]
        action = "update" if before else "register"
        fields: dict[str, Any] = {
            "path": subject.path,
            "sha256": subject.sha256,
            "registry_id": REGISTRY_ID,
            "node_id": subject.node_id,
            "version": subject.version,
            "action": action if subject.is_node else "deregister",
            "owner": self.owners[name].party,
            "from_owner": None,
            "verifier": verifier,
            "sequence": before.sequence + 1 if before else 0,
            "previous": before.digest if before else None,
            "issued_at": NOW,
            "nonce": f"{self.nonces:032x}",
        }
        claim = Attestation(**{**fields, **changes})
        signed = sealed(statement.PAYLOAD_TYPE, claim.payload, private if signers is None else signers)
        self.files[attestation_path(subject.path)] = signed
        return claim

    def transfer(self, identifier: str, giver: str, taker: str, signers: list[PrivateKey] | None = None) -> Attestation:
        """Hand a node over; by default both sign."""
        self.files[node_path(identifier)] = self.text(identifier, taker, version="1.0.1")
        both = [*self.owners[giver].private[-1], *self.owners[taker].private[-1]]
        return self.attest(
            identifier,
            taker,
            signers=both if signers is None else signers,
            action="transfer",
            from_owner=self.owners[giver].party,
        )

    def deregister(self, identifier: str, name: str) -> Attestation:
        """Take a node out and leave its tombstone."""
        stone = tombstone.of_node(self.node(identifier), reason="done", successor=None, dangling=None)
        before = self.claim(identifier)
        data = tombstone.dump(stone)
        for path in (node_path(identifier), attestation_path(node_path(identifier))):
            del self.files[path]
        self.files[stone.path] = data
        return self._attest(Subject.of_tombstone(stone, data), name, before, None, {})

    # The seal.

    def seal(self, **changes: Any) -> Seal:
        """Write the seal that follows, signed by the maintainer."""
        data = self.files.get(SEAL_PATH)
        before = seal.read(data)[1] if data else None
        made = Seal(
            registry_id=REGISTRY_ID,
            files=seal.digests(self.files, self.files.get),
            sequence=before.sequence + 1 if before else 0,
            previous=before.digest if before else None,
            issued_at=NOW,
        )
        made = replace(made, **changes)
        self.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, made.payload(), [key("maintainer")])
        return made

    # The files of an attestation, to be tampered with.

    def attestation_file(self, identifier: str) -> str:
        """Return where a node's attestation stands."""
        return attestation_path(node_path(identifier))

    def signed(self, identifier: str) -> envelope.Envelope:
        """Return a node's envelope."""
        return envelope.parse(self.files[self.attestation_file(identifier)])

    def replace_signed(self, identifier: str, changed: envelope.Envelope) -> None:
        """Put another envelope in its place."""
        self.files[self.attestation_file(identifier)] = changed.dump()


def _quorum(private: list[PrivateKey], threshold: int) -> Quorum:
    return Quorum(keys=in_order(one.public for one in private), threshold=threshold)


def sealed(payload_type: str, payload: bytes, signers: list[PrivateKey]) -> bytes:
    """Return the bytes of an envelope signed by ``signers``."""
    return envelope.seal(payload_type, payload, [(one.public.key_id, one) for one in signers]).dump()


PROBE = "lab.memory/probe"
SCOUT = "lab.dream/scout"
GUARD = "lab.memory/guard"


def village() -> Village:
    """A small honest registry: Ada's probe and guard (tier 4, verified by Vera), Bob's scout, and Newt, a newcomer."""
    made = Village()
    made.files |= {path: schema.builtin_bytes(path) for path in (NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH)}
    made.files[SETTINGS_PATH] = SETTINGS.encode()
    for name in ("Ada", "Bob", "Vera", "Newt"):
        made.owner(name)
    made.found()
    made.put(PROBE, "Ada")
    made.put(GUARD, "Ada", tier=4, verifier="Vera")
    made.put(SCOUT, "Bob")
    return made
