"""Attestations: who stands behind a file, signed over exactly its bytes.

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

Only the latest attestation is in the tree; Git's history holds the chain, and a comparison with a base (family C) checks the
link. :func:`verify` takes the steps that need no history.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from nodespec import claims, envelope, statement
from nodespec.encoding import quoted
from nodespec.keys import SCHEME_ALIASES
from nodespec.owner import Chain
from nodespec.quorum import short
from nodespec.spec import LANES
from nodespec.tree import node_id
from nodespec.verification import Problem, Step, Verification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nodespec.envelope import Envelope
    from nodespec.finding import KeyPath
    from nodespec.keys import PublicKey
    from nodespec.settings import Newcomers
    from nodespec.spec import NodeSpec
    from nodespec.tombstone import Tombstone
    from nodespec.trust import Root

PREDICATE = "urn:nodespec:attestation:v1"
ACTIONS = ("register", "update", "transfer", "deregister")

VERIFIED_TIER = 4
"""From this tier on, and in lane core, somebody else must sign as well."""

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
_OWNER: KeyPath = ("identity", "owner_id")
_VERIFIER: KeyPath = ("security", "attestation", "verifier")
_SCHEME: KeyPath = ("provenance_manifest", "signing_scheme")


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An owner, and the record of its chain that was current."""

    handle: str
    record: int

    def fields(self) -> dict[str, Any]:
        """Return it as the payload holds it."""
        return {"handle": self.handle, "record": self.record}


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
        """Whether a second signature is needed: from tier 4 on, in lane core, and where ``verified: true`` is claimed."""
        return self.is_node and (self.tier >= VERIFIED_TIER or self.lane == "core" or self.verified)


class Believed(Protocol):
    """What the verifier believes beforehand."""

    @property
    def root(self) -> Root:
        """The newest version of the trust root."""

    @property
    def newcomers(self) -> Newcomers | None:
        """What an owner without a delegation may publish."""

    def chain(self, handle: str) -> Chain | Problem:
        """Return an owner's verified chain, or why there is none."""


def verify(subject: Subject, data: bytes | None, believed: Believed) -> Verification:
    """Verify the attestation ``data`` of a file, without history.

    1. It is one canonical DSSE envelope of an in-toto Statement.
    2. The owner whom the *file* names has a chain that verifies.
    3. A key of that chain signed it; only now is the payload looked at. It is an attestation in its one form.
    4. It is about this registry, this node, this path and this version.
    5. It is about exactly these bytes.
    6. It names this owner and an existing record, and enough keys of that record signed that nothing has revoked.
    7. One of these signatures is of the scheme that the file declares.
    8. In a transfer, enough keys of the owner who gives the node away signed, too.
    9. From tier 4 on, in lane core, and where ``verified: true`` is claimed: the verifier whom the file names, who is
       appointed by the trust root and not the owner, signed, too.
    10. Nobody else signed, and no signature is false.
    11. The trust root delegates this type, lane and tier to the owner, or they are open to newcomers.

    What the caller still owes stands in the result.
    """
    return _Verifier(subject, believed).run(data)


_OWED = (
    "whether the records it names are still current, and whether it follows from the node's attestation before: a base shows "
    "that (nodespec validate --base REV)",
)


