"""Family C: what may change from one tree to the next. Base is believed, head is on trial.

These rules see both sides at once; what either side says by itself is for the other families. Here are those about
signatures; :mod:`nodespec.rules.evolution` has those about what a node says.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nodespec import seal
from nodespec.chain import record_path
from nodespec.encoding import quoted
from nodespec.finding import Hit
from nodespec.owner import PREFIX, Chain, folder_of, likeness
from nodespec.quorum import short
from nodespec.reading import Unreadable, load
from nodespec.rule import rule
from nodespec.tree import (
    ATTESTATION_SUFFIX,
    OWNERS,
    SEAL_PATH,
    TRUST,
    changed_paths,
    is_node_path,
    is_same,
    is_tombstone_path,
    node_id,
    node_path,
    path_bytes,
    tombstone_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nodespec.attestation import Attestation
    from nodespec.finding import KeyPath
    from nodespec.provenance import Provenance
    from nodespec.spec import NodeSpec

_OWNER: KeyPath = ("identity", "owner_id")


class Change:
    """A tree that is believed, and one that is on trial, each with its provenance.

    ``read`` are nodes of head that were read already, by path.
    """

    def __init__(self, base: Provenance, head: Provenance, read: Mapping[str, NodeSpec] | None = None) -> None:
        self.base = base
        self.head = head
        self.read = {} if read is None else read
        self._earlier: dict[str, NodeSpec | None] = {}

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every path whose file is not the same on both sides, in order."""
        return changed_paths(self.base.tree, self.head.tree)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The nodes and tombstones of head that are new, or changed, or whose attestation is."""
        about = {
            path.removesuffix(ATTESTATION_SUFFIX) + ".yaml" for path in self.paths if path.endswith(ATTESTATION_SUFFIX)
        }
        chosen = (path for path in about.union(self.paths) if is_node_path(path) or is_tombstone_path(path))
        return tuple(path for path in sorted(chosen) if self.head.tree.entry(path) is not None)

    @cached_property
    def nodes(self) -> tuple[Versions, ...]:
        """Each node of head whose file is new or another, and what it was; without those that cannot be read."""
        found = []
        for path in filter(is_node_path, self.paths):
            now = self.read.get(path) or _load(self.head, path)
            if now is not None:
                found.append(Versions(path, self.earlier(path), now))
        return tuple(found)

    def earlier(self, path: str) -> NodeSpec | None:
        """Return the node that base has at a path; None when there is none that can be read."""
        if path not in self._earlier:
            self._earlier[path] = _load(self.base, path)
        return self._earlier[path]

    @property
    def kept(self) -> Iterator[Kept]:
        """Yield each node that is there before and after."""
        for path, before, now in self.nodes:
            if before is not None:
                yield Kept(path, before, now)

    def is_same_text(self, path: str) -> bool:
        """Say whether only the mode of a file that is there on both sides is another."""
        before, now = self.base.read(path), self.head.read(path)
        return before == now

    @cached_property
    def protected(self) -> tuple[str, ...]:
        """Every path that is protected, on one side or both, and whose file is not the same on both sides."""
        listed = (*self.base.settings.protected, *self.head.settings.protected)
        old, new = (
            {entry.path: entry for entry in seal.standing(side.tree, listed)} for side in (self.base, self.head)
        )
        paths = sorted(old.keys() | new.keys(), key=path_bytes)
        base, head = self.base.tree, self.head.tree
        return tuple(path for path in paths if not is_same(base, old.get(path), head, new.get(path)))

    def before(self, identifier: str) -> Attestation | None:
        """Return the attestation that base holds of a node, or of its tombstone."""
        return self.base.attestation(node_path(identifier)) or self.base.attestation(tombstone_path(identifier))

    def owner_before(self, identifier: str) -> str | None:
        """Return the owner of a node in base, signed or not; None when there is no node of this name."""
        before = self.before(identifier)
        if before is not None:
            return before.owner.handle
        node = self.earlier(node_path(identifier))
        return None if node is None else node.owner


class Versions(NamedTuple):
    """A node's file: what it said, if it was there and could be read, and what it says."""

    path: str
    before: NodeSpec | None
    now: NodeSpec


class Kept(NamedTuple):
    """A node that is there before and after."""

    path: str
    before: NodeSpec
    now: NodeSpec


def _load(side: Provenance, path: str) -> NodeSpec | None:
    entry = side.entry(path)
    node = load(side.tree, entry) if entry is not None else None
    return None if isinstance(node, Unreadable) else node


@rule(
    "C001",
    "superseded-record",
    why=(
        "A new signature is judged by the keys that speak for its owner now. Otherwise a key that was retired or "
        "stolen could go on signing under the record that still listed it."
    ),
    fix="Sign again with the keys of the current record: nodespec update FILE",
    gate="security",
)
def superseded_record(change: Change) -> Iterator[Hit]:
    """A new or changed node names the current record of everybody who signs."""
    for path in change.subjects:
        claim = change.head.attestation(path)
        for party in claim.parties if claim else ():
            chain = change.head.chain(party.handle)
            if isinstance(chain, Chain) and party.record != chain.current.sequence:
                message = (
                    f"the attestation names record {party.record} of {chain.current.name}; "
                    f"the current one is {chain.current.sequence}"
                )
                yield Hit(message=message, path=path, at=_OWNER if is_node_path(path) else ("owner_id",))


