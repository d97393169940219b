"""Register, update, transfer, deregister: a tree and an intention to a handful of files. Nothing is written here.

A :class:`Plan` holds the files that a change consists of (None takes one out), the attestation, and who has yet to
sign it.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec import attestation, document, envelope, schema, spec, statement, tombstone
from nodespec.attestation import Attestation, Party, Subject, beyond_delegation
from nodespec.countersign import called
from nodespec.edit import with_modeline
from nodespec.encoding import quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.frozen import frozen
from nodespec.quorum import refuse_strangers, short, valid_signers
from nodespec.signing import holding
from nodespec.spec import SEMVER
from nodespec.tree import NODE_SCHEMA_PATH, attestation_path, node_path, tombstone_path
from nodespec.verification import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from nodespec.envelope import Envelope
    from nodespec.finding import KeyPath
    from nodespec.owner import Chain
    from nodespec.provenance import Provenance
    from nodespec.signing import Wallet
    from nodespec.spec import NodeSpec
    from nodespec.tombstone import Tombstone


@frozen
class Plan:
    """What a change writes. ``waiting`` says in words who has yet to sign."""

    node_id: str
    action: str
    files: Mapping[str, bytes | None]
    claim: Attestation
    waiting: tuple[str, ...]


@frozen
class PlanInputs:
    """What a plan is made from: the tree, its base, who signs, and when; ``nonce`` is 32 hex digits.

    ``here`` is the tree to change (with owners that are not committed yet), ``base`` the one that the change follows.
    """

    here: Provenance
    base: Provenance | None
    wallet: Wallet
    now: datetime
    nonce: str

    def chain(self, handle: str) -> Chain:
        """Return an owner's chain, or raise ``RegistryError``."""
        found = self.here.chain(handle)
        if isinstance(found, Problem):
            raise RegistryError(found.message, hint=found.fix or "run: nodespec validate")
        return found

    def party(self, handle: str) -> Party:
        """Return an owner with the record that is current."""
        return Party(handle=handle, record=self.chain(handle).current.sequence)

    def before(self, identifier: str) -> Attestation | None:
        """Return the node's attestation in the base; one that was moved here and is another node's is none of its."""
        found = self.attested(node_path(identifier))
        return found if found is not None and found.node_id == identifier else None

    def attested(self, path: str) -> Attestation | None:
        """Return the attestation beside a file of the base."""
        return self.base.attestation(path) if self.base else None


def read_draft(data: bytes, name: str) -> NodeSpec:
    """Return the node that a draft describes; raise ``UsageError`` when it is none (the caller has shown why)."""
    parsed = document.parse(data)
    if parsed.value is None or parsed.problems or not schema.builtin(NODE_SCHEMA_PATH).accepts(parsed.value):
        raise UsageError(f"{name} is not a NodeSpec", hint=f"nodespec validate {name} says why")
    return spec.from_value(parsed.value)


def put(inputs: PlanInputs, data: bytes, node: NodeSpec, *, action: str) -> Plan:
    """Plan to register or update a node."""
    path = node_path(node.id)
    before = inputs.before(node.id)
    if action == "register" and before is not None:
        raise UsageError(f"{node.id} is registered already", hint="to change it: nodespec update FILE")
    if action == "register" and inputs.here.read(tombstone_path(node.id)) is not None:
        raise UsageError(f"the name {node.id} is locked by a tombstone", hint="choose another name")
    if action == "update" and before is None:
        raise UsageError(f"{node.id} is not registered here yet", hint="to add it: nodespec register FILE")
    if before is not None and before.owner.handle != node.owner:
        hint = "hand it over: nodespec transfer ID --to OWNER"
        raise UsageError(f"{node.id} belongs to {short(before.owner.handle)}, not to {short(node.owner)}", hint=hint)
    final = with_modeline(data, path)[0]
    _refuse_to_lose(inputs, path, data, final)
    subject = Subject.of_node(node, final, path)
    return _attested(inputs, subject, action, before, {path: final})


def transfer(inputs: PlanInputs, data: bytes, node: NodeSpec, *, to: str, version: str | None) -> Plan:
    """Plan to hand a node over: its owner and its version change, and both owners sign."""
    before = inputs.before(node.id)
    if before is None:
        raise UsageError(f"{node.id} is not registered here yet", hint="register it under the new owner at once")
    if to == node.owner:
        raise UsageError(f"{node.id} belongs to that owner already")
    path = node_path(node.id)
    _refuse_to_lose(inputs, path)
    _refuse_unvouched(inputs, Subject.of_node(node, data))
    if version is not None and not SEMVER.match(version):
        raise UsageError(f"{quoted(version)} is not a semantic version", hint="expected three numbers, as in 1.4.1")
    edits: dict[KeyPath, str] = {
        ("identity", "owner_id"): to,
        ("metadata", "version"): version or next_patch(node.version),
    }
    final = _rewritten(data, edits)
    changed = replace(read_draft(final, path), path=path)
    subject = Subject.of_node(changed, final, path)
    beyond = beyond_delegation(subject, inputs.here)
    if beyond is not None:
        raise UsageError(f"the new owner may not hold it: {beyond.message}", hint="nodespec trust grant delegates more")
    return _attested(inputs, subject, "transfer", before, {path: final}, giver=inputs.party(before.owner.handle))


