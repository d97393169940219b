"""Whether an attestation holds, in numbered steps that need no history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from nodespec import envelope, statement
from nodespec.attestation.payload import Attestation
from nodespec.encoding import quoted
from nodespec.owner import Chain
from nodespec.quorum import Tally, short
from nodespec.spec import LANES
from nodespec.tree import node_id
from nodespec.verification import Problem, Step, Verification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.attestation.subject import Subject
    from nodespec.envelope import Envelope
    from nodespec.finding import KeyPath
    from nodespec.keys import PublicKey
    from nodespec.settings import Newcomers
    from nodespec.trust import Root

_OWNER: KeyPath = ("identity", "owner_id")
_VERIFIER: KeyPath = ("security", "attestation", "verifier")
_SCHEME: KeyPath = ("provenance_manifest", "signing_scheme")


class Believed(Protocol):
    """What the verifier believes beforehand."""

    @property
    def root(self) -> Root:
        """The newest version of the trust root."""

    @property
    def newcomers(self) -> Newcomers | None:
        """What an owner without a delegation may publish."""

    @property
    def example(self) -> bool:
        """Whether published keys may sign, in an example registry."""

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
    "whether the records it names are still current, and whether it follows from the node's attestation before: "
    "a base shows that (nodespec validate --base REV)"
)


_NUMBERS = {
    "envelope": 1,
    "owner chain": 2,
    "signature": 3,
    "subject": 4,
    "bytes": 5,
    "owner": 6,
    "scheme": 7,
    "former owner chain": 8,
    "transfer": 8,
    "verifier chain": 9,
    "verifier": 9,
    "no others": 10,
    "delegation": 11,
}
"""The step of :func:`verify` that each line of a verification belongs to."""


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
        return Verification(steps=tuple(self.steps), owed=(_OWED,), problems=tuple(self.problems))

    def _step(self, name: str, problems: Sequence[Problem], seen: str) -> bool:
        if problems:
            self.problems += problems
            seen = "; ".join(item.message for item in problems)
        self.steps.append(Step(name, not problems, seen, _NUMBERS[name]))
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
        number = len(found.records)
        seen = f"{found.current.name} ({short(found.handle)}), {number} record{'s' * (number != 1)}"
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
            message = f"the attestation is of registry {quoted(claim.registry_id)}, and this is {quoted(registry_id)}"
            problems.append(Problem(slug="other-registry", message=message))
        elsewhere = claim.path if claim.path != subject.path else claim.node_id
        if (claim.path, claim.node_id) != (subject.path, subject.node_id) or node_id(claim.path) != claim.node_id:
            message = f"the attestation is of {quoted(elsewhere)}, another file"
            problems.append(Problem(slug="other-node", message=message))
        elif claim.version != subject.version:
            message = f"the attestation is of version {quoted(claim.version)}, and the file says "
            message += quoted(subject.version)
            problems.append(Problem(slug="other-version", message=message, at=("metadata", "version")))
        if (claim.action == "deregister") == subject.is_node:
            kind = "a tombstone" if subject.is_node else "a node"
            message = f"the attestation says {claim.action}, which belongs to {kind}"
            problems.append(Problem(slug="other-node", message=message))
        self._step("subject", problems, f"{claim.action} {claim.node_id} {claim.version}, sequence {claim.sequence}")

    def _bytes(self, claim: Attestation) -> None:
        problems = []
        if claim.sha256 != self.subject.sha256:
            digests = f"SHA-256 {self.subject.sha256[:16]}…, signed {claim.sha256[:16]}…"
            message = f"the file's bytes are not those that were signed ({digests})"
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
                since = f"revoked as compromised from record {void.from_record} on"
                message = f"key {short(key.key_id)} of {chain.current.name} is {since}"
                problems.append(Problem(slug="revoked-key", message=message, at=at))
            elif key.published and not self.believed.example:
                message = f"key {short(key.key_id)} of {chain.current.name} is published; anyone can sign with it"
                problems.append(Problem(slug="published-key", message=message, at=at))
            elif key.scheme not in allowed:
                message = f"{key.scheme} is not allowed here; the trust root allows {', '.join(allowed)}"
                problems.append(Problem(slug="scheme-not-allowed", message=message, at=_SCHEME))
            else:
                counted.append(key)
        tally = Tally(signed=frozenset(key.key_id for key in counted), needed=wanted.threshold)
        if not tally.reached and not problems:
            message = f"{tally} by the keys of record {record} of {chain.current.name}"
            problems.append(Problem(slug=slug, message=message, at=at))
        seen = f"{chain.current.name}, record {record}: {tally}"
        self._step(name, [] if tally.reached else problems, seen)
        return counted if tally.reached else []

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
        problem = self._unfit_verifier(claim)
        chain = self.believed.chain(subject.verifier) if subject.verifier else None
        keys = [key for record in chain.records for key in record.quorum.keys] if isinstance(chain, Chain) else []
        if problem is None:
            shared = self.owner_keys & {key.key_id for key in keys}
            if shared:
                message = f"the verifier and the owner share key {short(min(shared))}; nobody vouches for themselves"
                problem = Problem(slug="self-verified", message=message, at=_VERIFIER)
        self._check_signatures(sealed, keys)
        if problem is not None:
            self._step("verifier", [problem], "")
            return
        assert subject.verifier is not None
        assert claim.verifier is not None
        known = self._chain(subject.verifier, _VERIFIER, "verifier")
        if known is not None:
            self._counted("verifier", known, claim.verifier.record, _VERIFIER, "verifier-missing")

    def _unfit_verifier(self, claim: Attestation) -> Problem | None:
        """Say why whoever the file or the attestation names cannot be the verifier."""
        subject, wanted = self.subject, self.subject.verifier
        named = claim.verifier.handle if claim.verifier else None
        if subject.needs_verifier and (wanted is None or named is None):
            why = "verified: true is claimed" if subject.verified else f"tier {subject.tier} in lane {subject.lane}"
            whom = short(wanted) if wanted else "a verifier, whom security.attestation.verifier must name"
            return Problem(slug="verifier-missing", message=f"{why} needs the signature of {whom}", at=_VERIFIER)
        if named != wanted:
            message = (
                f"the attestation names verifier {short(named or 'nobody')}, and the file {short(wanted or 'nobody')}"
            )
            return Problem(slug="verifier-missing", message=message, at=_VERIFIER)
        if wanted == subject.owner:
            message = "the verifier is the owner; nobody vouches for themselves"
            return Problem(slug="self-verified", message=message, at=_VERIFIER)
        if wanted not in self.believed.root.verifiers:
            message = f"{short(wanted or '')} is no verifier of this registry; the trust root appoints them"
            return Problem(slug="verifier-not-appointed", message=message, at=_VERIFIER)
        return None

    def _others(self, sealed: Envelope) -> None:
        problems = []
        for item in sealed.signatures:
            if item.key_id not in self.known:
                message = f"key {short(item.key_id)} also signed, and is none of the owner's or the verifier's"
                problems.append(Problem(slug="unlisted-key", message=message))
            elif item.key_id not in self.valid:
                message = f"the signature by key {short(item.key_id)} does not verify"
                problems.append(Problem(slug="signature-invalid", message=message))
        self._step("no others", problems, "every signature counts for somebody")

    def _delegated(self) -> None:
        granted = self.believed.root.of_owner(self.subject.owner)
        problem = beyond_delegation(self.subject, self.believed)
        seen = "; ".join(map(str, granted)) or "open to newcomers"
        self._step("delegation", [problem] if problem else [], seen)


def beyond_delegation(subject: Subject, believed: Believed) -> Problem | None:
    """Return what the trust root does not delegate to the file's owner, and newcomers may not do either."""
    granted = believed.root.of_owner(subject.owner)
    if granted:
        return _beyond(subject, granted)
    return _beyond_newcomers(subject, believed.root, believed.newcomers)


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