_ELSEWHERE = "Sign on top of a base that does not: nodespec update FILE --base origin/main (register, for a new node)"


@rule(
    "C002",
    "replayed-attestation",
    why=(
        "Each attestation of a node follows from the one before, so an older one, though validly signed, cannot come "
        "back."
    ),
    fix=(
        "Fetch the newest main, and sign on top of it: nodespec update FILE. Where a branch holds unmerged signatures, "
        "sign once for all of them: nodespec update FILE --base origin/main (register, for a new node)"
    ),
    gate="security",
)
def replayed_attestation(change: Change) -> Iterator[Hit]:
    """A new attestation is one more than base's, and names its digest.

    One that is another node's (P011), or of a node whose name is locked (P028), follows from nothing here.
    """
    for path in change.subjects:
        claim, before = change.head.attestation(path), change.before(node_id(path))
        if claim is None or claim.node_id != node_id(path) or (before is not None and before.digest == claim.digest):
            continue
        if is_node_path(path) and change.head.tree.entry(tombstone_path(node_id(path))) is not None:
            continue
        if before is not None and before.node_id != claim.node_id:
            message = f"base holds the attestation of {quoted(before.node_id)} here; what this one follows is not known"
            yield Hit(message=message, path=path, fix=_ELSEWHERE)
            continue
        expected = (before.sequence + 1, before.digest) if before else (0, None)
        if (claim.sequence, claim.previous) != expected:
            after = (
                f"after sequence {before.sequence} of the base" if before else "for a node that the base does not hold"
            )
            if claim.sequence == expected[0]:
                message = f"the attestation does not name the one before it, {after}"
            else:
                message = f"the attestation has sequence {claim.sequence}; expected is {expected[0]}, {after}"
            yield Hit(message=message, path=path)


@rule(
    "C003",
    "owner-changed",
    why="A node changes hands only by a transfer that both owners sign; else whoever edits one line takes it over.",
    fix="Hand it over: nodespec transfer ID --to OWNER, which both sides sign.",
    gate="security",
)
def owner_changed(change: Change) -> Iterator[Hit]:
    """The owner is unchanged, or base's owner signed a transfer."""
    for path in change.subjects:
        claim, before = change.head.attestation(path), change.before(node_id(path))
        owner = change.owner_before(node_id(path))
        if claim is None or owner is None or (before is not None and before.digest == claim.digest):
            continue
        giver = claim.from_owner.handle if claim.from_owner else claim.owner.handle
        if giver != owner:
            message = f"the base's owner is {short(owner)}, and {short(giver)} signed"
            yield Hit(message=message, path=path, at=_OWNER if is_node_path(path) else ("owner_id",))


@rule(
    "C004",
    "record-rewritten",
    why=(
        "Trust roots and owners' records are only ever added to. Taking one back would undo a rotation or a revocation."
    ),
    fix="Restore the file; to change anything, add a new version or record.",
    gate="security",
    concerns_all=True,
)
def record_rewritten(change: Change) -> Iterator[Hit]:
    """No record of the base is changed or gone."""
    for path in change.paths:
        if path.startswith((OWNERS, TRUST)) and change.base.tree.entry(path) is not None:
            yield Hit(message="this record stands in the base, and may be neither changed nor removed", path=path)


@rule(
    "C005",
    "removed-without-tombstone",
    why="A node that vanishes leaves its name to the next comer, and nobody can tell whether its owner agreed.",
    fix="Restore the files, and take the node out with: nodespec deregister ID --reason TEXT",
    gate="security",
    concerns_all=True,
)
def removed_without_tombstone(change: Change) -> Iterator[Hit]:
    """A node that is gone has a tombstone."""
    now = change.head.tree.entry
    for path in change.paths:
        if is_node_path(path) and now(path) is None and now(tombstone_path(node_id(path))) is None:
            yield Hit(message=f"node {node_id(path)} is gone, and there is no tombstone", path=path)


@rule(
    "C006",
    "tombstone-disturbed",
    why="A tombstone locks a name for good. Whoever could take it away or rewrite it could take the name over.",
    fix="Restore the tombstone and its attestation.",
    gate="security",
    concerns_all=True,
)
def tombstone_disturbed(change: Change) -> Iterator[Hit]:
    """A tombstone of the base stays byte for byte; only its attestation can be made anew."""
    for path in change.paths:
        if is_tombstone_path(path) and change.base.tree.entry(path) is not None:
            what = "gone" if change.head.tree.entry(path) is None else "changed"
            yield Hit(message=f"the tombstone of {node_id(path)} is {what}", path=path)


