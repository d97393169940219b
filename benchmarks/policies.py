"""How long it takes to judge a node by every policy of the example registry, in the sandbox and back.

The nodes are those of the example registry, each judged by all four policies, whomever they govern: the question is
written, sent to the process that evaluates, answered there, and read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from benchmarks.generate import CHECKOUT
from nodespec.policy.policies import Policies
from nodespec.policy.standing import Standing
from nodespec.registry import Registry

_TURNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Milliseconds a node: the median, within which 95 of 100 end, and of the first, which starts the sandbox."""

    policies: int
    median: float
    p95: float
    first: float


def measure() -> Judged:
    """Measure on this machine, now."""
    snapshot = Registry.open(CHECKOUT).at()
    nodes, settings = list(snapshot.query()), snapshot.settings
    policies = Policies(Policies.of(snapshot.tree).sources)
    for form in policies._forms:
        form.sight = None  # each node is asked about, as the first that looks so
    numbers = range(len(policies.sources))
    standing = Standing(verified=True, attested=True, delegated=True)
    taken = []
    for _ in range(_TURNS):
        for node in nodes:
            start = time.perf_counter()
            policies.judge_by(numbers, node, standing, settings)
            taken.append((time.perf_counter() - start) * 1000)
    first, *others = taken
    return Judged(
        policies=len(numbers), median=median(others), p95=sorted(others)[int(len(others) * 0.95)], first=first
    )