class _Verifier:
    """One verification under way; each step appends itself."""

    def __init__(self, subject: Subject, believed: Believed) -> None:
        self.subject = subject
        self.believed = believed
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self.valid: dict[str, PublicKey] = {}
        self.known: set[str] = set()
        self.owner_keys: set[str] = set()
        self.digest = ""

    def run(self, data: bytes | None) -> Verification:
        sealed = self._open(data)  # 1
        chain = self._chain(self.subject.owner, _OWNER, "owner") if sealed else None  # 2
        claim = self._authentic(sealed, chain) if sealed and chain else None  # 3
        if sealed and chain and claim:
            self._about(claim)  # 4
            self._bytes(claim)  # 5
            self._owner(claim, chain)  # 6, 7
            self._transfer(sealed, claim)  # 8
            self._verifier(sealed, claim)  # 9
            self._others(sealed)  # 10
            if self.subject.is_node:
                self._delegated()  # 11
        return Verification(steps=tuple(self.steps), owed=_OWED, problems=tuple(self.problems))

    def _step(self, name: str, problems: Sequence[Problem], seen: str) -> bool:
        if problems:
            self.problems += problems
            seen = "; ".join(item.message for item in problems)
        self.steps.append(Step(name, not problems, seen))
        return not problems

    def _open(self, data: bytes | None) -> Envelope | None:
        if data is None:
            message = "no attestation stands beside this file, so nobody stands behind it"
            self._step("envelope", [Problem(slug="attestation-missing", message=message)], "")
            return None
        try:
            sealed = envelope.parse_exact(data, statement.PAYLOAD_TYPE)
        except ValueError as error:
            problem = Problem(
                slug="attestation-malformed", message=f"the attestation is not a signed envelope: {error}"
            )
            self._step("envelope", [problem], "")
            return None
        number = len(sealed.signatures)
        self._step("envelope", [], f"{number} signature{'s' * (number != 1)}")
        self.digest = sealed.digest
        return sealed

    def _chain(self, handle: str, at: KeyPath, name: str) -> Chain | None:
        found = self.believed.chain(handle)
        if isinstance(found, Problem):
            self._step(f"{name} chain", [Problem(slug=found.slug, message=found.message, at=at, fix=found.fix)], "")
            return None
        seen = f"{found.current.name}, {len(found.records)} record{'s' * (len(found.records) != 1)}"
        self._step(f"{name} chain", [], seen)
        return found

    def _authentic(self, sealed: Envelope, chain: Chain) -> Attestation | None:
        keys = {key.key_id: key for record in chain.records for key in record.quorum.keys}
        self.owner_keys = set(keys)
        self._check_signatures(sealed, keys.values())
        if not self.valid:
            self._step("signature", [self._why_unsigned(sealed, chain, keys)], "")
            return None
        try:
            claim = Attestation.parse(sealed.payload)
        except ValueError as error:
            problem = Problem(slug="attestation-malformed", message=f"what is signed is not an attestation: {error}")
            self._step("signature", [problem], "")
            return None
        self._step("signature", [], ", ".join(f"{key.scheme} {short(key.key_id)}" for key in self.valid.values()))
        return claim

    def _why_unsigned(self, sealed: Envelope, chain: Chain, keys: dict[str, PublicKey]) -> Problem:
        """Say why the owner did not sign; the payload is looked at only to say it better."""
        given = [item.key_id for item in sealed.signatures]
        if any(key_id in keys for key_id in given):
            message = "the signature does not verify: the attestation was altered, or signed for something else"
            return Problem(slug="signature-invalid", message=message, at=_OWNER)
        if self._given_away(sealed):
            message = f"the former owner gave it away, and {chain.current.name} has yet to sign"
            return Problem(slug="threshold-not-met", message=message, at=_OWNER)
        names = ", ".join(map(short, given))
        message = f"it is signed by {names}, and no record of the owner {chain.current.name} lists that key"
        return Problem(slug="unlisted-key", message=message, at=_OWNER)

    def _given_away(self, sealed: Envelope) -> bool:
        try:
            claim = Attestation.parse(sealed.payload)
        except ValueError:
            return False
        if claim.from_owner is None or claim.owner.handle != self.subject.owner:
            return False
        giver = self.believed.chain(claim.from_owner.handle)
        if isinstance(giver, Problem) or claim.from_owner.record >= len(giver.records):
            return False
        return giver.records[claim.from_owner.record].quorum.counted(sealed).reached

    def _check_signatures(self, sealed: Envelope, keys: Any) -> None:
        by_id = {key.key_id: key for key in keys}
        self.known |= by_id.keys()
        for item in sealed.signatures:
            key = by_id.get(item.key_id)
            if key is not None and key.key_id not in self.valid and key.verify(item.value, sealed.message):
                self.valid[key.key_id] = key

    def _about(self, claim: Attestation) -> None:
        subject, problems = self.subject, []
        registry_id = self.believed.root.registry_id
        if claim.registry_id != registry_id:
            message = f"it was made for registry {quoted(claim.registry_id)}, and this is {quoted(registry_id)}"
            problems.append(Problem(slug="other-registry", message=message))
        elsewhere = claim.path if claim.path != subject.path else claim.node_id
        if (claim.path, claim.node_id) != (subject.path, subject.node_id) or node_id(claim.path) != claim.node_id:
            problems.append(Problem(slug="other-node", message=f"it was made for {quoted(elsewhere)}, another file"))
        elif claim.version != subject.version:
            message = f"it was made for version {quoted(claim.version)}, and the file says {quoted(subject.version)}"
            problems.append(Problem(slug="other-version", message=message, at=("metadata", "version")))
        if (claim.action == "deregister") == subject.is_node:
            message = f"its action is {claim.action}, which belongs to {'a tombstone' if subject.is_node else 'a node'}"
            problems.append(Problem(slug="other-node", message=message))
        self._step("subject", problems, f"{claim.action} {claim.node_id} {claim.version}, sequence {claim.sequence}")

    def _bytes(self, claim: Attestation) -> None:
        problems = []
        if claim.sha256 != self.subject.sha256:
            message = f"the file's bytes are not those that were signed (SHA-256 {self.subject.sha256[:16]}…, signed {claim.sha256[:16]}…)"
            problems.append(Problem(slug="digest-mismatch", message=message))
        self._step("bytes", problems, f"SHA-256 {claim.sha256[:16]}…")

    def _owner(self, claim: Attestation, chain: Chain) -> None:
        if claim.owner.handle != self.subject.owner:
            message = f"it is by owner {short(claim.owner.handle)}, and the file says {short(self.subject.owner)}"
            self._step("owner", [Problem(slug="other-owner", message=message, at=_OWNER)], "")
            return
        counted = self._counted("owner", chain, claim.owner.record, _OWNER, "threshold-not-met")
        if not self.subject.is_node or not counted:
            return
        schemes = sorted({key.scheme for key in counted})
        problems = []
        if self.subject.scheme not in schemes:
            message = f"the file declares {self.subject.scheme}, and its owner signed with {', '.join(schemes)}"
            problems.append(Problem(slug="scheme-mismatch", message=message, at=_SCHEME))
        self._step("scheme", problems, self.subject.scheme)

    def _counted(self, name: str, chain: Chain, record: int, at: KeyPath, slug: str) -> list[PublicKey]:
        """Count the keys of a record that signed and still mean something."""
        if record >= len(chain.records):
            message = (
                f"it names record {record} of {chain.current.name}, whose chain ends with {chain.current.sequence}"
            )
            self._step(name, [Problem(slug="unknown-record", message=message, at=at)], "")
            return []
        wanted = chain.records[record].quorum
        allowed = self.believed.root.attestation_schemes
        counted, problems = [], []
        for key in (key for key in wanted.keys if key.key_id in self.valid):
            void = chain.void(key.key_id, record, self.digest)
            if void is not None:
                message = f"key {short(key.key_id)} of {chain.current.name} is revoked as compromised from record {void.from_record} on"
                problems.append(Problem(slug="revoked-key", message=message, at=at))
            elif key.scheme not in allowed:
                message = f"{key.scheme} is not allowed here; the trust root allows {', '.join(allowed)}"
                problems.append(Problem(slug="scheme-not-allowed", message=message, at=_SCHEME))
            else:
                counted.append(key)
        if len(counted) < wanted.threshold and not problems:
            message = f"{len(counted)} of {wanted.threshold} needed signatures by the keys of record {record} of {chain.current.name}"
            problems.append(Problem(slug=slug, message=message, at=at))
        enough = len(counted) >= wanted.threshold
        seen = f"{chain.current.name}, record {record}: {len(counted)} of {wanted.threshold} needed signatures"
        self._step(name, [] if enough else problems, seen)
        return counted if enough else []

    def _transfer(self, sealed: Envelope, claim: Attestation) -> None:
        if claim.from_owner is None:
            return
        chain = self._chain(claim.from_owner.handle, _OWNER, "former owner")
        if chain is not None:
            self._check_signatures(sealed, [key for record in chain.records for key in record.quorum.keys])
            self._counted("transfer", chain, claim.from_owner.record, _OWNER, "transfer-unsigned")

    def _verifier(self, sealed: Envelope, claim: Attestation) -> None:
        subject = self.subject
        if not subject.needs_verifier and claim.verifier is None:
            return
        wanted = subject.verifier
        problem = None
        if wanted is None or claim.verifier is None or claim.verifier.handle != wanted:
            why = "verified: true is claimed" if subject.verified else f"tier {subject.tier} in lane {subject.lane}"
            whom = short(wanted) if wanted else "a verifier, whom security.attestation.verifier must name"
            problem = Problem(slug="verifier-missing", message=f"{why} needs the signature of {whom}", at=_VERIFIER)
        elif wanted == subject.owner:
            message = "the verifier is the owner; nobody vouches for themselves"
            problem = Problem(slug="self-verified", message=message, at=_VERIFIER)
        elif wanted not in self.believed.root.verifiers:
            message = f"{short(wanted)} is no verifier of this registry; the trust root appoints them"
            problem = Problem(slug="verifier-not-appointed", message=message, at=_VERIFIER)
        if problem is not None:
            self._step("verifier", [problem], "")
            return
        assert wanted is not None
        assert claim.verifier is not None
        chain = self._chain(wanted, _VERIFIER, "verifier")
        if chain is None:
            return
        keys = [key for record in chain.records for key in record.quorum.keys]
        shared = self.owner_keys & {key.key_id for key in keys}
        if shared:
            message = f"the verifier and the owner share key {short(min(shared))}; nobody vouches for themselves"
            self._step("verifier", [Problem(slug="self-verified", message=message, at=_VERIFIER)], "")
            return
        self._check_signatures(sealed, keys)
        self._counted("verifier", chain, claim.verifier.record, _VERIFIER, "verifier-missing")

    def _others(self, sealed: Envelope) -> None:
        problems = []
        for item in sealed.signatures:
            if item.key_id not in self.known:
                message = f"key {short(item.key_id)} signed, too, and belongs to nobody who has a say here"
                problems.append(Problem(slug="unlisted-key", message=message))
            elif item.key_id not in self.valid:
                message = f"the signature by key {short(item.key_id)} does not verify"
                problems.append(Problem(slug="signature-invalid", message=message))
        self._step("no others", problems, "every signature counts for somebody")

    def _delegated(self) -> None:
        subject, root = self.subject, self.believed.root
        granted = root.of_owner(subject.owner)
        problem = _beyond(subject, granted) if granted else _beyond_newcomers(subject, root, self.believed.newcomers)
        seen = "; ".join(map(str, granted)) or "open to newcomers"
        self._step("delegation", [problem] if problem else [], seen)


