"""Commits to trees: Git's objects, read by id.

Nothing here looks at a work tree, an attribute or a filter: what is judged and hashed is the blob. Trees
are read as raw bytes (:mod:`nodespec.rawtree`). ``refs/replace`` is ignored, as libgit2 does; a local
``.git/info/grafts`` is heeded, and can hide parents from its own clone only.
Refs are never written here.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

import pygit2
from pygit2.enums import ObjectType, RepositoryOpenFlag

from nodespec.encoding import printable, quoted
from nodespec.errors import RegistryError, UsageError
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
    from collections.abc import Iterator, Sequence

    from nodespec.tree import Tree

    Pair = tuple[Entry | None, Entry | None]
    """What stands at one path before and after; not None on both sides."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?\Z")


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


class GitRepository:
    """A repository opened for reading: with a work tree or bare, complete or shallow."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo

    @classmethod
    def open(cls, path: str) -> GitRepository:
        """Open the repository that holds ``path``, or raise ``UsageError`` saying why not."""
        shown = printable(path)
        try:
            found = pygit2.discover_repository(path)
            if found is None:
                hint = "run it inside a clone, name one with --repo, or make a registry with: nodespec init DIR"
                raise UsageError(f"{shown} is not in a Git repository", hint=hint)
            repo = pygit2.Repository(found, RepositoryOpenFlag.NO_SEARCH)
            if os.environ.get("GIT_QUARANTINE_PATH"):  # in pre-receive, what is pushed stands beside the repository
                repo.odb.add_disk_alternate(os.environ["GIT_OBJECT_DIRECTORY"])
            return cls(repo)
        except pygit2.GitError as error:
            if "object format" in str(error) or "objectformat" in str(error):
                hint = "clone it into a SHA-1 repository, or validate the work tree without --at"
                raise RegistryError(
                    f"{shown} is a SHA-256 repository, which is not yet supported (libgit2 cannot read it)", hint=hint
                ) from None
            if "not owned by current user" in str(error):
                hint = "if you trust it: git config --global --add safe.directory DIR"
                raise UsageError(f"{shown} belongs to another user, so Git will not open it", hint=hint) from None
            raise UsageError(f"{shown} cannot be opened as a Git repository: {error}") from None

    @property
    def git_dir(self) -> str:
        """The ``.git`` folder, or the bare repository itself."""
        return str(self._repo.path)

    @property
    def common_dir(self) -> str:
        """The folder that all linked work trees of the repository share."""
        pointer = os.path.join(self.git_dir, "commondir")
        if not os.path.isfile(pointer):
            return self.git_dir
        with open(pointer, encoding="utf-8") as file:
            return os.path.normpath(os.path.join(self.git_dir, file.read().strip()))

    @property
    def work_dir(self) -> str | None:
        """The top of the work tree, or None when the repository is bare."""
        return str(self._repo.workdir) if self._repo.workdir else None

    @property
    def is_shallow(self) -> bool:
        """Whether history was cut off when cloning."""
        return bool(self._repo.is_shallow)

    def is_edge(self, commit: Commit) -> bool:
        """Whether a shallow clone was cut off below this commit (gitformat-shallow: ids, one a line)."""
        if not self.is_shallow:
            return False
        with open(os.path.join(self.common_dir, "shallow"), encoding="ascii") as file:
            return commit.id in file.read().split()

    def resolve(self, revision: str) -> Commit:
        """Return the commit that ``revision`` names: any Git revision, or a date.

        A date (``2026-03-14``, or with a time; UTC unless it says otherwise) means the newest commit on
        HEAD's first-parent line that was committed by then; a day without a time includes that day.
        """
        if self._repo.head_is_unborn and revision.startswith("HEAD"):
            raise UsageError("the repository has no commits yet", hint="commit first, or leave out --at")
        try:
            thing = self._repo.revparse_single(revision)
            return _commit(thing.peel(pygit2.Commit))
        except (KeyError, ValueError, pygit2.InvalidSpecError, pygit2.GitError):
            if _DATE.match(revision):
                return self._commit_by(revision)
        hint = "git log --oneline shows commits" + (
            "; this clone is shallow: git fetch --unshallow gets the rest" if self.is_shallow else ""
        )
        raise UsageError(f"no commit is called {quoted(revision)}", hint=hint)

    def _commit_by(self, date: str) -> Commit:
        try:
            limit = datetime.fromisoformat(date)
        except ValueError as error:
            raise UsageError(f"{quoted(date)} is not a date: {error}") from None
        if len(date) == len("2026-03-14"):
            limit += timedelta(days=1, microseconds=-1)
        limit = limit if limit.tzinfo else limit.replace(tzinfo=UTC)
        for commit in self.first_parents(self.resolve("HEAD")):
            if commit.time <= limit:
                return commit
        where = " (this clone is shallow: git fetch --unshallow gets the rest)" if self.is_shallow else ""
        raise UsageError(f"no commit was made by {date}{where}")

    def first_parents(self, commit: Commit) -> Iterator[Commit]:
        """Yield ``commit`` and its first-parent ancestors, newest first, to the root or the shallow edge."""
        while True:
            yield commit
            try:
                parent = self._repo.revparse_single(commit.parents[0]) if commit.parents else None
            except KeyError:  # beyond the edge of a shallow clone
                return
            if parent is None:
                return
            commit = _commit(parent.peel(pygit2.Commit))

    def descends(self, commit: Commit | None, ancestor: str) -> bool:
        """Say whether ``commit`` is the commit with the id ``ancestor``, or comes after it."""
        if commit is None:
            return False
        return commit.id == ancestor or bool(self._repo.descendant_of(commit.id, ancestor))

    def fork(self, one: Commit, other: Commit) -> Commit | None:
        """Return the best common ancestor of two commits; None when there is none, or the clone ends before it.

        Raises ``RegistryError`` when there are several, none of which comes before another: then what merging the two
        gives depends on who merges.
        """
        found = cast("pygit2.Oid | None", self._repo.merge_base(one.id, other.id))
        if found is None:
            return None
        sides = []
        for commit in (one, other):
            walk = self._repo.walk(pygit2.Oid(hex=commit.id))
            walk.hide(found)
            sides.append({str(item.id) for item in walk})
        if sides[0] & sides[1]:
            raise RegistryError(
                f"the histories of {one.short} and {other.short} cross, and can be merged in more than one way",
                hint=f"rebase onto {one.short}, or merge it into the branch",
            )
        return _commit(self._repo[found].peel(pygit2.Commit))

    def entry(self, commit: Commit, path: str) -> Entry | None:
        """Return the file at ``path`` in a commit, reading only the folders on the way."""
        try:
            found = self._repo.revparse_single(commit.tree).peel(pygit2.Tree)[path]
        except KeyError:
            return None
        return Entry(path, int(found.filemode), str(found.id))

    def current(self) -> Commit | None:
        """Return the commit that is checked out; None before the first."""
        return None if self._repo.head_is_unborn else self.resolve("HEAD")

    def staged(self, tree: str) -> CommitTree:
        """Return a tree that no commit holds yet, given by its object id, as though one did."""
        now = datetime.now(UTC)
        return self.tree(Commit(id=tree, tree=tree, parents=(), time=now, author="", subject="what is staged"))

    def tree(self, commit: Commit) -> CommitTree:
        """Return the commit's listing."""
        return CommitTree(self._repo, commit)


