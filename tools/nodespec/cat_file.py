"""Git's objects through ``git cat-file --batch``, which answers before libgit2 would be loaded.

Most questions about a commit read a few dozen objects, and loading pygit2 takes longer than all of them. So the first
:data:`FEW` come from one ``git cat-file --batch``, and the others, as well as everything that it cannot answer,
from libgit2. An object is what its id says wherever it comes from: the id is computed again here. The command has no
say in what a commit means, for the environment names no other repository, no object is replaced, and none is fetched.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from functools import cached_property
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from nodespec.child_process import Child
from nodespec.commit import Commit, CommitTree
from nodespec.tree import object_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nodespec.commit import Objects

FEW = 500
"""Objects after which libgit2 is worth its loading: it reads one in a tenth of the time."""

AT_ONCE = 100
"""Objects that are asked for at once: neither side's socket is full before the other reads."""

PATIENCE = 20.0
"""Seconds of silence after which the command is given up."""

SMALL = 1 << 12
"""Bytes of a folder that stays at hand: those at the top are read by everybody who looks for a file."""

LARGE = 1 << 18
"""Bytes of an object that is left to libgit2, which knows how large one is before it reads it."""

_FORM = "%(objectname) %(objecttype) %(objectsize) %(rest)"
"""With each answer comes back what its question ended with: answers belong to questions, whatever became of others."""

_ANSWER = re.compile(rb"([0-9a-f]{40}) (blob|tree|commit|tag) ([0-9]{1,18}) ([0-9]+)\n")

_NAME = re.compile(r"(HEAD|[0-9a-f]{40})(~[0-9]{1,6})?\Z")
"""Revisions about which git and libgit2 are of one mind in every repository."""

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
        self._lock = Lock()

    def commit(self, revision: str) -> Commit | None:
        """Return the commit that a revision names; None where libgit2 has to resolve it, or to say what is wrong."""
        found = self._ask([f"{revision}^{{commit}}"])[0] if _NAME.match(revision) else None
        return _parsed(found.oid, found.data) if found is not None and found.kind == "commit" else None

    def tree(self, commit: Commit) -> CommitTree:
        """Return the commit's listing."""
        return CommitTree(self, commit)

    def read(self, oid: str) -> tuple[str, bytes]:
        """Return an object's kind and bytes."""
        found = self._held.pop(oid, None) or self._ask([oid])[0]
        if found is None or found.oid != oid:
            return self._others.read(oid)
        if found.kind == "tree" and len(found.data) <= SMALL:
            self._held[oid] = found
        return found.kind, found.data

    def size(self, oid: str) -> int:
        """Return an object's length; it is at hand then for whoever reads it next."""
        self.prefetch([oid])
        found = self._held.get(oid)
        return len(found.data) if found is not None else self._others.size(oid)

    def prefetch(self, oids: Iterable[str]) -> None:
        """Ask for objects all at once, and have them at hand until each is read."""
        names = [oid for oid in islice(dict.fromkeys(oids), AT_ONCE) if oid not in self._held]
        for name, found in zip(names, self._ask(names) if names else (), strict=True):
            if found is not None and found.oid == name:
                self._held[name] = found

    def close(self) -> None:
        """End the command; whatever is asked for later comes through libgit2."""
        self._left = 0
        child = vars(self).get("_child")
        if child is not None:
            child.end()

    def __reduce__(self) -> tuple[object, ...]:
        return self._many, (self.place,)

    @cached_property
    def _others(self) -> Objects:
        """The same objects through libgit2."""
        self.close()
        self._held.clear()
        return self._many(self.place)

    def _ask(self, names: Sequence[str]) -> list[_Object | None]:
        """Return the object of each name, checked against its id; None for each that is missing or does not match."""
        nothing: list[_Object | None] = [None] * len(names)
        with self._lock:
            if len(names) > self._left or self._child is None or self._child.holder != os.getpid():
                return nothing
            self._left -= len(names)
            asked = range(self._left, self._left + len(names))
            questions = (f"{name} {number}\n" for name, number in zip(names, asked, strict=True))
            try:
                self._child.send("".join(questions).encode("ascii"))
                return [self._heard(self._child, number) for number in asked]
            except (OSError, ValueError):
                self.close()
                return nothing
            except BaseException:  # an interrupt: what is answered next would be what was asked now
                self.close()
                raise

    def _heard(self, child: Child, number: int) -> _Object | None:
        """Return the answer to a question; None when there is none, or it is not what its id says."""
        line = child.output.readline()
        said = _ANSWER.fullmatch(line)
        if said is None:
            if not line.endswith((b" missing\n", b" ambiguous\n")):
                raise ValueError("it is not git that answers")
            return None
        oid, kind, size = said[1].decode("ascii"), said[2].decode("ascii"), int(said[3])
        if size > LARGE or int(said[4]) != number:
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
        program = _program()
        if program is None or os.pathsep in self._folder:  # such a ceiling would be two
            return None
        command = [program, "-C", self._folder, "--no-replace-objects", "cat-file", f"--batch={_FORM}"]
        try:
            child = Child(command, folder="/", environment=environment)
        except OSError:
            return None
        child.socket.settimeout(PATIENCE)
        return child


def _program() -> str | None:
    """Return where git is; no folder that is relative counts, for it could be one of the registry's."""
    places = (os.path.join(folder, "git") for folder in os.get_exec_path() if os.path.isabs(folder))
    return next((place for place in places if os.access(place, os.X_OK) and os.path.isfile(place)), None)


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
