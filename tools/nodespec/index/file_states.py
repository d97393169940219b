"""The state of every folder of a work tree, as a digest: what tells that nothing in it has changed.

Asking the system for the state of a hundred thousand files is most of what a question to a work tree costs, so large
trees are shared out among forked processes. A child looks at folders and writes digests; it touches nothing else.
"""

from __future__ import annotations

import marshal
import os
import time
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
"""Changed paths beyond which all folders are looked at, with every core."""
RACY_NS = 2_000_000_000
"""The coarsest time stamps of a file system in use (FAT: 2 s)."""
_SPLIT_DEPTH = 2
"""Levels below the top at which the tree is shared out: enough branches for every core, few enough to list at once."""


def digest(files: Iterable[FileState]) -> bytes:
    """Return the digest of a folder's files and their state, in the order of the system.

    It is a byte longer where a file has a second name, through which it can change unseen from here.
    """
    states = tuple(files)
    linked = any(state[-1] > 1 for state in states)
    return sha256(marshal.dumps(states, 2)).digest() + b"+" * linked


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


def digests_since(
    tree: WorkTree, top: str, seen: Seen, known: Mapping[str, bytes | None]
) -> tuple[dict[str, bytes], list[str]] | None:
    """Return the digests of the folders that may have changed, and the ``known`` folders that are gone.

    A monitor is believed about the files of a folder, and about nothing else: it may have lost sight of folders that
    were moved or made anew while it ran. So a folder that has itself changed since the monitor began is looked at with
    all below it, as without a monitor; and so is one whose files have second names. Returns None where any folder may
    have changed, or most have. Raises ``OSError`` when one cannot be read.
    """
    changed = within(seen, top)
    if changed is None or seen.began is None:
        return None
    young = younger(tree, top, known, seen.began)
    if young is None or is_most(len(young), len(known)):
        return None
    fresh = _walked(tree, [folder for folder in young if os.path.dirname(folder) not in young])
    doubtful = {folder for folder, state in known.items() if state is None or len(state) > sha256().digest_size}
    for folder in ({_nearest(path, known) for path in changed} | doubtful) - young:
        fresh[folder] = digest(tree.state(folder))
    return fresh, [folder for folder in young if folder not in fresh]


def is_most(some: int, of: int) -> bool:
    """Say whether so many folders have to be looked at that all are."""
    return 2 * some > of


def count_younger(tree: WorkTree, top: str, began: int) -> tuple[int, int]:
    """Return how many of the folders at and below ``top`` are :func:`younger`, and how many there are."""
    walk = os.walk(os.path.join(tree.root, top))
    folders = [os.path.relpath(folder, tree.root) for folder, _, _ in walk]
    young = younger(tree, top, folders, began)
    return len(folders) if young is None else len(young), len(folders)


def younger(tree: WorkTree, top: str, folders: Iterable[str], began: int) -> set[str] | None:
    """Return the folders that were made, moved or changed after a moment, or shortly before it, with all below them.

    The moment is in nanoseconds since 1970. Returns None for all of them, as when the clock was set back.
    """
    if began > time.time_ns() or _is_younger(tree, os.path.dirname(top), began):
        return None
    young: set[str] = set()
    for folder in sorted(folders):  # those above come first
        if os.path.dirname(folder) in young or _is_younger(tree, folder, began):
            young.add(folder)
    return young


def within(seen: Seen, top: str) -> list[str] | None:
    """Return the paths below ``top`` of which a monitor says that they may have changed; None when any may have.

    Any may have after a change to a folder above, or to a path that could be another name of one below: a file system
    may ignore case, or how an accent is written. A folder's path, which can end in ``/``, is a path like any other:
    what is below it is looked at when the folder is young.
    """
    if seen.paths is None:
        return None
    found: list[str] = []
    for name in seen.paths:
        path = name.rstrip("/")
        first = path.partition("/")[0].casefold()
        if first.isascii() and first != top.partition("/")[0]:
            continue
        if not path.isascii() or path != path.casefold() or f"{top}/".startswith(f"{path}/"):
            return None
        if path.startswith(f"{top}/"):
            found.append(path)
    return found if len(found) <= MANY else None


def _is_younger(tree: WorkTree, folder: str, began: int) -> bool:
    return os.lstat(os.path.join(tree.root, folder)).st_ctime_ns >= began - RACY_NS


def _nearest(path: str, known: Mapping[str, object]) -> str:
    """Return the nearest known folder that holds a path."""
    for folder in upwards(os.path.dirname(path)):
        if folder in known:
            return folder
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
