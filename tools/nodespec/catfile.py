"""Git's objects through its own command: ``git cat-file``, which answers before libgit2 is loaded.

Most questions about a commit read a few dozen objects, and loading pygit2 takes longer than all of them. So the first
:data:`FEW` come from one ``git cat-file --batch``, and the others, as well as everything that it cannot answer,
from libgit2. An object is what its id says wherever it comes from: the id is computed again here. The command has no
say in what a commit means, for the environment names no other repository, no object is replaced, and none is fetched.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nodespec.child import Child
from nodespec.commit import Commit, CommitTree
from nodespec.tree import object_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodespec.commit import Objects

FEW = 500
"""Objects after which libgit2 is worth its loading: it reads one in a tenth of the time."""

LARGE = 1 << 20
"""Bytes of an object that is left to libgit2, which knows how large one is before it reads it."""

_COMMAND = ("git", "--no-replace-objects", "cat-file", "--batch")

_ANSWER = re.compile(rb"([0-9a-f]{40}) (blob|tree|commit|tag) ([0-9]{1,18})\n")

_EDGE = rb"[^\x00-\x20.,:;<>\"\\']"
"""What a name may begin and end with: libgit2 strips anything else."""

_PLAIN = re.compile(
    rb"tree (?P<tree>[0-9a-f]{40})\n"
    rb"(?P<parents>(?:parent [0-9a-f]{40}\n)*)"
    rb"author (?P<author>" + _EDGE + rb"(?:[^\n<>]*" + _EDGE + rb")?) <[^\n<>]*> [0-9]{1,10} [+-][0-9]{4}\n"
    rb"committer [^\n<>]+ <[^\n<>]*> (?P<time>[0-9]{1,10}) (?P<zone>[+-](?:0[0-9]|1[0-3])[0-5][0-9])\n"
    rb"(?P<others>(?:[^\n]+\n)*)"
    rb"\n(?P<subject>[^\n]+)"
)
"""A commit as git writes it; whatever looks different is left to libgit2."""


class _Object(NamedTuple):
    oid: str
    kind: str
    data: bytes


class CatFile:
    """The objects of one repository (:class:`~nodespec.commit.Objects`).

    ``folder`` is where the command looks for it, which is its top or the Git folder itself; ``place`` is the Git
    folder. ``many`` opens the same objects through libgit2.
    """

    def __init__(self, folder: str, place: str, many: Callable[[str], Objects]) -> None:
        self.place = os.path.join(os.path.realpath(place), "")
        self._folder = os.path.realpath(folder)
        self._many = many
        self._left = FEW
        self._last: _Object | None = None

    def commit(self, revision: str) -> Commit | None:
        """Return the commit that git takes a revision for; None where somebody else has to say what is the matter."""
        if not revision or revision.startswith("-") or not revision.isprintable():
            return None
        found = self._ask(f"{revision}^{{commit}}".encode("utf-8", "surrogateescape"))
        return _parsed(found.oid, found.data) if found is not None else None

    def tree(self, commit: Commit) -> CommitTree:
        """Return the commit's listing."""
        return CommitTree(self, commit)

    def read(self, oid: str) -> tuple[str, bytes]:
        """Return an object's kind and bytes."""
        found = self._found(oid)
        return (found.kind, found.data) if found is not None else self._others.read(oid)

    def size(self, oid: str) -> int:
        """Return an object's length; most often it is read next, and is then at hand."""
        found = self._found(oid)
        return len(found.data) if found is not None else self._others.size(oid)

    def _found(self, oid: str) -> _Object | None:
        """Return an object as git has it; None where libgit2 is to be asked."""
        if self._last is None or self._last.oid != oid:
            self._last = self._ask(oid.encode("ascii"))
        return self._last

    def __reduce__(self) -> tuple[object, ...]:
        return self._many, (self.place,)

    @cached_property
    def _others(self) -> Objects:
        """The same objects through libgit2."""
        self._left = 0
        if self._child is not None:
            self._child.end()
        return self._many(self.place)

    def _ask(self, name: bytes) -> _Object | None:
        """Return what git takes a name for, once it is what its id says; None where git has no such answer."""
        child = self._child if self._left > 0 else None
        if child is None or child.holder != os.getpid():
            return None
        self._left -= 1
        with suppress(OSError, ValueError):
            child.send(name + b"\n")
            said = _ANSWER.fullmatch(child.output.readline())
            if said is None:
                return None
            kind, size = said[2].decode("ascii"), int(said[3])
            if size > LARGE:
                self._left = 0  # the rest of the answer stays unread
                return None
            data = child.output.read(size + 1)[:-1]
            oid = said[1].decode("ascii")
            if object_id(kind, data) == oid:
                return _Object(oid, kind, data)
        return None

    @cached_property
    def _child(self) -> Child | None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment |= {
            "GIT_CEILING_DIRECTORIES": os.path.dirname(self._folder),  # this repository, and none around it
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",  # the same for git before 2.45
        }
        try:
            return Child(_COMMAND, folder=self._folder, environment=environment)
        except OSError:
            return None


def _parsed(oid: str, data: bytes) -> Commit | None:
    """Return a commit as git itself writes them; None for any other."""
    found = _PLAIN.match(data)
    if found is None or b"\0" in data:
        return None
    zone = int(found["zone"])
    hours, minutes = divmod(abs(zone), 100)
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone < 0 else 1)
    return Commit(
        id=oid,
        tree=found["tree"].decode("ascii"),
        parents=tuple(found["parents"].decode("ascii").replace("parent ", "").split()),
        time=datetime.fromtimestamp(int(found["time"]), timezone(offset)),
        author=found["author"].decode("utf-8", "replace"),
        subject=found["subject"].decode("utf-8", "replace"),
    )
