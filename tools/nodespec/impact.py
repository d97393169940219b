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
    """What is around these paths, and is the same before and after.

    ``was`` and ``now`` are what others see of the nodes at these paths, by path, on either side; ``before`` is the
    commit that was there, or one that agrees with it on everything else. ``besides`` are signals that are felt for
    another reason, and ``jobs`` says how many processes so many files are worth.
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
        besides: frozenset[str] = frozenset(),
        jobs: Callable[[int], int] = _one,
        progress: Progress | None = None,
    ) -> None:
        self.evaluation = evaluation
        self.before = before
        self.around = around
        self.was = was
        self.now = now
        self.roster = roster
        self.besides = besides
        self.jobs = jobs
        self.progress = progress

    @cached_property
    def felt(self) -> tuple[frozenset[str], frozenset[str]]:
        """The signals of nodes that others see otherwise than before, and the owners who hold more than before."""
        signals, owners = set(self.besides), set[str]()
        for path in self.was.keys() | self.now.keys():
            old, new = self.was.get(path), self.now.get(path)
            if old != new:
                signals |= {name for node in (old, new) if node for name, _ in node.emits}
                signals |= {name for node in (old, new) if node for name in node.subscribes}
            if new is not None and (old is None or old.owner != new.owner) and self._is_bounded(new.owner):
                owners.add(new.owner)
        return frozenset(signals), frozenset(owners)

    def _is_bounded(self, owner: str) -> bool:
        """Say whether it matters how many nodes an owner holds."""
        knobs, provenance = self.evaluation.knobs, self.evaluation.provenance
        if knobs is None or provenance is None:
            return False
        newcomer = knobs.newcomers is not None and bool(provenance.roots) and not provenance.root.of_owner(owner)
        return newcomer or knobs.quotas.nodes_per_owner is not None

    @cached_property
    def others(self) -> tuple[list[NodeFacts], frozenset[str]]:
        """Every node that is not touched and has to do with what is felt, and the signals that tombstones leave."""
        signals, owners = self.felt
        return self._found(signals | owners) if signals or owners else ([], frozenset())

    @cached_property
    def everybody(self) -> tuple[list[NodeFacts], frozenset[str]]:
        """Every node that is not touched, and all the signals that tombstones leave."""
        return self._found(None)

    def _found(self, names: frozenset[str] | None) -> tuple[list[NodeFacts], frozenset[str]]:
        """Look for the untouched that hold one of these names, or for all of them."""
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
        left |= {name for entry in held if is_tombstone_path(entry.path) for name in left_by(before, entry)}
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
        """The roster, and the paths at which the commit is no longer what it is of.

        None when there is none, or it is of a commit that this one has nothing to do with.
        """
        roster = self.roster()
        later = roster.differing(self.before) if roster is not None else None
        return (roster, later) if roster is not None and later is not None else None

    def are_at_hand(self, most: int) -> bool:
        """Say whether they can be told from a roster and no more files than this."""
        return self.listed is not None and len(self.listed[1]) <= most

    def names_in(self, folders: Iterable[str]) -> Iterator[str]:
        """Yield the id of every node right in these folders, which end in ``/``."""
        for folder in sorted(set(folders)):
            there = self.before.children(folder.rstrip("/"))
            files = (folder + name for name, (mode, _) in there.items() if mode != FOLDER)
            yield from (node_id(path) for path in files if is_node_path(path) and path not in self.around)
            yield from (node_id(path) for path in self.now if folder_of(path) == folder)

    def held(self, facts: Iterable[NodeFacts]) -> list[tuple[str, str]]:
        """Return (path, owner) of all nodes of those owners who hold more than before."""
        _, owners = self.felt
        return [(node.path, node.owner) for node in (*facts, *self.others[0]) if node.owner in owners]


def folder_of(path: str) -> str:
    """Return the folder that a file is right in, with a ``/`` at its end."""
    return path.rpartition("/")[0] + "/"


def left_by(tree: Tree, entry: Entry) -> tuple[str, ...]:
    """Return the signals that a tombstone leaves dangling; none where it is none, which is for others to say."""
    try:
        stone = load_tombstone(tree, entry)
    except RegistryError:
        return ()
    return tuple(stone.dangling.signals) if stone.dangling else ()
