"""A commit judged by what differs from another that was judged before: the same report, at the cost of the change.

What is found about a file depends on the file, on what decides about all files (:func:`circumstances`), and on what
the other nodes are called, send and hear. So where the circumstances are the same, and no node came, went or changed in
what others can see of it, the files that differ are judged, and every other finding stays what it was. The trust root
and the seal are verified anew each time, for time passes.

Everything that is looked at is read from the commits themselves, and :func:`rejudge` returns None for whatever it is
not made for: then the caller judges all of the tree.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, cast

from nodespec import rules
from nodespec.errors import RegistryError
from nodespec.frozen import frozen
from nodespec.judge import Court
from nodespec.reading import Unreadable, load
from nodespec.rules.graph import NodeFacts
from nodespec.rules.provenance import CODES
from nodespec.rules.tree import NEEDED
from nodespec.tree import (
    NODES,
    REGISTRY,
    REGULAR,
    SCHEMAS,
    SEAL_PATH,
    TRUST,
    MemoryTree,
    Overlay,
    attestation_path,
    is_node_path,
    node_id,
    node_path,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nodespec.commit import CommitTree, Pair
    from nodespec.finding import Finding
    from nodespec.tree import Entry, Tree
    from nodespec.verdict import Report, Selection

MOST = 2_000
"""Changed files beyond which judging everything is about as quick."""

_TOP = NODES.rstrip("/")
_QUOTA = CODES["newcomer-quota"]


@frozen
class Known:
    """A commit that was judged, every file of it: its folder of nodes by Git's id, and what was found."""

    nodes: str
    findings: tuple[Finding, ...]
    files: int
    specs: int

    @classmethod
    def of(cls, nodes: str, report: Report) -> Known | None:
        """Return what is worth remembering of a report; None where something could not be judged, or is odd."""
        if not report.complete or any(item.code == _QUOTA for item in report.findings):
            return None
        found = (*report.findings, *(item for item, _ in report.waived))
        return cls(nodes=nodes, findings=found, files=report.files, specs=report.specs)


def circumstances(tree: CommitTree, selection: Selection) -> tuple[str, str] | None:
    """Return a digest of everything that decides about all files, and Git's id of the folder of nodes.

    Everything is all of the registry but the nodes, the contracts, and what is asked for. Returns None for a commit
    whose folders are odd (a name twice, a link in a folder's place).
    """
    digest = sha256(" ".join(sorted((*selection.codes, *selection.families))).encode())
    (nodes, odd), (schemas, odder) = tree.folder(_TOP), tree.folder(SCHEMAS)
    if odd or odder or not nodes:
        return None
    for name, (mode, oid) in sorted(tree.children(REGISTRY).items()):
        if f"{REGISTRY}/{name}" != _TOP:
            digest.update(f"\0{name}\0{mode:o} {oid}".encode("utf-8", "surrogateescape"))
    digest.update(f"\0{schemas}".encode())
    return digest.hexdigest(), nodes


def rejudge(known: Known, tree: CommitTree | Overlay, *, selection: Selection, now: datetime) -> Report | None:
    """Judge ``tree`` by what differs from a commit of which ``known`` was found, in the same circumstances.

    ``tree`` is a commit, or a commit with nodes written over it. Returns None for what this is not made for.
    """
    try:
        return _rejudge(known, tree, selection, now)
    except (RegistryError, OSError):  # an object of the earlier commit is not there any more
        return None


def _rejudge(known: Known, tree: CommitTree | Overlay, selection: Selection, now: datetime) -> Report | None:
    court = Court(tree, selection, now)
    court.prepare()  # while the difference is found
    pairs = _difference(known.nodes, tree)
    if pairs is None or _is_odd([new for _, new in pairs if new is not None], tree):
        return None
    paths = {entry.path for pair in pairs for entry in pair if entry is not None}
    around = sorted({partner for path in paths for partner in _partners(path)})
    if any(item.code[0] == "G" and item.path in around for item in known.findings):
        return None  # it would have to be found again, perhaps on another line
    entries = [entry for path in around if is_node_path(path) and (entry := tree.entry(path)) is not None]
    examined = court.examine(entries)
    facts = {one.facts.path: one.facts for one in examined if one.facts is not None}
    commit = cast("CommitTree", tree.under) if isinstance(tree, Overlay) else tree
    if not _is_seen_alike(pairs, facts, commit):
        return None
    kept = [item for item in known.findings if item.path not in around and not _is_live(item)]
    found = [item for one in examined for item in one.findings]
    come, gone = (sum(pair[side] is not None for pair in pairs) for side in (1, 0))
    missed = {entry.path: one.missed for entry, one in zip(entries, examined, strict=True) if one.missed}
    return court.report(
        [*kept, *found, *court.vouched_for(around, [])],
        missed,
        files=known.files + come - gone,
        specs=known.specs,
    )


def _difference(nodes: str, tree: CommitTree | Overlay) -> list[Pair] | None:
    """Return what differs from the folder ``nodes``, or None where it is too odd, or too much, to go by."""
    commit = cast("CommitTree", tree.under) if isinstance(tree, Overlay) else tree
    pairs, defects = commit.changes(_TOP, nodes, commit.folder(_TOP)[0])
    if isinstance(tree, Overlay):
        before = {entry.path: old for old, new in pairs for entry in (old, new) if entry is not None}
        pairs = [pair for pair in pairs if not any(entry and entry.path in tree.files for entry in pair)]
        pairs += [(before.get(path, commit.entry(path)), tree.entry(path)) for path in tree.files]
    return None if defects or len(pairs) > MOST else pairs


def _is_odd(entries: Sequence[Entry], tree: Tree) -> bool:
    """Say whether family T has anything to say about files that have come; names in lower case have no twins.

    The other files were there when the tree was judged, and nothing was odd about them.
    """
    if any(entry.mode != REGULAR or entry.path != entry.path.casefold() for entry in entries):
        return True
    there = [entry for entry in map(tree.entry, NEEDED) if entry is not None]
    excerpt = MemoryTree({entry.path: b"" for entry in (*entries, *there)})
    return any(True for rule in rules.families_of("T") if rule.check is not None for _ in rule.check(excerpt))


def _partners(path: str) -> tuple[str, str]:
    """Return what is judged together: a node, and what is signed about it."""
    node = node_path(node_id(path))
    return node, attestation_path(node)


def _is_seen_alike(pairs: Sequence[Pair], now: dict[str, NodeFacts], commit: CommitTree) -> bool:
    """Say whether every node that differs is still there, and shows others what it showed them before."""
    for old, new in pairs:
        if not is_node_path((old or cast("Entry", new)).path):
            continue
        if old is None or new is None:
            return False
        was = load(commit, old)
        if isinstance(was, Unreadable) or NodeFacts.of(was) != now.get(new.path):
            return False
    return True


def _is_live(item: Finding) -> bool:
    """Say whether a finding is about the trust root, the seal or the waivers, which are looked at every time."""
    return (
        item.code[0] == "W"
        or item.path.startswith(TRUST)
        or item.path == SEAL_PATH
        or item.code == CODES["unsealed-change"]
    )
