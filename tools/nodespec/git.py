"""Git's repositories and their objects, through libgit2.

``refs/replace`` is ignored, as libgit2 does; a local ``.git/info/grafts`` is heeded, and can hide parents from its own
clone only. Of the refs, only what this tool keeps for itself is written here (:meth:`GitRepository.keep`).
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple, cast

import pygit2
from pygit2.enums import FileMode, ObjectType, RepositoryOpenFlag

from nodespec.commit import Commit, CommitTree
from nodespec.encoding import printable, quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.tree import EXECUTABLE, REGULAR, SYMLINK, Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nodespec.commit import Objects

_MOST_MERGED = 256 << 10
"""Bytes of a text beyond which nobody tries to merge it line by line: that can take the square of its lines."""

_LOOKED_AT = 8_000
"""Bytes at the beginning of a file among which Git looks for a zero, to tell whether it is binary."""

PLACES = ("refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
"""Where Git looks for a name, in this order (gitrevisions)."""

_NAME = re.compile(r"(?:[^\x00-\x20~^:?*\[\\@]|@(?!\{))+")
"""The name at the beginning of a revision (git-check-ref-format)."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?\Z")


class GitRepository:
    """A repository opened for reading: with a work tree or bare, complete or shallow."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo
        self.objects: Objects = _Odb(repo.odb, self.common_dir)

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
    def refs(self) -> tuple[str, ...]:
        """The full name of every ref, in order."""
        return tuple(sorted(self._repo.references))

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
        self._refuse_ambiguous(revision)
        if self._repo.head_is_unborn and revision.startswith("HEAD"):
            raise UsageError("the repository has no commits yet", hint="commit first: git add . && git commit")
        try:
            thing = self._repo.revparse_single(revision)
            return _commit(thing.peel(pygit2.Commit))
        except (KeyError, ValueError, pygit2.InvalidSpecError, pygit2.GitError):
            if _DATE.match(revision):
                return self._commit_by(revision)
        hint = "that is a range: name its two ends, each by itself; " * (".." in revision)
        hint += "git log --oneline shows commits" + (
            "; this clone is shallow: git fetch --unshallow gets the rest" if self.is_shallow else ""
        )
        raise UsageError(f"no commit is called {quoted(revision)}", hint=hint)

    def _refuse_ambiguous(self, revision: str) -> None:
        """Raise ``UsageError`` where a name stands for several refs: of a tag and a branch, Git takes the tag.

        The places are those of gitrevisions. A full name (``refs/heads/main``) is never ambiguous.
        """
        name = _NAME.match(revision)
        if name is None or name[0] == "HEAD":
            return
        refs = [ref for place in PLACES if self._has(ref := place.format(name[0]))]
        if len(refs) > 1 and not self._has(name[0]):
            hint = "write the one that you mean in full"
            raise UsageError(f"{quoted(name[0])} could be any of {', '.join(map(printable, refs))}", hint=hint)

    def _has(self, ref: str) -> bool:
        try:
            return ref in self._repo.references
        except ValueError:  # too long, or not UTF-8
            return False

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
        here: pygit2.Commit | None = self._repo[commit.id].peel(pygit2.Commit)
        while here is not None:
            yield _commit(here)
            here = self._first_parent(here)

    def _first_parent(self, commit: pygit2.Commit) -> pygit2.Commit | None:
        """Return the first parent; None for the root, and beyond the edge of a shallow clone."""
        parents = commit.parent_ids
        found = self._repo.get(parents[0]) if parents else None
        return None if found is None else found.peel(pygit2.Commit)

    def steps(self, commit: Commit, path: str) -> Iterator[Step]:
        """Yield where a file is not what it was, along the first-parent line, newest first; and where that line ends.

        Of each folder that differs from what it was, one object is read. Raises ``RegistryError`` when one is missing.
        """
        file = _FileAt(self._repo, path)
        here = self._repo[commit.id].peel(pygit2.Commit)
        after = file.of(here)
        while (parent := self._first_parent(here)) is not None:
            before = file.of(parent)
            if before != after:
                yield Step(_commit(here), after, _commit(parent), before)
            here, after = parent, before
        yield Step(_commit(here), after, None, None)

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

    def collides(self, fork: Entry | None, ours: Entry, theirs: Entry) -> bool:
        """Say whether no merge, as Git makes it, holds what both sides did to a file that stays where it is.

        A text that is large or not UTF-8 may merge or not; that is left to whoever merges.
        """
        if fork is None or (fork.mode not in (ours.mode, theirs.mode) and ours.mode != theirs.mode):
            return True
        if fork.blob in (ours.blob, theirs.blob) or ours.blob == theirs.blob:
            return False
        kinds = {file.mode for file in (fork, ours, theirs)}
        if not kinds <= {REGULAR, EXECUTABLE}:
            return SYMLINK in kinds
        return not self._merges(fork, ours, theirs)

    def _merges(self, *files: Entry) -> bool:
        """Say whether three texts can be merged line by line, as far as that can be told."""
        try:
            if any(self.objects.size(file.blob) > _MOST_MERGED for file in files):
                return True
            texts = [self.objects.read(file.blob)[1] for file in files]
            if any(b"\0" in text[:_LOOKED_AT] for text in texts):
                return False
            for text in texts:
                text.decode("utf-8")
            items = [pygit2.IndexEntry(file.path, pygit2.Oid(hex=file.blob), FileMode.BLOB) for file in files]
            return self._repo.merge_file_from_index(items[0], items[1], items[2]).automergeable
        except (LookupError, UnicodeDecodeError, RuntimeError):  # RuntimeError: pygit2 cannot hold a merge of nothing
            return True

    def kept(self, ref: str, most: int) -> bytes | None:
        """Return the blob that a ref names, None when there is no such ref.

        Raises ``ValueError`` when it names no blob, or one of more than ``most`` bytes.
        """
        try:
            if ref not in self._repo.references:
                return None
            oid = self._repo.references[ref].resolve().target
            kind, size = self._repo.odb.read_header(oid)
            if _KINDS[kind] != "blob" or size > most:
                raise ValueError(f"it is no blob of at most {most >> 20} MiB")
            return self.objects.read(str(oid))[1]
        except (pygit2.GitError, KeyError, LookupError) as error:
            raise ValueError(f"it cannot be read: {error}") from None

    def keep(self, ref: str, data: bytes) -> None:
        """Let a ref name a blob of these bytes; raise ``RegistryError`` when that cannot be written."""
        try:
            self._repo.references.create(ref, self._repo.create_blob(data), force=True)
        except (pygit2.GitError, OSError) as error:
            hint = f"git update-ref -d {ref} takes away what stands there"
            raise RegistryError(f"{ref} cannot be written: {error}", hint=hint) from None

    def current(self) -> Commit | None:
        """Return the commit that is checked out; None before the first."""
        return None if self._repo.head_is_unborn else self.resolve("HEAD")

    def staged(self, tree: str) -> CommitTree:
        """Return a tree that no commit holds yet, given by its object id, as though one did."""
        now = datetime.now(UTC)
        return self.tree(Commit(id=tree, tree=tree, parents=(), time=now, author="", subject="what is staged"))

    def tree(self, commit: Commit) -> CommitTree:
        """Return the commit's listing."""
        return CommitTree(self.objects, commit)