def _beyond(subject: Subject, granted: Sequence[Any]) -> Problem | None:
    """Return what none of the delegations allows: the type, the lane, or the tier."""
    slug = "delegation-exceeded"
    typed = [item for item in granted if item.covers_type(subject.node_type)]
    if not typed:
        prefixes = ", ".join(prefix for item in granted for prefix in item.node_types)
        message = f"type {subject.node_type} is not delegated to this owner, who has {prefixes}"
        return Problem(slug=slug, message=message, at=("node_type",))
    laned = [item for item in typed if subject.lane in item.lanes]
    if not laned:
        lanes = ", ".join(lane for lane in LANES if any(lane in item.lanes for item in typed))
        message = f"lane {subject.lane} is not delegated to this owner, who has {lanes}"
        return Problem(slug=slug, message=message, at=("identity", "lane"))
    highest = max(item.max_tier for item in laned)
    if subject.tier > highest:
        message = f"tier {subject.tier} is not delegated to this owner, who has up to {highest} here"
        return Problem(slug=slug, message=message, at=("identity", "tier"))
    return None


def _beyond_newcomers(subject: Subject, root: Root, newcomers: Newcomers | None) -> Problem | None:
    slug = "delegation-exceeded"
    if newcomers is None:
        message = "nothing is delegated to this owner, and registry.yaml opens nothing to newcomers"
        return Problem(slug=slug, message=message, at=_OWNER)
    if root.holders_of(subject.node_type):
        message = f"type {subject.node_type} is delegated to somebody else, and nothing to this owner"
        return Problem(slug=slug, message=message, at=("node_type",))
    if subject.lane not in newcomers.lanes:
        lanes = ", ".join(newcomers.lanes) or "no lane at all"
        message = f"nothing is delegated to this owner, and newcomers may publish in {lanes}, not in {subject.lane}"
        return Problem(slug=slug, message=message, at=("identity", "lane"))
    if subject.tier > newcomers.max_tier:
        message = f"nothing is delegated to this owner, and newcomers may claim tier {newcomers.max_tier} at most"
        return Problem(slug=slug, message=message, at=("identity", "tier"))
    return None
