"""What a pull request would make of a branch: the base, what head proposes, and the tree that merging gives.

Git merges line by line, by strategies, drivers and attributes that a change can bring along, and hosts differ in which
of them they heed. A registry needs none of that: every file has one author at a time, and a signature covers all of its
bytes. So the merge that is judged is the plain one, file by file: what one side changed is taken from that side, and
what both changed, each in its own way, is a conflict. Outside of the registry, not every conflict is ours to settle:

- **Moved files.** Git follows a file that one side moved, and carries the other side's change to wherever it is now. A
  moved file is one that is gone, and that a file which the same side added resembles (:mod:`nodespec.likeness`). What
  the other side changed of it may land there; whether that is in the registry, the gate asks. A new file in a folder
  out of which the other side moved everything may land anywhere.
- **Other files** stay where they are, whatever a merge makes of them, and the host refuses what does not merge. What
  surely does not is said here, too.

Whatever Git merges differently in the registry, it merges into something that this refuses.

Everything is read by object id, nothing is written, and no work tree is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nodespec.errors import RegistryError
from nodespec.likeness import EndlessError, Moves
from nodespec.tree import NODES, ROOTS, SETTINGS_PATH, Defect, Entry, is_listed, path_bytes, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nodespec.commit import Commit, CommitTree, Pair
    from nodespec.git import GitRepository
    from nodespec.tree import Tree


MOST = 100_000
"""Files and folders that one proposal may change: each may become a finding, and two objects can name them all."""


@dataclass(frozen=True)
class MergedTree:
    """A commit with some files of another written over it, or taken out (None)."""

    under: CommitTree
    files: Mapping[str, Entry | None]
    defects: Sequence[Defect]
    label: str

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """Every file, in byte order of the paths."""
        return _in_order([*self._kept(self.under.entries), *self._come(tuple(f"{root}/" for root in ROOTS))])

    def entry(self, path: str) -> Entry | None:
        """Return the file at ``path``."""
        return self.files[path] if path in self.files else self.under.entry(path)

    def below(self, folder: str) -> Sequence[Entry]:
        """Return the files at any depth in ``folder``."""
        if "entries" in vars(self) and is_listed(folder):
            return within(self.entries, folder)
        return _in_order([*self._kept(self.under.below(folder)), *self._come((folder,))])

    def _kept(self, entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.path not in self.files]

    def _come(self, folders: tuple[str, ...]) -> list[Entry]:
        whole = tuple(folder.rstrip("/") for folder in folders)
        return [new for path, new in self.files.items() if new and (path.startswith(folders) or path in whole)]

    def differing(self, base: Tree) -> Sequence[str] | None:
        """Return the paths whose file is another in ``base``, when that is the commit below."""
        if base is not self.under:
            return None
        return sorted((path for path in self.files if is_listed(path)), key=path_bytes)

    def size(self, entry: Entry) -> int:
        """Return the blob's length in bytes."""
        return self.under.size(entry)

    def read(self, entry: Entry) -> bytes:
        """Return the blob's bytes."""
        return self.under.read(entry)


class Conflict(NamedTuple):
    """A path that both sides changed, each in its own way.

    Where it is not ``certain`` that the two do not merge, the merged file is at ``path``, or at one of ``reach``.
    """

    path: str
    what: str
    certain: bool = True
    reach: tuple[str, ...] = ()
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A change of a branch, from what it holds now to what it would hold.

    ``changes`` are (before, after) of every path of the repository that would differ, in order of path; ``conflicts``
    are where both sides changed something, and then ``tree`` is what head proposes where they collide.
    """

    base: Commit
    head: Commit
    before: CommitTree
    tree: CommitTree | MergedTree
    changes: tuple[Pair, ...]
    defects: tuple[Defect, ...]
    conflicts: tuple[Conflict, ...] = ()

    @property
    def is_merge(self) -> bool:
        """Whether base has moved on since head branched off."""
        return isinstance(self.tree, MergedTree)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every path that would differ, in order."""
        return tuple(path_of(pair) for pair in self.changes)

    @property
    def outside(self) -> tuple[str, ...]:
        """The paths that are neither of the registry nor of its contracts."""
        return tuple(path for path in self.paths if not is_listed(path))

    @property
    def inside(self) -> tuple[str, ...]:
        """The paths of the registry and its contracts among them."""
        return tuple(path for path in self.paths if is_listed(path))


