"""What is promised of validating everything: without an index, at any size, and again after a commit.

The registry is unsigned. It is compared with validators that check the schema and nothing else
(:mod:`benchmarks.validators`).
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from benchmarks.generate import default_types, generate
from benchmarks.measure import Contender
from benchmarks.population import Population
from benchmarks.promises import SEED, Promise, Round, program
from benchmarks.questions import FULL, SMALL, committer, joiner, run_in
from benchmarks.validators import AJV, validators

if TYPE_CHECKING:
    from pathlib import Path

UNSIGNED = ("--ignore", "P")
MIDDLE = 10_000
CHANGED = 10


def everything(folder: Path, nodes: int) -> Round:
    """Validate all of a registry in a fresh process without an index, and all of a small one."""
    registry, small = unsigned(folder, nodes), unsigned(folder, SMALL)
    command = [program("nodespec"), "validate", "--no-index", "--jobs", "2", *UNSIGNED]
    name = "nodespec validate --jobs 2 --ignore P"
    ours, less = f"{name}, {nodes:,} files", f"{name}, {SMALL:,} files"
    contenders = [
        Contender(name=ours, command=command, folder=registry),
        Contender(name=less, command=command, folder=small),
    ]
    work = f"validate {nodes:,} files, not the signatures"
    work_each = "time for each file"
    promises = [Promise(work=work_each, ours=ours, other=less, bar=1.3, at_most=True, scale=SMALL / nodes)]
    if nodes > MIDDLE:  # of which the start of the process is a small part
        middle = f"{name}, {MIDDLE:,} files"
        contenders.append(Contender(name=middle, command=command, folder=unsigned(folder, MIDDLE)))
        promises.append(Promise(work=work_each, ours=ours, other=middle, bar=1.3, at_most=True, scale=MIDDLE / nodes))
    for other, words in validators():
        contenders.append(Contender(name=other, command=words, folder=registry))
        if other == AJV and nodes >= FULL:
            promises.append(Promise(work=work, ours=ours, other=other, bar=1.2, at_most=True))
        else:
            promises.append(Promise(work=work, ours=ours, other=other, bar=None, at_most=True))
    return Round(contenders=contenders, promises=promises, turns=5)


def again(folder: Path, nodes: int) -> Round:
    """Validate what changes ten files, when it was validated before: a commit, and the work tree; and a node more."""
    registry, small = unsigned(folder, nodes), unsigned(folder, SMALL)
    ours = f"nodespec validate --at HEAD, {nodes:,} files"
    other = "git diff --stat, and python -c 'import click, sqlite3'"
    command = [program("nodespec"), "validate", "--at", "HEAD", *UNSIGNED]
    run_in(command, registry)
    run_in(command, small)
    run_in([program("nodespec"), "query", "--at", "HEAD", "--format", "ids"], registry)
    imports = shlex.join([sys.executable, "-c", "import click, sqlite3"])
    contenders = [
        Contender(name=ours, command=command, folder=registry, before=committer(registry, CHANGED)),
        Contender(name=other, command=["sh", "-c", f"git diff --stat HEAD~1 HEAD; {imports}"], folder=registry),
    ]
    here, status = f"nodespec validate, the work tree, {nodes:,} files", "git status"
    contenders += [
        Contender(name=here, command=[program("nodespec"), "validate", *UNSIGNED], folder=registry),
        Contender(name=status, command=["git", "status", "--porcelain"], folder=registry),
    ]
    grown, less = (f"nodespec validate --at HEAD, a node more than {size:,}" for size in (nodes, SMALL))
    contenders += [
        Contender(name=name, command=command, folder=where, before=joiner(where))
        for name, where in ((grown, registry), (less, small))
    ]
    return Round(
        contenders=contenders,
        promises=[
            Promise(work=f"validate a commit of {CHANGED} files", ours=ours, other=other, bar=3, at_most=True),
            Promise(work="validate the work tree again", ours=here, other=status, bar=None, at_most=True),
            Promise(work="validate a commit that adds a node", ours=grown, other=less, bar=2, at_most=True),
        ],
        turns=9,
    )


def unsigned(folder: Path, nodes: int) -> Path:
    """Return an unsigned registry of so many nodes, made when it is first asked for."""
    registry = folder / f"unsigned-{nodes}"
    if not registry.exists():
        generate(registry, Population(seed=SEED, nodes=nodes, types=default_types(nodes)), 2)
    return registry
