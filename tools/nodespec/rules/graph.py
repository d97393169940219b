"""Family G: the registry as a whole.

These rules see every node at once, as :class:`NodeFacts`: the little of each spec that other specs
depend on. Facts are small, so that they can come from another process or from an index.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from nodespec.encoding import quoted
from nodespec.finding import Hit
from nodespec.quorum import short
from nodespec.rule import rule
from nodespec.spec import LANES
from nodespec.tree import node_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nodespec.finding import KeyPath
    from nodespec.settings import Settings
    from nodespec.spec import NodeSpec

_EMITS: KeyPath = ("interfaces", "signals", "emits")
_SUBSCRIBES: KeyPath = ("interfaces", "signals", "subscribes")


_SUGGESTIONS = 20
"""Misspelt signals for which the nearest name is looked up: each look-up walks over all signals."""


class NodeFacts(NamedTuple):
    """What the graph rules know of a node; positions in ``emits`` and ``subscribes`` are those in the spec."""

    path: str
    node_type: str
    name: str
    lane: str
    emits: tuple[tuple[str, str], ...]
    subscribes: tuple[str, ...]
    owner: str = ""

    @classmethod
    def of(cls, node: NodeSpec) -> NodeFacts:
        """Return the facts of a node."""
        emits = tuple((emit.name, emit.sensitivity) for emit in node.emits)
        subscribes = tuple(item.signal for item in node.subscribes)
        return cls(node.path, node.node_type, node.name, node.lane, emits, subscribes, node.owner)


class Whole(NamedTuple):
    """All nodes, who emits each signal, and the signals that misshapen specs say they emit.

    A spec that breaks the schema has findings of its own; its subscribers are not to be blamed for it.

    With ``part``, not all nodes are here, and the rules say only what they can about those that are.
    """

    nodes: Sequence[NodeFacts]
    emitters: dict[str, list[NodeFacts]]
    claimed: frozenset[str]
    settings: Settings
    part: Part | None = None

    @classmethod
    def of(
        cls, nodes: Sequence[NodeFacts], claimed: frozenset[str], settings: Settings, part: Part | None = None
    ) -> Whole:
        """Return the registry's facts with its emitters by signal."""
        emitters: dict[str, list[NodeFacts]] = {}
        for node in nodes:
            for name, _ in node.emits:
                emitters.setdefault(name, []).append(node)
        return cls(nodes, emitters, claimed | settings.external_signals, settings, part)

    def knows(self, signal: str) -> bool:
        """Say whether everybody who emits a signal or waits for it is here."""
        return self.part is None or signal in self.part.signals


class Part(NamedTuple):
    """What is known of a registry when not every node is: whoever has to do with these signals, and these owners.

    ``names`` are all ids whose types are looked at for names that look alike; ``fresh`` are the paths of the nodes that
    are judged, and everybody else was there before; None when all are judged alike.
    """

    signals: frozenset[str]
    owners: frozenset[str]
    names: Sequence[str]
    fresh: frozenset[str] | None


DANGLING = "G001"


@rule(
    DANGLING,
    "dangling-subscription",
    why="A node that waits for a signal nobody sends never acts, and nothing says so at run time.",
    fix="Correct the signal's name, register its emitter, or list it under external_signals in registry.yaml.",
)
def dangling_subscription(whole: Whole) -> Iterator[Hit]:
    """Somebody emits what is subscribed to."""
    suggestions = _SUGGESTIONS
    for node in whole.nodes:
        for position, signal in enumerate(node.subscribes):
            if whole.knows(signal) and signal not in whole.emitters and signal not in whole.claimed:
                near = _near(signal, whole.emitters) if suggestions > 0 else ""
                suggestions -= 1
                message = f"no node emits {quoted(signal)}" + (f"; did you mean {quoted(near)}?" if near else "")
                yield Hit(message=message, path=node.path, at=(*_SUBSCRIBES, position, "signal"))


def claimed_signals(value: Any) -> frozenset[str]:
    """Return the names that a misshapen spec lists under interfaces.signals.emits, as far as they can be made out."""
    for key in ("interfaces", "signals", "emits"):
        value = value.get(key) if isinstance(value, dict) else None
    items = value if isinstance(value, list) else []
    names = (item.get("name") for item in items if isinstance(item, dict))
    return frozenset(name for name in names if isinstance(name, str))


def _near(signal: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(signal, list(known)[:5000], n=1, cutoff=0.8)), "")


@rule(
    "G002",
    "lane-inversion",
    why="A lane is a promise about everything below it: products that depend on a candidate are a candidate.",
    fix=(
        "Promote the emitter first, subscribe to a signal of your own lane or a higher one, or give the lower "
        "emitter's signal another name."
    ),
)
def lane_inversion(whole: Whole) -> Iterator[Hit]:
    """A higher lane never depends on a lower one."""
    ranks: dict[str, int] = {lane: rank for rank, lane in enumerate(LANES)}
    lowest = {signal: min(emitters, key=lambda node: ranks[node.lane]) for signal, emitters in whole.emitters.items()}
    for node in whole.nodes:
        for position, signal in enumerate(node.subscribes):
            emitter = lowest.get(signal)
            if emitter is not None and whole.knows(signal) and ranks[emitter.lane] < ranks[node.lane]:
                message = (
                    f"this node is in lane {node.lane}, and {quoted(signal)} comes from "
                    f"{emitter.node_type}/{emitter.name} in lane {emitter.lane}"
                )
                yield Hit(message=message, path=node.path, at=(*_SUBSCRIBES, position, "signal"))