def path_of(pair: Pair) -> str:
    """Return the path at which something differs."""
    entry = pair[1] or pair[0]
    assert entry is not None
    return entry.path


def holds_registry(tree: CommitTree) -> bool:
    """Say whether a commit holds a registry, and not only a folder of that name."""
    return tree.entry(SETTINGS_PATH) is not None or bool(tree.children(NODES.rstrip("/")))


def propose(git: GitRepository, base: Commit, head: Commit) -> Proposal:
    """Return what ``head`` proposes to ``base``; raise ``RegistryError`` where that cannot be known."""
    before = git.tree(base)
    if not holds_registry(before):
        hint = "a registry begins with a commit that is judged as a whole: nodespec validate --at HEAD"
        raise RegistryError(f"{base.short} holds no registry, so there is nothing to believe", hint=hint)
    if git.descends(head, base.id):
        changes, defects = _between(before, git.tree(head))
        return Proposal(
            base=base,
            head=head,
            before=before,
            tree=git.tree(head),
            changes=_sorted(changes),
            defects=tuple(defects),
        )
    fork = git.fork(base, head)
    if fork is None:
        hint = "is this clone shallow? git fetch --unshallow; else the two have no history in common"
        raise RegistryError(f"{head.short} and {base.short} share no commit that is here", hint=hint)
    ours = _since(git.tree(fork), before)
    theirs, defects = _between(git.tree(fork), git.tree(head))
    start = git.tree(fork)
    sides = _Side(git, start, before, ours), _Side(git, start, git.tree(head), theirs)
    return _Merge(git, start, *sides).proposal(defects)


def propose_tree(git: GitRepository, base: Commit, tree: str) -> Proposal:
    """Return what a tree, given by its object id, would make of ``base`` if it were committed on top of it."""
    before, after = git.tree(base), git.staged(tree)
    changes, defects = _between(before, after)
    return Proposal(
        base=base,
        head=after.commit,
        before=before,
        tree=after,
        changes=_sorted(changes),
        defects=tuple(defects),
    )


class _Side:
    """One of two branches from a fork: what it changed, and what it may have moved."""

    def __init__(self, git: GitRepository, fork: CommitTree, tip: CommitTree, pairs: Sequence[Pair]) -> None:
        self.fork = fork
        self.tip = tip
        self.files = {path_of(pair): pair[1] for pair in pairs}
        self.added = tuple(new for old, new in pairs if old is None and new is not None)
        self._moves = Moves(git.objects, self.added)
        self._moved: dict[str, bool] = {}

    @property
    def name(self) -> str:
        """What it is called."""
        return self.tip.commit.short

    def targets(self, path: str) -> tuple[str, ...] | None:
        """Return the added files where a file that is gone may be now; None where nobody can tell."""
        gone = self.fork.entry(path)
        try:
            return () if gone is None else tuple(self._moves.of(gone))
        except EndlessError:
            return None

    def has_moved(self, folder: str) -> bool:
        """Say whether a folder of the fork is gone, and one of its files may be somewhere else now."""
        if folder not in self._moved:
            is_gone = bool(self._moves and self.fork.children(folder)) and not self.tip.children(folder)
            files = self.fork.below(f"{folder}/") if is_gone else ()
            try:
                self._moved[folder] = any(next(self._moves.of(gone), "") for gone in files)
            except EndlessError:
                self._moved[folder] = True
        return self._moved[folder]


