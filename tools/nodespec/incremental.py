"""Incremental validation: the report of a commit from an earlier report and what differs, at the cost of the change.

A finding about a file depends on the file, on what decides about all files (:func:`circumstances`), and on the names,
signals and lanes of the other nodes. So where the circumstances are equal, the files that differ are judged, and every
other finding is kept. Where a node was added or removed, or changed what others depend on, the affected nodes are
looked up (:mod:`nodespec.impact`); if there is a finding about the graph, now or before, the graph rules run on the
whole roster. The trust root and the seal are verified every time, since time passes.

Differences are read from the commits themselves. :func:`rejudge` returns None for every case that it does not cover,
and the caller then judges the whole tree.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, cast

from nodespec import owner, rules
from nodespec.chain import record_path
from nodespec.errors import RegistryError
from nodespec.evaluation import Evaluation
from nodespec.frozen import frozen
from nodespec.impact import Impact, dangling_of, folder_of
from nodespec.owner import PREFIX
from nodespec.reading import Unreadable, load
from nodespec.rules.graph import NodeFacts, Part
from nodespec.rules.provenance import CODES
from nodespec.rules.tree import NEEDED
from nodespec.tree import (
    FOLDER,
    NODES,
    OWNERS,
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
    tombstone_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from nodespec.commit import CommitTree, Pair
    from nodespec.finding import Finding
    from nodespec.roster import Roster
    from nodespec.tree import Entry, Tree
    from nodespec.verdict import Report, Selection

MOST = 2_000
"""Changed files beyond which judging everything is about as quick."""

FOLLOWED = tuple(folder.rstrip("/") for folder in (NODES, TOMBSTONES, OWNERS))
"""The folders of which each file is judged by itself; everything else decides about all files."""

_QUOTA = CODES["newcomer-quota"]
_LOOK_ALIKE = "G003"


@frozen
class Known:
    """The complete report of a commit: Git's ids of its folders (empty: none), and every finding.

    Findings are kept whether they were selected or not, because later decisions depend on them: whether an owner who is
    added was missed before, for instance.
    """

    folders: tuple[str, ...]
    findings: tuple[Finding, ...]
    files: int
    specs: int

    @classmethod
    def of(cls, folders: tuple[str, ...], report: Report) -> Known | None:
        """Return what later runs can build on; None for a report that is incomplete, or of an irregular tree."""
        if not report.complete or any(item.code == _QUOTA for item in report.everything):
            return None
        return cls(folders=folders, findings=report.everything, files=report.files, specs=report.specs)


def circumstances(tree: CommitTree, selection: Selection) -> tuple[str, tuple[str, ...]] | None:
    """Return a digest of everything that decides about all files, and Git's ids of the followed folders.

    The digest covers the registry without nodes, tombstones and owners; the contracts; and the selection of rules.
    Returns None for a commit with irregular folders (a name twice, a link in a folder's place).
    """
    digest = sha256(" ".join(sorted((*selection.codes, *selection.families))).encode())
    (nodes, odd), (schemas, odder) = tree.folder(FOLLOWED[0]), tree.folder(SCHEMAS)
    there = {f"{REGISTRY}/{name}": found for name, found in tree.children(REGISTRY).items()}
    followed = [there.pop(path, None) for path in FOLLOWED]
    if odd or odder or not nodes or any(found is not None and found[0] != FOLDER for found in followed):
        return None
    for path, (mode, oid) in sorted(there.items()):
        digest.update(f"\0{path}\0{mode:o} {oid}".encode("utf-8", "surrogateescape"))
    digest.update(f"\0{schemas}".encode())
    return digest.hexdigest(), tuple(found[1] if found is not None else "" for found in followed)


def rejudge(
    known: Known,
    tree: CommitTree | Overlay,
    *,
    selection: Selection,
    now: datetime,
    roster: Callable[[], Roster | None],
) -> Report | None:
    """Judge ``tree`` by what differs from the commit of ``known``, in the same circumstances.

    ``tree`` is a commit, or a commit with files of the followed folders overlaid. Returns None for every case that is
    not covered.
    """
    try:
        return _rejudge(known, tree, selection, now, roster)
    except (RegistryError, OSError):  # an object of the earlier commit is not there any more
        return None


def _rejudge(
    known: Known,
    tree: CommitTree | Overlay,
    selection: Selection,
    now: datetime,
    roster: Callable[[], Roster | None],
) -> Report | None:
    evaluation = Evaluation(tree, selection, now)
    evaluation.prepare()  # while the difference is found
    commit = cast("CommitTree", tree.under) if isinstance(tree, Overlay) else tree
    pairs = _difference(known.folders, tree, commit)
    step = _Step(pairs, commit, tree.files if isinstance(tree, Overlay) else ()) if pairs is not None else None
    if step is None or _is_odd(step.come, tree) or not step.adds_only_unreferenced_owners(known):
        return None
    commit.prefetch(step.read)
    shown = step.facts_before()
    if shown is None:
        return None
    entries = [entry for entry in map(tree.entry, step.documents) if entry is not None]
    examined = evaluation.examine(entries, step.come)
    impact = Impact(
        evaluation,
        commit,
        step.around,
        was={path: one for path, one in examined.facts.items() if path not in step.paths} | shown,
        now=examined.facts,
        more=examined.claimed | step.dangling_before(),
        roster=roster,
    )
    if any(impact.affected) and not impact.is_indexed(MOST):
        return None
    graph = _graph(known, evaluation, impact, examined.claimed) if evaluation.sees_the_whole(examined.unseen) else []
    if graph is None:
        return None
    vouched = evaluation.vouched_for(step.stray, impact.held(examined.facts.values()), step.owners)
    return evaluation.report(
        [*_kept(known, step.around), *examined.findings, *vouched, *graph],
        examined.unseen,
        files=known.files + step.growth(lambda _path: True),
        specs=known.specs + step.growth(is_node_path),
    )


def _difference(folders: Sequence[str], tree: CommitTree | Overlay, commit: CommitTree) -> list[Pair] | None:
    """Return what differs from these folders; None where the trees are irregular, or differ too much."""
    pairs: list[Pair] = []
    there = commit.children(REGISTRY)
    for top, then in zip(FOLLOWED, folders, strict=True):
        _, oid = there.get(top.rpartition("/")[2], (FOLDER, ""))
        found, defects = commit.changes(top, then, oid)
        if defects:
            return None
        pairs += found
    if isinstance(tree, Overlay):
        before = {entry.path: old for old, new in pairs for entry in (old, new) if entry is not None}
        pairs = [pair for pair in pairs if not any(entry and entry.path in tree.files for entry in pair)]
        written = [(before.get(path, commit.entry(path)), tree.entry(path)) for path in tree.files]
        pairs += [pair for pair in written if any(pair)]  # what only the commit has differs from neither
    return None if len(pairs) > MOST else pairs


def _is_odd(entries: Sequence[Entry], tree: Tree) -> bool:
    """Say whether family T has a finding about the added files; names in lower case have no twins.

    The other files were there when the tree was judged, and were regular.
    """
    if any(entry.mode != REGULAR or entry.path != entry.path.casefold() for entry in entries):
        return True
    there = [entry for entry in map(tree.entry, NEEDED) if entry is not None]
    excerpt = MemoryTree({entry.path: b"" for entry in (*entries, *there)})
    return any(True for rule in rules.families_of("T") if rule.check is not None for _ in rule.check(excerpt))


class _Step:
    """What differs, as (before, after) of each path; earlier files are read from the same objects as ``commit``.

    ``written`` are the paths overlaid on the commit, even where their bytes are unchanged.
    """

    def __init__(self, pairs: Sequence[Pair], commit: CommitTree, written: Iterable[str]) -> None:
        self.pairs = pairs
        self.commit = commit
        self.paths = {entry.path for pair in pairs for entry in pair if entry is not None}
        self.gone = [old for old, _ in pairs if old is not None]
        self.come = [new for _, new in pairs if new is not None]
        self.around = frozenset(partner for path in self.paths.union(written) for partner in _partners(path))

    @property
    def documents(self) -> list[str]:
        """The nodes and tombstones that are judged, in order."""
        return [path for path in sorted(self.around) if is_node_path(path) or is_tombstone_path(path)]

    @property
    def read(self) -> list[Entry]:
        """The files that are read, as they were and as they are, apart from those around them."""
        was = [old for old in self.gone if is_node_path(old.path) or is_tombstone_path(old.path)]
        return [entry for entry in (*was, *self.come) if entry.blob]

    @property
    def stray(self) -> list[str]:
        """The judged files that may lack a partner, in order: all but owners' records."""
        return [path for path in sorted(self.around) if not path.startswith(OWNERS)]

    @property
    def owners(self) -> list[str]:
        """The handles of owners of whom a record differs, in order."""
        folders = {folder_of(path) for path in self.paths if path.startswith(OWNERS)}
        return sorted(PREFIX + folder.removeprefix(OWNERS).rstrip("/") for folder in folders)

    def adds_only_unreferenced_owners(self, known: Known) -> bool:
        """Say whether every changed owner is new, and no earlier node refers to one of them.

        A record of an owner who was there before decides about every node that is signed with the owner's keys.
        """
        if not self.owners:
            return True
        come = {new.path for old, new in self.pairs if old is None and new is not None}
        missed_before = any(item.code[0] == "P" and not _is_live(item) for item in known.findings)
        stood = any(old.path.startswith(OWNERS) for old in self.gone)
        begun = all(record_path(owner.folder_of(handle), 0) in come for handle in self.owners)
        return begun and not stood and not missed_before

    def facts_before(self) -> dict[str, NodeFacts] | None:
        """Return the earlier facts of each changed node, by path; None where one could not be read."""
        nodes = [load(self.commit, old) for old in self.gone if is_node_path(old.path)]
        if any(isinstance(node, Unreadable) for node in nodes):
            return None
        return {node.path: NodeFacts.of(node) for node in nodes if not isinstance(node, Unreadable)}

    def dangling_before(self) -> frozenset[str]:
        """Return the signals that changed or removed tombstones left dangling."""
        stones = (old for old in self.gone if is_tombstone_path(old.path))
        return frozenset(name for stone in stones for name in dangling_of(self.commit, stone))

    def growth(self, counts: Callable[[str], bool]) -> int:
        """Return by how many the files that count have grown in number."""
        return sum(counts(new.path) for new in self.come) - sum(counts(old.path) for old in self.gone)


def _partners(path: str) -> tuple[str, ...]:
    """Return what is judged together: a node and its attestation; a tombstone, its attestation, and its node."""
    if path.startswith(OWNERS):
        return (path,)
    node, stone = node_path(node_id(path)), tombstone_path(node_id(path))
    if path.startswith(NODES):
        return node, attestation_path(node)
    return node, attestation_path(node), stone, attestation_path(stone)


def _kept(known: Known, around: frozenset[str]) -> list[Finding]:
    """Return the earlier findings that still hold: all but those that are judged again."""
    return [item for item in known.findings if item.path not in around and item.code[0] != "G" and not _is_live(item)]


def _graph(known: Known, evaluation: Evaluation, impact: Impact, claimed: frozenset[str]) -> list[Finding] | None:
    """Return the findings of family G; None where a roster is needed and there is none.

    As long as there is no finding but look-alike names, the rules run on the affected nodes only; else on all nodes.
    """
    had = [item for item in known.findings if item.code[0] == "G"]
    alike = {folder_of(path) for path in impact.was.keys() ^ impact.now.keys()}
    alike |= {folder_of(item.path) for item in had if item.path in impact.around}
    if not alike and not any(impact.affected):
        return had
    astray = any(f"{node.node_type}/{node.name}" != node_id(path) for path, node in impact.now.items())
    if not astray and all(item.code == _LOOK_ALIKE for item in had):
        signals, owners = impact.affected
        others, left = impact.others
        part = Part(signals, owners, tuple(impact.names_in(alike)), None)
        found = list(evaluation.graph([*impact.now.values(), *others], claimed | left, part))
        if all(item.code == _LOOK_ALIKE for item in found):
            return [*(item for item in had if folder_of(item.path) not in alike), *found]
    if not impact.is_indexed(MOST):
        return None
    everybody, left = impact.everybody
    return list(evaluation.graph(sorted([*impact.now.values(), *everybody]), claimed | left))


def _is_live(item: Finding) -> bool:
    """Say whether a finding is about the trust root, the seal or the waivers, which are judged every time."""
    return (
        item.code[0] == "W"
        or item.path.startswith(TRUST)
        or item.path == SEAL_PATH
        or item.code == CODES["unsealed-change"]
    )
