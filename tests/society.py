"""A society of owners, in memory: a whole registry with real keys, in which every file is what an honest writer makes.

A test founds a :class:`Society`, lets its members do what members do (register, update, transfer, rotate, revoke,
recover), takes a :meth:`Society.tree` of it, and judges that with :func:`verdict`. Nobody here cheats. Whoever wants
to, in a test, has the words for it:

- ``society.reword(path, sequence=7)``: those whom the attestation names sign other words;
- ``society.forge(path, sequence=7)``: other words under the old signatures;
- ``society.sign(path, key)`` and ``society.cosign(path, key)``: the same words, signed by these keys alone, or as well;
- ``society.change(path, stripped, key_id)``: the bytes of a file, put through a function of
  :mod:`tests.attacks.tampering`.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodespec import attestation, builtin, envelope, keys, owner, seal, settings, statement, tombstone, trust
from nodespec.attestation import Attestation, Party
from nodespec.chain import record_path
from nodespec.judge import judge
from nodespec.keys import generate
from nodespec.owner import Record, Recovery, Revocation
from nodespec.provenance import Provenance
from nodespec.quorum import Quorum, in_order
from nodespec.reading import read_checked
from nodespec.rules import change, families_of
from nodespec.tree import (
    NODE_SCHEMA_PATH,
    SEAL_PATH,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    TOMBSTONE_SCHEMA_PATH,
    TRUST,
    MemoryTree,
    attestation_path,
    node_path,
    tombstone_path,
)
from nodespec.trust import Delegation, Root
from nodespec.verdict import Selection
from tests.attacks.tampering import with_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nodespec.finding import Finding
    from nodespec.keys import PrivateKey, PublicKey
    from nodespec.tree import Tree

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
YEAR = timedelta(days=365)
REGISTRY_ID = "lab.society"
PUBLISHED = Path(__file__).parent / "keys"


# Who there is.


@dataclass(kw_only=True, repr=False)
class Owner:
    """Somebody with a handle: all their records, and the private keys of each."""

    handle: str
    records: list[Record]
    wallets: list[tuple[PrivateKey, ...]]

    @property
    def name(self) -> str:
        return self.records[-1].name

    @property
    def key(self) -> PrivateKey:
        """A key that speaks for the owner now."""
        return self.wallets[-1][0]

    def party(self, record: int = -1) -> Party:
        """How an attestation names the owner; by default with the current record."""
        return Party(handle=self.handle, record=self.records[record].sequence)

    def signers(self, record: int = -1) -> tuple[PrivateKey, ...]:
        """As many keys of a record as it takes."""
        return self.wallets[record][: self.records[record].quorum.threshold]

    def path(self, record: int = -1) -> str:
        return record_path(owner.folder_of(self.handle), self.records[record].sequence)


@dataclass(frozen=True, kw_only=True)
class Node:
    """What the text of a NodeSpec says, as far as anybody's say in it goes."""

    id: str
    owner: str
    version: str = "1.0.0"
    lane: str = "candidate"
    tier: int = 1
    scheme: str = "ml-dsa-44"
    verifier: str | None = None
    verified: bool = False

    @property
    def needs_verifier(self) -> bool:
        return self.verified or self.tier >= attestation.VERIFIED_TIER or self.lane == "core"

    def text(self) -> bytes:
        node_type, _, name = self.id.rpartition("/")
        lines = [
            f"node_type: {node_type}",
            "metadata:",
            f"  name: {name}",
            f"  version: {self.version}",
            "  schema_version: nodespec.v1",
            "  authors: [The society]",
            '  created_at: "2026-01-31"',
            "identity:",
            f"  owner_id: {self.owner}",
            f"  lane: {self.lane}",
            f"  tier: {self.tier}",
            "  roles: [probe]",
            "interfaces:",
            "  inputs: []",
            "  outputs: []",
            "  signals: {emits: [], subscribes: []}",
            "contracts: {}",
            "provenance_manifest:",
            "  glymph_enabled: true",
            f"  signing_scheme: {self.scheme}",
        ]
        if self.lane != "candidate":
            lines += ["observability:", "  metrics: {seen: probe_seen_total}"]
        if self.verifier is None:
            lines += ["security: {}"]
        else:
            lines += [
                "security:",
                "  attestation:",
                "    report: urn:lab:evidence:1",
                f"    verifier: {self.verifier}",
                '    timestamp: "2026-02-19T09:30:00Z"',
                '    nonce: "5f0c7b1e9a2d44838e6bb0c1f7d2a965"',
                f"    verified: {str(self.verified).lower()}",
                "    proof_type: remote",
            ]
        return "\n".join([*lines, ""]).encode()