class _Merge:
    """Two branches from one fork, and what each changed since; ``ours`` is base's side."""

    def __init__(self, git: GitRepository, fork: CommitTree, ours: _Side, theirs: _Side) -> None:
        self.git = git
        self.fork = fork
        self.ours = ours
        self.theirs = theirs

    def proposal(self, defects: Sequence[Defect]) -> Proposal:
        """Return what merging the two would make of base."""
        before, head = self.ours.tip, self.theirs.tip.commit
        there = self.ours.files
        files = {path: new for path, new in self.theirs.files.items() if path not in there or there[path] != new}
        changes = [(before.entry(path), new) for path, new in files.items()]
        label = f"commit {head.short} merged into {before.commit.short}"
        conflicts = {conflict.path: conflict for conflict in self._conflicts(files)}
        return Proposal(
            base=before.commit,
            head=head,
            before=before,
            tree=MergedTree(before, files, tuple(defects), label),
            changes=_sorted(changes),
            defects=tuple(defects),
            conflicts=tuple(conflicts[path] for path in sorted(conflicts, key=path_bytes)),
        )

    def _conflicts(self, files: Mapping[str, Entry | None]) -> Iterator[Conflict]:
        yield from _in_moved_folders(self.ours, self.theirs, self.ours.name)
        yield from _in_moved_folders(self.theirs, self.ours, self.ours.name)
        before = self.ours.tip
        for path, new in self.theirs.files.items():
            if path in self.ours.files:
                yield from self._both(path, self.ours.files[path], new)
            elif new is not None and (_is_blocked(path, before, files) or _is_folder(path, before, files)):
                what = f"{self.ours.name} has a folder where {self.theirs.name} has a file, or the other way around"
                yield Conflict(path, what)

    def _both(self, path: str, ours: Entry | None, theirs: Entry | None) -> Iterator[Conflict]:
        """Yield what both sides did to one file, each in its own way."""
        if ours is not None and theirs is not None:
            if ours != theirs:
                certain = self.git.collides(self.fork.entry(path), ours, theirs)
                yield Conflict(path, f"{self.ours.name} and {self.theirs.name} both changed this file", certain)
            return
        takers = [side for side, kept in ((self.ours, ours), (self.theirs, theirs)) if kept is None]
        found = [side.targets(path) for side in takers]
        reach = tuple(target for targets in found for target in targets or ())
        names = " and ".join(side.name for side in takers)
        if None in found:
            what = f"{names} took this file away, and added more than can be compared, to see whether it has moved"
            yield Conflict(path, what)
        elif len(takers) == 2:
            if len(set(reach)) > 1 or len(reach) == 1:  # else both took it away, or moved it to one place
                yield Conflict(path, "both sides took this file away, and not to the same place", False, reach)
        elif not reach:
            yield Conflict(path, f"{names} took this file away, and the other side changed it")
        else:
            what = f"{names} moved this file, it seems, and the other side changed it, which Git would carry along"
            yield Conflict(path, what, False, reach)


def _in_moved_folders(adds: _Side, takes: _Side, base: str) -> Iterator[Conflict]:
    """Yield what one side puts into a folder that the other side moved: Git may follow it to anywhere."""
    for path in (entry.path for entry in adds.added):
        if any(map(takes.has_moved, _way_to(path))):
            what = f"{adds.name} adds this to a folder that {takes.name} moved, it seems; Git could put it elsewhere"
            fix = f"Rebase onto {base}, see that the file is where it should be, and push again; signatures stay valid."
            yield Conflict(path, what, fix=fix)


def _way_to(path: str) -> Iterator[str]:
    """Yield the folders that a file is in, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def _is_blocked(path: str, before: CommitTree, files: Mapping[str, Entry | None]) -> bool:
    """Say whether a file of base stands where a folder on the way to ``path`` would be."""
    return any(above not in files and before.entry(above) is not None for above in _way_to(path))


def _is_folder(path: str, before: CommitTree, files: Mapping[str, Entry | None]) -> bool:
    """Say whether base has files in a folder where a file would be."""
    return any(files.get(entry.path, entry) is not None for entry in before.below(f"{path}/"))


def _between(old: CommitTree, new: CommitTree) -> tuple[list[Pair], list[Defect]]:
    """Return what a proposal changes."""
    return new.changes("", old.commit.tree, new.commit.tree, MOST)


def _since(fork: CommitTree, before: CommitTree) -> list[Pair]:
    """Return what base has changed since: more than one proposal may, as it is many."""
    try:
        return before.changes("", fork.commit.tree, before.commit.tree)[0]
    except RegistryError as error:
        hint = f"base has moved far; rebase the change onto {before.commit.short}"
        raise RegistryError(str(error), hint=hint) from None


def _sorted(changes: Sequence[Pair]) -> tuple[Pair, ...]:
    return tuple(sorted(changes, key=lambda pair: path_bytes(path_of(pair))))


def _in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: path_bytes(entry.path))
