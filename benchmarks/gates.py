"""What is promised of the gate: a pull request costs what it changes, whatever the size of the registry.

Two pull requests of ten files each: one changes ten nodes in what only they can see; the other adds two nodes, whose
signals and owners must be looked for among all others. In a fresh clone, which has no roster of its own, that is a
search through every file, as ``git grep`` makes one; unless the registry publishes a roster. The registry is unsigned,
so each ends with findings about that; nothing else is wrong with them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks.measure import BenchmarkError, Contender
from benchmarks.promises import Promise, Round, program
from benchmarks.questions import FULL, SMALL, a_signal, run_in, specs_of
from benchmarks.sign import trust_root
from benchmarks.whole import UNSIGNED, unsigned
from nodespec import signed_roster
from nodespec.chain import record_path
from nodespec.registry import Registry
from nodespec.tree import TRUST

if TYPE_CHECKING:
    from collections.abc import Mapping
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
    names = {registry: f"{name} --no-index --roster" for registry, name in names.items()}
    for registry, name in names.items():
        roster = publish(registry, "rooted")
        propose(registry, "joins", ADDED, base="rooted")
        command = [program("nodespec"), "gate", "--no-index", "--roster", str(roster), "--base", "rooted"]
        said = subprocess.run([*command, "--head", "joins"], cwd=registry, capture_output=True, text=True, check=False)
        if "that the checkpoint role signed" not in said.stdout:
            raise BenchmarkError(f"the signed roster is not believed: {said.stderr}")
        asked = f"{shlex.join([*command, '--head', 'joins'])}; test $? -eq 1"
        contenders.append(Contender(name=name, command=["sh", "-c", asked], folder=registry))
    work = f"gate: add {ADDED} nodes in a fresh clone, with the signed roster"
    promises.append(Promise(work=work, ours=names[large], other=names[small], bar=2, at_most=True))
    return Round(contenders=contenders, promises=promises, turns=9)


def publish(registry: Path, branch: str) -> Path:
    """Let the registry have a trust root, on a branch of its own; return a roster that its checkpoint role signed."""
    opened = Registry.open(registry, index=False)
    snapshot, moment = opened.at("main"), datetime.now(UTC).replace(microsecond=0)
    registry_id = snapshot.settings.registry_id
    root, keys = trust_root(registry_id, (), (), moment)
    _commit(registry, branch, "main", {record_path(TRUST, 1): root})
    tree = opened.git.tree(opened.git.resolve(branch))
    roster = signed_roster.of_commit(tree, jobs=2)
    place = registry / ".git" / "published"
    signers = [(key.public.key_id, key) for key in keys]
    place.write_bytes(signed_roster.sign(roster, registry_id, tree.commit.id, moment, signers))
    return place


def propose(registry: Path, branch: str, added: int, base: str = "main") -> None:
    """Commit ten files on a branch of their own; the first ``added`` of them are new nodes."""
    files = {}
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
        files[path] = text.encode()
    _commit(registry, branch, base, files)


def _commit(registry: Path, branch: str, base: str, files: Mapping[str, bytes]) -> None:
    """Commit files upon another branch, without a work tree."""
    index = {**os.environ, "GIT_INDEX_FILE": str(registry / ".git" / f"index-{branch}")}
    _git(registry, "read-tree", base, environment=index)
    for path, data in files.items():
        blob = _git(registry, "hash-object", "-w", "--stdin", data=data)
        _git(registry, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=index)
    tree = _git(registry, "write-tree", environment=index)
    names = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    author = {**os.environ, **dict.fromkeys(names, "bench")}
    commit = _git(registry, "commit-tree", tree, "-p", base, "-m", branch, environment=author)
    _git(registry, "update-ref", f"refs/heads/{branch}", commit)


def _git(folder: Path, *words: str, data: bytes = b"", environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=environment, input=data, capture_output=True, check=True)
    return done.stdout.decode().strip()