class Step(NamedTuple):
    """A commit with the file that it holds, and its first parent with the one that it held: None for none."""

    commit: Commit
    after: Entry | None
    parent: Commit | None
    before: Entry | None


class _FileAt:
    """One path in many commits: what a folder holds under the next name is looked up once."""

    def __init__(self, repo: pygit2.Repository, path: str) -> None:
        self._repo = repo
        self._path = path
        self._names = path.split("/")
        self._known: dict[tuple[pygit2.Oid, int], tuple[pygit2.Oid, int] | None] = {}

    def of(self, commit: pygit2.Commit) -> Entry | None:
        """Return the file that a commit holds there; None for none, or a folder."""
        found: tuple[pygit2.Oid, int] | None = (commit.tree_id, FileMode.TREE)
        for depth, name in enumerate(self._names):
            if found is None or found[1] != FileMode.TREE:
                return None
            key = (found[0], depth)
            if key not in self._known:
                self._known[key] = self._child(found[0], name)
            found = self._known[key]
        return None if found is None or found[1] == FileMode.TREE else Entry(self._path, found[1], str(found[0]))

    def _child(self, folder: pygit2.Oid, name: str) -> tuple[pygit2.Oid, int] | None:
        try:
            tree = self._repo[folder].peel(pygit2.Tree)
        except KeyError:
            hint = "a partial or damaged clone? git fsck tells"
            raise RegistryError(f"object {str(folder)[:10]} is not in this repository", hint=hint) from None
        return (tree[name].id, int(tree[name].filemode)) if name in tree else None


class _Odb:
    """The objects of a repository (:class:`~nodespec.commit.Objects`); libgit2 computes ids again."""

    def __init__(self, odb: pygit2.Odb, place: str) -> None:
        self._odb = odb
        self.place = os.path.join(place, "")

    def read(self, oid: str) -> tuple[str, bytes]:
        """Return an object's kind and bytes."""
        try:
            kind, data = self._odb.read(pygit2.Oid(hex=oid))
        except pygit2.GitError as error:
            raise LookupError(oid) from error
        return _KINDS[kind], bytes(data)

    def prefetch(self, oids: Iterable[str]) -> None:
        """Do nothing: reading one after another is as quick."""

    def size(self, oid: str) -> int:
        """Return an object's length."""
        try:
            return int(self._odb.read_header(pygit2.Oid(hex=oid))[1])
        except pygit2.GitError as error:
            raise LookupError(oid) from error

    def __reduce__(self) -> tuple[object, ...]:
        return _reopened, (self.place,)


_KINDS = {ObjectType.BLOB: "blob", ObjectType.TREE: "tree", ObjectType.COMMIT: "commit", ObjectType.TAG: "tag"}


def _reopened(place: str) -> Objects:
    return GitRepository.open(place).objects


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