@dataclass(kw_only=True, repr=False)
class Society:
    """A registry with a trust root of three keys, two of which decide, and four owners.

    - **Ada** holds ``lab.memory``, in every lane up to tier 6;
    - **Bob** holds ``lab.dream``, likewise;
    - **Vera** holds ``lab.audit``, and is the appointed verifier;
    - **Newt** is new, and holds nothing.
    """

    registry_id: str = REGISTRY_ID
    example: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    roots: list[Root] = field(default_factory=list)
    keyrings: list[dict[str, tuple[PrivateKey, ...]]] = field(default_factory=list)
    """The private keys of each version's roles."""
    nonces: int = 0

    def __post_init__(self) -> None:
        for path in (NODE_SCHEMA_PATH, SETTINGS_SCHEMA_PATH, TOMBSTONE_SCHEMA_PATH):
            self.files[path] = builtin.contract(path)
        self.configure(newcomers={"lanes": "[candidate]", "max_tier": 1, "max_nodes": 2})
        self.ada, self.bob, self.vera, self.newt = map(self.join, ("Ada", "Bob", "Vera", "Newt"))
        held = ((self.ada, "lab.memory"), (self.bob, "lab.dream"), (self.vera, "lab.audit"))
        keyring = {name: new_keys(count) for name, count in (("root", 3), ("checkpoint", 1), ("maintainer", 2))}
        keyring["checkpoint"] += new_keys(1, "ed25519")
        root = Root(
            version=1,
            previous=None,
            registry_id=self.registry_id,
            issued_at=NOW - YEAR / 2,
            expires=NOW + YEAR / 2,
            roles={name: quorum_of(keyring[name], 1 if name == "maintainer" else 2) for name in trust.ROLES},
            verifiers=(self.vera.handle,),
            checkpoint_schemes=("ml-dsa-44", "ed25519"),
            attestation_schemes=("ml-dsa-44", "ed25519"),
            delegations=trust.in_order([delegation(who, node_type) for who, node_type in held]),
        )
        self.write_root(root, keyring, keyring["root"][:2])

    # What there is.

    def tree(self) -> MemoryTree:
        """The registry as it stands; what happens later does not change it."""
        return MemoryTree(dict(self.files))

    def fork(self) -> Society:
        """A second history that has been the same so far; what happens in one does not happen in the other."""
        twin = copy(self)
        twin.files, twin.nodes, twin.roots, twin.keyrings = map(
            copy, (self.files, self.nodes, self.roots, self.keyrings)
        )
        twin.owners = {
            handle: replace(who, records=[*who.records], wallets=[*who.wallets]) for handle, who in self.owners.items()
        }
        twin.ada, twin.bob, twin.vera, twin.newt = (
            twin.owners[who.handle] for who in (self.ada, self.bob, self.vera, self.newt)
        )
        return twin

    def provenance(self) -> Provenance:
        """What a verifier makes of the registry as it stands."""
        tree = self.tree()
        knobs = settings.from_value(read_checked(tree, SETTINGS_PATH, SETTINGS_SCHEMA_PATH))
        return Provenance(tree, knobs, NOW)

    def configure(self, **knobs: Any) -> None:
        """Write registry.yaml anew."""
        lines = ["schema_version: registry.v1", f"registry_id: {self.registry_id}"]
        lines += ["example: true"] * self.example
        for name, knob in knobs.items():
            lines += [f"{name}:", *(f"  {key}: {value}" for key, value in knob.items())]
        self.files[SETTINGS_PATH] = "\n".join([*lines, ""]).encode()

    # Owners.

    def join(self, name: str, *wallet: PrivateKey, threshold: int = 1) -> Owner:
        """Somebody shows their keys for the first time."""
        wallet = wallet or new_keys(1)
        genesis = Record(sequence=0, previous=None, name=name, quorum=quorum_of(wallet, threshold))
        who = Owner(handle=owner.handle_of(genesis.payload()), records=[], wallets=[])
        self.owners[who.handle] = who
        self.write_record(who, genesis, wallet, wallet[:threshold])
        return who

    def rotate(self, who: Owner, *wallet: PrivateKey, threshold: int = 1, revoked: Iterable[Revocation] = ()) -> Record:
        """An owner goes over to other keys; by default to one new key."""
        wallet = wallet or new_keys(1)
        record = self.next_record(who, quorum_of(wallet, threshold), revoked)
        self.write_record(who, record, wallet, (*who.signers(), *wallet[:threshold]))
        return record

    def revoke(
        self, who: Owner, key: PrivateKey, reason: str, *, from_record: int = 0, standing: Iterable[str] = ()
    ) -> Record:
        """An owner gives a key up, and keeps the others; when there are none, makes a new one."""
        kept = tuple(other for other in who.wallets[-1] if other != key)
        return self.rotate(who, *kept, revoked=[revocation(key, reason, from_record, standing)])

    def recover(self, who: Owner, *wallet: PrivateKey, revoked: Iterable[Revocation] = (), version: int = -1) -> Record:
        """The trust root puts an owner back in possession, by default with one new key; ``version`` is an index."""
        wallet = wallet or new_keys(1)
        root = self.roots[version]
        record = replace(
            self.next_record(who, quorum_of(wallet, 1), revoked),
            recovery=Recovery(registry_id=self.registry_id, root_version=root.version),
        )
        rescuers = self.keyrings[version]["root"][: root.roles["root"].threshold]
        self.write_record(who, record, wallet, (*rescuers, wallet[0]))
        return record

    def next_record(self, who: Owner, quorum: Quorum, revoked: Iterable[Revocation] = ()) -> Record:
        """The record that would follow; nobody has signed it."""
        last = who.records[-1]
        return Record(
            sequence=last.sequence + 1,
            previous=digest_of(last.payload()),
            name=last.name,
            quorum=quorum,
            revoked=tuple(sorted(revoked, key=lambda item: item.key_id)),
        )

    def write_record(
        self, who: Owner, record: Record, wallet: Sequence[PrivateKey], signers: Iterable[PrivateKey]
    ) -> str:
        """Let these keys sign a record, and put it where it belongs."""
        who.records.append(record)
        who.wallets.append(tuple(wallet))
        self.files[who.path()] = sealed(owner.PAYLOAD_TYPE, record.payload(), *signers)
        return who.path()

    # The trust root.

    @property
    def root(self) -> Root:
        return self.roots[-1]

    @property
    def keyring(self) -> dict[str, tuple[PrivateKey, ...]]:
        """The private keys of the newest version's roles."""
        return self.keyrings[-1]

    def renew(self, *, root_keys: tuple[PrivateKey, ...] = (), **changes: Any) -> Root:
        """The root's key holders sign the next version; ``root_keys`` are those who hold it from then on."""
        keyring = {**self.keyring, "root": root_keys} if root_keys else self.keyring
        if root_keys:
            changes["roles"] = {**self.root.roles, "root": quorum_of(root_keys, min(2, len(root_keys)))}
        root = replace(self.next_root(), **changes)
        self.write_root(root, keyring, (*self.root_signers(), *keyring["root"][: root.roles["root"].threshold]))
        return root

    def grant(self, who: Owner, *node_types: str) -> Root:
        """The root's key holders delegate more to somebody."""
        return self.renew(delegations=trust.in_order([*self.root.delegations, delegation(who, *node_types)]))

    def next_root(self) -> Root:
        """The version that would follow, all else being equal; nobody has signed it."""
        return replace(self.root, version=self.root.version + 1, previous=digest_of(self.root.payload()))

    def root_signers(self) -> tuple[PrivateKey, ...]:
        """As many root keys as it takes."""
        return self.keyring["root"][: self.root.roles["root"].threshold]

    def write_root(self, root: Root, keyring: dict[str, tuple[PrivateKey, ...]], signers: Iterable[PrivateKey]) -> str:
        """Let these keys sign a version of the trust root, and put it where it belongs."""
        self.roots.append(root)
        self.keyrings.append(keyring)
        path = record_path(TRUST, root.version)
        self.files[path] = sealed(trust.PAYLOAD_TYPE, root.payload(), *signers)
        return path

    def seal(self) -> str:
        """The maintainers seal what stands here."""
        before = self.provenance().seal
        made = seal.Seal(
            registry_id=self.registry_id,
            files=self.provenance().protected(),
            sequence=before.sequence + 1 if before else 0,
            previous=before.digest if before else None,
            issued_at=NOW,
        )
        self.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, made.payload(), self.keyring["maintainer"][0])
        return SEAL_PATH

    # Nodes.

    def register(self, identifier: str, *, by: Owner, **traits: Any) -> str:
        """Write a new node, and attest it; return its path."""
        return self.put(Node(id=identifier, owner=by.handle, **traits), "register")

    def update(self, identifier: str, **traits: Any) -> str:
        """Write a node anew, by default with the next version and no other change."""
        node = self.nodes[identifier]
        return self.put(replace(node, **{"version": next_version(node.version), **traits}), "update")

    def transfer(self, identifier: str, *, to: Owner, **traits: Any) -> str:
        """Hand a node over; both sides sign."""
        node = self.nodes[identifier]
        after = replace(node, owner=to.handle, **{"version": next_version(node.version), **traits})
        return self.put(after, "transfer", giver=self.owners[node.owner])

    def put(self, node: Node, action: str, *, giver: Owner | None = None) -> str:
        """Write a node's file and the attestation that this action asks for."""
        path, text = node_path(node.id), node.text()
        claim = self.claim(node, action, path, text, giver=giver)
        self.files[path] = text
        self.nodes[node.id] = node
        self.attest(claim)
        return path

    def deregister(self, identifier: str) -> str:
        """Put a tombstone in a node's place; return its path."""
        node = self.nodes[identifier]
        path = tombstone_path(identifier)
        stone = tombstone.Tombstone(
            node_type=identifier.rpartition("/")[0],
            name=identifier.rpartition("/")[2],
            version=node.version,
            owner=node.owner,
            reason="It is no longer needed.",
            path=path,
        )
        text = tombstone.dump(stone)
        claim = self.claim(replace(node, verifier=None), "deregister", path, text)
        self.files[path] = text
        self.remove(node_path(identifier))
        self.attest(claim)
        return path

    def remove(self, path: str) -> None:
        """Delete a file, and the attestation beside it."""
        for gone in {path, attestation_path(path)}:
            del self.files[gone]

    # Attestations.

    def claim(self, node: Node, action: str, path: str, text: bytes, *, giver: Owner | None = None) -> Attestation:
        """What an attestation of this action says; unless it is the first, it follows from the one that stands here."""
        before = None if action == "register" else self.attestation(node.id)
        self.nonces += 1
        verifier = self.owners.get(node.verifier) if node.verifier and node.needs_verifier else None
        return Attestation(
            path=path,
            sha256=digest_of(text),
            registry_id=self.registry_id,
            node_id=node.id,
            version=node.version,
            action=action,
            owner=self.owners[node.owner].party(),
            from_owner=giver.party() if giver else None,
            verifier=verifier.party() if verifier else None,
            sequence=before.sequence + 1 if before else 0,
            previous=before.digest if before else None,
            issued_at=NOW,
            nonce=f"{self.nonces:032x}",
        )

    def attestation(self, identifier: str) -> Attestation | None:
        """The attestation that stands beside a node, or beside its tombstone."""
        for path in (node_path(identifier), tombstone_path(identifier)):
            if attestation_path(path) in self.files:
                return attestation.read(self.files[attestation_path(path)])[1]
        return None

    def attest(self, claim: Attestation, *wallet: PrivateKey) -> str:
        """Put an attestation beside its file, signed by these keys, by default by everybody whom it names."""
        signers = wallet or self.signers_of(claim)
        path = attestation_path(claim.path)
        self.files[path] = sealed(statement.PAYLOAD_TYPE, claim.payload, *signers)
        return path

    def signers_of(self, claim: Attestation) -> tuple[PrivateKey, ...]:
        """As many keys as it takes, of everybody whom an attestation names, from the records that it names."""
        return tuple(key for party in claim.parties for key in self.owners[party.handle].signers(party.record))

    # Tampering.

    def reword(self, path: str, /, *wallet: PrivateKey, **fields: Any) -> str:
        """Change what the attestation beside a file says, and let those whom it names, or these keys, sign that."""
        return self.attest(replace(self._said(path), **fields), *wallet)

    def forge(self, path: str, /, **fields: Any) -> str:
        """Change what the attestation beside a file says, and leave the signatures as they are."""
        payload = replace(self._said(path), **fields).payload
        return self.change(attestation_path(path), with_payload, payload)

    def sign(self, path: str, *wallet: PrivateKey) -> str:
        """Let these keys alone sign what the attestation beside a file says."""
        return self.attest(self._said(path), *wallet)

    def cosign(self, path: str, *wallet: PrivateKey) -> str:
        """Add signatures by these keys to those beside a file."""
        pairs = [(key.public.key_id, key) for key in wallet]
        return self.change(attestation_path(path), lambda data: envelope.parse(data).signed_with(pairs).dump())

    def change(self, path: str, how: Callable[..., bytes], *arguments: Any, **options: Any) -> str:
        """Put the bytes of a file through a function."""
        data = self.files[path]
        self.files[path] = how(data, *arguments, **options)
        assert self.files[path] != data
        return path

    def _said(self, path: str) -> Attestation:
        return attestation.read(self.files[attestation_path(path)])[1]


