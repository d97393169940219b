"""A registry's commits: everything at once, then small changes, hours apart.

Only nodes that joined later are ever taken out again: nobody subscribes to one, so every commit is a
registry without findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from benchmarks.dice import Dice
from benchmarks.population import EXTERNAL_SIGNALS, Node, Population, owner_handle
from benchmarks.spec_text import POLICY, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BEGIN = 1_767_600_000  # 2026-01-05T08:00:00Z, a Monday
_HOUR = 3_600
_SENSITIVE_LISTED = 12  # signals that registry.yaml itself calls sensitive

_POLICY_TEXT = """\
# For nodes with signals about people. In each rule, expr is true when the node complies.

policy: matriz.governance
description: Who hears or sees people says for what, and how private it keeps them.

match:
  lanes: [candidate, core, lukhas, products]

rules:
  - id: terms-stated
    expr: has(node.consent)
    message: State purpose, retention and erasure under consent.
    severity: error
    path: /consent

  - id: privacy-floor
    expr: >-
      has(node.policy_min_scores) && 'privacy' in node.policy_min_scores &&
      node.policy_min_scores['privacy'] >= 0.9
    message: Set policy_min_scores.privacy to 0.9 or more.
    severity: error
    path: /policy_min_scores
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit: seconds since 1970 in UTC, and the files it writes; None deletes a file."""

    subject: str
    time: int
    files: Iterable[tuple[str, bytes | None]]


def commits(population: Population, count: int, contracts: Mapping[str, bytes]) -> Iterator[Commit]:
    """Yield ``count`` commits, oldest first. ``contracts`` are the files under schemas/."""
    yield Commit(
        subject=f"Start the registry with {population.nodes} nodes",
        time=_BEGIN,
        files=_first(population, contracts),
    )
    history = _History(population)
    time = _BEGIN
    for number in range(1, count):
        dice = Dice(population.seed, "commit", number)
        time += dice.between(1, 9) * _HOUR + dice.roll(_HOUR)
        yield history.next(dice, time)


class _History:
    """What the commits so far have left behind: how often each file was changed, and who joined."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._revisions: dict[int, int] = {}
        self._joined: list[int] = []
        self._born = population.nodes

    def next(self, dice: Dice, time: int) -> Commit:
        """Return the next commit: a few changed nodes, now and then one that joins or leaves."""
        files = dict(self._update(dice.roll(self._population.nodes)) for _ in range(dice.between(1, 4)))
        subject = f"Update {len(files)} node{'s' if len(files) > 1 else ''}"
        if dice.chance(30):
            files |= [self._join()]
            subject += ", register 1"
        if self._joined and dice.chance(15):
            files |= [self._leave(dice)]
            subject += ", deregister 1"
        return Commit(subject=subject, time=time, files=tuple(files.items()))

    def _update(self, number: int) -> tuple[str, bytes | None]:
        revision = self._revisions[number] = self._revisions.get(number, 0) + 1
        node = self._population.node(number)
        return node.path, render(self._population.seed, node, revision)

    def _join(self) -> tuple[str, bytes | None]:
        node = self._population.node(self._born)
        self._joined.append(self._born)
        self._born += 1
        return node.path, render(self._population.seed, node, 0)

    def _leave(self, dice: Dice) -> tuple[str, bytes | None]:
        number = self._joined.pop(dice.roll(len(self._joined)))
        return self._population.node(number).path, None


def _first(population: Population, contracts: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    yield from contracts.items()
    yield "registry/registry.yaml", _settings(population)
    yield f"registry/policies/{POLICY}.cel.yaml", _POLICY_TEXT.encode()
    for number in range(population.nodes):
        node = population.node(number)
        yield node.path, render(population.seed, node, 0)
    for node in population.stones():
        yield node.path.replace("/nodes/", "/tombstones/", 1), _tombstone(population.seed, node).encode()


def _tombstone(seed: int, node: Node) -> str:
    return (
        "schema_version: tombstone.v1\n"
        f"node_type: {node.node_type}\nname: {node.name}\nversion: 1.0.0\nowner_id: {owner_handle(seed, node.owner)}\n"
        "reason: Its work is done by others.\n"
    )


def _settings(population: Population) -> bytes:
    own = (population.signal(number) for number in range(population.nodes))
    personal = islice((signal.name for signal in own if signal.sensitivity == "personal"), _SENSITIVE_LISTED)
    lines = [
        "# yaml-language-server: $schema=../schemas/registry.v1.schema.json",
        "schema_version: registry.v1",
        f"registry_id: benchmark.seed{population.seed}",
        "description: A made-up registry to measure with. Nothing in it runs, and nothing is signed.",
        *_block("sensitive_signals", [f"  {name}: personal" for name in personal]),
        *_block("external_signals", [f"  - {name}" for name in EXTERNAL_SIGNALS]),
    ]
    return ("\n".join(lines) + "\n").encode()


def _block(key: str, lines: list[str]) -> list[str]:
    return [f"{key}:", *lines] if lines else []