@rule(
    "C007",
    "stale-recovery",
    why=(
        "A recovery is the trust root's word. An old version's word could come from a root key that was since replaced."
    ),
    fix="Let the current root's key holders sign the recovery: nodespec owner recover OWNER",
    gate="security",
    concerns_all=True,
)
def stale_recovery(change: Change) -> Iterator[Hit]:
    """A new recovery record names the newest version of the trust root."""
    newest = len(change.head.roots)
    changed = set(change.paths)
    for folder in sorted({path.rpartition("/")[0] for path in changed if path.startswith(OWNERS)}):
        chain = change.head.chain(PREFIX + folder.removeprefix(OWNERS))
        for record in chain.records if isinstance(chain, Chain) else ():
            path = record_path(f"{folder}/", record.sequence)
            if record.recovery and path in changed and record.recovery.root_version != newest:
                version = record.recovery.root_version
                yield Hit(message=f"version {version} of the trust root signed it; the newest is {newest}", path=path)


@rule(
    "C008",
    "seal-rewound",
    why=(
        "An older policy was sealed once, too. Only the seal that follows from the base's is new; all others are "
        "history."
    ),
    fix=(
        "Fetch the newest main, and seal on top of it: nodespec seal. Where the branch holds a seal that is not "
        "merged, seal once for all of it: nodespec seal --base origin/main"
    ),
    gate="security",
    concerns_all=True,
)
def seal_rewound(change: Change) -> Iterator[Hit]:
    """A seal is base's, or the one that follows from it."""
    before, now = change.base.seal, change.head.seal
    if before is None:
        if now is not None and now.sequence != 0:
            yield Hit(message=f"this is seal {now.sequence}, and the base has none; the first is 0", path=SEAL_PATH)
    elif now is not None and now.digest == before.digest:
        return
    elif now is None:
        yield Hit(message=f"the base has seal {before.sequence}, and here is none", path=SEAL_PATH)
    elif (now.sequence, now.previous) != (before.sequence + 1, before.digest):
        message = f"this is seal {now.sequence}, and it does not follow from seal {before.sequence} of the base"
        yield Hit(message=message, path=SEAL_PATH)


@rule(
    "C009",
    "signature-removed",
    why=(
        "Who signed is part of the record. Taking away a signature that a threshold could spare would make it look as "
        "though that person had never agreed."
    ),
    fix="Restore the signed file; signatures are only ever added to it.",
    gate="security",
    concerns_all=True,
)
def signature_removed(change: Change) -> Iterator[Hit]:
    """A signed file that says the same as in base has at least base's signers."""
    for path in change.paths:
        if not path.endswith(ATTESTATION_SUFFIX) or path.startswith((OWNERS, TRUST)):
            continue
        before, now = change.base.envelope(path), change.head.envelope(path)
        if before is None or now is None or before.digest != now.digest:
            continue
        gone = sorted({item.key_id for item in before.signatures} - {item.key_id for item in now.signatures})
        if gone:
            message = f"the signature by key {', '.join(map(short, gone))} is gone, and what was signed is the same"
            yield Hit(message=message, path=path)


@rule(
    "C010",
    "tombstone-altered-history",
    why="A tombstone is what is left to tell what the node was. One that tells of another version misleads everybody.",
    fix="Deregister the node as it stands in the base: nodespec deregister ID --reason TEXT",
    gate="security",
)
def tombstone_altered_history(change: Change) -> Iterator[Hit]:
    """A new tombstone names the version that the node had in base."""
    for path in change.subjects:
        if not is_tombstone_path(path) or change.base.tree.entry(path) is not None:
            continue
        claim, last = change.head.attestation(path), change.base.attestation(node_path(node_id(path)))
        if claim and claim.action == "deregister" and last and claim.version != last.version:
            message = f"the tombstone speaks of version {claim.version}; the base holds {last.version}"
            yield Hit(message=message, path=path, at=("version",))


@rule(
    "C011",
    "owner-name-taken",
    why=(
        "People read names, and only programs read handles. A second owner of one name is how somebody is trusted for "
        "somebody else."
    ),
    fix="Choose another name; an owner who is known already changes it with: nodespec owner rotate OWNER --name NAME",
    gate="security",
    concerns_all=True,
)
def owner_name_taken(change: Change) -> Iterator[Hit]:
    """A new or renamed owner has a name that nobody else has, whatever the case, the spacing and the signs in it."""
    if not any(path.startswith(OWNERS) for path in change.paths):
        return
    before, now = change.base.names(), change.head.names()
    called: dict[str, list[str]] = {}
    for handle, name in now.items():
        called.setdefault(likeness(name), []).append(handle)
    for handle, name in now.items():
        other = next((other for other in called[likeness(name)] if other != handle), None)
        if other is not None and before.get(handle) != name:
            message = (
                f"owner {short(handle)} is called {quoted(name)}, and {short(other)} is called {quoted(now[other])}"
            )
            yield Hit(message=message, path=change.head.records(folder_of(handle))[-1])