# Keys, and what is signed with them.


def new_keys(count: int, scheme: str = "ml-dsa-44") -> tuple[PrivateKey, ...]:
    """Fresh keys."""
    return tuple(generate(scheme) for _ in range(count))


def published_key() -> PrivateKey:
    """A key whose private half stands in this repository, so that everybody has it."""
    file = PUBLISHED / "keys" / "root-a.ml-dsa-44.key.pem"
    passphrase = (PUBLISHED / "passphrase.txt").read_text(encoding="utf-8").strip()
    return keys.load_private(file.read_bytes(), passphrase, name=file.name)


def quorum_of(wallet: Iterable[PrivateKey], threshold: int) -> Quorum:
    """So many of these keys."""
    return Quorum(keys=publics(*wallet), threshold=threshold)


def publics(*wallet: PrivateKey) -> tuple[PublicKey, ...]:
    """The public halves, as records list them."""
    return in_order(key.public for key in wallet)


def delegation(who: Owner, *node_types: str) -> Delegation:
    """Leave to publish these types and below, in every lane, up to tier 6."""
    lanes = ("candidate", "core", "lukhas", "products")
    return Delegation(owner=who.handle, node_types=tuple(sorted(node_types)), lanes=lanes, max_tier=6)


def revocation(key: PrivateKey, reason: str, from_record: int = 0, standing: Iterable[str] = ()) -> Revocation:
    """A key that stops."""
    return Revocation(
        key_id=key.public.key_id, reason=reason, from_record=from_record, standing=tuple(sorted(standing))
    )