def deregister(
    inputs: PlanInputs,
    node: NodeSpec,
    others: Iterable[NodeSpec],
    *,
    reason: str,
    successor: str | None,
    force: str | None,
) -> Plan:
    """Plan to take a node out; refuse while others wait for signals that only it sends, unless ``force`` says why."""
    if successor == node.id:
        raise UsageError("a node does not succeed itself", hint="name another one as --successor, or none")
    before = inputs.before(node.id)
    if before is None:
        raise UsageError(
            f"{node.id} is not registered in the base", hint="a file that was never committed can be deleted"
        )
    _refuse_to_lose(inputs, node_path(node.id))
    waiting = dangling(node, others)
    if waiting and force is None:
        names = "; ".join(f"{subscriber} waits for {signal}" for signal, subscriber in waiting[:5])
        more = f" (and {len(waiting) - 5} more)" if len(waiting) > 5 else ""
        hint = "change the subscribers first, or say why it must go now: --force-dangling REASON"
        raise UsageError(f"others subscribe to signals that only {node.id} sends: {names}{more}", hint=hint)
    left = (
        tombstone.Dangling(reason=force, signals=tuple(sorted({s for s, _ in waiting}))) if waiting and force else None
    )
    stone = tombstone.of_node(node, reason=reason, successor=successor, dangling=left)
    try:
        data = tombstone.dump(stone)
    except UnicodeEncodeError:
        raise UsageError("the reason is not UTF-8") from None
    files = {stone.path: data, node_path(node.id): None, attestation_path(node_path(node.id)): None}
    return _attested(inputs, Subject.of_tombstone(stone, data), "deregister", before, files)


def sign_anew(inputs: PlanInputs, stone: Tombstone, data: bytes) -> Plan:
    """Plan to attest a tombstone once more, byte for byte as it stands: after a loss of keys its signature must be new.

    A tombstone is never edited.
    """
    before = inputs.attested(stone.path)
    if before is None:
        hint = "to take a node out: nodespec deregister ID --reason TEXT"
        raise UsageError(f"{stone.path} is not committed yet", hint=hint)
    if before.sha256 != sha256(data).hexdigest():
        raise UsageError(f"{stone.path} was edited; a tombstone stays as it was", hint="restore it: git restore PATH")
    return _attested(inputs, Subject.of_tombstone(stone, data), "deregister", before, {stone.path: data})


def _refuse_unvouched(inputs: PlanInputs, subject: Subject) -> None:
    """Raise ``UsageError`` when the owner does not stand behind the file as it is: who gives it away signs it all."""
    wrong = next((item for item in inputs.here.verify(subject).problems if item.slug != "delegation-exceeded"), None)
    if wrong is not None:
        hint = f"look at it, and if it is what it should be: nodespec update {subject.path}"
        raise UsageError(f"{subject.path} does not verify as it stands: {wrong.message}", hint=hint)


def _refuse_to_lose(inputs: PlanInputs, path: str, *known: bytes) -> None:
    """Raise ``UsageError`` when a file was edited and not committed, and is none of the ``known`` texts.

    A text that was signed as it stands came from a draft and is no edit.
    """
    here = inputs.here.read(path)
    if here is None or here in known or (inputs.base is not None and here == inputs.base.read(path)):
        return
    signed = inputs.here.attestation(path)
    if known and signed is not None and signed.sha256 == sha256(here).hexdigest():
        return
    hint = f"sign them first: nodespec update {path}; or restore the file: git restore {path}"
    raise UsageError(f"{path} has changes that are not committed", hint=hint)


def dangling(node: NodeSpec, others: Iterable[NodeSpec]) -> list[tuple[str, str]]:
    """Return (signal, subscriber's id) for each subscription that only this node serves, in order."""
    rest = [other for other in others if other.id != node.id]
    sent_elsewhere = {emit.name for other in rest for emit in other.emits}
    alone = {emit.name for emit in node.emits} - sent_elsewhere
    return sorted((item.signal, other.id) for other in rest for item in other.subscribes if item.signal in alone)


def next_patch(version: str) -> str:
    """Return the version after this one; raise ``UsageError`` for a pre-release, where only a person knows.

    >>> next_patch("1.4.0")
    '1.4.1'
    """
    match = SEMVER.match(version)
    if not match or match[4]:
        raise UsageError(f"which version follows {quoted(version)}?", hint="give it with --version")
    return f"{match[1]}.{match[2]}.{int(match[3]) + 1}"


