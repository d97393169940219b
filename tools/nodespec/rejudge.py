"""A commit judged by what differs from another that was judged before: the same report, at the cost of the change.

What is found about a file depends on the file, on what decides about all files (contracts, settings, the trust root,
the owners; :func:`circumstances`), and on the other nodes that share a signal or a type with it. So where the
circumstances are the same, files are examined that are new or changed, family G looks again at the signals and types
that they have a part in, and every other finding stays what it was. The trust root and the seal are verified anew each
time, for time passes.

:func:`rejudge` returns None for whatever it is not made for (odd names or modes, a tombstone that changes), and the
caller judges all of the tree. Facts about unchanged nodes come from the snapshot, and so from the index where there is
one; a file that is examined is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from nodespec import rules
from nodespec.judge import Court
from nodespec.rules.graph import NodeFacts, places
from nodespec.rules.provenance import CODES
from nodespec.rules.tree import NEEDED
from nodespec.tree import (
    NODES,
    REGISTRY,
    REGULAR,
    SCHEMAS,
    SEAL_PATH,
    TOMBSTONES,
    TRUST,
    MemoryTree,
    Overlay,
    attestation_path,
    is_node_path,
    is_tombstone_path,
    node_id,
    node_path,
    path_bytes,
    tombstone_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from nodespec.examiner import Examined
    from nodespec.finding import Finding
    from nodespec.git import CommitTree
    from nodespec.registry import Snapshot
    from nodespec.spec import NodeSpec
    from nodespec.tree import Entry, Tree
    from nodespec.verdict import Report, Selection

    Read = Callable[[Sequence[Entry]], Iterable[NodeSpec]]

MOST = 2_000
"""Changed files beyond which judging everything is about as quick."""

_HOMES = (NODES, TOMBSTONES)
_QUOTA = CODES["newcomer-quota"]
_ASTRAY = "N001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A commit that was judged, every file of it: its folders of nodes and tombstones by Git's ids, and what was found.

    ``claimed`` are the signals that its tombstones leave dangling.
    """

    folders: tuple[str, str]
    findings: tuple[Finding, ...]
    claimed: frozenset[str]
    files: int
    specs: int

    @classmethod
    def of(cls, tree: CommitTree, report: Report) -> Known | None:
        """Return what is worth remembering of a report; None where something could not be judged, or is odd.

        A node astray is odd, too: rules look at it, and a snapshot does not count it among its nodes.
        """
        if not report.complete or any(item.code[0] == "T" or item.code == _ASTRAY for item in report.findings):
            return None
        return cls(
            folders=folders(tree),
            findings=report.findings,
            claimed=report.claimed,
            files=report.files,
            specs=report.specs,
        )


def folders(tree: CommitTree) -> tuple[str, str]:
    """Return the object ids of the folders of nodes and of tombstones; empty for one that is not there."""
    nodes, stones = (tree.folder(home.rstrip("/"))[0] for home in _HOMES)
    return nodes, stones


def circumstances(tree: CommitTree, selection: Selection) -> str:
    """Return a digest of what decides about all files: everything but nodes and tombstones, and what is asked for."""
    digest = sha256(" ".join(sorted((*selection.codes, *selection.families))).encode())
    aside = {home.rstrip("/").rpartition("/")[2] for home in _HOMES}
    for name, (mode, oid) in sorted(tree.children(REGISTRY).items()):
        if name not in aside:
            digest.update(f"\0{name}\0{mode:o} {oid}".encode("utf-8", "surrogateescape"))
    digest.update(f"\0{tree.folder(SCHEMAS)[0]}".encode())
    return digest.hexdigest()


