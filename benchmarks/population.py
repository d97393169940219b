"""Which nodes a registry of a given size holds, and who hears whom.

Every node is a function of the seed and its number, so that nothing has to be kept in memory and any
node can be told without the others. The rules about the whole registry hold by construction:

- each node emits a signal of its own, so no subscription dangles (G001);
- it subscribes to nodes of its own lane or a higher one, and repeats signals only of its own lane or
  a lower one, so no lane depends on a lower one (G002);
- the sensitivity belongs to the signal, not to the emitter (G004), and whoever says or hears a personal
  one refers to the policy (N008);
- names differ in a number that no other node has, or in whole words (G003).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.dice import Dice

if TYPE_CHECKING:
    from collections.abc import Iterator

LANES = ("candidate", "core", "lukhas", "products")
OWNERS = 50
EXTERNAL_SIGNALS = ("operator_acknowledged", "solar_weather_changed", "wall_clock_struck")

_LANE_PATTERN = (0, 2, 0, 3, 1, 0, 2, 0, 3, 0, 2, 1, 0, 3, 2, 0, 0, 1, 2, 3)
"""Lane of a node by its number modulo 20: 8 candidates, 3 core, 5 lukhas, 4 products."""

_LONG_AGO = 10_000_000
"""The number of the first node that has a tombstone."""

_HIGHEST_TIER = (2, 7, 5, 6)  # by lane; a candidate with much trust would be a curious sight

AREAS = (
    "memory", "dream", "perception", "reasoning", "affect", "governance", "gateway", "kernel",
    "language", "motion", "attention", "planning", "consent", "identity", "commerce", "weather",
    "archive", "vision", "hearing", "navigation", "learning", "dialogue", "safety", "energy", "health",
)  # fmt: skip
KINDS = (
    "adapter", "processor", "guard", "sensor", "fusion", "index", "planner", "relay", "scheduler",
    "auditor", "composer", "broker", "monitor", "store", "translator", "regulator", "estimator",
    "router", "watcher", "mediator",
)  # fmt: skip
_QUALITIES = (
    "patient", "swift", "quiet", "lucid", "steady", "woven", "tidal", "amber", "northern", "hollow",
    "gentle", "bright", "folded", "distant", "early", "mossy",
)  # fmt: skip
_THINGS = (
    "lantern", "harbour", "compass", "orchard", "thimble", "meadow", "anvil", "gallery", "bridge",
    "kettle", "sparrow", "pendulum", "cartographer", "spindle", "beacon", "quarry",
)  # fmt: skip
_TOPICS = ("episode", "percept", "insight", "route", "mood", "plan", "reading", "answer", "budget", "trace")
_VERBS = ("stored", "formed", "proposed", "changed", "measured", "refused", "merged", "forgotten", "ranked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal as every emitter of it declares it."""

    name: str
    sensitivity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What is fixed about a node before its text is written. ``lane`` and ``owner`` are numbers."""

    number: int
    node_type: str
    name: str
    lane: int
    tier: int
    owner: int
    emits: tuple[Signal, ...]
    subscribes: tuple[Signal, ...]

    @property
    def personal(self) -> bool:
        """Whether it says or hears anything about people, and so answers to a policy (N008)."""
        return any(signal.sensitivity == "personal" for signal in self.emits + self.subscribes)

    @property
    def path(self) -> str:
        """Where the specification stands in the repository."""
        return f"registry/nodes/{self.node_type.replace('.', '/')}/{self.name}.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """``nodes`` nodes in ``types`` folders. Numbers from ``nodes`` on are nodes that join later.

    Types have ``depth`` segments, three to eight. As many ``tombstones`` stand for nodes that were there once.
    """

    seed: int
    nodes: int
    types: int
    depth: int = 3
    tombstones: int = 0

    def node(self, number: int) -> Node:
        """Return the node of that number."""
        dice = Dice(self.seed, "node", number)
        lane = lane_of(number)
        kind = self._type_number(number)
        emits = self._emits(number, dice)
        return Node(
            number=number,
            node_type=type_name(kind) + "".join(f".level{level}" for level in range(4, self.depth + 1)),
            name=f"{dice.pick(_QUALITIES)}_{dice.pick(_THINGS)}_{number:05}",
            lane=lane,
            tier=min(dice.between(0, _HIGHEST_TIER[lane]), dice.between(0, _HIGHEST_TIER[lane])),
            owner=(kind * 7 + (dice.roll(3) if dice.chance(20) else 0)) % OWNERS,
            emits=emits,
            subscribes=self._subscribes(number, emits, dice),
        )

    def stones(self) -> Iterator[Node]:
        """Yield the nodes that were there once."""
        return map(self.node, range(_LONG_AGO, _LONG_AGO + self.tombstones))

    def signal(self, number: int) -> Signal:
        """Return the signal that is the node's own. Others may repeat it, and subscribe to it."""
        dice = Dice(self.seed, "signal", number)
        share = dice.roll(100)
        return Signal(
            name=f"{self._area(number)}.{dice.pick(_TOPICS)}_{dice.pick(_VERBS)}_{number}",
            sensitivity="personal" if share < 8 else "internal" if share < 50 else "public",
        )

    def _type_number(self, number: int) -> int:
        return number * self.types // self.nodes if number < self.nodes else number % self.types

    def _area(self, number: int) -> str:
        return AREAS[self._type_number(number) % len(AREAS)]

    def _emits(self, number: int, dice: Dice) -> tuple[Signal, ...]:
        own = self.signal(number)
        emits = [own]
        verbs = dice.some(("retried", "delayed", "abandoned"), dice.pick((0, 0, 0, 0, 1, 1, 2)))
        emits += [Signal(name=f"{own.name}_{verb}", sensitivity=own.sensitivity) for verb in verbs]
        if dice.chance(20):
            other = dice.roll(self.nodes)
            if other != number and lane_of(other) <= lane_of(number):
                emits.append(self.signal(other))
        return tuple(emits)

    def _subscribes(self, number: int, emitted: tuple[Signal, ...], dice: Dice) -> tuple[Signal, ...]:
        heard: list[Signal] = []
        for _ in range(dice.roll(4)):
            other = _at_least(lane_of(number), self.nodes, dice)
            if other is not None and other != number:
                heard.append(self.signal(other))
        if dice.chance(10):
            heard.append(Signal(name=dice.pick(EXTERNAL_SIGNALS), sensitivity="public"))
        return tuple(signal for signal in dict.fromkeys(heard) if signal not in emitted)


def lane_of(number: int) -> int:
    """Return the lane of a node, as an index into ``LANES``."""
    return _LANE_PATTERN[number % len(_LANE_PATTERN)]


def type_name(number: int) -> str:
    """Return the node type of that number: 500 stand under ``matriz``, the next 500 under ``matriz2``."""
    rest, area = divmod(number, len(AREAS))
    system, kind = divmod(rest, len(KINDS))
    return f"matriz{system + 1 if system else ''}.{AREAS[area]}.{KINDS[(kind + area) % len(KINDS)]}"


def owner_handle(seed: int, owner: int) -> str:
    """Return an owner's handle: of the right form, with no chain behind it, for nothing here is signed."""
    return "GLYMPH:" + hashlib.sha256(f"{seed}/owner/{owner}".encode()).hexdigest()


def _at_least(lane: int, nodes: int, dice: Dice) -> int | None:
    """Return a node of ``lane`` or a higher one; None where a very small registry has none in reach."""
    slots = [slot for slot, other in enumerate(_LANE_PATTERN) if other >= lane]
    number = dice.roll(nodes // len(_LANE_PATTERN) + 1) * len(_LANE_PATTERN) + dice.pick(slots)
    return number if number < nodes else None