@rule(
    "G003",
    "look-alike-name",
    severity="warning",
    why="Two names that a tired reader takes for one are how the wrong node is approved, queried or impersonated.",
    fix="Choose a name that differs in more than one character; versions (…_v1, …_v2) are no look-alikes.",
)
def look_alike_name(whole: Whole) -> Iterator[Hit]:
    """No two names of one type are confusable, or one edit apart."""
    by_type: dict[str, dict[str, str]] = {}
    fresh = whole.part.fresh if whole.part is not None else None
    ids = [f"{node.node_type}/{node.name}" for node in whole.nodes] if whole.part is None else whole.part.names
    for identifier in ids:
        node_type, _, name = identifier.rpartition("/")
        by_type.setdefault(node_type, {})[name] = node_path(identifier)
    for paths in by_type.values():
        for later, earlier in {later: earlier for earlier, later in reversed(look_alikes(sorted(paths)))}.items():
            second, first = later, earlier
            if fresh is not None and paths[later] not in fresh:
                second, first = earlier, later
            if fresh is not None and paths[second] not in fresh:
                continue
            message = f"{quoted(second)} looks like {quoted(first)}, of the same type"
            yield Hit(message=message, path=paths[second], at=("metadata", "name"))


_NUMBER = re.compile(r"[0-9]+")
_MANY_PAIRS = 1000
"""A type with so many look-alikes has a naming scheme of its own; the first thousand make the point."""

_CONFUSABLE = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "2": "z", "8": "b", "-": "_"})


def look_alikes(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of ``names`` that look alike.

    >>> look_alikes(["echo", "ech0", "memory", "memry", "store_v1", "store_v2"])
    [('echo', 'ech0'), ('memory', 'memry')]
    """
    pairs: set[tuple[str, str]] = set()
    skeletons: dict[str, list[str]] = {}
    stems: dict[str, str] = {}
    for name in names:
        stem = _NUMBER.sub("#", name)
        stems.setdefault(stem, name)
        alike = skeletons.setdefault(name.translate(_CONFUSABLE).replace("rn", "m").replace("vv", "w"), [])
        pairs.update((other, name) for other in alike if stem != _NUMBER.sub("#", other))
        alike.append(name)
    shortened: dict[str, list[str]] = {}
    for stem, name in stems.items():
        for variant in {stem, *(stem[:cut] + stem[cut + 1 :] for cut in range(len(stem)))}:
            near = shortened.setdefault(variant, [])
            if near:  # seldom
                pairs.update((other, name) for other in near if _one_edit(_NUMBER.sub("#", other), stem))
            near.append(name)
            if len(pairs) > _MANY_PAIRS:
                return sorted(pairs)
    return sorted(pairs)


def _one_edit(one: str, other: str) -> bool:
    """Say whether two texts are one insertion, deletion, replacement or swap of neighbours apart."""
    if len(one) > len(other):
        one, other = other, one
    start = 0
    while start < len(one) and one[start] == other[start]:
        start += 1
    if len(one) < len(other):
        return len(other) - len(one) == 1 and one[start:] == other[start + 1 :]
    swapped = one[start : start + 2] == other[start : start + 2][::-1] and one[start + 2 :] == other[start + 2 :]
    return one[start + 1 :] == other[start + 1 :] or swapped


@rule(
    "G004",
    "sensitivity-disagreement",
    why="A subscriber handles a signal by its sensitivity; two emitters that disagree leave it to chance.",
    fix="Agree on one sensitivity, and list the signal under sensitive_signals in registry.yaml if it matters.",
)
def sensitivity_disagreement(whole: Whole) -> Iterator[Hit]:
    """All emitters of a signal agree how sensitive it is."""
    declared: dict[str, tuple[str, NodeFacts]] = {}
    for node in whole.nodes:
        for position, (signal, sensitivity) in enumerate(node.emits):
            first, emitter = declared.setdefault(signal, (sensitivity, node))
            if first != sensitivity and whole.knows(signal):
                message = (
                    f"signal {quoted(signal)} is {sensitivity} here and {first} from {emitter.node_type}/{emitter.name}"
                )
                yield Hit(message=message, path=node.path, at=(*_EMITS, position))


@rule(
    "G005",
    "owner-quota",
    why="A registry in which one owner can hold everything has no room, and no reviewers, for anybody else.",
    fix="Deregister nodes that nobody needs: nodespec deregister ID; or let the maintainers raise the quota.",
)
def owner_quota(whole: Whole) -> Iterator[Hit]:
    """No owner holds more nodes than the registry allows."""
    limit = whole.settings.quotas.nodes_per_owner
    if limit is None:
        return
    held: dict[str, list[str]] = {}
    for node in whole.nodes:
        held.setdefault(node.owner, []).append(node.path)
    fresh = (whole.part.fresh if whole.part is not None else None) or frozenset[str]()
    for owner, paths in held.items():
        if whole.part is None or owner in whole.part.owners:
            message = f"the owner {short(owner)} holds {len(paths):,} nodes; one owner may hold {limit:,}"
            for path in sorted(paths, key=lambda path: (path in fresh, path))[limit:]:
                yield Hit(message=message, path=path, at=("identity", "owner_id"))
