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
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from nodespec.child import Child
from nodespec.commit import Commit, CommitTree
from nodespec.tree import object_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nodespec.commit import Objects

FEW = 500
"""Objects after which libgit2 is worth its loading: it reads one in a tenth of the time."""

MOST = 100
"""Objects that are asked for at once: neither side's socket is full before the other reads."""

LARGE = 1 << 18
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
        self._held: dict[str, _Object] = {}

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
        found = self._held.pop(oid, None) or self._ask(oid.encode("ascii"))
        return (found.kind, found.data) if found is not None and found.oid == oid else self._others.read(oid)

    def size(self, oid: str) -> int:
        """Return an object's length; it is at hand then for whoever reads it next."""
        self.expect([oid])
        return len(self._held[oid].data) if oid in self._held else self._others.size(oid)

    def expect(self, oids: Iterable[str]) -> None:
        """Ask for objects all at once, and have them at hand until each is read."""
        names = [oid for oid in islice(dict.fromkeys(oids), MOST) if oid not in self._held]
        child = self._spoken_to(len(names))
        if child is None:
            return
        with suppress(OSError, ValueError):
            child.send("".join(f"{name}\n" for name in names).encode("ascii"))
            for name in names:
                found = self._heard(child)
                if found is not None and found.oid == name:
                    self._held[name] = found

    def __reduce__(self) -> tuple[object, ...]:
        return self._many, (self.place,)

    @cached_property
    def _others(self) -> Objects:
        """The same objects through libgit2."""
        self._left = 0
        self._held.clear()
        if self._child is not None:
            self._child.end()
        return self._many(self.place)

    def _ask(self, name: bytes) -> _Object | None:
        """Return what git takes a name for, once it is what its id says; None where git has no such answer."""
        child = self._spoken_to(1)
        if child is not None:
            with suppress(OSError, ValueError):
                child.send(name + b"\n")
                return self._heard(child)
        return None

    def _spoken_to(self, questions: int) -> Child | None:
        """Return the command, when it is to answer so many questions more."""
        if questions == 0 or self._left < questions or self._child is None or self._child.holder != os.getpid():
            return None
        self._left -= questions
        return self._child

    def _heard(self, child: Child) -> _Object | None:
        """Return the answer to one question; None when there is none, or it is not what its id says."""
        said = _ANSWER.fullmatch(child.output.readline())
        if said is None:
            return None
        oid, kind, size = said[1].decode("ascii"), said[2].decode("ascii"), int(said[3])
        if size > LARGE:
            self._left = 0
            raise ValueError("the rest of the conversation stays unheard")
        data = child.output.read(size + 1)[:-1]
        return _Object(oid, kind, data) if object_id(kind, data) == oid else None

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