def rejudge(
    known: Known, tree: CommitTree | Overlay, after: Snapshot, read: Read, *, selection: Selection, now: datetime
) -> Report | None:
    """Judge ``tree`` by what differs from a commit of which ``known`` was found, in like circumstances.

    ``tree`` is a commit, or a commit with nodes and tombstones written over it; ``after`` is asked about its nodes, and
    ``read`` returns those that were at changed paths. Returns None for what this is not made for.
    """
    change = _change(known.folders, tree)
    if change is None:
        return None
    court = Court(tree, selection, now)
    there = [entry for entry in map(tree.entry, change.around) if entry is not None]
    entries = [entry for entry in there if entry.path.endswith(".yaml")]
    examined = court.examine(entries)
    missed = {entry.path: one.missed for entry, one in zip(entries, examined, strict=True) if one.missed}
    found = [item for one in examined for item in one.findings]
    sight = _Sight(change, map(NodeFacts.of, read(change.gone)), examined, known, after)
    owners = _newcomers(court, after, sight.owners)
    found += court.vouched_for(change.around, owners)
    if court.sees_the_whole(missed):
        found += court.graph(sight.nodes, known.claimed | sight.claimed, **sight.narrowed)
        stale = sight.stale()
    else:
        stale = {(item.path, item.pointer) for item in known.findings if item.code[0] == "G"}
    around, counted = frozenset(change.around), {path for path, _ in owners}
    for item in known.findings:
        again = item.path in around or _is_live(item) or (item.code == _QUOTA and item.path in counted)
        if not again and not (item.code[0] == "G" and (item.path, item.pointer) in stale):
            found.append(item)
    return court.report(
        found,
        missed,
        files=known.files + change.files,
        specs=known.specs + change.specs,
        claimed=known.claimed | sight.claimed,
    )


@dataclass(frozen=True)
class _Change:
    """What differs: files that are gone or other now, and those that have come or are other."""

    gone: tuple[Entry, ...]
    come: tuple[Entry, ...]

    @cached_property
    def paths(self) -> frozenset[str]:
        """Where something differs."""
        return frozenset(entry.path for entry in (*self.gone, *self.come))

    @cached_property
    def around(self) -> tuple[str, ...]:
        """Which paths are looked at, in order: what differs, and what is judged together with it."""
        return tuple(sorted({partner for path in self.paths for partner in _partners(path)}))

    @property
    def files(self) -> int:
        """By how much the number of files has grown."""
        return len(self.come) - len(self.gone)

    @property
    def specs(self) -> int:
        """By how much the number of specs has grown."""
        come, gone = (sum(is_node_path(entry.path) for entry in side) for side in (self.come, self.gone))
        return come - gone


def _change(known: tuple[str, str], tree: CommitTree | Overlay) -> _Change | None:
    """Return what differs from folders that were judged, or None where it is too odd, or too much, to go by."""
    commit = cast("CommitTree", tree.under) if isinstance(tree, Overlay) else tree
    pairs: list[tuple[Entry | None, Entry | None]] = []
    for home, was, here in zip(_HOMES, known, folders(commit), strict=True):
        found, defects = commit.changes(home.rstrip("/"), was, here)
        if defects or len(found) > MOST:
            return None
        pairs += found
    if isinstance(tree, Overlay):
        known_before = {entry.path: old for old, new in pairs for entry in (old, new) if entry is not None}
        written = [(known_before.get(path, commit.entry(path)), tree.entry(path)) for path in tree.files]
        pairs = [pair for pair in pairs if not any(entry and entry.path in tree.files for entry in pair)] + written
    gone = tuple(old for old, _ in pairs if old is not None)
    come = tuple(new for _, new in pairs if new is not None)
    if any(is_tombstone_path(entry.path) for entry in gone) or _is_odd(come, tree):
        return None
    return _Change(gone, come)


def _is_odd(entries: Sequence[Entry], tree: Tree) -> bool:
    """Say whether family T has anything to say about these entries; names in lower case have no twins but each other.

    The rest of the tree is what it was, and nothing was odd about that.
    """
    if any(entry.mode != REGULAR or entry.path != entry.path.casefold() for entry in entries):
        return True
    there = [entry for entry in map(tree.entry, NEEDED) if entry is not None]
    excerpt = MemoryTree({entry.path: b"" for entry in (*entries, *there)})
    return any(True for rule in rules.families_of("T") if rule.check is not None for _ in rule.check(excerpt))


def _partners(path: str) -> tuple[str, ...]:
    """Return what is judged together: a node, the tombstone of its name, and what is signed about either."""
    identifier = node_id(path)
    files = node_path(identifier), tombstone_path(identifier)
    return (*files, *map(attestation_path, files))


