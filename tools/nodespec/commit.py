"""One commit: what it says of itself, and its files, from raw tree objects (:mod:`nodespec.rawtree`).

Nothing here looks at a work tree, an attribute or a filter: what is judged and hashed is the blob. Where objects come
from is another matter (:class:`Objects`): they are asked for by id, and are what their id says.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nodespec.errors import RegistryError
from nodespec.frozen import frozen
from nodespec.rawtree import raw_entries
from nodespec.tree import (
    FOLDER,
    MAX_FOLDER_DEPTH,
    ROOTS,
    Defect,
    Entry,
    is_listed,
    path_bytes,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from nodespec.tree import Tree

    Pair = tuple[Entry | None, Entry | None]
    """What stands at one path before and after; not None on both sides."""


@frozen
class Commit:
    """One commit: full hex ids; ``time`` is the committer's, with its offset."""

    id: str
    tree: str
    parents: tuple[str, ...]
    time: datetime
    author: str
    subject: str

    @property
    def short(self) -> str:
        """The first ten digits: unique in every registry of a size that exists."""
        return self.id[:10]


class Objects(Protocol):
    """The objects of a repository, by their full hex ids. Can be pickled: another process opens it anew."""

    @property
    def place(self) -> str:
        """The Git folder, which ends in ``/``: two with the same hold the same objects."""

    def read(self, oid: str) -> tuple[str, bytes]:
        """Return an object's kind (``blob``, ``tree``, ``commit``, ``tag``) and bytes, whose id was computed again.

        Raises ``LookupError`` when it is not there, or not what its id says.
        """

    def prefetch(self, oids: Iterable[str]) -> None:
        """Take note that these are about to be read, each once, where that makes it quicker."""

    def size(self, oid: str) -> int:
        """Return an object's length in bytes; raise ``LookupError`` when it is not there."""


_MISSING = "blob {} is not in this repository (a partial or damaged clone? git fsck tells)"

MOST_LISTED, MOST_CHANGED = 1_000_000, 500_000
"""Files and folders of a listing, and of a difference, beyond which nothing is said. A tree of a dozen objects can have
more paths than any memory holds, since it may hold one folder under many names."""


_PREFETCHED = 50
"""Pairs of folders that are asked for at once."""


