"""What is promised of odd shapes and long histories: neither makes a registry slow.

The shapes are all nodes in one type, and types of eight segments beside many tombstones; the history is ten thousand
commits, through which a node, a span and a date are looked up, beside what Git takes for the same.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from benchmarks.generate import default_types, generate
from benchmarks.measure import Contender
from benchmarks.population import Population
from benchmarks.promises import SEED, Promise, Round, program
from benchmarks.questions import SMALL, a_signal, run_in
from benchmarks.whole import UNSIGNED, unsigned

if TYPE_CHECKING:
    from pathlib import Path

DEEPEST = 8
COMMITS = 10_000
SPAN = 9_000


def shapes(folder: Path, nodes: int) -> Round:
    """Validate and ask registries of three shapes: as usual, all in one type, and deep with half as many tombstones."""
    deep = Population(
        seed=SEED, nodes=nodes // 5, types=default_types(nodes // 5), depth=DEEPEST, tombstones=nodes // 2
    )
    registries = {
        f"{nodes:,} nodes": (unsigned(folder, nodes), nodes),
        f"{nodes:,} in one type": (_made(folder / "one-type", Population(seed=SEED, nodes=nodes, types=1)), nodes),
        f"{nodes // 5:,} deep, {nodes // 2:,} tombstones": (_made(folder / "deep", deep), nodes // 5 + nodes // 2),
    }
    judged, asked, contenders = {}, {}, []
    for name, (registry, _) in registries.items():
        ask = [program("nodespec"), "query", "--at", "HEAD", "--format", "ids", "--signal", a_signal(registry)]
        run_in(ask, registry)
        validate = [program("nodespec"), "validate", "--no-index", "--jobs", "2", *UNSIGNED]
        judged[name], asked[name] = f"nodespec validate --jobs 2, {name}", f"nodespec query --at HEAD, {name}"
        contenders.append(Contender(name=judged[name], command=validate, folder=registry))
        contenders.append(Contender(name=asked[name], command=ask, folder=registry))
    usual, *others = registries
    promises = []
    for name in others:
        scale = nodes / registries[name][1]
        promises += [
            Promise(
                work="time for each file", ours=judged[name], other=judged[usual], bar=1.5, at_most=True, scale=scale
            ),
            Promise(work="ask for a signal", ours=asked[name], other=asked[usual], bar=1.5, at_most=True),
        ]
    return Round(contenders=contenders, promises=promises, turns=5)


def past(folder: Path) -> Round:
    """Look for a node, a span and a date in ten thousand commits, as with Git, and with nodespec."""
    registry = _made(folder / "past", Population(seed=SEED, nodes=SMALL, types=default_types(SMALL)), COMMITS)
    listed = _heard(["git", "ls-tree", "-r", "--name-only", f"HEAD~{SPAN}", "registry/nodes"], registry)
    path = listed.splitlines()[0]
    folders, _, name = path.removeprefix("registry/nodes/").removesuffix(".yaml").rpartition("/")
    date = _heard(["git", "log", "-1", "--format=%cd", "--date=format:%Y-%m-%d", f"HEAD~{SPAN}"], registry)
    ask = [program("nodespec"), "query", "--format", "ids", "--signal", a_signal(registry), "--at"]
    for revision in ("HEAD", date):
        run_in([*ask, revision], registry)
    words = {
        "nodespec log ID": [program("nodespec"), "log", f"{folders.replace('/', '.')}/{name}"],
        "git log --first-parent FILE": ["git", "log", "--first-parent", "--oneline", "--", path],
        f"nodespec diff HEAD~{SPAN} HEAD": [program("nodespec"), "diff", f"HEAD~{SPAN}", "HEAD"],
        f"git diff HEAD~{SPAN} HEAD": ["git", "diff", f"HEAD~{SPAN}", "HEAD"],
        "nodespec query --at DATE": [*ask, date],
        "nodespec query --at HEAD": [*ask, "HEAD"],
    }
    names = list(words)
    works = (f"a node in {COMMITS:,} commits", f"what {SPAN:,} commits changed", "ask a day long ago")
    return Round(
        contenders=[Contender(name=name, command=command, folder=registry) for name, command in words.items()],
        promises=[
            Promise(work=work, ours=ours, other=other, bar=bar, at_most=True)
            for work, ours, other, bar in zip(works, names[::2], names[1::2], (6, 6, 4), strict=True)
        ],
        turns=5,
    )


def _made(registry: Path, population: Population, commits: int = 1) -> Path:
    if not registry.exists():
        generate(registry, population, commits)
    return registry


def _heard(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
