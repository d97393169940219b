"""What is promised of the index: warm questions, questions to the past, and the cost of the next commit.

The registry is unsigned, has a thousand commits behind it, and is asked once before anything is measured.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.generate import default_types, generate
from benchmarks.measure import Contender
from benchmarks.population import Population
from benchmarks.promises import SEED, Promise, Round, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

COMMITS = 1_010
SMALL = 1_000
"""Nodes of the registry that a large one is compared with."""

FULL = 100_000
"""Nodes from which the index is promised to beat a search through the files, which start faster than Python does."""

_IMPORTS = "python -c 'import click, sqlite3'"
_AUTHOR = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.invalid")


def questions(folder: Path, nodes: int) -> Round:
    """Ask for one signal: in the work tree, at HEAD, a thousand commits back; and as one would without nodespec."""
    registry = _asked(folder, nodes)
    signal = a_signal(registry)
    ask = [program("nodespec"), "query", "--format", "ids", "--signal", signal]
    here, head, past = "nodespec query", "nodespec query --at HEAD", "nodespec query --at HEAD~1000"
    contenders = [
        Contender(name=here, command=ask, folder=registry),
        Contender(name=head, command=[*ask, "--at", "HEAD"], folder=registry),
        Contender(name=past, command=[*ask, "--at", "HEAD~1000"], folder=registry),
        _imports(registry),
    ]
    work = f"ask {nodes:,} nodes for a signal"
    promises = [
        Promise(work=work, ours=head, other=_IMPORTS, bar=2.5, at_most=True),
        Promise(work=f"{work}, the second time", ours=past, other=head, bar=1.25, at_most=True),
        Promise(work=f"{work}, in the work tree", ours=here, other=_IMPORTS, bar=None, at_most=True),
    ]
    for search in _search(registry, signal, nodes):
        contenders.append(search)
        promises += [
            Promise(work=work, ours=head, other=search.name, bar=1),
            Promise(work=f"{work}, in the work tree", ours=here, other=search.name, bar=1),
        ]
    return Round(contenders=contenders, promises=promises, turns=9)


@contextmanager
def watched(folder: Path, nodes: int) -> Iterator[Round]:
    """Ask the work tree for one signal while Git watches it; and as one would without nodespec."""
    registry = _asked(folder, nodes)
    signal = a_signal(registry)
    ask = [program("nodespec"), "query", "--format", "ids", "--signal", signal]
    here = "nodespec query, watched"
    contenders = [Contender(name=here, command=ask, folder=registry), _imports(registry)]
    work = f"ask {nodes:,} nodes for a signal, in the work tree"
    promises = [Promise(work=work, ours=here, other=_IMPORTS, bar=2.5, at_most=True)]
    for search in _search(registry, signal, nodes):
        contenders.append(search)
        promises.append(Promise(work=work, ours=here, other=search.name, bar=1))
    run_in(["git", "fsmonitor--daemon", "start"], registry)
    try:
        run_in(ask, registry)  # the first answer is about everything
        yield Round(contenders=contenders, promises=promises, turns=9)
    finally:
        run_in(["git", "fsmonitor--daemon", "stop"], registry)


def _imports(registry: Path) -> Contender:
    return Contender(name=_IMPORTS, command=[sys.executable, "-c", "import click, sqlite3"], folder=registry)


def _search(registry: Path, signal: str, nodes: int) -> Iterator[Contender]:
    """Yield a search through the files, where there is a program for it and as many as it is promised of."""
    if shutil.which("rg") is not None and nodes >= FULL:
        command = ["rg", "-l", signal, "registry/nodes"]
        yield Contender(name="rg -l SIGNAL registry/nodes", command=command, folder=registry)


def git_watches() -> bool:
    """Say whether Git has a file system monitor here: on macOS, and on Linux from 2.55 on."""
    if shutil.which("git") is None:
        return False
    options = subprocess.run(["git", "version", "--build-options"], check=True, capture_output=True, text=True)
    return "fsmonitor--daemon" in options.stdout


def next_commit(folder: Path, nodes: int) -> Round:
    """Ask right after a commit of one file: in a small registry, and in a large one."""
    contenders = []
    for size in (SMALL, nodes):
        registry = _asked(folder, size)
        command = [program("nodespec"), "query", "--format", "ids", "--signal", a_signal(registry), "--at", "HEAD"]
        name = f"nodespec query after a commit, {size:,} nodes"
        contenders.append(Contender(name=name, command=command, folder=registry, before=committer(registry)))
    small, large = (contender.name for contender in contenders)
    promise = Promise(work="index a commit of one file", ours=large, other=small, bar=2, at_most=True)
    return Round(contenders=contenders, promises=[promise], turns=9)


def _asked(folder: Path, nodes: int) -> Path:
    """Return a registry that has been asked before, made when it is first needed."""
    registry = folder / f"asked-{nodes}"
    if not registry.exists():
        generate(registry, Population(seed=SEED, nodes=nodes, types=default_types(nodes)), COMMITS)
        for at in ((), ("--at", "HEAD"), ("--at", "HEAD~1000")):
            run_in([program("nodespec"), "query", "--format", "ids", "--signal", a_signal(registry), *at], registry)
    return registry


def a_signal(registry: Path) -> str:
    """Return a signal that the first node sends, which has been there from the first commit on."""
    spec = next(iter(specs_of(registry))).read_text(encoding="utf-8")
    return spec.partition("emits:\n")[2].partition("name: ")[2].partition("\n")[0].strip()


def specs_of(registry: Path) -> Sequence[Path]:
    """Return the specs of a registry, in order."""
    return sorted((registry / "registry/nodes").rglob("*.yaml"))


def committer(registry: Path, changed: int = 1) -> Callable[[], None]:
    """Return what commits a change of so many files of a registry, spread over it, another change each time."""
    specs, turn = specs_of(registry), count(1)
    chosen = specs[-1 :: -(len(specs) // changed)][:changed]
    paths = [str(spec.relative_to(registry)) for spec in chosen]

    def commit() -> None:
        number = next(turn)
        for spec in chosen:
            text = spec.read_text(encoding="utf-8").partition("# turn")[0]
            spec.write_text(f"{text}# turn {number}\n", encoding="utf-8")
        run_in(["git", *_AUTHOR, "commit", "-q", "-m", "a change", "--", *paths], registry)

    return commit


def joiner(registry: Path) -> Callable[[], None]:
    """Return what commits one new node each time, which sends and hears what another one does."""
    specs, turn = specs_of(registry), count(1)

    def commit() -> None:
        number = next(turn)
        model = specs[number * 37 % len(specs)]
        spec = model.with_name(f"{model.stem}-zz{number}.yaml")
        text = model.read_text(encoding="utf-8")
        spec.write_text(text.replace(f"name: {model.stem}", f"name: {spec.stem}", 1), encoding="utf-8")
        path = str(spec.relative_to(registry))
        run_in(["git", "add", "--", path], registry)
        run_in(["git", *_AUTHOR, "commit", "-q", "-m", "a node", "--", path], registry)

    return commit


def run_in(command: Sequence[str], folder: Path) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