def _rewritten(data: bytes, edits: Mapping[KeyPath, str]) -> bytes:
    """Return the text with other scalars in these places, in their manner; everything else stays, comments too."""
    parsed = document.parse(data)
    lines = data.decode("utf-8").split("\n")
    spans = {place: parsed.locate(place) for place in edits}
    for place in sorted(edits, key=lambda place: (spans[place].line, spans[place].column), reverse=True):
        span, text = spans[place], edits[place]
        line = lines[span.line - 1]
        start = span.column - 1
        if line[start : start + span.width].strip("'\"") != _at(parsed.value, place):
            name = ".".join(map(str, place))
            hint = f"write it there as {name.rpartition('.')[2]}: VALUE, and try again"
            raise UsageError(f"{name} is not written on one line (line {span.line})", hint=hint)
        written = f'"{text}"' if line[start] in "'\"" else text
        lines[span.line - 1] = line[:start] + written + line[start + span.width :]
    return "\n".join(lines).encode()


def _at(value: Any, place: KeyPath) -> Any:
    for part in place:
        value = value[part]
    return value


def _attested(
    inputs: PlanInputs,
    subject: Subject,
    action: str,
    before: Attestation | None,
    files: dict[str, bytes | None],
    giver: Party | None = None,
) -> Plan:
    verifier = inputs.party(subject.verifier) if subject.needs_verifier and subject.verifier else None
    claim = Attestation(
        path=subject.path,
        sha256=subject.sha256,
        registry_id=inputs.here.settings.registry_id,
        node_id=subject.node_id,
        version=subject.version,
        action=action,
        owner=inputs.party(subject.owner),
        from_owner=giver,
        verifier=verifier,
        sequence=before.sequence + 1 if before else 0,
        previous=before.digest if before else None,
        issued_at=inputs.now,
        nonce=inputs.nonce,
    )
    unsigned = envelope.Envelope(payload_type=statement.PAYLOAD_TYPE, payload=claim.payload, signatures=())
    begun = _begun(inputs, claim)
    if begun is not None:
        unsigned, claim = begun
    sealed = sign(inputs, unsigned, [party for party in (claim.owner, claim.from_owner) if party])
    if not sealed.signatures:
        owner = inputs.chain(subject.owner)
        if giver is not None:
            giving = inputs.chain(giver.handle).current.name
            hint = "one of the two begins, and the other completes it with nodespec sign"
            raise UsageError(f"you hold no key of {giving}, and none of {owner.current.name}", hint=hint)
        keys = ", ".join(short(key.key_id) for key in owner.current.quorum.keys)
        hint = f"it needs one of: {keys}; nodespec keys show lists yours"
        raise UsageError(f"you hold no key of {owner.current.name} ({short(subject.owner)})", hint=hint)
    return Plan(
        node_id=subject.node_id,
        action=action,
        files={**files, attestation_path(subject.path): sealed.dump()},
        claim=claim,
        waiting=waiting_for(inputs, sealed, claim),
    )


def _begun(inputs: PlanInputs, claim: Attestation) -> tuple[Envelope, Attestation] | None:
    """Return what stands here, if it says the same and is signed by those who may: their signatures are kept."""
    data = inputs.here.read(attestation_path(claim.path))
    try:
        sealed, found = attestation.read(data or b"")
        keys = [key for party in found.parties for key in inputs.chain(party.handle).records[party.record].quorum.keys]
        refuse_strangers(sealed, keys)
    except (ValueError, IndexError, RegistryError):
        return None
    same = replace(found, issued_at=claim.issued_at, nonce=claim.nonce) == claim
    return (sealed, found) if same else None


def sign(inputs: PlanInputs, sealed: Envelope, parties: Iterable[Party]) -> Envelope:
    """Add the signatures that the wallet can give for these parties, by the keys of the records that they name."""
    wanted = [key for party in parties for key in inputs.chain(party.handle).records[party.record].quorum.keys]
    done = valid_signers(sealed, wanted)
    mine = {key.key_id: key for key in holding(inputs.wallet, wanted) if key.key_id not in done}
    return sealed.signed_with(inputs.wallet.signers(mine.values()))


def waiting_for(inputs: PlanInputs, sealed: Envelope, claim: Attestation) -> tuple[str, ...]:
    """Say in words whose signatures are missing."""
    names = []
    for role, party in (("owner", claim.owner), ("former owner", claim.from_owner), ("verifier", claim.verifier)):
        if party is None:
            continue
        chain = inputs.chain(party.handle)
        tally = chain.records[party.record].quorum.counted(sealed)
        if not tally.reached:
            names.append(f"the {role} {called(chain)} ({tally})")
    return tuple(names)