class _Bound:
    """Ends what would list more than this."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def count(self, more: int) -> None:
        """Take note of so many more; raise ``RegistryError`` when they are too many."""
        self._left -= more
        if self._left < 0:
            hint = "take it in smaller steps; a folder that holds itself under many names is no registry's"
            raise RegistryError(f"there are more than {self._most:,} files and folders to look at", hint=hint)


class _Reading(NamedTuple):
    entries: list[Entry]
    defects: list[Defect]
    bound: _Bound


class _Comparison(NamedTuple):
    pairs: list[Pair]
    defects: list[Defect]
    bound: _Bound


class CommitTree:
    """The files of one commit below ``registry/`` and ``schemas/``."""

    def __init__(self, objects: Objects, commit: Commit) -> None:
        self._objects = objects
        self.commit = commit
        self._listings: dict[str, dict[str, tuple[int, str]]] = {}

    @property
    def label(self) -> str:
        """For people."""
        return f"commit {self.commit.short}"

    @property
    def entries(self) -> list[Entry]:
        """Every file, in byte order of the paths."""
        return self._reading.entries

    @property
    def defects(self) -> list[Defect]:
        """Names that no honest writer puts into a tree."""
        return self._reading.defects

    def below(self, folder: str) -> Sequence[Entry]:
        """Return the files at any depth in ``folder``, which ends in ``/``, in byte order."""
        if "_reading" in vars(self) and is_listed(folder):
            return within(self._reading.entries, folder)
        path = folder.rstrip("/")
        found = self._at(path)
        reading = _Reading([], [], _Bound(MOST_LISTED))
        if found is not None and found[0] == FOLDER:
            self._collect(path, FOLDER, found[1], path.count("/") + 1, reading)
        return _in_order(reading.entries)

    @cached_property
    def _reading(self) -> _Reading:
        reading = _Reading([], [], _Bound(MOST_LISTED))
        for name, mode, oid in raw_entries(self._read_object(self.commit.tree, "tree"), "", reading.defects):
            if name in ROOTS:
                self._collect(name, mode, oid, 1, reading)
        return reading._replace(entries=_in_order(reading.entries))

    def _collect(self, path: str, mode: int, oid: str, depth: int, reading: _Reading) -> None:
        if mode != FOLDER:
            reading.entries.append(Entry(path, mode, oid))
            return
        if depth > MAX_FOLDER_DEPTH:
            reading.defects.append(Defect(path, f"folders are nested more than {MAX_FOLDER_DEPTH} deep"))
            return
        children = raw_entries(self._read_object(oid, "tree"), path, reading.defects)
        reading.bound.count(len(children))
        self._objects.prefetch(child for _, child_mode, child in children if child_mode == FOLDER)
        for name, child_mode, child in children:
            self._collect(f"{path}/{name}", child_mode, child, depth + 1, reading)

    def entry(self, path: str) -> Entry | None:
        """Return the file at ``path``, reading only the folders on the way, and each of them once."""
        found = self._at(path)
        return Entry(path, *found) if found is not None and found[0] != FOLDER else None

    def _at(self, path: str) -> tuple[int, str] | None:
        """Return mode and object id of what is at ``path``, a file or a folder."""
        found: tuple[int, str] | None = (FOLDER, self.commit.tree)
        for name in path.split("/"):
            if found is None or found[0] != FOLDER:
                return None
            found = self._listed(found[1]).get(name)
        return found

    def _listed(self, oid: str) -> dict[str, tuple[int, str]]:
        children = self._listings.get(oid)
        return self._children("", oid, []) if children is None else children

    def prefetch(self, entries: Iterable[Entry]) -> None:
        """Take note that these files are about to be read, each once."""
        self._objects.prefetch(entry.blob for entry in entries)

    def children(self, path: str) -> dict[str, tuple[int, str]]:
        """Return mode and object id of what is right in the folder at ``path``, by name; nothing when there is none."""
        found = self._at(path)
        return self._listed(found[1]) if found is not None and found[0] == FOLDER else {}

    def folder(self, path: str) -> tuple[str, list[Defect]]:
        """Return the object id of the folder at ``path``, empty when there is none, and what is odd on the way."""
        oid, above, defects = self.commit.tree, "", list[Defect]()
        for name in path.split("/"):
            here = f"{above}/{name}" if above else name
            found = self._children(above, oid, defects).get(name)
            if found is None:
                return "", defects
            if found[0] != FOLDER:
                return "", [*defects, Defect(here, "it is not a folder")]
            oid, above = found[1], here
        return oid, defects

    def differing(self, base: Tree) -> Sequence[str] | None:
        """Return the paths whose file is another in ``base``, when that is a commit of the same repository."""
        if not isinstance(base, CommitTree) or base._objects.place != self._objects.place:  # another of us
            return None
        found = _Comparison([], [], _Bound(MOST_LISTED))
        before, after = (self._listed(tree.commit.tree) for tree in (base, self))
        for name in ROOTS:
            if before.get(name) != after.get(name):
                for folder in _differing(name, before.get(name), after.get(name), found):
                    self._compare(*folder, found)
        return sorted({entry.path for pair in found.pairs for entry in pair if entry is not None}, key=path_bytes)

    def changes(self, path: str, old: str, new: str, most: int | None = None) -> tuple[list[Pair], list[Defect]]:
        """Return what differs between two folders that stand at ``path``, given by object id (empty for none).

        The empty path is the top of the repository. Folders with the same id are not read. Each change is (before,
        after) of one path, in no order. Raises ``RegistryError`` where there are more than ``most``, by default
        :data:`MOST_CHANGED`.
        """
        found = _Comparison([], [], _Bound(MOST_CHANGED if most is None else most))
        self._compare(path, old, new, found)
        return found.pairs, found.defects

    def _compare(self, path: str, old: str, new: str, found: _Comparison) -> None:
        """Compare two folders level by level: what a level has to read is asked for at once, a few dozen at a time."""
        level = [(path, old, new)] if old != new else []
        while level:
            below: list[tuple[str, str, str]] = []
            for start in range(0, len(level), _PREFETCHED):
                part = level[start : start + _PREFETCHED]
                self._objects.prefetch(oid for _, *sides in part for oid in sides if oid)
                for here, was, now in part:
                    below += self._compare_one(here, was, now, found)
            level = below

    def _compare_one(self, path: str, old: str, new: str, found: _Comparison) -> Iterator[tuple[str, str, str]]:
        """Compare what is right in two folders; yield the folders in them that differ."""
        if path.count("/") > MAX_FOLDER_DEPTH:
            found.defects.append(Defect(path, f"folders are nested more than {MAX_FOLDER_DEPTH} deep"))
            return
        before, after = self._children(path, old, []), self._children(path, new, found.defects)
        differing = {name for name, _ in before.items() ^ after.items()}
        found.bound.count(len(differing))
        for name in differing:
            yield from _differing(f"{path}/{name}" if path else name, before.get(name), after.get(name), found)

    def _children(self, path: str, oid: str, defects: list[Defect]) -> dict[str, tuple[int, str]]:
        if not oid:
            return {}
        entries = raw_entries(self._read_object(oid, "tree"), path, defects)
        children = self._listings[oid] = {name: (mode, child) for name, mode, child in entries}
        return children

    def __reduce__(self) -> tuple[object, ...]:
        """Cross to another process as a place and a commit; open handles stay at home."""
        return CommitTree, (self._objects, self.commit)

    def size(self, entry: Entry) -> int:
        """Return the blob's length in bytes."""
        try:
            return self._objects.size(entry.blob)
        except LookupError as error:
            raise OSError(_MISSING.format(entry.blob[:10])) from error

    def read(self, entry: Entry) -> bytes:
        """Return the blob's bytes."""
        try:
            return self._objects.read(entry.blob)[1]
        except LookupError as error:
            raise OSError(_MISSING.format(entry.blob[:10])) from error

    def _read_object(self, oid: str, kind: str) -> bytes:
        try:
            found, data = self._objects.read(oid)
        except LookupError:
            hint = "a partial or damaged clone? git fsck tells"
            raise RegistryError(f"object {oid[:10]} is not in this repository", hint=hint) from None
        if found != kind:
            raise RegistryError(f"object {oid[:10]} is not a {kind}", hint="git fsck tells more")
        return data


def _in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: path_bytes(entry.path))


def _differing(
    path: str, was: tuple[int, str] | None, now: tuple[int, str] | None, found: _Comparison
) -> Iterator[tuple[str, str, str]]:
    """Take note of the file that was or is at a path; yield the folder as (path, before, after) that differs there."""
    if _is_file(was) or _is_file(now):
        pair = [Entry(path, *item) if item and _is_file(item) else None for item in (was, now)]
        found.pairs.append((pair[0], pair[1]))
    if _folder_id(was) != _folder_id(now):
        yield path, _folder_id(was), _folder_id(now)


def _is_file(item: tuple[int, str] | None) -> bool:
    return item is not None and item[0] != FOLDER


def _folder_id(item: tuple[int, str] | None) -> str:
    return item[1] if item and item[0] == FOLDER else ""
