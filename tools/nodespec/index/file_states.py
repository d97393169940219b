"""The state of every folder of a work tree, as a digest: what tells that nothing in it has changed.

Asking the system for the state of a hundred thousand files is most of what a question to a work tree costs, so large
trees are shared out among forked processes. A child looks at folders and writes digests; it touches nothing else.
"""

from __future__ import annotations

import marshal
import os
from hashlib import sha256
from typing import TYPE_CHECKING

from nodespec.workers import check_jobs
from nodespec.worktree import upwards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nodespec.fsmonitor import Seen
    from nodespec.worktree import FileState, WorkTree

SHARED_FROM = 60
"""Folders from which a second process is worth its start (5 ms): some ten thousand files."""
MANY = 1_000
"""Paths beyond which all folders are looked at, with every core."""
_SPLIT_DEPTH = 2
"""Levels below the top at which the tree is shared out: enough branches for every core, few enough to list at once."""


def digest(files: Iterable[FileState]) -> bytes:
    """Return the digest of a folder's files and their state, in the order of the system."""
    return sha256(marshal.dumps(tuple(files), 2)).digest()


def digests(tree: WorkTree, top: str, *, expected: int) -> dict[str, bytes]:
    """Return the digest of each folder at and below ``top``; ``expected`` is about how many there are.

    Raises ``OSError`` when one cannot be read.
    """
    jobs = check_jobs(0) if expected >= SHARED_FROM and hasattr(os, "fork") else 1
    if jobs == 1:
        return _walked(tree, [top])
    branches: list[str] = []
    found = {state.path: digest(state.files) for state in tree.states(top, depth=_SPLIT_DEPTH, cut=branches)}
    shares = [branches[number::jobs] for number in range(jobs)]
    children = [_fork(tree, share) for share in shares[1:] if share]
    try:
        found |= _walked(tree, shares[0])
    finally:
        answers = [_joined(*child) for child in children]
    for answer in answers:
        if answer is None:
            raise OSError("a process that looked at folders failed")
        found |= answer
    return found


def within(seen: Seen | None, top: str) -> list[str] | None:
    """Return the paths below ``top`` of which a monitor says that they may have changed; None when any may have.

    Any may have after a change to a folder above, or to a path that could be another name of one below (a file system
    may ignore case, or how an accent is written), or that makes a folder a repository of its own.
    """
    if seen is None or seen.paths is None:
        return None
    found: list[str] = []
    for name in seen.paths:
        path = name.rstrip("/")
        first = path.partition("/")[0].casefold()
        if first.isascii() and first != top.partition("/")[0]:
            continue
        if not path.isascii() or path != path.casefold() or f"{top}/".startswith(f"{path}/") or "/.git/" in f"{path}/":
            return None
        if path.startswith(f"{top}/"):
            found.append(path)
    return found if len(found) <= MANY else None


def digests_where(
    tree: WorkTree, changed: Iterable[str], known: Mapping[str, object]
) -> tuple[dict[str, bytes], list[str]]:
    """Return the digest of each folder in which a path has changed, and the ``known`` folders that are gone.

    A folder that was not known, or has itself changed, is looked into down to the last. Raises ``OSError`` when one
    cannot be read.
    """
    fresh: dict[str, bytes] = {}
    children: dict[str, list[str]] = {}
    entered: set[str] = set()
    lost: set[str] = set()
    for path in changed:
        folder, branch = _known_above(tree, path, known)
        if folder not in children:
            children[folder] = []
            fresh[folder] = digest(tree.state(folder, children[folder]))
        for child in children[folder]:
            if child not in entered and (child == path or child not in known):
                entered.add(child)
                fresh |= _walked(tree, [child])
        if branch not in children[folder]:
            lost.add(branch)
    return fresh, [folder for folder in known if folder not in fresh and not lost.isdisjoint(upwards(folder))]


def _known_above(tree: WorkTree, path: str, known: Mapping[str, object]) -> tuple[str, str]:
    """Return the nearest known folder that holds a path, and what in that folder leads there."""
    branch = path
    for folder in upwards(os.path.dirname(path)):
        if folder in known and os.path.isdir(os.path.join(tree.root, folder)):
            return folder, branch
        branch = folder
    raise FileNotFoundError(f"no folder above {path} is known")


def _walked(tree: WorkTree, tops: Sequence[str]) -> dict[str, bytes]:
    return {state.path: digest(state.files) for top in tops for state in tree.states(top)}


def _fork(tree: WorkTree, tops: Sequence[str]) -> tuple[int, int]:
    """Start a child; return its id and the pipe on which it answers."""
    answer, question = os.pipe()
    child = os.fork()
    if child:
        os.close(question)
        return child, answer
    status = 1
    try:
        with os.fdopen(question, "wb") as pipe:
            pipe.write(marshal.dumps(_walked(tree, tops)))
        status = 0
    finally:
        os._exit(status)  # without the parent's clean-up: its files and its database are its own


def _joined(child: int, answer: int) -> dict[str, bytes] | None:
    with os.fdopen(answer, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        return None
    found: dict[str, bytes] = marshal.loads(data)  # written by our own child a moment ago
    return found