class _Reading(NamedTuple):
    entries: list[Entry]
    defects: list[Defect]


class CommitTree:
    """The files of one commit below ``registry/`` and ``schemas/``."""

    def __init__(self, repo: pygit2.Repository, commit: Commit) -> None:
        self._repo = repo
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
        reading = _Reading([], [])
        if found is not None and found[0] == FOLDER:
            self._collect(path, FOLDER, found[1], path.count("/") + 1, reading)
        return _in_order(reading.entries)

    @cached_property
    def _reading(self) -> _Reading:
        reading = _Reading([], [])
        for name, mode, oid in raw_entries(self._read_object(self.commit.tree, ObjectType.TREE), "", reading.defects):
            if name in ROOTS:
                self._collect(name, mode, oid, 1, reading)
        return _Reading(_in_order(reading.entries), reading.defects)

    def _collect(self, path: str, mode: int, oid: str, depth: int, reading: _Reading) -> None:
        if mode != FOLDER:
            reading.entries.append(Entry(path, mode, oid))
            return
        if depth > MAX_FOLDER_DEPTH:
            reading.defects.append(Defect(path, f"folders are nested more than {MAX_FOLDER_DEPTH} deep"))
            return
        for name, child_mode, child in raw_entries(self._read_object(oid, ObjectType.TREE), path, reading.defects):
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
        if not isinstance(base, CommitTree) or base._repo.path != self._repo.path:  # another of us
            return None
        found: list[Pair] = []
        before, after = (self._listed(tree.commit.tree) for tree in (base, self))
        for name in ROOTS:
            self._compare_one(name, before.get(name), after.get(name), found, [])
        return sorted({entry.path for pair in found for entry in pair if entry is not None}, key=path_bytes)

    def changes(self, path: str, old: str, new: str) -> tuple[list[Pair], list[Defect]]:
        """Return what differs between two folders that stand at ``path``, given by object id (empty for none).

        The empty path is the top of the repository. Folders with the same id are not read. Each change is (before,
        after) of one path, in no order.
        """
        found: list[Pair] = []
        defects: list[Defect] = []
        self._compare(path, old, new, found, defects)
        return found, defects

    def _compare(self, path: str, old: str, new: str, found: list[Pair], defects: list[Defect]) -> None:
        if path.count("/") > MAX_FOLDER_DEPTH:
            defects.append(Defect(path, f"folders are nested more than {MAX_FOLDER_DEPTH} deep"))
            return
        if old == new:
            return
        before, after = self._children(path, old, []), self._children(path, new, defects)
        for name in before.keys() | after.keys():
            here = f"{path}/{name}" if path else name
            self._compare_one(here, before.get(name), after.get(name), found, defects)

    def _compare_one(
        self,
        path: str,
        was: tuple[int, str] | None,
        now: tuple[int, str] | None,
        found: list[Pair],
        defects: list[Defect],
    ) -> None:
        if was == now:
            return
        self._compare(path, _folder_id(was), _folder_id(now), found, defects)
        if _is_file(was) or _is_file(now):
            pair = [Entry(path, *item) if item and _is_file(item) else None for item in (was, now)]
            found.append((pair[0], pair[1]))

    def _children(self, path: str, oid: str, defects: list[Defect]) -> dict[str, tuple[int, str]]:
        if not oid:
            return {}
        entries = raw_entries(self._read_object(oid, ObjectType.TREE), path, defects)
        children = self._listings[oid] = {name: (mode, child) for name, mode, child in entries}
        return children

    def __reduce__(self) -> tuple[object, ...]:
        """Cross to another process as a place and a commit; libgit2's handles stay at home."""
        return _reopen, (str(self._repo.path), self.commit)

    def size(self, entry: Entry) -> int:
        """Return the blob's length in bytes."""
        try:
            return int(self._repo.odb.read_header(pygit2.Oid(hex=entry.blob))[1])
        except (KeyError, pygit2.GitError) as error:
            raise OSError(f"blob {entry.blob[:10]} is not in this repository") from error

    def read(self, entry: Entry) -> bytes:
        """Return the blob's bytes."""
        try:
            return bytes(self._repo.odb.read(pygit2.Oid(hex=entry.blob))[1])
        except (KeyError, pygit2.GitError) as error:
            raise OSError(f"blob {entry.blob[:10]} is not in this repository") from error

    def _read_object(self, oid: str, kind: ObjectType) -> bytes:
        try:
            found, data = self._repo.odb.read(pygit2.Oid(hex=oid))
        except (KeyError, pygit2.GitError):
            hint = "a partial or damaged clone? git fsck tells"
            raise RegistryError(f"object {oid[:10]} is not in this repository", hint=hint) from None
        if found != kind:
            raise RegistryError(f"object {oid[:10]} is not a {kind.name.lower()}", hint="git fsck tells more")
        return bytes(data)


def _in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: path_bytes(entry.path))


def _is_file(item: tuple[int, str] | None) -> bool:
    return item is not None and item[0] != FOLDER


def _folder_id(item: tuple[int, str] | None) -> str:
    return item[1] if item and item[0] == FOLDER else ""


def _reopen(git_dir: str, commit: Commit) -> CommitTree:
    return GitRepository.open(git_dir).tree(commit)


def _commit(commit: pygit2.Commit) -> Commit:
    # Raw bytes, because a hostile header names an encoding that does not exist.
    return Commit(
        id=str(commit.id),
        tree=str(commit.tree_id),
        parents=tuple(str(parent) for parent in commit.parent_ids),
        time=_time(commit),
        author=commit.author.raw_name.decode("utf-8", "replace"),
        subject=commit.raw_message.decode("utf-8", "replace").partition("\n")[0],
    )


def _time(commit: pygit2.Commit) -> datetime:
    try:
        return datetime.fromtimestamp(commit.commit_time, timezone(timedelta(minutes=commit.commit_time_offset)))
    except (ValueError, OverflowError, OSError):  # a time that no calendar has, in a header that nobody checked
        return datetime(9999 if commit.commit_time > 0 else 1, 1, 1, tzinfo=UTC)
