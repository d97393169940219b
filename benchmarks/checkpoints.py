"""What is promised of checkpoints: the next one costs what changed, and not the registry.

Each figure is of a process of its own that runs ``nodespec checkpoint create``. A quarter of a second of each is
starting Python and unlocking keys, whatever there is to sign. So reading everything is compared with reading what
changed by the time that the command is about the manifest (:mod:`benchmarks.timed`); a small registry is compared with
a large one by that time, and by whole processes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.generate import CHECKOUT, default_types, generate
from benchmarks.measure import BenchmarkError, Timing
from benchmarks.population import Population
from benchmarks.promises import SEED, Promise
from benchmarks.questions import FULL, SMALL, committer
from benchmarks.timed import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TURNS = 9
FULL_TURNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Times by name, and what is promised of them."""

    times: dict[str, Timing]
    promises: Sequence[Promise]


def checkpoints(folder: Path, nodes: int) -> Measured:
    """Measure the first checkpoint of a registry, and those after commits of one file; likewise of a small one."""
    environment = _keys(folder)
    times: dict[str, Timing] = {}
    for size in (SMALL, nodes):
        registry = folder / f"signed-off-{size}"
        generate(registry, Population(seed=SEED, nodes=size, types=default_types(size)), 1)
        times |= _measured(registry, size, environment)
    work = f"checkpoint {nodes:,} nodes after a commit of one file"
    promises = [
        Promise(work=work, ours=_next(nodes), other=_first(nodes), bar=_bar(nodes)),
        Promise(work=work, ours=_next(nodes), other=_next(SMALL), bar=3, at_most=True),
        Promise(work=work, ours=_process(nodes), other=_process(SMALL), bar=3, at_most=True),
    ]
    return Measured(times=times, promises=promises)


def _bar(nodes: int) -> float:
    """Return how many times as long the full build takes: 50 for 100,000 nodes; a smaller one is done sooner."""
    return 50 if nodes >= FULL else 10


def _first(nodes: int) -> str:
    return f"the manifest by reading all, {nodes:,} nodes"


def _next(nodes: int) -> str:
    return f"the manifest, {nodes:,} nodes"


def _process(nodes: int) -> str:
    return f"nodespec checkpoint create, {nodes:,} nodes"


def _measured(registry: Path, nodes: int, environment: dict[str, str]) -> dict[str, Timing]:
    first = []
    for _ in range(FULL_TURNS):
        shutil.rmtree(registry / ".git/nodespec", ignore_errors=True)
        first.append(_create(registry, environment)[0])
    commit, runs = committer(registry), []
    for _ in range(TURNS):
        commit()
        runs.append(_create(registry, environment))
    return {
        _first(nodes): Timing(seconds=tuple(first)),
        _next(nodes): Timing(seconds=tuple(about for about, _ in runs)),
        _process(nodes): Timing(seconds=tuple(whole for _, whole in runs)),
    }


def _create(registry: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Make a checkpoint of HEAD; return the seconds about the manifest, and those of the whole process."""
    command = [sys.executable, str(CHECKOUT / "benchmarks/timed.py"), "checkpoint", "create"]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=registry, env=environment, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - begin
    if done.returncode != 0:
        raise BenchmarkError(f"checkpoint create: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return float(done.stderr.partition(MARK)[2].split()[0]), taken


def _keys(folder: Path) -> dict[str, str]:
    """Make keys that nobody else has; return the environment in which they sign."""
    secret = folder / "passphrase"
    secret.write_text("correct horse battery staple\n", encoding="utf-8")
    environment = {**os.environ, "NODESPEC_HOME": str(folder / "keys"), "NODESPEC_PASSPHRASE_FILE": str(secret)}
    command = [sys.executable, "-m", "nodespec", "keys", "new"]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    return environment