def sealed(payload_type: str, payload: bytes, *signers: PrivateKey) -> bytes:
    """A file that these keys have signed."""
    return envelope.seal(payload_type, payload, list({key.public.key_id: key for key in signers}.items())).dump()


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


def next_version(version: str) -> str:
    major, minor, patch = version.split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


# What comes of it.

Found = list[tuple[str, str]]
"""(code, path) of each finding, in order."""

ABOUT_SIGNATURES = tuple(sorted(rule.code for rule in families_of("C") if rule.check.__module__ == change.__name__))
"""The rules of family C that are about who signed; what a node may say next is for test_evolution.py."""

SIGNED = Selection.parse(["F", "S", "P", *ABOUT_SIGNATURES])
"""Family P, what C says about signatures, and those without which they would not get to see a file."""


def findings(tree: Tree, base: Tree | None = None) -> tuple[Finding, ...]:
    """What families P and C find about signatures, now; whoever asks has no other mistakes in their files."""
    report = judge(tree, selection=SIGNED, base=base, now=NOW)
    assert report.families["C"] == ("run" if base is not None else "not run")
    return report.findings


def verdict(tree: Tree, base: Tree | None = None) -> Found:
    """What families P and C find, now, as (code, path)."""
    return [(finding.code, finding.path) for finding in findings(tree, base)]
