"""Whom a change can be felt by: the nodes that it does not touch, and that see something of it all the same.

A node is seen by others in what it is called, sends and hears, in its lane, and in whom it counts for. Where a change
alters none of that, nobody is looked for. Where it does, everybody who names one of the signals, or has one of the
owners, is found on the roster (:mod:`nodespec.roster`), or in the files (:mod:`nodespec.mentions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nodespec.errors import RegistryError
from nodespec.mentions import mentioning
from nodespec.reading import Unreadable, load, load_tombstone
from nodespec.rules.graph import NodeFacts
from nodespec.tree import NODES, TOMBSTONES, is_node_path, is_tombstone_path, node_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nodespec.judge import Court
    from nodespec.proposal import Proposal
    from nodespec.roster import Roster
    from nodespec.rules.change import Change
    from nodespec.tree import Entry, Progress, Tree


@dataclass(frozen=True)
class Neighbours:
    """What is around these paths in a proposal; ``jobs`` says how many processes so many files are worth."""

    proposal: Proposal
    court: Court
    around: frozenset[str]
    roster: Callable[[], Roster | None]
    jobs: Callable[[int], int]
    progress: Progress | None

    @property
    def change(self) -> Change | None:
        """The two sides, when both have settings."""
        return self.court.change

    @cached_property
    def felt(self) -> tuple[frozenset[str], frozenset[str]]:
        """The signals of nodes that others see otherwise than before, and the owners who hold more than before."""
        signals, owners = set[str](), set[str]()
        now = {versions.path: NodeFacts.of(versions.now) for versions in self.change.nodes} if self.change else {}
        for path in filter(is_node_path, self.around):
            old, new = self.before(path), now.get(path)
            if old != new:
                signals |= {name for node in (old, new) if node for name, _ in node.emits}
                signals |= {name for node in (old, new) if node for name in node.subscribes}
            if new is not None and (old is None or old.owner != new.owner) and self._is_bounded(new.owner):
                owners.add(new.owner)
        return frozenset(signals), frozenset(owners)

    def _is_bounded(self, owner: str) -> bool:
        """Say whether it matters how many nodes an owner holds."""
        knobs, provenance = self.court.knobs, self.court.provenance
        if knobs is None or provenance is None:
            return False
        newcomer = knobs.newcomers is not None and bool(provenance.roots) and not provenance.root.of_owner(owner)
        return newcomer or knobs.quotas.nodes_per_owner is not None

    @cached_property
    def others(self) -> tuple[list[NodeFacts], frozenset[str]]:
        """Every node that is not touched and has to do with what is felt, and the signals that tombstones leave."""
        signals, owners = self.felt
        before = self.proposal.before
        if not signals and not owners:
            return [], frozenset()
        known, left, unlisted = self._on_roster(signals | owners)
        if unlisted is None:
            listed = [entry for folder in (NODES, TOMBSTONES) for entry in before.below(folder)]
        else:
            listed = [entry for entry in map(before.entry, sorted(unlisted)) if entry is not None]
        entries = [entry for entry in listed if entry.path not in self.around and entry.path.endswith(".yaml")]
        held = mentioning(before, entries, signals | owners, jobs=self.jobs(len(entries)), progress=self.progress)
        nodes = [load(before, entry) for entry in held if is_node_path(entry.path)]
        known += [NodeFacts.of(node) for node in nodes if not isinstance(node, Unreadable)]
        left |= {name for entry in held if is_tombstone_path(entry.path) for name in _left_by(before, entry)}
        return sorted(known), frozenset(left)  # by path, wherever they were found

    def _on_roster(self, names: frozenset[str]) -> tuple[list[NodeFacts], set[str], frozenset[str] | None]:
        """Return what the roster knows of untouched nodes, and the paths at which base is no longer what it is of.

        None stands for all paths: there is no roster, or it is of a commit that base has nothing to do with.
        """
        roster = self.roster()
        later = roster.differing(self.proposal.before) if roster is not None else None
        if roster is None or later is None:
            return [], set(), None
        apart = self.around | later
        nodes, stones = roster.naming(names)
        left = {name for path, names in stones.items() if path not in apart for name in names}
        return [node for node in nodes if node.path not in apart], left, later

    def names_beside(self, new: Sequence[NodeFacts]) -> Iterator[str]:
        """Yield every id of the types of which there are new nodes."""
        for folder in sorted({node.path.rpartition("/")[0] + "/" for node in new}):
            for entry in self.proposal.tree.below(folder):
                if is_node_path(entry.path) and "/" not in entry.path.removeprefix(folder):
                    yield node_id(entry.path)

    def held(self, facts: Iterable[NodeFacts]) -> list[tuple[str, str]]:
        """Return (path, owner) of all nodes of those owners who hold more than before."""
        _, owners = self.felt
        return [(node.path, node.owner) for node in (*facts, *self.others[0]) if node.owner in owners]

    def before(self, path: str) -> NodeFacts | None:
        """Return what others saw of a node in base; None when there was none."""
        node = self.change.earlier(path) if self.change is not None and is_node_path(path) else None
        return None if node is None else NodeFacts.of(node)


def _left_by(tree: Tree, entry: Entry) -> tuple[str, ...]:
    """Return the signals that a tombstone leaves dangling; none where it is none, which is for others to say."""
    try:
        stone = load_tombstone(tree, entry.path)
    except RegistryError:
        return ()
    return tuple(stone.dangling.signals) if stone.dangling else ()