def _is_live(item: Finding) -> bool:
    """Say whether a finding is about the trust root or the seal, which are looked at every time."""
    return item.path.startswith(TRUST) or item.path == SEAL_PATH or item.code == CODES["unsealed-change"]


def _newcomers(court: Court, after: Snapshot, owners: Iterable[str]) -> list[tuple[str, str]]:
    """Return, as (path, owner), every node of those among ``owners`` to whom nothing is delegated."""
    provenance = court.examiner.provenance
    if provenance is None or not provenance.roots:
        return []
    undelegated = [owner for owner in sorted(owners) if not provenance.root.of_owner(owner)]
    return [(node.path, node.owner) for owner in undelegated for node in after.query(owner=owner)]


class _Sight:
    """What of the graph a change can concern: signals and types that nodes at its paths have, or had, a part in.

    A signal whose senders and receivers are all as they were is left alone, unless something was found there before.
    """

    def __init__(
        self, change: _Change, gone: Iterable[NodeFacts], examined: Sequence[Examined], known: Known, after: Snapshot
    ) -> None:
        self._after = after
        self._around = frozenset(change.around)
        self._now = {one.facts.path: one.facts for one in examined if one.facts is not None}
        self._was = {path: facts for path, facts in self._now.items() if path not in change.paths}
        self._was |= {facts.path: facts for facts in gone}
        self.claimed = frozenset[str]().union(*(one.claimed for one in examined))
        self._blamed = {item.path for item in known.findings if item.code[0] == "G"}
        self.owners = {facts.owner for facts in (*self._was.values(), *self._now.values())}

    @cached_property
    def signals(self) -> frozenset[str]:
        """The signals that are looked at."""
        touched = {signal for path in self._around for signal in self._touched(path)}
        return frozenset(touched) | self.claimed

    def _touched(self, path: str) -> set[str]:
        was, now = self._was.get(path), self._now.get(path)
        parts = _parts(was) | _parts(now) if path in self._blamed else _parts(was) ^ _parts(now)
        return {signal for _, signal, _, _ in parts}

    @cached_property
    def types(self) -> frozenset[str]:
        """The types whose names are looked at."""
        come_or_gone = self._was.keys() ^ self._now.keys()
        chosen = come_or_gone | (self._blamed & self._around)
        both = (facts for facts in (*self._was.values(), *self._now.values()) if facts.path in chosen)
        return frozenset(facts.node_type for facts in both)

    @cached_property
    def nodes(self) -> list[NodeFacts]:
        """The nodes that have a part in them, in order of path."""
        found = {
            path: NodeFacts(path, node_type, name, "", (), ())
            for node_type in self.types
            for name, path in self._after.names_of(node_type)
        }
        if self.signals:
            found |= {node.path: NodeFacts.of(node) for node in self._after.with_signals(self.signals)}
        others = {path: facts for path, facts in found.items() if path not in self._around}
        return sorted((others | self._now).values(), key=lambda facts: path_bytes(facts.path))

    @property
    def narrowed(self) -> dict[str, Any]:
        """How the rules are told to look at no more than this."""
        return {"signals": self.signals, "types": self.types, "emitted": self._emitted}

    def _emitted(self) -> set[str]:
        """Return every signal that is emitted, to suggest one for another that is not."""
        return set(self._after.signals) - set(self._after.one_sided()[0])

    def stale(self) -> set[tuple[str, str]]:
        """Return, as (path, JSON pointer), every place that is looked at again."""
        signals = {(facts.path, place) for facts in self.nodes for place in places(facts, self.signals)}
        names = {(facts.path, "/metadata/name") for facts in self.nodes if facts.node_type in self.types}
        return signals | names


def _parts(facts: NodeFacts | None) -> set[tuple[str, str, str, str]]:
    """Return what others may depend on: what a node does with each signal, how sensitive that is, and its lane."""
    if facts is None:
        return set()
    sent = {("sends", name, sensitivity, facts.lane) for name, sensitivity in facts.emits}
    return sent | {("hears", name, "", facts.lane) for name in facts.subscribes}
