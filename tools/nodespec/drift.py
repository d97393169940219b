"""Drift: the share of a fixed set of sample queries whose result a change alters.

The queries ask for each lane, each tier, each lane at each tier, the emitters of each sensitivity, the nodes that emit
or hear nothing, and the nodes that are allowed anything under each of the usual verbs. A result is a set of nodes, so
it changes exactly when a changed node enters or leaves it; only changed nodes need to be matched. A correction that
moves no node has drift 0.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from nodespec.question import Question
from nodespec.spec import LANES, MAX_TIER, SENSITIVITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nodespec.spec import NodeSpec

    Pair = tuple[NodeSpec | None, NodeSpec | None]
    Asked = Callable[[NodeSpec], bool]

_VERBS = ("connect", "delete", "read", "write")
"""Verbs of capabilities that a registry of any kind has use for."""


class Drift(NamedTuple):
    """The queries whose result changes, and how many were asked."""

    changed: tuple[str, ...]
    asked: int

    @property
    def share(self) -> float:
        """The share of them, from 0 to 1."""
        return len(self.changed) / self.asked


def _questions() -> dict[str, Asked]:
    tiers = range(MAX_TIER + 1)
    asked: dict[str, Question] = {f"--lane {lane}": Question(lane=lane) for lane in LANES}
    asked |= {f"--tier {tier}": Question(tier=frozenset([tier])) for tier in tiers}
    asked |= {
        f"--lane {lane} --tier {tier}": Question(lane=lane, tier=frozenset([tier])) for lane in LANES for tier in tiers
    }
    asked |= {f"--capability {verb}:*": Question(capability=(f"{verb}:*",)) for verb in _VERBS}
    found: dict[str, Asked] = {words: question.matches for words, question in asked.items()}
    found |= {f"emits anything {label}": partial(_emits, label) for label in SENSITIVITIES}
    found["emits nothing"] = lambda node: not node.emits
    found["subscribes to nothing"] = lambda node: not node.subscribes
    return found


def _emits(label: str, node: NodeSpec) -> bool:
    return any(emit.sensitivity == label for emit in node.emits)


QUESTIONS = _questions()
"""What is asked, in words and as a filter; another set would be another measure."""


def drift(pairs: Iterable[Pair]) -> Drift:
    """Return the queries whose result changes; ``pairs`` are the changed nodes, before and after (None: not there)."""
    listed = [pair for pair in pairs if pair[0] is not pair[1]]

    def differs(asked: Asked) -> bool:
        return any(_in(asked, old) != _in(asked, new) for old, new in listed)

    return Drift(tuple(words for words, asked in QUESTIONS.items() if differs(asked)), len(QUESTIONS))


def _in(asked: Asked, node: NodeSpec | None) -> bool:
    return node is not None and asked(node)
