"""Impact analysis: the unchanged nodes that a change may affect.

Other nodes depend on a node's name, signals, lane and owner, and on nothing else of it. Where a change alters none of
these, no other node is looked at. Where it does, every node that shares one of the affected signals or owners is looked
up in the roster (:mod:`nodespec.roster`), or else searched for in the files (:mod:`nodespec.mentions`).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nodespec.errors import RegistryError
from nodespec.mentions import mentioning
from nodespec.reading import Unreadable, load, load_tombstone
from nodespec.rules.graph import NodeFacts
from nodespec.tree import FOLDER, NODES, TOMBSTONES, is_node_path, is_tombstone_path, node_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nodespec.commit import CommitTree
    from nodespec.evaluation import Evaluation
    from nodespec.roster import Roster
    from nodespec.tree import Entry, Progress, Tree


def _one(_files: int) -> int:
    """Start no other process."""
    return 1


class Impact:
    """The nodes outside of the changed paths (``around``) that a change may affect; they are the same on both sides.

    ``was`` and ``now`` are the facts of the nodes at the changed paths, by path, before and after; ``before`` is the
    earlier commit, or one that agrees with it on everything else. ``more`` are signals that are affected for another
    reason, and ``jobs`` says how many processes so many files are worth.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        before: CommitTree,
        around: frozenset[str],
        *,
        was: Mapping[str, NodeFacts],
        now: Mapping[str, NodeFacts],
        roster: Callable[[], Roster | None],
        more: frozenset[str] = frozenset(),
        jobs: Callable[[int], int] = _one,
        progress: Progress | None = None,
    ) -> None:
        self.evaluation = evaluation
        self.before = before
        self.around = around
        self.was = was
        self.now = now
        self.roster = roster
        self.more = more
        self.jobs = jobs
        self.progress = progress

    @cached_property
    def affected(self) -> tuple[frozenset[str], frozenset[str]]:
        """The signals of nodes whose facts changed, and the owners who hold more nodes than before."""
        signals, owners = set(self.more), set[str]()
        for path in self.was.keys() | self.now.keys():
            old, new = self.was.get(path), self.now.get(path)
            if old != new:
                signals |= {name for node in (old, new) if node for name, _ in node.emits}
                signals |= {name for node in (old, new) if node for name in node.subscribes}
            if new is not None and (old is None or old.owner != new.owner) and self._is_bounded(new.owner):
                owners.add(new.owner)
        return frozenset(signals), frozenset(owners)

    def _is_bounded(self, owner: str) -> bool:
        """Say whether the number of nodes that an owner may hold is limited."""
        knobs, provenance = self.evaluation.knobs, self.evaluation.provenance
        if knobs is None or provenance is None:
            return False
        newcomer = knobs.newcomers is not None and bool(provenance.roots) and not provenance.root.of_owner(owner)
        return newcomer or knobs.quotas.nodes_per_owner is not None

    @cached_property
    def others(self) -> tuple[list[NodeFacts], frozenset[str]]:
        """Every unchanged node with an affected signal or owner, and the signals that tombstones leave dangling."""
        signals, owners = self.affected
        return self._found(signals | owners) if signals or owners else ([], frozenset())

    @cached_property
    def everybody(self) -> tuple[list[NodeFacts], frozenset[str]]:
        """Every unchanged node, and every signal that a tombstone leaves dangling."""
        return self._found(None)

    def _found(self, names: frozenset[str] | None) -> tuple[list[NodeFacts], frozenset[str]]:
        """Return the unchanged nodes that hold one of these names; with None, all of them."""
        before = self.before
        known, left = self._on_roster(names)
        if self.listed is None:
            listed = [entry for folder in (NODES, TOMBSTONES) for entry in before.below(folder)]
        else:
            listed = [entry for entry in map(before.entry, sorted(self.listed[1])) if entry is not None]
        held = [entry for entry in listed if entry.path not in self.around and entry.path.endswith(".yaml")]
        if names is not None:
            held = mentioning(before, held, names, jobs=self.jobs(len(held)), progress=self.progress)
        nodes = [load(before, entry) for entry in held if is_node_path(entry.path)]
        known += [NodeFacts.of(node) for node in nodes if not isinstance(node, Unreadable)]
        left |= {name for entry in held if is_tombstone_path(entry.path) for name in dangling_of(before, entry)}
        return sorted(known), frozenset(left)  # by path, wherever they were found

    def _on_roster(self, names: frozenset[str] | None) -> tuple[list[NodeFacts], set[str]]:
        if self.listed is None:
            return [], set()
        roster, later = self.listed
        apart = self.around | later
        nodes, stones = roster.everybody() if names is None else roster.naming(names)
        left = {name for path, names in stones.items() if path not in apart for name in names}
        return [node for node in nodes if node.path not in apart], left

    @cached_property
    def listed(self) -> tuple[Roster, frozenset[str]] | None:
        """The roster, and the paths at which the commit differs from the one that it lists.

        None without a roster, or when the difference cannot be known.
        """
        roster = self.roster()
        later = roster.differing(self.before) if roster is not None else None
        return (roster, later) if roster is not None and later is not None else None

    @property
    def word(self) -> str:
        """Whose word was taken about unchanged nodes; empty where they were looked for, or nobody asked about them."""
        asked = vars(self).get("listed")
        return asked[0].word if asked else ""

    def is_indexed(self, most: int) -> bool:
        """Say whether a roster and no more changed files than this answer for every unchanged node."""
        return self.listed is not None and len(self.listed[1]) <= most

    def names_in(self, folders: Iterable[str]) -> Iterator[str]:
        """Yield the id of every node directly in these folders, which end in ``/``."""
        for folder in sorted(set(folders)):
            there = self.before.children(folder.rstrip("/"))
            files = (folder + name for name, (mode, _) in there.items() if mode != FOLDER)
            yield from (node_id(path) for path in files if is_node_path(path) and path not in self.around)
            yield from (node_id(path) for path in self.now if folder_of(path) == folder)

    def held(self, facts: Iterable[NodeFacts]) -> list[tuple[str, str]]:
        """Return (path, owner) of all nodes of the owners who hold more than before."""
        _, owners = self.affected
        return [(node.path, node.owner) for node in (*facts, *self.others[0]) if node.owner in owners]


def folder_of(path: str) -> str:
    """Return the folder of a file, with a ``/`` at its end."""
    return path.rpartition("/")[0] + "/"


def dangling_of(tree: Tree, entry: Entry) -> tuple[str, ...]:
    """Return the signals that a tombstone leaves dangling; none where the file cannot be read as one."""
    try:
        stone = load_tombstone(tree, entry)
    except RegistryError:
        return ()
    return tuple(stone.dangling.signals) if stone.dangling else ()
