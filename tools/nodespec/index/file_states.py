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

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nodespec.worktree import FileState, WorkTree

SHARED_FROM = 60
"""Folders from which a second process is worth its start (5 ms): some ten thousand files."""
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
