"""What is promised of the gate: a pull request costs what it changes, whatever the size of the registry.

Two pull requests of ten files each: one changes ten nodes in what only they can see; the other adds two nodes, whose
signals and owners must be looked for among all others. In a fresh clone, which has no roster, that is a search through
every file, as ``git grep`` makes one. The registry is unsigned, so both end with the one finding that
it has no trust root; nothing else is wrong with them.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from benchmarks.measure import Contender
from benchmarks.promises import Promise, Round, program
from benchmarks.questions import FULL, SMALL, a_signal, run_in, specs_of
from benchmarks.whole import UNSIGNED, unsigned

if TYPE_CHECKING:
    from pathlib import Path

FILES = 10
ADDED = 2

_VERSION = re.compile(r"  version: ([0-9]+)\.[0-9]+\.[0-9]+")
_NAME = re.compile(r"  name: (\S+)")


def gates(folder: Path, nodes: int) -> Round:
    """Judge the same pull requests in a large registry and in a small one, when both were validated before."""
    large, small = unsigned(folder, nodes), unsigned(folder, SMALL)
    contenders, promises = [], []
    for registry in (large, small):
        run_in([program("nodespec"), "validate", "--at", "main", *UNSIGNED], registry)
        for added, branch in ((0, "changes"), (ADDED, "adds")):
            propose(registry, branch, added)
    for branch, work in (("changes", f"change {FILES} nodes"), ("adds", f"add {ADDED} nodes, change {FILES - ADDED}")):
        sizes = ((large, nodes), (small, SMALL))
        names = {registry: f"nodespec gate, {size:,} nodes, {branch}" for registry, size in sizes}
        asked = f"'{program('nodespec')}' gate --base main --head {branch}; test $? -eq 1"
        contenders += [Contender(name=name, command=["sh", "-c", asked], folder=where) for where, name in names.items()]
        promises.append(Promise(work=f"gate: {work}", ours=names[large], other=names[small], bar=1.5, at_most=True))
    fresh, search = f"nodespec gate --no-index, {nodes:,} nodes, adds", "git grep -l SIGNAL main"
    asked = f"'{program('nodespec')}' gate --no-index --base main --head adds; test $? -eq 1"
    grep = ["git", "grep", "-l", "-F", "-w", a_signal(large), "main", "--", "registry/nodes"]
    contenders += [
        Contender(name=fresh, command=["sh", "-c", asked], folder=large),
        Contender(name=search, command=grep, folder=large),
    ]
    work = f"gate: add {ADDED} nodes in a fresh clone"
    bar = 3 if nodes >= FULL else None  # below, both take little more than their start
    promises.append(Promise(work=work, ours=fresh, other=search, bar=bar, at_most=True))
    return Round(contenders=contenders, promises=promises, turns=9)


def propose(registry: Path, branch: str, added: int) -> None:
    """Commit ten files on a branch of their own, without a work tree; the first ``added`` of them are new nodes."""
    index = {**os.environ, "GIT_INDEX_FILE": str(registry / ".git" / f"index-{branch}")}
    _git(registry, "read-tree", "main", environment=index)
    specs = specs_of(registry)
    for number, spec in enumerate(specs[:: len(specs) // FILES][:FILES]):
        text = spec.read_text(encoding="utf-8")
        path = str(spec.relative_to(registry))
        if number < added:
            text = _NAME.sub(r"  name: \g<1>-zz9", _VERSION.sub("  version: 1.0.0", text, count=1), count=1)
            text = re.sub(r"  lane: \w+", "  lane: candidate", text, count=1)
            path = path.replace(".yaml", "-zz9.yaml")
        else:
            text = _VERSION.sub(lambda found: f"  version: {int(found[1]) + 1}.0.0", text, count=1)
        blob = _git(registry, "hash-object", "-w", "--stdin", text=text)
        _git(registry, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=index)
    tree = _git(registry, "write-tree", environment=index)
    names = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    author = {**os.environ, **dict.fromkeys(names, "bench")}
    commit = _git(registry, "commit-tree", tree, "-p", "main", "-m", branch, environment=author)
    _git(registry, "update-ref", f"refs/heads/{branch}", commit)


def _git(folder: Path, *words: str, text: str = "", environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, env=environment, input=text, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
